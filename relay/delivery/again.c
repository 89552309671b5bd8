/*
 * again — what was settled or parked is taken up again, or a parked one is forgotten for good.
 * Invariant: a route is in memory once. What the caller knows of it may have changed since; what it
 * picked while the stamp was the present one has not, but for what is in memory.
 */
#include "relay/delivery/destination.h"

#include <assert.h>
#include <stdlib.h>

#include "relay/base/mem.h"

/* Normal traffic keeps the other half. */
#define TAKEN_MAX (EXCEPTIONS_MAX / 2)

uint64_t delivery_stamp(const struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (!d->v[i]->forgotten && (d->v[i]->turned || d->v[i]->turning))
			return 0;
	return d->turns + 1;
}

static void turn(struct destination *t)
{
	t->delivery->turns++;
	t->turned = true;
	t->unsettled++; /* so that it is committed */
}

static void mark(const int64_t *sequences, size_t n, int64_t sequence, bool *found)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sequences[middle] < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < n && sequences[low] == sequence)
		found[low] = true;
}

/* Which of the sequences, ascending, are in memory; for the caller to free. */
static bool *find_held(const struct destination *t, const int64_t *sequences, size_t n)
{
	bool *held = xcalloc(n + 1, sizeof *held);

	for (size_t i = 1; i < n; i++)
		assert(sequences[i - 1] < sequences[i]);
	for (size_t i = 0; i < t->nitems; i++)
		mark(sequences, n, t->items[i]->sequence, held);
	for (size_t i = t->buffer.taken; i < t->buffer.n; i++)
		mark(sequences, n, t->buffer.v[i].event.sequence, held);
	return held;
}

/* Of a route that is not in memory: has the cursor, or reading, gone past it? One that was added
 * late may lie where reads have been, but the window has not: there it is read once more. */
static bool was_passed(struct destination *t, int64_t sequence)
{
	int64_t read_until =
		t->reading && t->reading_until > t->fetched ? t->reading_until : t->fetched;

	if (cursor_has(&t->cursor, sequence))
		return true;
	if (sequence <= t->entered) {
		cursor_add(&t->cursor, sequence);
		return true;
	}
	if (sequence <= read_until)
		read_anew(t);
	return false;
}

/* Whom it stands behind; NULL: nobody. They have rows as it has, and as all will have that come
 * behind it: after a restart, those with rows are the first of their key. */
static struct item *find_before(struct destination *t, uint64_t key)
{
	struct item *before;

	if (t->order != ORDER_RECIPIENT)
		return NULL;
	before = lanes_tail(&t->lanes, key);
	if (before && !before->excepted)
		item_except(t, lanes_head(&t->lanes, key));
	return before;
}

static void take_up(struct destination *t, const struct again *v)
{
	struct item *before = find_before(t, v->order_key);
	struct item *x = item_add(t, v->sequence, v->order_key);

	x->excepted = true;
	x->stored = v->parked;
	t->nexcepted++;
	if (v->parked && t->nparked)
		t->nparked--;
	if (t->order == ORDER_RECIPIENT)
		lanes_append(&t->lanes, x);
	if (before)
		x->state = ITEM_WAITING;
	else
		item_retry_at(t, x, t->delivery->now.mono_ms);
	item_mark_dirty(t, x);
}

size_t delivery_again(struct delivery *d, uint32_t number, const struct again *v, size_t n,
		      size_t *ret_taken)
{
	struct destination *t = destination_find(d, number);
	int64_t *sequences = xmalloc((n + 1) * sizeof *sequences);
	bool *held = NULL;
	size_t i, taken = 0;

	for (i = 0; i < n; i++)
		sequences[i] = v[i].sequence;
	if (t)
		held = find_held(t, sequences, n);
	for (i = 0; t && i < n && t->nexcepted < TAKEN_MAX; i++) {
		if (held[i] || (v[i].owed && cursor_has(&t->cursor, v[i].sequence)) ||
		    !was_passed(t, v[i].sequence))
			continue;
		take_up(t, &v[i]);
		taken++;
	}
	if (taken)
		turn(t);
	free(held);
	free(sequences);
	*ret_taken = taken;
	return t ? i : n;
}

void delivery_forget_parked(struct delivery *d, uint32_t number, const int64_t *sequences, size_t n)
{
	struct destination *t = destination_find(d, number);
	bool *held;
	size_t gone = 0;

	if (!t)
		return;
	held = find_held(t, sequences, n);
	for (size_t i = 0; i < n; i++) {
		if (held[i])
			continue;
		settle_gone(t, sequences[i]);
		gone++;
	}
	free(held);
	t->nparked -= gone < t->nparked ? gone : t->nparked;
	if (gone)
		turn(t);
}
