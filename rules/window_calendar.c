/* Buckets in an array sorted by moment. Invariants: no bucket is empty, no moment has two;
 * new moments come mostly at the end, so that inserting one moves little. */
#include "rules/window_calendar.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define PAST_MOST 64 /* taken buckets at the front, before the others move up */

void calendar_release(struct calendar *c)
{
	for (size_t i = c->past; i < c->n; i++)
		free(c->v[i].v);
	free(c->v);
	*c = (struct calendar){0};
}

/* The first bucket at `at` or later. */
static size_t place_of(const struct calendar *c, int64_t at)
{
	size_t low = c->past, high = c->n;

	if (low < high && c->v[high - 1].at < at)
		return high;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (c->v[mid].at < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct calendar_bucket *bucket_of(struct calendar *c, int64_t at)
{
	size_t place = place_of(c, at), cap = c->cap;

	if (place < c->n && c->v[place].at == at)
		return &c->v[place];
	c->v = mem_grow(c->v, c->n, &c->cap, sizeof *c->v);
	c->bytes += (c->cap - cap) * sizeof *c->v;
	memmove(&c->v[place + 1], &c->v[place], (c->n - place) * sizeof *c->v);
	c->n++;
	c->v[place] = (struct calendar_bucket){.at = at};
	return &c->v[place];
}

void calendar_add(struct calendar *c, int64_t at, uint32_t item)
{
	struct calendar_bucket *b = bucket_of(c, at);
	size_t cap = b->cap;

	b->v = mem_grow(b->v, b->n, &b->cap, sizeof *b->v);
	c->bytes += (b->cap - cap) * sizeof *b->v;
	b->v[b->n++] = item;
}

int64_t calendar_next(const struct calendar *c)
{
	return c->past < c->n ? c->v[c->past].at : INT64_MAX;
}

struct calendar_bucket calendar_take(struct calendar *c)
{
	struct calendar_bucket taken = c->v[c->past++];

	c->bytes -= taken.cap * sizeof *taken.v;
	if (c->past == c->n) {
		free(c->v);
		*c = (struct calendar){0};
	} else if (c->past >= PAST_MOST && c->past >= c->n / 2) {
		memmove(c->v, &c->v[c->past], (c->n - c->past) * sizeof *c->v);
		c->n -= c->past;
		c->past = 0;
	}
	return taken;
}
