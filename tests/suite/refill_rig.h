/*
 * refill_rig — a refill address with a few events behind it, and short ways to ask it that end the
 * test when they fail.
 */
#ifndef RELAY_TESTS_REFILL_RIG_H
#define RELAY_TESTS_REFILL_RIG_H

#include "tests/suite/nng_world.h"

#define REFILL_TOPIC   "recipient.sent.twilio.b1"
#define REFILL_ALL     "{\"topic\":\"\"}"
#define REFILL_FEW     "{\"topic\":\"\",\"limit\":2}"
#define REFILL_AT_ONCE 3000 /* ms; the sanitizers take their time */

/* An open bus, on ipc or with its refills on tcp, that has so many events of so many bytes. */
struct nng_world *refill_rig_world(bool tcp, size_t events, size_t padding);

/* Runs the test on a world on ipc and on one on tcp, each with 100 events of 2.4 KB: a reply that
 * no socket's buffer holds. Behind it the process has as many descriptors as before, and the next
 * caller is served at once. */
void refill_rig_on_both(void (*test)(struct nng_world *w));

/* How many events the reply to a request has; 0: an error. */
size_t refill_rig_ask(int fd, const char *request);
void refill_rig_is_served(const struct nng_world *w); /* a new caller, at once */
/* Asks n times, and waits for no reply. */
void refill_rig_pipeline(int fd, const char *request, size_t n);

void refill_rig_pause(int ms);

#endif
