/* nng_queue — two extremes followed from look to look. Invariant: least <= dropped <= most <=
 * offered - left. */
#include "transports/nng_queue.h"

#define QUIET 16 /* messages a second: heartbeats, and hardly more */

void queue_begin(struct queue_guess *q, uint64_t cap)
{
	*q = (struct queue_guess){.cap = cap};
}

static uint64_t beyond(uint64_t n, uint64_t room)
{
	return n > room ? n - room : 0;
}

void queue_look(struct queue_guess *q, uint64_t offered, uint64_t left)
{
	uint64_t fresh = beyond(offered, q->offered);

	/* A look may come between the count of one that left and the queue's next step: the one on
	 * its way out is a place for `least` and none for `most`. */
	q->most += beyond(queue_held_least(q) + fresh, q->cap);
	q->offered += fresh;
	q->left += beyond(left, q->left);
	if (q->left > q->offered) /* it was there before it was counted */
		q->offered = q->left;
	uint64_t lag = q->offered - q->left;
	if (q->most > lag)
		q->most = lag;
	if (q->least < beyond(lag, q->cap + 1))
		q->least = beyond(lag, q->cap + 1);
	if (q->least > q->most)
		q->most = q->least;
}

void queue_settle(struct queue_guess *q)
{
	uint64_t offered = q->offered - q->marked_offered, left = q->left - q->marked_left;

	if (left == offered && left > 0 && left <= QUIET && !queue_held_least(q))
		q->least = q->most;
	q->marked_offered = q->offered;
	q->marked_left = q->left;
}

void queue_know(struct queue_guess *q, const struct queue_counts *counts)
{
	q->offered = counts->offered;
	q->left = counts->left;
	q->least = q->most = counts->dropped;
}

uint64_t queue_held_least(const struct queue_guess *q)
{
	return q->offered - q->left - q->most;
}

uint64_t queue_held_most(const struct queue_guess *q)
{
	return q->offered - q->left - q->least;
}

uint64_t queue_dropped(const struct queue_guess *q)
{
	return q->least;
}
