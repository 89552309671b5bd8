/*
 * Places by created_at. Invariant: while a list counts as sorted by it, rows stand in the order of
 * their dates, so that the place of a new one is found by bisection.
 */
#include "relay/source/sorting_parts.h"

#include <stdlib.h>

#include "relay/base/mem.h"

/* Where row a stands as against b, by their dates: below 0 before it, 0 the dates do not tell. */
static int compare_dates(const struct sorting *o, struct held *held, uint32_t a, uint32_t b)
{
	uint32_t x = held_at(held, a)->created, y = held_at(held, b)->created;
	int order = (x > y) - (x < y);

	return x == 0 || y == 0 ? 0 : sorting_newest_first(o) ? -order : order;
}

struct new_row {
	const struct sorting *order;
	struct held *held;
	uint32_t row;
};

static bool stands_before(void *arg, uint32_t row)
{
	struct new_row *new = arg;

	return compare_dates(new->order, new->held, row, new->row) < 0;
}

void sorting_place_by_date(struct sorting *o, struct held *held, uint32_t new, uint32_t prev)
{
	uint32_t after = prev == NO_ROW ? NO_ROW : places_next(&o->places, prev);
	bool fits = prev != NO_ROW && compare_dates(o, held, prev, new) <= 0 &&
		    (after == NO_ROW || compare_dates(o, held, new, after) <= 0);

	if (!fits)
		prev = places_bisect(&o->places, stands_before, &(struct new_row){o, held, new});
	places_insert(&o->places, new, prev);
}

bool sorting_mend_tie(struct sorting *o, struct held *held, uint32_t prev, uint32_t now)
{
	uint32_t date = held_at(held, now)->created;

	if (date == 0 || held_at(held, prev)->created != date)
		return false;
	places_move(&o->places, now, prev);
	return true;
}

struct dated {
	uint32_t row, created;
};

#define DIGIT_BITS 11
#define DIGITS	   (1u << DIGIT_BITS)

/* One pass of a radix sort; those of one digit keep their order. */
static void sort_by_digit(const struct dated *from, struct dated *to, uint32_t n, unsigned shift)
{
	uint32_t at[DIGITS + 1] = {0};

	for (uint32_t i = 0; i < n; i++)
		at[(from[i].created >> shift) % DIGITS + 1]++;
	for (unsigned i = 0; i < DIGITS; i++)
		at[i + 1] += at[i];
	for (uint32_t i = 0; i < n; i++)
		to[at[(from[i].created >> shift) % DIGITS]++] = from[i];
}

/* All rows by their dates, those of one date as they stood. A million take some 40 ms. */
static void resort(struct sorting *o, struct held *held)
{
	uint32_t n = o->places.rows, row = places_first(&o->places);
	struct dated *v = xmalloc(2 * n * sizeof *v), *other = v + n;
	bool newest_first = sorting_newest_first(o);

	for (uint32_t i = 0; i < n; i++, row = places_next(&o->places, row)) {
		uint32_t created = held_at(held, row)->created;
		v[i] = (struct dated){row, newest_first ? ~created : created};
	}
	sort_by_digit(v, other, n, 0);
	sort_by_digit(other, v, n, DIGIT_BITS);
	sort_by_digit(v, other, n, 2 * DIGIT_BITS);
	places_release(&o->places);
	for (uint32_t i = 0; i < n; i++)
		places_append(&o->places, other[i].row);
	free(v);
}

void sorting_begin_dates(struct sorting *o, struct held *held)
{
	o->dated = true;
	if (o->places.rows)
		resort(o, held);
}
