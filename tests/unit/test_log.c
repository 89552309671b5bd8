/* log — what a line looks like, what no value can do to it, and that lines of threads stay whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"

#define LINE_SIZE 8192

/* stderr goes into a file between these two. */
static int saved_fd;
static FILE *caught;

static void catch_start(void)
{
	fflush(stderr);
	saved_fd = dup(STDERR_FILENO);
	caught = tmpfile();
	dup2(fileno(caught), STDERR_FILENO);
}

/* You own the text. */
static char *catch_end(void)
{
	dup2(saved_fd, STDERR_FILENO);
	close(saved_fd);
	long len = lseek(fileno(caught), 0, SEEK_END);
	char *text = xcalloc((size_t)len + 1, 1);
	assert_int_equal(pread(fileno(caught), text, (size_t)len, 0), len);
	fclose(caught);
	return text;
}

/* What stands behind the time, which is checked. You own it. */
static char *one_line(const char *msg, const struct log_field *fields)
{
	struct instant before = clock_now();
	int64_t at;

	catch_start();
	log_write(LOG_INFO, msg, fields);
	char *text = catch_end();
	assert_memory_equal(text, "time=", 5);
	assert_true(date_parse(text + 5, 24, &at));
	assert_true(at >= before.wall_ms && at <= clock_now().wall_ms);
	assert_int_equal(text[29], ' ');
	char *rest = xstrdup(text + 30);
	free(text);
	return rest;
}

static void writes_a_line(void **state)
{
	(void)state;
	catch_start();
	log_warn("callback refused", log_str("event", "evt_1"), log_num("status", 404));
	char *text = catch_end();
	assert_string_equal(text + 30,
			    "level=warn msg=\"callback refused\" event=evt_1 status=404\n");
	free(text);

	catch_start();
	log_error("x");
	text = catch_end();
	assert_string_equal(text + 30, "level=error msg=x\n");
	free(text);
}

static void quotes_and_escapes(void **state)
{
	static const struct {
		const char *value, *shown;
	} cases[] = {
		{"plain", "plain"},
		{"a:b/c?d&e%20-_.,;{}[]()", "a:b/c?d&e%20-_.,;{}[]()"},
		{"", "\"\""},
		{NULL, "\"\""},
		{"two words", "\"two words\""},
		{"a=b", "\"a=b\""},
		{"say \"hi\"", "\"say \\\"hi\\\"\""},
		{"back\\slash", "\"back\\\\slash\""},
		{"a\nlevel=error", "\"a\\x0alevel=error\""},
		{"\r\t\x1B[31m\x7F", "\"\\x0d\\x09\\x1b[31m\\x7f\""},
		{"\x01", "\"\\x01\""},
		{"na\xC3\xAFve\xE2\x82\xAC\xF0\x9F\x98\x80",
		 "na\xC3\xAFve\xE2\x82\xAC\xF0\x9F\x98\x80"},
		{"\xC2\x85\xC2\x9B", "\"\\u{85}\\u{9b}\""}, /* C1 */
		{"a\xE2\x80\xAE"
		 "b",
		 "\"a\\u{202e}b\""}, /* right-to-left override */
		{"\xE2\x80\xAA\xE2\x81\xA6\xE2\x81\xA9", "\"\\u{202a}\\u{2066}\\u{2069}\""},
		{"\xE2\x80\x8E\xE2\x80\x8F\xD8\x9C", "\"\\u{200e}\\u{200f}\\u{61c}\""},
		{"\xE2\x80\xA8\xE2\x80\xA9", "\"\\u{2028}\\u{2029}\""}, /* line ends */
		{"\xE2\x80\x8D\xE2\x81\xA5\xE2\x81\xAA", "\xE2\x80\x8D\xE2\x81\xA5\xE2\x81\xAA"},
		{"\x80", "\"\\x80\""},
		{"\xFF\xFE", "\"\\xff\\xfe\""},
		{"\xC0\x8A", "\"\\xc0\\x8a\""}, /* overlong line end */
		{"\xE0\x80\x8A", "\"\\xe0\\x80\\x8a\""},
		{"\xED\xA0\x80", "\"\\xed\\xa0\\x80\""},	  /* surrogate */
		{"\xF4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\""}, /* above U+10FFFF */
		{"\xF8\x88\x80\x80\x80", "\"\\xf8\\x88\\x80\\x80\\x80\""},
		{"cut\xE2\x82", "\"cut\\xe2\\x82\""}, /* ends inside a character */
		{"\xC3(", "\"\\xc3(\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = one_line("m", LOG_FIELDS(log_str("k", cases[i].value)));
		char *expected = xasprintf("level=info msg=m k=%s\n", cases[i].shown);
		assert_string_equal(text, expected);
		free(expected);
		free(text);
	}
	char *text = one_line("a\nb", LOG_FIELDS(log_num("n", INT64_MIN)));
	assert_string_equal(text, "level=info msg=\"a\\x0ab\" n=-9223372036854775808\n");
	free(text);
	text = one_line("m", LOG_FIELDS(log_opt("a", NULL), log_opt("b", ""), log_opt("c", "x"),
					log_num("n", 1)));
	assert_string_equal(text, "level=info msg=m c=x n=1\n");
	free(text);
}

static void keeps_to_the_level(void **state)
{
	(void)state;
	catch_start();
	log_debug("one"); /* info is where it starts */
	log_info("two");
	log_set_level(LOG_ERROR);
	log_warn("three");
	log_error("four");
	log_set_level(LOG_DEBUG);
	log_debug("five");
	log_set_level(LOG_INFO);
	char *text = catch_end();
	assert_null(strstr(text, "one"));
	assert_non_null(strstr(text, "level=info msg=two\n"));
	assert_null(strstr(text, "three"));
	assert_non_null(strstr(text, "level=error msg=four\n"));
	assert_non_null(strstr(text, "level=debug msg=five\n"));
	free(text);
}

static void knows_the_levels(void **state)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	static const char *const bad[] = {"", "Info", "warning", "info ", "0"};
	enum log_level level = LOG_WARN;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(log_level_parse(bad[i], &level));
	assert_int_equal(level, LOG_WARN);
	for (int i = 0; i < 4; i++) {
		assert_true(log_level_parse(names[i], &level));
		assert_int_equal(level, i);
	}
}

