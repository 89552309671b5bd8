/* restart — see the header. Invariant: the three read one file, which none of them changes. */
#include "tests/bench/restart.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/intake.h"
#include "relay/journal/journal.h"
#include "relay/journal/sqlite.h"
#include "relay/relay.h"
#include "relay/source/sorting.h"
#include "tests/bench/bench.h"
#include "tests/bench/child.h"
#include "tests/suite/store_fixture.h"

#define COMMIT	   10000 /* rows */
#define CREATED_MS INT64_C(1763805600000)

static const char columns[] =
	"SELECT number, id, states, status, gone, processed, created, updated, times, contact,"
	" integration, identity_hash, error_hash, contact_hash FROM recipients"
	" WHERE broadcast = 1 ORDER BY number";

struct restart {
	char *dir, *config;
	uint32_t recipients;
};

/* ---- the journal ---- */

/* Sent, delivered, and every third one opened. */
static void add_recipient(struct batch *b, uint32_t number)
{
	struct recipient_write *w = batch_recipient(b);
	bool opened = number % 3 == 0;

	w->broadcast = 1;
	w->r = (struct recipient_record){
		.number = number,
		.id = xasprintf("rcp_%022u", number),
		.states = opened ? 0x4c : 0x0c,
		.status = 1,
		.processed = 1,
		.created_ms = CREATED_MS + number,
		.updated_ms = CREATED_MS + 600000 + number,
		.contact_id = xasprintf("con_%022u", number),
		.integration_id = xstrdup("twilio"),
		.identity = number * UINT64_C(0x9e3779b97f4a7c15),
		.error = 1,
		.contact = ~(number * UINT64_C(0x9e3779b97f4a7c15)),
	};
	recipient_record_set_time(&w->r, 2, CREATED_MS + 400000 + number);
	recipient_record_set_time(&w->r, 3, CREATED_MS + 500000 + number);
	if (opened)
		recipient_record_set_time(&w->r, 6, CREATED_MS + 600000 + number);
}

static void add_broadcast(struct batch *b, uint32_t recipients)
{
	*batch_broadcast(b) = (struct broadcast_record){
		.number = 1,
		.org = xstrdup("c"),
		.id = xstrdup("bc_1"),
		.status = xstrdup("SENDING"),
		.created_ms = CREATED_MS,
		.updated_ms = CREATED_MS,
		.recipients = recipients,
		.baseline_done = true,
	};
}

static void fill(struct store *store, uint32_t recipients)
{
	struct err err;
	bool more;

	for (uint32_t first = 0; first < recipients; first += COMMIT) {
		struct batch *b = batch_new();
		if (first == 0)
			add_broadcast(b, recipients);
		for (uint32_t i = first; i < first + COMMIT && i < recipients; i++)
			add_recipient(b, i);
		if (store->type->commit(store, &b, 1, &err) != 0)
			child_give_up(err.msg);
		store->type->tidy(store, CREATED_MS, true, &more);
		batch_free(b);
	}
}

struct restart *restart_make(uint32_t recipients)
{
	struct restart *r = xcalloc(1, sizeof *r);
	struct err err;

	r->recipients = recipients;
	r->dir = fixture_folder();
	r->config = xasprintf("%s/relay.yaml", r->dir);
	FILE *f = fopen(r->config, "we");
	if (!f)
		child_give_up(r->config);
	fputs("source: { base_url: \"http://127.0.0.1:1\", since: all }\n"
	      "journal: { sqlite: { path: relay.db } }\n",
	      f);
	fclose(f);
	struct sqlite_options o = {.path = xasprintf("%s/relay.db", r->dir),
				   .keep_ms = INT64_MAX / 2};
	struct store *store = store_sqlite.open(&o, STORE_WRITE, &err);
	if (!store)
		child_give_up(err.msg);
	fill(store, recipients);
	store->type->close(store);
	free(o.path);
	return r;
}

void restart_release(struct restart *r)
{
	fixture_remove(r->dir);
	free(r->config);
	free(r);
}

/* ---- ours ---- */

static struct settings *load(const struct restart *r)
{
	struct problems problems = {0};
	struct settings *s = settings_load(r->config, &problems);

	problems.nwarnings = 0;
	problems_print(&problems, stderr);
	if (!s)
		child_give_up("the configuration is refused");
	return s;
}

double restart_rows(void *arg)
{
	const struct restart *r = arg;
	struct settings *s = load(r);
	struct mailbox *mailbox = mailbox_open(NULL, NULL);
	struct store_head head;
	struct sorting order = {0};
	struct err err;
	struct journal *j = journal_open(&s->journal, mailbox, &head, &err);
	if (!j)
		child_give_up(err.msg);
	double start = bench_wall_s();
	struct held *held = intake_load_rows(j, &s->source, &head.broadcasts[0], &err);
	if (!held || held_count(held) != r->recipients)
		child_give_up("the rows are not held");
	sorting_assume(&order, held_count(held));
	double took = bench_wall_s() - start;
	sorting_release(&order);
	held_free(held);
	store_head_release(&head);
	journal_close(j);
	mailbox_close(mailbox);
	settings_free(s);
	return took;
}

double restart_whole(void *arg)
{
	const struct restart *r = arg;
	struct source_status status;
	struct err err;

	double start = bench_wall_s();
	struct relay *relay = relay_open(load(r), &(struct relay_env){.seed = 1}, &err);
	double took = bench_wall_s() - start;
	if (!relay)
		child_give_up(err.msg);
	relay_source_status(relay, &status);
	if (status.rows_held != r->recipients)
		child_give_up("the rows are not followed");
	relay_close(relay);
	return took;
}

/* ---- the peer ---- */

static void fetch(sqlite3_stmt *st)
{
	for (int i = 0; i < sqlite3_column_count(st); i++) {
		int type = sqlite3_column_type(st, i);
		if (type == SQLITE_INTEGER)
			sqlite3_column_int64(st, i);
		else if (type == SQLITE_TEXT)
			sqlite3_column_text(st, i);
		else if (type == SQLITE_BLOB)
			sqlite3_column_blob(st, i);
	}
}

double restart_select(void *arg)
{
	const struct restart *r = arg;
	char *path = xasprintf("%s/relay.db", r->dir);
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	uint32_t rows = 0;

	double start = bench_wall_s();
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
		    SQLITE_OK ||
	    sqlite3_prepare_v2(db, columns, -1, &st, NULL) != SQLITE_OK)
		child_give_up(sqlite3_errmsg(db));
	for (; sqlite3_step(st) == SQLITE_ROW; rows++)
		fetch(st);
	double took = bench_wall_s() - start;
	if (rows != r->recipients)
		child_give_up("the journal has not all rows");
	sqlite3_finalize(st);
	sqlite3_close(db);
	free(path);
	return took;
}
