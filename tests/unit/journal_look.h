/*
 * journal_look — what the journal of a delivery rig holds of its destination at this moment, as
 * another reader sees it; and picks from it, as a job makes them.
 */
#ifndef RELAY_JOURNAL_LOOK_H
#define RELAY_JOURNAL_LOOK_H

#include "tests/unit/delivery_rig.h"

#define LOOK_MAX 131072 /* sequences */

struct look {
	struct cursor cursor;
	enum destination_state state;
	char why[256];
	int64_t down_ms;
	size_t nrows, nparked;
	struct {
		bool is;
		enum exception_state state;
		unsigned attempts;
		uint64_t key;
	} row[LOOK_MAX + 1]; /* by sequence */
};

struct look *look_at(struct rig *w); /* for the caller to free */
bool look_parked(const struct look *l, int64_t sequence);
bool look_done(const struct look *l, int64_t sequence); /* settled without a row */

/* All parked ones, or all that arrived and are done, between two sequences, ascending. ret has room
 * for all; returns how many. */
size_t look_pick_parked(const struct look *l, int64_t first, int64_t last, struct again *ret);
size_t look_pick_done(const struct look *l, const struct rig *w, int64_t first, int64_t last,
		      struct again *ret);

#endif
