/* What the parts of sorting share: runs (sorting.c) and places by date (sorting_dates.c). */
#ifndef RELAY_SORTING_PARTS_H
#define RELAY_SORTING_PARTS_H

#include "relay/source/sorting.h"

#define RUNS_MAX 65536

size_t sorting_run_of(const struct sorting *o, uint32_t number);
/* Puts a run at a place of the list. */
void sorting_insert(struct sorting *o, size_t at, struct run run);
/* Rows first … first + n - 1 are new, and stand behind a row. */
void sorting_insert_behind(struct sorting *o, uint32_t row, uint32_t first, uint32_t n);
/* Rows whose place is not known, or that are in too many places: at the end, in one run as far as
 * their numbers go on. The list is loose from then on. */
void sorting_append(struct sorting *o, struct run new);
/* What was written down of all rows below count becomes the list. */
void sorting_take_over(struct sorting *o, uint32_t count);

/* It turns out that the list is sorted by created_at. */
void sorting_begin_dates(struct sorting *o, struct held *held);
/* prev: the row before it on the page; NO_ROW. */
void sorting_place_by_date(struct sorting *o, struct held *held, uint32_t new, uint32_t prev);

#endif
