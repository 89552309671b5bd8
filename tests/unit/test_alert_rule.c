/*
 * The settings of an alert: what is refused, where and with which words; which differences make a
 * rule another one.
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

#define WHEN "{ type: [recipient.sent] }"

struct loaded {
	struct yaml *yaml;
	struct pattern *when;
	struct alert_rule *rule;
	struct problems problems;
};

static void load(struct loaded *l, const char *when, const char *alert)
{
	char *text = xasprintf("when: %s\nalert: %s\n", when, alert);

	*l = (struct loaded){0};
	l->yaml = yaml_parse("r.yaml", text, strlen(text), &l->problems);
	if (!l->yaml)
		fail_msg("%s", l->problems.v[0]);
	const struct node *root = yaml_root(l->yaml);
	l->when = pattern_compile(node_get(root, "when"), &l->problems);
	l->rule = alert_rule_load("storm", l->when, node_get(root, "alert"), 60000, &l->problems);
	free(text);
}

static void load_good(struct loaded *l, const char *alert)
{
	load(l, WHEN, alert);
	if (!l->rule)
		fail_msg("%s: %s", alert, l->problems.v[0]);
}

static void unload(struct loaded *l)
{
	alert_rule_free(l->rule);
	pattern_free(l->when);
	yaml_free(l->yaml);
	problems_release(&l->problems);
}

static const struct {
	const char *alert, *place, *says;
} refused[] = {
	{"{ within: 5m }", ":2:8:", "needs one of count, ratio and absent"},
	{"{ count: 3 }", ":2:8:", "within is missing"},
	{"{ within: 5m, count: 3, absent: { type: a }, per: id }", ":2:32:", "give one of"},
	{"{ within: 5m, count: 0 }", ":2:", "from 1 to 1000000000"},
	{"{ within: 25h, count: 1 }", ":2:", "from 1s to 1d"},
	{"{ within: 5m, count: 3, repeat: 500ms }", ":2:", "at least 1s, or 0s"},
	{"{ within: 5m, cuont: 3, count: 1 }", ":2:22:", "did you mean \"count\"?"},
	{"{ within: 5m, count: 3, per: [dat.broadcast_id] }", ":2:", "did you mean \"data\"?"},
	{"{ within: 5m, count: 3, per: [broadcast_id] }", ":2:", "stands below data"},
	{"{ within: 5m, count: 3, per: [data..id] }", ":2:", "is no path"},
	{"{ within: 5m, count: 3, per: { a: b } }", ":2:", "must be a list, not a map"},
	{"{ within: 5m, count: 3, per: [[a]] }", ":2:", "must be one value"},
	{"{ within: 5m, count: 3, per: [data.a, data.b.a] }", ":2:", "ends in \"a\""},
	{"{ within: 5m, count: 3, per: [id, type, data.a, data.b, data.c, data.d, data.e, data.f, "
	 "data.g] }",
	 ":2:", "9 paths; at most 8"},
	{"{ within: 5m, count: 3, labels: { a-b: x } }", ":2:42:", "letters, digits and _"},
	{"{ within: 5m, count: 3, labels: { __a: x } }", ":2:42:", "letters, digits and _"},
	{"{ within: 5m, count: 3, labels: [a] }", ":2:", "a map of names and texts"},
	{"{ within: 5m, count: 3, labels: { a: } }", ":2:", "must be a text"},
	{"{ within: 5m, count: 3, annotations: { a: \"{{data.count\" } }", ":2:", "column"},
	{"{ within: 5m, ratio: 5% }", ":2:", "must be a map such as"},
	{"{ within: 5m, ratio: { above: 5% } }", ":2:", "of is missing"},
	{"{ within: 5m, ratio: { of: { type: a }, above: 5 } }", ":2:", "a percentage"},
	{"{ within: 5m, absent: { tpye: a }, per: id }", ":2:", "\"type\""},
	{"{ within: 5m, absent: { type: a } }", ":2:8:", "absent needs per"},
};

static void mistakes_are_told_with_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct loaded l;
		load(&l, WHEN, refused[i].alert);
		if (l.rule || l.problems.n != 1)
			fail_msg("%s: %zu problems", refused[i].alert, l.problems.n);
		if (!strstr(l.problems.v[0], refused[i].place) ||
		    !strstr(l.problems.v[0], refused[i].says))
			fail_msg("%s: %s", refused[i].alert, l.problems.v[0]);
		unload(&l);
	}
}

static void presets_and_steps(void **state)
{
	struct loaded l;

	(void)state;
	load_good(&l, "{ within: 5m, count: 3 }");
	assert_int_equal(l.rule->resolve_after_ms, 300000);
	assert_int_equal(l.rule->repeat_ms, 60000); /* the destination's */
	assert_int_equal(l.rule->step_ms, 10000);
	assert_int_equal(l.rule->cell_ms, 1);
	assert_false(l.rule->by_broadcast);
	assert_null(alert_rule_awaits(l.rule));
	unload(&l);
	load_good(&l, "{ within: 100s, count: 5000, repeat: 0s, per: data.broadcast_id }");
	assert_int_equal(l.rule->repeat_ms, 0);
	assert_int_equal(l.rule->step_ms, 4000);
	assert_int_equal(l.rule->cells, 50);
	assert_int_equal(l.rule->cells * l.rule->cell_ms, 100000);
	assert_true(l.rule->by_broadcast);
	unload(&l);
	load_good(&l, "{ within: 7s, per: data.recipient_id, fold: [data.integration_id], "
		      "absent: { $or: [{ type: [a, b] }, { type: b, data: { x: 1 } }] } }");
	assert_int_equal(l.rule->step_ms, 1000);
	assert_false(l.rule->by_broadcast);
	assert_string_equal(alert_rule_awaits(l.rule)[0], "recipient.sent");
	assert_string_equal(alert_rule_awaits(l.rule)[1], "a");
	assert_string_equal(alert_rule_awaits(l.rule)[2], "b");
	assert_null(alert_rule_awaits(l.rule)[3]);
	assert_non_null(l.rule->types);
	unload(&l);
	load_good(&l, "{ within: 7s, per: id, absent: { type: [{ prefix: recipient. }] } }");
	assert_null(alert_rule_awaits(l.rule));
	assert_null(l.rule->types);
	unload(&l);
	alert_rule_free(NULL);
}

