/*
 * nng_bus — the publishing socket and the thread that alone sends on it, since nng_send was seen
 * to hold its caller for up to 180 ms. The loop hands over parcels; verdicts come back in batches.
 *
 * nng 1.5 may hang for ever in nng_close. So all that nng or a thread may still touch lives in
 * structs with a count of their users: bus_close waits for a clean end for a bounded time, and
 * what hangs is left behind, with nothing of the relay's in its hands.
 */
#ifndef RELAY_NNG_BUS_H
#define RELAY_NNG_BUS_H

#include <pthread.h>

#include "transports/transport.h"

struct nng_settings {
	struct strings listen;
	char *refill; /* NULL: none */
	int64_t send_buffer;
	bool insecure;
};

struct bus;

struct bus *bus_open(const struct nng_settings *settings, const struct transport_env *env,
		     struct err *err);
void bus_send(struct bus *b, const struct parcel *parcel);
void bus_close(struct bus *b); /* within a second; NULL is allowed */

/* A thread that takes no signals. */
int bus_thread(pthread_t *ret, const char *name, void *(*run)(void *), void *arg, struct err *err);

#endif
