/*
 * Regular expressions: one compiled expression in several threads, what long texts and greedy
 * expressions may cost, and what is refused. Without PCRE2: that it says so.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "rules/pattern_regex.h"

#define THREADS 4
#define ROUNDS	2000

static struct regex *compile(const char *text)
{
	struct err err = {0};
	struct regex *r = regex_compile(text, strlen(text), &err);

	if (!r)
		fail_msg("%s: %s", text, err.msg);
	return r;
}

static bool found(const char *expression, const char *text, size_t len)
{
	struct regex *r = compile(expression);
	bool answer = regex_match(r, text, len);

	regex_free(r);
	return answer;
}

static char *many(char c, size_t n)
{
	char *text = xmalloc(n + 1);

	memset(text, c, n);
	text[n] = '\0';
	return text;
}

static void *match_often(void *arg)
{
	const struct regex *r = arg;
	size_t wrong = 0;

	for (int i = 0; i < ROUNDS; i++) {
		wrong += !regex_match(r, "code 4711: busy", 15);
		wrong += regex_match(r, "code x: busy", 12);
	}
	return (void *)(uintptr_t)wrong;
}

static void threads_share_an_expression(void **state)
{
	pthread_t threads[THREADS];
	struct regex *r = compile("^code (\\d+): (.*)$");

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, match_often, r), 0);
	for (int i = 0; i < THREADS; i++) {
		void *wrong;
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	regex_free(r);
}

/* What would take years ends in a moment, wherever a match may start. */
static void greed_is_bounded(void **state)
{
	static const char *const greedy[] = {
		"(a+)+$",	    "(a|aa)+$",
		"(a*)*b",	    "(.*)(.*)(.*)(.*)[xy]",
		"(a|a?)+!",	    "((a{1,9}){1,9}){1,9}!",
		"(?:a(?=a*b)|a)*c", "(?<x>a|(?&x)a)+!",
		"(?R)?a+(?R)?!",    "\\w*\\w*\\w*\\W",
	};
	char *text = many('a', REGEX_TEXT_MAX);

	(void)state;
	text[REGEX_TEXT_MAX - 1] = '_';
	for (size_t i = 0; i < sizeof greedy / sizeof *greedy; i++)
		assert_false(found(greedy[i], text, REGEX_TEXT_MAX));
	free(text);
}

static void long_texts_do_not_match(void **state)
{
	char *text = many('a', REGEX_TEXT_MAX + 1);

	(void)state;
	assert_true(found("a$", text, REGEX_TEXT_MAX));
	assert_false(found("a$", text, REGEX_TEXT_MAX + 1));
	free(text);
}

static void texts_have_a_length(void **state)
{
	(void)state;
	assert_true(found("^ab$", "abc", 2)); /* no NUL is needed behind it */
	assert_true(found("^$", "", 0));
	assert_false(found("a", "\xff\x61", 2)); /* no UTF-8 */
}

static void wrong_ones_are_refused(void **state)
{
	char *text = many('a', REGEX_MAX + 1);
	struct err err = {0};

	(void)state;
	regex_free(regex_compile(text, REGEX_MAX, &err));
	assert_int_equal(err.code, ERR_NONE);
	assert_null(regex_compile(text, REGEX_MAX + 1, &err));
	assert_string_equal(err.msg, "a regex of 1001 bytes; at most 1000 are allowed");
	assert_null(regex_compile("(", 1, &err));
	assert_non_null(strstr(err.msg, "not a regular expression, at byte 2: "));
	regex_free(NULL);
	free(text);
}

static void it_says_that_it_is_not_built_in(void **state)
{
	struct err err = {0};

	(void)state;
	assert_null(regex_compile("a", 1, &err));
	assert_non_null(strstr(err.msg, "not built in"));
	assert_false(regex_match(NULL, "a", 1));
	regex_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share_an_expression),
		cmocka_unit_test(greed_is_bounded),
		cmocka_unit_test(long_texts_do_not_match),
		cmocka_unit_test(texts_have_a_length),
		cmocka_unit_test(wrong_ones_are_refused),
	};
	const struct CMUnitTest without[] = {
		cmocka_unit_test(it_says_that_it_is_not_built_in),
	};
	if (!regex_is_built_in())
		return cmocka_run_group_tests_name("pattern regex", without, NULL, NULL);
	return cmocka_run_group_tests_name("pattern regex", tests, NULL, NULL);
}
