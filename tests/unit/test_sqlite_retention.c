/* Tests of the SQLite back end's room: what is let go in time, and before it runs out. */
#include "tests/suite/sqlite_world.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "relay/base/mem.h"

#define KEEP_MS FIXTURE_KEEP_MS
#define NOW_MS	(1763805600000LL + 1000 * KEEP_MS)

/* The disk that the store sees, in place of this machine's. */
static int64_t disk_free = INT64_MAX;

int statvfs(const char *path, struct statvfs *ret)
{
	(void)path;
	*ret = (struct statvfs){.f_frsize = 4096, .f_bavail = (fsblkcnt_t)disk_free / 4096};
	return 0;
}

/* ---- room */

static struct batch *verdict_batch(void)
{
	struct batch *b = batch_new();

	fixture_settle(b, 1, 1);
	*batch_fold(b) = (struct fold_record){xstrdup("job"), xstrdup("1"), xstrdup("{}")};
	return b;
}

static struct store_room room_of(struct world *w)
{
	struct store_room room;

	PASS(w, store_sqlite.room(w->store, &room, &w->err));
	return room;
}

static void without_free_space_only_verdicts_are_taken(void **state)
{
	struct world *w = *state;
	struct sqlite_options *o = w->options;
	struct batch *b = world_events(1), *group[] = {verdict_batch(), b};

	disk_free = o->min_free = 1 << 30;
	sqlite_world_open(w);
	world_commit(w, world_events(1), NULL);
	assert_false(room_of(w).full);
	disk_free -= 4096;
	assert_int_equal(store_sqlite.commit(w->store, &b, 1, &w->err), -1);
	assert_int_equal(w->err.code, ERR_LIMIT);
	assert_non_null(strstr(w->err.msg, "journal full"));
	assert_true(room_of(w).full);
	assert_int_equal(room_of(w).free, disk_free);
	assert_int_equal(store_sqlite.commit(w->store, group, 2, &w->err), -1);
	world_commit(w, group[0], NULL);
	disk_free = o->min_free;
	assert_false(room_of(w).full);
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
		world_tidy(w, NOW_MS);
		assert_true(++commits < 500);
	}
	assert_int_equal(w->err.code, ERR_LIMIT);
	assert_non_null(strstr(w->err.msg, "max_size"));
	batch_free(b);
	world_commit(w, verdict_batch(), NULL);
	b = world_events(1); /* that it is full must be told */
	b->about_relay = true;
	world_commit(w, b, NULL);
	sqlite_world_close(w);
	assert_int_equal(stat(sqlite_world_path(w), &st), 0);
	assert_in_range(st.st_size, 9000000, 16000000); /* with what a log adds */
}

/* ---- retention */

static void put_destinations(struct world *w)
{
	struct batch *b = batch_new();

	fixture_destination(b, 1, DESTINATION_ENABLED);
	fixture_destination(b, 2, DESTINATION_ENABLED);
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
		oldest = world_tidy(w, now_ms);
	return oldest;
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
	assert_int_equal(tidy_often(w, NOW_MS + KEEP_MS - 1), 1);    /* not old enough */
	assert_int_equal(world_tidy(w, NOW_MS + 2 * KEEP_MS), 501);  /* in steps */
	assert_int_equal(tidy_often(w, NOW_MS + 2 * KEEP_MS), 2501); /* 2501… are not settled */
	settle_to(w, 1, 3000);
	assert_int_equal(tidy_often(w, NOW_MS + 3 * KEEP_MS), 3000); /* the last one stays */
	assert_int_equal(world_held(w), 1);
	world_reopen(w);
	world_commit(w, world_events(1), NULL);
	assert_int_equal(world_latest(w, w->store), 3001);
	struct delivery_routes r =
		world_routes(w, &(struct route_query){.destination = 1, .limit = 10});
	assert_int_equal(r.n, 2);
	assert_int_equal(r.v[1].prevsequence, 3000);
	delivery_routes_release(&r);
}

