/*
 * nng_client — a subscriber's sockets: one SUB for all addresses and topics, which reconnects by
 * itself, and a REQ for each refill address. One thread.
 *
 * There is no close: nng 1.5 may hang for ever in nng_close of a SUB socket on which messages
 * arrive. Whoever opens one ends its process with _exit.
 */
#ifndef RELAY_NNG_CLIENT_H
#define RELAY_NNG_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/err.h"
#include "relay/base/json.h"

struct bus_client;

struct bus_addresses { /* borrowed for the call */
	const char *const *urls;
	size_t nurls;
	const char *const *refills;
	size_t nrefills;
	const char *const *subscriptions; /* byte prefixes; heartbeats are subscribed besides */
	size_t nsubscriptions;
};

/* Fails for addresses that can never be used; an unreachable one is tried again and again. */
struct bus_client *bus_client_open(const struct bus_addresses *a, struct err *err);

struct bus_event {
	const char *topic, *body; /* the JSON text, len bytes without a NUL */
	size_t len;
	int64_t sequence, prevsequence; /* 0: it has none */
	const struct json *root;	/* parsed; of a message only */
};

/* Waits up to timeout_ms (0: not at all). 1: *ret is a message, borrowed until the next call; 0:
 * none came; -1: one came that is none of Relay's, or nng failed. */
int bus_client_receive(struct bus_client *c, int timeout_ms, struct bus_event *ret,
		       struct err *err);

struct bus_page {
	struct bus_event *events; /* ascending */
	size_t n;
	int64_t next, oldest, latest;
	bool more;
};
/* Asks the refill addresses, the last that answered first. *ret is borrowed until the next call. */
int bus_client_refill(struct bus_client *c, const char *subscription, int64_t after,
		      const struct bus_page **ret, struct err *err);

/* Reads a reply's text into *ret, whose events are xmalloc'ed and borrow from text and doc. */
int bus_page_read(struct bus_page *ret, struct json_doc *doc, const char *text, size_t len,
		  struct err *err);

#endif
