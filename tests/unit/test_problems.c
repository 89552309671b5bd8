/* problems: how mistakes are shown, and what is never shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/buf.h"
#include "relay/config/yaml.h"
#include "tests/unit/config_rig.h"

#define LEN(a) (sizeof(a) / sizeof *(a))

static char *repeated(const char *before, const char *part, size_t n, const char *after)
{
	struct buf b = BUF_INIT(YAML_FILE_MAX + 100);

	buf_adds(&b, before);
	for (size_t i = 0; i < n; i++)
		buf_adds(&b, part);
	buf_adds(&b, after);
	assert_false(b.full);
	return buf_detach(&b);
}

static void mistakes_come_together(void **state)
{
	struct problems p = {0};
	char *text = repeated("a:\n", "  - *none\n", 23, "");
	(void)state;

	assert_null(parse_text(text, &p));
	assert_int_equal(p.n, PROBLEMS_MAX);
	assert_int_equal(p.more, 3);
	assert_string_equal(p.v[19], "t.yaml:21:5: a[19]: there is no anchor &none above");
	problems_release(&p);
	assert_int_equal(p.n, 0);
	problems_release(&p);
	problems_release(NULL);
	free(text);
}

static void assert_printed(const char *text, const char *expect)
{
	struct problems p = {0};
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	yaml_free(parse_text(text, &p));
	problems_print(&p, f);
	fclose(f);
	assert_string_equal(out, expect);
	free(out);
	problems_release(&p);
}

static void problems_show_line_and_caret(void **state)
{
	(void)state;
	assert_printed("a: é *b\nc: [é, *b]\n", "t.yaml:2:8: c[1]: there is no anchor &b above\n"
						"    c: [é, *b]\n"
						"           ^\n");
	assert_printed("a:\tb\nc:\t*d\n", "t.yaml:2:4: c: there is no anchor &d above\n"
					  "    c:\t*d\n"
					  "      \t^\n");
	/* a long line is cut around the place */
	char *line = repeated("{", "a: b, ", 1, ""), *text = NULL;
	free(line);
	line = repeated("k: [", "123456789, ", 30, "*x");
	assert_true(asprintf(&text, "%s%s", line, ", 1, 2, 3]\n") > 0);
	assert_printed(text,
		       "t.yaml:1:335: k[30]: there is no anchor &x above\n"
		       "    …789, 123456789, 123456789, 123456789, 123456789, 123456789, *x, 1, "
		       "2, 3]\n"
		       "                                                                 ^\n");
	free(text);
	free(line);
}

static void secrets_are_never_shown(void **state)
{
	static const struct {
		const char *text, *keep; /* what must still be there; "TOP" must not */
	} cases[] = {
		{"a: {api_key: TOP, b: *x}\n", "a: {api_key: "},
		{"a: {secret: 'TOP', b: *x}\n", "a: {secret: '"},
		{"a: {\"secret\": \"TOP\", b: *x}\n", "a: {\"secret\": \""},
		{"a: {secret: [TOP, TOP], b: *x}\n", "a: {secret: ["},
		{"a: {b: *x, Authorization: Bearer TOP}\n", "a: {b: *x, Authorization: "},
		{"token: \"TOP\n", "token: \""},
		{"secret:\n  - TOP\n  - *x TOP\n", "***"},
		{"secret:\n- TOP\n- *x TOP\n", "***"},
		{"password: |\n  TOP\n TOP: *x\n", "***"},
		{"a: [http://u:TOP@host/, *x]\n", "a: [http://*****@host/, *x]"},
		{"a: {secret: ${RT_NONE:-TOP}, b: *x}\n", "a: {secret: "},
		{"a: {secret: ${RT_A}, b: *x}\n", "a: {secret: ${RT_A}, b: *x}"},
		{"a: {secret: ${RT_A}, token: TOP, b: *x}\n", "a: {secret: ${RT_A}, token: "},
		{"a: {url: 'http://u:TOP@host/', secret: TOP, b: *x}\n", "http://*****@host/"},
		{"a: {secret_file: s.txt, b: *x}\n", "a: {secret_file: s.txt, b: *x}"},
	};
	(void)state;

	for (size_t i = 0; i < LEN(cases); i++) {
		struct problems p = {0};
		assert_null(parse_text(cases[i].text, &p));
		assert_true(p.n > 0);
		assert_non_null(p.source[0]);
		if (strstr(p.source[0], "TOP") || !strstr(p.source[0], cases[i].keep))
			fail_msg("%s is shown as %s", cases[i].text, p.source[0]);
		problems_release(&p);
	}
}

