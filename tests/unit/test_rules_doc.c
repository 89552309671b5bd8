/*
 * The examples of docs/rules.md as they stand there: each ```yaml pattern with the events in the
 * ```json matches and ```json does not match behind it, one a line. Every operator has one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "rules/pattern.h"
#include "rules/pattern_regex.h"
#include "rules/pattern_test.h"

#define DOCUMENT   "docs/rules.md"
#define OPERATORS  16 /* more than there are */
#define LENGTH_MAX (1 << 20)

struct walk {
	FILE *f;
	char *line;
	size_t size;
	unsigned number; /* of the line, from 1 */

	struct yaml *yaml;
	struct pattern
		*pattern; /* the last one; NULL: none yet, or it needs what is not built in */
	bool skipped;
	size_t matching, other; /* events of it */
	size_t examples, events;
	bool seen[OPERATORS];
	bool seen_or;
};

static bool next_line(struct walk *w)
{
	ssize_t len = getline(&w->line, &w->size, w->f);

	if (len <= 0)
		return false;
	w->number++;
	if (w->line[len - 1] == '\n')
		w->line[len - 1] = '\0';
	return true;
}

static void end_example(struct walk *w)
{
	if (w->yaml && !w->skipped && (!w->matching || !w->other))
		fail_msg(DOCUMENT ":%u: the example before has no event that matches, or none "
				  "that does not",
			 w->number);
	pattern_free(w->pattern);
	yaml_free(w->yaml);
	w->pattern = NULL;
	w->yaml = NULL;
	w->matching = w->other = 0;
}

/* Which operators a text uses: {name: … */
static void note_operators(struct walk *w, const char *text)
{
	for (size_t i = 0; test_operators[i]; i++) {
		char *used = xasprintf("{ %s:", test_operators[i]);
		assert_true(i < OPERATORS);
		w->seen[i] = w->seen[i] || strstr(text, used);
		free(used);
	}
	w->seen_or = w->seen_or || strstr(text, "$or:");
}

static void take_pattern(struct walk *w)
{
	struct buf text = BUF_INIT(LENGTH_MAX);
	struct problems p = {0};
	unsigned at = w->number;

	end_example(w);
	buf_adds(&text, "when:\n");
	while (next_line(w) && strcmp(w->line, "```") != 0)
		buf_addf(&text, "  %s\n", w->line);
	note_operators(w, text.data);
	w->skipped = strstr(text.data, "regex:") && !regex_is_built_in();
	w->yaml = yaml_parse(DOCUMENT, text.data, text.len, &p);
	if (w->yaml && !w->skipped)
		w->pattern = pattern_compile(node_get(yaml_root(w->yaml), "when"), &p);
	if (p.n || p.nwarnings)
		fail_msg(DOCUMENT ":%u: %s", at, p.n ? p.v[0] : p.warnings[0]);
	w->examples++;
	buf_release(&text);
}

static void take_events(struct walk *w, bool matches)
{
	struct json_doc *doc = json_doc_new();
	struct err err = {0};

	if (!w->yaml)
		fail_msg(DOCUMENT ":%u: events without a pattern", w->number);
	while (next_line(w) && strcmp(w->line, "```") != 0) {
		const struct json *event =
			json_parse(doc, w->line, strlen(w->line), JSON_DEPTH, &err);
		if (!event)
			fail_msg(DOCUMENT ":%u: %s", w->number, err.msg);
		if (!w->skipped && pattern_match(w->pattern, event) != matches)
			fail_msg(DOCUMENT ":%u: should %smatch: %s", w->number,
				 matches ? "" : "not ", w->line);
		*(matches ? &w->matching : &w->other) += 1;
		w->events++;
	}
	json_doc_free(doc);
}

static void every_example_holds(void **state)
{
	struct walk w = {.f = fopen(DOCUMENT, "r")};

	(void)state;
	assert_non_null(w.f);
	while (next_line(&w)) {
		if (!strcmp(w.line, "```yaml pattern"))
			take_pattern(&w);
		else if (!strcmp(w.line, "```json matches"))
			take_events(&w, true);
		else if (!strcmp(w.line, "```json does not match"))
			take_events(&w, false);
		else if (!strncmp(w.line, "```json", 7))
			fail_msg(DOCUMENT ":%u: what are these for?", w.number);
	}
	end_example(&w);
	for (size_t i = 0; test_operators[i]; i++)
		if (!w.seen[i])
			fail_msg("no example of %s", test_operators[i]);
	assert_true(w.seen_or);
	assert_true(w.examples > sizeof w.seen / sizeof *w.seen);
	printf("# examples=%zu events=%zu\n", w.examples, w.events);
	free(w.line);
	fclose(w.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_example_holds),
	};
	return cmocka_run_group_tests_name("rules doc", tests, NULL, NULL);
}
