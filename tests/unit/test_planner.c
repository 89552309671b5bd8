/* planner: lists and sweeps in turn, what counts as a complete sweep, and that nothing spins or
 * starves. Time is a number here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/random.h"
#include "relay/source/planner_parts.h"

static char *orgs[] = {(char *)"c", (char *)"org_2"};

static struct source_options options(void)
{
	return (struct source_options){.orgs = {orgs, 1},
				       .rate_limit = 7.5,
				       .poll_every_ms = 5000,
				       .poll_every_max_ms = 300000,
				       .full_sweep_every_ms = 6 * 3600000};
}

static struct planner *planner(void)
{
	struct source_options o = options();

	return planner_new(&o);
}

/* Of an API that obeys no filter: only sweeps find changes. */
static void follow(struct planner *p, struct followed *b, bool baseline_done)
{
	if (!b->held)
		b->held = held_new();
	b->record.org = orgs[0];
	b->record.baseline_done = baseline_done;
	planner_add(p, b, 0);
	b->track->chase.ignored = true;
	b->track->chase.ignored_ms = 1000 * INT64_C(86400000); /* not tried again */
}

static void unfollow(struct planner *p, struct followed *b)
{
	planner_remove(p, b);
	held_free(b->held);
	*b = (struct followed){0};
}

static void listed(struct planner *p, struct followed *b, bool moved, bool live, int64_t now)
{
	planner_listed(p, b, &(struct planner_entry){.moved = moved, .live = live}, now);
}

static struct plan next(struct planner *p, int64_t now)
{
	struct plan plan;

	planner_next(p, now, &plan);
	return plan;
}

/* Takes a list page out of the way: one page, nothing behind it. */
static void list(struct planner *p, int64_t now)
{
	struct plan plan = next(p, now);
	struct plan_answer a = {.count = 1, .rows = 1, .hash = 1};

	assert_int_equal(plan.kind, PLAN_LIST);
	planner_read(p, &plan, &a, now);
}

struct page {
	int64_t count;
	size_t rows, fresh, skipped;
	uint64_t hash; /* 0: one of its own */
};

/* Reads one page of b as it is planned now; fails the test when something else is. */
static bool read_page(struct planner *p, const struct followed *b, unsigned page,
		      const struct page *as, int64_t now)
{
	static uint64_t other = 1000;
	struct plan plan = next(p, now);
	struct plan_answer a = {.count = as->count,
				.rows = as->rows,
				.fresh = as->fresh,
				.skipped = as->skipped,
				.hash = as->hash ? as->hash : ++other};

	assert_int_equal(plan.kind, PLAN_PAGE);
	assert_ptr_equal(plan.broadcast, b);
	assert_int_equal(plan.page, page);
	bool foretold = planner_completes(p, &plan, &a);
	bool complete = planner_read(p, &plan, &a, now);
	assert_int_equal(foretold, complete);
	return complete;
}

static void lists_first_then_pages_each_once(void **state)
{
	struct planner *p = planner();
	struct followed b = {0};

	(void)state;
	follow(p, &b, false);
	struct plan a = next(p, 0), c = next(p, 0), d = next(p, 0);
	assert_int_equal(a.kind, PLAN_LIST);
	assert_string_equal(a.org, "c");
	assert_int_equal(c.kind, PLAN_PAGE);
	assert_true(c.starts && !c.resumes);
	assert_int_equal(c.sweep, 1);
	assert_int_equal(d.kind, PLAN_NOTHING);
	assert_true(d.wait_ms == INT64_MAX);
	planner_read(p, &a, &(struct plan_answer){.count = 3, .rows = 3}, 100);
	assert_true(next(p, 100).wait_ms == 4900);
	planner_unasked(p, &c);
	d = next(p, 200);
	assert_int_equal(d.kind, PLAN_PAGE);
	assert_int_equal(d.page, 1);
	unfollow(p, &b);
	planner_free(p);
	planner_free(NULL);
}

