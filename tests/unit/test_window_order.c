/* window_order: all numbers, in order, whatever their number and order was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "rules/window_order.h"

static int falling(const void *a, const void *b, void *arg)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	++*(size_t *)arg;
	return (x < y) - (x > y);
}

static void sorts(struct order *o, size_t n, uint32_t values)
{
	struct prng random = {n + 1};
	uint32_t *v = xmalloc(n * sizeof *v), last = UINT32_MAX;
	uint64_t sum = 0;
	size_t runs = 0, compared = 0;

	for (size_t i = 0; i < n; i++) {
		v[i] = (uint32_t)(prng_unit(&random) * values);
		sum += v[i];
	}
	order_begin(o, v, n);
	while (order_sort(o, falling, &compared))
		runs++;
	assert_int_equal(runs, (n + ORDER_RUN - 1) / ORDER_RUN);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(o->left, n - i);
		uint32_t value = order_take(o, falling, &compared);
		assert_true(value <= last);
		sum -= value;
		last = value;
	}
	assert_int_equal(o->left, 0);
	assert_int_equal(sum, 0);
	assert_true(compared <= n * 40);
}

static void any_number_is_sorted(void **state)
{
	static const size_t sizes[] = {
		0, 1, 2, ORDER_RUN - 1, ORDER_RUN, ORDER_RUN + 1, 3 * ORDER_RUN, 100000};
	struct order o = {0};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		sorts(&o, sizes[i], UINT32_MAX);
		sorts(&o, sizes[i], 3);
	}
	order_release(&o);
	order_release(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_number_is_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
