/*
 * nng_world — a bus with a past, for tests: events are committed to a journal in memory, published
 * by the nng transport or kept from being published, and refilled from that journal.
 */
#ifndef RELAY_NNG_WORLD_H
#define RELAY_NNG_WORLD_H

#include <pthread.h>

#include "transports/transport.h"

#define NNG_WORLD_TOPIC "recipient.sent.twilio.b1"

struct nng_world {
	char *folder;
	char *bus, *refill;    /* ipc addresses in it, unless refills are on tcp */
	char *cert, *key, *ca; /* files in it; NULL: none */
	struct mailbox *loop;
	struct transport_env env;
	struct transport_history history;
	void *self; /* of the transport; NULL: not open */
	size_t sent, refused;
	struct transport_figures figures;

	pthread_mutex_t lock; /* what follows; the refill thread reads it */
	struct committed {
		struct event event;
		int64_t prevsequence;
	} * v; /* sequence 1 is v[0] */
	size_t n, cap;
	int64_t oldest; /* what is before it counts as dropped by retention */
	bool broken;	/* reading fails */
	size_t asked;	/* reads so far */

	/* of the broadcast bc_1, which org c has; bc_2 is had by several */
	size_t nrows, row_padding;
	const char *about; /* what is known of it */
};

struct nng_world *nng_world_new(void);
void nng_world_refill_on_tcp(struct nng_world *w); /* before it is opened */
/* The same with the certificate "bus" of tls_files.h, in its folder; `mutual`: its authority's
 * certificates let in. */
void nng_world_refill_on_tls(struct nng_world *w, bool mutual);
/* Opens the transport: again after a close, it is the relay's restart. `listen`: a second address
 * besides its own, or NULL. */
void nng_world_open(struct nng_world *w, const char *listen);
void nng_world_close(struct nng_world *w);
void nng_world_free(struct nng_world *w);

/* Commits an event of a topic and of so many bytes; returns its sequence. */
int64_t nng_world_commit(struct nng_world *w, const char *topic, size_t padding);
/* Hands over events that were committed, and does not wait. */
void nng_world_give(struct nng_world *w, int64_t from, int64_t to);
/* Publishes an event that was committed, and waits for the verdict. */
void nng_world_publish(struct nng_world *w, int64_t sequence);
void nng_world_publish_all(struct nng_world *w, int64_t from, int64_t to);
/* Commits and publishes so many more. */
void nng_world_publish_new(struct nng_world *w, size_t n, size_t padding);

/* What the transport tells, until this is called again; one of its figures by name; waiting until
 * that is so much. */
const struct transport_figures *nng_world_figures(struct nng_world *w);
double nng_world_figure(struct nng_world *w, const char *name);
void nng_world_await(struct nng_world *w, const char *name, double least);

/* An unused TCP port of the loopback interface; somebody else may take it. */
int nng_world_port(void);

#endif
