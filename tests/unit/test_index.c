/* The index by itself: what random patterns meet too seldom, the order of its answers, and what it
 * does with texts that are no events. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "rules/index.h"
#include "rules/index_needle.h"
#include "tests/unit/random_rules.h"

struct set {
	const struct pattern **v;
	size_t n, cap;
	struct index *ix;
	struct index_scratch *scratch;
};

static const struct pattern *compile(const char *when)
{
	struct problems p = {0};
	char *text = xasprintf("when: %s\n", when);
	struct yaml *y = yaml_parse("rules.yaml", text, strlen(text), &p);
	struct pattern *pt = y ? pattern_compile(node_get(yaml_root(y), "when"), &p) : NULL;

	yaml_free(y);
	free(text);
	problems_release(&p);
	return pt;
}

static void add(struct set *s, const char *when)
{
	s->v = mem_grow(s->v, s->n, &s->cap, sizeof *s->v);
	s->v[s->n] = compile(when);
	if (!s->v[s->n])
		fail_msg("%s cannot be compiled", when);
	s->n++;
}

__attribute__((format(printf, 2, 3))) static void addf(struct set *s, const char *fmt, ...)
{
	char text[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	add(s, text);
}

/* The array goes at once: only the patterns stay for as long as the index. */
static void build(struct set *s)
{
	const struct pattern **v = xcalloc(s->n + 1, sizeof *v);

	if (s->n)
		memcpy(v, s->v, s->n * sizeof *v);
	s->ix = index_build(v, s->n);
	memset(v, 0, s->n * sizeof *v);
	free(v);
	s->scratch = index_scratch_new(s->ix);
}

static void release(struct set *s)
{
	index_scratch_free(s->scratch);
	index_free(s->ix);
	for (size_t i = 0; i < s->n; i++)
		pattern_free((struct pattern *)s->v[i]);
	free(s->v);
	*s = (struct set){0};
}

/* The matches must be those that pattern_match finds; how many there are. */
static size_t match(const struct set *s, const char *event)
{
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	const struct json *tree = json_parse(doc, event, strlen(event), JSON_DEPTH, &err);
	const uint32_t *found;
	size_t n, at = 0;

	assert_non_null(tree);
	index_read(s->ix, s->scratch, event, strlen(event));
	n = index_match(s->ix, s->scratch, &found);
	for (size_t i = 0; i < s->n; i++) {
		bool hit = at < n && found[at] == i;

		if (hit != pattern_match(s->v[i], tree))
			fail_msg("pattern %zu of %zu: %s %s", i, s->n,
				 hit ? "wrongly matches" : "misses", event);
		at += hit;
	}
	assert_int_equal(at, n);
	json_doc_free(doc);
	return n;
}

static void an_index_may_be_empty(void **state)
{
	struct set s = {0};

	(void)state;
	build(&s);
	assert_int_equal(match(&s, "{\"type\":\"a\"}"), 0);
	assert_true(index_bytes(s.ix) > 0);
	release(&s);
	index_free(NULL);
	index_scratch_free(NULL);
}

static void without_conditions_all_match(void **state)
{
	struct problems none = {0};
	struct set s = {0};

	(void)state;
	add(&s, "{type: a}");
	s.v = mem_grow(s.v, s.n, &s.cap, sizeof *s.v);
	s.v[s.n++] = pattern_compile(NULL, &none);
	add(&s, "{type: b}");
	build(&s);
	assert_int_equal(match(&s, "{\"type\":\"a\"}"), 2);
	assert_int_equal(match(&s, "{\"type\":\"c\"}"), 1);
	assert_int_equal(match(&s, "{}"), 1);
	release(&s);
}

/* Few matches are sorted, many are read from a set. */
static void matches_ascend_however_many(void **state)
{
	struct set s = {0};
	char event[100];

	(void)state;
	for (unsigned i = 0; i < 500; i++)
		addf(&s, "{type: [{prefix: \"%.*s\"}], subject: [{exists: %s}]}", (int)(9 - i % 10),
		     "aaaaaaaaa", i % 3 ? "true" : "false");
	build(&s);
	for (int i = 0; i < 10; i++) {
		snprintf(event, sizeof event, "{\"subject\":1,\"type\":\"%.*sb\"}", i, "aaaaaaaaa");
		assert_in_range(match(&s, event), 30, 340);
		snprintf(event, sizeof event, "{\"type\":\"%.*sb\"}", i, "aaaaaaaaa");
		assert_in_range(match(&s, event), 15, 170);
	}
	release(&s);
}