/* A sweep as its pages; does it count as complete, or which page or pause follows? */
static void completeness(void **state)
{
	static const struct {
		const char *name;
		struct page pages[8];
		enum { NOT, COMPLETE, AGAIN } ret; /* AGAIN: it goes on from its first page */
	} cases[] = {
		{"one page", {{40, 40, 40, 0, 0}}, COMPLETE},
		{"nobody", {{0, 0, 0, 0, 0}}, COMPLETE},
		{"three pages",
		 {{250, 100, 100, 0, 0}, {250, 100, 100, 0, 0}, {250, 50, 50, 0, 0}},
		 COMPLETE},
		{"exactly full",
		 {{200, 100, 100, 0, 0}, {200, 100, 100, 0, 0}, {200, 0, 0, 0, 0}},
		 COMPLETE},
		{"exactly full, and no count with the empty page",
		 {{200, 100, 100, 0, 0}, {200, 100, 100, 0, 0}, {-1, 0, 0, 0, 0}},
		 COMPLETE},
		{"the count is of the page alone",
		 {{100, 100, 100, 0, 0}, {100, 100, 100, 0, 0}, {50, 50, 50, 0, 0}},
		 NOT},
		{"the count lags",
		 {{100, 100, 100, 0, 0}, {100, 100, 100, 0, 0}, {150, 60, 60, 0, 0}},
		 COMPLETE},
		{"the count lags, and a row came twice",
		 {{100, 100, 100, 0, 0}, {100, 100, 99, 0, 0}, {150, 60, 60, 0, 0}},
		 NOT},
		{"a row slid and came twice, none was missed",
		 {{200, 100, 100, 0, 0}, {201, 100, 99, 0, 0}, {201, 1, 1, 0, 0}},
		 AGAIN},
		{"it grew behind", {{150, 100, 100, 0, 0}, {151, 51, 51, 0, 0}}, COMPLETE},
		{"a row was removed, one slid by unseen",
		 {{200, 100, 100, 0, 0}, {199, 99, 99, 0, 0}},
		 NOT},
		{"a row was removed before the last page",
		 {{300, 100, 100, 0, 0}, {299, 100, 100, 0, 0}, {299, 99, 99, 0, 0}},
		 NOT},
		{"no counts: an unreadable row", {{-1, 100, 99, 1, 0}, {-1, 0, 0, 0, 0}}, NOT},
		{"fewer rows than counted",
		 {{205, 100, 100, 0, 0}, {205, 100, 100, 0, 0}, {205, 0, 0, 0, 0}},
		 AGAIN},
		{"an unreadable row", {{101, 100, 99, 1, 0}, {101, 1, 1, 0, 0}}, NOT},
		{"take is ignored",
		 {{90, 30, 30, 0, 0}, {90, 30, 30, 0, 0}, {90, 30, 30, 0, 0}},
		 COMPLETE},
		{"the same page again and again",
		 {{500, 100, 100, 0, 7},
		  {500, 100, 0, 0, 7},
		  {500, 100, 0, 0, 7},
		  {500, 100, 0, 0, 7}},
		 NOT},
		{"rows slid by a page",
		 {{300, 100, 100, 0, 7},
		  {300, 100, 0, 0, 7},
		  {300, 100, 100, 0, 0},
		  {300, 100, 100, 0, 0},
		  {300, 0, 0, 0, 0}},
		 COMPLETE},
		{"more pages than rows can fill",
		 {{200, 100, 100, 0, 0}, {200, 1, 1, 0, 0}, {200, 1, 1, 0, 0}, {200, 1, 1, 0, 0}},
		 AGAIN},
		{"no counts: a short page, then none",
		 {{-1, 100, 100, 0, 0}, {-1, 100, 100, 0, 0}, {-1, 7, 7, 0, 0}, {-1, 0, 0, 0, 0}},
		 COMPLETE},
		{"no counts: a short page in the middle",
		 {{-1, 100, 100, 0, 0},
		  {-1, 97, 97, 0, 0},
		  {-1, 100, 100, 0, 0},
		  {-1, 60, 60, 0, 0},
		  {-1, 0, 0, 0, 0}},
		 COMPLETE},
		{"no counts: full pages, then none",
		 {{-1, 100, 100, 0, 0}, {-1, 100, 100, 0, 0}, {-1, 0, 0, 0, 0}},
		 COMPLETE},
		{"no counts: one page", {{-1, 7, 7, 0, 0}, {-1, 0, 0, 0, 0}}, COMPLETE},
		{"no counts: a doubled row",
		 {{-1, 100, 100, 0, 0}, {-1, 50, 49, 0, 0}, {-1, 0, 0, 0, 0}},
		 NOT},
		{"no counts: page is ignored", {{-1, 80, 80, 0, 7}, {-1, 80, 0, 0, 7}}, NOT},
		{"no counts: going in circles",
		 {{-1, 100, 100, 0, 1}, {-1, 100, 0, 0, 2}, {-1, 100, 0, 0, 1}, {-1, 100, 0, 0, 2}},
		 NOT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct planner *p = planner();
		struct followed b = {0};
		bool complete = false;
		unsigned page = 0;
		follow(p, &b, true);
		list(p, 0);
		while (page < 8 && !complete &&
		       (page == 0 || cases[i].pages[page].count || cases[i].pages[page].rows)) {
			complete = read_page(p, &b, page + 1, &cases[i].pages[page], 0);
			page++;
		}
		if (complete != (cases[i].ret == COMPLETE))
			fail_msg("%s: %d", cases[i].name, complete);
		if (page < 8 && cases[i].pages[page].count)
			fail_msg("%s: ended at page %u", cases[i].name, page);
		struct plan plan = next(p, 0);
		if (complete)
			assert_int_equal(plan.kind, PLAN_NOTHING);
		else if (plan.page != 1 || plan.starts != (cases[i].ret == NOT) ||
			 plan.sweep != (cases[i].ret == NOT ? 2 : 1))
			fail_msg("%s: what follows is another one", cases[i].name);
		unfollow(p, &b);
		planner_free(p);
	}
}

/* An API that fails may show nothing; who is held is believed gone only when the list's counter
 * says so too. */
static void nobody_where_somebody_was(void **state)
{
	static const struct page nobody = {0, 0, 0, 0, 0};
	static char no_count[] = "{\"sent_count\":0}", many[] = "{\"recipients_count\":70}",
		    none[] = "{\"recipients_count\":0,\"sent_count\":3}";
	static char *const counters[] = {NULL, no_count, many, none};

	(void)state;
	for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
		struct planner *p = planner();
		struct followed b = {.record.counters = counters[i]};
		follow(p, &b, true);
		held_add(b.held, &(struct held_row){.key = {1, 1}});
		list(p, 0);
		assert_int_equal(read_page(p, &b, 1, &nobody, 0), counters[i] == none);
		unfollow(p, &b);
		planner_free(p);
	}
}

