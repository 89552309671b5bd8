/*
 * Alerts over whole campaigns, whatever restarts there are in them: an alert is told once, and what
 * it counts is what was told of the recipients.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/random.h"
#include "tests/sim/scene.h"

#define RULES                                                                                      \
	"destinations:\n  file: { stdout: { path: events.ndjson } }\n"                             \
	"rules:\n  - { name: all, to: [file] }\n"                                                  \
	"  - name: each\n    to: [file]\n    when: { type: [recipient.sent] }\n"                   \
	"    alert: { per: [data.recipient_id], within: 1m, count: 1, resolve_after: 2m }\n"       \
	"  - name: together\n    to: [file]\n    when: { type: [recipient.sent] }\n"               \
	"    alert: { per: [data.broadcast_id], within: 1m, count: 1, resolve_after: 20m }\n"      \
	"  - name: silence\n    to: [file]\n    when: { type: [recipient.sent] }\n"                \
	"    alert: { per: [data.recipient_id], within: 1m,\n"                                     \
	"             absent: { type: [recipient.delivered, recipient.failed] } }\n"

/* What was committed of a broadcast. */
struct told {
	const char *broadcast;
	unsigned sent, firing[3], resolved[3];
	int64_t together; /* the count of its last alert */
};

static size_t rule_of(const struct json *data)
{
	static const char *const rules[] = {"each", "together", "silence"};
	const char *name = json_string(json_get(data, "rule"));
	size_t i = 0;

	while (strcmp(rules[i], name) != 0)
		i++;
	return i;
}

static void add(struct told *t, const char *type, const struct json *data)
{
	const char *broadcast = json_string(json_get(data, "broadcast_id"));

	if (!broadcast || strcmp(broadcast, t->broadcast) != 0)
		return;
	t->sent += !strcmp(type, "recipient.sent");
	if (strncmp(type, "alert.", 6) != 0)
		return;
	size_t rule = rule_of(data);
	t->firing[rule] += !strcmp(type, "alert.firing");
	t->resolved[rule] += !strcmp(type, "alert.resolved");
	if (rule == 1)
		json_int(json_get(data, "count"), &t->together);
}

static void on_event(void *arg, const struct event *ev)
{
	struct told *told = arg;
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	const struct json *event = json_parse(doc, ev->body, ev->len, JSON_DEPTH, &err);

	for (int i = 0; i < 2; i++)
		add(&told[i], ev->type, json_get(event, "data"));
	json_doc_free(doc);
}

static void check(const struct told *t)
{
	assert_true(t->sent > 500);
	assert_int_equal(t->firing[0], t->sent);
	assert_int_equal(t->resolved[0], t->sent);
	assert_int_equal(t->firing[1], 1);
	assert_int_equal(t->resolved[1], 1);
	assert_int_equal(t->together, t->sent);
	assert_true(t->firing[2] > 10);
	assert_int_equal(t->firing[2], t->resolved[2]);
}

/* The relay starts when much has happened: pages of many events at once. */
static void alerts_count_what_was_told(void **state)
{
	static const int restarts[] = {0, 12};

	(void)state;
	for (size_t i = 0; i < sizeof restarts / sizeof *restarts; i++) {
		struct prng random = {i + 1};
		struct scene s = scene_new(1600);
		struct told told[] = {{.broadcast = "bc_1"}, {.broadcast = "bc_2"}};
		s.o.rest = RULES;
		s.o.event = on_event;
		s.o.arg = told;
		s.o.start_ms = 3 * MINUTE_MS;
		struct drive *d = scene_begin(&s);
		for (int k = 0; k < restarts[i]; k++) {
			drive_run(d, (int64_t)(prng_unit(&random) * 30000));
			if (k % 2)
				drive_cut(d);
			else
				drive_restart(d);
		}
		drive_run(d, 20 * MINUTE_MS);
		scene_end(d, 60 * MINUTE_MS);
		check(&told[0]);
		check(&told[1]);
		scene_finish(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alerts_count_what_was_told),
	};

	return cmocka_run_group_tests_name("alert restarts", tests, NULL, NULL);
}
