/*
 * delivery — all destinations together: opening, ticking, stopping, telling how they are.
 * Invariant: the journal holds pointers to us as long as it owes answers; until then memory stays,
 * even when everything else is closed.
 */
#include "relay/delivery/delivery.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/delivery/destination.h"

#define TRANSPORT_TICK_MS 1000
#define DUE_MAX_MS	  ((int64_t)(1.2 * 7 * 86400000)) /* the longest delay a schedule allows */

void notice(struct destination *t, enum delivery_notice what, const char *event, const char *why)
{
	const struct delivery_env *env = &t->delivery->env;

	if (env->notice)
		env->notice(env->arg, what, t->name, event, why);
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

static void destination_free(struct destination *t)
{
	while (t->nitems)
		item_free(t, t->items[t->nitems - 1]);
	buffer_release(t);
	flights_release(t);
	settle_next_release(t);
	lanes_release(&t->lanes);
	dues_release(&t->dues);
	free(t->items);
	free(t->dirty);
	free(t->name);
	free(t->why);
	free(t);
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

static struct destination *find(const struct delivery *d, uint32_t number)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i]->number == number)
			return d->v[i];
	return NULL;
}

/* An exception as the journal keeps it; its due is told in wall time until the first tick. */
static void take_exception(struct destination *t, const struct exception *row)
{
	struct item *x;

	if (row->state == EXCEPTION_PARKED) {
		t->nparked++;
		return;
	}
	x = item_add(t, row->sequence, row->order_key);
	x->attempts = row->attempts;
	x->excepted = x->stored = true;
	x->state = ITEM_WAITING;
	t->nexcepted++;
	if (row->state == EXCEPTION_RETRY)
		item_retry_at(t, x, row->due_ms);
}

static struct destination *destination_new(struct delivery *d,
					   const struct delivery_destination *dest)
{
	struct destination *t = xcalloc(1, sizeof *t);

	t->delivery = d;
	t->number = dest->record->number;
	t->name = xstrdup(dest->record->name);
	t->state = dest->record->state;
	t->why = xstrdup(dest->record->why);
	t->cursor = dest->record->cursor;
	t->fetched = t->cursor.position;
	t->options = dest->options;
	t->dues_are_wall = true;
	for (size_t i = 0; i < dest->nexceptions; i++)
		take_exception(t, &dest->exceptions[i]);
	lanes_rebuild(t);
	return t;
}

static void forget(struct delivery *d, struct destination *t)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i] == t)
			d->v[i] = d->v[--d->n];
	destination_free(t);
}

int delivery_prepare(struct delivery *d, const struct delivery_destination *dest, struct err *err)
{
	struct destination *t = find(d, dest->record->number);

	if (!t) {
		t = destination_new(d, dest);
		t->fresh = true;
		d->v = mem_grow(d->v, d->n, &d->cap, sizeof(struct destination *));
		d->v[d->n++] = t;
	}
	/* Who listens keeps its sockets: its addresses do not change without a restart. */
	if (!dest->type->listens || !t->outlet || t->outlet->type != dest->type) {
		t->next_outlet = outlet_open(t, dest, err);
		if (!t->next_outlet) {
			if (t->fresh)
				forget(d, t);
			return -1;
		}
	}
	t->prepared = true;
	t->next_options = dest->options;
	t->next_state = dest->record->state;
	t->enable = dest->enable;
	return 0;
}

static void take_one(struct destination *t)
{
	if (t->next_outlet)
		outlet_use(t, t->next_outlet);
	if (!t->attached) {
		t->state = t->next_state;
		if (t->state == DESTINATION_DISABLED) /* a start does not enable it: it is said */
			notice(t, DELIVERY_DISABLED, NULL, t->why);
	} else if (t->enable && t->state == DESTINATION_DISABLED) {
		t->state = DESTINATION_ENABLED;
		t->changed = true;
		free(t->why);
		t->why = NULL;
	}
	t->attached = true;
	t->options = t->next_options;
	if (t->order != t->options->order)
		lanes_rebuild(t);
	t->next_outlet = NULL;
	t->prepared = t->fresh = false;
}

void delivery_take(struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i]->prepared)
			take_one(d->v[i]);
}

void delivery_drop(struct delivery *d)
{
	for (size_t i = d->n; i-- > 0;) {
		struct destination *t = d->v[i];

		if (t->next_outlet)
			outlet_close(t->next_outlet);
		t->next_outlet = NULL;
		t->prepared = false;
		if (t->fresh)
			forget(d, t);
	}
}

void delivery_remove(struct delivery *d, uint32_t number)
{
	struct destination *t = find(d, number);

	if (!t || !t->attached)
		return;
	flights_answer(t);
	outlets_close(t);
	t->attached = false;
	t->state = DESTINATION_DETACHED;
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
		dues_put(&t->dues, wall.v[i]);
	}
	dues_release(&wall);
}

/* Starts anew before going back to wait: a slot that became free is used at once. */
static void destination_tick(struct destination *t)
{
	bool moved;

	if (t->dues_are_wall)
		convert_dues(t);
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

/* What is due already but not done waits for an answer, and that wakes the loop. */
static int64_t wait_of(const struct destination *t)
{
	int64_t least = INT64_MAX, now_ms = t->delivery->now.mono_ms;
	const struct item *due = dues_first(&t->dues);

	if (t->outlet && (t->outlet->older || t->outlet->type->tick))
		sooner(&least, TRANSPORT_TICK_MS);
	if (!destination_active(t))
		return least;
	if (due)
		sooner(&least, due->due_ms - now_ms);
	if (t->ready || buffer_first(t))
		sooner(&least, rate_wait_ms(t));
	if (t->window_wake_ms)
		sooner(&least, t->window_wake_ms - now_ms);
	sooner(&least, t->read_again_ms - now_ms);
	return least;
}

int delivery_tick(struct delivery *d, struct instant now)
{
	int64_t least = INT64_MAX;

	d->now = now;
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

bool delivery_idle(const struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i]->flying || d->v[i]->unsettled || d->v[i]->changed)
			return false;
	return !d->committing;
}

static bool drained(const struct destination *t)
{
	if (!t->attached || t->state != DESTINATION_ENABLED || !t->options->enabled)
		return true;
	return t->fetched >= t->delivery->latest && !buffer_first(t) && !t->nitems && !t->unsettled;
}

bool delivery_drained(const struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (!drained(d->v[i]))
			return false;
	return true;
}

size_t delivery_status(const struct delivery *d, struct delivery_status *ret, size_t max)
{
	size_t n = d->n < max ? d->n : max;

	for (size_t i = 0; i < n; i++) {
		const struct destination *t = d->v[i];

		ret[i] = (struct delivery_status){
			.name = t->name,
			.why = t->why,
			.transport = t->outlet ? t->outlet->type->name : "",
			.state = t->state,
			.position = t->cursor.position,
			.in_flight = t->flying,
			.parked = t->nparked,
			.sent = t->sent,
			.tried_again = t->tried_again,
			.refused = t->refused,
		};
		for (size_t k = 0; k < t->nitems; k++)
			if (t->items[k]->excepted && t->items[k]->state == ITEM_WAITING)
				ret[i].waiting++;
		ret[i].retrying = t->nexcepted - ret[i].waiting;
	}
	return n;
}
