/* sqlite_read — what the relay loads at its start, and recipients' rows. Invariant: one call sees
 * one state of the file, and fills its result only when all of it could be read. */
#include "relay/journal/sqlite_store.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

static int get_meta(struct sqlite_store *s, const char *key, sqlite3_stmt **ret, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_GET_META, err);

	if (!st)
		return -1;
	sqlite_bind_text(st, 1, key);
	*ret = st;
	return sqlite_row(s, st, err);
}

static int read_meta(struct sqlite_store *s, struct store_head *h, struct err *err)
{
	sqlite3_stmt *st;
	int got = get_meta(s, "uuid", &st, err);

	if (got < 0)
		return -1;
	const char *uuid = got ? (const char *)sqlite3_column_text(st, 0) : NULL;
	if (!uuid || strlen(uuid) != sizeof h->uuid - 1)
		return err_set(err, ERR_STORE,
			       "%s: is damaged: it has no identity; restore a "
			       "backup or move it away",
			       s->path);
	memcpy(h->uuid, uuid, sizeof h->uuid);
	got = get_meta(s, "created", &st, err);
	if (got > 0)
		h->created_ms = sqlite3_column_int64(st, 0);
	if (got >= 0)
		got = get_meta(s, "since", &st, err);
	h->since_ms = got > 0 ? sqlite3_column_int64(st, 0) : DATE_NONE;
	if (got >= 0)
		got = get_meta(s, "outage", &st, err);
	h->outage_ms = got > 0 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return got < 0 ? -1 : 0;
}

int sqlite_read_names(struct sqlite_store *s, const char *kind, struct names *ret, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_NAMES, err);
	int got;

	if (!st)
		return -1;
	sqlite_bind_text(st, 1, kind);
	while ((got = sqlite_row(s, st, err)) > 0) {
		int64_t number = sqlite3_column_int64(st, 0);
		const char *name = (const char *)sqlite3_column_text(st, 1);

		if (number != ret->n || number >= STATUSES_MAX || !name ||
		    strlen(name) >= NAME_SIZE)
			return sqlite_damaged(s, "name", number, err);
		memcpy(ret->v[ret->n++], name, strlen(name) + 1);
	}
	return got;
}

void sqlite_get_broadcast(sqlite3_stmt *st, struct broadcast_record *ret)
{
	*ret = (struct broadcast_record){
		.number = (uint32_t)sqlite3_column_int64(st, 0),
		.org = sqlite_get_text(st, 1),
		.id = sqlite_get_text(st, 2),
		.name = sqlite_get_text(st, 3),
		.status = sqlite_get_text(st, 4),
		.created_ms = sqlite_get_date(st, 5),
		.updated_ms = sqlite_get_date(st, 6),
		.counters = sqlite_get_text(st, 7),
		.templates = sqlite_get_text(st, 8),
		.recipients = (uint32_t)sqlite3_column_int64(st, 9),
		.baseline_page = (uint32_t)sqlite3_column_int64(st, 10),
		.baseline_done = sqlite3_column_int(st, 11) != 0,
		.gone = sqlite3_column_int(st, 12) != 0,
	};
}

static int read_broadcasts(struct sqlite_store *s, struct store_head *h, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_BROADCASTS, err);
	size_t cap = 0;
	int got;

	if (!st)
		return -1;
	while ((got = sqlite_row(s, st, err)) > 0) {
		h->broadcasts =
			mem_grow(h->broadcasts, h->nbroadcasts, &cap, sizeof *h->broadcasts);
		sqlite_get_broadcast(st, &h->broadcasts[h->nbroadcasts++]);
	}
	return got;
}

static int read_destinations(struct sqlite_store *s, struct store_head *h, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_DESTINATIONS, err);
	size_t cap = 0;
	int got;

	if (!st)
		return -1;
	while ((got = sqlite_row(s, st, err)) > 0) {
		struct destination_record d = {
			.number = (uint32_t)sqlite3_column_int64(st, 0),
			.state = (enum destination_state)sqlite3_column_int(st, 2),
			.cursor.position = sqlite3_column_int64(st, 4),
			.down_ms = sqlite3_column_int64(st, 6),
		};

		if (sqlite_cursor_unpack(sqlite3_column_blob(st, 5),
					 (size_t)sqlite3_column_bytes(st, 5), &d.cursor) != 0)
			return sqlite_damaged(s, "cursor", d.number, err);
		d.name = sqlite_get_text(st, 1);
		d.why = sqlite_get_text(st, 3);
		h->destinations =
			mem_grow(h->destinations, h->ndestinations, &cap, sizeof *h->destinations);
		h->destinations[h->ndestinations++] = d;
	}
	int64_t given = 0;
	if (got < 0 || sqlite_end(s, SQL_DESTINATIONS_GIVEN, &given, err) != 0)
		return -1;
	h->destinations_given = (uint32_t)given;
	return 0;
}

static int read_rules(struct sqlite_store *s, struct store_head *h, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_RULES, err);
	size_t cap = 0;
	int got;

	if (!st)
		return -1;
	while ((got = sqlite_row(s, st, err)) > 0) {
		h->rules = mem_grow(h->rules, h->nrules, &cap, sizeof *h->rules);
		h->rules[h->nrules++] = (struct rule_record){
			.number = (uint32_t)sqlite3_column_int64(st, 0),
			.name = sqlite_get_text(st, 1),
			.version = (uint64_t)sqlite3_column_int64(st, 2),
		};
	}
	return got;
}

