/* planner and chase before a model of the API: whatever its list is sorted by and its counters are
 * worth, all changes are found, and no requests are made for nothing. */
#include "tests/unit/chase_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS	 8 /* of each mood */
#define MINUTE	 60000
#define HOUR	 (60 * MINUTE)
#define PER_HOUR (RIG_PER_S * 3600) /* requests */

static const char *const orders[] = {"created", "updated", "id", "shuffled", "moving"};
static const char *const counters[] = {"exact", "lagging", "absent", "wrong"};

static void fail_mood(const char *what, struct mood mood, unsigned seed, size_t n)
{
	fail_msg("%s: %zu; order %s, counters %s, %s, seed %u", what, n, orders[mood.order],
		 counters[mood.counters], mood.uncounted ? "no counts" : "counts", seed);
}

/* Calls a test for every mood and some seeds. */
static void in_moods(void (*test)(struct mood mood, unsigned seed), unsigned seeds)
{
	for (int order = 0; order < RIG_ORDERS; order++)
		for (int counted = 0; counted < RIG_COUNTERS; counted++)
			for (unsigned seed = 0; seed < 2 * seeds; seed++)
				test((struct mood){(enum rig_order)order,
						   (enum rig_counters)counted, seed % 2},
				     seed);
}

static void find_all(struct mood mood, unsigned seed)
{
	struct rig r;

	chase_rig_open(&r, 3 * MINUTE, seed);
	struct model *m = chase_rig_follow(&r, mood, 20 + 70 * seed);
	m->wrong = seed % 3 ? 3 : -2;
	m->per_s = 0.2 + seed % 4;
	m->added = 10;
	m->fallen = 5;
	m->removed = 2;
	chase_rig_run(&r, 2 * MINUTE);
	m->per_s = 0;
	chase_rig_run(&r, 8 * MINUTE); /* two full sweeps: a row that was not seen twice is gone */
	if (chase_rig_differing(m))
		fail_mood("rows differ", mood, seed, chase_rig_differing(m));
	chase_rig_close(&r);
}

static void in_every_mood_all_is_found(void **state)
{
	(void)state;
	in_moods(find_all, SEEDS);
}

/* All is found without another sweep where counters and counts are exact and rows can be found; now
 * and then a list that moved while it was searched is taken for a surprise. */
static void exact_counters_need_no_sweep(void **state)
{
	unsigned swept = 0;

	(void)state;
	for (unsigned seed = 0; seed < 120; seed++) {
		struct mood mood = {(enum rig_order)(seed % MOVING), EXACT, false};
		struct rig r;
		chase_rig_open(&r, RIG_NEVER, seed);
		struct model *m = chase_rig_follow(&r, mood, 50 + 10 * seed);
		chase_rig_settle(&r);
		uint32_t sweeps = r.asked[FOR_SWEEP];
		m->per_s = 0.5 + seed % 5;
		m->added = mood.order == BY_ID || mood.order == SHUFFLED ? 0 : 10;
		chase_rig_run(&r, 2 * MINUTE);
		m->per_s = 0;
		chase_rig_run(&r, 3 * MINUTE);
		if (chase_rig_differing(m))
			fail_mood("rows differ", mood, seed, chase_rig_differing(m));
		swept += r.asked[FOR_SWEEP] != sweeps;
		chase_rig_close(&r);
	}
	assert_in_range(swept, 0, 3);
}

/* Opened here and there among 300 pages: where a few are due they are searched, many are read
 * round, by either order, and no page twice. */
static void many_are_cycled_and_few_searched(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 4; seed++) {
		struct mood mood = {seed % 2 ? BY_CREATED : BY_ID, EXACT, false};
		struct rig r;
		chase_rig_open(&r, RIG_NEVER, seed);
		struct model *m = chase_rig_follow(&r, mood, 40000);
		for (size_t i = 0; i < m->n; i++)
			if (i % 4)
				chase_rig_raise(&r, m, i, ASK_OPENED);
		chase_rig_settle(&r);
		uint32_t cycled = r.asked[FOR_CYCLE];
		for (size_t i = 0; i < 20; i++)
			chase_rig_raise(&r, m, i * 1900, ASK_OPENED);
		chase_rig_run(&r, MINUTE);
		assert_int_equal(chase_rig_differing(m), 0);
		assert_int_equal(r.asked[FOR_CYCLE], cycled);
		uint32_t searched = r.asked[FOR_SEARCH];
		for (size_t i = 2; i < 4000; i++)
			chase_rig_raise(&r, m, i * 8, ASK_OPENED);
		chase_rig_run(&r, 2 * MINUTE);
		assert_int_equal(chase_rig_differing(m), 0);
		if (r.asked[FOR_CYCLE] - cycled + r.asked[FOR_SEARCH] - searched > 380)
			fail_mood("pages", mood, seed, r.asked[FOR_CYCLE] - cycled);
		assert_in_range(r.asked[FOR_CYCLE] - cycled, 200, 380);
		chase_rig_close(&r);
	}
}

