/* Tests of the SQLite back end's farewell to destinations that nobody wants. */
#include "tests/suite/sqlite_world.h"

#include <sqlite3.h>

#include "relay/base/mem.h"

#define NOW_MS (1763805600000LL + 1000 * FIXTURE_KEEP_MS)

static int tidy_until_done(struct world *w, int64_t now_ms)
{
	bool more = true;
	int calls = 0;

	for (; more; calls++) {
		store_sqlite.tidy(w->store, now_ms, true, &more);
		assert_true(calls < 1000);
	}
	return calls;
}

static int64_t rows_in_file(struct world *w, const char *table, int destination)
{
	char *sql = xasprintf("SELECT count(*) FROM %s WHERE dest = %d", table, destination);
	sqlite3_stmt *st;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(sqlite_world_path(w), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	free(sql);
	return n;
}

static int64_t rows_of_all_tables(struct world *w, int destination)
{
	static const char *const tables[] = {"routes", "attempts", "exceptions", "heads",
					     "cursors"};
	int64_t n = 0;

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		n += rows_in_file(w, tables[i], destination);
	return n;
}

/* 6,000 routes to 1; all but 60 of them to 2 as well, with 40 topics, attempts and exceptions. */
static void put_two(struct world *w)
{
	for (int i = 0; i < 60; i++) {
		struct batch *b = world_events(100);

		if (i == 0) {
			fixture_destination(b, 1, DESTINATION_ENABLED);
			fixture_destination(b, 2, DESTINATION_DETACHED);
		}
		for (size_t k = 1; k < 100; k++) {
			struct route *r = batch_route(b);

			*r = (struct route){.event = k, .destination = 2, .rule = 1};
			r->topical = true;
			r->topic = xasprintf("t%zu", k % 40);
		}
		struct settle *s = fixture_settle(b, 2, 0);
		fixture_exception(s, i * 100 + 50, EXCEPTION_PARKED);
		s->attempts = xcalloc(1, sizeof *s->attempts);
		s->attempts[s->nattempts++] =
			(struct attempt){2, i * 100 + 50, NOW_MS, 5, 1, xstrdup("404")};
		world_commit(w, b, NULL);
	}
}

static void a_dropped_destination_goes_in_steps(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new();
	int64_t before, now;

	sqlite_world_open(w);
	put_two(w);
	before = rows_of_all_tables(w, 2);
	assert_int_equal(before, 60 * 99 + 60 + 60 + 40 + 1);
	fixture_destination(b, 2, DESTINATION_DROPPED);
	world_commit(w, b, NULL);
	for (bool more = true; more;) {
		store_sqlite.tidy(w->store, NOW_MS, true, &more);
		now = rows_of_all_tables(w, 2);
		assert_true(before - now <= 2001); /* and its cursor */
		assert_true(now < before || !more);
		before = now;
		if (now > 2000 && now < 4000)
			world_reopen(w);
	}
	assert_int_equal(rows_of_all_tables(w, 2), 0);
	assert_int_equal(rows_in_file(w, "routes", 1), 6000);
	assert_int_equal(tidy_until_done(w, NOW_MS), 1);
}

/* A detached one that nobody looks after holds up retention; dropped, it does not. */
static void a_dropped_destination_holds_up_nothing(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new(), *settled = batch_new();

	sqlite_world_open(w);
	put_two(w);
	fixture_settle(settled, 1, 6000);
	world_commit(w, settled, NULL);
	tidy_until_done(w, NOW_MS);
	tidy_until_done(w, NOW_MS + 2 * FIXTURE_KEEP_MS);
	assert_int_equal(world_held(w), 6000 - 1);
	fixture_destination(b, 2, DESTINATION_DROPPED);
	world_commit(w, b, NULL);
	tidy_until_done(w, NOW_MS + 4 * FIXTURE_KEEP_MS);
	assert_int_equal(world_held(w), 1);
	assert_int_equal(rows_of_all_tables(w, 1), 1 + 1 + 1); /* route, cursor, head */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SQLITE_WORLD(a_dropped_destination_goes_in_steps),
		IN_SQLITE_WORLD(a_dropped_destination_holds_up_nothing),
	};
	return cmocka_run_group_tests_name("sqlite_dropped", tests, NULL, NULL);
}