/* More lengths than have a probe of their own; more values than have bits; long texts. */
static void many_lengths_and_values(void **state)
{
	struct set s = {0};
	char text[201], event[300];

	(void)state;
	for (int i = 1; i < 200; i++) {
		memset(text, 'a' + i % 2, sizeof text);
		text[i - 1] = 'x';
		addf(&s, "{type: [{prefix: \"%.*s\"}]}", i, text);
		addf(&s, "{type: [{suffix: {equals-ignore-case: \"X%.*s\"}}]}", 200 - i, text + i);
		addf(&s, "{type: [{wildcard: \"*x%.*s*\"}]}", 200 - i, text + i);
		addf(&s, "{subject: [v%d, {anything-but: [v%d, v%d]}], type: [{exists: true}]}", i,
		     i, i + 1);
		addf(&s, "{subject: [{anything-but: v%d}]}", i);
	}
	build(&s);
	for (int i = 1; i < 200; i++) {
		memset(text, 'a' + i % 2, sizeof text);
		text[i - 1] = 'x';
		snprintf(event, sizeof event, "{\"type\":\"%.*s\",\"subject\":\"v%d\"}", 200, text,
			 i + 1);
		assert_true(match(&s, event) > 190);
	}
	release(&s);
}

static const struct {
	const char *when, *event;
	size_t matches;
} arrays[] = {
	/* absent where the other condition found its element, though not everywhere */
	{"{data: {r: {a: [x], b: [{exists: false}]}}}",
	 "{\"data\":{\"r\":[{\"a\":\"x\"},{\"b\":1}]}}", 1},
	{"{data: {r: {a: [x], b: [{exists: false}]}}}",
	 "{\"data\":{\"r\":[{\"a\":\"x\",\"b\":1},{\"b\":1}]}}", 0},
	{"{data: {r: {a: [x], b: [y]}}}", "{\"data\":{\"r\":[{\"a\":\"x\"},{\"b\":\"y\"}]}}", 0},
	{"{data: {r: {a: [x], b: [y]}}}",
	 "{\"data\":{\"r\":[{\"a\":\"x\"},{\"a\":\"x\",\"b\":\"y\"}]}}", 1},
	{"{data: {r: {a: [x]}, s: {b: [y]}}}",
	 "{\"data\":{\"r\":[1,{\"a\":\"x\"}],\"s\":[{\"b\":1},{\"b\":\"y\"}]}}", 1},
	/* an array above both */
	{"{data: {r: {a: [x]}, s: {b: [y]}}}",
	 "{\"data\":[{\"r\":{\"a\":\"x\"}},{\"s\":{\"b\":\"y\"}}]}", 0},
	{"{data: {r: [1, 2]}}", "{\"data\":{\"r\":[[],[3,[2]]]}}", 1},
	{"{data: {r: [{exists: true}]}}", "{\"data\":{\"r\":[[],{},[{}]]}}", 0},
	{"{data: {r: [{exists: false}]}}", "{\"data\":{\"r\":[[],{},[{}]]}}", 1},
	/* of equal names the first */
	{"{data: {r: {s: {a: [1]}}}}", "{\"data\":{\"r\":{\"s\":{\"a\":2,\"a\":1}}}}", 0},
	{"{data: {r: {s: {a: [1]}}}}", "{\"data\":{\"r\":{\"s\":{\"a\":1},\"s\":{}}}}", 1},
	/* names with escapes */
	{"{data: {\"a\\\"b\": [1]}}", "{\"data\":{\"a\\\"b\":1}}", 1},
	{"{data: {a name longer than sixteen: [1]}}",
	 "{\"data\":{\"a name longer than sixtees\":2,\"\\u0061 name longer than sixteen\":1}}", 1},
	{"{data: {a name LONGER than sixteen: [1]}}",
	 "{\"data\":{\"a name longer than sixteen\":1}}", 0},
	/* numbers however they are spelled */
	{"{data: {a: [100]}}", "{\"data\":{\"a\":1.0e2}}", 1},
	{"{data: {a: [0]}}", "{\"data\":{\"a\":-0.0}}", 1},
	{"{data: {a: [0.1]}}", "{\"data\":{\"a\":0.1000000000000000000000}}", 1},
	{"{data: {a: [123456789012345678]}}", "{\"data\":{\"a\":123456789012345678}}", 1},
	{"{data: {a: [{numeric: [\">\", 0.3]}]}}", "{\"data\":{\"a\":0.30000000000000004}}", 1},
	{"{data: {a: [{numeric: [\">\", 0.3]}]}}", "{\"data\":{\"a\":0.3}}", 0},
};

static void elements_and_spellings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
		struct set s = {0};

		add(&s, arrays[i].when);
		build(&s);
		if (match(&s, arrays[i].event) != arrays[i].matches)
			fail_msg("%s %s", arrays[i].when, arrays[i].event);
		release(&s);
	}
}

