/*
 * settle — verdicts into the journal: cursors, exception rows and attempts of all destinations in
 * one batch, one batch at a time. Invariant: what a failed commit carried is carried by the next;
 * no verdict is forgotten while the process lives.
 */
#include "relay/delivery/destination.h"

#include <assert.h>
#include <stdlib.h>

#include "relay/base/mem.h"

static bool pending(const struct destination *t)
{
	return !t->forgotten && (t->unsettled > t->committing || t->changed);
}

static void add_changed(struct destination *t, const struct exception *row)
{
	struct settle *s = &t->next;

	s->changed = mem_grow(s->changed, s->nchanged, &t->changed_cap, sizeof *s->changed);
	s->changed[s->nchanged++] = *row;
}

void settle_gone(struct destination *t, int64_t sequence)
{
	struct settle *s = &t->next;

	s->gone = mem_grow(s->gone, s->ngone, &t->gone_cap, sizeof *s->gone);
	s->gone[s->ngone++] = sequence;
}

/* An item's row as it must stand; takes its reason. */
static struct exception row_of(struct destination *t, struct item *x)
{
	const struct instant *now = &t->delivery->now;
	struct exception row = {
		.destination = t->number,
		.sequence = x->sequence,
		.order_key = x->key,
		.state = EXCEPTION_RETRY,
		.attempts = x->attempts,
		.due_ms = now->wall_ms,
		.why = x->why,
	};

	x->why = NULL;
	if (x->state == ITEM_WAITING)
		row.state = EXCEPTION_WAITING;
	else if (x->state == ITEM_PARKED)
		row.state = EXCEPTION_PARKED;
	else if (x->state == ITEM_RETRY && x->due_ms > now->mono_ms) {
		row.due_ms += x->due_ms - now->mono_ms;
		row.held = x->not_before_ms == x->due_ms;
	}
	return row;
}

/* A failed commit wanted its row to go, but it was taken up again since. */
static void keep_row(struct destination *t, int64_t sequence)
{
	for (size_t i = 0; i < t->ngone_back; i++) {
		if (t->next.gone[i] != sequence)
			continue;
		t->next.gone[i] = t->next.gone[--t->ngone_back];
		t->next.gone[t->ngone_back] = t->next.gone[--t->next.ngone];
		return;
	}
}

static void write_item(struct destination *t, struct item *x)
{
	x->dirty = false;
	if (x->state == ITEM_SENT) {
		if (x->stored)
			settle_gone(t, x->sequence);
		item_free(t, x);
		return;
	}
	struct exception row = row_of(t, x);

	keep_row(t, x->sequence);
	add_changed(t, &row);
	x->stored = true;
	if (x->state == ITEM_PARKED)
		item_free(t, x);
}

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* A row that a failed commit wanted to write may have ended since: then it is only deleted. */
static void forget_written(struct settle *s)
{
	size_t kept = 0;

	if (!s->ngone)
		return;
	qsort(s->gone, s->ngone, sizeof *s->gone, by_number);
	for (size_t i = 0; i < s->nchanged; i++) {
		struct exception *row = &s->changed[i];

		if (bsearch(&row->sequence, s->gone, s->ngone, sizeof *s->gone, by_number))
			exception_release(row);
		else
			s->changed[kept++] = *row;
	}
	s->nchanged = kept;
}

static void fill_record(const struct destination *t, struct destination_record *r)
{
	r->number = t->number;
	r->name = xstrdup(t->name);
	r->state = t->state;
	r->why = t->state == DESTINATION_DISABLED ? xstrdup(t->why) : NULL;
	r->down_ms = t->down_ms;
	r->cursor = t->cursor;
}

static void fill(struct destination *t, struct batch *b)
{
	struct settle *s = batch_settle(b);

	for (size_t i = 0; i < t->ndirty; i++)
		write_item(t, t->dirty[i]);
	t->ndirty = t->ngone_back = 0;
	forget_written(&t->next);
	window_advance(t);
	*s = t->next;
	s->destination = t->number;
	s->cursor = t->cursor;
	t->next = (struct settle){0};
	t->changed_cap = t->gone_cap = t->attempts_cap = 0;
	t->committing = t->unsettled;
	t->turning = t->turned;
	t->turned = false;
	if (t->changed)
		fill_record(t, batch_destination(b));
	t->changed = false;
}

