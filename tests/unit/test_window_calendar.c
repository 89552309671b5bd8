/* The calendar gives what is due in order of time, nothing twice, nothing lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/random.h"
#include "rules/window_calendar.h"

#define ITEMS 20000
#define SPAN  500

static void in_order_and_whole(void **state)
{
	static int64_t at[ITEMS];
	static bool taken[ITEMS];
	struct calendar c = {0};
	struct prng p = {3};
	int64_t now = 0;
	size_t left = 0;
	uint32_t added = 0;

	(void)state;
	print_message("seed 3\n");
	while (added < ITEMS || left) {
		for (int i = 0; i < 50 && added < ITEMS; i++, added++, left++) {
			/* Mostly near the end, sometimes before what is there. */
			at[added] = now + 1 + (int64_t)(prng_next(&p) % SPAN);
			calendar_add(&c, at[added], added);
		}
		int64_t next = calendar_next(&c);
		assert_true(next > now);
		struct calendar_bucket b = calendar_take(&c);
		assert_int_equal(b.at, next);
		assert_true(b.n > 0);
		for (size_t i = 0; i < b.n; i++) {
			assert_int_equal(at[b.v[i]], b.at);
			assert_false(taken[b.v[i]]);
			taken[b.v[i]] = true;
			left--;
		}
		for (uint32_t i = 0; i < added; i += 97)
			assert_true(taken[i] || at[i] > b.at);
		now = b.at;
		free(b.v);
	}
	assert_int_equal(calendar_next(&c), INT64_MAX);
	assert_int_equal(c.bytes, 0);
	calendar_release(&c);
}

static void what_is_left_is_released(void **state)
{
	struct calendar c = {0};

	(void)state;
	calendar_release(&c);
	calendar_add(&c, 5, 1);
	calendar_add(&c, 3, 2);
	calendar_add(&c, 3, 3);
	assert_int_equal(calendar_next(&c), 3);
	assert_true(c.bytes > 0);
	calendar_release(&c);
	assert_int_equal(calendar_next(&c), INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_and_whole),
		cmocka_unit_test(what_is_left_is_released),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
