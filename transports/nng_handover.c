/* nng_handover — two lists of parcels, of which the loop fills one while the bus thread works
 * through the other; lists of verdicts, each a message to the loop. Invariant: after `closed` is
 * set, under the lock, neither a parcel nor the loop's mailbox is touched. */
#include "transports/nng_handover.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/base/thread.h"

struct list {
	struct given *v;
	size_t n, cap;
};

struct handover {
	atomic_int users;
	struct transport_env env;
	pthread_mutex_t lock; /* of what follows */
	bool closed;	      /* written by the loop, which reads it without */

	pthread_mutex_t inbox_lock; /* apart, as the other is held while messages are made */
	pthread_cond_t arrived;
	struct list inbox;
	bool ends;

	/* the bus thread's own */
	struct list taken;
	struct verdicts *verdicts; /* not yet posted */
};

/* What became of some parcels, on its way to the loop. */
struct verdicts {
	struct handover *handover;
	struct judgement *v;
	size_t n, cap;
};

struct handover *handover_new(const struct transport_env *env)
{
	struct handover *h = xcalloc(1, sizeof *h);

	atomic_init(&h->users, 1);
	h->env = *env;
	pthread_mutex_init(&h->lock, NULL);
	pthread_mutex_init(&h->inbox_lock, NULL);
	thread_cond_init(&h->arrived);
	return h;
}

void handover_enter(struct handover *h)
{
	atomic_fetch_add(&h->users, 1);
}

static void verdicts_free(struct verdicts *list)
{
	if (!list)
		return;
	free(list->v);
	free(list);
}

void handover_leave(struct handover *h)
{
	if (atomic_fetch_sub(&h->users, 1) > 1)
		return;
	verdicts_free(h->verdicts);
	free(h->inbox.v);
	free(h->taken.v);
	pthread_cond_destroy(&h->arrived);
	pthread_mutex_destroy(&h->inbox_lock);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

/* ---- parcels ---- */

void handover_give(struct handover *h, const struct parcel *parcel)
{
	struct list *l = &h->inbox;

	pthread_mutex_lock(&h->inbox_lock);
	bool was_empty = l->n == 0;
	l->v = mem_grow(l->v, l->n, &l->cap, sizeof *l->v);
	l->v[l->n++] = (struct given){parcel->id, parcel->event, parcel->prevsequence};
	pthread_mutex_unlock(&h->inbox_lock);
	if (was_empty)
		pthread_cond_signal(&h->arrived);
}

void handover_close(struct handover *h)
{
	pthread_mutex_lock(&h->lock);
	h->closed = true;
	pthread_mutex_unlock(&h->lock);
	pthread_mutex_lock(&h->inbox_lock);
	h->ends = true;
	pthread_mutex_unlock(&h->inbox_lock);
	pthread_cond_signal(&h->arrived);
}

bool handover_is_closed(struct handover *h)
{
	if (!handover_begin(h))
		return true;
	handover_end(h);
	return false;
}

size_t handover_take(struct handover *h, int timeout_ms, const struct given **ret)
{
	struct timespec until = thread_deadline(timeout_ms);
	struct list before = h->taken;
	int late = 0;

	pthread_mutex_lock(&h->inbox_lock);
	while (!h->inbox.n && !h->ends && !late)
		late = pthread_cond_timedwait(&h->arrived, &h->inbox_lock, &until);
	h->taken = h->inbox;
	h->inbox = (struct list){before.v, 0, before.cap};
	bool ends = h->ends;
	pthread_mutex_unlock(&h->inbox_lock);
	*ret = h->taken.v;
	return ends ? 0 : h->taken.n;
}

bool handover_begin(struct handover *h)
{
	pthread_mutex_lock(&h->lock);
	if (!h->closed)
		return true;
	pthread_mutex_unlock(&h->lock);
	return false;
}

void handover_end(struct handover *h)
{
	pthread_mutex_unlock(&h->lock);
}

/* ---- verdicts ---- */

void handover_judge(struct handover *h, const struct judgement *j)
{
	struct verdicts *list = h->verdicts;

	if (!list) {
		list = h->verdicts = xcalloc(1, sizeof *list);
		list->handover = h;
	}
	list->v = mem_grow(list->v, list->n, &list->cap, sizeof *list->v);
	list->v[list->n++] = *j;
}

/* On the loop thread. `done` may give more, and may close the handover. */
static void report(void *arg)
{
	struct verdicts *list = arg;
	struct handover *h = list->handover;

	for (size_t i = 0; i < list->n && !h->closed; i++) {
		const struct judgement *j = &list->v[i];
		struct outcome outcome = {
			.verdict = !j->why	? SENT
				   : j->refused ? REFUSED
						: TRY_AGAIN,
			.why = j->why,
			.wait_ms = -1,
			.took_ms = j->took_us / 1000,
		};
		h->env.done(h->env.arg, j->id, &outcome);
	}
	verdicts_free(list);
	handover_leave(h);
}

void handover_post(struct handover *h)
{
	struct verdicts *list = h->verdicts;

	if (!list)
		return;
	h->verdicts = NULL;
	if (handover_begin(h)) {
		handover_enter(h);
		mailbox_post(h->env.loop, report, list);
		handover_end(h);
	} else {
		verdicts_free(list);
	}
}
