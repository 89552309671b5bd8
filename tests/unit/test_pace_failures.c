/* pace: which failures lower the limit: those that come from load, and no others. */
#include "relay/delivery/pace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "pace_play.h"

struct failing {
	struct receiver receiver;
	struct play_want want; /* throughput: of what it can do, less those that fail by chance */
};

static void settle(const struct failing *cases, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++) {
		struct play p = play_begin(&cases[i].receiver);
		struct play_want want = cases[i].want;

		want.throughput *= 1 - p.receiver.fails;
		play_pass(&p, 300 * p.receiver.ms);
		play_pass(&p, 3000 * p.receiver.ms);
		play_check(&p, &want, what, i);
	}
}

/* 64 are the most, and half of that is for tests. */
static void test_by_chance(void **state)
{
	static const struct failing cases[] = {
		{{.workers = 16, .ms = 1, .fails = 0.03}, {0.96, 16, 64, 0.04}},
		{{.workers = 16, .ms = 1, .fails = 0.25}, {0.96, 15, 64, 0.26}},
		{{.workers = 16, .ms = 1, .fails = 0.40}, {0.95, 15, 64, 0.41}},
		{{.workers = 64, .ms = 20, .fails = 0.03}, {0.97, 64, 64, 0.04}},
		{{.workers = 64, .ms = 20, .fails = 0.25}, {0.96, 31, 64, 0.26}},
		{{.workers = 64, .ms = 20, .fails = 0.40}, {0.96, 31, 64, 0.41}},
		{{.workers = 64, .ms = 200, .fails = 0.03}, {0.97, 64, 64, 0.04}},
		{{.workers = 64, .ms = 200, .fails = 0.25}, {0.96, 31, 64, 0.26}},
		{{.workers = 64, .ms = 200, .fails = 0.40}, {0.96, 31, 64, 0.41}},
		{{.workers = 4, .ms = 20, .fails = 0.25}, {0.93, 3, 10, 0.26}},
		{{.workers = 64, .ms = 20, .varied = 0.5, .fails = 0.25}, {0.95, 31, 64, 0.26}},
		/* a timeout that has nothing to do with load */
		{{.workers = 64, .ms = 20, .fails = 0.01, .fails_ms = 2000}, {0.43, 64, 64, 0.02}},
		/* poison, whose kind is refused at once; several stand together */
		{{.workers = 64, .ms = 20, .fails = 0.05, .fails_ms = 1}, {0.97, 31, 64, 0.06}},
		{{.workers = 64, .ms = 20, .fails = 0.25, .fails_ms = 1}, {1.20, 15, 64, 0.26}},
		{{.workers = 64, .ms = 20, .fails = 0.03, .run = 4}, {0.92, 15, 64, 0.04}},
		{{.workers = 64, .ms = 20, .fails = 0.25, .run = 4}, {0.90, 7, 64, 0.26}},
	};

	(void)state;
	settle(cases, sizeof cases / sizeof *cases, "by chance");
}

static void test_by_load(void **state)
{
	static const struct failing cases[] = {
		/* too late */
		{{.workers = 1, .ms = 100, .timeout_ms = 450}, {0.97, 2, 4, 0.01}},
		{{.workers = 4, .ms = 100, .timeout_ms = 350}, {0.97, 4, 8, 0.01}},
		{{.workers = 10, .ms = 100, .thrash = 1, .timeout_ms = 300}, {0.70, 10, 14, 0.01}},
		{{.workers = 10, .ms = 100, .thrash = 2, .timeout_ms = 110}, {0.65, 5, 11, 0.12}},
		{{.workers = 10, .ms = 100, .varied = 0.3, .timeout_ms = 300}, {0.85, 9, 25, 0.02}},
		/* all of them, as with 16 */
		{{.workers = 2, .ms = 100, .timeout_ms = 150}, {0.70, 1, 4, 0.1}},
		/* refused, besides those that fail by chance: their share is the usual one */
		{{.workers = 30, .ms = 50, .refuses = 30, .fails = 0.03}, {0.75, 15, 34, 0.06}},
		{{.workers = 30, .ms = 50, .refuses = 30, .fails = 0.25}, {0.75, 13, 36, 0.35}},
		{{.workers = 10, .ms = 50, .refuses = 10, .fails = 0.25}, {0.65, 4, 13, 0.38}},
	};

	(void)state;
	settle(cases, sizeof cases / sizeof *cases, "by load");
}

/* What is usual is forgotten, so that load is seen again. */
static void test_mended(void **state)
{
	static const double ms[] = {1, 50};

	(void)state;
	for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
		struct play p =
			play_begin(&(struct receiver){.workers = 50, .ms = ms[i], .fails = 0.4});

		play_pass(&p, 3000 * ms[i]);
		assert_true(p.pace.usual > 0.25);
		p.receiver.fails = 0;
		play_pass(&p, 3000 * ms[i]);
		p.receiver.refuses = 9;
		play_pass(&p, 300 * ms[i]);
		play_pass(&p, 3000 * ms[i]);
		play_check(&p, &(struct play_want){0.12, 4, 12, 0.15}, "mended", i);
	}
}

static void answer(struct pace *p, enum pace_end end, size_t times)
{
	while (times--)
		pace_answer(p, 100, end, 0);
}

static void test_slow_start_goes_on_until_too_many_fail(void **state)
{
	struct pace p = {0};

	(void)state;
	pace_bound(&p, 16, 64, 1);
	for (size_t i = 0; i < 1000; i++)
		answer(&p, i % 5 < 2 ? PACE_FAILED : PACE_ANSWERED, 1);
	assert_true(p.usual > 0.3);
	pace_restart(&p, 0); /* that is forgotten */
	for (size_t i = 1; i < 10; i++) {
		answer(&p, PACE_FAILED, i % 2);
		answer(&p, PACE_ANSWERED, 1);
		assert_int_equal(pace_limit(&p), 1 + i);
	}
	answer(&p, PACE_FAILED, 6);
	assert_int_equal(p.limit, 5);
	answer(&p, PACE_ANSWERED, 1);
	assert_int_equal(pace_limit(&p), 5);
}

/* A call of a hundred parcels fails as one. */
static void test_calls_of_many(void **state)
{
	struct pace p = {0};
	struct prng random = {5};
	double sum = 0;

	(void)state;
	pace_bound(&p, 5, 5, 100);
	for (size_t i = 0; i < 5000; i++) {
		enum pace_end end = prng_unit(&random) < 0.25 ? PACE_FAILED : PACE_ANSWERED;
		size_t flying = pace_limit(&p);

		sum += (double)flying;
		pace_sent(&p, flying);
		for (size_t parcel = 0; parcel < 100; parcel++)
			pace_answer(&p, 50, end, --flying);
	}
	assert_true(sum / 5000 > 0.98 * 500);
	for (size_t i = 0; i < 1000 * 100; i++)
		pace_answer(&p, 50, PACE_FAILED, 0);
	assert_int_equal(p.limit, 1);
	for (size_t i = 0; i < 200 * 100; i++) { /* nor does it stay there */
		pace_sent(&p, 100);
		pace_answer(&p, 50, PACE_ANSWERED, 0);
	}
	assert_true(p.limit > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_chance),
		cmocka_unit_test(test_by_load),
		cmocka_unit_test(test_mended),
		cmocka_unit_test(test_slow_start_goes_on_until_too_many_fail),
		cmocka_unit_test(test_calls_of_many),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
