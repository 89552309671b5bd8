/* Forecasts, by hand: 450 requests a minute are 430 lastingly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/source/chase.h"
#include "relay/source/forecast.h"

#define HOUR_MS INT64_C(3600000)

static struct forecast make(uint64_t rows, size_t n, size_t live)
{
	const struct source_options o = {
		.rate_limit = 7.5, .poll_every_ms = 5000, .full_sweep_every_ms = 6 * HOUR_MS};
	struct forecast_size v[500];
	struct forecast f;

	for (size_t i = 0; i < n; i++)
		v[i] = (struct forecast_size){.pages = forecast_pages(rows, 0), .live = i < live};
	forecast_make(&f, &o, v, n, 1);
	return f;
}

static void test_one_that_is_swept_in_time(void **state)
{
	struct forecast f = make(9999, 1, 1);

	(void)state;
	assert_int_equal(f.pages, 100);
	assert_int_equal((int)(f.per_minute + 0.5), 430);
	assert_true(f.share > 0.049 && f.share < 0.051);
	assert_false(f.stretched);
	assert_int_equal(f.every_ms, 6 * HOUR_MS);
	assert_in_range(forecast_sweep_ms(&f, f.pages), 13953, 13954); /* 100 / 430 min */
	assert_in_range(forecast_shared_ms(&f, f.pages), 279069, 279070);
	assert_in_range(forecast_removed_ms(&f, f.pages), 6 * HOUR_MS + 558138,
			6 * HOUR_MS + 558140);
	assert_int_equal(f.list_ms, 5000);
	assert_int_equal(f.list_moving_ms, 2500);
	assert_int_equal(f.failure_ms, 5000);
	assert_int_equal(f.failure_blind_ms, 7000);
}

/* 6 hours are 154,800 requests: 20 % of them are 30,960 pages. */
static void test_shares(void **state)
{
	struct forecast f = make(1547999, 1, 1);

	(void)state;
	assert_true(f.share > 0.0999 && f.share < 0.1001);
	assert_false(f.stretched);
	f = make(3095999, 1, 1);
	assert_false(f.stretched);
	f = make(6191999, 1, 1);
	assert_true(f.stretched);
	assert_true(f.share > 0.1999 && f.share < 0.2001);
	assert_in_range(f.every_ms, 12 * HOUR_MS - 10, 12 * HOUR_MS + 10);
}

static void test_many(void **state)
{
	struct forecast f = make(10, 500, 100);

	(void)state;
	assert_int_equal(f.failure_blind_ms, 28600);
	assert_int_equal(f.list_ms, 5000);
	assert_in_range(f.list_moving_ms, 3348, 3350); /* 6 pages in a quarter of 430 a minute */
}

static void test_without_a_limit(void **state)
{
	const struct source_options o = {.poll_every_ms = 5000, .full_sweep_every_ms = HOUR_MS};
	struct forecast f;

	(void)state;
	forecast_make(&f, &o, NULL, 0, 1);
	assert_int_equal(f.pages, 0);
	assert_int_equal(forecast_sweep_ms(&f, 1000), 0);
	assert_int_equal(f.every_ms, HOUR_MS);
	assert_int_equal(f.failure_blind_ms, 7000);
}

static void test_small_pages(void **state)
{
	(void)state;
	assert_int_equal(forecast_pages(999, 0), 10);
	assert_int_equal(forecast_pages(999, 30), 34);
}

/* Of any list in which a failure costs several requests. */
static void test_failures_that_wait_for_others(void **state)
{
	const struct source_options o = {
		.rate_limit = 7.5, .poll_every_ms = 5000, .full_sweep_every_ms = HOUR_MS};
	const struct forecast_size v[] = {{.pages = 3, .dear = true}, {.pages = 4}};
	struct forecast f;

	(void)state;
	forecast_make(&f, &o, v, 2, 1);
	assert_int_equal(f.failure_ms, 5000 + BATCH_WAIT_MS);
	assert_int_equal(f.failure_blind_ms, 2 * PEEK_MIN_MS);
	forecast_make(&f, &o, v + 1, 1, 1);
	assert_int_equal(f.failure_ms, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_that_is_swept_in_time),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_without_a_limit),
		cmocka_unit_test(test_small_pages),
		cmocka_unit_test(test_failures_that_wait_for_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
