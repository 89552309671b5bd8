/* Every case of every table in tests/data/patterns, in an index of them all: a pattern matches what
 * its table says, and the others of all tables what they match alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "rules/index.h"
#include "tests/unit/pattern_table.h"

struct member {
	const struct pattern_table *table;
	const struct pattern_case *of;
};

struct everything {
	struct pattern_tables tables;
	const struct pattern **patterns;
	struct member *members;
	size_t n;
	struct index *ix;
	struct index_scratch *scratch;
	struct json_doc *doc;
};

static void add_table(struct everything *all, const struct pattern_table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct problems p = {0};
		struct pattern *pt = pattern_compile(t->v[i].pattern, &p);

		problems_release(&p);
		if (!pt) /* as its table says: test_pattern_tables looks at that */
			continue;
		all->patterns = xrealloc(all->patterns, all->n + 1, sizeof *all->patterns);
		all->members = xrealloc(all->members, all->n + 1, sizeof *all->members);
		all->patterns[all->n] = pt;
		all->members[all->n++] = (struct member){t, &t->v[i]};
	}
}

static void try_event(struct everything *all, size_t own, const char *text)
{
	const struct member *m = &all->members[own];
	struct err err = {0};
	const struct json *event = json_parse(all->doc, text, strlen(text), JSON_DEPTH, &err);
	const uint32_t *found;
	size_t n, at = 0;

	assert_non_null(event);
	index_read(all->ix, all->scratch, text, strlen(text));
	n = index_match(all->ix, all->scratch, &found);
	for (size_t i = 0; i < all->n; i++) {
		bool hit = at < n && found[at] == i;
		bool wanted = i == own ? m->of->matches : pattern_match(all->patterns[i], event);

		at += hit;
		if (hit != wanted)
			fail_msg("%s:%u: should %smatch %s", all->members[i].table->name,
				 all->members[i].of->pattern->line, wanted ? "" : "not ", text);
	}
	assert_int_equal(at, n);
}

static void tables_hold_in_one_index(void **state)
{
	struct everything all = {.doc = json_doc_new()};

	(void)state;
	pattern_tables_load(&all.tables);
	for (size_t i = 0; i < all.tables.n; i++)
		add_table(&all, &all.tables.v[i]);
	assert_true(all.n > 100);
	all.ix = index_build(all.patterns, all.n);
	all.scratch = index_scratch_new(all.ix);
	for (size_t i = 0; i < all.n; i++)
		for (size_t k = 0; k < all.members[i].of->n; k++)
			try_event(&all, i, all.members[i].of->events[k]);
	index_scratch_free(all.scratch);
	index_free(all.ix);
	for (size_t i = 0; i < all.n; i++)
		pattern_free((struct pattern *)all.patterns[i]);
	free(all.patterns);
	free(all.members);
	pattern_tables_release(&all.tables);
	json_doc_free(all.doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_hold_in_one_index),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