static void hashes_of(const char *when, const char *alert, uint64_t *all, uint64_t *counted)
{
	struct loaded l;

	load(&l, when, alert);
	if (!l.rule)
		fail_msg("%s: %s", alert, l.problems.v[0]);
	*all = alert_rule_hash(l.rule);
	*counted = l.rule->identity;
	unload(&l);
}

static void what_makes_it_another_rule(void **state)
{
	static const char base[] =
		"{ within: 5m, count: 3, per: [data.a], labels: { a: b }, annotations: { c: d } }";
	static const struct {
		const char *when, *alert;
		bool other, counts_other;
	} cases[] = {
		{"{ type: recipient.sent }",
		 "{ count: 3, within: 300s, per: data.a, labels: {a: b}, annotations: {c: d} }",
		 false, false},
		{WHEN, "{ within: 5m, count: 3, per: [data.a], labels: { a: x } }", true, false},
		{WHEN, "{ within: 5m, count: 3, per: [data.a], repeat: 2m }", true, false},
		{WHEN, "{ within: 5m, count: 4, per: [data.a] }", true, true},
		{WHEN, "{ within: 6m, count: 3, per: [data.a] }", true, true},
		{WHEN, "{ within: 5m, count: 3, fold: [data.a] }", true, true},
		{WHEN, "{ within: 5m, ratio: { of: { type: a }, above: 3% }, per: [data.a] }", true,
		 true},
		{"{ type: recipient.failed }",
		 "{ within: 5m, count: 3, per: [data.a], labels: {a: b}, annotations: {c: d} }",
		 false, true},
	};
	uint64_t all, counted;

	(void)state;
	hashes_of(WHEN, base, &all, &counted);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t a, c;
		hashes_of(cases[i].when, cases[i].alert, &a, &c);
		if ((a != all) != cases[i].other || (c != counted) != cases[i].counts_other)
			fail_msg("%s, %s", cases[i].when, cases[i].alert);
	}
}

static void collect(void *arg, const char *path)
{
	buf_adds(arg, path);
	buf_addc(arg, ' ');
}

static void the_paths_it_looks_at(void **state)
{
	struct buf paths = BUF_INIT(4096);
	struct loaded l;

	(void)state;
	load_good(&l, "{ within: 7s, per: data.x, fold: data.recipient.y, absent: { data: { z: [1] "
		      "} } }");
	alert_rule_paths(l.rule, collect, &paths);
	assert_string_equal(paths.data, "data.x data.recipient.y data.broadcast_id "
					"data.recipient_id data.integration_id data.error_message "
					"data.z ");
	buf_release(&paths);
	unload(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_told_with_their_place),
		cmocka_unit_test(presets_and_steps),
		cmocka_unit_test(what_makes_it_another_rule),
		cmocka_unit_test(the_paths_it_looks_at),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