/* Sorted by updated_at, and so much changes that pages slide on while they are read: nothing is
 * passed over, and no more is read than what changed. */
static void crowds_are_read_at_the_newest_end(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		struct mood mood = {BY_UPDATED, EXACT, false};
		struct rig r;
		chase_rig_open(&r, RIG_NEVER, seed);
		struct model *m = chase_rig_follow(&r, mood, 4000);
		chase_rig_settle(&r);
		uint32_t sweeps = r.asked[FOR_SWEEP], newest = r.asked[FOR_NEWEST];
		m->per_s = 20 + 2 * seed;
		chase_rig_run(&r, 2 * MINUTE);
		double changes = m->per_s * 120;
		newest = r.asked[FOR_NEWEST] - newest;
		if (newest > 2.2 * changes / 100 + 60)
			fail_mood("pages for what one half has", mood, seed, newest);
		m->per_s = 0;
		chase_rig_run(&r, MINUTE / 2);
		if (chase_rig_differing(m))
			fail_mood("rows differ", mood, seed, chase_rig_differing(m));
		assert_int_equal(r.asked[FOR_SWEEP], sweeps);
		chase_rig_close(&r);
	}
}

/* Where no counter tells, the newest rows are read as often as failures would be peeked at, and
 * nothing slides by them; of its filters the list is asked once in a while. */
static void without_counters_the_newest_rows_are_looked_at(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		struct mood mood = {BY_UPDATED, ABSENT, false};
		struct rig r;
		chase_rig_open(&r, RIG_NEVER, seed);
		struct model *m = chase_rig_follow(&r, mood, 4000);
		chase_rig_settle(&r);
		m->per_s = 2 + 2 * seed;
		chase_rig_run(&r, MINUTE); /* the order shows */
		m->per_s = 0;
		chase_rig_run(&r, 5 * MINUTE);
		uint32_t sweeps = r.asked[FOR_SWEEP], peeks = r.asked[FOR_PEEK];
		m->per_s = 2 + 2 * seed;
		chase_rig_run(&r, 5 * MINUTE);
		m->per_s = 0;
		chase_rig_run(&r, MINUTE / 4);
		if (chase_rig_differing(m))
			fail_mood("rows differ", mood, seed, chase_rig_differing(m));
		assert_int_equal(r.asked[FOR_SWEEP], sweeps);
		assert_in_range(r.asked[FOR_PEEK] - peeks, 1, 5 * MINUTE / RIG_MOST + 2);
		chase_rig_close(&r);
	}
}

/* What changed before the order was known is left to the first sweep; then nothing is left. */
/* Long ago, in another order than they were made: it shows what the list is sorted by. */
static void touch_all(struct rig *r, struct model *m)
{
	for (size_t i = 0; i < m->n; i++) {
		size_t row = i * 7919 % m->n;
		chase_rig_raise(r, m, row, ASK_SENT);
		m->rows[row].updated_ms += (int64_t)i;
	}
}

/* A page of a filter that is peeked at shows the newest of many changes first: the newest rows are
 * known then, and those behind them are not. */
static void what_a_peek_shows_hides_nothing(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 3; seed++) {
		struct mood mood = {BY_UPDATED, ABSENT, false};
		struct rig r;
		chase_rig_open(&r, RIG_NEVER, seed);
		struct model *m = chase_rig_follow(&r, mood, 40000);
		touch_all(&r, m);
		chase_rig_settle(&r);
		m->over = true; /* filters are peeked at as often as the newest rows */
		struct chase *c = &m->followed.track->chase;
		for (unsigned burst = 0; burst < 6; burst++) {
			chase_rig_run(&r, 10 * MINUTE + burst * 17000);
			c->newest.began_ms = r.now; /* just before */
			for (size_t i = 0; i < 900; i++)
				chase_rig_raise(&r, m, (burst * 900 + i) * 7919 % m->n, ASK_PLAYED);
			int64_t then = r.now;
			while (c->asked_ms[ASK_PLAYED] <= then)
				chase_rig_run(&r, 1000);
			chase_rig_run(&r, 8000); /* before all is read once more, as it is over */
			if (chase_rig_differing(m))
				fail_mood("rows differ", mood, seed, chase_rig_differing(m));
		}
		chase_rig_close(&r);
	}
}

