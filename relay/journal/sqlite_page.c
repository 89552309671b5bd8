/* sqlite_page — a broadcast's rows in the order of their ids. The file has them by number: an index
 * on ids would be written to at a random place for each new row, for the few who ever ask. So a
 * connection that is asked puts the ids in order itself, in temporary tables that lie in its memory
 * (40 bytes for an id of 24), a step with each call; later calls add what is new. Invariant:
 * the rows below `until` of a broadcast in `sorted`, and no others, are in `ordered`; a row's id
 * never changes. What was put in order in a call that then fails is undone with it. */
#include "relay/journal/sqlite_store.h"

#include <stdlib.h>

#include "relay/base/mem.h"

#define SORT_STEP   16384     /* rows put in order by one call: 10 to 40 ms */
#define ORDERED_MAX (1 << 20) /* rows kept in order, unless one broadcast has more */

/* Without auto_vacuum what is deleted would stay taken. */
static const char tables[] =
	"PRAGMA temp.auto_vacuum=FULL;"
	"CREATE TEMP TABLE IF NOT EXISTS ordered (broadcast INT, id TEXT, number INT,"
	" PRIMARY KEY (broadcast, id, number)) WITHOUT ROWID;"
	"CREATE TEMP TABLE IF NOT EXISTS sorted (broadcast INTEGER PRIMARY KEY, until INT NOT "
	"NULL)";

static int make_tables(struct sqlite_store *s, struct err *err)
{
	if (s->sorts)
		return 0;
	if (sqlite3_exec(s->db, tables, NULL, NULL, NULL) != SQLITE_OK)
		return sqlite_fail(s, "temporary tables", err);
	s->sorts = true;
	return 0;
}

static int find_broadcast(struct sqlite_store *s, const struct page_query *q, struct page *ret,
			  struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_BROADCASTS_OF_ID, err);

	if (!st)
		return -1;
	sqlite_bind_text(st, 1, q->broadcast);
	sqlite_bind_text(st, 2, q->org);
	int got = sqlite_row(s, st, err);
	if (got > 0) {
		sqlite_get_broadcast(st, &ret->broadcast);
		got = sqlite_row(s, st, err);
		ret->ambiguous = got > 0;
	}
	sqlite3_reset(st);
	return got < 0 ? -1 : 0;
}

static int forget(struct sqlite_store *s, struct err *err)
{
	if (sqlite_run_plain(s, SQL_FORGET_ORDER, err) != 0)
		return -1;
	return sqlite_run_plain(s, SQL_FORGET_SORTED, err);
}

/* When a broadcast is to have `end` rows in order, of which it has *until: what is kept of others
 * goes where that is too much, and its own with it. */
static int make_room(struct sqlite_store *s, int64_t end, int64_t *until, struct err *err)
{
	int64_t kept = 0;

	if (sqlite_end(s, SQL_SORTED_ALL, &kept, err) != 0)
		return -1;
	if (kept == *until || kept - *until + end <= ORDERED_MAX)
		return 0;
	*until = 0;
	return forget(s, err);
}

static int sorted_until(struct sqlite_store *s, uint32_t broadcast, int64_t *ret, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_SORTED, err);

	*ret = 0;
	if (!st)
		return -1;
	sqlite_bind_int(st, 1, broadcast);
	return sqlite_number(s, st, ret, err);
}

static int sort(struct sqlite_store *s, uint32_t broadcast, int64_t from, int64_t to,
		struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_SORT, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, broadcast);
	sqlite_bind_int(st, 2, from);
	sqlite_bind_int(st, 3, to);
	if (sqlite_run(s, st, err) != 0)
		return -1;
	st = sqlite_ready(s, SQL_PUT_SORTED, err);
	if (!st)
		return -1;
	sqlite_bind_int(st, 1, broadcast);
	sqlite_bind_int(st, 2, to);
	return sqlite_run(s, st, err);
}

/* A step, if one is wanted; *ret_sorting: another one is. */
static int sort_step(struct sqlite_store *s, uint32_t broadcast, bool *ret_sorting, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_RECIPIENTS_END, err);
	int64_t end = 0, until;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, broadcast);
	if (sqlite_number(s, st, &end, err) != 0 || sorted_until(s, broadcast, &until, err) != 0)
		return -1;
	*ret_sorting = false;
	if (until >= end)
		return 0;
	if (make_room(s, end, &until, err) != 0)
		return -1;
	int64_t to = end - until > SORT_STEP ? until + SORT_STEP : end;
	*ret_sorting = to < end;
	return sort(s, broadcast, until, to, err);
}

/* One more than asked for tells that there are more. */
static int read_rows(struct sqlite_store *s, const struct page_query *q, struct page *ret,
		     struct err *err)
{
	struct recipient_records *rows = &ret->rows;
	sqlite3_stmt *st = sqlite_ready(s, SQL_ROWS_BY_ID, err);
	struct recipient_record r;
	int got;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, ret->broadcast.number);
	sqlite_bind_text(st, 2, q->after);
	sqlite_bind_int(st, 3, (int64_t)q->limit + 1);
	while ((got = sqlite_row(s, st, err)) > 0) {
		ret->more = rows->n == q->limit;
		if (ret->more)
			break;
		got = sqlite_get_recipient(s, st, &r, err);
		if (got < 0)
			break;
		rows->v = mem_grow(rows->v, rows->n, &rows->cap, sizeof *rows->v);
		recipient_record_copy(&rows->v[rows->n++], &r);
	}
	sqlite3_reset(st);
	return got < 0 ? -1 : 0;
}

static int read_page(struct sqlite_store *s, const struct page_query *q, struct page *ret,
		     struct err *err)
{
	if (sqlite_end(s, SQL_LATEST, &ret->sequence, err) != 0 ||
	    sqlite_read_names(s, "s", &ret->states, err) != 0 ||
	    sqlite_read_names(s, "t", &ret->statuses, err) != 0 ||
	    find_broadcast(s, q, ret, err) != 0)
		return -1;
	if (!ret->broadcast.id || ret->ambiguous)
		return 0;
	if (sort_step(s, ret->broadcast.number, &ret->sorting, err) != 0)
		return -1;
	ret->more = ret->sorting;
	return ret->sorting ? 0 : read_rows(s, q, ret, err);
}

void sqlite_page_rest(struct sqlite_store *s)
{
	struct err ignored = {0}; /* then it is kept */

	if (!s->sorts || sqlite_begin_read(s, &ignored) != 0)
		return;
	if (forget(s, &ignored) == 0)
		sqlite_run_plain(s, SQL_COMMIT, &ignored);
	sqlite_end_read(s);
}

int sqlite_page(struct store *store, const struct page_query *q, struct page *ret, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct page page = {0};
	int failed = make_tables(s, err) != 0 || sqlite_begin_read(s, err) != 0;

	if (!failed)
		failed = read_page(s, q, &page, err) != 0 ||
			 sqlite_run_plain(s, SQL_COMMIT, err) != 0;
	sqlite_end_read(s);
	if (failed)
		page_release(&page);
	else
		*ret = page;
	return failed ? -1 : 0;
}
