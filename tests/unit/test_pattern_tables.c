/*
 * Every case of every table in tests/data/patterns: does it match, is it refused with these words,
 * and does pattern_explain say the same as pattern_match.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pattern_table.h"
#include "rules/pattern.h"
#include "rules/pattern_regex.h"

static const char *const expected[] = {
	"anything-but.yaml", "arrays.yaml",   "cidr.yaml",	     "equals-ignore-case.yaml",
	"exists.yaml",	     "limits.yaml",   "null-and-empty.yaml", "numeric.yaml",
	"or.yaml",	     "prefix.yaml",   "regex.yaml",	     "suffix.yaml",
	"values.yaml",	     "wildcard.yaml",
};

#define CASES_MIN 15 /* in a file */

static void take_finding(void *arg, const struct pattern_finding *f)
{
	size_t *failing = arg;

	assert_true(*f->path && *f->wanted && *f->seen);
	*failing += !f->holds;
}

static void check_event(const struct pattern_table *t, const struct pattern_case *c,
			const struct pattern *pt, const char *text)
{
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	size_t failing = 0;
	const struct json *event = json_parse(doc, text, strlen(text), JSON_DEPTH, &err);

	if (!event)
		fail_msg("%s:%u: %s: %s", t->name, c->pattern->line, text, err.msg);
	if (pattern_match(pt, event) != c->matches)
		fail_msg("%s:%u: %s should %smatch: %s", t->name, c->pattern->line, text,
			 c->matches ? "" : "not ", c->why);
	if (pattern_explain(pt, event, take_finding, &failing) != c->matches)
		fail_msg("%s:%u: %s: explained the other way", t->name, c->pattern->line, text);
	json_doc_free(doc);
}

static void check_case(const struct pattern_table *t, const struct pattern_case *c)
{
	struct problems p = {0};
	struct pattern *pt = pattern_compile(c->pattern, &p);

	if (c->error) {
		if (pt)
			fail_msg("%s:%u: should be refused: %s", t->name, c->pattern->line,
				 c->error);
		if (!strstr(p.v[0], c->error))
			fail_msg("%s:%u: \"%s\" is not in \"%s\"", t->name, c->pattern->line,
				 c->error, p.v[0]);
		if (p.n != 1)
			fail_msg("%s:%u: one mistake, two messages: %s", t->name, c->pattern->line,
				 p.v[1]);
	} else if (!pt) {
		fail_msg("%s:%u: refused: %s", t->name, c->pattern->line, p.v[0]);
	}
	for (size_t i = 0; i < c->n; i++)
		check_event(t, c, pt, c->events[i]);
	pattern_free(pt);
	problems_release(&p);
}

static void all_cases_hold(void **state)
{
	struct pattern_tables all;
	size_t cases = 0, events = 0;

	(void)state;
	pattern_tables_load(&all);
	assert_int_equal(all.n, sizeof expected / sizeof *expected);
	for (size_t i = 0; i < all.n; i++) {
		const struct pattern_table *t = &all.v[i];
		assert_string_equal(t->name, expected[i]);
		assert_true(t->n >= CASES_MIN);
		cases += t->n;
		for (size_t k = 0; k < t->n; k++)
			events += t->v[k].n;
		if (!strcmp(t->name, "regex.yaml") && !regex_is_built_in())
			continue;
		for (size_t k = 0; k < t->n; k++)
			check_case(t, &t->v[k]);
	}
	pattern_tables_release(&all);
	printf("# cases=%zu events=%zu\n", cases, events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_cases_hold),
	};
	return cmocka_run_group_tests_name("pattern tables", tests, NULL, NULL);
}
