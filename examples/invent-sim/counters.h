/*
 * counters — what the broadcast list says of a broadcast's counts: the truth, an old truth, or
 * none of it. Filters and pagination-count are exact in every mood.
 */
#ifndef INVENT_SIM_COUNTERS_H
#define INVENT_SIM_COUNTERS_H

#include "examples/invent-sim/model.h"

struct broadcast;

/* The counts as they were before some past moments: some 5 kB a broadcast, whatever its size. */
struct old_counts;

struct old_counts *counters_new(const struct sim_counters *mood); /* NULL: none are needed */
/* Something is about to be counted at that time. */
void counters_before(const struct model *m, struct broadcast *b, int64_t at);
/* What is shown now, by what; false: nothing. */
bool counters_shown(const struct model *m, const struct broadcast *b, uint64_t ret[SIM_WHATS]);

#endif
