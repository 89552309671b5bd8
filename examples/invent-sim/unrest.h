/*
 * unrest — what befalls rows besides their campaign, at a rate: rows are removed, flags fall (and
 * half of them rise again), rows swap their places in the list. The first two are facts as all
 * others are: written to the history and told by the ledger.
 */
#ifndef INVENT_SIM_UNREST_H
#define INVENT_SIM_UNREST_H

#include <stdbool.h>

#include "examples/invent-sim/queue.h"

struct model;
struct broadcast;

/* Queues the first of each kind for a broadcast that has just been started. */
void unrest_start(struct model *m, struct broadcast *b);
/* Is it unrest that is due, and not a row's campaign? */
bool unrest_due(const struct due *d);
/* Does it; it is off the queue. model_now is its time. */
void unrest_step(struct model *m, struct broadcast *b, const struct due *d);

#endif
