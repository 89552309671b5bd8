/* Tests of the SQLite back end's disk: when it fails, when it is full, and what is let go in time.
 */
#include "tests/suite/sqlite_world.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "relay/base/mem.h"

#define KEEP_MS FIXTURE_KEEP_MS
#define NOW_MS	(1763805600000LL + 1000 * KEEP_MS)

/* ---- a disk that fails */

struct fault {
	int code;
	bool lasting;
};
static const struct fault faults[] = {{SQLITE_FULL, true},	  {SQLITE_FULL, false},
				      {SQLITE_IOERR_WRITE, true}, {SQLITE_IOERR_WRITE, false},
				      {SQLITE_IOERR_FSYNC, true}, {SQLITE_IOERR_FSYNC, false}};

static struct batch *rich_batch(void)
{
	struct batch *b = world_events(30);

	for (uint32_t i = 0; i < 30; i++)
		fixture_recipient(b, 1, i);
	fixture_exception(fixture_settle(b, 1, 1), 1, EXCEPTION_RETRY);
	return b;
}

static void expect_rich(struct world *w, int64_t commits)
{
	struct delivery_routes r =
		world_routes(w, &(struct route_query){.destination = 1, .limit = 1000});

	assert_int_equal(world_latest(w, w->store), 30 * commits);
	assert_int_equal(r.n, 30 * commits);
	for (size_t i = 0; i < r.n; i++) {
		assert_int_equal(r.v[i].event.sequence, i + 1);
		assert_int_equal(r.v[i].prevsequence, i);
	}
	delivery_routes_release(&r);
}

/* Fails the n-th operation of a commit; false when it had fewer. */
static bool fail_commit_at(struct world *w, int n, struct fault fault)
{
	struct batch *b = rich_batch();
	int64_t commits = 1;

	sqlite_world_open(w);
	world_commit(w, rich_batch(), NULL);
	faulty_fail(n, fault.code, fault.lasting);
	int failed = store_sqlite.commit(w->store, &b, 1, &w->err);
	store_sqlite.tidy(w->store, NOW_MS);
	bool happened = faulty_heal();
	if (!failed)
		commits++;
	else
		assert_int_equal(w->err.code, fault.code == SQLITE_FULL ? ERR_LIMIT : ERR_IO);
	expect_rich(w, commits);
	if (failed) /* and now there is room */
		PASS(w, store_sqlite.commit(w->store, &b, 1, &w->err));
	expect_rich(w, 2);
	sqlite_world_close(w);
	sqlite_world_open(w);
	expect_rich(w, 2);
	batch_free(b);
	return happened;
}

static void a_commit_fails_cleanly_wherever_the_disk_does(void **state)
{
	struct world *w = *state;
	int places = 0;

	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		bool happened = true;

		for (int n = 1; happened; n += n < 8 ? 1 : 5) {
			happened = fail_commit_at(w, n, faults[i]);
			places += happened;
			sqlite_world_renew(w);
		}
	}
	assert_true(places > 20);
}

static void a_journal_is_made_whole_or_not_at_all(void **state)
{
	struct world *w = *state;
	bool happened = true;

	for (int n = 1; happened; n++) {
		faulty_fail(n, SQLITE_FULL, true);
		struct store *s = store_sqlite.open(w->options, STORE_WRITE, &w->err);
		happened = faulty_heal();
		if (!s)
			assert_non_null(strstr(w->err.msg, sqlite_world_path(w)));
		store_sqlite.close(s);
		sqlite_world_open(w);
		world_commit(w, world_events(1), NULL);
		sqlite_world_renew(w);
	}
}

static void the_log_is_checkpointed(void **state)
{
	struct world *w = *state;
	char *wal = xasprintf("%s-wal", sqlite_world_path(w));
	struct stat st;

	sqlite_world_open(w);
	for (int i = 0; i < 150; i++) {
		struct batch *b = batch_new();

		fixture_event(b, "recipient.sent", "r", i, 100000);
		world_commit(w, b, NULL);
		store_sqlite.tidy(w->store, NOW_MS);
	}
	assert_int_equal(stat(wal, &st), 0);
	assert_true(st.st_size < 1100 * 4120); /* of 15 MB written */
	assert_int_equal(world_latest(w, w->store), 150);
	free(wal);
}

/* ---- room */

