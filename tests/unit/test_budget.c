/* budget: whatever the order of arrivals, refusals and restarts, no minute holds more requests
 * than the limit; and little of the limit is wasted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/random.h"
#include "relay/source/budget.h"

static void splits_the_limit(void **state)
{
	static const struct {
		double per_minute, rate, burst;
	} cases[] = {{450, 430, 20}, {500, 480, 20}, {100, 95, 5}, {60, 57, 3},
		     {10, 9, 1},     {2, 1, 1},	     {1, 0.99, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct budget b;
		budget_init(&b, cases[i].per_minute / 60, 0);
		assert_float_equal(b.rate_per_ms * 60000, cases[i].rate, 1e-6);
		assert_float_equal(b.burst, cases[i].burst, 1e-6);
	}
}

static void starts_empty(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 7.5, 5000);
	assert_false(budget_take(&b, 5000));
	int64_t wait = budget_wait_ms(&b, 5000);
	assert_in_range(wait, 139, 141); /* 60000 / 430 */
	assert_false(budget_take(&b, 5000 + wait - 2));
	assert_true(budget_take(&b, 5000 + wait));
	assert_false(budget_take(&b, 5000 + wait));
}

static void without_limit_all_goes(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 0, 0);
	for (int i = 0; i < 1000; i++)
		assert_true(budget_take(&b, 0));
	budget_refused(&b, 0, 3000, 0);
	assert_false(budget_take(&b, 2999));
	assert_true(budget_take(&b, 3000));
}

#define TAKES_MAX 20000

/* Ten minutes of random arrivals, calm and greedy; a restart now and then. */
static size_t simulate(double per_minute, struct prng *random, bool restarts, int64_t *times)
{
	struct budget b;
	size_t n = 0;
	int64_t now = 0, calm_until = 0;

	budget_init(&b, per_minute / 60, 0);
	while (now < 600000) {
		now += 1 + (int64_t)(prng_unit(random) * 40);
		if (prng_unit(random) < 0.0005)
			calm_until = now + (int64_t)(prng_unit(random) * 60000);
		if (restarts && prng_unit(random) < 0.0005)
			budget_init(&b, per_minute / 60, now);
		while (now >= calm_until && n < TAKES_MAX && budget_take(&b, now))
			times[n++] = now;
	}
	return n;
}

static void no_minute_is_over_the_limit(void **state)
{
	static const double limits[] = {0.5, 1, 1.5, 2, 3, 10, 59, 60, 100, 450, 500, 1200};
	static int64_t times[TAKES_MAX];
	struct prng random = {20261122};

	(void)state;
	for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
		size_t most = limits[k] < 1 ? 1 : (size_t)limits[k];
		for (int round = 0; round < 6; round++) {
			size_t n = simulate(limits[k], &random, round % 2, times);
			for (size_t i = 0; i + most < n; i++)
				if (times[i + most] - times[i] < 60000)
					fail_msg("%.1f/min: %zu requests from %lld to %lld",
						 limits[k], most + 1, (long long)times[i],
						 (long long)times[i + most]);
		}
	}
}

static void a_greedy_user_gets_the_rate(void **state)
{
	struct budget b;
	int taken = 0;

	(void)state;
	budget_init(&b, 7.5, 0);
	for (int64_t now = 0; now < 600000; now += budget_wait_ms(&b, now))
		taken += budget_take(&b, now);
	assert_in_range(taken, 4270, 4300);
}

static void refusals_close_it(void **state)
{
	static const struct {
		const char *name;
		int64_t retry_after;
		double random;
		int64_t closed[4]; /* after the 1st, 2nd … refusal, each when it opens again */
	} cases[] = {
		{"seconds", 7000, 0.5, {7000, 7000, 7000, 7000}},
		{"zero is a second", 0, 0, {1000, 1000, 1000, 1000}},
		{"longer than an hour", INT64_C(86400000), 0, {3600000, 3600000, 3600000, 3600000}},
		{"none, no jitter", -1, 0, {1000, 2000, 4000, 8000}},
		{"none, most jitter", -1, 0.999999, {1499, 2999, 5999, 11999}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct budget b;
		int64_t now = 0;
		budget_init(&b, 0, 0);
		for (int k = 0; k < 4; k++) {
			budget_refused(&b, now, cases[i].retry_after, cases[i].random);
			if (budget_wait_ms(&b, now) != cases[i].closed[k])
				fail_msg("%s: %d: %lld", cases[i].name, k,
					 (long long)budget_wait_ms(&b, now));
			now += budget_wait_ms(&b, now);
		}
	}
}

static void backoff_ends_at_a_minute_and_forgets(void **state)
{
	struct budget b;
	int64_t now = 0;

	(void)state;
	budget_init(&b, 0, 0);
	for (int i = 0; i < 40; i++) {
		budget_refused(&b, now, -1, 0.999);
		assert_in_range(budget_wait_ms(&b, now), 1000, 60000);
		now += budget_wait_ms(&b, now);
	}
	budget_refused(&b, now, -1, 0);
	assert_int_equal(budget_wait_ms(&b, now), 60000);
	now += 60000;
	budget_accepted(&b);
	budget_refused(&b, now, -1, 0);
	assert_int_equal(budget_wait_ms(&b, now), 1000);
}

static void refusals_together_count_once(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 0, 0);
	for (int i = 0; i < 8; i++)
		budget_refused(&b, 0, -1, 0);
	assert_int_equal(budget_wait_ms(&b, 0), 1000);
}

static void a_refusal_empties_the_bucket(void **state)
{
	struct budget b;
	int taken = 0;

	(void)state;
	budget_init(&b, 7.5, 0);
	assert_true(budget_take(&b, 100000)); /* 19 are left */
	budget_refused(&b, 100000, 1000, 0);
	while (budget_take(&b, 101000))
		taken++;
	assert_in_range(taken, 7, 8); /* what the rate gave in that second, not the burst */
}

static void the_last_minute_is_counted(void **state)
{
	static const struct {
		int64_t at_ms;
		unsigned takes;
		uint32_t then;
	} cases[] = {{500, 3, 3},   {500, 0, 3},   {30999, 2, 5},  {59999, 1, 6},   {60000, 0, 3},
		     {90999, 0, 1}, {91000, 0, 1}, {119999, 0, 0}, {10000000, 4, 4}};
	struct budget b;

	(void)state;
	budget_init(&b, 0, 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (unsigned k = 0; k < cases[i].takes; k++)
			assert_true(budget_take(&b, cases[i].at_ms));
		assert_int_equal(budget_last_minute(&b, cases[i].at_ms), cases[i].then);
	}
}

static void what_is_left_is_told(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 7.5, 0);
	assert_int_equal((int)budget_left(&b, 0), 0);
	assert_int_equal((int)budget_left(&b, 100000), 20);
	assert_true(budget_take(&b, 100000));
	assert_int_equal((int)budget_left(&b, 100000), 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_the_limit),
		cmocka_unit_test(starts_empty),
		cmocka_unit_test(without_limit_all_goes),
		cmocka_unit_test(no_minute_is_over_the_limit),
		cmocka_unit_test(a_greedy_user_gets_the_rate),
		cmocka_unit_test(refusals_close_it),
		cmocka_unit_test(backoff_ends_at_a_minute_and_forgets),
		cmocka_unit_test(refusals_together_count_once),
		cmocka_unit_test(a_refusal_empties_the_bucket),
		cmocka_unit_test(the_last_minute_is_counted),
		cmocka_unit_test(what_is_left_is_told),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
