/* sqlite_index — which rows a contact has, as a table kept by hand. An index would be written to at
 * a random place for each new row, which takes four times as long as the row itself; here new rows
 * wait at the end of their broadcast, where a search scans them, until many go in at once and in
 * order. Invariant: of the rows below a broadcast's `until` each that has a contact has an entry
 * with its hash; an entry may be stale, so who finds a row by it compares the contact itself. */
#include "relay/journal/sqlite_store.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"

/* So many rows wait at most, which a search scans in two milliseconds; in a small broadcast fewer,
 * whose entries lie close together anyway. A step takes 10 to 40 ms. */
#define INDEX_STEP  8192
#define INDEX_LEAST 2048

/* Fewer rows go in, too, once no more come. */
#define QUIET_MS 1500

/* A broadcast's rows that have no entries yet. */
struct unindexed {
	uint32_t broadcast;
	int64_t until;	 /* rows with this number and above */
	int64_t rows;	 /* about how many; 0: none */
	bool fresh;	 /* some came since the last look … */
	int64_t came_ms; /* … at which it is stamped */
};

struct contact_index {
	struct unindexed *v;
	size_t n, cap, last; /* last: the one found last */
};

struct contact_index *contact_index_new(void)
{
	return xcalloc(1, sizeof(struct contact_index));
}

void contact_index_free(struct contact_index *x)
{
	if (!x)
		return;
	free(x->v);
	free(x);
}

int64_t sqlite_contact_hash(const char *contact)
{
	return (int32_t)hash64(contact, strlen(contact)); /* four bytes in the file */
}

static int number_of(struct sqlite_store *s, enum statement which, uint32_t broadcast, int64_t *ret,
		     struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, which, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, broadcast);
	return sqlite_number(s, st, ret, err);
}

int sqlite_indexed_until(struct sqlite_store *s, uint32_t broadcast, int64_t *ret, struct err *err)
{
	*ret = 0;
	return number_of(s, SQL_INDEXED_UNTIL, broadcast, ret, err);
}

/* NULL with err */
static struct unindexed *unindexed_of(struct sqlite_store *s, uint32_t broadcast, struct err *err)
{
	struct contact_index *x = s->index;
	struct unindexed u = {.broadcast = broadcast};
	int64_t end = 0;

	if (x->last < x->n && x->v[x->last].broadcast == broadcast)
		return &x->v[x->last];
	for (x->last = 0; x->last < x->n; x->last++) {
		if (x->v[x->last].broadcast == broadcast)
			return &x->v[x->last];
	}
	if (sqlite_indexed_until(s, broadcast, &u.until, err) != 0 ||
	    number_of(s, SQL_RECIPIENTS_END, broadcast, &end, err) != 0)
		return NULL;
	u.rows = end > u.until ? end - u.until : 0;
	x->v = mem_grow(x->v, x->n, &x->cap, sizeof *x->v);
	x->v[x->n] = u;
	return &x->v[x->n++];
}

static int change_entry(struct sqlite_store *s, enum statement how, const struct recipient_write *w,
			const char *contact, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, how, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, w->broadcast);
	sqlite_bind_int(st, 2, sqlite_contact_hash(contact));
	sqlite_bind_int(st, 3, w->r.number);
	return sqlite_run(s, st, err);
}

/* The entries of a row among those that have some: its former contact's, and the new one's. */
static int mend_entries(struct sqlite_store *s, const struct recipient_write *w, struct err *err)
{
	const char *contact = w->r.contact_id;
	sqlite3_stmt *st = sqlite_ready(s, SQL_CONTACT_OF, err);
	char *former = NULL;
	int failed = 0;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, w->broadcast);
	sqlite_bind_int(st, 2, w->r.number);
	int got = sqlite_row(s, st, err);
	const char *text = got > 0 ? (const char *)sqlite3_column_text(st, 0) : NULL;
	bool changed = !text != !contact || (text && strcmp(text, contact) != 0);
	if (changed)
		former = xstrdup(text);
	sqlite3_reset(st);
	if (got < 0 || !changed)
		return got < 0 ? -1 : 0;
	if (former)
		failed = change_entry(s, SQL_DROP_ENTRY, w, former, err);
	if (!failed && contact)
		failed = change_entry(s, SQL_ADD_ENTRY, w, contact, err);
	free(former);
	return failed;
}

