/* queue — a heap with four children a node: half the levels, and siblings share a cache line.
 * Invariant: no entry is before its parent; equal times come out by broadcast, row and change, so
 * that the order of insertion never shows. */
#include "examples/invent-sim/queue.h"

#include <stdbool.h>
#include <stdlib.h>

#include "relay/base/mem.h"

static bool before(const struct due *a, const struct due *b)
{
	if (a->at != b->at)
		return a->at < b->at;
	if (a->broadcast != b->broadcast)
		return a->broadcast < b->broadcast;
	return a->row != b->row ? a->row < b->row : a->what < b->what;
}

void queue_push(struct queue *q, struct due d)
{
	q->v = mem_grow(q->v, q->n, &q->cap, sizeof *q->v);

	size_t at = q->n++;
	while (at > 0 && before(&d, &q->v[(at - 1) / 4])) {
		q->v[at] = q->v[(at - 1) / 4];
		at = (at - 1) / 4;
	}
	q->v[at] = d;
}

const struct due *queue_first(const struct queue *q)
{
	return q->n ? &q->v[0] : NULL;
}

static size_t least_child(const struct queue *q, size_t at)
{
	size_t first = at * 4 + 1, least = first;

	for (size_t i = first + 1; i < first + 4 && i < q->n; i++)
		if (before(&q->v[i], &q->v[least]))
			least = i;
	return least;
}

void queue_replace(struct queue *q, struct due d)
{
	size_t at = 0;

	while (at * 4 + 1 < q->n) {
		size_t child = least_child(q, at);
		if (!before(&q->v[child], &d))
			break;
		q->v[at] = q->v[child];
		at = child;
	}
	q->v[at] = d;
}

void queue_pop(struct queue *q)
{
	struct due last = q->v[--q->n];

	if (q->n)
		queue_replace(q, last);
}

void queue_release(struct queue *q)
{
	free(q->v);
	*q = (struct queue){0};
}
