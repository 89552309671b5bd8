/* sqlite — the embedded journal: one file in WAL mode, synchronous=FULL, one writing connection for
 * commits and checkpoints alike (SQLite 3.40 can damage a log that two connections reset).
 * Invariant: `latest` is the last sequence of the last whole commit. */
#include "relay/journal/sqlite_store.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "relay/base/mem.h"

static void close_store(struct store *store)
{
	struct sqlite_store *s = (struct sqlite_store *)store;

	if (!s)
		return;
	sqlite_disconnect(s);
	words_free(s->words);
	heads_free(s->heads);
	contact_index_free(s->index);
	if (s->lock_fd >= 0)
		close(s->lock_fd); /* the lock file stays: removing it would race with the next */
	free(s->path);
	free(s);
}

static int note_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	(void)db;
	(void)name;
	((struct sqlite_store *)arg)->wal_pages = pages;
	return SQLITE_OK;
}

/* Sequences go on from the last event's, so that key is checked against the event's own text: a
 * flipped bit in it is no damage to the tree, but would make a gap or repeat numbers. */
static int check_latest(struct sqlite_store *s, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_EVENT, err);
	int64_t said = 0;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, s->latest);
	int got = sqlite_row(s, st, err);
	if (got > 0) {
		const char *body = sqlite3_column_blob(st, 6);
		size_t at = event_sequence_at(body, (size_t)sqlite3_column_bytes(st, 6));

		for (size_t i = 0; at && i < 16; i++)
			said = said * 10 + (body[at + i] - '0');
		got = said == s->latest ? 0 : sqlite_damaged(s, "event", s->latest, err);
	}
	sqlite3_reset(st);
	return got;
}

static int load_ends(struct sqlite_store *s, struct err *err)
{
	if (sqlite_end(s, SQL_FIRST, &s->first, err) != 0 ||
	    sqlite_end(s, SQL_OLDEST, &s->oldest, err) != 0 ||
	    sqlite_end(s, SQL_LATEST, &s->latest, err) != 0)
		return -1;
	return check_latest(s, err);
}

static int open_writing(struct sqlite_store *s, struct err *err)
{
	if (sqlite_lock(s, err) != 0 || sqlite_create_missing(s, err) != 0 ||
	    sqlite_connect(s, err) != 0 || sqlite_identify(s, err) != 0)
		return -1;
	if (sqlite_check(s, err) != 0 || sqlite_enter_wal(s, err) != 0 ||
	    sqlite_migrate(s, err) != 0)
		return -1;
	sqlite3_wal_hook(s->db, note_commit, s); /* also what turns autocheckpoint off */
	if (load_ends(s, err) != 0 || sqlite_find_dropped(s, err) != 0 ||
	    sqlite_index_start(s, err) != 0)
		return -1;
	return sqlite_tidy_start(s, err);
}

static struct store *open_store(const void *options, enum store_mode mode, struct err *err)
{
	const struct sqlite_options *o = options;
	struct sqlite_store *s = xcalloc(1, sizeof *s);
	int failed;

	s->store.type = &store_sqlite;
	s->path = xstrdup(o->path);
	s->keep_ms = o->keep_ms;
	s->max_size = o->max_size;
	s->min_free = o->min_free;
	s->writes = mode == STORE_WRITE;
	s->lock_fd = -1;
	s->words = words_new();
	s->heads = heads_new();
	s->index = contact_index_new();
	if (s->writes)
		failed = open_writing(s, err);
	else
		failed = sqlite_connect(s, err) != 0 || sqlite_identify(s, err) != 0;
	if (failed) {
		close_store(&s->store);
		return NULL;
	}
	return &s->store;
}

static int set_since(struct store *store, int64_t since_ms, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	sqlite3_stmt *st = sqlite_ready(s, SQL_ADD_META, err);

	if (!st)
		return -1;
	sqlite_bind_text(st, 1, "since");
	sqlite_bind_int(st, 2, since_ms);
	return sqlite_run(s, st, err);
}

/* Does it carry more than verdicts? What folds keep is small, and dropping what fills the journal
 * needs it; and that it is full must be told. */
static bool grows(const struct batch *b)
{
	if (b->about_relay)
		return false;
	return b->nrecipients || b->nbroadcasts || b->events.n || b->nroutes || b->nlate;
}

