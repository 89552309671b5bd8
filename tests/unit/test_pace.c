/* pace: the limit against receivers of all kinds, in virtual time; the rate; the times told. */
#include "relay/delivery/pace.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "pace_play.h"

#define S 1000

/* At first, while the limit is sought, and then for good. The upper bounds are those of pace.h:
 * where W work at a time, 1.5 W + 1, and an eighth by which it steps over that; 4 at least, where
 * that time allows no less; of answers within 5 ms nothing is a queue that is not 7.5 ms long. */
static void test_settles(void **state)
{
	static const struct {
		struct receiver receiver;
		struct play_want want;
	} cases[] = {
		{{.workers = 1, .ms = 1}, {0.97, 4, 9, 0}},
		{{.workers = 4, .ms = 1}, {0.97, 14, 34, 0}},
		{{.workers = 50, .ms = 1}, {0.97, 50, 64, 0}},
		{{.workers = 1, .ms = 20}, {0.97, 2, 4, 0}},
		{{.workers = 4, .ms = 20}, {0.97, 5, 8, 0}},
		{{.workers = 50, .ms = 20}, {0.97, 50, 64, 0}},
		{{.workers = 1, .ms = 500}, {0.97, 2, 4, 0}},
		{{.workers = 4, .ms = 500}, {0.97, 5, 8, 0}},
		{{.workers = 50, .ms = 500}, {0.97, 50, 64, 0}},
		{{.workers = 64, .ms = 100}, {0.97, 64, 64, 0}},
		/* answers that vary are no queue */
		{{.workers = 1, .ms = 20, .varied = 0.5}, {0.97, 1, 5, 0}},
		{{.workers = 4, .ms = 20, .varied = 0.5}, {0.85, 3, 12, 0}},
		{{.workers = 50, .ms = 20, .varied = 0.5}, {0.90, 40, 64, 0}},
		{{.workers = 50, .ms = 20, .varied = 1}, {0.90, 40, 64, 0}},
		/* too much makes it slower */
		{{.workers = 4, .ms = 20, .thrash = 0.5}, {0.70, 4, 7, 0}},
		{{.workers = 10, .ms = 50, .thrash = 1}, {0.65, 9, 14, 0}},
		{{.workers = 20, .ms = 500, .thrash = 1}, {0.65, 16, 32, 0}},
		/* or is refused */
		{{.workers = 50, .ms = 20, .refuses = 1}, {0.01, 1, 2, 0.15}},
		{{.workers = 50, .ms = 20, .refuses = 4}, {0.05, 2, 5, 0.05}},
		{{.workers = 50, .ms = 20, .refuses = 10}, {0.14, 5, 11, 0.04}},
		{{.workers = 50, .ms = 500, .refuses = 40}, {0.60, 20, 41, 0.02}},
		{{.workers = 50, .ms = 20, .refuses = 50}, {0.75, 25, 51, 0.02}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct play p = play_begin(&cases[i].receiver);
		struct play_want at_first = {.throughput = cases[i].want.throughput / 2,
					     .lowest = 1,
					     .highest = 64,
					     .failed = cases[i].want.failed * 2};

		play_pass(&p, 300 * p.receiver.ms);
		play_check(&p, &at_first, "at first", i);
		play_pass(&p, 3000 * p.receiver.ms); /* a step down takes half a dozen rounds */
		play_pass(&p, 3000 * p.receiver.ms);
		play_check(&p, &cases[i].want, "then", i);
	}
}

/* The same receiver gets worse, better, or breaks for a while. */
static void test_follows(void **state)
{
	struct play p = play_begin(&(struct receiver){.workers = 50, .ms = 20});

	(void)state;
	play_pass(&p, 60 * S);
	p.receiver.ms = 500; /* all takes longer, whatever is out */
	play_pass(&p, 60 * S);
	assert_true(p.lowest <= 32); /* careful at first … */
	play_pass(&p, 60 * S);
	play_check(&p, &(struct play_want){0.95, 45, 64, 0}, "slower",
		   0); /* … but that was no queue */
	p.receiver.workers = 2;
	play_pass(&p, 400 * S);
	play_pass(&p, 60 * S);
	play_check(&p, &(struct play_want){0.95, 2, 5, 0}, "fewer workers", 0);
	p.receiver.workers = 50;
	p.receiver.ms = 20;
	play_pass(&p, 10 * S);
	play_pass(&p, 60 * S);
	play_check(&p, &(struct play_want){0.95, 45, 64, 0}, "as before", 0);
	p.receiver.refuses = 1;
	play_pass(&p, 20 * S);
	play_check(&p, &(struct play_want){0.01, 1, 64, 0.3}, "broken", 0);
	p.receiver.refuses = 0;
	play_pass(&p, 5 * S);
	play_pass(&p, 60 * S);
	play_check(&p, &(struct play_want){0.95, 45, 64, 0}, "mended", 0);
}

static void test_throttled_halves_it_once_a_round_trip(void **state)
{
	struct pace p = {0};

	(void)state;
	pace_bound(&p, 16, 64, 1);
	for (size_t out = 15; out < 16; out--) /* all that was out is too much */
		pace_answer(&p, 100, PACE_THROTTLED, out);
	assert_int_equal(pace_limit(&p), 8);
	for (int i = 0; i < 20; i++)
		pace_answer(&p, 100, PACE_THROTTLED, 0);
	assert_int_equal(pace_limit(&p), 1);
}

/* Who answers within the call of send is slowed by nothing but that, nor ever gets more. */
static void test_at_once(void **state)
{
	struct pace p = {0};

	(void)state;
	pace_bound(&p, 256, 256, 1);
	for (size_t i = 0; i < 100000; i++) {
		pace_sent(&p, 256);
		pace_answer(&p, 0, PACE_ANSWERED, 255);
		assert_int_equal(pace_limit(&p), 256);
	}
	for (size_t i = 0; i < 300; i++)
		pace_answer(&p, 0, i == 0 ? PACE_THROTTLED : PACE_ANSWERED, 255);
	assert_int_equal(pace_limit(&p), 128);
	for (size_t i = 0; i < 100000; i++) {
		pace_sent(&p, pace_limit(&p));
		pace_answer(&p, 0, PACE_ANSWERED, pace_limit(&p) - 1);
	}
	assert_int_equal(pace_limit(&p), 256);
}

/* As many as there are to send: nothing is learnt of more. */
static void test_idle_does_not_grow(void **state)
{
	struct pace p = {0};

	(void)state;
	pace_bound(&p, 16, 64, 1);
	for (size_t i = 0; i < 10000; i++) {
		pace_sent(&p, 5);
		pace_answer(&p, 100, PACE_ANSWERED, 4);
	}
	assert_int_equal(pace_limit(&p), 16);
}

static void test_slow_start(void **state)
{
	struct play p = play_begin(&(struct receiver){.workers = 50, .ms = 100});

	(void)state;
	pace_restart(&p.pace, 0);
	assert_int_equal(pace_limit(&p.pace), 1);
	for (size_t doubled = 1; doubled < 16; doubled *= 2) {
		play_pass(&p, 100); /* with the first answer of those sent then */
		assert_int_equal(pace_limit(&p.pace), doubled + 1);
	}
	play_pass(&p, 100);
	assert_int_equal(pace_limit(&p.pace), 16);
	pace_restart(&p.pace, p.n);
	for (size_t out = p.n; out-- > 0;) /* what was sent before says nothing */
		pace_answer(&p.pace, 100, PACE_THROTTLED, out);
	assert_int_equal(pace_limit(&p.pace), 1);
	pace_answer(&p.pace, 100, PACE_ANSWERED, 0);
	assert_int_equal(pace_limit(&p.pace), 2);
	pace_answer(&p.pace, 100, PACE_THROTTLED, 0);
	pace_answer(&p.pace, 100, PACE_ANSWERED, 0);
	assert_int_equal(pace_limit(&p.pace), 1); /* that ended it */
}

static void test_bounds(void **state)
{
	struct pace p = {0};

	(void)state;
	pace_bound(&p, 5, 5, 100); /* calls of a hundred parcels */
	assert_int_equal(pace_limit(&p), 500);
	pace_answer(&p, 100, PACE_THROTTLED, 0);
	assert_int_equal(pace_limit(&p), 200);
	pace_bound(&p, 5, 5, 100); /* the same ones change nothing */
	assert_int_equal(pace_limit(&p), 200);
	pace_bound(&p, 3, 3, 100);
	assert_int_equal(pace_limit(&p), 300);
}

static void test_rate(void **state)
{
	static const double rates[] = {0.5, 10, 100, 5000};

	(void)state;
	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		struct pace p = {0};
		double sent = 0;
		int64_t now_ms = 100 * S;

		pace_fill(&p, rates[i], now_ms);
		while (now_ms < 200 * S) {
			int64_t wait_ms = pace_wait_ms(&p, rates[i]);

			if (wait_ms) {
				now_ms += wait_ms;
				pace_fill(&p, rates[i], now_ms);
				continue;
			}
			pace_spend(&p, rates[i]);
			sent++;
		}
		assert_true(fabs(sent / (100 * rates[i]) - 1) < 0.06);
		pace_fill(&p, rates[i], now_ms + 1000 * S); /* what was not used is no credit */
		for (sent = 0; !pace_wait_ms(&p, rates[i]); sent++)
			pace_spend(&p, rates[i]);
		assert_true(sent <= 1 + rates[i] / 20);
	}
	assert_int_equal(pace_wait_ms(&(struct pace){0}, 0), 0);
}