static struct batch *verdict_batch(void)
{
	struct batch *b = batch_new();

	fixture_settle(b, 1, 1);
	return b;
}

static void without_free_space_only_verdicts_are_taken(void **state)
{
	struct world *w = *state;
	struct sqlite_options *o = w->options;
	struct batch *b = world_events(1), *group[] = {verdict_batch(), b};

	o->min_free = INT64_MAX / 2;
	sqlite_world_open(w);
	assert_int_equal(store_sqlite.commit(w->store, &b, 1, &w->err), -1);
	assert_int_equal(w->err.code, ERR_LIMIT);
	assert_non_null(strstr(w->err.msg, "journal full"));
	assert_int_equal(store_sqlite.commit(w->store, group, 2, &w->err), -1);
	world_commit(w, group[0], NULL);
	sqlite_world_close(w);
	o->min_free = 1;
	sqlite_world_open(w);
	world_commit(w, b, NULL);
}

static void above_its_ceiling_only_verdicts_are_taken(void **state)
{
	struct world *w = *state;
	struct sqlite_options *o = w->options;
	struct batch *b = world_events(100);
	struct stat st;
	int commits = 0;

	o->max_size = 10000000;
	sqlite_world_open(w);
	while (store_sqlite.commit(w->store, &b, 1, &w->err) == 0) {
		store_sqlite.tidy(w->store, NOW_MS);
		assert_true(++commits < 500);
	}
	assert_int_equal(w->err.code, ERR_LIMIT);
	assert_non_null(strstr(w->err.msg, "max_size"));
	batch_free(b);
	world_commit(w, verdict_batch(), NULL);
	sqlite_world_close(w);
	assert_int_equal(stat(sqlite_world_path(w), &st), 0);
	assert_in_range(st.st_size, 9000000, 16000000); /* it looks once a checkpoint */
}

/* ---- retention */

static void put_destinations(struct world *w)
{
	struct batch *b = batch_new();

	for (uint32_t i = 1; i <= 2; i++) {
		struct destination_record *d = batch_destination(b);

		d->number = i;
		d->name = xasprintf("dest-%u", i);
	}
	world_commit(w, b, NULL);
}

static void settle_to(struct world *w, uint32_t destination, int64_t position)
{
	struct batch *b = batch_new();

	fixture_settle(b, destination, position);
	world_commit(w, b, NULL);
}

static int64_t tidy_often(struct world *w, int64_t now_ms)
{
	int64_t oldest = 0;

	for (int i = 0; i < 10; i++)
		oldest = store_sqlite.tidy(w->store, now_ms);
	return oldest;
}

static size_t events_held(struct world *w)
{
	struct event_query q = {.limit = 100000};
	struct events e;

	PASS(w, store_sqlite.events(w->store, &q, &e, &w->err));
	size_t n = e.n;
	events_release(&e);
	return n;
}

static void old_settled_events_are_forgotten(void **state)
{
	struct world *w = *state;

	sqlite_world_open(w);
	put_destinations(w);
	for (int i = 0; i < 30; i++)
		world_commit(w, world_events(100), NULL);
	assert_int_equal(tidy_often(w, NOW_MS), 1);
	settle_to(w, 1, 2500);
	assert_int_equal(tidy_often(w, NOW_MS + KEEP_MS - 1), 1); /* not old enough */
	assert_int_equal(store_sqlite.tidy(w->store, NOW_MS + 2 * KEEP_MS), 501); /* in steps */
	assert_int_equal(tidy_often(w, NOW_MS + 2 * KEEP_MS), 2501); /* 2501… are not settled */
	settle_to(w, 1, 3000);
	assert_int_equal(tidy_often(w, NOW_MS + 3 * KEEP_MS), 3000); /* the last one stays */
	assert_int_equal(events_held(w), 1);
	world_reopen(w);
	world_commit(w, world_events(1), NULL);
	assert_int_equal(world_latest(w, w->store), 3001);
	struct delivery_routes r =
		world_routes(w, &(struct route_query){.destination = 1, .limit = 10});
	assert_int_equal(r.n, 2);
	assert_int_equal(r.v[1].prevsequence, 3000);
	delivery_routes_release(&r);
}

