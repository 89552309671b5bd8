/* counts: what is due, by the list and by pages, when the counters are right, wrong, late, or not
 * there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/source/counts.h"

/* One filter of a broadcast; the others are at 0. */
struct world {
	struct counts counts;
	struct planes held;
	uint32_t rows;
	int64_t now_ms;
};

static void world_open(struct world *w)
{
	*w = (struct world){.now_ms = 1000000};
	counts_init(&w->counts);
}

/* So many rows have the flag; the first ones. */
static void hold(struct world *w, uint32_t rows)
{
	uint64_t flag = UINT64_C(1) << ask_flag(ASK_SENT);

	for (; w->rows < rows; w->rows++)
		planes_set(&w->held, w->rows, 0, flag);
	for (; w->rows > rows; w->rows--)
		planes_set(&w->held, w->rows - 1, flag, 0);
}

/* A list is asked for and comes; sent below 0: without counters. */
static void list(struct world *w, int64_t sent)
{
	char text[64];

	w->now_ms += 1000;
	snprintf(text, sizeof text, "{\"sent_count\":%lld,\"failed_count\":0}", (long long)sent);
	counts_ask(&w->counts, &w->held);
	counts_listed(&w->counts, sent < 0 ? NULL : text, &w->held, w->now_ms, w->now_ms);
}

static void page(struct world *w, int64_t count)
{
	w->now_ms += 1000;
	counts_paged(&w->counts, ASK_SENT, count, &w->held, w->now_ms, w->now_ms);
}

static void settle(struct world *w)
{
	counts_settle(&w->counts, ASK_SENT, &w->held, w->now_ms);
}

static int64_t due(const struct world *w)
{
	int64_t n = counts_due(&w->counts, ASK_SENT, &w->held);

	assert_int_equal(counts_total(&w->counts, ASK_SENT, &w->held), w->rows + n);
	assert_int_equal(w->counts.v[ASK_SENT].due_since_ms == INT64_MAX, n == 0);
	return n;
}

static void names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ASK_ALL; i++) {
		assert_int_equal(ask_flag(i), i);
		assert_non_null(ask_filters[i]);
	}
	assert_int_equal(ask_flag(ASK_ALL), FLAG_PRESENT);
	assert_null(ask_filters[ASK_ALL]);
	assert_true(ask_is_failure(ASK_FAILED) && !ask_is_failure(ASK_SENT));
}

static void due_by_list(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(due(&w), 0);
	assert_false(counts_are_listed(&w.counts));
	list(&w, 30);
	assert_true(counts_are_listed(&w.counts));
	assert_int_equal(due(&w), 30);
	hold(&w, 20);
	assert_int_equal(due(&w), 10);
	hold(&w, 30);
	list(&w, 30);
	assert_int_equal(due(&w), 0);
	hold(&w, 35); /* read since: the next list will say so */
	list(&w, 35);
	assert_int_equal(due(&w), 0);
	planes_release(&w.held);
}

/* Without a list, what a page counts came at some time since the one before. */
static void since_when(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	list(&w, -1);
	page(&w, 0);
	int64_t first_ms = w.now_ms;
	w.now_ms += 99000;
	page(&w, 7);
	assert_int_equal(due(&w), 7);
	assert_int_equal(w.counts.v[ASK_SENT].due_since_ms, first_ms + 50000);
	page(&w, 9); /* it does not begin anew */
	assert_int_equal(w.counts.v[ASK_SENT].due_since_ms, first_ms + 50000);
	planes_release(&w.held);

	world_open(&w);
	list(&w, 0);
	page(&w, 0);
	w.now_ms += 99000;
	page(&w, 7); /* the list would have told of it */
	assert_int_equal(w.counts.v[ASK_SENT].due_since_ms, w.now_ms);
	planes_release(&w.held);
}

/* A page outranks an older list, a newer list the page. */
static void due_by_page(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	list(&w, 30);
	page(&w, 40);
	assert_int_equal(due(&w), 40);
	page(&w, -1); /* not given: as it was */
	assert_int_equal(due(&w), 40);
	list(&w, 50);
	assert_int_equal(due(&w), 50);
	page(&w, 45); /* counted by the list, but not there */
	assert_int_equal(due(&w), 45);
	list(&w, 51);
	assert_int_equal(due(&w), 46);
	planes_release(&w.held);
}