static void what_was_left_is_forgotten_once_found(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		struct mood mood = {BY_UPDATED, EXACT, false};
		struct rig r;
		chase_rig_open(&r, RIG_NEVER, seed);
		struct model *m = chase_rig_follow(&r, mood, 3000);
		m->per_s = 30;
		chase_rig_run(&r, MINUTE);
		m->per_s = 0;
		chase_rig_settle(&r);
		chase_rig_run(&r, MINUTE);
		uint32_t sweeps = r.asked[FOR_SWEEP];
		m->per_s = 0.1;
		chase_rig_run(&r, MINUTE);
		m->per_s = 0;
		chase_rig_run(&r, MINUTE / 2);
		if (chase_rig_differing(m))
			fail_mood("rows differ", mood, seed, chase_rig_differing(m));
		assert_int_equal(r.asked[FOR_SWEEP], sweeps);
		chase_rig_close(&r);
	}
}

static void nothing_due_asks_for_the_list_only(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < RIG_ORDERS * 4; seed++) {
		struct mood mood = {(enum rig_order)(seed % RIG_ORDERS), EXACT, seed / 5 % 2};
		struct rig r;
		chase_rig_open(&r, RIG_NEVER, seed);
		chase_rig_follow(&r, mood, 100 + 40 * seed);
		chase_rig_settle(&r);
		chase_rig_run(&r, 3 * MINUTE);
		uint32_t all = chase_rig_requests(&r), lists = r.asked[FOR_LIST],
			 peeks = r.asked[FOR_PEEK];
		chase_rig_run(&r, HOUR);
		all = chase_rig_requests(&r) - all;
		lists = r.asked[FOR_LIST] - lists;
		peeks = r.asked[FOR_PEEK] - peeks;
		if (all != lists + peeks || peeks > HOUR / RIG_MOST + 1)
			fail_mood("asked beside the list", mood, seed, all - lists);
		if (lists < HOUR / RIG_EVERY - 1 || lists > HOUR / RIG_EVERY + 1)
			fail_mood("lists", mood, seed, lists);
		chase_rig_close(&r);
	}
}

/* Each filter, and the newest rows, once in poll_every_max; and what changes after all is found. */
static void what_is_over_is_looked_at_now_and_then(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < RIG_ORDERS * 2; seed++) {
		struct mood mood = {(enum rig_order)(seed % RIG_ORDERS), ABSENT, false};
		struct rig r;
		chase_rig_open(&r, RIG_NEVER, seed);
		struct model *m = chase_rig_follow(&r, mood, 100 + 40 * seed);
		m->over = true;
		touch_all(&r, m);
		chase_rig_settle(&r);
		chase_rig_run(&r, 3 * MINUTE);
		uint32_t others = chase_rig_requests(&r) - r.asked[FOR_LIST];
		chase_rig_run(&r, HOUR);
		others = chase_rig_requests(&r) - r.asked[FOR_LIST] - others;
		if (others > (ASKS + 1) * HOUR / RIG_MOST)
			fail_mood("asked beside the list", mood, seed, others);
		chase_rig_raise(&r, m, 3, ASK_OPENED);
		chase_rig_run(&r, 3 * RIG_MOST);
		if (chase_rig_differing(m))
			fail_mood("rows differ", mood, seed, chase_rig_differing(m));
		chase_rig_close(&r);
	}
}

/* Of 300 rows that were opened and 300 others that were delivered, those held as opened in time.
 * No row has both flags: a page of the one list shows nothing of the other. */
static long opened_in_time(unsigned awaited, unsigned seed)
{
	struct rig r;

	chase_rig_open(&r, RIG_NEVER, seed);
	planner_await(r.planner, (uint16_t)(1U << awaited));
	struct model *m = chase_rig_follow(&r, (struct mood){SHUFFLED, EXACT, false}, 20000);
	for (size_t i = 0; i < m->n; i++)
		if (i % 4 < 2)
			chase_rig_raise(&r, m, i, i % 4 ? ASK_OPENED : ASK_DELIVERED);
	chase_rig_settle(&r);
	long before = (long)planes_total(planes_of(&m->followed), ASK_OPENED);
	for (size_t i = 0; i < 300; i++) {
		chase_rig_raise(&r, m, i * 64 + 2, ASK_OPENED);
		chase_rig_raise(&r, m, i * 64 + 3, ASK_DELIVERED);
	}
	chase_rig_run(&r, MINUTE / 3);
	long held = (long)planes_total(planes_of(&m->followed), ASK_OPENED) - before;
	chase_rig_close(&r);
	return held;
}

