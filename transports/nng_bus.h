/*
 * nng_bus — the publishing sockets, nng's and our own (nng_hearers.h), and the thread that alone
 * sends on them, since nng_send was seen to hold its caller for up to 180 ms. The loop
 * hands over parcels; verdicts come back in batches. Where subscribers' queues are nearly full,
 * that thread waits (nng_flow.h), and only it does.
 *
 * nng 1.5 may hang for ever in nng_close. So all that nng or a thread may still touch lives in
 * structs with a count of their users: bus_close waits for a clean end for a bounded time, and
 * what hangs is left behind, with nothing of the relay's in its hands.
 */
#ifndef RELAY_NNG_BUS_H
#define RELAY_NNG_BUS_H

#include "transports/transport.h"

struct nng_settings {
	struct strings listen;
	char *refill;			      /* NULL: none */
	char *cert_file, *key_file, *ca_file; /* NULL: none */
	int64_t send_buffer;
	bool insecure;
	bool state; /* rows of broadcasts are told, too */
};

struct bus;

struct bus *bus_open(const struct nng_settings *settings, const struct transport_env *env,
		     struct err *err);
void bus_send(struct bus *b, const struct parcel *parcel);
void bus_figures(struct bus *b, struct transport_figures *ret); /* does not block */
/* Within a second, but not before the history has answered who asked last. NULL is allowed. */
void bus_close(struct bus *b);

#endif
