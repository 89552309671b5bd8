/*
 * roll — the rows of one broadcast in list order, with a bit per row for everything a filter can
 * ask, so that any page of any filter costs one pass over n/64 words: some ten microseconds for a
 * million rows.
 *
 * A row stands in a slot; slots are numbered in list order or against it. In a fixed order a row
 * keeps its slot for ever; in a moving one (updated_at) it leaves its slot for a new last one at
 * each change, and the slots left empty are squeezed out when they are as many as the rows.
 */
#ifndef INVENT_SIM_ROLL_H
#define INVENT_SIM_ROLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROLL_PLANES 26
#define NO_SLOT	    UINT32_MAX

struct roll {
	uint32_t rows, slots, cap; /* slots: those used so far */
	unsigned planes;
	bool moving, newest_first;
	uint32_t *slot_of; /* by row; NO_SLOT: not listed yet (moving only) */
	uint32_t *row_at;  /* by slot; stale where the row has moved on */
	uint64_t *plane[ROLL_PLANES];
};

/* sort: NULL for a moving roll or one in row order, else each row's key; ties by row. */
void roll_init(struct roll *r, uint32_t rows, unsigned planes, const uint64_t *sort);
void roll_release(struct roll *r); /* {0} is allowed */

void roll_set(struct roll *r, uint32_t row, unsigned plane, bool on);
bool roll_get(const struct roll *r, uint32_t row, unsigned plane);
void roll_touch(struct roll *r, uint32_t row); /* the row has changed: to the end, when moving */
void roll_swap(struct roll *r, uint32_t a, uint32_t b); /* both listed: they change places */
/* Is row a listed before row b? */
bool roll_before(const struct roll *r, uint32_t a, uint32_t b);

/* Which rows: all planes of `with` set, none of `without`. */
struct roll_query {
	uint32_t with, without; /* bit n: plane n */
	uint64_t offset;
	uint32_t take;
};
/* Fills rows[take] in list order and *ret_n; returns how many match in all. */
uint64_t roll_select(const struct roll *r, const struct roll_query *q, uint32_t *rows,
		     uint32_t *ret_n);

#endif
