/* sqlite_dropped — destinations that nobody wants any more. Their rows go in steps; their record
 * stays without its name, so that no other destination gets the number. Invariant: whose cursor is
 * gone has no rows left, and gets none. */
#include "relay/journal/sqlite_store.h"

/* Rows that one step takes: some milliseconds. */
#define CLEAR_STEP 2000

int sqlite_find_dropped(struct sqlite_store *s, struct err *err)
{
	int64_t n = 0;

	if (sqlite_end(s, SQL_ANY_DROPPED, &n, err) != 0)
		return -1;
	s->dropped = s->clearing = n > 0;
	return 0;
}

int sqlite_is_dropped(struct sqlite_store *s, uint32_t destination, struct err *err)
{
	int64_t dropped = 0;
	sqlite3_stmt *st;

	if (!s->dropped)
		return 0;
	st = sqlite_ready(s, SQL_IS_DROPPED, err);
	if (!st)
		return -1;
	sqlite_bind_int(st, 1, destination);
	return sqlite_number(s, st, &dropped, err) != 0 ? -1 : dropped != 0;
}

static int clear_rows(struct sqlite_store *s, enum statement which, int64_t destination,
		      int64_t *left, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, which, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, destination);
	sqlite_bind_int(st, 2, *left);
	if (sqlite_run(s, st, err) != 0)
		return -1;
	*left -= sqlite3_changes(s->db);
	return 0;
}

static int clear_record(struct sqlite_store *s, int64_t destination, struct err *err)
{
	static const enum statement last[] = {SQL_CLEAR_CURSOR, SQL_CLEAR_NAME};

	for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
		sqlite3_stmt *st = sqlite_ready(s, last[i], err);

		if (!st)
			return -1;
		sqlite_bind_int(st, 1, destination);
		if (sqlite_run(s, st, err) != 0)
			return -1;
	}
	return 0;
}

static int clear_step(struct sqlite_store *s, int64_t destination, struct err *err)
{
	static const enum statement tables[] = {SQL_CLEAR_EXCEPTIONS, SQL_CLEAR_ATTEMPTS,
						SQL_CLEAR_ROUTES, SQL_CLEAR_HEADS};
	int64_t left = CLEAR_STEP;

	for (size_t i = 0; i < sizeof tables / sizeof *tables && left > 0; i++) {
		if (clear_rows(s, tables[i], destination, &left, err) != 0)
			return -1;
	}
	if (left > 0 && clear_record(s, destination, err) != 0)
		return -1;
	return sqlite_run_plain(s, SQL_COMMIT, err);
}

int sqlite_clear_dropped(struct sqlite_store *s, struct err *err)
{
	int64_t destination = 0;

	if (!s->clearing)
		return 0;
	if (sqlite_end(s, SQL_TO_CLEAR, &destination, err) != 0)
		return -1;
	s->clearing = destination != 0;
	if (!s->clearing)
		return 0;
	if (sqlite_run_plain(s, SQL_BEGIN, err) != 0)
		return -1;
	if (clear_step(s, destination, err) != 0) {
		sqlite_end_read(s);
		return -1;
	}
	return 1;
}
