/*
 * nng_flow — how fast the bus may publish, so that a burst or a replay costs no subscriber a
 * message that could take it. Pure: counts and time come in.
 *
 * A full queue takes every message and drops its oldest (nng_spool.h). So the bus looks at all
 * queues, publishes as many as half the room of the fullest that counts, and looks again; when that
 * queue is over three quarters full, it waits for it. A queue counts unless
 *
 *   - nothing has left it for FLOW_STUCK_US while it was not empty: a stopped subscriber, or
 *   - it has been taking less than a tenth of what the fastest was seen to take while the bus did
 *     not wait, or less than FLOW_LEAST a second: more than the API can ever give in the long run,
 *     so that nobody makes the journal fill up.
 *
 * Who does not count loses messages, as ever, and fetches them by refill; it costs the others
 * nothing but those waits until that is known. What a queue takes is measured over FLOW_SLOW_US in
 * which it was not empty, and forgotten when it is empty again, so that a process that had to wait
 * for a busy machine is not taken for slow; what any was seen to take, over FLOW_FAST_US in which
 * the bus did not wait. Both are believed for FLOW_BELIEVED_US. Subscribers that all are slow, as
 * on a busy machine, are slow together, and waited for.
 */
#ifndef RELAY_NNG_FLOW_H
#define RELAY_NNG_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLOW_STUCK_US	 250000 /* a process may wait as long for a busy machine */
#define FLOW_SLOW_US	 250000
#define FLOW_FAST_US	 50000
#define FLOW_BELIEVED_US 5000000
#define FLOW_LEAST	 1000 /* messages a second */

/* A subscriber's queue, since it came: what is neither left nor dropped is held. */
struct queue_counts {
	uint64_t offered, left, dropped;
};

uint64_t queue_held(const struct queue_counts *counts);

struct flow_span { /* what left within a time */
	int64_t us;
	uint64_t left;
};

struct flow_queue {
	uint64_t cap;
	uint64_t left, held; /* at the last look */
	int64_t looked_us;
	int64_t stuck_us;	    /* since when nothing leaves; 0: it does, or is empty */
	struct flow_span unempty;   /* without a break not empty */
	struct flow_span unwaited;  /* while the bus did not wait */
	double takes, shown;	    /* a second, of the last such spans; 0: unknown */
	int64_t takes_us, shown_us; /* when those ended */
};

void flow_begin(struct flow_queue *q, uint64_t cap, int64_t now_us);
/* The counts as they are now; waited: the bus has not published since the last look, as it waits
 * for some queue. */
void flow_look(struct flow_queue *q, const struct queue_counts *counts, bool waited,
	       int64_t now_us);

/* Messages that may go out before the next look; 0: wait, and look again. */
uint64_t flow_room(const struct flow_queue *const *queues, size_t n, int64_t now_us);

#endif
