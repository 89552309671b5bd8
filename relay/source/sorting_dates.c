/*
 * Places by created_at. Invariant: while a list counts as sorted by it, the runs are in the order
 * of their rows' dates, so that the place of a new row is found by bisection.
 */
#include "relay/source/sorting_parts.h"

#include <stdlib.h>

#include "relay/base/mem.h"

#define RESORT_MAX 20000 /* rows: some 2 ms */

/* Where row a stands as against b, by their dates: below 0 before it, 0 the dates do not tell. */
static int compare_dates(const struct sorting *o, struct held *held, uint32_t a, uint32_t b)
{
	uint32_t x = held_at(held, a)->created, y = held_at(held, b)->created;
	int order = (x > y) - (x < y);

	return x == 0 || y == 0 ? 0 : sorting_newest_first(o) ? -order : order;
}

/* The row after one in the list; NO_ROW: it is the last. */
static uint32_t row_after(const struct sorting *o, uint32_t row)
{
	size_t at = sorting_run_of(o, row);

	if (row + 1 < o->runs[at].first + o->runs[at].n)
		return row + 1;
	return at + 1 < o->nruns ? o->runs[at + 1].first : NO_ROW;
}

/* The last row whose date stands before that of a new one; NO_ROW: there is none. */
static uint32_t last_before(const struct sorting *o, struct held *held, uint32_t new)
{
	size_t low = 0, high = o->nruns;

	while (low < high) { /* runs that begin before it */
		size_t mid = low + (high - low) / 2;
		if (compare_dates(o, held, o->runs[mid].first, new) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return NO_ROW;
	const struct run *r = &o->runs[low - 1];
	uint32_t first = r->first, n = r->n;
	while (n > 1) {
		uint32_t half = n / 2;
		if (compare_dates(o, held, first + half, new) < 0) {
			first += half;
			n -= half;
		} else {
			n = half;
		}
	}
	return first;
}

void sorting_place_by_date(struct sorting *o, struct held *held, uint32_t new, uint32_t prev)
{
	uint32_t after = prev == NO_ROW ? NO_ROW : row_after(o, prev);
	bool fits = prev != NO_ROW && compare_dates(o, held, prev, new) <= 0 &&
		    (after == NO_ROW || compare_dates(o, held, new, after) <= 0);
	uint32_t behind = fits ? prev : last_before(o, held, new);

	if (o->nruns >= RUNS_MAX)
		sorting_append(o, (struct run){new, 1});
	else if (behind == NO_ROW)
		sorting_insert(o, 0, (struct run){new, 1});
	else
		sorting_insert_behind(o, behind, new, 1);
	o->placed = new + 1;
}

struct dated {
	uint32_t row, created, place;
};

static int by_date(const void *a, const void *b)
{
	const struct dated *x = a, *y = b;
	int order = (x->created > y->created) - (x->created < y->created);

	return order ? order : (x->place > y->place) - (x->place < y->place);
}

/* All rows by their dates, those of one date as they stood. For as many as one page may wait for.
 */
static void resort(struct sorting *o, struct held *held)
{
	struct dated *v = xmalloc((o->placed + 1) * sizeof *v);
	uint32_t n = 0;
	bool newest_first = sorting_newest_first(o);

	for (size_t i = 0; i < o->nruns; i++)
		for (uint32_t k = 0; k < o->runs[i].n; k++, n++) {
			uint32_t row = o->runs[i].first + k, created = held_at(held, row)->created;
			v[n] = (struct dated){row, newest_first ? ~created : created, n};
		}
	qsort(v, n, sizeof *v, by_date);
	struct run *swept = o->next;
	size_t nswept = o->nnext, swept_cap = o->next_cap;
	o->next = NULL;
	o->nnext = o->next_cap = 0;
	for (uint32_t i = 0; i < n; i++)
		sorting_sweep_page(o, &v[i].row, 1);
	bool settled = o->settled;
	sorting_take_over(o, o->placed);
	o->settled = settled;
	o->next = swept;
	o->nnext = nswept;
	o->next_cap = swept_cap;
	free(v);
}

/* It turns out that the list is sorted by created_at. */
void sorting_begin_dates(struct sorting *o, struct held *held)
{
	o->dated = true;
	if (o->settled || !o->placed)
		return;
	if (o->placed <= RESORT_MAX)
		resort(o, held);
	else
		o->loose = true;
}
