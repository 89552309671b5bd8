/*
 * Patterns as a table (pattern, event, does it match), what must be refused at load with its place,
 * and the list of rules: order, stop, one route per destination.
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

#define EVENT                                                                                      \
	"{\"type\":\"recipient.failed\",\"subject\":null,\"data\":{\"state\":\"failed\",\"n\":3,"  \
	"\"yes\":true,\"empty\":\"\",\"none\":null,\"list\":[\"a\",\"b\"],\"void\":[],"            \
	"\"rows\":[{\"k\":\"x\",\"v\":1},{\"k\":\"y\",\"v\":2}],\"deep\":{\"er\":{\"est\":\"z\"}}" \
	"}}"

struct match_case {
	const char *when;
	bool matches;
};

static const struct match_case cases[] = {
	{"{type: recipient.failed}", true},
	{"{type: [recipient.sent, recipient.failed]}", true},
	{"{type: [recipient.sent]}", false},
	{"{type: Recipient.failed}", false},
	{"{type: [{prefix: recipient.}]}", true},
	{"{type: [{prefix: broadcast.}, {prefix: recipient.f}]}", true},
	{"{type: [{prefix: recipient.failed.x}]}", false},
	{"{type: [{prefix: \"\"}]}", true},
	{"{data: {n: [3]}}", true},
	{"{data: {n: [3.0]}}", true},
	{"{data: {n: [\"3\"]}}", false},
	{"{data: {yes: [true]}}", true},
	{"{data: {yes: [\"true\"]}}", false},
	{"{data: {yes: [1]}}", false},
	{"{data: {yes: yes}}", false}, /* `yes` is a string in YAML 1.2 */
	{"{data: {empty: [\"\"]}}", true},
	{"{data: {empty: [null]}}", false},
	{"{data: {none: [null]}}", true},
	{"{data: {none: [{exists: true}]}}", true},
	{"{data: {missing: [null]}}", false},
	{"{data: {missing: [{exists: false}]}}", true},
	{"{data: {missing: [{exists: true}]}}", false},
	{"{data: {missing: [{exists: false}, x]}}", true},
	{"{data: {state: [{exists: false}]}}", false},
	{"{data: {void: [{exists: false}]}}", true},
	{"{data: {void: [{exists: true}]}}", false},
	{"{data: {deep: [{exists: true}]}}", false}, /* exists looks at leaves */
	{"{data: {deep: {er: {est: z}}}}", true},
	{"{data: {deep: {er: {est: [y]}}}}", false},
	{"{data: {deep: {er: z}}}", false},
	{"{data: {deep: {none: {est: [{exists: false}]}}}}", true},
	{"{data: {list: [b, c]}}", true},
	{"{data: {list: [c]}}", false},
	{"{data: {rows: {k: [y]}}}", true},
	{"{data: {rows: {k: [x], v: [1]}}}", true},
	{"{data: {rows: {k: [x], v: [2]}}}", false}, /* not within one element */
	{"{type: recipient.failed, data: {state: [failed]}}", true},
	{"{type: recipient.failed, data: {state: [sent]}}", false},
	{"{subject: [null]}", true},
};

static struct yaml *load(const char *text, struct problems *p)
{
	return yaml_parse("rules.yaml", text, strlen(text), p);
}

static void patterns_match(void **state)
{
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	(void)state;
	const struct json *event = json_parse(doc, EVENT, strlen(EVENT), JSON_DEPTH, &err);
	assert_non_null(event);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct problems p = {0};
		char *text = xasprintf("when: %s\n", cases[i].when);
		struct yaml *y = load(text, &p);
		struct pattern *pt = pattern_compile(node_get(yaml_root(y), "when"), &p);
		if (!pt)
			fail_msg("%s: %s", cases[i].when, p.v[0]);
		if (pattern_match(pt, event) != cases[i].matches)
			fail_msg("%s should %smatch", cases[i].when,
				 cases[i].matches ? "" : "not ");
		pattern_free(pt);
		yaml_free(y);
		free(text);
	}
	struct problems none = {0};
	struct pattern *everything = pattern_compile(NULL, &none);
	assert_true(pattern_match(everything, event));
	pattern_free(everything);
	json_doc_free(doc);
}

