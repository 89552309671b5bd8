/* sqlite_since — from which event on was everything recorded since a time? Marks say it to ten
 * minutes; between two of them the events' own texts are bisected. Invariant: what is older than
 * the mark before that time is not read. */
#include "relay/journal/sqlite_store.h"

/* Events of one moment are committed within this, not always in the order of their recording. */
#define DISORDER_MS 1000

/* The first event at `from` or behind it: its sequence and when it was recorded. */
static int next_event(struct sqlite_store *s, int64_t from, int64_t *ret_sequence,
		      int64_t *ret_recorded, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_NEXT_BODY, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, from);
	int got = sqlite_row(s, st, err);
	*ret_sequence = INT64_MAX;
	if (got > 0) {
		const char *body = sqlite3_column_blob(st, 1);

		*ret_sequence = sqlite3_column_int64(st, 0);
		*ret_recorded = body ? event_recorded_ms(body, (size_t)sqlite3_column_bytes(st, 1))
				     : DATE_NONE;
		if (*ret_recorded == DATE_NONE)
			got = sqlite_damaged(s, "event", *ret_sequence, err);
	}
	sqlite3_reset(st);
	return got < 0 ? -1 : 0;
}

/* What the marks say: all up to *low is older, all behind *high is not. */
static int read_marks(struct sqlite_store *s, int64_t ms, int64_t *low, int64_t *high,
		      struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_MARK_BEFORE, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, ms);
	if (sqlite_number(s, st, low, err) != 0 || sqlite_end(s, SQL_LATEST, high, err) != 0)
		return -1;
	st = sqlite_ready(s, SQL_MARK_BEHIND, err);
	if (!st)
		return -1;
	sqlite_bind_int(st, 1, ms);
	return sqlite_number(s, st, high, err);
}

/* The sequence up to which an order without disorder has what is older. */
static int bisect(struct sqlite_store *s, int64_t ms, int64_t *ret, struct err *err)
{
	int64_t low = 0, high = 0, sequence, recorded = 0;

	if (read_marks(s, ms, &low, &high, err) != 0)
		return -1;
	while (low < high) { /* retention leaves holes: the event looked at may lie behind */
		int64_t middle = low + (high - low + 1) / 2;

		if (next_event(s, middle, &sequence, &recorded, err) != 0)
			return -1;
		if (sequence > high || recorded >= ms)
			high = middle - 1;
		else
			low = sequence;
	}
	*ret = low;
	return 0;
}

int sqlite_recorded_before(struct sqlite_store *s, int64_t ms, int64_t *ret, struct err *err)
{
	return bisect(s, ms - DISORDER_MS, ret, err);
}

int sqlite_recorded_until(struct sqlite_store *s, int64_t ms, int64_t *ret, struct err *err)
{
	return bisect(s, ms + DISORDER_MS, ret, err);
}