static void what_was_not_sent_is_kept(void **state)
{
	struct world *w = *state;
	struct batch *b = world_events(100);
	struct event_fates f;

	sqlite_world_open(w);
	put_destinations(w);
	b->routes[80].destination = 2; /* sequence 81 */
	struct settle *s = fixture_settle(b, 1, 100);
	fixture_exception(s, 10, EXCEPTION_PARKED);
	fixture_exception(s, 20, EXCEPTION_RETRY);
	world_commit(w, b, NULL);
	tidy_often(w, NOW_MS);
	world_commit(w, world_events(1), NULL);
	assert_int_equal(tidy_often(w, NOW_MS + 2 * KEEP_MS), 81); /* from there on all is held */
	assert_int_equal(events_held(w), 2 + 21);		   /* 10 and 20; 81 to 101 */
	PASS(w, store_sqlite.fates(w->store, 10, &f, &w->err));
	assert_int_equal(f.n, 1);
	assert_true(f.v[0].excepted);
	event_fates_release(&f);

	settle_to(w, 2, 81);
	b = batch_new();
	s = fixture_settle(b, 1, 101);
	s->gone = xcalloc(1, sizeof *s->gone);
	s->gone[s->ngone++] = 10;
	world_commit(w, b, NULL);
	assert_int_equal(tidy_often(w, NOW_MS + 4 * KEEP_MS), 101);
	assert_int_equal(events_held(w), 2); /* 20 and the last */
}

/* One event that waits for a person does not stop what comes behind it, however few calls there
 * are between two looks at what is old enough. */
static void a_parked_event_holds_up_nothing(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new();
	int64_t now_ms = NOW_MS;

	sqlite_world_open(w);
	put_destinations(w);
	for (int i = 0; i < 60; i++)
		world_commit(w, world_events(100), NULL);
	struct settle *s = fixture_settle(b, 1, 6000);
	fixture_exception(s, 5, EXCEPTION_PARKED);
	world_commit(w, b, NULL);
	tidy_often(w, now_ms);
	now_ms += 2 * KEEP_MS;
	for (int i = 0; i < 10; i++, now_ms += 11 * 60000) {
		store_sqlite.tidy(w->store, now_ms);
		store_sqlite.tidy(w->store, now_ms + 1);
	}
	assert_int_equal(events_held(w), 2); /* it, and the last */
	assert_int_equal(store_sqlite.tidy(w->store, now_ms), 6000);
}

/* From `oldest` on everything is held: subscribers learn by it that there is a gap. A restart does
 * not take a single event that is kept longer for it. */
static void the_oldest_outlives_a_restart(void **state)
{
	struct world *w = *state;
	struct batch *b = world_events(100);
	struct store_head head;

	sqlite_world_open(w);
	put_destinations(w);
	fixture_exception(fixture_settle(b, 1, 100), 10, EXCEPTION_PARKED);
	world_commit(w, b, NULL);
	tidy_often(w, NOW_MS);
	assert_int_equal(tidy_often(w, NOW_MS + 2 * KEEP_MS), 100);
	assert_int_equal(events_held(w), 2);
	world_reopen(w);
	PASS(w, store_sqlite.head(w->store, &head, &w->err));
	assert_int_equal(head.oldest, 100);
	store_head_release(&head);
	assert_int_equal(store_sqlite.tidy(w->store, NOW_MS), 100);
	world_commit(w, world_events(1), NULL);
	assert_int_equal(tidy_often(w, NOW_MS + 4 * KEEP_MS), 101);
	assert_int_equal(events_held(w), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SQLITE_WORLD(a_commit_fails_cleanly_wherever_the_disk_does),
		IN_SQLITE_WORLD(a_journal_is_made_whole_or_not_at_all),
		IN_SQLITE_WORLD(the_log_is_checkpointed),
		IN_SQLITE_WORLD(without_free_space_only_verdicts_are_taken),
		IN_SQLITE_WORLD(above_its_ceiling_only_verdicts_are_taken),
		IN_SQLITE_WORLD(old_settled_events_are_forgotten),
		IN_SQLITE_WORLD(what_was_not_sent_is_kept),
		IN_SQLITE_WORLD(a_parked_event_holds_up_nothing),
		IN_SQLITE_WORLD(the_oldest_outlives_a_restart),
	};
	return cmocka_run_group_tests_name("sqlite_disk", tests, NULL, NULL);
}
