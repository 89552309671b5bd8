/* err — messages are cut at characters, wrapped from outside in, and may quote themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "relay/base/err.h"

static void sets_and_wraps(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_set(&err, ERR_NET, "page %d: %s", 3, "no answer"), -1);
	assert_int_equal(err.code, ERR_NET);
	assert_string_equal(err.msg, "page 3: no answer");
	assert_int_equal(err_wrap(&err, "poll of %s", "bc_1"), -1);
	assert_int_equal(err.code, ERR_NET);
	assert_string_equal(err.msg, "poll of bc_1: page 3: no answer");
}

static void replaces_the_message_by_one_that_quotes_it(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, ERR_IO, "disk full");
	err_set(&err, ERR_STORE, "commit: %s (%s)", err.msg, err.msg);
	assert_int_equal(err.code, ERR_STORE);
	assert_string_equal(err.msg, "commit: disk full (disk full)");
	err_set(&err, ERR_IO, "inner");
	err_wrap(&err, "%s", err.msg);
	assert_string_equal(err.msg, "inner: inner");
}

static void cuts_at_a_character(void **state)
{
	static const struct {
		size_t before; /* ASCII characters before the one that may not fit */
		const char *last;
		size_t len;
	} cases[] = {
		{510, "x", 511},
		{511, "x", 511},
		{600, "x", 511},
		{509, "\xC3\xA9", 511},
		{510, "\xC3\xA9", 510},
		{511, "\xC3\xA9", 511},
		{508, "\xE2\x82\xAC", 511},
		{509, "\xE2\x82\xAC", 509},
		{510, "\xE2\x82\xAC", 510},
		{507, "\xF0\x9F\x98\x80", 511},
		{508, "\xF0\x9F\x98\x80", 508},
		{509, "\xF0\x9F\x98\x80", 509},
		{510, "\xF0\x9F\x98\x80", 510},
		{511, "\xF0\x9F\x98\x80", 511},
	};
	char ascii[601];

	(void)state;
	memset(ascii, 'a', sizeof ascii);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err;
		err_set(&err, ERR_IO, "%.*s%s", (int)cases[i].before, ascii, cases[i].last);
		assert_int_equal(strlen(err.msg), cases[i].len);
	}
}

static void cuts_a_long_wrap(void **state)
{
	char text[512];
	struct err err;

	(void)state;
	memset(text, 'b', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	err_set(&err, ERR_IO, "%s", text);
	err_wrap(&err, "outside");
	assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
	assert_memory_equal(err.msg, "outside: bbb", 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_and_wraps),
		cmocka_unit_test(replaces_the_message_by_one_that_quotes_it),
		cmocka_unit_test(cuts_at_a_character),
		cmocka_unit_test(cuts_a_long_wrap),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
