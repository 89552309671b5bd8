/*
 * The form that patterns are compiled to, what they mean as a hash, which paths they name, how they
 * are explained, and that hostile ones are refused before they cost anything. What matches what is
 * in test_pattern_tables.c.
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
#include "rules/pattern_form.h"
#include "rules/pattern_regex.h"

struct compiled {
	struct yaml *yaml;
	struct pattern *pattern;
};

static struct compiled compile(const char *when)
{
	struct problems p = {0};
	char *text = xasprintf("when: %s\n", when);
	struct compiled c = {.yaml = yaml_parse("rules.yaml", text, strlen(text), &p)};

	if (c.yaml)
		c.pattern = pattern_compile(node_get(yaml_root(c.yaml), "when"), &p);
	if (!c.pattern)
		fail_msg("%.200s: %s", when, p.v[0]);
	free(text);
	return c;
}

static void release(struct compiled *c)
{
	pattern_free(c->pattern);
	yaml_free(c->yaml);
}

static uint64_t hash_of(const char *when)
{
	struct compiled c = compile(when);
	uint64_t hash = pattern_hash(c.pattern);

	release(&c);
	return hash;
}

static const struct {
	const char *a, *b;
	bool same;
} meanings[] = {
	{"{type: a}", "{ type: [ \"a\" ] }", true},
	{"{type: a}", "\n  type:\n    - 'a' # this one", true},
	{"{type: [a, b]}", "{type: [b, a]}", true},
	{"{type: [a, b]}", "{type: [b, a, b]}", true},
	{"{type: a, data: {s: x, t: y}}", "{data: {t: y, s: x}, type: a}", true},
	{"{data.s: x}", "{data: {s: x}}", true},
	{"{data: {n: 1}}", "{data: {n: 1.0e0}}", true},
	{"{data: {n: 0}}", "{data: {n: -0.0}}", true},
	{"{data: {n: [{numeric: [\"=\", 1]}]}}", "{data: {n: 1}}", true},
	{"{data: {s: [{equals-ignore-case: ABC}]}}", "{data: {s: [{equals-ignore-case: abc}]}}",
	 true},
	{"{data: {s: [{cidr: 10.1.2.3/8}]}}", "{data: {s: [{cidr: 10.0.0.0/8}]}}", true},
	{"{data: {s: [\"::1\"]}}", "{data: {s: [\"0:0::1\"]}}", true},
	{"{data: {s: [{wildcard: abc}]}}", "{data: {s: abc}}", true},
	{"{data: {s: [{anything-but: a}]}}", "{data: {s: [{anything-but: [a, a]}]}}", true},
	{"{data: {s: [{anything-but: [a, b]}]}}", "{data: {s: [{anything-but: [b, a]}]}}", true},
	{"{$or: [{type: a}, {data: {s: x}}]}", "{$or: [{data: {s: x}}, {type: a}]}", true},
	{"{data: {$or: [{s: x}, {t: y}]}}", "{$or: [{data: {s: x}}, {data: {t: y}}]}", true},
	{"{$or: [{type: a}, {type: a}]}", "{type: a}", true},
	{"{type: a}", "{type: b}", false},
	{"{type: a}", "{type: [a, b]}", false},
	{"{type: a}", "{subject: a}", false},
	{"{type: [{prefix: a}]}", "{type: [a]}", false},
	{"{type: [{prefix: a}]}", "{type: [{suffix: a}]}", false},
	{"{type: [{prefix: a}]}", "{type: [{prefix: {equals-ignore-case: a}}]}", false},
	{"{type: [{wildcard: a*b}]}", "{type: [{wildcard: 'a\\*b'}]}", false},
	{"{type: [{wildcard: a*bc}]}", "{type: [{wildcard: ab*c}]}", false},
	{"{type: [{regex: a}]}", "{type: [{regex: b}]}", false},
	{"{data: {n: 1}}", "{data: {n: \"1\"}}", false},
	{"{data: {n: 1}}", "{data: {n: true}}", false},
	{"{data: {n: null}}", "{data: {n: \"null\"}}", false},
	{"{data: {n: [{exists: true}]}}", "{data: {n: [{exists: false}]}}", false},
	{"{data: {n: [{numeric: [\">\", 1]}]}}", "{data: {n: [{numeric: [\">=\", 1]}]}}", false},
	{"{data: {n: [{numeric: [\"<\", 1]}]}}", "{data: {n: [{numeric: [\">\", 1]}]}}", false},
	{"{data: {s: [{cidr: 10.0.0.0/8}]}}", "{data: {s: [{cidr: 10.0.0.0/9}]}}", false},
	{"{data: {a: {b: [c]}}}", "{data: {a: [b], b: [c]}}", false},
	{"{data: {a: [b]}}", "{data: {ab: [\"\"]}}", false},
	{"{type: a, data: {s: x}}", "{$or: [{type: a}, {data: {s: x}}]}", false},
};

static void the_hash_is_of_the_meaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
		if (strstr(meanings[i].a, "regex") && !regex_is_built_in())
			continue;
		if ((hash_of(meanings[i].a) == hash_of(meanings[i].b)) != meanings[i].same)
			fail_msg("%s and %s should %sbe the same", meanings[i].a, meanings[i].b,
				 meanings[i].same ? "" : "not ");
	}
}

static void take_path(void *arg, const char *path)
{
	struct buf *out = arg;

	buf_addf(out, "%s ", path);
}

static void paths_are_told(void **state)
{
	struct buf out = BUF_INIT(1000);
	struct compiled c =
		compile("{type: a, data: {r: {s: x, t.u: [y]}, $or: [{v: 1}, {w: {x: 2}}, "
			"{v: 3}]}}");

	(void)state;
	pattern_paths(c.pattern, take_path, &out);
	assert_string_equal(out.data, "type data.r.s data.r.t.u data.v data.w.x data.v ");
	buf_release(&out);
	release(&c);
}

static void without_a_pattern_everything_matches(void **state)
{
	struct problems p = {0};
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	struct pattern *all = pattern_compile(NULL, &p);
	struct compiled some = compile("{type: [{exists: true}, {exists: false}]}");

	(void)state;
	assert_true(pattern_is_everything(all));
	assert_false(pattern_is_everything(some.pattern));
	assert_true(pattern_match(all, json_parse(doc, "{}", 2, JSON_DEPTH, &err)));
	assert_true(pattern_explain(all, json_parse(doc, "{}", 2, JSON_DEPTH, &err), NULL, NULL));
	pattern_free(all);
	pattern_free(NULL);
	release(&some);
	json_doc_free(doc);
}

static void alternatives_are_sorted_conjunctions(void **state)
{
	struct compiled c = compile("{type: t, data: {b: 1, a-b: 2, a: {z: 3}, $or: [{a: {y: 4}}, "
				    "{aa: 5, $or: [{c: 6}, {d: 7}]}]}, subject: [s]}");
	static const char *const expected[] = {
		"data.a.y data.a.z data.a-b data.b subject type ",
		"data.a.z data.a-b data.aa data.b data.c subject type ",
		"data.a.z data.a-b data.aa data.b data.d subject type ",
	};

	(void)state;
	assert_int_equal(c.pattern->n, 3);
	assert_int_equal(c.pattern->score, 3);
	for (size_t i = 0; i < 3; i++) {
		struct buf out = BUF_INIT(1000);
		const struct conjunction *v = &c.pattern->v[i];
		for (size_t k = 0; k < v->n; k++) {
			assert_true(!k || condition_compare(&v->v[k - 1], &v->v[k]) < 0);
			for (size_t j = 0; j < v->v[k].nkeys; j++)
				buf_addf(&out, "%s%s", j ? "." : "", v->v[k].keys[j]);
			buf_addc(&out, ' ');
		}
		assert_string_equal(out.data, expected[i]);
		buf_release(&out);
	}
	release(&c);
}

static void take_finding(void *arg, const struct pattern_finding *f)
{
	struct buf *out = arg;

	buf_addf(out, "%zu %s %s %s %s%s%s\n", f->alternative, f->path, f->wanted, f->seen,
		 f->holds ? "yes" : "no", f->note ? ": " : "", f->note ? f->note : "");
}

static const struct {
	const char *when, *event, *says;
} explained[] = {
	{"{type: [a, {prefix: b}], data: {n: [{numeric: [\">\", 0, \"<=\", 5.5]}]}}",
	 "{\"type\":\"x\",\"data\":{\"n\":3}}",
	 "0 data.n [{\"numeric\":[\">\",0,\"<=\",5.5]}] 3 yes\n"
	 "0 type [\"a\",{\"prefix\":\"b\"}] \"x\" no\n"},
	{"{data: {a: [null, true, false, 1, 0.1, {exists: false}]}}", "{\"data\":{}}",
	 "0 data.a [null,true,false,1,0.1,{\"exists\":false}] absent yes\n"},
	{"{data: {a: [{suffix: x}, {equals-ignore-case: Y}, {wildcard: 'a\\*b*'}, {cidr: "
	 "10.0.0.0/8}, "
	 "10.0.0.1, {exists: true}, {numeric: [\"<\", 2]}, {numeric: [\">=\", 3]}]}}",
	 "{\"data\":{\"a\":[]}}",
	 "0 data.a [{\"suffix\":\"x\"},{\"equals-ignore-case\":\"y\"},{\"wildcard\":\"a\\\\*b*\"},"
	 "{\"cidr\":\"10.0.0.0/8\"},\"10.0.0.1\",{\"exists\":true},{\"numeric\":[\"<\",2]},"
	 "{\"numeric\":[\">=\",3]}] absent no\n"},
	{"{data: {a: [{anything-but: {prefix: [x, y]}}, {anything-but: 1}, {prefix: "
	 "{equals-ignore-case: z}}, {suffix: {equals-ignore-case: z}}]}}",
	 "{\"data\":{\"a\":[\"x\",[1,null]]}}",
	 "0 data.a "
	 "[{\"anything-but\":[{\"prefix\":\"x\"},{\"prefix\":\"y\"}]},{\"anything-but\":[1]},"
	 "{\"prefix\":{\"equals-ignore-case\":\"z\"}},{\"suffix\":{\"equals-ignore-case\":\"z\"}}] "
	 "[\"x\",1,null] yes\n"},
	{"{$or: [{type: a}, {data: {s: b}}]}", "{\"type\":\"a\"}",
	 "0 type [\"a\"] \"a\" yes\n1 data.s [\"b\"] absent no\n"},
	{"{data: {r: {k: x, v: 1}}}",
	 "{\"data\":{\"r\":[{\"k\":\"x\",\"v\":2},{\"k\":\"y\",\"v\":1}]}}",
	 "0 data.r.k [\"x\"] [\"x\",\"y\"] yes: not in one element together with the others\n"
	 "0 data.r.v [1] [2,1] yes: not in one element together with the others\n"},
	{"{data: {r: {k: x, v: [{exists: false}]}}}",
	 "{\"data\":{\"r\":[{\"k\":\"x\"},{\"v\":1}]}}",
	 "0 data.r.k [\"x\"] \"x\" yes\n"
	 "0 data.r.v [{\"exists\":false}] 1 yes: in the element that the others chose\n"},
	{"{data: {s: ${PATTERN_TEST_SECRET}}}", "{\"data\":{\"s\":\"seen\"}}",
	 "0 data.s [\"(from the environment)\"] \"seen\" no\n"},
};

static char *explain(const char *when, const char *event)
{
	struct buf out = BUF_INIT(1 << 20);
	struct err err = {0};
	struct json_doc *doc = json_doc_new();
	struct compiled c = compile(when);
	const struct json *e = json_parse(doc, event, strlen(event), JSON_DEPTH, &err);

	assert_non_null(e);
	assert_true(pattern_explain(c.pattern, e, take_finding, &out) ==
		    pattern_match(c.pattern, e));
	release(&c);
	json_doc_free(doc);
	return buf_detach(&out);
}

static void findings_tell_what_was_wanted_and_seen(void **state)
{
	(void)state;
	setenv("PATTERN_TEST_SECRET", "hunter2", 1);
	for (size_t i = 0; i < sizeof explained / sizeof *explained; i++) {
		char *text = explain(explained[i].when, explained[i].event);
		assert_string_equal(text, explained[i].says);
		free(text);
	}
	unsetenv("PATTERN_TEST_SECRET");
}

/* count copies of a text with a number in them. */
static char *repeat(const char *before, const char *each, const char *after, size_t count)
{
	struct buf out = BUF_INIT(4 << 20);

	buf_adds(&out, before);
	for (size_t i = 0; i < count; i++)
		buf_addf(&out, each, i ? "," : "", i);
	buf_adds(&out, after);
	assert_false(out.full);
	return buf_detach(&out);
}

