/* random — splitmix64 by its published values; the kernel's bytes differ and fill all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "relay/base/random.h"

static void splitmix64_values(void **state)
{
	static const struct {
		uint64_t seed, values[5];
	} cases[] = {
		{0,
		 {0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC,
		  0x1B39896A51A8749B}},
		{1234567,
		 {6457827717110365317U, 3203168211198807973U, 9817491932198370423U,
		  4593380528125082431U, 16408922859458223821U}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct prng p = {cases[i].seed};
		for (int n = 0; n < 5; n++)
			assert_true(prng_next(&p) == cases[i].values[n]);
	}
}

static void units_lie_in_range_and_spread(void **state)
{
	struct prng p = {5};
	int tenths[10] = {0};

	(void)state;
	for (int i = 0; i < 100000; i++) {
		double x = prng_unit(&p);
		assert_true(x >= 0 && x < 1);
		tenths[(int)(x * 10)]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(tenths[i], 9500, 10500);
}

static void kernel_bytes_fill_all(void **state)
{
	unsigned char a[1000] = {0}, b[1000] = {0}, seen[1000] = {0};

	(void)state;
	random_bytes(a, 0);
	assert_int_equal(a[0], 0);
	for (int i = 0; i < 8; i++) { /* a byte that stays 0 eight times: 1000 / 2^64 */
		random_bytes(a, sizeof a);
		for (size_t n = 0; n < sizeof a; n++)
			seen[n] |= a[n];
	}
	for (size_t n = 0; n < sizeof a; n++)
		assert_int_not_equal(seen[n], 0);
	random_bytes(b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
	assert_true(random_u64() != random_u64());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splitmix64_values),
		cmocka_unit_test(units_lie_in_range_and_spread),
		cmocka_unit_test(kernel_bytes_fill_all),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
