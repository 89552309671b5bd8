/*
 * Rules that do nothing: a table of lists and what is told of them, and the promise that what is
 * told is sure, tried on random rules and random events.
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
#include "relay/base/random.h"
#include "rules/pattern_implies.h"
#include "rules/shadow.h"
#include "rules/shadow_parts.h"

#define RULES_MAX 16
#define TO_MAX	  3

struct list {
	struct yaml *yaml;
	struct pattern *patterns[RULES_MAX];
	size_t to[RULES_MAX][TO_MAX];
	struct shadow_rule v[RULES_MAX];
	size_t n;
};

/* A list in YAML: when, to (numbers), stop, off, alert. */
static void load(struct list *l, const char *text)
{
	struct problems p = {0};

	*l = (struct list){.yaml = yaml_parse("t.yaml", text, strlen(text), &p)};
	if (!l->yaml)
		fail_msg("%s", p.v[0]);
	const struct node *rules = node_get(yaml_root(l->yaml), "rules");
	for (size_t i = 0; i < rules->n; i++) {
		const struct node *n = rules->items[i], *to = node_get(n, "to");
		struct shadow_rule *r = &l->v[l->n];

		l->patterns[i] = pattern_compile(node_get(n, "when"), &p);
		if (!l->patterns[i])
			fail_msg("%s", p.v[0]);
		*r = (struct shadow_rule){.pattern = l->patterns[i],
					  .to = l->to[i],
					  .enabled = !node_get(n, "off"),
					  .stop = node_get(n, "stop") != NULL,
					  .alert = node_get(n, "alert") != NULL};
		for (; to && r->nto < to->n; r->nto++)
			l->to[i][r->nto] = (size_t)atoi(to->items[r->nto]->text);
		l->n++;
	}
	problems_release(&p);
}

static void unload(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		pattern_free(l->patterns[i]);
	yaml_free(l->yaml);
}

static void describe(void *arg, const struct shadow *s)
{
	struct buf *text = arg;

	buf_addf(text, "%s%zu ", text->len ? "; " : "", s->rule + 1);
	if (s->kind == SHADOW_NEVER_MATCHES)
		buf_addf(text, "never matches: %s", s->why);
	else if (s->kind == SHADOW_NEVER_TRIED)
		buf_addf(text, "never tried by %zu%s", s->by + 1, s->by_more ? "+" : "");
	else
		buf_addf(text, "%zu taken by %zu%s", s->destination, s->by + 1,
			 s->by_more ? "+" : "");
}

static void told_is(const char *rules, const char *expected)
{
	struct buf text = BUF_INIT(10000);
	char *yaml = xasprintf("rules:\n%s", rules);
	struct list l;

	load(&l, yaml);
	shadow_find(l.v, l.n, TO_MAX, describe, &text);
	if (strcmp(text.data, expected) != 0)
		fail_msg("%s\n  got:      %s\n  expected: %s", rules, text.data, expected);
	unload(&l);
	buf_release(&text);
	free(yaml);
}

