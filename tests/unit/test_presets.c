/* The ready-made templates: each says valid JSON of the shape its receiver wants, within the
 * receiver's limits, of every type of event, of alerts, and of what nobody expected in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/event.h"
#include "relay/base/mem.h"
#include "tests/unit/template_rig.h"
#include "transports/http_content.h"

#define PARAMS "{\"params\":{\"routing_key\":\"R0UT1NGK3Y\"},"

/* --- what is sent to them --- */

enum variant { FULL, BARE, HOSTILE };

/* 3,000 characters of what JSON, Slack, Markdown and C dislike. */
static char *nasty_text(void)
{
	struct buf text = BUF_INIT(1 << 20);
	struct buf json = BUF_INIT(1 << 20);

	while (text.len < 3000)
		buf_adds(&text,
			 "\"},{\"a\":<!channel> @everyone [x](http://x) {{type}} \\ \n\x01 ü😀 ");
	json_write_string(&json, text.data);
	buf_release(&text);
	return buf_detach(&json);
}

/* {{data.NAME}} of an event that is about a row, a broadcast, or the relay itself. */
static char *plain_data(enum variant v)
{
	char *nasty, *data;

	if (v == BARE)
		return xstrdup("{}");
	nasty = v == HOSTILE ? nasty_text() : xstrdup("\"63016: outside the window\"");
	data = xasprintf("{\"org_id\":\"c\",\"broadcast_id\":\"bc_1\",\"broadcast_name\":%s,"
			 "\"recipient_id\":\"r_1\",\"integration_id\":\"twilio\","
			 "\"state\":\"failed\",\"error_message\":%s,\"why\":%s,"
			 "\"previous\":{\"states\":[\"sent\"],\"status\":null},"
			 "\"since\":{\"sent\":2}}",
			 nasty, nasty, nasty);
	free(nasty);
	return data;
}

static char *plain_event(const char *type, enum variant v)
{
	struct event ev;
	char *data = plain_data(v);
	struct event_head head = {
		.id = "evt_00112233445566778899aabbccddeeff",
		.type = type,
		.source = "https://api.example.com/orgs/c/broadcasts/bc_1",
		.subject = v == BARE ? NULL : "r_1",
		.partitionkey = "r_1",
		.time_ms = 1795000000000,
		.recorded_ms = 1795000004000,
	};

	event_make(&ev, &head, data, strlen(data));
	char *body = xstrdup(ev.body);
	event_release(&ev);
	free(data);
	return body;
}

/* Twenty values a cause, as many as an alert tells. */
static char *causes(const char *value)
{
	struct buf list = BUF_INIT(1 << 20);

	buf_adds(&list, "[{\"value\":null,\"count\":1}");
	for (int i = 2; i <= 20; i++)
		buf_addf(&list, ",{\"value\":%s,\"count\":%d000000}", value, i);
	buf_addc(&list, ']');
	return buf_detach(&list);
}

static char *alert_event(const char *type, enum variant v)
{
	bool resolved = strcmp(type, "alert.resolved") == 0;
	char *nasty = v == HOSTILE ? nasty_text() : xstrdup("\"100 failures in 5m\"");
	char *list = causes(nasty);
	char *more = v == BARE
			     ? xstrdup("")
			     : xasprintf(",\"broadcast_id\":\"bc_1\",\"by\":{\"integration_id\":%s,"
					 "\"error_message\":%s,\"nothing\":[]},\"samples\":[{"
					 "\"id\":\"evt_1\","
					 "\"error_message\":%s}]",
					 list, list, nasty);
	char *body = xasprintf(
		"{\"specversion\":\"1.0\",\"id\":\"evt_ffeeddccbbaa99887766554433221100\","
		"\"type\":\"%s\",\"source\":\"urn:uuid:7d3\",\"subject\":\"failure storm\","
		"\"time\":\"2026-11-22T10:00:00.000Z\",\"recordedtime\":\"2026-11-22T10:00:04."
		"000Z\","
		"\"sequence\":\"0000000000000012\",\"partitionkey\":"
		"\"failure storm {\\\"broadcast_id\\\":\\\"bc_1\\\"}\",\"data\":{"
		"\"rule\":\"failure storm\",\"kind\":\"count\",\"firing\":%s,\"key\":{%s},"
		"\"count\":120,\"of\":%s,\"ratio\":null,\"threshold\":100,\"within\":\"5m\","
		"\"keys\":1,"
		"\"starts_at\":\"2026-11-22T09:58:00.000Z\",\"ends_at\":%s,\"n\":3,"
		"\"labels\":{\"alertname\":\"failure storm\",\"severity\":\"page\"},"
		"\"annotations\":{%s%s}%s}}",
		type, resolved ? "false" : "true", v == BARE ? "" : "\"broadcast_id\":\"bc_1\"",
		v == BARE ? "null" : "2400",
		resolved || v == FULL ? "\"2026-11-22T10:05:00.000Z\"" : "null",
		v == BARE ? "" : "\"summary\":", v == BARE ? "" : nasty, more);

	free(nasty);
	free(list);
	free(more);
	return body;
}