/* Is it one line of logfmt, whatever was cut? */
static bool well_formed(const char *line)
{
	bool quoted = false;
	size_t len = strlen(line);

	for (size_t i = 0; i + 1 < len; i++) {
		if (line[i] == '\n')
			return false;
		if (quoted && line[i] == '\\')
			i++;
		else if (line[i] == '"')
			quoted = !quoted;
	}
	return !quoted && line[len - 1] == '\n';
}

static void cuts_long_lines(void **state)
{
	static const char *const tails[] = {"", " ", "\"", "\n", "\xE2\x82\xAC", "\xE2\x80\xAE"};
	char *value = xcalloc(3 * LINE_SIZE, 1);

	(void)state;
	for (size_t t = 0; t < sizeof tails / sizeof *tails; t++) {
		for (size_t n = LINE_SIZE - 120; n < LINE_SIZE + 20; n++) {
			memset(value, 'v', n);
			strcpy(value + n, tails[t]);
			char *text =
				one_line("m", LOG_FIELDS(log_str("k", value), log_num("z", 1)));
			size_t len = strlen(text) + 30;
			assert_true(len <= LINE_SIZE);
			assert_true(well_formed(text));
			bool whole = strstr(text, " z=1\n") != NULL;
			assert_true(whole || strstr(text, "\xE2\x80\xA6"));
			if (!whole)
				assert_true(len > LINE_SIZE - 32);
			free(text);
		}
	}
	memset(value, '\n', 2 * LINE_SIZE);
	char *text = one_line(value, LOG_FIELDS(log_num("z", 1)));
	assert_true(strlen(text) > LINE_SIZE - 100 && strlen(text) + 30 <= LINE_SIZE);
	assert_string_equal(text + strlen(text) - 9, "\\x0a\xE2\x80\xA6\"\n");
	free(text);
	free(value);
}

#define WRITERS 4
#define LINES	200

static void *write_lines(void *arg)
{
	const char *letter = arg;
	char value[600];

	memset(value, *letter, sizeof value - 1);
	value[sizeof value - 1] = '\0';
	for (int i = 0; i < LINES; i++)
		log_info("m", log_str("k", value));
	return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
	static const char *const letters[WRITERS] = {"a", "b", "c", "d"};
	pthread_t threads[WRITERS];
	int lines = 0;

	(void)state;
	catch_start();
	for (int i = 0; i < WRITERS; i++)
		pthread_create(&threads[i], NULL, write_lines, (void *)letters[i]);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	char *text = catch_end();
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
		assert_int_equal(end - line, 30 + strlen("level=info msg=m k=") + 599);
		assert_memory_equal(line, "time=", 5);
		char last = end[-1];
		assert_int_equal(strspn(end - 599, (char[]){last, '\0'}), 599);
	}
	assert_int_equal(lines, WRITERS * LINES);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_a_line),      cmocka_unit_test(quotes_and_escapes),
		cmocka_unit_test(keeps_to_the_level), cmocka_unit_test(knows_the_levels),
		cmocka_unit_test(cuts_long_lines),    cmocka_unit_test(lines_of_threads_do_not_mix),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
