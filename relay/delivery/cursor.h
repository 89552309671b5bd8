/*
 * cursor — which of a destination's routes are settled: all up to a position, and those of the
 * 1,024 sequences above it whose bit is set. Sequences of other destinations count as settled by
 * being passed over.
 */
#ifndef RELAY_CURSOR_H
#define RELAY_CURSOR_H

#include "relay/journal/batch.h"

bool cursor_has(const struct cursor *c, int64_t sequence);
/* sequence lies at most SETTLE_WINDOW above the position. */
void cursor_add(struct cursor *c, int64_t sequence);
/* Everything up to `position` is settled. Never goes back. */
void cursor_move(struct cursor *c, int64_t position);

#endif