static const struct page whole = {40, 40, 40, 0, 0}, torn = {41, 40, 40, 0, 0},
			 torn_again = {41, 40, 0, 0, 0}, empty = {41, 0, 0, 0, 0};

static void incomplete_sweeps_are_repeated_but_do_not_spin(void **state)
{
	struct planner *p = planner();
	struct followed b = {0};

	(void)state;
	follow(p, &b, true);
	list(p, 0);
	for (int i = 0; i < 3; i++) {
		assert_false(read_page(p, &b, 1, &torn, 0));
		assert_false(read_page(p, &b, 2, &empty, 0));
		assert_false(read_page(p, &b, 1, &torn_again, 0));
		assert_false(read_page(p, &b, 2, &empty, 0));
	}
	assert_int_equal(next(p, 0).kind, PLAN_NOTHING);
	unfollow(p, &b);
	planner_free(p);
}

/* Rows that came into pages already read are looked for from the front on, as long as there are
 * any. */
static void what_slid_by_is_met_the_second_time(void **state)
{
	static const struct page first = {2500, 100, 100, 0, 0}, slid = {2500, 100, 97, 0, 0},
				 last = {2500, 0, 0, 0, 0}, found = {2500, 100, 3, 0, 0},
				 known = {2500, 100, 0, 0, 0};

	(void)state;
	for (unsigned at = 1; at <= 25; at++) { /* the page where they are */
		struct planner *p = planner();
		struct followed b = {0};
		follow(p, &b, true);
		list(p, 0);
		for (unsigned page = 1; page <= 25; page++)
			assert_false(read_page(p, &b, page, page == 7 ? &slid : &first, 0));
		assert_false(read_page(p, &b, 26, &last, 0));
		for (unsigned page = 1; page < at && page <= 20; page++)
			assert_false(read_page(p, &b, page, &known, 0));
		if (at <= 20) {
			assert_true(read_page(p, &b, at, &found, 0));
			assert_int_equal(next(p, 0).kind, PLAN_NOTHING);
		} else { /* 20 pages without any: it gives up, and is repeated */
			struct plan plan = next(p, 0);
			assert_true(plan.starts && plan.sweep == 2);
		}
		unfollow(p, &b);
		planner_free(p);
	}
}