static void no_counters(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	list(&w, -1);
	assert_false(counts_are_listed(&w.counts));
	assert_int_equal(due(&w), 0);
	page(&w, 12);
	list(&w, -1);
	assert_int_equal(due(&w), 12);
	assert_false(counts_lag(&w.counts));
	planes_release(&w.held);
}

/* What remains for good is no longer due, until more is found than was thought to be there. */
static void settled(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	hold(&w, 90);
	list(&w, 100);
	settle(&w);
	assert_int_equal(due(&w), 0);
	list(&w, 103);
	assert_int_equal(due(&w), 3);
	hold(&w, 93 + 4);
	list(&w, 103);
	assert_int_equal(due(&w), 0);
	list(&w, 104); /* six are missing now, not ten */
	assert_int_equal(due(&w), 1);
	page(&w, 110);
	settle(&w);
	assert_int_equal(due(&w), 0);
	page(&w, 111);
	assert_int_equal(due(&w), 1);
	planes_release(&w.held);
}

static void fell(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	hold(&w, 100);
	list(&w, 100);
	list(&w, 97);
	assert_int_equal(due(&w), -3);
	assert_false(counts_lag(&w.counts));
	hold(&w, 97);
	list(&w, 97);
	assert_int_equal(due(&w), 0);
	page(&w, 95); /* a page needs no fall to be believed */
	assert_int_equal(due(&w), -2);
	planes_release(&w.held);
}

/* Two lists in a row that lack what is held: they lag, until ten have it. */
static void lag(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	hold(&w, 10);
	list(&w, 10);
	hold(&w, 20);
	list(&w, 10);
	assert_false(counts_lag(&w.counts));
	assert_int_equal(due(&w), 0); /* no fall */
	list(&w, 10);
	assert_true(counts_lag(&w.counts));
	assert_int_equal(due(&w), 0);
	for (uint32_t i = 1; i <= 10; i++) {
		assert_true(counts_lag(&w.counts));
		hold(&w, 20 + i);
		list(&w, 20 + i);
	}
	assert_false(counts_lag(&w.counts));
	list(&w, 31);
	hold(&w, 40);
	list(&w, 31);
	list(&w, 40); /* one alone is none */
	list(&w, 40);
	assert_false(counts_lag(&w.counts));
	planes_release(&w.held);
}

static void waited(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(counts_waited_ms(&w.counts, ASK_SENT, &w.held, w.now_ms), 0);
	for (uint32_t i = 0; i < 600; i++) { /* ten a second, all read */
		hold(&w, i * 10);
		list(&w, i * 10);
	}
	assert_int_equal(counts_waited_ms(&w.counts, ASK_SENT, &w.held, w.now_ms), 0);
	list(&w, 5990 + 50);
	int64_t since = w.now_ms;
	assert_int_equal(counts_waited_ms(&w.counts, ASK_SENT, &w.held, since), 0);
	assert_int_equal(counts_waited_ms(&w.counts, ASK_SENT, &w.held, since + 100), 100);
	/* Fifty come in some five seconds, however long something was due. */
	assert_in_range(counts_waited_ms(&w.counts, ASK_SENT, &w.held, since + 60000), 4000, 5100);
	planes_release(&w.held);
}

static void known_until(void **state)
{
	struct world w;
	const struct count *sent = &w.counts.v[ASK_SENT], *failed = &w.counts.v[ASK_FAILED],
			   *opened = &w.counts.v[ASK_OPENED];

	(void)state;
	world_open(&w);
	for (uint32_t i = 1; i <= 4; i++) { /* the second that has moved to what is held proves */
		hold(&w, i);
		list(&w, i);
		counts_known(&w.counts, 100 * i);
	}
	assert_int_equal(sent->told_ms, 300); /* … until the one before */
	assert_int_equal(failed->told_ms, 300);
	assert_true(opened->told_ms == DATE_NONE); /* the list does not count it */
	hold(&w, 5);
	list(&w, 6);
	counts_known(&w.counts, 500);
	assert_int_equal(sent->told_ms, 300); /* something is due */
	assert_int_equal(failed->told_ms, 400);
	hold(&w, 6);
	counts_known(&w.counts, 600); /* it was held only afterwards */
	assert_int_equal(sent->told_ms, 300);
	list(&w, 6);
	counts_known(&w.counts, 700); /* the counters stand still: perhaps they do for good */
	assert_int_equal(sent->told_ms, 300);
	assert_true(sent->known_ms == DATE_NONE); /* that it is told is no proof */
	counts_all_known(&w.counts, 450);
	assert_int_equal(sent->known_ms, 450);
	assert_int_equal(sent->told_ms, 450);
	assert_int_equal(opened->told_ms, 450);
	assert_int_equal(w.counts.swept_ms, 450);
	planes_release(&w.held);
}