static void test_times_told(void **state)
{
	struct pace p = {0};

	(void)state;
	assert_int_equal(pace_took_share(&p, 0.5), -1);
	pace_took(&p, 7);
	assert_int_equal(pace_took_share(&p, 0.5), 7);
	assert_int_equal(pace_took_share(&p, 0.99), 7);
	for (int64_t i = 0; i < 1000; i++)
		pace_took(&p, 90000);
	for (int64_t i = 0; i < PACE_TOOKS; i++) /* old ones are forgotten */
		pace_took(&p, (i * 37) % PACE_TOOKS);
	assert_in_range(pace_took_share(&p, 0.5), 127, 128);
	assert_in_range(pace_took_share(&p, 0.99), 252, 253);
	pace_took(&p, INT64_MAX);
	assert_int_equal(pace_took_share(&p, 1), UINT32_MAX);
}

/* Who answers nothing for a moment, as at a collection of garbage or a lock in its database, is not
 * slower for what is in flight. */
static void test_a_stall_is_no_overload(void **state)
{
	static const struct receiver cases[] = {
		{.workers = 64, .ms = 150, .stands_ms = 1500, .every_ms = 2500},
		{.workers = 64, .ms = 150, .stands_ms = 500, .every_ms = 5000},
		{.workers = 64, .ms = 20, .stands_ms = 300, .every_ms = 1000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct play p = play_begin(&cases[i]);
		double works = 1 - cases[i].stands_ms / cases[i].every_ms;
		struct play_want want = {0.7 * works, 48, 64, 0};

		play_pass(&p, 10 * cases[i].every_ms);
		play_pass(&p, 100 * cases[i].every_ms);
		play_check(&p, &want, "stalls", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settles),
		cmocka_unit_test(test_follows),
		cmocka_unit_test(test_a_stall_is_no_overload),
		cmocka_unit_test(test_throttled_halves_it_once_a_round_trip),
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_idle_does_not_grow),
		cmocka_unit_test(test_slow_start),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_times_told),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