static void quiet_ones_are_seen_ever_more_rarely(void **state)
{
	struct planner *p = planner();
	struct followed b = {0};
	int64_t now = 0;

	(void)state;
	follow(p, &b, true);
	listed(p, &b, false, true, 0);
	list(p, now);
	for (int64_t pause = 10000; pause <= 640000; pause *= 2) {
		assert_true(read_page(p, &b, 1, &whole, now));
		int64_t due = now + (pause < 300000 ? pause : 300000);
		while (b.track && now < due) {
			struct plan plan = next(p, now);
			if (plan.kind == PLAN_LIST)
				planner_read(p, &plan, &(struct plan_answer){.count = 0}, now);
			else if (plan.kind == PLAN_NOTHING)
				now += plan.wait_ms;
			else
				fail_msg("asked %lld ms early", (long long)(due - now));
		}
		assert_int_equal(now, due);
		struct plan plan = next(p, now);
		if (plan.kind == PLAN_LIST)
			planner_read(p, &plan, &(struct plan_answer){.count = 0}, now);
		else
			planner_unasked(p, &plan);
	}
	unfollow(p, &b);
	planner_free(p);
}

static int64_t ms_to_next_page(struct planner *p, int64_t now)
{
	for (int64_t at = now;;) {
		struct plan plan = next(p, at);
		if (plan.kind == PLAN_LIST) {
			planner_read(p, &plan, &(struct plan_answer){.count = 0}, at);
		} else if (plan.kind == PLAN_PAGE) {
			planner_unasked(p, &plan);
			return at - now;
		} else {
			assert_true(plan.wait_ms > 0 && plan.wait_ms < INT64_MAX);
			at += plan.wait_ms;
		}
	}
}

