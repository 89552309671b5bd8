/*
 * The list of rules: order, stop, one route per destination; topics and bodies; alerts; what must
 * be refused at load, with its place.
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
#include "rules/rules.h"

static struct yaml *load(const char *text, struct problems *p)
{
	return yaml_parse("rules.yaml", text, strlen(text), p);
}

static const struct rules_destination destinations[] = {
	{"bus", true, 0}, {"crm", false, 0}, {"log", false, 0}};

static struct rules *rules_of(const char *text, struct yaml **y, struct problems *p)
{
	*y = load(text, p);
	assert_non_null(*y);
	return rules_load(node_get(yaml_root(*y), "rules"), destinations, 3, p);
}

static void hits_are(const char *text, const char *body, const char *expected)
{
	struct problems p = {0};
	struct yaml *y;
	struct rules *rs = rules_of(text, &y, &p);
	struct rules_scratch *s = rules_scratch_new(rs);
	struct event ev = {.body = (char *)body, .len = strlen(body)};
	struct rule_hit hits[3];
	char got[256] = "";
	if (!rs)
		fail_msg("%s", p.v[0]);
	for (int round = 0; round < 2; round++) {
		size_t n = rules_route(s, &ev, hits);
		*got = '\0';
		for (size_t i = 0; i < n; i++)
			snprintf(got + strlen(got), sizeof got - strlen(got), "%s>%s ",
				 rules_name(rs, hits[i].rule),
				 destinations[hits[i].destination].name);
		assert_string_equal(got, expected);
	}
	rules_scratch_free(s);
	rules_free(rs);
	yaml_free(y);
}

static void rules_apply_in_order(void **state)
{
	static const char list[] = "rules:\n"
				   "- {name: off, to: [log], enabled: false}\n"
				   "- {name: fail, when: {type: [f]}, to: [crm, bus], stop: true}\n"
				   "- {name: sent, when: {type: [s]}, to: [bus]}\n"
				   "- {name: all, to: [bus, log]}\n";
	(void)state;
	hits_are(list, "{\"type\":\"f\"}", "fail>crm fail>bus ");
	hits_are(list, "{\"type\":\"s\"}", "sent>bus all>log ");
	hits_are(list, "{\"type\":\"x\"}", "all>bus all>log ");
	hits_are("rules: []\n", "{\"type\":\"x\"}", "");
}

static void a_rule_may_say_topic_and_body(void **state)
{
	static const char list[] =
		"rules:\n"
		"- {name: by person, when: {type: [f]}, to: [crm, bus],\n"
		"   topic: 'failed.{{data.who}}', body: '{\"who\": \"{{data.who}}\"}'}\n"
		"- {name: all, topic: '{{data.long}}', to: [bus, log]}\n";
	static const char who[] = "{\"type\":\"f\",\"data\":{\"who\":\"a b.c\"}}";
	struct problems p = {0};
	struct yaml *y;
	struct rule_hit hits[3];
	(void)state;
	struct rules *rs = rules_of(list, &y, &p);
	struct rules_scratch *s = rules_scratch_new(rs);

	struct event ev = {.body = (char *)who, .len = sizeof who - 1};
	assert_int_equal(rules_route(s, &ev, hits), 3);
	assert_null(hits[0].topic); /* of a callback there is none */
	assert_string_equal(hits[1].topic, "failed.a%20b%2Ec");

	/* An empty topic, or one that is too long, gives way to the event's own. */
	struct buf body = BUF_INIT(1 << 20);
	buf_adds(&body, "{\"type\":\"g\",\"data\":{\"long\":\"");
	for (int i = 0; i <= RULE_TOPIC_MAX; i++)
		buf_addc(&body, 'x');
	buf_adds(&body, "\"}}");
	ev = (struct event){.body = body.data, .len = body.len};
	assert_int_equal(rules_route(s, &ev, hits), 2);
	assert_int_equal(hits[0].destination, 0);
	assert_null(hits[0].topic);
	buf_release(&body);

	assert_true(rules_have_bodies(rs));
	assert_non_null(rules_body(rs, "by person"));
	assert_null(rules_body(rs, "all"));
	assert_null(rules_body(rs, "gone"));
	assert_null(rules_body(rs, NULL));
	rules_scratch_free(s);
	rules_free(rs);
	yaml_free(y);
}

