/*
 * nats_rig — a transport to NATS that is open, events that follow from small numbers, and what
 * became of each.
 */
#ifndef RELAY_NATS_RIG_H
#define RELAY_NATS_RIG_H

#include "transports/transport.h"

#define NATS_RIG_SUBJECT "relay.recipient.failed.twilio.bc_1" /* of all its events */

struct nats_rig {
	struct mailbox *loop;
	struct transport_env env;
	void *self; /* NULL: not open */
	struct sent {
		struct event event;
		struct parcel parcel;
		struct outcome outcome; /* of the last attempt; why is the next */
		char why[1100];
		size_t attempts, answers;
	} * v;
	size_t n, max, answered, accepted;
};

/* For up to `max` events. */
struct nats_rig *nats_rig_new(size_t max);
/* `config`: the transport's map in YAML; freed. False: it cannot be opened, and *err says why. */
bool nats_rig_try(struct nats_rig *r, char *config, struct err *err);
void nats_rig_open(struct nats_rig *r, char *config);
void nats_rig_close(struct nats_rig *r); /* within two seconds, or the test fails */
void nats_rig_free(struct nats_rig *r);

/* Sends a new event; the number of its place in v. */
size_t nats_rig_send(struct nats_rig *r, size_t padding);
void nats_rig_again(struct nats_rig *r, size_t at); /* the same once more */
/* Waits until so many answers are in over all, or fails the test after 20 s. */
void nats_rig_wait(struct nats_rig *r, size_t answers);
/* One event, new or again, and its answer. */
const struct sent *nats_rig_one(struct nats_rig *r, size_t padding);
const struct sent *nats_rig_repeat(struct nats_rig *r, size_t at);
void nats_rig_run(struct nats_rig *r, int ms); /* lets the loop's mailbox be read */

#endif