static void movement_sets_the_interval(void **state)
{
	static const struct {
		const char *name;
		bool live, moved_before, moved_during, moved_after;
		size_t changes;
		int64_t pause;
	} cases[] = {
		{"at rest", false, false, false, false, 0, 300000},
		{"live, quiet", true, false, false, false, 0, 10000},
		{"it moved: that sweep saw it", true, true, false, false, 0, 10000},
		{"it moves while it is swept", true, false, true, false, 0, 5000},
		{"it moves afterwards", false, false, false, true, 0, 5000},
		{"changes without a moved counter", false, false, false, false, 1, 5000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct planner *p = planner();
		struct followed b = {0};
		follow(p, &b, true);
		listed(p, &b, cases[i].moved_before, cases[i].live, 0);
		list(p, 0);
		struct plan plan = next(p, 0);
		if (cases[i].moved_during)
			listed(p, &b, true, cases[i].live, 0);
		struct plan_answer a = {
			.count = 5, .rows = 5, .fresh = 5, .changes = cases[i].changes};
		assert_true(planner_read(p, &plan, &a, 0));
		if (cases[i].moved_after)
			listed(p, &b, true, cases[i].live, 0);
		if (ms_to_next_page(p, 0) != cases[i].pause)
			fail_msg("%s: %lld ms", cases[i].name, (long long)ms_to_next_page(p, 0));
		unfollow(p, &b);
		planner_free(p);
	}
}

static void broadcasts_take_turns(void **state)
{
	struct planner *p = planner();
	struct followed b[3] = {0};
	const struct page part = {500, 100, 100, 0, 0};

	(void)state;
	for (int i = 0; i < 3; i++)
		follow(p, &b[i], false);
	list(p, 0);
	for (unsigned page = 1; page <= 5; page++) {
		unsigned seen = 0;
		for (int i = 0; i < 3; i++) {
			struct plan plan = next(p, page * 10 + i);
			assert_int_equal(plan.page, page);
			seen |= 1u << (plan.broadcast - b);
			planner_read(p, &plan,
				     &(struct plan_answer){.count = part.count,
							   .rows = 100,
							   .fresh = 100,
							   .hash = page * 3u + (unsigned)i},
				     page * 10 + i);
		}
		assert_int_equal(seen, 7);
	}
	for (int i = 0; i < 3; i++)
		unfollow(p, &b[i]);
	planner_free(p);
}

static void quiet_ones_get_every_fourth_page(void **state)
{
	struct planner *p = planner();
	struct followed moved = {0}, quiet = {0};
	unsigned of_quiet = 0;

	(void)state;
	follow(p, &moved, false);
	follow(p, &quiet, true);
	list(p, 0);
	for (unsigned i = 0; i < 40; i++) {
		struct plan plan = next(p, i);
		of_quiet += plan.broadcast == &quiet;
		planner_read(p, &plan,
			     &(struct plan_answer){
				     .count = 100000, .rows = 100, .fresh = 100, .hash = i + 1},
			     i);
	}
	assert_int_equal(of_quiet, 10);
	unfollow(p, &moved);
	unfollow(p, &quiet);
	planner_free(p);
}

static void a_first_sweep_is_resumed(void **state)
{
	struct planner *p = planner();
	struct followed b = {.record = {.baseline_page = 2}};

	(void)state;
	b.held = held_new();
	for (uint64_t i = 0; i < 200; i++)
		held_add(b.held, &(struct held_row){.key = {i, i}});
	follow(p, &b, false);
	list(p, 0);
	struct plan plan = next(p, 0);
	assert_int_equal(plan.page, 3);
	assert_true(plan.starts && plan.resumes);
	planner_unasked(p, &plan);
	assert_false(read_page(p, &b, 3, &(struct page){350, 100, 100, 0, 0}, 0));
	assert_true(read_page(p, &b, 4, &(struct page){350, 50, 50, 0, 0}, 0));
	listed(p, &b, true, true, 0);
	list(p, 5000);
	plan = next(p, 5000);
	assert_int_equal(plan.page, 1);
	assert_true(plan.starts && !plan.resumes);
	unfollow(p, &b);
	planner_free(p);
}

static void stamps_wrap(void **state)
{
	struct planner *p = planner();
	struct followed b = {0};
	int64_t now = 0;

	(void)state;
	follow(p, &b, true);
	for (unsigned i = 1; i <= SWEEPS_MAX + 2; i++, now += 5000) {
		list(p, now);
		struct plan plan = next(p, now);
		assert_int_equal(plan.kind, PLAN_PAGE);
		assert_int_equal(plan.sweep, i > SWEEPS_MAX ? i - SWEEPS_MAX : i);
		planner_read(p, &plan, &(struct plan_answer){.count = 0}, now);
		listed(p, &b, true, true, now);
	}
	unfollow(p, &b);
	planner_free(p);
}

static void failures_back_off_each_for_itself(void **state)
{
	struct planner *p = planner();
	struct followed b = {0};
	int64_t now = 0;

	(void)state;
	struct plan lists = next(p, 0);
	assert_int_equal(lists.kind, PLAN_LIST);
	follow(p, &b, true);
	for (int64_t pause = 1000; pause <= 512000; pause *= 2) {
		struct plan plan = next(p, now);
		assert_int_equal(plan.kind, PLAN_PAGE);
		planner_failed(p, &plan, 0, now);
		int64_t wait = next(p, now).wait_ms;
		assert_int_equal(wait, pause < 60000 ? pause : 60000);
		now += wait;
	}
	struct plan plan = next(p, now);
	planner_failed(p, &plan, 0.999999, now);
	assert_in_range(next(p, now).wait_ms, 30000, 30001);
	planner_recovered(p);
	plan = next(p, now);
	planner_read(p, &plan, &(struct plan_answer){.count = 300, .rows = 100, .fresh = 100}, now);
	plan = next(p, now);
	planner_failed(p, &plan, 0, now);
	assert_int_equal(next(p, now).wait_ms, 1000);
	unfollow(p, &b);
	planner_free(p);
}

/* Page 2 of 4 never works: the others are read all the same, and the sweep is not complete. */
static void a_page_that_always_fails_is_passed_over(void **state)
{
	struct planner *p = planner();
	struct followed b = {0};
	unsigned read[6] = {0};
	int64_t now = 0;

	(void)state;
	struct plan lists = next(p, 0);
	assert_int_equal(lists.kind, PLAN_LIST);
	follow(p, &b, true);
	for (int i = 0; i < 40; i++) {
		struct plan plan = next(p, now);
		if (plan.kind == PLAN_NOTHING) {
			now += plan.wait_ms;
			continue;
		}
		assert_in_range(plan.page, 1, 5);
		struct plan_answer a = {
			.count = 350, .rows = plan.page == 4 ? 50 : 100, .hash = plan.page};
		a.fresh = a.rows;
		if (plan.page == 2)
			planner_failed(p, &plan, 0, now);
		else
			assert_false(planner_read(p, &plan, &a, now));
		read[plan.page]++;
	}
	assert_true(read[1] >= 2 && read[3] >= 2 && read[4] >= 2);
	unfollow(p, &b);
	planner_free(p);
}

static void list_rounds(void **state)
{
	static const struct {
		const char *name;
		struct page pages[4];
		unsigned n;
		bool complete;
		int64_t pause;
	} cases[] = {
		{"one page", {{7, 7, 0, 0, 1}}, 1, true, 5000},
		{"none", {{0, 0, 0, 0, 1}}, 1, true, 5000},
		{"three pages",
		 {{250, 100, 0, 0, 1}, {250, 100, 0, 0, 2}, {250, 50, 0, 0, 3}},
		 3,
		 true,
		 5000},
		{"exactly full", {{100, 100, 0, 0, 1}, {100, 0, 0, 0, 2}}, 2, true, 5000},
		{"exactly full, and no count with the empty page",
		 {{100, 100, 0, 0, 1}, {-1, 0, 0, 0, 2}},
		 2,
		 true,
		 5000},
		{"it grew meanwhile", {{149, 100, 0, 0, 1}, {150, 50, 0, 0, 2}}, 2, false, 5000},
		{"an unreadable entry", {{7, 7, 0, 1, 1}}, 1, false, 5000},
		{"no counts", {{-1, 100, 0, 0, 1}, {-1, 3, 0, 0, 2}}, 2, true, 5000},
		{"page is ignored", {{-1, 100, 0, 0, 1}, {-1, 100, 0, 0, 1}}, 2, false, 5000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct planner *p = planner();
		bool complete = false;
		for (unsigned k = 0; k < cases[i].n; k++) {
			const struct page *page = &cases[i].pages[k];
			struct plan plan = next(p, k);
			struct plan_answer a = {.count = page->count,
						.rows = page->rows,
						.skipped = page->skipped,
						.hash = page->hash};
			assert_int_equal(plan.kind, PLAN_LIST);
			assert_int_equal(plan.page, k + 1);
			assert_false(complete);
			complete = planner_completes(p, &plan, &a);
			assert_int_equal(planner_read(p, &plan, &a, k), complete);
		}
		if (complete != cases[i].complete)
			fail_msg("%s", cases[i].name);
		assert_int_equal(next(p, 0).wait_ms, cases[i].pause);
		planner_free(p);
	}
}

/* A page of a list, of so many in all. */
static void read_list(struct planner *p, const char *status, unsigned page, int64_t count,
		      int64_t now)
{
	struct plan plan = next(p, now);
	size_t left = (size_t)count - (page - 1) * TAKE;
	struct plan_answer a = {
		.count = count, .rows = left < TAKE ? left : TAKE, .hash = 1000 + page};

	assert_int_equal(plan.kind, PLAN_LIST);
	assert_int_equal(plan.page, page);
	if (status)
		assert_string_equal(plan.status, status);
	else
		assert_null(plan.status);
	planner_read(p, &plan, &a, now);
}

/* Of a list of several pages those that are being sent are asked for by themselves. */
static void live_ones_are_listed_more_often(void **state)
{
	/* All are, while nothing moves in the others. */
	static const int64_t pauses[] = {20000, 40000, 80000, 160000, 300000};
	struct planner *p = planner();
	struct followed b = {.record = {.status = (char *)"SENDING"}}, rests = {0};
	int64_t now = 0;

	(void)state;
	follow(p, &b, true);
	follow(p, &rests, true);
	b.track->sweep.due_ms = rests.track->sweep.due_ms =
		INT64_MAX; /* only lists are looked at */
	for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
		int64_t began = now;
		for (unsigned page = 1; page <= 3; page++)
			read_list(p, NULL, page, 250, now);
		if (i == 0)
			listed(p, &b, false, true, now);
		for (now += 5000; now < began + pauses[i]; now += 5000) {
			b.listed_ms = now;
			read_list(p, "SENDING", 1, 1, now);
			assert_int_equal(next(p, now).wait_ms, 5000);
		}
	}
	for (unsigned page = 1; page <= 3; page++)
		read_list(p, NULL, page, 250, now);
	/* What is over still moves: all are listed more often. */
	listed(p, &rests, true, false, now);
	for (int64_t began = now; now < began + 300000; now += 5000) {
		b.listed_ms = now + 5000;
		if (now + 5000 < began + 300000)
			read_list(p, "SENDING", 1, 1, now + 5000);
	}
	for (unsigned page = 1; page <= 3; page++)
		read_list(p, NULL, page, 250, now);
	now += 20000;
	for (unsigned page = 1; page <= 3; page++)
		read_list(p, NULL, page, 250, now);
	/* One that is not listed any more is looked for among all. */
	now += 5000;
	b.listed_ms = now;
	read_list(p, "SENDING", 1, 1, now);
	now += 5000;
	read_list(p, "SENDING", 1, 0, now);
	now += 5000;
	for (unsigned page = 1; page <= 3; page++)
		read_list(p, NULL, page, 250, now);
	/* What the API does not know is not asked for again soon. */
	now += 5000;
	struct plan plan = next(p, now);
	assert_string_equal(plan.status, "SENDING");
	planner_failed(p, &plan, 0, now);
	now += 5000;
	for (unsigned page = 1; page <= 3; page++)
		read_list(p, NULL, page, 250, now);
	now += 5000;
	assert_null(next(p, now).status);
	b.record.status = NULL;
	unfollow(p, &b);
	unfollow(p, &rests);
	planner_free(p);
}

/* Live statuses take turns, so that each is asked for as often; of too many all are. */
static void other_words_for_live_take_turns(void **state)
{
	static const char *const words[] = {"ACTIVE", "SENDING", "PAUSED", "RUNNING"};
	struct planner *p = planner();
	struct followed b[4] = {0};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		follow(p, &b[i], true);
		b[i].listed_ms = INT64_MAX;
		b[i].track->sweep.due_ms = INT64_MAX;
	}
	for (unsigned page = 1; page <= 2; page++)
		read_list(p, NULL, page, 150, 0);
	b[0].record.status = (char *)words[0];
	b[1].record.status = (char *)words[1];
	listed(p, &b[0], false, true, 0);
	listed(p, &b[1], false, true, 0);
	for (int64_t now = 5000; now < 20000; now += 5000) {
		read_list(p, "SENDING", 1, 1, now);
		read_list(p, "ACTIVE", 1, 1, now + 2500);
	}
	for (unsigned page = 1; page <= 2; page++)
		read_list(p, NULL, page, 150, 20000);
	for (size_t i = 2; i < 4; i++) {
		b[i].record.status = (char *)words[i];
		listed(p, &b[i], false, true, 20000);
	}
	read_list(p, NULL, 1, 150, 25000);
	for (size_t i = 0; i < 4; i++) {
		b[i].record.status = NULL;
		unfollow(p, &b[i]);
	}
	planner_free(p);
}

