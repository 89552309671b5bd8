/* sqlite_contacts — recipients' rows for what is told of many of them: a contact's, those whose
 * contact is to be decided of, and all of a broadcast in portions. Invariant: a result is filled
 * only when all of it could be read. */
#include "relay/journal/sqlite_store.h"

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

static int take_contact(struct sqlite_store *s, const struct row_query *q, const char *contact,
			struct recipient_records *ret, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_ROWS_OF_CONTACT, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, q->broadcast);
	sqlite_bind_text(st, 2, contact);
	sqlite_bind_int(st, 3, CONTACT_ROWS_MAX);
	return take_rows(s, st, ret, err);
}

static int take_contacts(struct sqlite_store *s, const struct row_query *q,
			 struct recipient_records *ret, struct err *err)
{
	int failed = sqlite_begin_read(s, err);

	for (size_t i = 0; i < q->ncontacts && !failed; i++)
		failed = take_contact(s, q, q->contacts[i], ret, err);
	sqlite_end_read(s);
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
