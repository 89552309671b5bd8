/* What `relay test` takes for equal, which entry it takes for the one that was meant, and how it
 * shows the two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/cmd/test_flow.h"
#include "relay/cmd/test_match.h"
#include "relay/cmd/test_text.h"
#include "tests/unit/config_rig.h"

static void a_part_is_enough_of_a_map_and_nothing_less_of_a_list(void **state)
{
	static const struct {
		const char *wanted, *got;
		bool matches;
		size_t like;
	} cases[] = {
		{"{}", "{\"a\":1}", true, 0},
		{"{\"a\":1}", "{\"a\":1,\"b\":2}", true, 1},
		{"{\"a\":1}", "{\"a\":\"1\"}", false, 0},
		{"{\"a\":1,\"b\":2}", "{\"a\":1}", false, 1},
		{"{\"a\":{\"b\":true,\"c\":\"x\"}}", "{\"a\":{\"b\":true,\"c\":\"y\"}}", false, 1},
		{"{\"a\":null}", "{}", true, 0},
		{"{\"a\":null}", "{\"a\":null}", true, 1},
		{"{\"a\":null}", "{\"a\":0}", false, 0},
		{"{\"a\":[1,2]}", "{\"a\":[1,2]}", true, 1},
		{"{\"a\":[1]}", "{\"a\":[1,2]}", false, 0},
		{"{\"a\":[1,2]}", "{\"a\":[1]}", false, 0},
		{"{\"a\":[2,1]}", "{\"a\":[1,2]}", false, 0},
		{"{\"a\":[{\"b\":1}]}", "{\"a\":[{\"b\":1,\"c\":2}]}", true, 1},
		{"{\"a\":1.0}", "{\"a\":1}", true, 1},
		{"\"2026-11-22T10:00:00Z\"", "\"2026-11-22T10:00:00.000Z\"", true, 1},
		{"\"2026-11-22T11:00:00+01:00\"", "\"2026-11-22T10:00:00.000Z\"", true, 1},
		{"\"2026-11-22T10:00:01Z\"", "\"2026-11-22T10:00:00Z\"", false, 0},
		{"\"2026-11-22\"", "\"2026-11-22T00:00:00Z\"", false, 0},
		{"{\"a\":{}}", "{\"a\":[]}", false, 0},
		{"{\"a\":{}}", "{}", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json_doc *a = json_doc_new(), *b = json_doc_new();
		const struct json *wanted = test_parse(a, cases[i].wanted);
		const struct json *got = test_parse(b, cases[i].got);
		if (test_matches(wanted, got) != cases[i].matches)
			fail_msg("%s against %s", cases[i].wanted, cases[i].got);
		assert_int_equal(test_likeness(wanted, got), cases[i].like);
		json_doc_free(a);
		json_doc_free(b);
	}
}

static void what_is_shown_can_be_pasted(void **state)
{
	static const struct {
		const char *json, *flow;
	} cases[] = {
		{"{\"type\":\"recipient.failed\",\"n\":5}", "{ type: recipient.failed, n: 5 }"},
		{"[\"a b\",\"12\",\"true\",\"null\",\"~\",\"\"]",
		 "[a b, \"12\", \"true\", \"null\", \"~\", \"\"]"},
		{"[\"a: b\",\"a,b\",\"-x\",\"x:\",\" x\",\"@x\",\"{}\",\"#\"]",
		 "[\"a: b\", \"a,b\", \"-x\", \"x:\", \" x\", \"@x\", \"{}\", \"#\"]"},
		{"{\"u\":\"https://x/y\",\"t\":\"10:00Z\"}", "{ u: https://x/y, t: 10:00Z }"},
		{"{\"a\":{},\"b\":[],\"c\":null}", "{ a: {}, b: [], c: null }"},
		{"{\"x y\":\"\\u0001\"}", "{ x y: \"\\u0001\" }"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json_doc *doc = json_doc_new(), *again = json_doc_new();
		struct buf flow = BUF_INIT(1024), text = BUF_INIT(1024), json = BUF_INIT(1024);
		test_flow(&flow, test_parse(doc, cases[i].json));
		assert_string_equal(flow.data, cases[i].flow);
		buf_addf(&text, "v: %s\n", flow.data);
		struct yaml *y = good(text.data);
		const struct node *v = node_get(yaml_root(y), "v");
		assert_int_equal(v->n, json_count(test_parse(doc, cases[i].json)));
		yaml_free(y);
		json_doc_free(doc);
		json_doc_free(again);
		buf_release(&flow);
		buf_release(&text);
		buf_release(&json);
	}
}

/* One list of routes, expected as YAML; what came, a JSON text each. "=" as expected, "~" unlike,
 * "-" missing, "+" unexpected, each with the places. */
static void compare(const char *expected, const char *const *got, struct buf *ret_signs,
		    struct buf *ret_text)
{
	static const char signs[] = {
		[AS_EXPECTED] = '=', [UNLIKE] = '~', [MISSING] = '-', [UNEXPECTED] = '+'};
	struct test_got came = {0};
	struct mismatches m;
	struct test_step step = {0};
	struct buf text = BUF_INIT(1 << 20);
	buf_addf(&text, "v: %s\n", expected);
	struct yaml *y = good(text.data);
	struct test_case t = {.step = &step, .nsteps = 1};
	step.expected.v[GOT_ROUTES] = node_get(yaml_root(y), "v");
	came.begins = xcalloc(2, sizeof *came.begins);
	for (; *got; got++) {
		struct got_list *list = &came.of[GOT_ROUTES];
		list->v = mem_grow(list->v, list->n, &list->cap, sizeof *list->v);
		list->v[list->n++] = xstrdup(*got);
	}
	came.begins[1][GOT_ROUTES] = came.of[GOT_ROUTES].n;
	test_compare(&t, &came, &m);
	for (size_t i = 0; i < m.n; i++) {
		for (size_t k = 0; k < m.v[i].n; k++) {
			const struct difference *d = &m.v[i].v[k];
			buf_addc(ret_signs, signs[d->kind]);
			if (d->kind != UNEXPECTED)
				buf_addi(ret_signs, (long long)d->wanted);
			if (d->kind != MISSING)
				buf_addi(ret_signs, (long long)d->got);
			buf_addc(ret_signs, ' ');
		}
		test_text(ret_text, &t, &m.v[i]);
	}
	mismatches_release(&m);
	test_got_release(&came);
	yaml_free(y);
	buf_release(&text);
}