static void what_is_awaited_comes_first(void **state)
{
	long awaited = 0, other = 0;

	(void)state;
	for (unsigned seed = 0; seed < 4; seed++) {
		awaited += opened_in_time(ASK_OPENED, seed);
		other += opened_in_time(ASK_DELIVERED, seed);
	}
	if (awaited <= other)
		fail_msg("opened in time: %ld when awaited, %ld when not", awaited, other);
	print_message("# awaited=%ld other=%ld\n", awaited, other);
}

/* A count that no page can bring is given up: of the budget a tenth is the most it costs. */
static void ask_within_bounds(struct mood mood, unsigned seed)
{
	struct rig r;

	chase_rig_open(&r, RIG_NEVER, seed);
	struct model *m = chase_rig_follow(&r, mood, 100 + 150 * seed);
	m->wrong = seed % 2 ? -2 : 0;
	chase_rig_settle(&r);
	m->wrong = seed % 2 ? 5 : -3;
	uint32_t all = chase_rig_requests(&r), lists = r.asked[FOR_LIST];
	chase_rig_run(&r, HOUR);
	uint32_t others = chase_rig_requests(&r) - all - (r.asked[FOR_LIST] - lists);
	if (others > PER_HOUR / 10)
		fail_mood("requests in an hour", mood, seed, others);
	chase_rig_close(&r);
}

static void what_cannot_be_had_is_given_up(void **state)
{
	(void)state;
	in_moods(ask_within_bounds, 2);
}

static uint32_t filtered(const struct rig *r)
{
	return chase_rig_requests(r) - r->asked[FOR_LIST] - r->asked[FOR_SWEEP];
}

/* An API that obeys no filter is swept where it moves, and tried now and then: filters it obeys
 * later are used again. */
static void filters_are_tried_again(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 8; seed++) {
		struct mood mood = {BY_CREATED, EXACT, seed % 2};
		struct rig r;
		chase_rig_open(&r, RIG_NEVER, seed);
		struct model *m = chase_rig_follow(&r, mood, 1000 + 50 * seed);
		const struct chase *c = &m->followed.track->chase;
		m->disobeys = true;
		chase_rig_settle(&r);
		m->per_s = 0.04;
		chase_rig_run(&r, 5 * MINUTE);
		assert_true(c->ignored);
		uint32_t tried = filtered(&r);
		for (unsigned i = 0; i < 6; i++) { /* whenever that is, nothing is missed */
			m->followed.track->surprised_ms = r.now; /* nor does a surprise help */
			m->per_s = 0.04;
			chase_rig_run(&r, 28 * MINUTE);
			m->per_s = 0;
			chase_rig_run(&r, 2 * MINUTE);
			if (chase_rig_differing(m))
				fail_mood("rows differ", mood, seed, chase_rig_differing(m));
		}
		if (filtered(&r) - tried < 2 || filtered(&r) - tried > 10)
			fail_mood("filters tried in 3 hours", mood, seed, filtered(&r) - tried);
		m->disobeys = false;
		m->per_s = 0.04;
		chase_rig_run(&r, 2 * HOUR);
		assert_false(c->ignored);
		uint32_t sweeps = r.asked[FOR_SWEEP];
		tried = filtered(&r);
		chase_rig_run(&r, 28 * MINUTE);
		m->per_s = 0;
		chase_rig_run(&r, 2 * MINUTE);
		if (chase_rig_differing(m))
			fail_mood("rows differ later", mood, seed, chase_rig_differing(m));
		assert_true(filtered(&r) > tried + 20);
		assert_in_range(r.asked[FOR_SWEEP] - sweeps, 0, 20);
		chase_rig_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_every_mood_all_is_found),
		cmocka_unit_test(exact_counters_need_no_sweep),
		cmocka_unit_test(many_are_cycled_and_few_searched),
		cmocka_unit_test(crowds_are_read_at_the_newest_end),
		cmocka_unit_test(without_counters_the_newest_rows_are_looked_at),
		cmocka_unit_test(what_a_peek_shows_hides_nothing),
		cmocka_unit_test(what_was_left_is_forgotten_once_found),
		cmocka_unit_test(nothing_due_asks_for_the_list_only),
		cmocka_unit_test(what_is_over_is_looked_at_now_and_then),
		cmocka_unit_test(what_is_awaited_comes_first),
		cmocka_unit_test(what_cannot_be_had_is_given_up),
		cmocka_unit_test(filters_are_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