static void rules_behind_a_stop_are_never_tried(void **state)
{
	static const char *const cases[][2] = {
		{"- {when: {type: recipient.failed}, to: [0], stop: true}\n"
		 "- {when: {type: recipient.failed, data: {integration_id: twilio}}, to: [1]}",
		 "2 never tried by 1"},
		{"- {to: [0], stop: true}\n- {to: [1]}\n- {when: {type: recipient.sent}, to: [1]}",
		 "2 never tried by 1; 3 never tried by 1"},
		/* the later one is wider */
		{"- {when: {type: recipient.failed, data: {integration_id: twilio}}, to: [0], "
		 "stop: "
		 "true}\n"
		 "- {when: {type: recipient.failed}, to: [1]}",
		 ""},
		/* not enabled; does not stop; counts only */
		{"- {to: [0], stop: true, off: true}\n- {to: [1]}", ""},
		{"- {to: [0]}\n- {to: [1]}", ""},
		{"- {to: [0], stop: true}\n- {to: [1], alert: true}", ""},
		{"- {to: [0], stop: true}\n- {to: [1], off: true}", ""},
		/* several together */
		{"- {when: {type: recipient.failed}, to: [0], stop: true}\n"
		 "- {when: {type: recipient.bounced}, to: [0], stop: true}\n"
		 "- {when: {$or: [{type: recipient.failed}, {type: recipient.bounced, data: {n: "
		 "[1]}}]}, to: [1]}",
		 "3 never tried by 1+"},
		/* what is never tried hides nothing itself */
		{"- {when: {type: recipient.failed}, to: [0], stop: true}\n"
		 "- {when: {type: recipient.failed, data: {a: x}}, to: [1], stop: true}\n"
		 "- {when: {type: recipient.failed, data: {a: x}}, to: [1]}",
		 "2 never tried by 1; 3 never tried by 1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		told_is(cases[i][0], cases[i][1]);
}

static void a_destination_has_an_event_once(void **state)
{
	static const char *const cases[][2] = {
		{"- {to: [0]}\n- {when: {type: recipient.failed}, to: [0, 1]}", "2 0 taken by 1"},
		{"- {when: {type: recipient.failed}, to: [0]}\n- {to: [0]}", ""},
		{"- {when: {type: [recipient.failed, recipient.sent]}, to: [1]}\n"
		 "- {when: {type: recipient.sent}, to: [0, 1]}\n"
		 "- {when: {type: recipient.sent}, to: [0]}",
		 "2 1 taken by 1; 3 0 taken by 2"},
		{"- {to: [0], alert: true}\n- {to: [0]}", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		told_is(cases[i][0], cases[i][1]);
}

static void what_no_event_can_be_never_matches(void **state)
{
	static const char text[] = "is always a text";
	static const struct {
		const char *when, *why; /* NULL: it may match */
	} cases[] = {
		{"{type: message.failed}", "every type begins with"},
		{"{type: [failed, sent]}", "every type begins with"},
		{"{type: [failed, recipient.failed]}", NULL},
		{"{type: [{prefix: message.}]}", "every type begins with"},
		{"{type: [{prefix: rec}]}", NULL},
		{"{type: [{prefix: \"\"}]}", NULL},
		{"{type: [{prefix: recipient.x}]}", NULL},
		{"{type: [{suffix: failed}]}", NULL},
		{"{type: [{exists: false}]}", "type is always there"},
		{"{subject: [{exists: false}]}", NULL},
		{"{subject: [null]}", NULL},
		{"{subject: [1]}", text},
		{"{specversion: [1.0]}", text},
		{"{specversion: [\"1.0\"]}", NULL},
		{"{sequence: [{numeric: [\">\", 1]}]}", text},
		{"{id: [null]}", text},
		{"{id: [{anything-but: x}]}", NULL},
		{"{type: recipient.failed, data: {broadcast_id: [1]}}", text},
		{"{type: recipient.failed, data: {broadcast_id: [1, x]}}", NULL},
		{"{data: {broadcast_id: [1]}}", NULL}, /* of other events nothing is known */
		{"{type: [{prefix: recipient.}], data: {integration_id: [true]}}", text},
		{"{type: recipient.sent, data: {recipient_id: {x: [y]}}}", "no event has a map"},
		{"{type: recipient.sent, data: {recipient_id: {x: [{exists: false}]}}}", NULL},
		{"{type: recipient.failed, data: {state: sent}}", "another one"},
		{"{type: recipient.failed, data: {state: failed}}", NULL},
		{"{type: recipient.failed, data: {state: [{exists: false}]}}", NULL},
		{"{type: recipient.failed, data: {state: [{anything-but: failed}]}}",
		 "another one"},
		{"{type: recipient.reverted, data: {state: failed}}", NULL},
		{"{type: [recipient.failed, recipient.sent], data: {state: sent}}", NULL},
		{"{type: [recipient.failed, recipient.sent], data: {state: opened}}",
		 "another one"},
		{"{type: [{prefix: recipient.}], data: {state: opened}}", NULL},
		{"{$or: [{type: x}, {type: y}]}", "every type"},
		{"{$or: [{type: x}, {type: recipient.sent}]}", NULL},
		{"{type: recipient.failed, data: {recipient: {is_failed: [true]}}}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf told = BUF_INIT(1000);
		char *yaml = xasprintf("rules:\n- {to: [0], when: %s}", cases[i].when);
		struct list l;

		load(&l, yaml);
		shadow_find(l.v, l.n, TO_MAX, describe, &told);
		if (cases[i].why ? !strstr(told.data, cases[i].why) : told.len != 0)
			fail_msg("%s: \"%s\"", cases[i].when, told.data);
		unload(&l);
		buf_release(&told);
		free(yaml);
	}
}

/* Is every event of the second one of the first? Told as rule 2 never tried. */
static void tests_imply_each_other(void **state)
{
	static const struct {
		const char *wide, *narrow;
		bool implied;
	} cases[] = {
		{"[a, b]", "[b]", true},
		{"[a]", "[a, b]", false},
		{"[1]", "[1.0]", true},
		{"[\"1\"]", "[1]", false},
		{"[true, null]", "[null]", true},
		{"[true]", "[false]", false},
		{"[{exists: true}]", "[a, {prefix: x}, null, {anything-but: y}]", true},
		{"[{exists: true}]", "[a, {exists: false}]", false},
		{"[{exists: false}, a]", "[{exists: false}]", true},
		{"[{prefix: a}]", "[{prefix: ab}, abc, {wildcard: \"a*b\"}]", true},
		{"[{prefix: ab}]", "[{prefix: a}]", false},
		{"[{prefix: ab}]", "[{wildcard: \"a*b\"}]", false},
		{"[{suffix: b}]", "[{suffix: ab}, xb, {wildcard: \"a*b\"}]", true},
		{"[{suffix: ab}]", "[{suffix: b}]", false},
		{"[{equals-ignore-case: aB}]", "[Ab, {equals-ignore-case: AB}]", true},
		{"[{equals-ignore-case: aB}]", "[{prefix: a}]", false},
		{"[{wildcard: \"*a*\"}]", "[xay, {wildcard: \"*a*\"}]", true},
		{"[{wildcard: \"*a*\"}]", "[{wildcard: \"*b*\"}]", false},
		{"[{numeric: [\">\", 1]}]", "[{numeric: [\">\", 1, \"<\", 5]}, 2]", true},
		{"[{numeric: [\">\", 1]}]", "[{numeric: [\">=\", 1]}]", false},
		{"[{numeric: [\">=\", 1]}]", "[{numeric: [\">\", 1]}]", true},
		{"[{cidr: 10.0.0.0/8}]", "[{cidr: 10.1.0.0/16}, 10.2.3.4]", true},
		{"[{cidr: 10.1.0.0/16}]", "[{cidr: 10.0.0.0/8}]", false},
		{"[{cidr: 10.0.0.0/9}]", "[{cidr: 10.128.0.0/16}]", false},
		{"[{cidr: \"::/0\"}]", "[{cidr: 10.0.0.0/8}]", false},
		{"[{anything-but: [a]}]", "[{anything-but: [a, b]}, c, 1, null]", true},
		{"[{anything-but: [a, b]}]", "[{anything-but: [a]}]", false},
		{"[{anything-but: [a]}]", "[{prefix: b}, {numeric: [\">\", 1]}]", true},
		{"[{anything-but: [a]}]", "[{prefix: a}]", false},
		{"[{anything-but: {prefix: ab}}]", "[{prefix: b}, {anything-but: {prefix: a}}]",
		 true},
		{"[{anything-but: {prefix: ab}}]", "[{prefix: a}]", false},
		{"[{anything-but: [3]}]", "[{numeric: [\">\", 3]}]", true},
		{"[{anything-but: [3]}]", "[{numeric: [\">=\", 3]}]", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *rules = xasprintf("- {when: {data: {a: %s}}, to: [0], stop: true}\n"
					"- {when: {data: {a: %s, b: x}}, to: [1]}",
					cases[i].wide, cases[i].narrow);

		told_is(rules, cases[i].implied ? "2 never tried by 1" : "");
		free(rules);
	}
}

/* Which element of an array is asked depends on what else is asked of it. */
static void absence_in_arrays_is_left_alone(void **state)
{
	(void)state;
	told_is("- {when: {data: {a: [{exists: false}]}}, to: [0], stop: true}\n"
		"- {when: {data: {a: [{exists: false}], b: x}}, to: [1]}",
		"2 never tried by 1");
	told_is("- {when: {data: {r: {a: [{exists: false}]}}}, to: [0], stop: true}\n"
		"- {when: {data: {r: {a: [{exists: false}], b: x}}}, to: [1]}",
		"");
	told_is("- {when: {data: {r: {a: [{exists: false}], b: [x, y]}}}, to: [0], stop: true}\n"
		"- {when: {data: {r: {a: [{exists: false}], b: x}}}, to: [1]}",
		"2 never tried by 1");
}

/* ---- random rules, random events ---- */

static const char *const tests[] = {
	"a",
	"ab",
	"abc",
	"b",
	"B",
	"\"\"",
	"1",
	"2",
	"2.5",
	"true",
	"false",
	"null",
	"10.0.0.1",
	"10.1.2.3",
	"\"::1\"",
	"{prefix: a}",
	"{prefix: ab}",
	"{prefix: \"\"}",
	"{suffix: b}",
	"{suffix: c}",
	"{suffix: bc}",
	"{prefix: {equals-ignore-case: A}}",
	"{suffix: {equals-ignore-case: B}}",
	"{equals-ignore-case: AB}",
	"{equals-ignore-case: b}",
	"{wildcard: \"a*\"}",
	"{wildcard: \"*b*\"}",
	"{wildcard: \"a*c\"}",
	"{wildcard: \"*\"}",
	"{numeric: [\">\", 1]}",
	"{numeric: [\">=\", 1, \"<\", 2.5]}",
	"{numeric: [\"=\", 2]}",
	"{numeric: [\"<=\", 2]}",
	"{cidr: 10.0.0.0/8}",
	"{cidr: 10.1.0.0/16}",
	"{cidr: \"::/0\"}",
	"{anything-but: [a]}",
	"{anything-but: [1, 2]}",
	"{anything-but: [ab, b, abc]}",
	"{anything-but: {prefix: a}}",
	"{anything-but: {suffix: b}}",
	"{anything-but: {wildcard: \"*b*\"}}",
	"{anything-but: {equals-ignore-case: AB}}",
	"{exists: true}",
	"{exists: false}",
};
static const char *const values[] = {
	"\"a\"",   "\"ab\"", "\"abc\"", "\"b\"", "\"B\"",	 "\"aB\"",
	"\"xbc\"", "\"\"",   "1",	"2",	 "2.5",		 "0",
	"7",	   "true",   "false",	"null",	 "\"10.0.0.1\"", "\"10.1.2.3\"",
	"\"::1\"", "\"1\"",
};
static const char *const types[] = {
	"recipient.sent",  "recipient.failed", "recipient.reverted",
	"recipient.added", "broadcast.sent",   "relay.audit",
};
static const char *const type_tests[] = {
	"recipient.sent",
	"recipient.failed",
	"recipient.reverted",
	"broadcast.sent",
	"x.y",
	"{prefix: recipient.}",
	"{prefix: b}",
	"{prefix: x}",
	"{suffix: sent}",
	"{exists: true}",
	"{anything-but: recipient.sent}",
	"1",
	"{exists: false}",
};
static const char *const state_tests[] = {
	"sent",	       "failed", "opened", "1", "null", "{exists: false}", "{anything-but: sent}",
	"{prefix: s}",
};

#define PICK(r, list) ((list)[prng_next(r) % (sizeof(list) / sizeof *(list))])

static void add_tests(struct buf *out, struct prng *r, const char *const *from, size_t n)
{
	buf_addc(out, '[');
	for (uint64_t i = 0, all = 1 + prng_next(r) % 3; i < all; i++)
		buf_addf(out, "%s%s", i ? ", " : "", from[prng_next(r) % n]);
	buf_addc(out, ']');
}

#define TESTS(out, r, list) add_tests(out, r, list, sizeof(list) / sizeof *(list))

/* Some of data.a, data.b, data.r.a, data.r.b, data.r.b.c, data.s. */
static void add_when(struct buf *out, struct prng *r)
{
	uint64_t bits = prng_next(r);

	buf_adds(out, "{source: [{exists: true}]"); /* so that commas are simple */
	if (bits & 1) {
		buf_adds(out, ", type: ");
		TESTS(out, r, type_tests);
	}
	buf_adds(out, ", data: {org_id: [c]");
	if ((bits >> 1 & 7) == 0) {
		buf_adds(out, ", state: ");
		TESTS(out, r, state_tests);
	}
	if (bits >> 4 & 1) {
		buf_adds(out, ", a: ");
		TESTS(out, r, tests);
	}
	if (bits >> 5 & 3) {
		buf_adds(out, ", r: {");
		for (int i = 0, n = 0; i < 2; i++) {
			if (!(bits >> (7 + i) & 1) && (i || bits >> 8 & 1))
				continue;
			buf_addf(out, "%s%c: ", n++ ? ", " : "", "ab"[i]);
			if (prng_next(r) % 4)
				TESTS(out, r, tests);
			else
				buf_adds(out, "[{exists: false}]");
		}
		buf_addc(out, '}');
	}
	buf_adds(out, "}}");
}

static void add_value(struct buf *out, struct prng *r, int depth)
{
	uint64_t what = prng_next(r) % 8;

	if (what < 2 && depth < 3) {
		buf_addc(out, '[');
		for (uint64_t i = 0, n = prng_next(r) % 3; i < n; i++) {
			buf_adds(out, i ? "," : "");
			add_value(out, r, depth + 1);
		}
		buf_addc(out, ']');
	} else if (what < 5 && depth < 3) {
		buf_adds(out, "{\"z\":0");
		for (const char *key = "ab"; *key; key++) {
			if (prng_next(r) % 3 == 0)
				continue;
			buf_addf(out, ",\"%c\":", *key);
			add_value(out, r, depth + 1);
		}
		buf_addc(out, '}');
	} else {
		buf_adds(out, PICK(r, values));
	}
}

static void add_event(struct buf *out, struct prng *r)
{
	const char *type = PICK(r, types);

	buf_addf(out, "{\"source\":\"s\",\"type\":\"%s\",\"data\":{\"org_id\":\"c\"", type);
	if (!strcmp(type, "recipient.sent") || !strcmp(type, "recipient.failed"))
		buf_addf(out, ",\"state\":\"%s\"", strchr(type, '.') + 1);
	else if (!strcmp(type, "recipient.reverted"))
		buf_addf(out, ",\"state\":\"%s\"", prng_next(r) % 2 ? "sent" : "failed");
	if (prng_next(r) % 4) {
		buf_adds(out, ",\"a\":");
		add_value(out, r, 2);
	}
	buf_adds(out, ",\"r\":[");
	for (uint64_t i = 0, n = prng_next(r) % 4; i < n; i++) {
		buf_adds(out, i ? "," : "");
		add_value(out, r, 1);
	}
	buf_addc(out, ']');
	buf_adds(out, "}}");
}

static void make_rules(struct buf *out, struct prng *r)
{
	buf_adds(out, "rules:\n");
	for (uint64_t i = 0, n = 2 + prng_next(r) % (RULES_MAX - 2); i < n; i++) {
		buf_adds(out, "- {when: ");
		if (prng_next(r) % 5 == 0) {
			buf_adds(out, "{$or: [");
			add_when(out, r);
			buf_adds(out, ", ");
			add_when(out, r);
			buf_adds(out, "]}");
		} else {
			add_when(out, r);
		}
		buf_addf(out, ", to: [%d]%s}\n", (int)(prng_next(r) % TO_MAX),
			 prng_next(r) % 3 ? "" : ", stop: true");
	}
}

struct findings {
	struct shadow v[RULES_MAX * 4];
	size_t n;
};

static void keep(void *arg, const struct shadow *s)
{
	struct findings *f = arg;

	assert_true(f->n < RULES_MAX * 4);
	f->v[f->n++] = *s;
}

static const struct shadow *finding(const struct findings *f, size_t rule)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->v[i].rule == rule)
			return &f->v[i];
	}
	return NULL;
}

/* Routes as rules.c does; what was told must not be seen to be wrong. */
static void check_event(const struct list *l, const struct findings *f, const struct json *event,
			const char *rules, const char *text)
{
	bool taken[TO_MAX] = {false}, stopped = false;

	for (size_t i = 0; i < l->n; i++) {
		const struct shadow *s = finding(f, i);

		if (!pattern_match(l->patterns[i], event))
			continue;
		if (s && (s->kind == SHADOW_NEVER_MATCHES ||
			  (s->kind == SHADOW_NEVER_TRIED && !stopped) ||
			  (s->kind == SHADOW_TAKEN && !stopped && !taken[l->to[i][0]])))
			fail_msg("rule %zu, kind %d, but %s\n%s", i + 1, s->kind, text, rules);
		if (stopped)
			continue;
		taken[l->to[i][0]] = true;
		stopped = l->v[i].stop;
	}
}

/* The table of earlier alternatives leaves none out. */
static void what_is_implied_is_found(void **state)
{
	struct prng r = {.state = random_u64()};
	struct buf rules = BUF_INIT(1 << 20);
	size_t found = 0;
	struct list l;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)r.state);
	for (int i = 0; i < 300; i++) {
		struct parts parts = {0};
		uint64_t fuel = UINT64_MAX;

		buf_clear(&rules);
		make_rules(&rules, &r);
		load(&l, rules.data);
		for (size_t k = 0; k < l.n; k++) {
			const struct conjunction *c = l.patterns[k]->v;
			bool implied = false;

			for (size_t m = 0; m < parts.n; m++)
				implied = implied || conjunction_implies(c, parts.v[m].c);
			assert_int_equal(parts_find(&parts, c, &fuel) != NULL, implied);
			parts_add(&parts, c, k);
			found += implied;
		}
		parts_release(&parts);
		unload(&l);
	}
	print_message("%zu implied\n", found);
	assert_true(found > 50);
	buf_release(&rules);
}

static void what_is_told_is_sure(void **state)
{
	struct prng r = {.state = random_u64()};
	struct json_doc *doc = json_doc_new();
	struct buf rules = BUF_INIT(1 << 20), event = BUF_INIT(1 << 20);
	size_t told[3] = {0};
	struct list l;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)r.state);
	for (int i = 0; i < 400; i++) {
		struct findings f = {.n = 0};
		struct err err = {0};

		buf_clear(&rules);
		make_rules(&rules, &r);
		load(&l, rules.data);
		shadow_find(l.v, l.n, TO_MAX, keep, &f);
		for (size_t k = 0; k < f.n; k++)
			told[f.v[k].kind]++;
		for (int k = 0; k < 150; k++) {
			buf_clear(&event);
			add_event(&event, &r);
			const struct json *v = json_parse(doc, event.data, event.len, 64, &err);
			assert_non_null(v);
			check_event(&l, &f, v, rules.data, event.data);
		}
		unload(&l);
	}
	print_message("told: %zu never match, %zu never tried, %zu taken\n", told[0], told[1],
		      told[2]);
	for (int i = 0; i < 3; i++)
		assert_true(told[i] > 50);
	json_doc_free(doc);
	buf_release(&rules);
	buf_release(&event);
}

int main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(rules_behind_a_stop_are_never_tried),
		cmocka_unit_test(a_destination_has_an_event_once),
		cmocka_unit_test(what_no_event_can_be_never_matches),
		cmocka_unit_test(tests_imply_each_other),
		cmocka_unit_test(absence_in_arrays_is_left_alone),
		cmocka_unit_test(what_is_implied_is_found),
		cmocka_unit_test(what_is_told_is_sure),
	};

	return cmocka_run_group_tests_name("shadow", all, NULL, NULL);
}