/* 2000 events that destination 1 has had and age allows to take from 2 * KEEP_MS on, and one more.
 */
static void put_old(struct world *w)
{
	sqlite_world_open(w);
	put_destinations(w);
	for (int i = 0; i < 20; i++)
		world_commit(w, world_events(100), NULL);
	settle_to(w, 1, 2000);
	assert_int_equal(tidy_often(w, NOW_MS), 1);
	world_commit(w, world_events(1), NULL);
}

static void what_may_not_be_taken_is_taken_later(void **state)
{
	struct world *w = *state;
	int64_t now_ms = NOW_MS + 2 * KEEP_MS;
	bool more;

	put_old(w);
	for (int i = 0; i < 3; i++) {
		int64_t before = 1 + 500 * i;
		assert_int_equal(store_sqlite.tidy(w->store, now_ms, false, &more), before);
		assert_true(more);
		assert_int_equal(world_held(w), 2002 - before);
		assert_int_equal(store_sqlite.tidy(w->store, now_ms, true, &more), before + 500);
		assert_true(more);
	}
	assert_int_equal(tidy_often(w, now_ms), 2001);
	store_sqlite.tidy(w->store, now_ms, false, &more);
	assert_false(more);
}

/* What is routed late is owed, though it lies where all was settled when it was looked last. */
static void a_late_route_is_not_overtaken(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new();
	int64_t now_ms = NOW_MS + 2 * KEEP_MS;

	put_old(w);
	assert_int_equal(world_tidy(w, now_ms), 501);
	*batch_late(b) = (struct late_route){1200, 2, 2};
	world_commit(w, b, NULL);
	assert_int_equal(tidy_often(w, now_ms), 1200);
	assert_int_equal(tidy_often(w, now_ms += 3600000), 1200);
	struct delivery_routes r =
		world_routes(w, &(struct route_query){.destination = 2, .limit = 10});
	assert_int_equal(r.n, 1);
	assert_int_equal(r.v[0].event.sequence, 1200);
	delivery_routes_release(&r);
	settle_to(w, 2, 1200);
	assert_int_equal(tidy_often(w, now_ms += 3600000), 2001);
	assert_int_equal(world_held(w), 1);
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
	assert_int_equal(world_held(w), 2 + 21);		   /* 10 and 20; 81 to 101 */
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
	assert_int_equal(world_held(w), 2); /* 20 and the last */
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
		world_tidy(w, now_ms);
		world_tidy(w, now_ms + 1);
	}
	assert_int_equal(world_held(w), 2); /* it, and the last */
	assert_int_equal(world_tidy(w, now_ms), 6000);
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
	assert_int_equal(world_held(w), 2);
	world_reopen(w);
	PASS(w, store_sqlite.head(w->store, &head, &w->err));
	assert_int_equal(head.oldest, 100);
	store_head_release(&head);
	assert_int_equal(world_tidy(w, NOW_MS), 100);
	world_commit(w, world_events(1), NULL);
	assert_int_equal(tidy_often(w, NOW_MS + 4 * KEEP_MS), 101);
	assert_int_equal(world_held(w), 2);
}

/* ---- pressure */

#define MAX_SIZE 10000000

/* Until it takes no more; returns the last sequence. */
static int64_t fill_up(struct world *w)
{
	struct batch *b = world_events(100);
	int64_t last = 0;

	while (store_sqlite.commit(w->store, &b, 1, &w->err) == 0) {
		last = b->events.v[99].sequence;
		world_tidy(w, NOW_MS);
		assert_true(last < 50000);
	}
	assert_int_equal(w->err.code, ERR_LIMIT);
	batch_free(b);
	return last;
}

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

