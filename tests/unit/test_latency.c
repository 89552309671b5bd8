/* latency: percentiles are bucket edges at or above what was noted, and old entries fade. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/base/random.h"
#include "relay/source/latency.h"

static void nothing_noted(void **state)
{
	struct latency d = {0};

	(void)state;
	assert_int_equal(latency_percentile(&d, 0.5), -1);
}

static void edges(void **state)
{
	static const struct {
		int64_t ms, edge_ms;
	} cells[] = {
		{-5000, 250}, {0, 250},	    {250, 250},	    {251, 350},
		{350, 350},   {351, 500},   {500, 500},	    {501, 700},
		{1000, 1000}, {1001, 1400}, {60000, 64000}, {INT64_MAX, INT64_C(250 * 7 / 5) << 19},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
		struct latency d = {0};
		latency_note(&d, cells[i].ms);
		assert_int_equal(latency_percentile(&d, 0.5), cells[i].edge_ms);
		assert_int_equal(latency_percentile(&d, 1), cells[i].edge_ms);
	}
}

static void shares(void **state)
{
	struct latency d = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		latency_note(&d, i < 50 ? 250 : i < 99 ? 1000 : 8000);
	assert_int_equal(latency_percentile(&d, 0.50), 250);
	assert_int_equal(latency_percentile(&d, 0.51), 1000);
	assert_int_equal(latency_percentile(&d, 0.99), 1000);
	assert_int_equal(latency_percentile(&d, 1), 8000);
}

/* No more than the bucket's width above the true value, at any share. */
static void near_the_truth(void **state)
{
	struct latency d = {0};
	struct prng random = {1};

	(void)state;
	for (int i = 0; i < 1000; i++)
		latency_note(&d, 250 + (int64_t)(prng_next(&random) % 99750));
	for (int i = 1; i <= 99; i++) {
		double truth = 250 + 997.5 * i;
		int64_t edge = latency_percentile(&d, i / 100.0);
		assert_true((double)edge > truth * 0.85 - 3000);
		assert_true((double)edge < truth * 1.43 * 1.15 + 3000);
	}
}

static void old_ones_fade(void **state)
{
	struct latency d = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		latency_note(&d, 60000);
	assert_int_equal(latency_percentile(&d, 0.01), 64000);
	for (int i = 0; i < 2000; i++)
		latency_note(&d, 250);
	assert_int_equal(latency_percentile(&d, 0.5), 250);
	assert_int_equal(latency_percentile(&d, 0.99), 64000); /* not forgotten at once */
	for (int i = 0; i < 20000; i++)
		latency_note(&d, 250);
	assert_int_equal(latency_percentile(&d, 1), 250);
	uint32_t all = 0;
	for (int i = 0; i < DELAY_BUCKETS; i++)
		all += d.n[i];
	assert_int_equal(d.all, all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_noted), cmocka_unit_test(edges),
		cmocka_unit_test(shares),	 cmocka_unit_test(near_the_truth),
		cmocka_unit_test(old_ones_fade),
	};

	return cmocka_run_group_tests_name("latency", tests, NULL, NULL);
}
