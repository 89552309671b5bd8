/*
 * index_ranges — numeric ranges on one field: which of them hold a number. A segment tree over the
 * bounds, so that a range costs a few places however many others it overlaps. For index*.c only.
 */
#ifndef RELAY_INDEX_RANGES_H
#define RELAY_INDEX_RANGES_H

#include <stdint.h>

#include "rules/index_table.h"
#include "rules/pattern_form.h"

struct range_node {
	struct span postings;
	uint32_t above; /* the next node above it that has postings; 0: none */
};

struct ranges {
	double *bounds; /* owned; ascending, each once */
	size_t n, cap;
	uint32_t *lists;	  /* owned; of each node of the tree, while the index is built */
	struct range_node *nodes; /* owned; the same, afterwards */
};

/* First all bounds, then ranges_seal, then the nodes, then ranges_place_lists. */
void ranges_add_bounds(struct ranges *r, const struct test *t);
void ranges_seal(struct ranges *r);
void ranges_release(struct ranges *r);

/* The lists are where they will stay. */
void ranges_place_lists(struct ranges *r, const struct span *lists);

/* Calls fn for each node under which the range is to be found. */
typedef void range_node_fn(void *arg, uint32_t *list);
void ranges_nodes(struct ranges *r, const struct test *t, range_node_fn *fn, void *arg);

/* The points and what lies between, below and above them. */
static inline size_t ranges_width(const struct ranges *r)
{
	return 2 * r->n + 1;
}

/* Where a number lies among them. */
static inline size_t ranges_place(const struct ranges *r, double number)
{
	const double *at = r->bounds;
	size_t n = r->n, low;

	if (!n)
		return 0;
	for (; n > 1; n -= n / 2) /* without a branch that nobody can foresee */
		at += (at[n / 2 - 1] < number) * (n / 2);
	low = (size_t)(at - r->bounds) + (*at < number);
	return 2 * low + (low < r->n && r->bounds[low] == number);
}

#endif
