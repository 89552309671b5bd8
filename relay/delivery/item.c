/* item — lanes by key and dues by time. Invariant: a lane is never empty; its places are found by
 * probing from the key's own place without a gap. */
#include "relay/delivery/item.h"

#include <assert.h>
#include <stdlib.h>

#include "relay/base/mem.h"

#define LANES_MIN 64

/* Keys are hashes already, but of one byte sequence each; a multiplication spreads what is not. */
static size_t home(const struct lanes *l, uint64_t key)
{
	return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (l->cap - 1);
}

/* The key's lane, or the free place where it would stand. */
static struct lane *probe(const struct lanes *l, uint64_t key)
{
	size_t i = home(l, key);

	while (l->v[i].head && l->v[i].key != key)
		i = (i + 1) & (l->cap - 1);
	return &l->v[i];
}

static void resize(struct lanes *l, size_t cap)
{
	struct lanes bigger = {.v = xcalloc(cap, sizeof *bigger.v), .n = l->n, .cap = cap};

	for (size_t i = 0; i < l->cap; i++)
		if (l->v[i].head)
			*probe(&bigger, l->v[i].key) = l->v[i];
	free(l->v);
	*l = bigger;
}

void lanes_release(struct lanes *l)
{
	free(l->v);
	*l = (struct lanes){0};
}

void lanes_append(struct lanes *l, struct item *x)
{
	struct lane *lane;

	if (2 * (l->n + 1) > l->cap)
		resize(l, l->cap ? 2 * l->cap : LANES_MIN);
	lane = probe(l, x->key);
	x->next = NULL;
	x->in_lane = true;
	if (lane->head) {
		lane->tail->next = x;
	} else {
		lane->key = x->key;
		lane->head = x;
		l->n++;
	}
	lane->tail = x;
}

struct item *lanes_head(const struct lanes *l, uint64_t key)
{
	return l->cap ? probe(l, key)->head : NULL;
}

struct item *lanes_tail(const struct lanes *l, uint64_t key)
{
	const struct lane *lane = l->cap ? probe(l, key) : NULL;

	return lane && lane->head ? lane->tail : NULL;
}

/* Closes the gap at `free_at`: whoever behind it cannot be found across the gap moves into it. */
static void close_gap(struct lanes *l, size_t free_at)
{
	size_t mask = l->cap - 1;

	l->v[free_at].head = NULL;
	for (size_t i = (free_at + 1) & mask; l->v[i].head; i = (i + 1) & mask) {
		size_t from_home = (i - home(l, l->v[i].key)) & mask;

		if (from_home >= ((i - free_at) & mask)) {
			l->v[free_at] = l->v[i];
			l->v[i].head = NULL;
			free_at = i;
		}
	}
}

struct item *lanes_remove(struct lanes *l, struct item *x)
{
	struct lane *lane = probe(l, x->key);
	struct item *before = lane->head;

	assert(before && x->in_lane);
	x->in_lane = false;
	if (before == x) {
		lane->head = x->next;
		if (x->next)
			return x->next;
		l->n--;
		close_gap(l, (size_t)(lane - l->v));
		if (l->cap > LANES_MIN && 8 * l->n < l->cap)
			resize(l, l->cap / 2);
		return NULL;
	}
	while (before->next != x)
		before = before->next;
	before->next = x->next;
	if (lane->tail == x)
		lane->tail = before;
	return NULL;
}

static bool sooner(const struct item *a, const struct item *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->sequence < b->sequence;
}

static void set(struct dues *d, size_t place, struct item *x)
{
	d->v[place] = x;
	x->due_place = place;
}

static void rise(struct dues *d, size_t place, struct item *x)
{
	while (place && sooner(x, d->v[(place - 1) / 2])) {
		set(d, place, d->v[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	set(d, place, x);
}

static void sink(struct dues *d, size_t place, struct item *x)
{
	for (size_t child = 2 * place + 1; child < d->n; child = 2 * place + 1) {
		if (child + 1 < d->n && sooner(d->v[child + 1], d->v[child]))
			child++;
		if (!sooner(d->v[child], x))
			break;
		set(d, place, d->v[child]);
		place = child;
	}
	set(d, place, x);
}

void dues_release(struct dues *d)
{
	free(d->v);
	*d = (struct dues){0};
}

void dues_put(struct dues *d, struct item *x)
{
	d->v = mem_grow(d->v, d->n, &d->cap, sizeof *d->v);
	d->n++;
	rise(d, d->n - 1, x);
}

struct item *dues_first(const struct dues *d)
{
	return d->n ? d->v[0] : NULL;
}

void dues_remove(struct dues *d, struct item *x)
{
	size_t place = x->due_place;
	struct item *last;

	assert(place < d->n && d->v[place] == x);
	last = d->v[--d->n];
	if (last == x)
		return;
	if (place && sooner(last, d->v[(place - 1) / 2]))
		rise(d, place, last);
	else
		sink(d, place, last);
}