/* An alert goes to its rule's destinations, and then as the plain rules say of any event. */
static void alerts_go_where_their_rule_says(void **state)
{
	static const char list[] =
		"rules:\n"
		"- {name: all, to: [bus, log]}\n"
		"- {name: storm, when: {type: [f]}, to: [crm, log],\n"
		"   alert: {per: [data.who], within: 5m, count: 3}}\n"
		"- {name: off, alert: {within: 5m, count: 3}, to: [log], enabled: false}\n";
	static const char body[] = "{\"type\":\"f\"}";
	const struct event ev = {.body = (char *)body, .len = sizeof body - 1};
	struct problems p = {0};
	struct yaml *y;
	struct rule_hit hits[3];
	const struct alert_rule *const *alerts;
	const size_t *places;
	(void)state;
	struct rules *rs = rules_of(list, &y, &p);
	if (!rs)
		fail_msg("%s", p.v[0]);
	struct rules_scratch *s = rules_scratch_new(rs);
	assert_int_equal(rules_alerts(rs, &alerts, &places), 1);
	assert_int_equal(places[0], 1);
	assert_int_equal(rules_route(s, &ev, hits), 2); /* it counts, and sends nothing */

	assert_int_equal(rules_route_alert(s, &ev, 1, hits), 3);
	const size_t by[] = {1, 1, 0}, to[] = {1, 2, 0};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(hits[i].rule, by[i]);
		assert_int_equal(hits[i].destination, to[i]);
	}
	rules_scratch_free(s);
	rules_free(rs);
	yaml_free(y);
}

static uint64_t version_of(const char *rest)
{
	struct problems p = {0};
	struct yaml *y;
	char *text = xasprintf("rules:\n- {name: a, %s}\n", rest);
	struct rules *rs = rules_of(text, &y, &p);
	if (!rs)
		fail_msg("%s", p.v[0]);
	uint64_t version = rules_version(rs, 0);
	rules_free(rs);
	yaml_free(y);
	free(text);
	return version;
}

static void the_version_is_of_the_meaning(void **state)
{
	static const char *const meanings[] = {
		"to: [bus]",
		"to: [crm]",
		"to: [bus], stop: true",
		"to: [bus], enabled: false",
		"to: [bus], when: {type: a}",
		"to: [bus], topic: a",
		"to: [bus], body: '{}'",
		"to: [bus], alert: {within: 5m, count: 3}",
		"to: [bus], alert: {within: 5m, count: 4}",
	};
	const size_t n = sizeof meanings / sizeof *meanings;
	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (version_of(meanings[i]) == version_of(meanings[k]))
				fail_msg("%s and %s", meanings[i], meanings[k]);
	assert_true(version_of("to: bus, when: {type: [a]}") == version_of(meanings[4]));
}

/* A thousand alternatives are as many as one pattern may have; 200 rules may have them. */
static void too_much_of_many_is_refused(void **state)
{
	static const char ten[] = "{$or: [{a: 1}, {b: 1}, {c: 1}, {d: 1}, {e: 1}, {f: 1}, {g: 1},"
				  " {h: 1}, {i: 1}, {j: 1}]}";
	struct buf text = BUF_INIT(1 << 20);
	struct problems p = {0};
	struct yaml *y;
	(void)state;
	buf_adds(&text, "rules:\n");
	for (int i = 0; i < 201; i++)
		buf_addf(&text, "- {name: n%d, to: bus, when: {data: {x: %s, y: %s, z: %s}}}\n", i,
			 ten, ten, ten);
	assert_null(rules_of(text.data, &y, &p));
	assert_int_equal(p.n, 1);
	if (!strstr(p.v[0], "202:3: rules[200]: the patterns until here have a score of 201000"))
		fail_msg("%s", p.v[0]);
	problems_release(&p);
	yaml_free(y);
	buf_release(&text);
}

static void wrong_rules_are_refused(void **state)
{
	struct problems p = {0};
	struct yaml *y;
	(void)state;
	assert_null(rules_of("rules:\n"
			     "- {name: a, to: [bsu]}\n"
			     "- {name: a, to: [bus]}\n"
			     "- {to: [bus]}\n"
			     "- {name: d}\n"
			     "- {name: e, to: bus, wen: {}}\n"
			     "- nonsense\n"
			     "- {name: g, to: bus, stop: true, alert: {within: 5m, count: 1}}\n"
			     "- {name: h, to: bus, body: '{{data.x}}'}\n"
			     "- {name: i, to: bus, topic: '{{'}\n"
			     "- {name: j, to: bus, topic: [a]}\n",
			     &y, &p));
	static const char *const expected[] = {
		"2:18: rules[0].to[0]: there is no destination \"bsu\"",
		"rules[2]",
		"rules[3]",
		"\"when\"",
		"rules[5]",
		"rules[6].stop: a rule with `alert`",
		"rules[7].body",
		"rules[8].topic",
		"rules[9].topic: a template is a text",
		"3:10: rules[1].name: rule 1 has the name \"a\""};
	assert_int_equal(p.n, sizeof expected / sizeof *expected);
	for (size_t i = 0; i < p.n; i++)
		if (!strstr(p.v[i], expected[i]))
			fail_msg("%s lacks %s", p.v[i], expected[i]);
	problems_release(&p);
	yaml_free(y);
	rules_free(NULL);
	rules_scratch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_apply_in_order),
		cmocka_unit_test(a_rule_may_say_topic_and_body),
		cmocka_unit_test(alerts_go_where_their_rule_says),
		cmocka_unit_test(the_version_is_of_the_meaning),
		cmocka_unit_test(too_much_of_many_is_refused),
		cmocka_unit_test(wrong_rules_are_refused),
	};
	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