static void nothing_reaches_the_terminal(void **state)
{
	struct yaml *y = good("\"k\\e[2J\": \"v\\a\\u202e\\u0085é\"\n");
	struct problems p = {0};
	char shown[NODE_SHOWN];
	const struct node *n = yaml_root(y)->items[0];
	(void)state;

	problem_at(&p, n, "is %s", node_shown(n, shown));
	assert_string_equal(p.v[0], "t.yaml:1:11: k?[2J: is \"v???é\"");
	problem_at_key(&p, n, "x");
	assert_string_equal(p.v[1], "t.yaml:1:1: k?[2J: x");
	problem_at(&p, NULL, "nowhere");
	assert_string_equal(p.v[2], "nowhere");
	problem_warn(&p, n, "w");
	assert_int_equal(p.nwarnings, 1);
	assert_string_equal(p.warnings[0], "t.yaml:1:11: k?[2J: w");
	for (int i = 0; i < 100; i++)
		problem_warn(&p, n, "w");
	assert_int_equal(p.nwarnings, PROBLEMS_MAX);
	problems_release(&p);
	yaml_free(y);
}

static void values_are_shown_short(void **state)
{
	static const struct {
		const char *yaml, *shown;
	} cases[] = {
		{"abc", "\"abc\""},
		{"[1]", "a list"},
		{"{a: 1}", "a map"},
		{"${RT_A}", "what the environment holds"},
		{"https://user:pw@host/x", "\"https://host/x\""},
		{"https://host/a@b", "\"https://host/a@b\""},
		{"0123456789012345678901234567890123456789012345678901234567890",
		 "\"01234567890123456789012345678901234567890123456789012345…\""},
		{"ééééééééééééééééééééééééééééééééééé", "\"éééééééééééééééééééééééééééé…\""},
	};
	(void)state;

	for (size_t i = 0; i < LEN(cases); i++) {
		char text[160], shown[NODE_SHOWN];
		snprintf(text, sizeof text, "k: %s\n", cases[i].yaml);
		struct yaml *y = good(text);
		assert_string_equal(node_shown(yaml_root(y)->items[0], shown), cases[i].shown);
		yaml_free(y);
	}
}

static void slips_are_recognised(void **state)
{
	static const char *const names[] = {"rate_limit", "orgs",	"to",
					    "since",	  "poll_every", NULL};
	static const struct {
		const char *given, *nearest;
	} cases[] = {
		{"rate_limit", "rate_limit"},
		{"ratelimit", "rate_limit"},
		{"rate-limit", "rate_limit"},
		{"RateLimit", "rate_limit"},
		{"rate_limt", "rate_limit"},
		{"rate_lmiit", "rate_limit"},
		{"org", "orgs"},
		{"orsg", "orgs"},
		{"TO", "to"},
		{"ta", NULL},
		{"", NULL},
		{"snice", "since"},
		{"colour", NULL},
		{"poll_interval", NULL},
		{"a name much longer than all of those that we have", NULL},
	};
	(void)state;

	for (size_t i = 0; i < LEN(cases); i++) {
		const char *found = problem_nearest(cases[i].given, names);
		if (!found != !cases[i].nearest || (found && strcmp(found, cases[i].nearest) != 0))
			fail_msg("%s: %s", cases[i].given, found ? found : "none");
	}
}

static int set_environment(void **state)
{
	(void)state;
	unsetenv("RT_NONE");
	return setenv("RT_A", "one", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_come_together),
		cmocka_unit_test(problems_show_line_and_caret),
		cmocka_unit_test(secrets_are_never_shown),
		cmocka_unit_test(nothing_reaches_the_terminal),
		cmocka_unit_test(values_are_shown_short),
		cmocka_unit_test(slips_are_recognised),
	};

	return cmocka_run_group_tests_name("unit", tests, set_environment, NULL);
}
