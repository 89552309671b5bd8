/*
 * times — which _at the API gives for a flag. A share of them is null, earlier than what came
 * before, or in the future; which, follows from row, flag and seed, so every reply and the ledger
 * agree.
 */
#ifndef INVENT_SIM_TIMES_H
#define INVENT_SIM_TIMES_H

#include "examples/invent-sim/model.h"

struct broadcast;

/* The _at of a flag that rose at `at`; DATE_NONE: null. */
int64_t time_shown(const struct model *m, const struct broadcast *b, uint32_t row,
		   enum sim_what what, int64_t at);

#endif
