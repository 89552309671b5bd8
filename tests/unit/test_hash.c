/* hash — XXH3 by values that the xxhsum tool prints; its text goes both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "relay/base/hash.h"

static void known_values(void **state)
{
	char r[1000];
	const struct {
		const char *bytes;
		size_t len;
		uint64_t h64;
		const char *h128;
	} cases[] = {
		{"", 0, 0x2d06800538d394c2, "99aa06d3014798d86001c324468d497f"},
		{"a", 1, 0xe6c632b61e964e1f, "a96faf705af16834e6c632b61e964e1f"},
		{"netstring", 9, 0x88bbc765477199fd, "4a4ce99c1b1cd31c8bc556b9bc2a4dc6"},
		{r, 240, 0xe39f8f3046930adf, "4e1fc5e69208ae55b93d96f29b436456"},
		{r, 1000, 0x9bd71b71f00c8d77, "21e0ab1c5e96aa0a9bd71b71f00c8d77"},
	};

	(void)state;
	memset(r, 'r', sizeof r);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char hex[33];
		struct hash128 h = hash128(cases[i].bytes, cases[i].len), back = {0, 0};
		assert_true(hash64(cases[i].bytes, cases[i].len) == cases[i].h64);
		hash128_hex(hex, h);
		assert_string_equal(hex, cases[i].h128);
		assert_true(hash128_unhex(hex, &back));
		assert_true(hash128_equal(h, back));
	}
}

static void refuses_other_text(void **state)
{
	static const char *const bad[] = {
		"99aa06d3014798d86001c324468d497", /* its NUL is the 32nd */
		"99AA06d3014798d86001c324468d497f", "99aa06d3014798d8 001c324468d497f",
		"g9aa06d3014798d86001c324468d497f", "99aa06d3014798d86001c324468d497/",
		"99aa06d3014798d86001c324468d497:", "99aa06d3014798d86001c324468d497`",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct hash128 h = {1, 2};
		assert_false(hash128_unhex(bad[i], &h));
		assert_true(hash128_equal(h, (struct hash128){1, 2}));
	}
}

static void equality_needs_both_halves(void **state)
{
	struct hash128 h = {1, 2};

	(void)state;
	assert_true(hash128_equal(h, (struct hash128){1, 2}));
	assert_false(hash128_equal(h, (struct hash128){1, 3}));
	assert_false(hash128_equal(h, (struct hash128){0, 2}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values),
		cmocka_unit_test(refuses_other_text),
		cmocka_unit_test(equality_needs_both_halves),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