static void long_lists_leave_budget_for_pages(void **state)
{
	struct source_options o = options();
	int64_t now = 0;

	(void)state;
	o.orgs.n = 2;
	struct planner *p = planner_new(&o);
	for (int round = 0; round < 2; round++) {
		for (unsigned k = 0; k < 60; k++) {
			struct plan plan = next(p, now);
			assert_int_equal(plan.kind, PLAN_LIST);
			size_t rows = strcmp(plan.org, "c") ? 1 : plan.page == 59 ? 99 : 100;
			planner_read(p, &plan,
				     &(struct plan_answer){.count = rows > 1 ? 5899 : 1,
							   .rows = rows,
							   .hash = k + 1},
				     now);
		}
		struct plan plan = next(p, now);
		assert_int_equal(plan.kind, PLAN_NOTHING);
		if (round) /* 60 requests at a quarter of 7.5 a second */
			assert_int_equal(plan.wait_ms, 32000);
		now += 32000;
	}
	planner_free(p);
}

/* Nothing is asked of an organization that is refused as a whole, nor of what is followed of it
 * later; of others it is, and of its own by a planner that does not know, or not any more. */
static void a_refused_organization_is_left_alone(void **state)
{
	struct planner *p = planner(), *q = planner();
	struct followed b = {0}, later = {0}, other = {0};

	(void)state;
	follow(p, &b, true);
	list(p, 0);
	list(q, 0);
	planner_refused(p, "c", true, true);
	struct plan plan = next(p, 0);
	assert_ptr_equal(plan.broadcast, &b); /* one half still works */
	planner_unasked(p, &plan);
	planner_refused(p, "c", false, true);
	follow(p, &later, true);
	assert_int_equal(next(p, 0).kind, PLAN_NOTHING);
	follow(p, &other, true);
	planner_remove(p, &other);
	other.record.org = orgs[1];
	planner_add(p, &other, 0);
	assert_ptr_equal(next(p, 0).broadcast, &other);
	planner_refused(p, "c", true, false);
	plan = next(p, 0);
	assert_int_equal(plan.kind, PLAN_PAGE);
	planner_unasked(p, &plan);
	planner_refused(p, "c", true, true);
	assert_int_equal(next(p, 0).kind, PLAN_NOTHING);
	unfollow(p, &other);
	planner_move(p, q, &later);
	assert_ptr_equal(next(q, 0).broadcast, &later);
	unfollow(q, &later);
	planner_remove_org(p, "c");
	planner_add_org(p, "c", 0);
	assert_false(b.track->refused);
	unfollow(p, &b);
	planner_free(p);
	planner_free(q);
}

