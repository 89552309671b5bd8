/* sqlite_owed — what a destination has not had, counted without looking at each route: the cursor
 * says where it begins, and of what is behind only what is settled out of order or excepted counts
 * for itself. */
#include "relay/journal/sqlite_store.h"

struct owed_read {
	const struct owed_query *q;
	struct cursor cursor;
	int64_t from; /* routes behind it are not settled, but for the cursor's bitmap */
	struct owed found;
	int64_t first[2 * OWED_SHOWN]; /* candidates to be shown, ascending */
	size_t nfirst;
};

static void bind_range(sqlite3_stmt *st, const struct owed_read *read, int64_t after, int64_t until)
{
	sqlite_bind_int(st, 1, read->q->destination);
	sqlite_bind_int(st, 2, after);
	sqlite_bind_int(st, 3, until);
}

/* Insertion keeps them ascending. */
static void note(struct owed_read *read, int64_t sequence)
{
	size_t at = read->nfirst++;

	for (; at > 0 && read->first[at - 1] > sequence; at--)
		read->first[at] = read->first[at - 1];
	read->first[at] = sequence;
}

static int count_routes(struct sqlite_store *s, struct owed_read *read, struct err *err)
{
	int64_t end = read->cursor.position + SETTLE_WINDOW, until = read->q->until;
	sqlite3_stmt *st = sqlite_ready(s, SQL_ROUTES_COUNT, err);
	int got;

	if (!st)
		return -1;
	bind_range(st, read, read->from, until);
	if (sqlite_number(s, st, &read->found.n, err) != 0)
		return -1;
	st = sqlite_ready(s, SQL_ROUTES_BETWEEN, err);
	if (!st)
		return -1;
	bind_range(st, read, read->from, until < end ? until : end);
	while ((got = sqlite_row(s, st, err)) > 0)
		read->found.n -=
			sqlite_is_settled(&read->cursor, sqlite3_column_int64(st, 0)) ? 1 : 0;
	return got;
}

/* A parked one is not owed wherever the cursor stands; any other is. */
static int count_exceptions(struct sqlite_store *s, struct owed_read *read, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_EXCEPTIONS_BETWEEN, err);
	size_t shown = 0;
	int got;

	if (!st)
		return -1;
	bind_range(st, read, read->q->after, read->q->until);
	while ((got = sqlite_row(s, st, err)) > 0) {
		int64_t sequence = sqlite3_column_int64(st, 1);
		bool settled = sqlite_is_settled(&read->cursor, sequence);
		bool parked = sqlite3_column_int(st, 3) == EXCEPTION_PARKED;

		if (settled == !parked)
			read->found.n += settled ? 1 : -1;
		if (!parked && shown++ < OWED_SHOWN)
			note(read, sequence);
	}
	return got;
}

static int note_routes(struct sqlite_store *s, struct owed_read *read, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_ROUTES_BETWEEN, err);
	size_t shown = 0;
	int got = 0;

	if (!st)
		return -1;
	bind_range(st, read, read->from, read->q->until);
	while (shown < OWED_SHOWN && (got = sqlite_row(s, st, err)) > 0) {
		int64_t sequence = sqlite3_column_int64(st, 0);

		if (sqlite_is_settled(&read->cursor, sequence))
			continue;
		got = sqlite_has(s, SQL_EXCEPTION, read->q->destination, sequence, err);
		if (got < 0)
			break;
		if (got > 0)
			continue;
		note(read, sequence);
		shown++;
	}
	sqlite3_reset(st);
	return got < 0 ? -1 : 0;
}

static int show(struct sqlite_store *s, struct owed_read *read, struct err *err)
{
	struct owed *found = &read->found;

	for (size_t i = 0; i < read->nfirst && found->nids < OWED_SHOWN; i++) {
		sqlite3_stmt *st = sqlite_ready(s, SQL_EVENT, err);

		if (!st)
			return -1;
		sqlite_bind_int(st, 1, read->first[i]);
		int got = sqlite_row(s, st, err);
		if (got > 0)
			sqlite_get_event_id(st, 1, found->ids[found->nids++]);
		sqlite3_reset(st);
		if (got < 0)
			return -1;
	}
	return 0;
}

static int count_all(struct sqlite_store *s, struct owed_read *read, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_CURSORS, err);
	uint32_t number;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, read->q->destination);
	sqlite_bind_int(st, 2, read->q->destination);
	int got = sqlite_row(s, st, err);
	if (got > 0 && sqlite_get_cursor(s, st, &number, &read->cursor, err) != 0)
		got = -1;
	sqlite3_reset(st);
	if (got <= 0)
		return got; /* a destination that nobody knows is owed nothing */
	read->from =
		read->cursor.position > read->q->after ? read->cursor.position : read->q->after;
	if (count_routes(s, read, err) != 0 || count_exceptions(s, read, err) != 0 ||
	    note_routes(s, read, err) != 0)
		return -1;
	return show(s, read, err);
}

int sqlite_owed(struct store *store, const struct owed_query *q, struct owed *ret, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct owed_read read = {.q = q};
	int failed = sqlite_begin_read(s, err);

	if (!failed)
		failed = count_all(s, &read, err);
	sqlite_end_read(s);
	if (!failed)
		*ret = read.found;
	return failed;
}