/* Puts a failed settle before what came since: rows are replaced in the order of the list. */
static void give_back(struct destination *t, const struct settle *failed)
{
	struct settle since = t->next;

	t->next = (struct settle){0};
	t->changed_cap = t->gone_cap = t->attempts_cap = 0;
	for (size_t i = 0; i < failed->nchanged; i++) {
		struct exception row = failed->changed[i];

		row.why = xstrdup(row.why);
		add_changed(t, &row);
	}
	for (size_t i = 0; i < since.nchanged; i++)
		add_changed(t, &since.changed[i]);
	for (size_t i = 0; i < failed->ngone + since.ngone; i++)
		settle_gone(t, i < failed->ngone ? failed->gone[i] : since.gone[i - failed->ngone]);
	t->ngone_back = failed->ngone;
	for (size_t i = 0; i < failed->nattempts + since.nattempts; i++) {
		bool old = i < failed->nattempts;
		struct attempt a =
			old ? failed->attempts[i] : since.attempts[i - failed->nattempts];
		struct settle *s = &t->next;

		s->attempts =
			mem_grow(s->attempts, s->nattempts, &t->attempts_cap, sizeof *s->attempts);
		s->attempts[s->nattempts] = a;
		if (old)
			s->attempts[s->nattempts].why = xstrdup(a.why);
		s->nattempts++;
	}
	free(since.changed);
	free(since.gone);
	free(since.attempts);
}

static void settle_answered(struct destination *t, const struct settle *s, const struct err *err)
{
	if (err) {
		give_back(t, s);
		t->turned |= t->turning;
		tell_failing(t, NULL, err->msg);
	} else {
		t->unsettled -= t->committing;
	}
	t->committing = 0;
	t->turning = false;
}

static void settled(void *arg, const struct batch *b, const struct err *err)
{
	struct delivery *d = arg;

	if (!delivery_answer_came(d))
		return;
	d->committing = false;
	if (err)
		d->settle_again_ms = d->now.mono_ms + FAILED_WAIT_MS;
	for (size_t i = 0; i < b->nsettles; i++) {
		struct destination *t = destination_find(d, b->settles[i].destination);

		if (t)
			settle_answered(t, &b->settles[i], err);
	}
	for (size_t i = 0; err && i < b->ndestinations; i++) {
		struct destination *t = destination_find(d, b->destinations[i].number);

		if (t)
			t->changed = true;
	}
}

size_t settles_max(const struct destination *t)
{
	size_t asked = t->outlet ? t->outlet->type->unsettled : 0;

	return asked ? asked : SETTLES_MAX;
}

/* When half of what may wait is there, the rest may come while that is committed. */
int64_t settle_wait_ms(const struct delivery *d)
{
	bool any = false, now = false;
	int64_t at_ms = d->settled_ms + SETTLE_EVERY_MS;

	if (d->committing)
		return INT64_MAX;
	for (size_t i = 0; i < d->n; i++) {
		const struct destination *t = d->v[i];

		any |= pending(t);
		now |= pending(t) && (!t->flying || t->unsettled >= settles_max(t) / 2);
	}
	if (!any)
		return INT64_MAX;
	if (now)
		at_ms = d->now.mono_ms;
	if (at_ms < d->settle_again_ms)
		at_ms = d->settle_again_ms;
	return at_ms > d->now.mono_ms ? at_ms - d->now.mono_ms : 0;
}

void settle_start(struct delivery *d)
{
	struct batch *b;

	if (settle_wait_ms(d) > 0)
		return;
	b = batch_new();
	for (size_t i = 0; i < d->n; i++)
		if (pending(d->v[i]))
			fill(d->v[i], b);
	d->committing = true;
	d->settled_ms = d->now.mono_ms;
	d->answers_owed++;
	journal_commit(d->env.journal, b, settled, d);
}

void settle_next_release(struct destination *t)
{
	struct settle *s = &t->next;

	for (size_t i = 0; i < s->nchanged; i++)
		free(s->changed[i].why);
	for (size_t i = 0; i < s->nattempts; i++)
		free(s->attempts[i].why);
	free(s->changed);
	free(s->gone);
	free(s->attempts);
	*s = (struct settle){0};
}
