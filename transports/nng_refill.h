/*
 * nng_refill — answers a subscriber's "what came after sequence N on this topic?" from the journal.
 *
 * One thread with sockets of its own (nng_callers.h) asks the history for one request after the
 * other. To its callers it is a REP socket, but none of nng's: nng 1.5 keeps every closed
 * connection of the process for ever once a caller has left at the wrong moment. Every request
 * gets a reply, a bad one {"error": "…"}. The protocol is in docs/bus.md.
 */
#ifndef RELAY_NNG_REFILL_H
#define RELAY_NNG_REFILL_H

#include "relay/base/buf.h"
#include "transports/nng_channel.h"
#include "transports/transport.h"

struct refill;

/* The files: for a tls+tcp:// address. */
struct refill *refill_open(const char *url, const struct pem_files *files,
			   const struct transport_env *env, struct err *err);
/* From now on nothing is asked of the history; waits for what is being asked. NULL is allowed. */
void refill_stop(struct refill *r);
/* Behind refill_stop: ends the thread and its sockets, frees. NULL is allowed. */
void refill_close(struct refill *r);

struct refill_counts {
	uint64_t requests, events, errors;
	int64_t short_ms; /* mono: when files lacked last for who connects; 0: never */
};
/* Any thread, until it is closed. */
void refill_count(struct refill *r, struct refill_counts *ret);

/* The reply to one request. Returns the events in it, -1: it is an error. */
int refill_answer(const struct transport_history *history, uint32_t number, const char *request,
		  size_t len, struct buf *reply);

#endif
