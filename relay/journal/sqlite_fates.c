/* sqlite_fates — where events were routed, and what became of one at each destination. */
#include "relay/journal/sqlite_store.h"

#include <stdlib.h>

#include "relay/base/mem.h"

static int read_attempts(struct sqlite_store *s, uint32_t destination, int64_t sequence,
			 struct event_fate *fate, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_ATTEMPTS, err);
	size_t cap = 0;
	int got;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, destination);
	sqlite_bind_int(st, 2, sequence);
	while ((got = sqlite_row(s, st, err)) > 0) {
		fate->attempts =
			mem_grow(fate->attempts, fate->nattempts, &cap, sizeof *fate->attempts);
		fate->attempts[fate->nattempts++] = (struct attempt){
			.destination = destination,
			.sequence = sequence,
			.at_ms = sqlite3_column_int64(st, 0),
			.took_ms = sqlite3_column_int64(st, 1),
			.verdict = sqlite3_column_int(st, 2),
			.why = sqlite_get_text(st, 3),
		};
	}
	return got;
}

static int read_exception(struct sqlite_store *s, uint32_t destination, int64_t sequence,
			  struct event_fate *fate, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_EXCEPTION, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, destination);
	sqlite_bind_int(st, 2, sequence);
	int got = sqlite_row(s, st, err);
	fate->excepted = got > 0;
	if (got > 0)
		sqlite_get_exception(st, &fate->exception);
	sqlite3_reset(st);
	return got < 0 ? -1 : 0;
}

static int get_fate(struct sqlite_store *s, sqlite3_stmt *st, int64_t sequence,
		    struct event_fate *ret, struct err *err)
{
	uint32_t destination = (uint32_t)sqlite3_column_int64(st, 0);
	struct cursor c = {.position = sqlite3_column_int64(st, 4)};

	if (sqlite_cursor_unpack(sqlite3_column_blob(st, 5), (size_t)sqlite3_column_bytes(st, 5),
				 &c) != 0)
		return sqlite_damaged(s, "cursor", destination, err);
	ret->destination = sqlite_get_text(st, 1);
	ret->rule = sqlite_get_text(st, 2);
	if (!ret->rule)
		ret->rule = xstrdup("");
	ret->topic = sqlite_get_text(st, 3);
	ret->settled = sqlite_is_settled(&c, sequence);
	if (read_exception(s, destination, sequence, ret, err) != 0)
		return -1;
	return read_attempts(s, destination, sequence, ret, err);
}

static int collect_fates(struct sqlite_store *s, int64_t sequence, struct event_fates *ret,
			 struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_FATES, err);
	size_t cap = 0;
	int got;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, sequence);
	while ((got = sqlite_row(s, st, err)) > 0) {
		ret->v = mem_grow(ret->v, ret->n, &cap, sizeof *ret->v);
		ret->v[ret->n] = (struct event_fate){0};
		got = get_fate(s, st, sequence, &ret->v[ret->n++], err);
		if (got < 0)
			break;
	}
	sqlite3_reset(st);
	return got;
}

int sqlite_fates(struct store *store, int64_t sequence, struct event_fates *ret, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct event_fates found = {0};
	int failed = sqlite_begin_read(s, err);

	if (!failed)
		failed = collect_fates(s, sequence, &found, err);
	sqlite_end_read(s);
	if (failed)
		event_fates_release(&found);
	else
		*ret = found;
	return failed;
}

static int collect_decisions(struct sqlite_store *s, int64_t first, int64_t last,
			     struct decisions *ret, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_DECISIONS, err);
	size_t cap = 0;
	int got;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, first);
	sqlite_bind_int(st, 2, last);
	while ((got = sqlite_row(s, st, err)) > 0) {
		ret->v = mem_grow(ret->v, ret->n, &cap, sizeof *ret->v);
		ret->v[ret->n++] = (struct decision){
			.sequence = sqlite3_column_int64(st, 0),
			.destination = (uint32_t)sqlite3_column_int64(st, 1),
			.rule = (uint32_t)sqlite3_column_int64(st, 2),
		};
	}
	return got;
}

/* The routes of each destination ascend: those runs are joined, two and two, until one is left.
 * Returns which of the two arrays holds it. */
static struct decision *merge(struct decision *from, struct decision *to, size_t n, bool *ret_done)
{
	size_t out = 0;

	*ret_done = true;
	for (size_t at = 0; at < n;) {
		size_t middle = at + 1, end, left = at, right;

		while (middle < n && from[middle - 1].sequence <= from[middle].sequence)
			middle++;
		right = end = middle;
		while (end < n && (end == middle || from[end - 1].sequence <= from[end].sequence))
			end++;
		while (left < middle || right < end) {
			bool takes_left =
				right == end ||
				(left < middle && from[left].sequence <= from[right].sequence);
			to[out++] = takes_left ? from[left++] : from[right++];
		}
		*ret_done = *ret_done && at == 0 && end == n;
		at = end;
	}
	return to;
}

/* Equal sequences keep their order, which is the one of destinations. */
static void sort_decisions(struct decisions *d)
{
	struct decision *other = xcalloc(d->n + 1, sizeof *other), *v = d->v;
	bool done = d->n < 2;

	while (!done) {
		struct decision *sorted = merge(v, other, d->n, &done);

		other = v;
		v = sorted;
	}
	d->v = v;
	free(other);
}

int sqlite_decisions(struct store *store, int64_t first, int64_t last, struct decisions *ret,
		     struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct decisions found = {0};

	if (collect_decisions(s, first, last, &found, err) != 0) {
		decisions_release(&found);
		return -1;
	}
	sort_decisions(&found);
	*ret = found;
	return 0;
}
