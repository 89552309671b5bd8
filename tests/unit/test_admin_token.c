/* The token's file: made once, kept, and refused where it is no secret or no token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "relay/admin/token.h"
#include "relay/base/mem.h"
#include "tests/unit/config_rig.h"

static char *in(void **state, const char *name)
{
	return xasprintf("%s/%s", (char *)*state, name);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void a_missing_file_is_made_and_then_kept(void **state)
{
	struct err err = {0};
	char *path = in(state, "a.token"), *left = in(state, "a.token.new");
	struct stat st;

	write_file(left, "half", 0644); /* of a start that was killed */
	char *first = token_take(path, &err);
	assert_non_null(first);
	assert_int_equal(strlen(first), 64);
	assert_int_equal(strspn(first, "0123456789abcdef"), 64);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(left, &st), -1);
	char *second = token_take(path, &err);
	assert_string_equal(first, second);
	remove(path);
	char *third = token_take(path, &err);
	assert_string_not_equal(first, third);
	free(first);
	free(second);
	free(third);
	free(path);
	free(left);
}

static void what_is_no_secret_or_no_token_is_refused(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		const char *problem; /* NULL: taken */
	} cases[] = {
		{"a-token-of-some-length\n", 0600, NULL},
		{"a-token-of-some-length", 0400, NULL},
		{"a-token-of-some-length\r\n", 0640, NULL},
		{"a-token-of-some-length\n", 0644, "chmod 600"},
		{"a-token-of-some-length\n", 0602, "chmod 600"},
		{"a-token-of-some-length\n", 0620, "chmod 600"},
		{"", 0600, "too short"},
		{"short\n", 0600, "too short"},
		{"a token with blanks in it\n", 0600, "blanks"},
		{"a-token-of-some-length\nand-another-line-of-it\n", 0600, "one line"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = {0};
		char *path = in(state, "b.token");
		write_file(path, cases[i].text, cases[i].mode);
		char *token = token_take(path, &err);
		if ((token == NULL) != (cases[i].problem != NULL))
			fail_msg("case %zu: %s", i, err.msg);
		if (cases[i].problem)
			assert_non_null(strstr(err.msg, cases[i].problem));
		else
			assert_string_equal(token, "a-token-of-some-length");
		assert_null(strstr(err.msg, "a-token-of"));
		free(token);
		remove(path);
		free(path);
	}
}

static void what_is_no_file_is_refused(void **state)
{
	struct err err = {0};
	char *path = in(state, "fifo"), *deep = in(state, "none/a.token");

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(token_take(path, &err)); /* and does not wait for a writer */
	assert_non_null(strstr(err.msg, "is no file"));
	assert_null(token_take(deep, &err));
	assert_non_null(strstr(err.msg, deep));
	remove(path);
	free(path);
	free(deep);
}

static void it_lies_beside_the_journal_unless_told(void **state)
{
	char *a = token_path("/x/t", "/y/relay.db"), *b = token_path(NULL, "/y/relay.db");

	(void)state;
	assert_string_equal(a, "/x/t");
	assert_string_equal(b, "/y/relay.db.token");
	assert_null(token_path(NULL, NULL));
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_file_is_made_and_then_kept),
		cmocka_unit_test(what_is_no_secret_or_no_token_is_refused),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(it_lies_beside_the_journal_unless_told),
	};

	return cmocka_run_group_tests_name("unit", tests, make_dir, remove_dir);
}
