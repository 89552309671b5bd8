/*
 * skip — gives up what a destination is owed up to a sequence. Invariant: afterwards the cursor has
 * passed that sequence; what is out at this moment has a row, which its answer ends.
 */
#include "relay/delivery/destination.h"

#include <stdlib.h>

#include "relay/base/mem.h"

int64_t delivery_read_until(const struct delivery *d, uint32_t number)
{
	const struct destination *t = destination_find(d, number);

	return t ? t->fetched : 0;
}

static bool may_end(const struct item *x, int64_t until)
{
	return x->sequence <= until && x->state < ITEM_PARKED && x->state != ITEM_FLYING;
}

static void keep_ready(struct destination *t)
{
	struct item *x = t->ready, *next;

	t->ready = NULL;
	t->nready = 0;
	for (; x; x = next) {
		next = x->follows;
		if (x->state == ITEM_READY)
			item_make_ready(t, x);
	}
}

static void keep_loads(struct destination *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->nloads; i++)
		if (t->loads[i]->state == ITEM_LOADING)
			t->loads[kept++] = t->loads[i];
	t->nloads = kept;
}

static int by_sequence(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* Ends all at once, so that none releases another that ends, too; the oldest first, as they stand
 * in their lanes. */
static size_t end_items(struct destination *t, int64_t until)
{
	struct item **ends = xmalloc((t->nitems + 1) * sizeof(struct item *));
	size_t n = 0;

	for (size_t i = 0; i < t->nitems; i++) {
		struct item *x = t->items[i];

		if (!may_end(x, until))
			continue;
		if (x->state == ITEM_RETRY)
			dues_remove(&t->dues, x);
		x->state = ITEM_SENT;
		ends[n++] = x;
	}
	keep_ready(t);
	keep_loads(t);
	qsort(ends, n, sizeof(struct item *), by_sequence);
	for (size_t i = 0; i < n; i++)
		item_end(t, ends[i], ITEM_SENT);
	free(ends);
	return n;
}

static size_t drop_buffered(struct destination *t, int64_t until)
{
	const struct delivery_route *r;
	size_t n = 0;

	while ((r = buffer_first(t)) && r->event.sequence <= until) {
		n += !cursor_has(&t->cursor, r->event.sequence);
		buffer_drop(t);
	}
	return n;
}

/* Those that are out cost a row each, so that they do not hold the cursor. */
static void except_calls(struct destination *t, int64_t until)
{
	for (uint64_t i = t->window_first; i < t->window_end; i++) {
		struct item *x = t->window[i % SETTLE_WINDOW];

		if (x && x->sequence <= until)
			item_except(t, x);
	}
}

size_t delivery_skip(struct delivery *d, uint32_t number, int64_t until)
{
	struct destination *t = destination_find(d, number);
	int64_t latest = journal_latest(d->env.journal), position;
	size_t n;

	if (!t)
		return 0;
	if (until > latest)
		until = latest;
	position = t->cursor.position;
	n = end_items(t, until) + drop_buffered(t, until);
	except_calls(t, until);
	if (t->fetched < until)
		t->fetched = until;
	window_advance(t);
	t->dropped += n;
	if (t->cursor.position > position)
		t->unsettled++; /* so that it is committed */
	return n;
}
