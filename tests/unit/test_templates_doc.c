/* docs/templates.md: every row of its tables says what stands there, every configuration is taken,
 * and every preset makes of the page's alert what the page shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/suite/store_fixture.h"
#include "tests/unit/template_rig.h"
#include "transports/http_content.h"

struct page {
	char *text, *folder;
};

static char *read_all(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = xcalloc(1, 100000);

	if (!f)
		fail_msg("%s cannot be read", path);
	assert_true(fread(text, 1, 99999, f) > 100);
	fclose(f);
	return text;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static void copy_file(const char *from, const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name), *text = read_all(from);

	write_file(path, text);
	free(path);
	free(text);
}

static int open_page(void **state)
{
	struct page *p = xcalloc(1, sizeof *p);

	p->text = read_all("docs/templates.md");
	p->folder = fixture_folder();
	copy_file("examples/templates/slack.json", p->folder, "our-slack.json");
	setenv("SLACK_WEBHOOK", "https://hooks.slack.com/services/T/B/x", 1);
	setenv("DISCORD_WEBHOOK", "https://discord.com/api/webhooks/1/x", 1);
	setenv("TEAMS_WORKFLOW", "https://prod-1.westus.logic.azure.com/workflows/x", 1);
	setenv("PAGERDUTY_KEY", "0123456789abcdef0123456789abcdef", 1);
	*state = p;
	return 0;
}

static int close_page(void **state)
{
	struct page *p = *state;

	fixture_remove(p->folder);
	free(p->text);
	free(p);
	return 0;
}

/* --- blocks --- */

/* The block that opens with ```LANGUAGE behind *at, which moves behind it; NULL: there is none. */
static char *next_block(const char **at, const char *language)
{
	char *open = xasprintf("\n```%s\n", language);
	const char *from = strstr(*at, open), *to;
	char *block = NULL;

	if (from) {
		from += strlen(open);
		to = strstr(from, "```\n");
		assert_non_null(to);
		block = xstrndup(from, (size_t)(to - from));
		*at = to + 4;
	}
	free(open);
	return block;
}

static char *compact(const char *json)
{
	struct buf out = BUF_INIT(1 << 20);
	struct err err = {0};

	if (json_check(json, strlen(json), JSON_DEPTH, &err) < 0)
		fail_msg("%s: %s", err.msg, json);
	json_copy(&out, json, strlen(json), NULL);
	return buf_detach(&out);
}

/* --- tables --- */

/* What stands between the row's next pair of backticks, with \| as |; NULL: no more. */
static char *next_cell(const char **at, const char *end)
{
	const char *from = memchr(*at, '`', (size_t)(end - *at)), *to;
	struct buf cell = BUF_INIT(10000);

	if (!from)
		return NULL;
	from++;
	to = memchr(from, '`', (size_t)(end - from));
	assert_non_null(to);
	for (; from < to; from++)
		if (strncmp(from, "\\|", 2) != 0)
			buf_addc(&cell, *from);
	*at = to + 1;
	return buf_detach(&cell);
}

static void check_row(const char *row, const char *end, enum template_kind kind, bool error,
		      const char *event)
{
	char *template = next_cell(&row, end), *says = next_cell(&row, end);
	char *said = template_said(kind, template, event);
	const char *text = error ? said + 2 : said;

	assert_non_null(says);
	if (error != (strncmp(said, "! ", 2) == 0) || strcmp(text, says) != 0)
		fail_msg("%s\nsays  %s\nnot   %s", template, said, says);
	free(template);
	free(says);
	free(said);
}

/* Rows behind the marker, until a line is none. */
static size_t check_table(const char *page, const char *marker, enum template_kind kind,
			  const char *event)
{
	const char *at = strstr(page, marker);
	size_t n = 0;

	if (!at)
		fail_msg("no table is marked %s", marker);
	for (at = strchr(at, '\n') + 1; *at == '|'; at = strchr(at, '\n') + 1) {
		const char *end = strchr(at, '\n');

		if (strncmp(at, "| `", 3) != 0)
			continue;
		check_row(at, end, kind, strstr(marker, "error") != NULL, event);
		n++;
	}
	return n;
}

