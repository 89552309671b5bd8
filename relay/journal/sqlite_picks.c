/* sqlite_picks — routes that a person looks for, by what became of them and by their events.
 * Invariant: whatever is asked for, no more than scan_limit routes are looked at, and the place
 * where that ended is told. */
#include "relay/journal/sqlite_store.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

struct pick_read {
	const struct pick_query *q;
	struct picks found;
	int64_t above, last; /* sequences that can match, by the times asked for */
	uint32_t destination;
	struct cursor cursor; /* its */
	size_t looked_at;
	bool full; /* at a limit; the route at hand is not among those looked at */
};

static bool recorded_fits(const struct pick_query *q, int64_t ms)
{
	return (!q->since_ms || ms >= q->since_ms) && (!q->until_ms || ms < q->until_ms);
}

/* Fills what the event tells. 1: it is asked for; 0: it is not, or is gone; -1 with err. */
static int look_at_row(struct sqlite_store *s, sqlite3_stmt *st, const struct pick_query *q,
		       struct pick *p, struct err *err)
{
	const char *type, *body;
	size_t len;

	sqlite_get_event_id(st, 1, p->id);
	if (q->id && strcmp(p->id, q->id) != 0)
		return 0;
	type = sqlite_word(s, sqlite3_column_int64(st, 2), err);
	if (!type)
		return -1;
	if (!sqlite_type_fits(type, q->type))
		return 0;
	body = sqlite3_column_blob(st, 6);
	len = (size_t)sqlite3_column_bytes(st, 6);
	p->recorded_ms = body ? event_recorded_ms(body, len) : DATE_NONE;
	if (p->recorded_ms == DATE_NONE || strlen(type) >= sizeof p->type)
		return sqlite_damaged(s, "event", p->sequence, err);
	if (!recorded_fits(q, p->recorded_ms))
		return 0;
	memcpy(p->type, type, strlen(type) + 1);
	p->order_key = (uint64_t)sqlite3_column_int64(st, 4);
	p->subject = event_subject(body, len);
	return 1;
}

static int look_at_event(struct sqlite_store *s, const struct pick_query *q, struct pick *p,
			 struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_EVENT, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, p->sequence);
	int got = sqlite_row(s, st, err);
	if (got > 0)
		got = look_at_row(s, st, q, p, err);
	sqlite3_reset(st);
	return got;
}

/* Is what became of the route asked for? Fills it. */
static int look_at_exception(struct sqlite_store *s, const struct pick_query *q, struct pick *p,
			     struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_EXCEPTION, err);
	struct exception x = {0};

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, p->destination);
	sqlite_bind_int(st, 2, p->sequence);
	int got = sqlite_row(s, st, err);
	if (got > 0)
		sqlite_get_exception(st, &x);
	sqlite3_reset(st);
	if (got < 0)
		return -1;
	p->excepted = got > 0;
	p->state = x.state;
	p->attempts = x.attempts;
	p->why = x.why;
	if (q->parked && (!p->excepted || p->state != EXCEPTION_PARKED))
		return 0;
	return !q->why || (p->why && strncmp(p->why, q->why, strlen(q->why)) == 0);
}

/* One route; afterwards `scanned` counts it, or `full` says why not. */
static int look_at(struct sqlite_store *s, struct pick_read *read, int64_t sequence,
		   struct err *err)
{
	const struct pick_query *q = read->q;
	struct picks *found = &read->found;
	struct pick p = {.destination = read->destination, .sequence = sequence};

	if (found->n >= q->limit || (q->scan_limit && read->looked_at >= q->scan_limit)) {
		read->full = true;
		return 0;
	}
	p.settled = sqlite_is_settled(&read->cursor, sequence);
	int fits = look_at_exception(s, q, &p, err);
	if (fits > 0)
		fits = look_at_event(s, q, &p, err);
	if (fits > 0) {
		found->v = mem_grow(found->v, found->n, &found->cap, sizeof *found->v);
		found->v[found->n++] = p;
	} else {
		free(p.why);
	}
	if (fits < 0)
		return -1;
	read->looked_at++;
	found->scanned_destination = read->destination;
	found->scanned = sequence;
	return 0;
}