static int write_all(struct sqlite_store *s, struct batch *const *batches, size_t n, int64_t *next,
		     struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (sqlite_write_batch(s, batches[i], next, err) != 0)
			return -1;
	}
	if (sqlite_write_recipients(s, batches, n, err) != 0 || sqlite_heads_write(s, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (sqlite_write_decided(s, batches[i], err) != 0)
			return -1;
	}
	return sqlite_run_plain(s, SQL_COMMIT, err);
}

/* Nothing of the batches remains, in the file or in memory. */
static void undo(struct sqlite_store *s, struct batch *const *batches, size_t n)
{
	struct err ignored = {0};

	if (!sqlite3_get_autocommit(s->db)) /* some failures have rolled back already */
		sqlite_run_plain(s, SQL_ROLLBACK, &ignored);
	words_clear(s->words);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < batches[i]->events.n; k++)
			batches[i]->events.v[k].sequence = 0;
	}
}

static int commit(struct store *store, struct batch *const *batches, size_t n, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	int64_t next = s->latest + 1;
	bool growing = false;
	int failed;

	for (size_t i = 0; i < n; i++)
		growing |= grows(batches[i]);
	if (growing && sqlite_has_room(s, err) != 0)
		return -1;
	heads_clear(s->heads);
	failed = sqlite_run_plain(s, SQL_BEGIN, err);
	if (!failed)
		failed = write_all(s, batches, n, &next, err);
	if (failed) {
		undo(s, batches, n);
		return -1;
	}
	if (!s->oldest && next > s->latest + 1)
		s->oldest = s->first = s->latest + 1;
	s->latest = next - 1;
	return 0;
}

static int recorded_before(struct store *store, int64_t ms, int64_t *ret, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	int64_t found;
	int failed = sqlite_begin_read(s, err);

	if (!failed)
		failed = sqlite_recorded_before(s, ms, &found, err);
	sqlite_end_read(s);
	if (!failed)
		*ret = found;
	return failed;
}

const struct option sqlite_option_table[] = {
	{"path", OPT_PATH, offsetof(struct sqlite_options, path), .preset = "relay.db",
	 .help = "the journal's file; its write-ahead log and lock file lie beside it"},
	{"keep", OPT_DURATION, offsetof(struct sqlite_options, keep_ms), .preset = "30d",
	 .help = "how long events are kept that every destination has had"},
	{"keep_unsent", OPT_DURATION, offsetof(struct sqlite_options, keep_unsent_ms),
	 .preset = "30d",
	 .help = "how long events are kept that nobody takes: parked ones, and what is owed to a "
		 "destination that is disabled or no longer in this file"},
	{"max_size", OPT_SIZE, offsetof(struct sqlite_options, max_size), .preset = "20GB",
	 .min = 10000000, .max = 1000000000000000,
	 .help = "at 95% of this size polling pauses and deliveries go on"},
	{"min_free", OPT_SIZE, offsetof(struct sqlite_options, min_free), .preset = "256MB",
	 .help = "with less free disk space than this polling pauses"},
	{0}};

static void rest(struct store *store)
{
	sqlite3_db_release_memory(((struct sqlite_store *)store)->db);
}

static const char *file_of(const void *options)
{
	return ((const struct sqlite_options *)options)->path;
}

static int64_t keep_unsent_ms(const void *options)
{
	return ((const struct sqlite_options *)options)->keep_unsent_ms;
}

const struct store_type store_sqlite = {
	.name = "sqlite",
	.options = sqlite_option_table,
	.options_size = sizeof(struct sqlite_options),
	.file = file_of,
	.keep_unsent_ms = keep_unsent_ms,
	.open = open_store,
	.close = close_store,
	.head = sqlite_head,
	.set_since = set_since,
	.commit = commit,
	.tidy = sqlite_tidy,
	.room = sqlite_room,
	.rest = rest,
	.recipients = sqlite_recipients,
	.recipients_at = sqlite_recipients_at,
	.rows = sqlite_rows,
	.page = sqlite_page,
	.routes = sqlite_routes,
	.events = sqlite_events,
	.scan = sqlite_scan,
	.decisions = sqlite_decisions,
	.picks = sqlite_picks,
	.owed = sqlite_owed,
	.recorded_before = recorded_before,
	.fates = sqlite_fates,
};
