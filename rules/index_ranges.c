/* index_ranges — the segment tree. Invariant: the nodes above a number's place are those whose
 * ranges hold it. */
#include "rules/index_ranges.h"

#include <math.h>
#include <stdlib.h>

#include "relay/base/mem.h"

static void add_bound(struct ranges *r, double bound)
{
	if (isinf(bound))
		return;
	r->bounds = mem_grow(r->bounds, r->n, &r->cap, sizeof *r->bounds);
	r->bounds[r->n++] = bound;
}

void ranges_add_bounds(struct ranges *r, const struct test *t)
{
	add_bound(r, t->range.low);
	add_bound(r, t->range.high);
}

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

void ranges_seal(struct ranges *r)
{
	size_t kept = 0;

	if (r->n)
		qsort(r->bounds, r->n, sizeof *r->bounds, by_number);
	for (size_t i = 0; i < r->n; i++)
		if (!kept || r->bounds[kept - 1] != r->bounds[i])
			r->bounds[kept++] = r->bounds[i];
	r->n = kept;
	r->lists = xcalloc(2 * ranges_width(r), sizeof *r->lists);
}

void ranges_place_lists(struct ranges *r, const struct span *lists)
{
	size_t n = 2 * ranges_width(r);

	r->nodes = xcalloc(n, sizeof *r->nodes);
	for (size_t i = 1; i < n; i++) {
		const struct range_node *above = &r->nodes[i / 2];

		r->nodes[i].postings = lists[r->lists[i]];
		r->nodes[i].above = above->postings.n ? (uint32_t)(i / 2) : above->above;
	}
	free(r->lists);
	r->lists = NULL;
}

void ranges_release(struct ranges *r)
{
	free(r->bounds);
	free(r->lists);
	free(r->nodes);
	*r = (struct ranges){0};
}

void ranges_nodes(struct ranges *r, const struct test *t, range_node_fn *fn, void *arg)
{
	size_t width = ranges_width(r), first = 0, end = width;

	if (!isinf(t->range.low))
		first = ranges_place(r, t->range.low) + !t->range.low_in;
	if (!isinf(t->range.high))
		end = ranges_place(r, t->range.high) + t->range.high_in;
	for (first += width, end += width; first < end; first /= 2, end /= 2) {
		if (first & 1)
			fn(arg, &r->lists[first++]);
		if (end & 1)
			fn(arg, &r->lists[--end]);
	}
}
