/* nng_flow — rates, who counts, room. Invariant: a queue that stands still is waited for no longer
 * than FLOW_STUCK_US and a look. */
#include "transports/nng_flow.h"

#define SLOWEST	 10   /* of the fastest's rate */
#define ROOM_MAX 1024 /* no look is further away, so that spans are not, either */

void flow_begin(struct flow_queue *q, uint64_t cap, int64_t now_us)
{
	*q = (struct flow_queue){.looked_us = now_us};
	queue_begin(&q->queue, cap);
}

/* Messages a second once the span is long enough, and then a new one begins; else 0. */
static double span_add(struct flow_span *s, int64_t least_us, int64_t us, uint64_t left)
{
	s->us += us;
	s->left += left;
	if (s->us < least_us)
		return 0;
	double rate = (double)s->left * 1e6 / (double)s->us;
	*s = (struct flow_span){0};
	return rate > 1 ? rate : 1; /* 0 is "unknown" */
}

static void note_stuck(struct flow_queue *q, uint64_t left, int64_t now_us)
{
	if (left || !queue_held_most(&q->queue))
		q->stuck_us = 0;
	else if (!q->stuck_us)
		q->stuck_us = now_us;
}

/* Behind a look: what left since the last one, and whether anything was held then. */
static void measure(struct flow_queue *q, uint64_t left, bool was_held, bool waited, int64_t now_us)
{
	int64_t us = now_us - q->looked_us;
	double rate;

	note_stuck(q, left, now_us);
	if (!queue_held_least(&q->queue))
		q->takes = 0;
	if (!was_held || !queue_held_least(&q->queue)) {
		q->held = (struct flow_span){0};
	} else if ((rate = span_add(&q->held, FLOW_SLOW_US, us, left)) > 0) {
		q->takes = rate;
		q->takes_us = now_us;
	}
	if (!waited && (rate = span_add(&q->unwaited, FLOW_FAST_US, us, left)) > 0) {
		q->shown = rate;
		q->shown_us = now_us;
	}
	q->looked_us = now_us;
}

void flow_look(struct flow_queue *q, uint64_t offered, uint64_t left, bool waited, int64_t now_us)
{
	bool was_held = queue_held_least(&q->queue) > 0;
	uint64_t before = q->queue.left;

	queue_look(&q->queue, offered, left);
	measure(q, q->queue.left - before, was_held, waited, now_us);
}

void flow_know(struct flow_queue *q, const struct queue_counts *counts, bool waited, int64_t now_us)
{
	bool was_held = queue_held_least(&q->queue) > 0;
	uint64_t before = q->queue.left;

	queue_know(&q->queue, counts);
	measure(q, q->queue.left - before, was_held, waited, now_us);
}

static double believed(double rate, int64_t at_us, int64_t now_us)
{
	return now_us - at_us < FLOW_BELIEVED_US ? rate : 0;
}

static bool counts(const struct flow_queue *q, double fastest, int64_t now_us)
{
	double takes = believed(q->takes, q->takes_us, now_us);

	if (q->stuck_us && now_us - q->stuck_us >= FLOW_STUCK_US)
		return false;
	return !takes || (takes >= fastest / SLOWEST && takes >= FLOW_LEAST);
}

static double greater(double a, double b)
{
	return a > b ? a : b;
}

static const struct flow_queue *at(const struct flow_queue *first, size_t i, size_t step)
{
	return (const void *)((const char *)first + i * step);
}

uint64_t flow_room(const struct flow_queue *first, size_t n, size_t step, int64_t now_us)
{
	double fastest = 0;
	uint64_t least = ROOM_MAX;

	for (size_t i = 0; i < n; i++) {
		const struct flow_queue *q = at(first, i, step);

		fastest = greater(fastest, believed(q->shown, q->shown_us, now_us));
		fastest = greater(fastest, believed(q->takes, q->takes_us, now_us));
	}
	for (size_t i = 0; i < n; i++) {
		const struct flow_queue *q = at(first, i, step);
		uint64_t places = q->queue.cap + 1, held = queue_held_most(&q->queue);
		uint64_t room = held < places ? (places - held) / 2 : 0;

		if (!counts(q, fastest, now_us))
			continue;
		if (room < places / 8)
			return 0;
		if (room < least)
			least = room;
	}
	return least;
}
