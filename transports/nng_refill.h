/*
 * nng_refill — answers a subscriber's "what came after sequence N on this topic?" from the journal.
 *
 * A REP socket whose requests wait in a few nng contexts; one thread asks the history for one
 * request after the other. Every request gets a reply, a bad one {"error": "…"}. The protocol is
 * in docs/bus.md.
 */
#ifndef RELAY_NNG_REFILL_H
#define RELAY_NNG_REFILL_H

#include "relay/base/buf.h"
#include "transports/transport.h"

struct refill;

struct refill *refill_open(const char *url, const struct transport_env *env, struct err *err);
/* From now on nothing is asked of the history, except what is being asked. NULL is allowed. */
void refill_stop(struct refill *r);
/* Ends the thread and the socket, frees. May hang as long as nng does. NULL is allowed. */
void refill_close(struct refill *r);

/* The reply to one request. */
void refill_answer(const struct transport_history *history, uint32_t number, const char *request,
		   size_t len, struct buf *reply);

#endif