static void long_texts_are_cut(void **state)
{
	char *when = repeat("{data: {s: [", "%sé%zu", "]}}", 5000);
	char *event = repeat("{\"data\":{\"s\":[", "%s\"é%zu\"", "]}}", 5000);
	char *text = explain(when, event);

	(void)state;
	assert_true(strlen(text) < 5000);
	assert_true(utf8_valid(text, strlen(text)));
	assert_non_null(strstr(text, "…"));
	free(text);
	free(event);
	free(when);
}

static void refuse(const char *when, const char *says)
{
	struct problems p = {0};
	char *text = xasprintf("when: %s\n", when);
	struct yaml *y = yaml_parse("rules.yaml", text, strlen(text), &p);

	if (!y)
		fail_msg("%s", p.v[0]);
	assert_null(pattern_compile(node_get(yaml_root(y), "when"), &p));
	assert_int_equal(p.n + p.more, 1);
	if (!strstr(p.v[0], says))
		fail_msg("\"%s\" is not in \"%s\"", says, p.v[0]);
	problems_release(&p);
	yaml_free(y);
	free(text);
}

/* All that fits into a file of 1 MiB: none of them may take long. */
static void hostile_patterns_are_refused(void **state)
{
	char *text;

	(void)state;
	/* 2^9000 alternatives beside one another, 2^15 in one another */
	text = repeat("{data: {", "%sk%zu: {$or: [{a: 1}, {b: 1}]}", "}}", 9000);
	refuse(text, "score is more than 1000000000");
	free(text);
	refuse("{$or: [{type: a}, {$or: [{type: b}, {$or: [{type: c}, {data: {$or: [{x.a: 1, $or: "
	       "[{p: 1}, "
	       "{q: 1}, {r: 1}, {s: 1}, {t: 1}, {u: 1}, {v: 1}, {w: 1}, {x.b: 1}, {y: 1}, {z: 1}], "
	       "z.a: {$or: "
	       "[{a: 1}, {b: 1}, {c: 1}, {d: 1}, {e: 1}, {f: 1}, {g: 1}, {h: 1}, {i: 1}, {j: 1}]}, "
	       "z.b: {$or: "
	       "[{a: 1}, {b: 1}, {c: 1}, {d: 1}, {e: 1}, {f: 1}, {g: 1}, {h: 1}, {i: 1}, {j: "
	       "1}]}}, {x: 2}]}}"
	       "]}]}]}",
	       "score is 1104");
	/* a branch that is long in each of 500 alternatives */
	text = repeat("{data: {a: {$or: [", "%s{k%zu: 1}", "]}", 500);
	char *rest = repeat("", "%.0s, k%zu: [x]", "}}", 300);
	char *whole = xasprintf("%s%s", text, rest);
	refuse(whole, "hold 150500 conditions; at most 100000");
	free(whole);
	free(rest);
	free(text);
	/* the same path in all of 1000 alternatives is one mistake */
	text = repeat("{data: {x: 0, $or: [", "%s{x: %zu}", "]}}", 1000);
	refuse(text, "this path has conditions already, at when.data.x;");
	free(text);
}

