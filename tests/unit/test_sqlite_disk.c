/* Tests of the SQLite back end's disk: what a write that fails leaves. */
#include "tests/suite/sqlite_world.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "relay/base/mem.h"

#define NOW_MS (1763805600000LL + 1000 * FIXTURE_KEEP_MS)

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
	world_tidy(w, NOW_MS);
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

#define EXCEPTED 20

static struct batch *verdicts(void)
{
	struct batch *b = batch_new();
	struct settle *s = fixture_settle(b, 1, 60);

	s->attempts = xcalloc(EXCEPTED, sizeof *s->attempts);
	for (int64_t i = 1; i <= EXCEPTED; i++) {
		fixture_exception(s, i, i % 2 ? EXCEPTION_RETRY : EXCEPTION_PARKED);
		s->attempts[s->nattempts++] =
			(struct attempt){1, i, NOW_MS, 5, 1, xstrdup("503: later")};
	}
	return b;
}

static void expect_verdicts(struct world *w, bool there)
{
	struct event_fates f;
	struct store_head h;

	PASS(w, store_sqlite.head(w->store, &h, &w->err));
	assert_int_equal(h.destinations[0].cursor.position, there ? 60 : 0);
	assert_int_equal(h.nexceptions, there ? EXCEPTED : 0);
	store_head_release(&h);
	PASS(w, store_sqlite.fates(w->store, EXCEPTED, &f, &w->err));
	assert_int_equal(f.v[0].nattempts, there);
	event_fates_release(&f);
}

/* As fail_commit_at; of verdicts, which are taken when nothing else is. */
static bool fail_verdicts_at(struct world *w, int n, struct fault fault)
{
	struct batch *b = verdicts(), *first = world_events(60);

	fixture_destination(first, 1, DESTINATION_ENABLED);
	sqlite_world_open(w);
	world_commit(w, first, NULL);
	faulty_fail(n, fault.code, fault.lasting);
	int failed = store_sqlite.commit(w->store, &b, 1, &w->err);
	world_tidy(w, NOW_MS);
	bool happened = faulty_heal();
	expect_verdicts(w, !failed);
	if (failed)
		PASS(w, store_sqlite.commit(w->store, &b, 1, &w->err));
	batch_free(b);
	expect_verdicts(w, true);
	sqlite_world_close(w);
	sqlite_world_open(w);
	expect_verdicts(w, true);
	return happened;
}

typedef bool fail_fn(struct world *w, int n, struct fault fault);

/* Each operation in turn, with each fault; returns how many there were. */
static int fail_everywhere(struct world *w, fail_fn *fail_at)
{
	int places = 0;

	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		bool happened = true;

		for (int n = 1; happened; n += n < 8 ? 1 : 5) {
			happened = fail_at(w, n, faults[i]);
			places += happened;
			sqlite_world_renew(w);
		}
	}
	return places;
}

static void a_commit_fails_cleanly_wherever_the_disk_does(void **state)
{
	assert_true(fail_everywhere(*state, fail_commit_at) > 20);
}

static void so_do_verdicts(void **state)
{
	assert_true(fail_everywhere(*state, fail_verdicts_at) > 20);
}

/* Sixty events that everybody has had, and forty that one is owed who is dropped. */
static void make_work(struct world *w)
{
	struct batch *b = world_events(100), *dropped = batch_new();

	fixture_destination(b, 1, DESTINATION_ENABLED);
	fixture_destination(b, 2, DESTINATION_ENABLED);
	for (int i = 60; i < 100; i++)
		b->routes[i].destination = 2;
	fixture_exception(fixture_settle(b, 2, 90), 80, EXCEPTION_PARKED);
	sqlite_world_open(w);
	world_commit(w, b, NULL);
	fixture_destination(dropped, 2, DESTINATION_DROPPED);
	fixture_settle(dropped, 1, 100);
	world_commit(w, dropped, NULL);
	world_tidy(w, NOW_MS - 2 * FIXTURE_KEEP_MS);
}

static bool fail_tidy_at(struct world *w, int n, struct fault fault)
{
	struct event_query q = {.limit = 1000};
	struct events events;
	bool more = true;

	make_work(w);
	faulty_fail(n, fault.code, fault.lasting);
	for (int i = 0; i < 4; i++)
		world_tidy(w, NOW_MS);
	bool happened = faulty_heal();
	sqlite_world_close(w);
	sqlite_world_open(w);
	while (more)
		store_sqlite.tidy(w->store, NOW_MS + FIXTURE_KEEP_MS, true, &more);
	PASS(w, store_sqlite.events(w->store, &q, &events, &w->err));
	assert_int_equal(events.n, 1); /* the last */
	events_release(&events);
	struct delivery_routes r =
		world_routes(w, &(struct route_query){.destination = 2, .limit = 1});
	assert_int_equal(r.n, 0);
	delivery_routes_release(&r);
	return happened;
}

static void housekeeping_goes_on_after_the_disk_failed(void **state)
{
	assert_true(fail_everywhere(*state, fail_tidy_at) > 20);
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
		world_tidy(w, NOW_MS);
	}
	assert_int_equal(stat(wal, &st), 0);
	assert_true(st.st_size < 1100 * 4120); /* of 15 MB written */
	assert_int_equal(world_latest(w, w->store), 150);
	free(wal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SQLITE_WORLD(a_commit_fails_cleanly_wherever_the_disk_does),
		IN_SQLITE_WORLD(so_do_verdicts),
		IN_SQLITE_WORLD(housekeeping_goes_on_after_the_disk_failed),
		IN_SQLITE_WORLD(a_journal_is_made_whole_or_not_at_all),
		IN_SQLITE_WORLD(the_log_is_checkpointed),
	};
	return cmocka_run_group_tests_name("sqlite_disk", tests, NULL, NULL);
}