static void moving_keeps_the_sweep(void **state)
{
	struct planner *p = planner(), *q = planner();
	struct followed b = {0};

	(void)state;
	follow(p, &b, true);
	list(p, 0);
	list(q, 0);
	assert_false(read_page(p, &b, 1, &(struct page){150, 100, 100, 0, 0}, 0));
	planner_move(p, q, &b);
	assert_int_equal(next(p, 0).kind, PLAN_NOTHING);
	assert_true(read_page(q, &b, 2, &(struct page){150, 50, 50, 0, 0}, 0));
	unfollow(q, &b);
	planner_free(p);
	planner_free(q);
}

/* Rows are inserted at random places while a sweep runs: what calls itself complete saw every row
 * that was there from its start to its end. */
static bool sweep_of_a_growing_list(struct prng *random, unsigned *ret_complete)
{
	unsigned list_of[1000], n = 0, seen[2000] = {0}, next_id, from_start;
	struct planner *p = planner();
	struct followed b = {0};
	bool complete = false;

	for (n = 0; n < 350; n++)
		list_of[n] = n;
	next_id = from_start = n;
	follow(p, &b, true);
	list(p, 0);
	for (int k = 0; k < 12 && !complete; k++) {
		struct plan plan = next(p, 0);
		struct plan_answer a = {.count = n, .hash = (uint64_t)k + 1};
		if (plan.starts)
			memset(seen, 0, sizeof seen);
		for (unsigned i = (plan.page - 1) * 100; i < n && i < plan.page * 100; i++) {
			a.rows++;
			a.fresh += !seen[list_of[i]]++;
		}
		complete = planner_read(p, &plan, &a, 0);
		for (; prng_unit(random) < 0.3 && n < 1000 && !complete; n++) {
			unsigned at = (unsigned)(prng_unit(random) * (n + 1));
			memmove(list_of + at + 1, list_of + at, (n - at) * sizeof *list_of);
			list_of[at] = next_id++;
		}
	}
	unfollow(p, &b);
	planner_free(p);
	*ret_complete += complete;
	for (unsigned id = 0; complete && id < from_start; id++)
		if (!seen[id])
			return false;
	return true;
}