static void a_long_list_is_allowed(void **state)
{
	char *when = repeat("{data: {$or: [{s: [", "%sv%zu",
			    "]}, {t: 1}, {u: 1}, {v: 1}, {w: 1}]}}", 50000);
	struct compiled c = compile(when);

	(void)state;
	assert_int_equal(c.pattern->n, 5);
	assert_int_equal(c.pattern->v[0].v[0].n, 50000);
	release(&c);
	free(when);
}

/* Arrays in arrays, each element of which is worth a try: 2^60 ways if tries were repeated. */
static void hostile_events_do_not_explode(void **state)
{
	struct compiled c = compile("{data: {a: {b: 1, c: 2, d: [{exists: false}], e: 3}}}");
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	struct buf text = BUF_INIT(4 << 20);

	(void)state;
	buf_adds(&text, "{\"data\":{\"a\":");
	for (int i = 0; i < 55; i++)
		buf_adds(&text, "[{\"b\":1,\"c\":2},{\"b\":1,\"c\":3},");
	buf_adds(&text, "{\"b\":1,\"c\":2}");
	for (int i = 0; i < 55; i++)
		buf_addc(&text, ']');
	buf_adds(&text, "}}");
	const struct json *event = json_parse(doc, text.data, text.len, JSON_DEPTH, &err);
	assert_non_null(event);
	assert_false(pattern_match(c.pattern, event));

	buf_clear(&text);
	buf_adds(&text, "{\"data\":{\"a\":[");
	for (int i = 0; i < 50000; i++)
		buf_adds(&text, "{\"b\":[1,1,1],\"c\":[1,2],\"e\":[[],[[4]]]},");
	buf_adds(&text, "{\"e\":3,\"c\":2,\"b\":1}]}}");
	event = json_parse(doc, text.data, text.len, JSON_DEPTH, &err);
	assert_non_null(event);
	assert_true(pattern_match(c.pattern, event));
	buf_release(&text);
	json_doc_free(doc);
	release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_is_of_the_meaning),
		cmocka_unit_test(paths_are_told),
		cmocka_unit_test(without_a_pattern_everything_matches),
		cmocka_unit_test(alternatives_are_sorted_conjunctions),
		cmocka_unit_test(findings_tell_what_was_wanted_and_seen),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(hostile_patterns_are_refused),
		cmocka_unit_test(a_long_list_is_allowed),
		cmocka_unit_test(hostile_events_do_not_explode),
	};
	return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
