/* buf — grows to its ceiling and not beyond, always ends in NUL, and an overflow is never half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <limits.h>
#include <stdio.h>

#include "relay/base/buf.h"
#include "relay/base/random.h"

static void builds_text(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	assert_string_equal(b.data, "");
	buf_add(&b, NULL, 0);
	assert_ptr_equal(b.data, buf_empty);
	buf_adds(&b, "ab");
	buf_addc(&b, 'c');
	buf_addf(&b, "-%s-%03d", "d", 7);
	buf_addc(&b, '\0');
	buf_addi(&b, -42);
	assert_int_equal(b.len, 13);
	assert_memory_equal(b.data, "abc-d-007\0-42", 14);
	assert_false(b.full);
	buf_release(&b);
	assert_ptr_equal(b.data, buf_empty);
	buf_adds(&b, "again");
	assert_string_equal(b.data, "again");
	buf_release(&b);
	buf_release(NULL);
}

static void writes_integers(void **state)
{
	static const long long values[] = {
		0, 1, -1, 9, 10, -10, 1234567890123, 99, 100, LLONG_MAX, LLONG_MIN, LLONG_MIN + 1};
	struct buf b = BUF_INIT(100);

	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		char expected[32];
		snprintf(expected, sizeof expected, "%lld", values[i]);
		buf_clear(&b);
		buf_addi(&b, values[i]);
		assert_string_equal(b.data, expected);
	}
	buf_release(&b);
}

static void formats_longer_than_the_first_try(void **state)
{
	char text[1000];

	(void)state;
	memset(text, 'z', sizeof text);
	for (int len = 250; len < 262; len++) {
		struct buf b = BUF_INIT(2000);
		buf_adds(&b, "a");
		buf_addf(&b, "%.*s", len, text);
		assert_int_equal(b.len, len + 1);
		assert_int_equal(strlen(b.data), len + 1);
		assert_int_equal(b.data[len], 'z');
		buf_release(&b);
	}
	struct buf small = BUF_INIT(300);
	buf_addf(&small, "%.*s", 301, text);
	assert_true(small.full);
	assert_int_equal(small.len, 0);
	buf_release(&small);
}

static void stops_at_the_ceiling(void **state)
{
	struct buf b = BUF_INIT(5);

	(void)state;
	buf_adds(&b, "abc");
	buf_adds(&b, "def"); /* nothing of it */
	assert_true(b.full);
	assert_string_equal(b.data, "abc");
	buf_addc(&b, 'd'); /* would fit, but behind a hole */
	assert_string_equal(b.data, "abc");
	buf_truncate(&b, 1);
	assert_true(b.full);
	assert_string_equal(b.data, "a");
	buf_clear(&b);
	assert_false(b.full);
	buf_adds(&b, "12345");
	assert_false(b.full);
	assert_string_equal(b.data, "12345");
	buf_addc(&b, '6');
	assert_true(b.full);
	buf_release(&b);
	assert_false(b.full);
	assert_int_equal(b.max, 5);

	struct buf none = BUF_INIT(0);
	buf_adds(&none, "");
	assert_false(none.full);
	buf_addc(&none, 'x');
	assert_true(none.full);
	assert_ptr_equal(none.data, buf_empty);
	buf_release(&none);
}

static void takes_no_ceiling(void **state)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	(void)state;
	buf_adds(&b, "x");
	buf_addf(&b, "%300d", 1);
	assert_int_equal(b.len, 301);
	buf_release(&b);
}

static void truncates(void **state)
{
	struct buf b = BUF_INIT(10);

	(void)state;
	buf_truncate(&b, 0);
	buf_truncate(&b, 5);
	assert_int_equal(b.len, 0);
	buf_adds(&b, "abc");
	buf_truncate(&b, 7);
	buf_truncate(&b, 3);
	assert_string_equal(b.data, "abc");
	buf_truncate(&b, 2);
	assert_string_equal(b.data, "ab");
	assert_int_equal(b.len, 2);
	buf_release(&b);
}

static void hands_over_its_bytes(void **state)
{
	struct buf b = BUF_INIT(10);
	char *none = buf_detach(&b);

	(void)state;
	assert_string_equal(none, "");
	free(none);
	buf_adds(&b, "mine");
	char *text = buf_detach(&b);
	assert_string_equal(text, "mine");
	assert_int_equal(b.len, 0);
	assert_ptr_equal(b.data, buf_empty);
	free(text);
	buf_release(&b);
}

/* Against a plain array: any series of additions leaves the same bytes. */
static void random_additions(void **state)
{
	struct prng p = {20261122};
	static char model[5000];

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct buf b;
		size_t len = 0, max = prng_next(&p) % sizeof model;
		buf_init(&b, max);
		for (int i = 0; i < 40 && !b.full; i++) {
			char piece[300];
			size_t n = prng_next(&p) % sizeof piece;
			memset(piece, 'a' + i % 26, n);
			buf_add(&b, piece, n);
			assert_int_equal(b.full, len + n > max);
			if (!b.full) {
				memcpy(model + len, piece, n);
				len += n;
			}
			assert_int_equal(b.len, len);
			assert_int_equal(b.data[len], '\0');
			assert_memory_equal(b.data, model, len);
		}
		buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds_text),
		cmocka_unit_test(writes_integers),
		cmocka_unit_test(formats_longer_than_the_first_try),
		cmocka_unit_test(stops_at_the_ceiling),
		cmocka_unit_test(takes_no_ceiling),
		cmocka_unit_test(truncates),
		cmocka_unit_test(hands_over_its_bytes),
		cmocka_unit_test(random_additions),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
