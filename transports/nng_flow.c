/* nng_flow — rates, who counts, room. Invariant: a queue that stands still is waited for no longer
 * than FLOW_STUCK_US and a look. */
#include "transports/nng_flow.h"

#define SLOWEST	 10   /* of the fastest's rate */
#define ROOM_MAX 1024 /* some milliseconds, far less than the least span */

uint64_t queue_held(const struct queue_counts *counts)
{
	return counts->offered - counts->left - counts->dropped;
}

void flow_begin(struct flow_queue *q, uint64_t cap, int64_t now_us)
{
	*q = (struct flow_queue){.cap = cap, .looked_us = now_us};
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

void flow_look(struct flow_queue *q, const struct queue_counts *counts, bool waited, int64_t now_us)
{
	uint64_t left = counts->left - q->left, held = queue_held(counts);
	int64_t us = now_us - q->looked_us;
	double rate;

	if (left || !held)
		q->stuck_us = 0;
	else if (!q->stuck_us)
		q->stuck_us = now_us;
	if (!held)
		q->takes = 0;
	if (!held || !q->held) {
		q->unempty = (struct flow_span){0};
	} else if ((rate = span_add(&q->unempty, FLOW_SLOW_US, us, left)) > 0) {
		q->takes = rate;
		q->takes_us = now_us;
	}
	if (!waited && (rate = span_add(&q->unwaited, FLOW_FAST_US, us, left)) > 0) {
		q->shown = rate;
		q->shown_us = now_us;
	}
	q->left = counts->left;
	q->held = held;
	q->looked_us = now_us;
}

static double believed(double rate, int64_t at_us, int64_t now_us)
{
	return now_us - at_us < FLOW_BELIEVED_US ? rate : 0;
}

static bool is_counted(const struct flow_queue *q, double fastest, int64_t now_us)
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

uint64_t flow_room(const struct flow_queue *const *queues, size_t n, int64_t now_us)
{
	double fastest = 0;
	uint64_t least = ROOM_MAX;

	for (size_t i = 0; i < n; i++) {
		const struct flow_queue *q = queues[i];

		fastest = greater(fastest, believed(q->shown, q->shown_us, now_us));
		fastest = greater(fastest, believed(q->takes, q->takes_us, now_us));
	}
	for (size_t i = 0; i < n; i++) {
		const struct flow_queue *q = queues[i];
		uint64_t places = q->held < q->cap ? q->cap - q->held : 0;
		uint64_t room = (places + 1) / 2; /* of one place, that one */

		if (!is_counted(q, fastest, now_us))
			continue;
		if (room < q->cap / 8)
			return 0;
		if (room < least)
			least = room;
	}
	return least;
}
