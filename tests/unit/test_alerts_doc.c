/*
 * docs/alerts.md as it stands: its rules load and fire as it says, an alert has the members of its
 * example in their order, and the limits are those of the code.
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
#include "rules/alert_rule.h"
#include "rules/window_parts.h"
#include "tests/unit/window_rig.h"

static char *read_document(void)
{
	FILE *f = fopen("docs/alerts.md", "r");
	char *text = xcalloc(1, 1 << 17);

	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 17) - 1, f) > 1000);
	fclose(f);
	return text;
}

/* What stands in the first block of that kind. You own it. */
static char *block(const char *document, const char *fence)
{
	const char *from = strstr(document, fence), *to;

	assert_non_null(from);
	from = strchr(from, '\n') + 1;
	to = strstr(from, "```");
	assert_non_null(to);
	return xstrndup(from, (size_t)(to - from));
}

/* The names of an object's members, and of those of its objects and first elements. */
static void add_names(struct buf *out, const struct json *v)
{
	buf_addc(out, '{');
	for (const struct json *m = json_first(v); m; m = json_next(m)) {
		const struct json *first = json_type(m) == JSON_ARRAY ? json_first(m) : m;
		buf_adds(out, json_key(m));
		if (first && json_type(first) == JSON_OBJECT)
			add_names(out, first);
		buf_addc(out, ' ');
	}
	buf_addc(out, '}');
}

static void open_document(struct fold *r, const char *document)
{
	char *rules = block(document, "```yaml");

	assert_int_equal(strncmp(rules, "rules:\n", 7), 0);
	fold_open(r, rules + 7);
	free(rules);
}

static void fail_many(struct fold *r, int n)
{
	for (int i = 0; i < n; i++)
		fold_feed(r, &(struct happening){
				     .type = "recipient.failed",
				     .broadcast = "bc_1",
				     .recipient = "rcp_1",
				     .integration = i < 93 ? "twilio" : "telnyx",
				     .error = "Error 30003: unreachable handset",
				     .time_ms = FOLD_START + i * SECOND,
			     });
}

static void an_alert_has_the_members_of_the_example(void **state)
{
	char *document = read_document(), *example = block(document, "```json");
	struct json_doc *a = json_doc_new(), *b = json_doc_new();
	struct buf wanted = BUF_INIT(4096), got = BUF_INIT(4096);
	struct err err = {0};
	struct fold r;

	(void)state;
	open_document(&r, document);
	fail_many(&r, 99);
	assert_null(r.last);
	fail_many(&r, 100);
	assert_non_null(r.last);
	const struct json *shown = json_parse(a, example, strlen(example), JSON_DEPTH, &err);
	const struct json *data = json_parse(b, r.last, strlen(r.last), JSON_DEPTH, &err);
	assert_non_null(shown);
	add_names(&wanted, shown);
	add_names(&got, data);
	assert_string_equal(got.data, wanted.data);
	buf_release(&wanted);
	buf_release(&got);
	json_doc_free(a);
	json_doc_free(b);
	free(example);
	free(document);
	fold_close(&r);
}

static void its_rules_fire_as_it_says(void **state)
{
	char *document = read_document();
	struct fold r;

	(void)state;
	open_document(&r, document);
	for (int i = 0; i < 100; i++)
		fold_feed(&r, &(struct happening){.type = "recipient.sent",
						  .broadcast = "bc_1",
						  .recipient = i < 6 ? "rcp_1" : "rcp_2",
						  .time_ms = FOLD_START + i});
	fold_run(&r, "delivered bc_1 rcp_2 +60;");
	fail_many(&r, 5);
	fold_know(&r, "bc_1", FOLD_START + 5 * MINUTE);
	fold_tick(&r, FOLD_START + 5 * MINUTE);
	assert_string_equal(fold_take(&r), "");
	fold_feed(&r, &(struct happening){.type = "recipient.failed",
					  .broadcast = "bc_1",
					  .recipient = "rcp_3",
					  .time_ms = FOLD_START + 6 * MINUTE});
	fold_run(&r, "sent bc_1 rcp_4 +361;");
	fold_know(&r, "bc_1", FOLD_START + 22 * MINUTE);
	fold_tick(&r, FOLD_START + 22 * MINUTE);
	assert_string_equal(fold_take(&r),
			    "firing failure rate bc_1 at +370 count 6 of 101 keys 1\n"
			    "firing silence bc_1 at +1270 count 1 keys 1\n");
	free(document);
	fold_close(&r);
}

static void expect_number(const char *document, const char *row, long long number)
{
	char plain[32], text[48];
	size_t n = 0;

	snprintf(plain, sizeof plain, "%lld", number);
	for (size_t i = 0; plain[i]; i++) {
		if (i && (strlen(plain) - i) % 3 == 0)
			text[n++] = ',';
		text[n++] = plain[i];
	}
	text[n] = '\0';
	char *wanted = xasprintf("| %s | %s |", row, text);
	if (!strstr(document, wanted))
		fail_msg("there is no %s", wanted);
	free(wanted);
}

static void the_limits_are_those_of_the_code(void **state)
{
	char *document = read_document();

	(void)state;
	expect_number(document, "keys at a time", WINDOW_KEYS_MAX);
	expect_number(document, "alerts open at a time", WINDOW_ALERTS_MAX);
	expect_number(document, "broadcasts of a day", WINDOW_GROUPS_MAX);
	expect_number(document, "events kept for counts and shares", WINDOW_ENTRIES_MAX);
	for (const struct option *o = alert_option_table; o->name; o++) {
		char *row = xasprintf("\n| `%s` |", o->name);
		if (!strstr(document, row))
			fail_msg("there is no row of %s", o->name);
		free(row);
	}
	free(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_alert_has_the_members_of_the_example),
		cmocka_unit_test(its_rules_fire_as_it_says),
		cmocka_unit_test(the_limits_are_those_of_the_code),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