static void a_full_journal_goes_on_when_its_callbacks_are_delivered(void **state)
{
	struct world *w = *state;
	struct sqlite_options *o = w->options;
	int64_t now_ms = NOW_MS, settled = 0;

	o->max_size = MAX_SIZE;
	sqlite_world_open(w);
	put_destinations(w);
	for (int round = 0; round < 4; round++, now_ms += 2000) {
		int64_t last = fill_up(w);

		assert_true(room_of(w).full);
		tidy_until_done(w, now_ms += 2000);
		size_t held = world_held(w);
		assert_true((int64_t)held >= last - settled); /* what was not sent */
		assert_int_equal(room_of(w).full, round == 0);
		settle_to(w, 1, last);
		settled = last;
		tidy_until_done(w, now_ms += 2000); /* and that is no moment */
		struct store_room room = room_of(w);
		assert_false(room.full);
		assert_in_range(room.used, MAX_SIZE / 100 * 80, MAX_SIZE / 100 * 85);
		assert_in_range(world_held(w), held / 2, held);
		assert_int_equal(world_latest(w, w->store), last);
		if (round == 2)
			world_reopen(w);
	}
	world_commit(w, world_events(1), NULL);
}

/* Sequences go before age, but never before what somebody is owed. */
static void under_pressure_what_was_not_sent_stays(void **state)
{
	struct world *w = *state;
	struct sqlite_options *o = w->options;
	struct batch *b = batch_new();

	o->max_size = MAX_SIZE;
	sqlite_world_open(w);
	put_destinations(w);
	int64_t last = fill_up(w);
	struct settle *s = fixture_settle(b, 1, 300);
	fixture_exception(s, 5, EXCEPTION_PARKED);
	fixture_exception(s, 7, EXCEPTION_RETRY);
	world_commit(w, b, NULL);
	tidy_until_done(w, NOW_MS + 2000);
	assert_int_equal(world_held(w), last - 298);
	struct delivery_routes r =
		world_routes(w, &(struct route_query){.destination = 1, .limit = 3});
	assert_int_equal(r.n, 3);
	assert_int_equal(r.v[0].event.sequence, 5);
	assert_int_equal(r.v[1].event.sequence, 7);
	assert_int_equal(r.v[2].event.sequence, 301);
	delivery_routes_release(&r);
	settle_to(w, 1, last);
	tidy_until_done(w, NOW_MS + 4000);
	assert_in_range(room_of(w).used, MAX_SIZE / 100 * 80, MAX_SIZE / 100 * 85);
}

static void without_pressure_age_counts(void **state)
{
	struct world *w = *state;
	struct sqlite_options *o = w->options;

	o->max_size = MAX_SIZE;
	sqlite_world_open(w);
	put_destinations(w);
	while (room_of(w).used < MAX_SIZE / 100 * 85) {
		world_commit(w, world_events(100), NULL);
		settle_to(w, 1, world_latest(w, w->store));
		world_tidy(w, NOW_MS);
	}
	tidy_until_done(w, NOW_MS + 3600000);
	assert_int_equal(world_held(w), world_latest(w, w->store));
	tidy_until_done(w, NOW_MS + 4 * KEEP_MS);
	assert_int_equal(world_held(w), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SQLITE_WORLD(without_free_space_only_verdicts_are_taken),
		IN_SQLITE_WORLD(above_its_ceiling_only_verdicts_are_taken),
		IN_SQLITE_WORLD(old_settled_events_are_forgotten),
		IN_SQLITE_WORLD(what_may_not_be_taken_is_taken_later),
		IN_SQLITE_WORLD(a_late_route_is_not_overtaken),
		IN_SQLITE_WORLD(what_was_not_sent_is_kept),
		IN_SQLITE_WORLD(a_parked_event_holds_up_nothing),
		IN_SQLITE_WORLD(the_oldest_outlives_a_restart),
		IN_SQLITE_WORLD(a_full_journal_goes_on_when_its_callbacks_are_delivered),
		IN_SQLITE_WORLD(under_pressure_what_was_not_sent_stays),
		IN_SQLITE_WORLD(without_pressure_age_counts),
	};
	return cmocka_run_group_tests_name("sqlite_retention", tests, NULL, NULL);
}