static int read_folds(struct sqlite_store *s, struct store_head *h, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_FOLDS, err);
	size_t cap = 0;
	int got;

	if (!st)
		return -1;
	while ((got = sqlite_row(s, st, err)) > 0) {
		h->folds = mem_grow(h->folds, h->nfolds, &cap, sizeof *h->folds);
		h->folds[h->nfolds] = (struct fold_record){
			.fold = sqlite_get_text(st, 0),
			.key = sqlite_get_text(st, 1),
			.state = sqlite_get_text(st, 2),
		};
		const struct fold_record *f = &h->folds[h->nfolds++];
		if (!f->fold || !f->key || !f->state)
			return sqlite_damaged(s, "fold", (int64_t)h->nfolds, err);
	}
	return got;
}

void sqlite_get_exception(sqlite3_stmt *st, struct exception *ret)
{
	*ret = (struct exception){
		.destination = (uint32_t)sqlite3_column_int64(st, 0),
		.sequence = sqlite3_column_int64(st, 1),
		.order_key = (uint64_t)sqlite3_column_int64(st, 2),
		.state = (enum exception_state)sqlite3_column_int(st, 3),
		.attempts = (unsigned)sqlite3_column_int64(st, 4),
		.due_ms = sqlite3_column_int64(st, 5),
		.why = sqlite_get_text(st, 6),
		.held = sqlite3_column_int(st, 7) != 0,
	};
}

static int read_exceptions(struct sqlite_store *s, struct store_head *h, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_EXCEPTIONS, err);
	size_t cap = 0;
	int got;

	if (!st)
		return -1;
	while ((got = sqlite_row(s, st, err)) > 0) {
		h->exceptions =
			mem_grow(h->exceptions, h->nexceptions, &cap, sizeof *h->exceptions);
		sqlite_get_exception(st, &h->exceptions[h->nexceptions++]);
	}
	return got;
}

static int read_head(struct sqlite_store *s, struct store_head *h, struct err *err)
{
	if (read_meta(s, h, err) != 0 || sqlite_end(s, SQL_OLDEST, &h->oldest, err) != 0 ||
	    sqlite_end(s, SQL_LATEST, &h->latest, err) != 0)
		return -1;
	if (sqlite_read_names(s, "s", &h->states, err) != 0 ||
	    sqlite_read_names(s, "t", &h->statuses, err) != 0)
		return -1;
	if (read_broadcasts(s, h, err) != 0 || read_destinations(s, h, err) != 0)
		return -1;
	if (read_rules(s, h, err) != 0 || read_folds(s, h, err) != 0)
		return -1;
	return read_exceptions(s, h, err);
}

int sqlite_head(struct store *store, struct store_head *ret, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct store_head h = {0};
	int failed = sqlite_begin_read(s, err);

	if (!failed)
		failed = read_head(s, &h, err);
	sqlite_end_read(s);
	if (failed)
		store_head_release(&h);
	else
		*ret = h;
	return failed;
}

int sqlite_get_recipient(struct sqlite_store *s, sqlite3_stmt *st, struct recipient_record *r,
			 struct err *err)
{
	*r = (struct recipient_record){
		.number = (uint32_t)sqlite3_column_int64(st, 0),
		.id = (char *)sqlite3_column_text(st, 1),
		.states = (uint64_t)sqlite3_column_int64(st, 2),
		.status = (uint8_t)sqlite3_column_int(st, 3),
		.gone = sqlite3_column_int(st, 4) != 0,
		.processed = (uint8_t)sqlite3_column_int(st, 5),
		.created_ms = sqlite_get_date(st, 6),
		.updated_ms = sqlite_get_date(st, 7),
		.contact_id = (char *)sqlite3_column_text(st, 9),
		.integration_id = (char *)sqlite3_column_text(st, 10),
		.identity = (uint64_t)sqlite3_column_int64(st, 11),
		.error = (uint64_t)sqlite3_column_int64(st, 12),
		.contact = (uint64_t)sqlite3_column_int64(st, 13),
		.unreached_ms = sqlite3_column_int64(st, 14),
	};
	if (sqlite_times_unpack(sqlite3_column_blob(st, 8), (size_t)sqlite3_column_bytes(st, 8),
				r) != 0 ||
	    !r->id)
		return sqlite_damaged(s, "recipient", r->number, err);
	return 0;
}

int sqlite_recipients(struct store *store, uint32_t broadcast, store_recipient_fn *fn, void *arg,
		      struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	sqlite3_stmt *st = sqlite_ready(s, SQL_RECIPIENTS, err);
	struct recipient_record r;
	int got;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, broadcast);
	while ((got = sqlite_row(s, st, err)) > 0) {
		got = sqlite_get_recipient(s, st, &r, err);
		if (got < 0)
			break;
		fn(arg, &r);
	}
	sqlite3_reset(st);
	return got;
}

static int read_recipient(struct sqlite_store *s, uint32_t broadcast, uint32_t number,
			  struct recipient_record *ret, struct err *err)
{
	struct recipient_record r;
	sqlite3_stmt *st = sqlite_ready(s, SQL_RECIPIENT, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, broadcast);
	sqlite_bind_int(st, 2, number);
	int got = sqlite_row(s, st, err);
	if (got == 0)
		got = err_set(err, ERR_STORE, "%s: broadcast %u has no recipient %u", s->path,
			      broadcast, number);
	else if (got > 0)
		got = sqlite_get_recipient(s, st, &r, err);
	if (got == 0)
		recipient_record_copy(ret, &r);
	sqlite3_reset(st);
	return got;
}

int sqlite_recipients_at(struct store *store, uint32_t broadcast, const uint32_t *numbers, size_t n,
			 struct recipient_record *ret, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	int failed = sqlite_begin_read(s, err);
	size_t read = 0;

	while (!failed && read < n) {
		failed = read_recipient(s, broadcast, numbers[read], &ret[read], err);
		read += !failed;
	}
	sqlite_end_read(s);
	while (failed && read > 0)
		recipient_record_release(&ret[--read]);
	return failed;
}