static const struct {
	const char *regex;
	const char *needles[4]; /* "^" before what must come first */
} needles[] = {
	{"abc", {"abc"}},
	{"^abc", {"^abc"}},
	{"^a?bc", {"bc"}},
	{"^ab?c", {"^a", "c"}},
	{"a+bc", {"a", "bc"}},
	{"ab{2,3}c", {"a", "c"}},
	{"a.c\\.d", {"a", "c", ".d"}},
	{"a[bc]d$", {"a", "d"}},
	{"x(a|b)?y", {"x", "y"}},
	{"x(?:a(b)c)+y", {"x", "y"}},
	{"\\d+ days", {" days"}},
	{"é+x", {"é", "x"}},
	{"aé?x", {"a", "x"}},
	{"[]a]b", {"b"}},
	{"[^]a\\]]b", {"b"}},
	{"\\^a", {"^a"}},
	{"", {NULL}},
	{"a|b", {NULL}},
	{"(?i)abc", {NULL}},
	{"(*UCP)abc", {NULL}},
	{"x((?i)a)b", {NULL}},
	{"a\\Qb*\\E", {NULL}},
	{"(a)\\1b", {NULL}},
	{"a\\x41", {NULL}},
	{"[[:digit:]]b", {NULL}},
	{"[a", {NULL}},
	{"a{2", {NULL}},
};

static void needles_of_regular_expressions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof needles / sizeof *needles; i++)
		for (size_t k = 0; k < 4; k++) {
			struct needle n = {0};
			const char *wanted = needles[i].needles[k], *regex = needles[i].regex;
			bool found = needle_of_regex(regex, strlen(regex), k, &n);
			bool first = wanted && *wanted == '^' && *regex == '^';

			if (found != (wanted != NULL))
				fail_msg("%s: needle %zu", regex, k);
			if (!found)
				break;
			wanted += first;
			if (n.len != strlen(wanted) || memcmp(n.text, wanted, n.len) != 0 ||
			    n.kind != (first ? KEY_PREFIX : KEY_LITERAL))
				fail_msg("%s: needle %zu is \"%.*s\"", regex, k, (int)n.len,
					 n.text);
		}
}

static void add_random(struct set *s, struct prng *random, size_t n)
{
	while (s->n < n) {
		struct buf when = BUF_INIT(1 << 16);

		random_when(&when, random);
		s->v = mem_grow(s->v, s->n, &s->cap, sizeof *s->v);
		s->v[s->n] = compile(when.data);
		s->n += s->v[s->n] != NULL;
		buf_release(&when);
	}
}

/* Thousands at once, from the alphabets of the random test. */
static void a_large_company(void **state)
{
	struct prng random = {5};
	struct set s = {0};
	size_t matches = 0;

	(void)state;
	add_random(&s, &random, 2000);
	build(&s);
	for (size_t i = 0; i < 300; i++) {
		struct buf event = BUF_INIT(1 << 20);

		random_event(&event, &random);
		matches += match(&s, event.data);
		buf_release(&event);
	}
	assert_true(matches > 3000);
	release(&s);
}

struct reader {
	const struct set *set;
	pthread_t thread;
	size_t matches;
};

static void *read_events(void *arg)
{
	struct reader *r = arg;
	struct index_scratch *scratch = index_scratch_new(r->set->ix);
	struct prng random = {9};

	for (size_t i = 0; i < 200; i++) {
		struct buf event = BUF_INIT(1 << 20);
		const uint32_t *found;

		random_event(&event, &random);
		index_read(r->set->ix, scratch, event.data, event.len);
		r->matches += index_match(r->set->ix, scratch, &found);
		buf_release(&event);
	}
	index_scratch_free(scratch);
	return NULL;
}

/* Each with its own scratch (tsan looks on). */
static void threads_share_an_index(void **state)
{
	struct prng random = {8};
	struct reader readers[3] = {{0}};
	struct set s = {0};

	(void)state;
	add_random(&s, &random, 200);
	build(&s);
	for (size_t i = 0; i < 3; i++) {
		readers[i].set = &s;
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_events, &readers[i]),
				 0);
	}
	for (size_t i = 0; i < 3; i++)
		pthread_join(readers[i].thread, NULL);
	assert_true(readers[0].matches > 100);
	assert_int_equal(readers[1].matches, readers[0].matches);
	assert_int_equal(readers[2].matches, readers[0].matches);
	release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_index_may_be_empty),
		cmocka_unit_test(without_conditions_all_match),
		cmocka_unit_test(matches_ascend_however_many),
		cmocka_unit_test(many_lengths_and_values),
		cmocka_unit_test(elements_and_spellings),
		cmocka_unit_test(needles_of_regular_expressions),
		cmocka_unit_test(a_large_company),
		cmocka_unit_test(threads_share_an_index),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