#define A "{\"type\":\"a\",\"to\":\"x\",\"rule\":\"r\"}"
#define B "{\"type\":\"b\",\"to\":\"x\",\"rule\":\"r\"}"
#define C "{\"type\":\"c\",\"to\":\"y\",\"rule\":\"s\"}"

static void the_nearest_entry_is_the_one_that_was_meant(void **state)
{
	static const struct {
		const char *expected;
		const char *got[8];
		const char *signs;
	} cases[] = {
		{"[{ type: a }, { type: b }]", {A, B, NULL}, ""},
		{"[]", {NULL}, ""},
		{"[]", {A, NULL}, "+0 "},
		{"[{ type: a }]", {NULL}, "-0 "},
		{"[{ type: a }, { type: c }]", {A, B, C, NULL}, "=00 +1 =12 "},
		{"[{ type: a }, { type: b }, { type: c }]", {A, C, NULL}, "=00 -1 =21 "},
		{"[{ type: b }, { type: a }]", {A, B, NULL}, "-0 =10 +1 "},
		/* the second one is more like the second that came; the first takes what is left */
		{"[{ to: x, type: d }, { to: x, type: a, rule: q }]",
		 {C, A, B, NULL},
		 "~02 ~11 +0 "},
		{"2", {A, B, NULL}, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf signs = BUF_INIT(1024), text = BUF_INIT(1 << 20);
		compare(cases[i].expected, cases[i].got, &signs, &text);
		assert_string_equal(signs.data, cases[i].signs);
		buf_release(&signs);
		buf_release(&text);
	}
}

static void a_difference_is_shown_beside_what_was_meant(void **state)
{
	static const struct {
		const char *expected;
		const char *got[8];
		const char *text;
	} cases[] = {
		{"[{ type: a, rule: q }, { type: b }]",
		 {A, B, NULL},
		 "  step 1, routes (line 1): 2 expected, 2 came\n"
		 "    - { type: a, rule: q }\n"
		 "    + { type: a, rule: r }\n"
		 "      { type: b }\n"},
		{"3",
		 {A, C, NULL},
		 "  step 1, routes (line 1): 3 expected, 2 came\n"
		 "      { type: a, to: x, rule: r }\n"
		 "      { type: c, to: y, rule: s }\n"},
		{"[{ type: a, rule: "
		 "\"0123456789012345678901234567890123456789012345678901234567890123"
		 "45678901234567890123456789\" }]",
		 {A, NULL},
		 "  step 1, routes (line 1): 1 expected, 1 came\n"
		 "    entry 1:\n"
		 "        type: a\n"
		 "      - rule: "
		 "\"01234567890123456789012345678901234567890123456789012345678901234567890"
		 "1234567890123456789\"\n"
		 "      + rule: r\n"},
		{"[{ type: a }, { type: a }, { type: a }, { type: b, topic: t }]",
		 {A, A, A, B, NULL},
		 "  step 1, routes (line 1): 4 expected, 4 came\n"
		 "      …\n"
		 "      { type: a }\n"
		 "    - { type: b, topic: t }\n"
		 "    + { type: b }\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf signs = BUF_INIT(1024), text = BUF_INIT(1 << 20);
		compare(cases[i].expected, cases[i].got, &signs, &text);
		assert_string_equal(text.data, cases[i].text);
		buf_release(&signs);
		buf_release(&text);
	}
}

/* Where a table would be too large: still every difference, by its place. */
static void long_lists_are_compared_by_place(void **state)
{
	enum { N = 3000 };
	struct buf expected = BUF_INIT(1 << 20), signs = BUF_INIT(1 << 20),
		   text = BUF_INIT(1 << 20);
	const char **got = xcalloc(N + 2, sizeof *got);

	(void)state;
	buf_addc(&expected, '[');
	for (int i = 0; i < N; i++) {
		buf_adds(&expected, i % 2 ? "{ type: a }, " : "{ type: b }, ");
		got[i] = A;
	}
	buf_addc(&expected, ']');
	got[N] = C;
	compare(expected.data, got, &signs, &text);
	assert_non_null(strstr(signs.data, "~00 =11 ~22 "));
	assert_non_null(strstr(signs.data, "+3000 "));
	assert_non_null(strstr(text.data, "and 1481 more differences"));
	free(got);
	buf_release(&expected);
	buf_release(&signs);
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_is_enough_of_a_map_and_nothing_less_of_a_list),
		cmocka_unit_test(what_is_shown_can_be_pasted),
		cmocka_unit_test(the_nearest_entry_is_the_one_that_was_meant),
		cmocka_unit_test(a_difference_is_shown_beside_what_was_meant),
		cmocka_unit_test(long_lists_are_compared_by_place),
	};
	return cmocka_run_group_tests_name("rule_expect", tests, NULL, NULL);
}
