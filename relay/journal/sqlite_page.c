/* sqlite_page — a broadcast's rows a page at a time, in the order of their numbers: that is how
 * they lie in the file, so that a page is one range of it, wherever it begins and whoever else
 * reads. Nothing is kept between two calls. */
#include "relay/journal/sqlite_store.h"

#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"

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

/* Takes the row in, if there is room: one more than asked for tells that there are more. */
static void take_row(const struct page_query *q, const struct recipient_record *r, struct page *ret)
{
	struct recipient_records *rows = &ret->rows;

	ret->more = rows->n == q->limit;
	if (ret->more)
		return;
	rows->v = mem_grow(rows->v, rows->n, &rows->cap, sizeof *rows->v);
	recipient_record_copy(&rows->v[rows->n++], r);
}

/* The row that `after` names is read too, to see that it is there. */
static int read_rows(struct sqlite_store *s, const struct page_query *q, struct page *ret,
		     struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_ROWS_AFTER, err);
	struct recipient_record r;
	int got;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, ret->broadcast.number);
	sqlite_bind_int(st, 2, q->after ? q->after->number : 0);
	sqlite_bind_int(st, 3, (int64_t)q->limit + (q->after ? 2 : 1));
	ret->astray = q->after != NULL;
	while ((got = sqlite_row(s, st, err)) > 0) {
		got = sqlite_get_recipient(s, st, &r, err);
		if (got < 0)
			break;
		if (!ret->astray) {
			take_row(q, &r, ret);
			continue;
		}
		const struct page_place first = page_place_of(&r);
		ret->astray = first.number != q->after->number || first.id != q->after->id;
		if (ret->astray)
			break;
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
	return read_rows(s, q, ret, err);
}

int sqlite_page(struct store *store, const struct page_query *q, struct page *ret, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct page page = {0};
	int failed = sqlite_begin_read(s, err) != 0 || read_page(s, q, &page, err) != 0;

	sqlite_end_read(s);
	if (failed)
		page_release(&page);
	else
		*ret = page;
	return failed ? -1 : 0;
}