static void complete_means_all_seen(void **state)
{
	struct prng random = {7};
	unsigned complete = 0;

	(void)state;
	for (int i = 0; i < 300; i++)
		assert_true(sweep_of_a_growing_list(&random, &complete));
	assert_in_range(complete, 30, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_first_then_pages_each_once),
		cmocka_unit_test(completeness),
		cmocka_unit_test(nobody_where_somebody_was),
		cmocka_unit_test(incomplete_sweeps_are_repeated_but_do_not_spin),
		cmocka_unit_test(what_slid_by_is_met_the_second_time),
		cmocka_unit_test(quiet_ones_are_seen_ever_more_rarely),
		cmocka_unit_test(movement_sets_the_interval),
		cmocka_unit_test(broadcasts_take_turns),
		cmocka_unit_test(quiet_ones_get_every_fourth_page),
		cmocka_unit_test(a_first_sweep_is_resumed),
		cmocka_unit_test(stamps_wrap),
		cmocka_unit_test(failures_back_off_each_for_itself),
		cmocka_unit_test(a_page_that_always_fails_is_passed_over),
		cmocka_unit_test(list_rounds),
		cmocka_unit_test(live_ones_are_listed_more_often),
		cmocka_unit_test(other_words_for_live_take_turns),
		cmocka_unit_test(long_lists_leave_budget_for_pages),
		cmocka_unit_test(a_refused_organization_is_left_alone),
		cmocka_unit_test(moving_keeps_the_sweep),
		cmocka_unit_test(complete_means_all_seen),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
