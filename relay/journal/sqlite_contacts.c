/* sqlite_contacts — recipients' rows for what is told of many of them: a contact's, those whose
 * contact is to be decided of, and all of a broadcast in portions. Invariant: a result is filled
 * only when all of it could be read. */
#include "relay/journal/sqlite_store.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

static int take_rows(struct sqlite_store *s, sqlite3_stmt *st, struct recipient_records *ret,
		     struct err *err)
{
	struct recipient_record r;
	int got;

	while ((got = sqlite_row(s, st, err)) > 0) {
		got = sqlite_get_recipient(s, st, &r, err);
		if (got < 0)
			break;
		ret->v = mem_grow(ret->v, ret->n, &ret->cap, sizeof *ret->v);
		recipient_record_copy(&ret->v[ret->n++], &r);
	}
	sqlite3_reset(st);
	return got;
}

/* A row whose contact has this hash, among those that have no entry yet. */
struct waiting {
	int64_t hash;
	uint32_t number;
};

/* What a query by contacts goes through. */
struct contact_read {
	const struct row_query *q;
	int64_t until;	       /* rows below it are found by their entries */
	int64_t *hashes;       /* of the contacts, ascending */
	struct waiting *waits; /* ascending by number */
	size_t nwaits, waits_cap;
	struct recipient_records found;
};

static int by_value(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* All that wait and may be asked for, in one scan. */
static int scan_waiting(struct sqlite_store *s, struct contact_read *read, struct err *err)
{
	const struct row_query *q = read->q;
	sqlite3_stmt *st = sqlite_ready(s, SQL_CONTACTS_FROM, err);
	int got;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, q->broadcast);
	sqlite_bind_int(st, 2, read->until);
	sqlite_bind_int(st, 3, -1);
	while ((got = sqlite_row(s, st, err)) > 0) {
		const char *contact = (const char *)sqlite3_column_text(st, 1);
		int64_t hash = contact ? sqlite_contact_hash(contact) : 0;

		if (!contact || !bsearch(&hash, read->hashes, q->ncontacts, sizeof hash, by_value))
			continue;
		read->waits =
			mem_grow(read->waits, read->nwaits, &read->waits_cap, sizeof *read->waits);
		read->waits[read->nwaits++] =
			(struct waiting){hash, (uint32_t)sqlite3_column_int64(st, 0)};
	}
	return got;
}

/* The row, when it is the contact's; *left counts down then. */
static int take_row_of(struct sqlite_store *s, struct contact_read *read, const char *contact,
		       uint32_t number, size_t *left, struct err *err)
{
	struct recipient_records *found = &read->found;
	sqlite3_stmt *st = sqlite_ready(s, SQL_RECIPIENT, err);
	struct recipient_record r;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, read->q->broadcast);
	sqlite_bind_int(st, 2, number);
	int got = sqlite_row(s, st, err);
	if (got > 0)
		got = sqlite_get_recipient(s, st, &r, err) != 0 ? -1 : 1;
	if (got > 0 && r.contact_id && strcmp(r.contact_id, contact) == 0) {
		found->v = mem_grow(found->v, found->n, &found->cap, sizeof *found->v);
		recipient_record_copy(&found->v[found->n++], &r);
		--*left;
	}
	sqlite3_reset(st);
	return got < 0 ? -1 : 0;
}

static int take_contact(struct sqlite_store *s, struct contact_read *read, const char *contact,
			struct err *err)
{
	int64_t hash = sqlite_contact_hash(contact);
	sqlite3_stmt *st = sqlite_ready(s, SQL_ENTRIES, err);
	size_t left = CONTACT_ROWS_MAX;
	int got = 0;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, read->q->broadcast);
	sqlite_bind_int(st, 2, hash);
	sqlite_bind_int(st, 3, read->until);
	while (left && (got = sqlite_row(s, st, err)) > 0) {
		got = take_row_of(s, read, contact, (uint32_t)sqlite3_column_int64(st, 0), &left,
				  err);
		if (got < 0)
			break;
	}
	sqlite3_reset(st);
	for (size_t i = 0; i < read->nwaits && left && got >= 0; i++) {
		if (read->waits[i].hash == hash)
			got = take_row_of(s, read, contact, read->waits[i].number, &left, err);
	}
	return got < 0 ? -1 : 0;
}

static int read_contacts(struct sqlite_store *s, struct contact_read *read, struct err *err)
{
	const struct row_query *q = read->q;

	for (size_t i = 0; i < q->ncontacts; i++)
		read->hashes[i] = sqlite_contact_hash(q->contacts[i]);
	qsort(read->hashes, q->ncontacts, sizeof *read->hashes, by_value);
	if (sqlite_begin_read(s, err) != 0 ||
	    sqlite_indexed_until(s, q->broadcast, &read->until, err) != 0 ||
	    scan_waiting(s, read, err) != 0)
		return -1;
	for (size_t i = 0; i < q->ncontacts; i++) {
		if (take_contact(s, read, q->contacts[i], err) != 0)
			return -1;
	}
	return 0;
}

/* What was found is handed out also on failure. */
static int take_contacts(struct sqlite_store *s, const struct row_query *q,
			 struct recipient_records *ret, struct err *err)
{
	struct contact_read read = {.q = q};
	int failed;

	read.hashes = xcalloc(q->ncontacts + 1, sizeof *read.hashes);
	failed = read_contacts(s, &read, err);
	sqlite_end_read(s);
	free(read.hashes);
	free(read.waits);
	*ret = read.found;
	return failed;
}

static int take_some(struct sqlite_store *s, const struct row_query *q,
		     struct recipient_records *ret, struct err *err)
{
	bool undecided = q->kind == ROWS_UNDECIDED;
	sqlite3_stmt *st = sqlite_ready(s, undecided ? SQL_ROWS_UNDECIDED : SQL_ROWS_AFTER, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, q->broadcast);
	sqlite_bind_int(st, 2, undecided ? 0 : q->from);
	sqlite_bind_int(st, 3, (int64_t)q->limit);
	return take_rows(s, st, ret, err);
}

int sqlite_rows(struct store *store, const struct row_query *q, struct recipient_records *ret,
		struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct recipient_records found = {0};
	bool by_contact = q->kind == ROWS_OF_CONTACTS;

	if ((by_contact ? take_contacts : take_some)(s, q, &found, err) != 0) {
		recipient_records_release(&found);
		return -1;
	}
	*ret = found;
	return 0;
}
