/*
 * delivery — all destinations together: ticking, stopping, telling how they are.
 * Invariant: the journal holds pointers to us as long as it owes answers; until then memory stays,
 * even when everything else is closed.
 */
#include "relay/delivery/delivery.h"

#include <limits.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/delivery/destination.h"

#define TRANSPORT_TICK_MS 1000
#define DUE_MAX_MS	  ((int64_t)(1.2 * 7 * 86400000)) /* the longest delay a schedule allows */

void notice(struct destination *t, enum delivery_what what, const char *event, const char *why)
{
	const struct delivery_env *env = &t->delivery->env;
	const struct delivery_notice n = {
		.what = what,
		.number = t->number,
		.destination = t->name,
		.event = event,
		.why = why,
		.since_ms = t->down_ms,
	};

	if (env->notice)
		env->notice(env->arg, &n);
}

bool destination_active(const struct destination *t)
{
	return t->attached && t->state == DESTINATION_ENABLED && t->options->enabled &&
	       !t->delivery->stopping;
}

struct delivery *delivery_open(const struct delivery_env *env)
{
	struct delivery *d = xcalloc(1, sizeof *d);

	d->env = *env;
	d->latest = journal_latest(env->journal);
	return d;
}

static void release(struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++)
		destination_free(d->v[i]);
	free(d->v);
	free(d);
}

bool delivery_answer_came(struct delivery *d)
{
	d->answers_owed--;
	if (!d->closed)
		return true;
	if (!d->answers_owed)
		release(d);
	return false;
}

void delivery_close(struct delivery *d)
{
	if (!d)
		return;
	delivery_drop(d);
	for (size_t i = 0; i < d->n; i++)
		outlets_close(d->v[i]);
	d->closed = true;
	if (!d->answers_owed)
		release(d);
}

struct destination *destination_find(const struct delivery *d, uint32_t number)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i]->number == number && !d->v[i]->forgotten)
			return d->v[i];
	return NULL;
}

void delivery_committed(struct delivery *d, int64_t latest)
{
	if (d->latest < latest)
		d->latest = latest;
}

/* Wall time into monotonic: from here on no jump of the wall clock moves a due. */
static void convert_dues(struct destination *t)
{
	const struct instant *now = &t->delivery->now;
	struct dues wall = t->dues;

	t->dues_are_wall = false;
	t->dues = (struct dues){0};
	for (size_t i = 0; i < wall.n; i++) {
		int64_t wait_ms = wall.v[i]->due_ms - now->wall_ms;

		if (wait_ms < 0)
			wait_ms = 0;
		if (wait_ms > DUE_MAX_MS)
			wait_ms = DUE_MAX_MS;
		wall.v[i]->due_ms = now->mono_ms + wait_ms;
		if (wall.v[i]->not_before_ms)
			wall.v[i]->not_before_ms = wall.v[i]->due_ms;
		dues_put(&t->dues, wall.v[i]);
	}
	dues_release(&wall);
}

/* Starts anew before going back to wait: a slot that became free is used at once. */
static void destination_tick(struct destination *t)
{
	bool moved;

	if (t->dues_are_wall) {
		convert_dues(t);
		outage_resume(t);
	}
	outlets_tick(t);
	do {
		moved = flights_answer(t);
		moved |= flights_start(t);
	} while (moved);
	load_due(t);
	read_more(t);
}

static void sooner(int64_t *least, int64_t wait_ms)
{
	if (wait_ms > 0 && wait_ms < *least)
		*least = wait_ms;
}

static bool owes(const struct destination *t)
{
	return t->nitems || buffer_first(t) || t->fetched < t->delivery->latest;
}

/* What is due already but not done waits for an answer, and that wakes the loop. */
static int64_t wait_of(const struct destination *t)
{
	int64_t least = INT64_MAX, now_ms = t->delivery->now.mono_ms;
	const struct item *due = dues_first(&t->dues);

	if (t->outlet && (t->outlet->older || t->outlet->type->tick))
		sooner(&least, TRANSPORT_TICK_MS);
	if (!destination_active(t))
		return least;
	if (t->ready || buffer_first(t))
		sooner(&least, flights_wait_ms(t));
	if (t->breaker.open) {
		if (owes(t) && !t->probing)
			sooner(&least, t->breaker.probe_ms - now_ms);
	} else if (due) {
		sooner(&least, due->due_ms - now_ms);
	}
	if (t->window_wake_ms)
		sooner(&least, t->window_wake_ms - now_ms);
	sooner(&least, t->read_again_ms - now_ms);
	return least;
}

int delivery_tick(struct delivery *d, struct instant now)
{
	int64_t least = INT64_MAX;

	d->now = now;
	discard_forgotten(d);
	for (size_t i = 0; i < d->n; i++)
		destination_tick(d->v[i]);
	settle_start(d);
	for (size_t i = 0; i < d->n; i++)
		sooner(&least, wait_of(d->v[i]));
	sooner(&least, settle_wait_ms(d));
	return least < INT_MAX ? (int)least : INT_MAX;
}

void delivery_stop(struct delivery *d)
{
	d->stopping = true;
}

static bool idle(const struct destination *t)
{
	return t->forgotten || (!t->flying && !t->unsettled && !t->changed);
}

bool delivery_idle(const struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (!idle(d->v[i]))
			return false;
	return !d->committing;
}

static bool drained(const struct destination *t)
{
	if (!t->attached || t->state != DESTINATION_ENABLED || !t->options->enabled)
		return true;
	return !owes(t) && !t->unsettled;
}

bool delivery_drained(const struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (!drained(d->v[i]))
			return false;
	return true;
}

/* The cursor itself moves with what is sent only, as each move costs a write. */
static int64_t reached(const struct destination *t)
{
	bool empty = t->window_first >= t->window_end && !buffer_first(t);

	return empty && t->fetched > t->cursor.position ? t->fetched : t->cursor.position;
}

static void tell_status(const struct destination *t, struct delivery_status *ret)
{
	*ret = (struct delivery_status){
		.number = t->number,
		.name = t->name,
		.why = t->why,
		.transport = t->outlet ? t->outlet->type->name : "",
		.state = t->state,
		.enabled = t->options && t->options->enabled,
		.down_ms = t->down_ms,
		.position = t->cursor.position,
		.reached = reached(t),
		.in_flight = t->flying,
		.in_flight_max = flights_max(t),
		.parked = t->nparked,
		.sent = t->sent,
		.tried_again = t->tried_again,
		.refused = t->refused,
		.dropped = t->dropped,
		.took_p50_ms = pace_took_share(&t->pace, 0.5),
		.took_p99_ms = pace_took_share(&t->pace, 0.99),
	};
	for (size_t i = 0; i < t->nitems; i++)
		if (t->items[i]->excepted && t->items[i]->state == ITEM_WAITING)
			ret->waiting++;
	ret->retrying = t->nexcepted - ret->waiting;
}

bool delivery_figures(const struct delivery *d, uint32_t number, struct transport_figures *ret)
{
	const struct destination *t = destination_find(d, number);

	if (!t || !t->outlet || !t->outlet->type->figures)
		return false;
	*ret = (struct transport_figures){0};
	t->outlet->type->figures(t->outlet->self, ret);
	return true;
}

size_t delivery_status(const struct delivery *d, struct delivery_status *ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n && n < max; i++)
		if (!d->v[i]->forgotten)
			tell_status(d->v[i], &ret[n++]);
	return n;
}
