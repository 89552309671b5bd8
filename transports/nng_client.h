/*
 * nng_client — a subscriber's connections: to each address, dialled again for ever (nng_link.h),
 * and to each refill address (nng_asker.h). ws:// and wss:// go by one SUB socket of nng's. One
 * thread.
 *
 * There is no close: nng 1.5 may hang for ever in nng_close of a SUB socket on which messages
 * arrive. Whoever opens one ends its process with _exit.
 */
#ifndef RELAY_NNG_CLIENT_H
#define RELAY_NNG_CLIENT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/err.h"
#include "transports/nng_page.h"

struct bus_client;

struct bus_addresses { /* subscriptions and stop are borrowed for good */
	const char *const *urls;
	size_t nurls;
	const char *const *refills;
	size_t nrefills;
	const char *const *subscriptions; /* byte prefixes; heartbeats are subscribed besides */
	size_t nsubscriptions;
	const char *ca_file, *cert_file, *key_file, *server_name; /* for TLS; NULL: see
								     nng_endpoint.h */
	const volatile sig_atomic_t *stop; /* once it is set, no refill is waited for */
};

/* Fails for addresses that can never be used; an unreachable one is tried again and again. */
struct bus_client *bus_client_open(const struct bus_addresses *a, struct err *err);

/* Waits up to timeout_ms (0: not at all). 1: *ret is a message, borrowed until the next call; 0:
 * none came; -1: one came that is none of Relay's, or nng failed. */
int bus_client_receive(struct bus_client *c, int timeout_ms, struct bus_event *ret,
		       struct err *err);

/* Asks the refill addresses, the last that answered first. *ret is borrowed until the next call. */
int bus_client_refill(struct bus_client *c, const char *subscription, int64_t after,
		      const struct bus_page **ret, struct err *err);

struct bus_connection { /* borrowed until the next call */
	const char *url;
	const char *trouble; /* why there is no connection, as far as is known; NULL: there is */
	bool made;	     /* there was one at some time */
};
/* To the nth publisher's address; false: there are fewer. */
bool bus_client_connection(struct bus_client *c, size_t nth, struct bus_connection *ret);

#endif