static const struct {
	const char *when, *place, *says;
} refused[] = {
	{"{typ: [a]}", ":1:8:", "\"typ\""},
	{"{detail: {state: [a]}}", ":1:8:", "\"data\""},
	{"{data: {state: []}}", ":1:22:", "empty list"},
	{"{data: {}}", ":1:14:", "empty map"},
	{"{type: [{sufix: a}]}", ":1:", "unknown operator \"sufix\""},
	{"{type: [{prefix: a, exists: true}]}", ":1:15:", "one operator"},
	{"{type: [{exists: maybe}]}", ":1:", "true or false"},
	{"{type: [{prefix: [a]}]}", ":1:", "a string"},
	{"{type: [[a]]}", ":1:15:", "list inside a list"},
	{"[a]", ":1:7:", "a map"},
};

static void wrong_patterns_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct problems p = {0};
		char *text = xasprintf("when: %s\n", refused[i].when);
		struct yaml *y = load(text, &p);
		assert_null(pattern_compile(node_get(yaml_root(y), "when"), &p));
		assert_int_equal(p.n, 1);
		if (!strstr(p.v[0], refused[i].place) || !strstr(p.v[0], refused[i].says))
			fail_msg("%s: %s", refused[i].when, p.v[0]);
		problems_release(&p);
		yaml_free(y);
		free(text);
	}
}

static uint64_t hash_of(const char *when)
{
	struct problems p = {0};
	char *text = xasprintf("when: %s\n", when);
	struct yaml *y = load(text, &p);
	struct pattern *pt = pattern_compile(node_get(yaml_root(y), "when"), &p);
	uint64_t hash = pattern_hash(pt);
	pattern_free(pt);
	yaml_free(y);
	free(text);
	return hash;
}

static void the_hash_is_of_the_meaning(void **state)
{
	(void)state;
	assert_true(hash_of("{type: a}") == hash_of("{ type: [ \"a\" ] }"));
	assert_true(hash_of("{type: a}") != hash_of("{type: b}"));
	assert_true(hash_of("{type: [{prefix: a}]}") != hash_of("{type: [a]}"));
	assert_true(hash_of("{data: {a: {b: [c]}}}") != hash_of("{data: {a: [b], b: [c]}}"));
}

static const char *const destinations[] = {"bus", "crm", "log", NULL};

static struct rules *rules_of(const char *text, struct yaml **y, struct problems *p)
{
	*y = load(text, p);
	assert_non_null(*y);
	return rules_load(node_get(yaml_root(*y), "rules"), destinations, p);
}

static void hits_are(const char *text, const char *body, const char *expected)
{
	struct problems p = {0};
	struct yaml *y;
	struct rules *rs = rules_of(text, &y, &p);
	struct rules_scratch *s = rules_scratch_new();
	struct event ev = {.body = (char *)body, .len = strlen(body)};
	struct rule_hit hits[3];
	char got[256] = "";
	if (!rs)
		fail_msg("%s", p.v[0]);
	for (int round = 0; round < 2; round++) {
		size_t n = rules_route(rs, s, &ev, hits);
		*got = '\0';
		for (size_t i = 0; i < n; i++)
			snprintf(got + strlen(got), sizeof got - strlen(got), "%s>%s ",
				 hits[i].name, destinations[hits[i].destination]);
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
			     "- nonsense\n",
			     &y, &p));
	static const char *const expected[] = {
		"2:18: rules[0].to[0]: there is no destination \"bsu\"",
		"3:10: rules[1].name: rule 1 has the name \"a\"",
		"rules[2]",
		"rules[3]",
		"\"when\"",
		"rules[5]"};
	assert_int_equal(p.n, 6);
	for (size_t i = 0; i < 6; i++)
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
		cmocka_unit_test(patterns_match),
		cmocka_unit_test(wrong_patterns_are_refused),
		cmocka_unit_test(the_hash_is_of_the_meaning),
		cmocka_unit_test(rules_apply_in_order),
		cmocka_unit_test(wrong_rules_are_refused),
	};
	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