/* --- what they make of it --- */

struct said {
	const struct json *root; /* what the preset said */
	bool alert, firing;
	const char *type;
};

static const struct json *at(const struct json *v, const char *path)
{
	char *names = xstrdup(path), *rest = names, *name;

	while (v && (name = strsep(&rest, ".")))
		v = json_type(v) == JSON_ARRAY ? json_first(v) : json_get(v, name);
	free(names);
	return v;
}

static size_t characters(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* A text of 1 to `most` characters. */
static const char *text_at(const struct json *v, const char *path, size_t most)
{
	const char *text = json_string(at(v, path));

	if (!text)
		fail_msg("%s is no text", path);
	if (!characters(text) || characters(text) > most)
		fail_msg("%s has %zu characters, of 1 to %zu", path, characters(text), most);
	return text;
}

static void check_alertmanager(const struct said *s)
{
	const struct json *one = json_first(s->root);
	const char *ends = json_string(at(one, "endsAt"));

	assert_int_equal(json_type(s->root), JSON_ARRAY);
	assert_int_equal(json_count(s->root), 1);
	assert_string_equal(text_at(one, "labels.alertname", 100),
			    s->alert ? "failure storm" : s->type);
	assert_int_equal(json_type(at(one, "annotations")), JSON_OBJECT);
	for (const struct json *v = json_first(at(one, "annotations")); v; v = json_next(v))
		assert_non_null(json_string(v));
	for (const struct json *v = json_first(at(one, "labels")); v; v = json_next(v))
		assert_non_null(json_string(v));
	assert_string_equal(text_at(one, "startsAt", 24),
			    s->alert ? "2026-11-22T09:58:00.000Z" : "2026-11-18T11:06:40.000Z");
	if (at(one, "endsAt"))
		assert_string_equal(ends, "2026-11-22T10:05:00.000Z");
	if (s->alert && !s->firing)
		assert_non_null(ends);
	if (!s->alert)
		assert_null(ends);
}

static void check_slack(const struct said *s)
{
	const struct json *header = json_first(at(s->root, "blocks"));
	size_t n = 0;

	text_at(s->root, "text", 300);
	assert_string_equal(text_at(header, "type", 20), "header");
	assert_string_equal(text_at(header, "text.type", 20), "plain_text");
	const char *title = text_at(header, "text.text", 150);
	if (s->alert)
		assert_string_equal(title, s->firing ? "Firing: failure storm"
						     : "Resolved: failure storm");
	for (const struct json *b = json_next(header); b; b = json_next(b), n++) {
		if (at(b, "text"))
			text_at(b, "text.text", 3000);
		for (const struct json *f = json_first(json_get(b, "fields")); f;
		     f = json_next(f)) {
			assert_string_equal(text_at(f, "type", 20), "plain_text");
			text_at(f, "text", 2000);
		}
		assert_true(json_count(json_get(b, "fields")) <= 10);
		assert_true(at(b, "text") || at(b, "fields") || at(b, "elements"));
	}
	assert_in_range(n, 2, 10);
}

static void check_discord(const struct said *s)
{
	const struct json *e = json_first(at(s->root, "embeds"));
	const struct json *fields = at(e, "fields");
	size_t all =
		characters(text_at(e, "title", 256)) + characters(text_at(e, "footer.text", 2048));
	int64_t color;

	assert_int_equal(json_type(at(s->root, "allowed_mentions.parse")), JSON_ARRAY);
	assert_null(json_first(at(s->root, "allowed_mentions.parse")));
	assert_true(characters(json_string(at(e, "description"))) <= 4096);
	all += characters(json_string(at(e, "description")));
	assert_true(json_int(at(e, "color"), &color));
	assert_int_equal(color, !s->alert ? 9807270 : s->firing ? 15158332 : 3066993);
	text_at(e, "timestamp", 24);
	assert_in_range(json_count(fields), 1, 25);
	for (const struct json *f = json_first(fields); f; f = json_next(f))
		all += characters(text_at(f, "name", 256)) + characters(text_at(f, "value", 1024));
	assert_true(all <= 6000);
}

static void check_teams(const struct said *s)
{
	const struct json *card = at(s->root, "attachments.0.content");
	size_t n = 0;

	assert_string_equal(text_at(s->root, "type", 20), "message");
	assert_string_equal(text_at(s->root, "attachments.0.contentType", 50),
			    "application/vnd.microsoft.card.adaptive");
	assert_int_equal(json_type(at(s->root, "attachments.0.contentUrl")), JSON_NULL);
	assert_string_equal(text_at(card, "type", 20), "AdaptiveCard");
	assert_string_equal(text_at(card, "version", 5), "1.4");
	for (const struct json *b = json_first(at(card, "body")); b; b = json_next(b), n++) {
		const char *type = text_at(b, "type", 20);

		if (strcmp(type, "TextBlock") == 0)
			text_at(b, "text", 300);
		else if (strcmp(type, "FactSet") == 0)
			text_at(b, "facts.0.value", 400);
		else
			text_at(b, "inlines.0.text", 2000);
	}
	assert_in_range(n, 3, 10);
}

static void check_pagerduty(const struct said *s)
{
	assert_string_equal(text_at(s->root, "routing_key", 32), "R0UT1NGK3Y");
	assert_string_equal(text_at(s->root, "event_action", 20),
			    s->alert && !s->firing ? "resolve" : "trigger");
	assert_string_equal(text_at(s->root, "dedup_key", 255),
			    s->alert ? "failure storm {\"broadcast_id\":\"bc_1\"}"
				     : "evt_00112233445566778899aabbccddeeff");
	text_at(s->root, "payload.summary", 1024);
	text_at(s->root, "payload.source", 255);
	assert_string_equal(text_at(s->root, "payload.severity", 20), "error");
	text_at(s->root, "payload.timestamp", 24);
	assert_string_equal(text_at(s->root, "payload.class", 100), s->type);
	assert_int_equal(json_type(at(s->root, "payload.custom_details")), JSON_OBJECT);
}

static const struct {
	const char *name;
	void (*check)(const struct said *s);
} presets[] = {
	{"alertmanager", check_alertmanager},
	{"discord", check_discord},
	{"pagerduty", check_pagerduty},
	{"slack", check_slack},
	{"teams", check_teams},
};
#define PRESETS (sizeof presets / sizeof *presets)

/* The event as the transport hands it to a template. Takes the text. */
static void check_event(char *event, bool alert, enum variant v)
{
	char *data = xasprintf("%s%s", PARAMS, event + 1);
	struct json_doc *doc = json_doc_new(), *event_doc = json_doc_new();
	struct err err = {0};
	const struct json *ev = json_parse(event_doc, event, strlen(event), JSON_DEPTH, &err);

	if (!ev)
		fail_msg("%s: %s", err.msg, event);
	struct said s = {.type = json_string(at(ev, "type")),
			 .alert = alert,
			 .firing = json_bool(at(ev, "data.firing"), false)};

	for (size_t i = 0; i < PRESETS; i++) {
		char *text = template_said(TEMPLATE_JSON, http_preset_text(presets[i].name), data);

		print_message("%s of %s, %d\n", presets[i].name, s.type, v);
		assert_json(text, presets[i].name);
		s.root = json_parse(doc, text, strlen(text), JSON_DEPTH, &err);
		assert_non_null(s.root);
		presets[i].check(&s);
		free(text);
	}
	json_doc_free(doc);
	json_doc_free(event_doc);
	free(data);
	free(event);
}

static void every_type_of_event(void **state)
{
	static const char *const more[] = {
		"broadcast.sent",	"recipient.exploded", "contact.reached",  "relay.parked",
		"relay.destination.up", "relay.window.full",  "broadcast.report", NULL};
	(void)state;

	for (int v = FULL; v <= HOSTILE; v++) {
		for (size_t i = 0; event_types[i]; i++)
			if (strncmp(event_types[i], "alert.", 6) != 0)
				check_event(plain_event(event_types[i], v), false, v);
		for (size_t i = 0; more[i]; i++)
			check_event(plain_event(more[i], v), false, v);
	}
}

static void alerts(void **state)
{
	static const char *const types[] = {"alert.firing", "alert.updated", "alert.resolved"};
	(void)state;

	for (int v = FULL; v <= HOSTILE; v++)
		for (size_t i = 0; i < 3; i++)
			check_event(alert_event(types[i], v), true, v);
}

/* What stands at the path of what the preset makes of it. You own the text. */
static char *said_of(const char *preset, const char *event, const char *path)
{
	char *data = xasprintf("%s%s", PARAMS, event + 1);
	char *text = template_said(TEMPLATE_JSON, http_preset_text(preset), data);
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	const struct json *root = json_parse(doc, text, strlen(text), JSON_DEPTH, &err);

	assert_non_null(root);
	const char *found = json_string(at(root, path));
	char *ret = xstrdup(found ? found : "");
	json_doc_free(doc);
	free(text);
	free(data);
	return ret;
}

static void assert_said(const char *preset, const char *event, const char *path, const char *what)
{
	char *text = said_of(preset, event, path);

	assert_string_equal(text, what);
	free(text);
}

#define OF_RELAY(type, data)                                                                       \
	"{\"id\":\"evt_1\",\"type\":\"relay." type "\",\"source\":\"urn:uuid:7\","                 \
	"\"subject\":\"crm\",\"time\":\"2026-11-22T10:00:00.000Z\","                               \
	"\"data\":{\"destination\":\"crm\"," data "}}"

#define DOWN_KEY "crm down since 2026-11-22T09:00:00.000Z, urn:uuid:7"

/* Events about a destination, in one line each; a pager is told when an outage is over. */
static void what_the_relay_says_of_itself(void **state)
{
	static const struct {
		const char *event, *summary, *action, *key;
	} cases[] = {
		{OF_RELAY("parked", "\"why\":\"HTTP 404\",\"count\":8,\"ids\":[\"evt_2\"]"),
		 "relay.parked crm: HTTP 404 (8 in all)", "trigger", "evt_1"},
		{OF_RELAY("dropped", "\"reason\":\"keep_unsent\",\"count\":9,\"ids\":[]"),
		 "relay.dropped crm: keep_unsent (9 in all)", "trigger", "evt_1"},
		{OF_RELAY("destination.disabled", "\"why\":\"HTTP 410\""),
		 "relay.destination.disabled crm: HTTP 410", "trigger", "evt_1"},
		{OF_RELAY("destination.down",
			  "\"why\":\"no answer\",\"since\":\"2026-11-22T09:00:00.000Z\""),
		 "relay.destination.down crm: no answer", "trigger", DOWN_KEY},
		{OF_RELAY("destination.up",
			  "\"down_ms\":60000,\"since\":\"2026-11-22T09:00:00.000Z\""),
		 "relay.destination.up crm", "resolve", DOWN_KEY},
	};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_said("pagerduty", cases[i].event, "payload.summary", cases[i].summary);
		assert_said("pagerduty", cases[i].event, "event_action", cases[i].action);
		assert_said("pagerduty", cases[i].event, "dedup_key", cases[i].key);
	}
	assert_said("alertmanager", cases[0].event, "0.annotations.summary",
		    "relay.parked crm (8 in all)");
	assert_said("alertmanager", cases[1].event, "0.annotations.description", "keep_unsent");
	assert_said("slack", cases[0].event, "text", "relay.parked: crm");
}

static void the_files_are_the_presets(void **state)
{
	(void)state;

	for (size_t i = 0; http_preset_names[i]; i++) {
		char *path = xasprintf("examples/templates/%s.json", http_preset_names[i]);
		char text[20000];
		FILE *f = fopen(path, "r");

		assert_true(i < PRESETS);
		assert_string_equal(http_preset_names[i], presets[i].name);
		assert_non_null(f);
		text[fread(text, 1, sizeof text - 1, f)] = '\0';
		fclose(f);
		assert_string_equal(text, http_preset_text(http_preset_names[i]));
		free(path);
	}
	assert_null(http_preset_names[PRESETS]);
	assert_null(http_preset_text("x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_of_event),
		cmocka_unit_test(alerts),
		cmocka_unit_test(what_the_relay_says_of_itself),
		cmocka_unit_test(the_files_are_the_presets),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