/* Counters that lag tell nothing, however well they agree at the moment. */
static void known_by_late_counters(void **state)
{
	struct world w;
	const struct count *sent = &w.counts.v[ASK_SENT];

	(void)state;
	world_open(&w);
	for (uint32_t i = 1; i <= 6; i++) {
		hold(&w, 2 * i);
		list(&w, 2 * i - 1);
		counts_known(&w.counts, 100 * i);
	}
	list(&w, 12);
	counts_known(&w.counts, 700);
	list(&w, 12);
	counts_known(&w.counts, 800);
	assert_true(sent->told_ms == DATE_NONE);
	planes_release(&w.held);
}

/* A filter's own count is of the moment. */
static void known_by_pages(void **state)
{
	struct world w;
	const struct count *sent = &w.counts.v[ASK_SENT];

	(void)state;
	world_open(&w);
	hold(&w, 5);
	counts_page_known(&w.counts, ASK_SENT, 6, &w.held, 100);
	counts_page_known(&w.counts, ASK_SENT, 4, &w.held, 100);
	counts_page_known(&w.counts, ASK_SENT, -1, &w.held, 100);
	assert_true(sent->known_ms == DATE_NONE);
	counts_page_known(&w.counts, ASK_SENT, 5, &w.held, 200);
	counts_page_known(&w.counts, ASK_SENT, 5, &w.held, 150);
	assert_int_equal(sent->known_ms, 200);
	assert_true(w.counts.v[ASK_FAILED].known_ms == DATE_NONE);
	planes_release(&w.held);
}

/* What was given up is not known, until a sweep has seen that it is not there. */
static void known_after_giving_up(void **state)
{
	struct world w;
	const struct count *sent = &w.counts.v[ASK_SENT];

	(void)state;
	world_open(&w);
	list(&w, 1);
	settle(&w);
	for (uint32_t i = 1; i <= 4; i++) {
		hold(&w, i);
		list(&w, i + 1);
		counts_known(&w.counts, 100 * i);
	}
	assert_true(sent->told_ms == DATE_NONE);
	counts_swept(&w.counts, true, &w.held, w.now_ms);
	hold(&w, 5);
	list(&w, 6);
	counts_known(&w.counts, 500);
	assert_int_equal(sent->told_ms, 400);
	planes_release(&w.held);
}

static void swept(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	hold(&w, 8);
	list(&w, 10);
	page(&w, 12);
	counts_swept(&w.counts, false, &w.held, w.now_ms); /* the counters moved meanwhile */
	assert_int_equal(due(&w), 2);
	counts_swept(&w.counts, true, &w.held, w.now_ms);
	assert_int_equal(due(&w), 0);
	list(&w, 11);
	assert_int_equal(due(&w), 1);
	planes_release(&w.held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(due_by_list),
		cmocka_unit_test(since_when),
		cmocka_unit_test(due_by_page),
		cmocka_unit_test(no_counters),
		cmocka_unit_test(settled),
		cmocka_unit_test(fell),
		cmocka_unit_test(lag),
		cmocka_unit_test(waited),
		cmocka_unit_test(known_until),
		cmocka_unit_test(known_by_late_counters),
		cmocka_unit_test(known_by_pages),
		cmocka_unit_test(known_after_giving_up),
		cmocka_unit_test(swept),
	};

	return cmocka_run_group_tests_name("counts", tests, NULL, NULL);
}
