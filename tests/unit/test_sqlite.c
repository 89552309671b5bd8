/* Tests of the SQLite back end's file: whose it is, and what damage does. */
#include "tests/suite/sqlite_world.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/base/random.h"

/* It does not open, and the message names the file and says `text`. */
static void expect_refusal(struct world *w, enum store_mode mode, const char *text)
{
	struct store *s = store_sqlite.open(w->options, mode, &w->err);

	if (s) {
		store_sqlite.close(s);
		fail_msg("opened, but expected: %s", text);
	}
	if (!strstr(w->err.msg, text) || !strstr(w->err.msg, sqlite_world_path(w)))
		fail_msg("\"%s\" does not say \"%s\"", w->err.msg, text);
}

static void write_file(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static char *read_file(const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	char *bytes = xmalloc((size_t)st.st_size);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_len = (size_t)st.st_size;
	return bytes;
}

static bool is_there(const char *path, const char *ending)
{
	char *name = xasprintf("%s%s", path, ending);
	bool there = access(name, F_OK) == 0;

	free(name);
	return there;
}

static void sql_in_file(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* ---- whose file it is */

static void a_new_journal_appears_complete(void **state)
{
	struct world *w = *state;
	char *left = xasprintf("%s.new", sqlite_world_path(w));
	struct stat st;

	write_file(left, "half", 4); /* by a relay that was killed */
	sqlite_world_open(w);
	assert_int_equal(stat(sqlite_world_path(w), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(access(left, F_OK), -1);
	free(left);
	sqlite_world_close(w);
	assert_false(is_there(sqlite_world_path(w),
			      "-wal")); /* closed in order, nothing is beside it … */
	assert_true(is_there(sqlite_world_path(w), ".lock")); /* … but the lock file */
}

static void one_relay_at_a_time_writes(void **state)
{
	struct world *w = *state;
	char text[64];
	int status;

	sqlite_world_open(w);
	snprintf(text, sizeof text, "locked by another relay (pid %ld)", (long)getpid());
	expect_refusal(w, STORE_WRITE, text);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct store *s = store_sqlite.open(w->options, STORE_WRITE, &w->err);

		_exit(s || !strstr(w->err.msg, text));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	store_sqlite.close(world_reading(w)); /* readers are welcome */
	sqlite_world_close(w);
	sqlite_world_open(w);
}

static void reading_needs_a_journal(void **state)
{
	struct world *w = *state;

	expect_refusal(w, STORE_READ, "no journal there");
	assert_false(is_there(sqlite_world_path(w), ""));
	assert_false(is_there(sqlite_world_path(w), ".lock"));
}

static void a_reader_changes_nothing(void **state)
{
	struct world *w = *state;
	struct batch *b = world_events(1);

	sqlite_world_open(w);
	sqlite_world_close(w);
	struct store *s = world_reading(w);
	assert_int_equal(s->type->commit(s, &b, 1, &w->err), -1);
	assert_int_equal(s->type->set_since(s, 1, &w->err), -1);
	store_sqlite.close(s);
	batch_free(b);
}

static void foreign_files_are_refused(void **state)
{
	struct world *w = *state;
	static const char text[] = "This is no database but a letter to somebody, and so long that "
				   "it could be taken for a header of 100 bytes at a glance.";
	size_t len, after;

	write_file(sqlite_world_path(w), text, sizeof text - 1);
	expect_refusal(w, STORE_WRITE, "is not a database");
	expect_refusal(w, STORE_READ, "is not a database");
	unlink(sqlite_world_path(w));
	write_file(sqlite_world_path(w), "", 0);
	expect_refusal(w, STORE_WRITE, "is empty");
	unlink(sqlite_world_path(w));
	sql_in_file(sqlite_world_path(w), "CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
	char *bytes = read_file(sqlite_world_path(w), &len);
	expect_refusal(w, STORE_WRITE, "another program");
	expect_refusal(w, STORE_READ, "another program");
	char *same = read_file(sqlite_world_path(w), &after);
	assert_int_equal(len, after);
	assert_memory_equal(bytes, same, len);
	free(bytes);
	free(same);
}

static void versions_are_told_apart(void **state)
{
	struct world *w = *state;

	sqlite_world_open(w);
	world_commit(w, world_events(2), NULL);
	sqlite_world_close(w);
	sql_in_file(sqlite_world_path(w), "PRAGMA user_version=99");
	expect_refusal(w, STORE_WRITE, "newer Relay (schema 99");
	expect_refusal(w, STORE_READ, "newer Relay (schema 99");
	sql_in_file(sqlite_world_path(w), "PRAGMA user_version=0");
	expect_refusal(w, STORE_WRITE, "is damaged: schema version 0");
	sql_in_file(sqlite_world_path(w), "PRAGMA user_version=5");
	sqlite_world_open(w);
	assert_int_equal(world_latest(w, w->store), 2);
}

/* As the first release left it. */
static void an_older_journal_migrates(void **state)
{
	struct world *w = *state;
	struct batch *old = world_events(2), *b = world_events(1);
	const char *contact = "ct_6";
	struct row_query q = {
		.kind = ROWS_OF_CONTACTS, .broadcast = 1, .contacts = &contact, .ncontacts = 1};
	struct recipient_records rows;
	struct store_head h;

	fixture_destination(old, 1, DESTINATION_ENABLED);
	for (uint32_t i = 0; i < 9; i++)
		fixture_recipient(old, 1, i);
	fixture_exception(fixture_settle(old, 1, 1), 1, EXCEPTION_RETRY);
	sqlite_world_open(w);
	world_commit(w, old, NULL);
	sqlite_world_close(w);
	sql_in_file(sqlite_world_path(w),
		    "DROP TABLE folds; DROP INDEX recipients_undecided;DROP TABLE entries; DROP "
		    "TABLE indexed;"
		    "ALTER TABLE recipients DROP COLUMN unreached;"
		    "ALTER TABLE exceptions DROP COLUMN held; ALTER TABLE destinations DROP COLUMN "
		    "down;"
		    "PRAGMA user_version=1");
	expect_refusal(w, STORE_READ, "written by an older Relay (schema 1");
	sqlite_world_open(w);
	*batch_fold(b) = (struct fold_record){xstrdup("alerts"), xstrdup("k"), xstrdup("open")};
	world_commit(w, b, NULL);
	assert_int_equal(world_latest(w, w->store), 3);
	PASS(w, store_sqlite.head(w->store, &h, &w->err));
	assert_int_equal(h.exceptions[0].sequence, 1);
	assert_false(h.exceptions[0].held);
	assert_string_equal(h.exceptions[0].why, "503: try later");
	assert_string_equal(h.destinations[0].name, "dest-1");
	assert_int_equal(h.destinations[0].down_ms, 0);
	store_head_release(&h);
	PASS(w, store_sqlite.rows(w->store, &q, &rows, &w->err));
	assert_int_equal(rows.n, 1);
	assert_int_equal(rows.v[0].number, 6);
	recipient_records_release(&rows);
	store_sqlite.close(world_reading(w));
	sqlite_world_close(w);
	sqlite_world_open(w); /* its schema is now the one of its version */
}

/* An event that is older than the mark before a time can be damaged: nobody looks at it. */
static void a_search_by_time_reads_nothing_older(void **state)
{
	static const int64_t minute = 60000;
	struct world *w = *state;
	struct events found;
	struct event_query q = {.limit = 1000};

	sqlite_world_open(w);
	for (int i = 1; i <= 100; i++) {
		struct batch *b = batch_new();
		const struct event *ev =
			fixture_event(b, "recipient.sent", "r", i * (int)minute, 0);
		int64_t now = event_recorded_ms(ev->body, ev->len);

		q.recorded_from_ms = i == 50 ? now : q.recorded_from_ms;
		world_commit(w, b, NULL);
		world_tidy(w, now);
	}
	sqlite_world_close(w);
	/* Marks are at most ten minutes apart. */
	sql_in_file(sqlite_world_path(w),
		    "UPDATE events SET type = 999, body = 'x' WHERE seq < 39");
	sqlite_world_open(w);
	PASS(w, w->store->type->events(w->store, &q, &found, &w->err));
	assert_int_equal(found.n, 51);
	assert_int_equal(found.v[0].sequence, 50);
	events_release(&found);
	q.recorded_from_ms -= 15 * minute; /* among them */
	assert_int_equal(w->store->type->events(w->store, &q, &found, &w->err), -1);
	assert_non_null(strstr(w->err.msg, "is damaged: event "));
}

static void a_log_without_its_journal_is_refused(void **state)
{
	struct world *w = *state;
	char *wal = xasprintf("%s-wal", sqlite_world_path(w));

	write_file(wal, "log", 3);
	expect_refusal(w, STORE_WRITE, "is gone, but its write-ahead log");
	free(wal);
}

/* As somebody who may not write there; root may everywhere. */
static int refusal_for_others(struct world *w, const char *folder, const char *text)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (chmod(folder, 0555) != 0 || (getuid() == 0 && setuid(65534) != 0))
			_exit(2);
		struct store *s = store_sqlite.open(w->options, STORE_WRITE, &w->err);
		_exit(s || !strstr(w->err.msg, text) || !strstr(w->err.msg, sqlite_world_path(w)));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	chmod(folder, 0755);
	return status;
}

static void a_folder_that_cannot_be_written_is_named(void **state)
{
	struct world *w = *state;
	struct sqlite_options *o = w->options;
	char *folder = xstrndup(o->path, (size_t)(strrchr(o->path, '/') - o->path));
	char *lock = xasprintf("%s.lock", o->path);
	char *path = o->path;

	assert_int_equal(refusal_for_others(w, folder, "be writable"), 0);
	sqlite_world_open(w);
	sqlite_world_close(w);
	chmod(lock, 0666); /* so that only the folder stands in the way */
	chmod(o->path, 0666);
	assert_int_equal(refusal_for_others(w, folder, "be writable"), 0);
	chmod(o->path, 0444);
	assert_int_equal(refusal_for_others(w, folder, "be writable"), 0);

	o->path = xasprintf("%s/missing/relay.db", folder);
	expect_refusal(w, STORE_WRITE, "folder must exist");
	free(o->path);
	o->path = path;
	free(lock);
	free(folder);
}

/* ---- damage */

#define HELD 40 /* events in the journal that gets damaged */

static void fill(struct world *w)
{
	struct batch *b = world_events(HELD);
	struct destination_record *d = batch_destination(b);

	d->number = 1;
	d->name = xstrdup("bus");
	for (uint32_t i = 0; i < 200; i++)
		fixture_recipient(b, 1, i);
	sqlite_world_open(w);
	world_commit(w, b, NULL);
	sqlite_world_close(w);
}

static void ignore_recipient(void *arg, const struct recipient_record *r)
{
	(void)r;
	++*(size_t *)arg;
}

/* Reads all there is; whatever comes, it must come in order. */
static int read_everything(struct store *s, struct err *err)
{
	struct store_head h;
	struct events events;
	struct delivery_routes routes;
	struct event_query eq = {.limit = 10000};
	struct route_query rq = {.destination = 1, .limit = 10000};
	size_t recipients = 0;

	if (s->type->head(s, &h, err) != 0)
		return -1;
	int64_t latest = h.latest;
	store_head_release(&h);
	assert_int_equal(latest, HELD);
	if (s->type->events(s, &eq, &events, err) != 0)
		return -1;
	events_release(&events);
	if (s->type->routes(s, &rq, &routes, err) != 0)
		return -1;
	delivery_routes_release(&routes);
	return s->type->recipients(s, 1, ignore_recipient, &recipients, err);
}

/* Either it is refused with a message that names the file, or it holds what it held. Returns true
 * when it was refused. */
static bool open_damaged(struct world *w)
{
	w->err = (struct err){0};
	struct store *s = store_sqlite.open(w->options, STORE_WRITE, &w->err);
	bool refused = !s;

	if (s)
		refused = read_everything(s, &w->err) != 0;
	if (refused && (!strstr(w->err.msg, sqlite_world_path(w)) || strlen(w->err.msg) < 30))
		fail_msg("unclear: \"%s\"", w->err.msg);
	store_sqlite.close(s);
	return refused;
}

static void a_journal_cut_short_is_refused(void **state)
{
	struct world *w = *state;
	size_t len;

	fill(w);
	char *bytes = read_file(sqlite_world_path(w), &len);
	const size_t cuts[] = {1, 99, 100, 512, 4095, 4096, 8192, len / 2, len - 4096, len - 1};
	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		write_file(sqlite_world_path(w), bytes, cuts[i]);
		if (!open_damaged(w))
			fail_msg("cut at %zu of %zu: opened", cuts[i], len);
	}
	free(bytes);
}

static void a_damaged_header_never_starts_from_empty(void **state)
{
	struct world *w = *state;
	size_t len, refused = 0;

	fill(w);
	char *bytes = read_file(sqlite_world_path(w), &len);
	for (size_t at = 0; at < 116; at++) { /* the file's header and the first page's */
		bytes[at] ^= 0x15;
		write_file(sqlite_world_path(w), bytes, len);
		refused += open_damaged(w);
		bytes[at] ^= 0x15;
	}
	assert_true(refused > 50); /* the rest is counters and unused */
	write_file(sqlite_world_path(w), bytes, len);
	assert_false(open_damaged(w));
	free(bytes);
}

static void a_flipped_byte_never_starts_from_empty(void **state)
{
	struct world *w = *state;
	struct prng random = {.state = random_u64()};
	size_t len, refused = 0;

	print_message("seed %llu\n", (unsigned long long)random.state);
	fill(w);
	char *bytes = read_file(sqlite_world_path(w), &len);
	for (int i = 0; i < 150; i++) {
		size_t at = prng_next(&random) % len;
		char before = bytes[at];

		bytes[at] = (char)(before ^ (1 << prng_next(&random) % 8));
		write_file(sqlite_world_path(w), bytes, len);
		refused += open_damaged(w);
		bytes[at] = before;
	}
	print_message("%zu of 150 refused\n", refused);
	free(bytes);
}

/* Some flips leave a schema that SQLite takes, with another meaning. */
static void a_schema_of_another_meaning_is_refused(void **state)
{
	static const char text[] = "CREATE TABLE events (seq INTEGER PRIMARY KEY, id BLOB";
	struct world *w = *state;
	size_t len;

	fill(w);
	char *bytes = read_file(sqlite_world_path(w), &len);
	char *at = memmem(bytes, len, text, strlen(text));
	assert_non_null(at);
	for (size_t bit = 0; bit < strlen(text) * 8; bit++) {
		at[bit / 8] ^= (char)(1 << bit % 8);
		write_file(sqlite_world_path(w), bytes, len);
		if (!open_damaged(w))
			fail_msg("opened with \"%.*s\"", (int)strlen(text), at);
		at[bit / 8] ^= (char)(1 << bit % 8);
	}
	free(bytes);
}

static void a_schema_changed_by_hand_is_refused(void **state)
{
	static const char *const theirs[][2] = {
		{"CREATE TABLE theirs (a)", "DROP TABLE theirs"},
		{"CREATE INDEX theirs ON events (id)", "DROP INDEX theirs"},
		{"CREATE TRIGGER theirs AFTER INSERT ON events BEGIN DELETE FROM routes; END",
		 "DROP TRIGGER theirs"},
	};
	struct world *w = *state;

	fill(w);
	sql_in_file(sqlite_world_path(w), "ANALYZE"); /* an operator may */
	assert_false(open_damaged(w));
	for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
		sql_in_file(sqlite_world_path(w), theirs[i][0]);
		expect_refusal(w, STORE_WRITE, "its schema is not the one of version 5");
		sql_in_file(sqlite_world_path(w), theirs[i][1]);
		assert_false(open_damaged(w));
	}
	sql_in_file(sqlite_world_path(w), "PRAGMA writable_schema=ON;"
					  "UPDATE sqlite_schema SET tbl_name = NULL"
					  " WHERE name = 'events'");
	assert_true(open_damaged(w));
}

static void a_lost_page_is_reported(void **state)
{
	struct world *w = *state;
	size_t len;

	fill(w);
	char *bytes = read_file(sqlite_world_path(w), &len);
	for (size_t page = 0; page < len / 4096; page++) {
		char *saved = xmalloc(4096);

		memcpy(saved, bytes + page * 4096, 4096);
		memset(bytes + page * 4096, 0, 4096);
		write_file(sqlite_world_path(w), bytes, len);
		if (!open_damaged(w))
			fail_msg("page %zu is gone, and nobody noticed", page + 1);
		memcpy(bytes + page * 4096, saved, 4096);
		free(saved);
	}
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SQLITE_WORLD(a_new_journal_appears_complete),
		IN_SQLITE_WORLD(one_relay_at_a_time_writes),
		IN_SQLITE_WORLD(reading_needs_a_journal),
		IN_SQLITE_WORLD(a_reader_changes_nothing),
		IN_SQLITE_WORLD(foreign_files_are_refused),
		IN_SQLITE_WORLD(versions_are_told_apart),
		IN_SQLITE_WORLD(an_older_journal_migrates),
		IN_SQLITE_WORLD(a_search_by_time_reads_nothing_older),
		IN_SQLITE_WORLD(a_log_without_its_journal_is_refused),
		IN_SQLITE_WORLD(a_folder_that_cannot_be_written_is_named),
		IN_SQLITE_WORLD(a_journal_cut_short_is_refused),
		IN_SQLITE_WORLD(a_damaged_header_never_starts_from_empty),
		IN_SQLITE_WORLD(a_flipped_byte_never_starts_from_empty),
		IN_SQLITE_WORLD(a_schema_of_another_meaning_is_refused),
		IN_SQLITE_WORLD(a_schema_changed_by_hand_is_refused),
		IN_SQLITE_WORLD(a_lost_page_is_reported),
	};
	return cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