int sqlite_index_row(struct sqlite_store *s, const struct recipient_write *w, struct err *err)
{
	struct unindexed *u = unindexed_of(s, w->broadcast, err);

	if (!u)
		return -1;
	if (w->r.number < u->until)
		return mend_entries(s, w, err);
	u->rows++;
	u->fresh = true;
	return 0;
}

int sqlite_index_start(struct sqlite_store *s, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_BROADCASTS, err);
	int got;

	if (!st)
		return -1;
	while ((got = sqlite_row(s, st, err)) > 0) {
		if (!unindexed_of(s, (uint32_t)sqlite3_column_int64(st, 0), err))
			break;
	}
	sqlite3_reset(st);
	return got == 0 ? 0 : -1;
}

/* ---- many at once */

struct entry {
	int64_t hash, number;
};

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

struct step {
	struct entry v[INDEX_STEP];
	size_t n;
	int64_t rows;  /* looked at */
	int64_t until; /* all below it are among them */
};

static int read_step(struct sqlite_store *s, const struct unindexed *u, struct step *ret,
		     struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_CONTACTS_FROM, err);
	int got;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, u->broadcast);
	sqlite_bind_int(st, 2, u->until);
	sqlite_bind_int(st, 3, INDEX_STEP);
	ret->until = u->until;
	while ((got = sqlite_row(s, st, err)) > 0) {
		const char *contact = (const char *)sqlite3_column_text(st, 1);
		int64_t number = sqlite3_column_int64(st, 0);

		ret->until = number + 1;
		ret->rows++;
		if (contact)
			ret->v[ret->n++] = (struct entry){sqlite_contact_hash(contact), number};
	}
	qsort(ret->v, ret->n, sizeof *ret->v, by_key);
	return got;
}

static int write_step(struct sqlite_store *s, const struct unindexed *u, const struct step *step,
		      struct err *err)
{
	sqlite3_stmt *st;

	for (size_t i = 0; i < step->n; i++) {
		st = sqlite_ready(s, SQL_ADD_ENTRY, err);
		if (!st)
			return -1;
		sqlite_bind_int(st, 1, u->broadcast);
		sqlite_bind_int(st, 2, step->v[i].hash);
		sqlite_bind_int(st, 3, step->v[i].number);
		if (sqlite_run(s, st, err) != 0)
			return -1;
	}
	st = sqlite_ready(s, SQL_PUT_INDEXED_UNTIL, err);
	if (!st)
		return -1;
	sqlite_bind_int(st, 1, u->broadcast);
	sqlite_bind_int(st, 2, step->until);
	if (sqlite_run(s, st, err) != 0)
		return -1;
	return sqlite_run_plain(s, SQL_COMMIT, err);
}

static int index_rows(struct sqlite_store *s, struct unindexed *u, struct err *err)
{
	struct step *step = xcalloc(1, sizeof *step);
	int failed = sqlite_run_plain(s, SQL_BEGIN, err);

	if (!failed)
		failed = read_step(s, u, step, err) != 0 || write_step(s, u, step, err) != 0;
	if (failed) {
		sqlite_end_read(s);
	} else {
		u->until = step->until;
		u->rows =
			step->rows < INDEX_STEP || u->rows < step->rows ? 0 : u->rows - step->rows;
	}
	free(step);
	return failed ? -1 : 0;
}

static int64_t patience(const struct unindexed *u)
{
	int64_t rows = u->until / 64;

	if (rows < INDEX_LEAST)
		return INDEX_LEAST;
	return rows < INDEX_STEP ? rows : INDEX_STEP;
}

static bool is_due(struct unindexed *u, int64_t now_ms)
{
	if (u->fresh || now_ms < u->came_ms)
		u->came_ms = now_ms;
	u->fresh = false;
	return u->rows >= patience(u) || (u->rows && now_ms - u->came_ms >= QUIET_MS);
}

int sqlite_index_step(struct sqlite_store *s, int64_t now_ms, struct err *err)
{
	struct contact_index *x = s->index;
	struct unindexed *due = NULL;
	int more = 0;

	for (size_t i = 0; i < x->n; i++) {
		if (!is_due(&x->v[i], now_ms))
			continue;
		more = due != NULL;
		due = due ? due : &x->v[i];
	}
	if (!due)
		return 0;
	if (index_rows(s, due, err) != 0)
		return -1;
	return more || is_due(due, now_ms);
}