static int scan(struct sqlite_store *s, struct pick_read *read, int64_t after, struct err *err)
{
	bool parked = read->q->parked;
	sqlite3_stmt *st =
		sqlite_ready(s, parked ? SQL_EXCEPTIONS_BETWEEN : SQL_ROUTES_BETWEEN, err);
	int got = 0;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, read->destination);
	sqlite_bind_int(st, 2, after);
	sqlite_bind_int(st, 3, read->last);
	while (!read->full && (got = sqlite_row(s, st, err)) > 0) {
		got = look_at(s, read, sqlite3_column_int64(st, parked ? 1 : 0), err);
		if (got < 0)
			break;
	}
	sqlite3_reset(st);
	return got < 0 ? -1 : 0;
}

static int look_up(struct sqlite_store *s, struct pick_read *read, int64_t after, struct err *err)
{
	const struct pick_query *q = read->q;
	int got = 0;

	for (size_t i = 0; i < q->nsequences && !read->full && got >= 0; i++) {
		int64_t sequence = q->sequences[i];

		if (sequence <= after || sequence > read->last)
			continue;
		got = sqlite_has(s, SQL_ROUTE, read->destination, sequence, err);
		if (got > 0)
			got = look_at(s, read, sequence, err);
	}
	return got < 0 ? -1 : 0;
}

static int pick_of(struct sqlite_store *s, struct pick_read *read, struct err *err)
{
	const struct pick_query *q = read->q;
	uint32_t behind = q->after_destination ? q->after_destination : q->destination;
	int64_t after =
		read->destination == behind && q->after > read->above ? q->after : read->above;

	return q->nsequences ? look_up(s, read, after, err) : scan(s, read, after, err);
}

/* Marks and the order of recording bound what can match. */
static int bound(struct sqlite_store *s, struct pick_read *read, struct err *err)
{
	const struct pick_query *q = read->q;
	int64_t last = INT64_MAX;

	if (q->since_ms && sqlite_recorded_before(s, q->since_ms, &read->above, err) != 0)
		return -1;
	if (q->until_ms && sqlite_recorded_until(s, q->until_ms, &last, err) != 0)
		return -1;
	read->last = q->last && q->last < last ? q->last : last;
	return 0;
}

static int pick(struct sqlite_store *s, struct pick_read *read, struct err *err)
{
	const struct pick_query *q = read->q;
	sqlite3_stmt *st = sqlite_ready(s, SQL_CURSORS, err);
	int got = 0;

	if (!st || bound(s, read, err) != 0)
		return -1;
	bool passed = q->destination && q->destination < q->after_destination;
	sqlite_bind_int(st, 1, q->destination ? q->destination : q->after_destination);
	sqlite_bind_int(st, 2, passed ? 0 : q->destination ? q->destination : UINT32_MAX);
	while (!read->full && (got = sqlite_row(s, st, err)) > 0) {
		got = sqlite_get_cursor(s, st, &read->destination, &read->cursor, err);
		if (got == 0)
			got = pick_of(s, read, err);
		if (got < 0)
			break;
	}
	sqlite3_reset(st);
	return got < 0 ? -1 : 0;
}

int sqlite_picks(struct store *store, const struct pick_query *q, struct picks *ret,
		 struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct pick_read read = {.q = q,
				 .found.scanned_destination = q->after_destination,
				 .found.scanned = q->after};
	int failed = sqlite_begin_read(s, err);

	if (!failed)
		failed = pick(s, &read, err);
	sqlite_end_read(s);
	read.found.more = read.full;
	if (failed)
		picks_release(&read.found);
	else
		*ret = read.found;
	return failed;
}
