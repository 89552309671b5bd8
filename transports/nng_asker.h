/*
 * nng_asker — the other end of a refill address: asks, waits, and has the reply, as an SP REQ
 * socket does. The connection is kept from one request to the next. One thread.
 */
#ifndef RELAY_NNG_ASKER_H
#define RELAY_NNG_ASKER_H

#include <signal.h>

#include "relay/base/buf.h"
#include "transports/nng_link.h"

struct asker;

/* Over a link that is REQ and expects REP, which it takes over. When *stop is set, what waits gives
 * up. */
struct asker *asker_new(struct link *link, const volatile sig_atomic_t *stop);
void asker_free(struct asker *a); /* NULL is allowed */
const char *asker_url(const struct asker *a);

struct asker_reply {
	const char *text;
	size_t len;
};
/* *ret is borrowed until the next call. Gives up when there is no connection for 2 s, or no answer
 * for 10 s. */
int asker_ask(struct asker *a, const struct buf *request, struct asker_reply *ret, struct err *err);

#endif
