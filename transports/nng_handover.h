/*
 * nng_handover — between the loop and the bus thread: parcels go there, verdicts come back, both in
 * batches, so that no message costs a wake of its own.
 *
 * Parcels are borrowed until their verdict, or until the loop has closed the handover; what reads
 * one does so between handover_begin and handover_end. The memory goes with its last user: who
 * opened it, a thread, verdicts on their way.
 */
#ifndef RELAY_NNG_HANDOVER_H
#define RELAY_NNG_HANDOVER_H

#include "transports/transport.h"

struct handover;

struct given {
	uint64_t id;
	const struct event *event;
	int64_t prevsequence;
};

struct handover *handover_new(const struct transport_env *env); /* of one user */
void handover_enter(struct handover *h);			/* one more */
void handover_leave(struct handover *h);			/* one less */

/* The loop. */
void handover_give(struct handover *h, const struct parcel *parcel);
/* No parcel is read any more, no verdict is told any more, and the bus thread is woken. */
void handover_close(struct handover *h);

/* The bus thread. */
bool handover_is_closed(struct handover *h);
/* Waits up to timeout_ms for parcels. Borrowed until the next call; 0: none, or it is closed. */
size_t handover_take(struct handover *h, int timeout_ms, const struct given **ret);
bool handover_begin(struct handover *h); /* false: it is closed; no end follows */
void handover_end(struct handover *h);
struct judgement {
	uint64_t id;
	const char *why; /* a constant; NULL: sent */
	bool refused;
	int64_t took_us;
};
void handover_judge(struct handover *h, const struct judgement *j);
void handover_post(struct handover *h); /* sends off what was judged */

#endif
