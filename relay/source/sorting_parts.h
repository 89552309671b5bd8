/* What the parts of sorting share. */
#ifndef RELAY_SORTING_PARTS_H
#define RELAY_SORTING_PARTS_H

#include "relay/source/sorting.h"

/* It turns out that the list is sorted by created_at. */
void sorting_begin_dates(struct sorting *o, struct held *held);
/* prev: the row before it on the page; NO_ROW. */
void sorting_place_by_date(struct sorting *o, struct held *held, uint32_t new, uint32_t prev);
/* Row now, which the page has behind prev, stands before it. Of one date they are put right.
 * Returns whether they are. */
bool sorting_mend_tie(struct sorting *o, struct held *held, uint32_t prev, uint32_t now);

#endif
