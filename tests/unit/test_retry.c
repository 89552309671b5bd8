/* retry: the schedule's delays and their jitter. */
#include "relay/delivery/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S 1000
#define M (60 * S)
#define H (60 * M)

static int64_t delays[] = {0, 5 * S, 5 * M, 30 * M, 2 * H, 5 * H, 10 * H, 14 * H, 20 * H, 24 * H};
static const struct numbers schedule = {delays, sizeof delays / sizeof *delays};

static void test_jitter_is_a_fifth(void **state)
{
	(void)state;
	for (unsigned attempt = 1; attempt <= schedule.n; attempt++) {
		int64_t delay = delays[attempt - 1];

		assert_int_equal(retry_delay_ms(&schedule, attempt, 0), delay - delay / 5);
		assert_in_range(retry_delay_ms(&schedule, attempt, 0.5), delay ? delay - 1 : 0,
				delay);
		assert_in_range(retry_delay_ms(&schedule, attempt, 0.999999), delay * 119 / 100,
				delay * 12 / 10);
	}
}

static void test_schedule_ends(void **state)
{
	struct prng random = {7};

	(void)state;
	for (int i = 0; i < 100; i++) {
		double x = prng_unit(&random);

		assert_int_equal(retry_delay_ms(&schedule, 0, x), -1);
		assert_int_equal(retry_delay_ms(&schedule, 11, x), -1);
		assert_int_equal(retry_delay_ms(&(struct numbers){0}, 1, x), -1);
		assert_true(retry_delay_ms(&schedule, 10, x) > 0);
	}
}

/* Many that failed together must not come back together. */
static void test_jitter_spreads(void **state)
{
	struct prng random = {7};
	unsigned tenths[10] = {0};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t delay = retry_delay_ms(&schedule, 2, prng_unit(&random));

		assert_in_range(delay, 4 * S, 6 * S - 1);
		tenths[(delay - 4 * S) / 200]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(tenths[i], 60, 140);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jitter_is_a_fifth),
		cmocka_unit_test(test_schedule_ends),
		cmocka_unit_test(test_jitter_spreads),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
