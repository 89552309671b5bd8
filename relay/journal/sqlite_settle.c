/* sqlite_settle — what became of routes as rows, and routes that come late; inside the caller's
 * transaction. Invariant: a late route leads to an event that is there. */
#include "relay/journal/sqlite_store.h"

int sqlite_write_cursor(struct sqlite_store *s, enum statement how, uint32_t destination,
			const struct cursor *c, struct err *err)
{
	uint8_t done[SETTLE_WINDOW / 8];
	size_t len = sqlite_cursor_pack(c, done);
	sqlite3_stmt *st = sqlite_ready(s, how, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, destination);
	sqlite_bind_int(st, 2, c->position);
	sqlite_bind_bytes(st, 3, done, len);
	return sqlite_run(s, st, err);
}

static int write_exception(struct sqlite_store *s, const struct exception *x, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_PUT_EXCEPTION, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, x->destination);
	sqlite_bind_int(st, 2, x->sequence);
	sqlite_bind_int(st, 3, (int64_t)x->order_key);
	sqlite_bind_int(st, 4, x->state);
	sqlite_bind_int(st, 5, x->attempts);
	sqlite_bind_int(st, 6, x->due_ms);
	sqlite_bind_text(st, 7, x->why);
	sqlite_bind_int(st, 8, x->held);
	return sqlite_run(s, st, err);
}

static int drop_exception(struct sqlite_store *s, uint32_t destination, int64_t sequence,
			  struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_DROP_EXCEPTION, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, destination);
	sqlite_bind_int(st, 2, sequence);
	return sqlite_run(s, st, err);
}

static int write_attempt(struct sqlite_store *s, const struct attempt *a, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_ADD_ATTEMPT, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, a->destination);
	sqlite_bind_int(st, 2, a->sequence);
	sqlite_bind_int(st, 3, a->at_ms);
	sqlite_bind_int(st, 4, a->took_ms);
	sqlite_bind_int(st, 5, a->verdict);
	sqlite_bind_text(st, 6, a->why);
	return sqlite_run(s, st, err);
}

int sqlite_write_settle(struct sqlite_store *s, const struct settle *settle, struct err *err)
{
	int dropped = sqlite_is_dropped(s, settle->destination, err);

	if (dropped)
		return dropped > 0 ? 0 : -1;
	if (sqlite_write_cursor(s, SQL_PUT_CURSOR, settle->destination, &settle->cursor, err) != 0)
		return -1;
	for (size_t i = 0; i < settle->ngone; i++) {
		if (drop_exception(s, settle->destination, settle->gone[i], err) != 0)
			return -1;
	}
	for (size_t i = 0; i < settle->nchanged; i++) {
		if (write_exception(s, &settle->changed[i], err) != 0)
			return -1;
	}
	for (size_t i = 0; i < settle->nattempts; i++) {
		if (write_attempt(s, &settle->attempts[i], err) != 0)
			return -1;
	}
	return 0;
}

int sqlite_write_late(struct sqlite_store *s, const struct late_route *late, struct err *err)
{
	int dropped = sqlite_is_dropped(s, late->destination, err);
	sqlite3_stmt *st = dropped ? NULL : sqlite_ready(s, SQL_ADD_LATE, err);

	if (!st)
		return dropped > 0 ? 0 : -1;
	sqlite_bind_int(st, 1, late->destination);
	sqlite_bind_int(st, 2, late->sequence);
	sqlite_bind_int(st, 3, late->rule);
	return sqlite_run(s, st, err);
}