static void tables_say_what_is_said(void **state)
{
	struct page *p = *state;
	const char *at = p->text;
	char *event = next_block(&at, "json");

	assert_in_range(check_table(at, "<!-- text -->", TEMPLATE_TEXT, event), 16, 30);
	assert_in_range(check_table(at, "<!-- json -->", TEMPLATE_JSON, event), 5, 30);
	assert_in_range(check_table(at, "<!-- json error -->", TEMPLATE_JSON, event), 5, 30);
	assert_in_range(check_table(at, "<!-- line -->", TEMPLATE_LINE, event), 1, 30);
	assert_in_range(check_table(at, "<!-- url -->", TEMPLATE_URL, event), 1, 30);
	free(event);
}

/* --- configurations --- */

/* What the one destination of the configuration sends of the event; yours to free. */
static char *sent(const char *yaml, const char *folder, const char *event)
{
	char *name = xasprintf("%s/relay.yaml", folder);
	struct problems p = {0};
	struct http_settings s = {0};
	struct http_content content;
	struct event ev = {.body = (char *)event, .len = strlen(event)};
	struct buf body = BUF_INIT(TEMPLATE_OUTPUT_MAX);
	const char *lines[HTTP_HEADERS_MAX];
	struct http_rendered said = {.lines = lines, .body = &body};
	struct err err = {0};
	struct yaml *y;

	write_file(name, yaml);
	y = yaml_load(name, &p);
	const struct node *n = y ? node_get(yaml_root(y), "destinations") : NULL;
	n = n && n->n == 1 ? node_get(n->items[0], "http") : NULL;
	if (n) {
		options_read(http_option_table, n, &s, &p);
		http_settings_check(&s, n, &p);
	}
	if (!n || p.n)
		fail_msg("%s\n%s", yaml, p.n ? p.v[0] : "has no destination");
	http_content_read(&s, n, &content, &p);
	if (http_content_render(&content, &ev, &said, &err) < 0)
		fail_msg("%s\n%s", yaml, err.msg);
	http_content_release(&content);
	options_release(http_option_table, &s);
	problems_release(&p);
	yaml_free(y);
	free(name);
	return buf_detach(&body);
}

/* A configuration, then what it sends. */
static void presets_send_what_is_shown(void **state)
{
	struct page *p = *state;
	const char *at = strstr(p->text, "\n## Presets");
	char *event = next_block(&at, "json"), *yaml;
	const char *end = strstr(at, "\n## One of your own");
	size_t n = 0;

	for (; (yaml = next_block(&at, "yaml")) && at < end; n++) {
		char *shown = next_block(&at, "json"), *body = sent(yaml, p->folder, event);
		char *want = compact(shown), *got = compact(body);

		if (strcmp(want, got) != 0)
			fail_msg("%s\nsends %s\nnot   %s", yaml, got, want);
		free(yaml);
		free(shown);
		free(body);
		free(want);
		free(got);
	}
	free(yaml);
	free(event);
	assert_int_equal(n, 5);
	for (size_t i = 0; http_preset_names[i]; i++) {
		char *heading = xasprintf("\n### %s\n", http_preset_names[i]);

		assert_non_null(strstr(p->text, heading));
		free(heading);
	}
}

static void other_configurations_are_good(void **state)
{
	struct page *p = *state;
	const char *at = p->text, *last = strstr(p->text, "\n## One of your own");
	char *yaml = next_block(&at, "yaml");
	char *body = sent(yaml, p->folder,
			  "{\"type\":\"recipient.failed\",\"data\":{\"recipient_id\":\"r\"}}");
	char *got = compact(body);

	assert_string_equal(got,
			    "{\"title\":\"a broadcast: recipient.failed\",\"recipient\":\"r\"}");
	free(yaml);
	free(body);
	free(got);
	yaml = next_block(&last, "yaml");
	body = sent(yaml, p->folder,
		    "{\"type\":\"recipient.failed\",\"id\":\"evt_1\",\"data\":{}}");
	assert_non_null(strstr(body, "\"blocks\""));
	free(yaml);
	free(body);
	assert_non_null(strstr(p->text, "\ncp examples/templates/slack.json our-slack.json\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_say_what_is_said),
		cmocka_unit_test(presets_send_what_is_shown),
		cmocka_unit_test(other_configurations_are_good),
	};

	return cmocka_run_group_tests_name("unit", tests, open_page, close_page);
}
