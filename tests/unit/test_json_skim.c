/* What a skim picks out of a text is what the tree has at those paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/json_skim.h"
#include "relay/base/mem.h"
#include "tests/unit/random_rules.h"

static const char *const wanted[][6] = {
	{"type"},
	{"subject", "a"},
	{"data", "a"},
	{"data", "b", "a"},
	{"data", "o", "b", "a"},
	{"data", "a.b"},
	{"data", "a long name of a member"},
	{"data", "a long name of a member", "o"},
};
#define WANTED (sizeof wanted / sizeof *wanted)

static size_t depth_of(const char *const *keys)
{
	size_t n = 0;

	while (n < 6 && keys[n])
		n++;
	return n;
}

/* In the order of the tree, which is that of the text. */
struct expected {
	const struct json *v[2000];
	uint32_t paths[2000];
	size_t n;
	uint64_t arrays;
};

static void expect(struct expected *e, const struct json_paths *p, const struct json *v,
		   const char **keys, size_t n)
{
	uint32_t path = n ? json_paths_find(p, keys, n) : 0;

	if (path == JSON_PATH_NONE)
		return;
	for (const struct json *m = json_first(v); m; m = json_next(m)) {
		bool member = json_type(v) == JSON_OBJECT;

		if (member && json_get(v, json_key(m)) != m)
			continue;
		if (member)
			keys[n] = json_key(m);
		expect(e, p, m, keys, n + member);
	}
	if (json_type(v) == JSON_ARRAY && json_count(v) > 1)
		e->arrays |= 1ULL << path % 64;
	if (json_type(v) == JSON_ARRAY || json_type(v) == JSON_OBJECT)
		return;
	for (size_t i = 0; i < WANTED; i++)
		if (json_paths_find(p, wanted[i], depth_of(wanted[i])) == path) {
			e->v[e->n] = v;
			e->paths[e->n++] = path;
		}
}

static void compare(const struct json_leaf *leaf, const struct json *v, const char *text)
{
	const char *s = json_string(v);

	if (leaf->type != json_type(v))
		fail_msg("type %d for %d in %s", leaf->type, json_type(v), text);
	if (s && (leaf->len != strlen(s) || memcmp(leaf->text, s, leaf->len) != 0))
		fail_msg("\"%.*s\" for \"%s\" in %s", (int)leaf->len, leaf->text, s, text);
	if (leaf->type == JSON_NUMBER && leaf->number != json_number(v, 0))
		fail_msg("%.17g for %.17g in %s", leaf->number, json_number(v, 0), text);
	if (leaf->type == JSON_BOOL && (leaf->number != 0) != json_bool(v, false))
		fail_msg("%g in %s", leaf->number, text);
}

static void try_text(const struct json_paths *p, struct json_skim *s, struct json_doc *doc,
		     const char *text)
{
	struct expected e = {.n = 0};
	struct err err = {0};
	const struct json *root = json_parse(doc, text, strlen(text), JSON_DEPTH, &err);
	const char *keys[JSON_DEPTH];
	char *exact = xmalloc(strlen(text)); /* so that its end is the memory's */

	assert_non_null(root);
	memcpy(exact, text, strlen(text));
	if (json_type(root) == JSON_OBJECT)
		expect(&e, p, root, keys, 0);
	json_skim(s, p, exact, strlen(text));
	if (s->n != e.n || s->arrays != e.arrays)
		fail_msg("%zu leaves for %zu, arrays %llx for %llx in %s", s->n, e.n,
			 (unsigned long long)s->arrays, (unsigned long long)e.arrays, text);
	for (size_t i = 0; i < s->n; i++) {
		assert_int_equal(s->v[i].path, e.paths[i]);
		compare(&s->v[i], e.v[i], text);
	}
	free(exact);
}

static const char *const texts[] = {
	"{}",
	" { \"type\" : \"a\" } ",
	"{\"type\":\"\",\"data\":{\"a\":[\"\",\"\\\"\",\"\\\\\",\"\\u20ac\\ud83d\\ude00\"]}}",
	"{\"data\":{\"a\":[0,-0,1,-1,0.1,1e3,1E-3,123456789012345678901234567890,1e308,5e-324,"
	"9007199254740993,0.30000000000000004,123456789.123456789,1.7976931348623157e308]}}",
	"{\"data\":{\"a\":[true,false,null,{},[],[[]]]}}",
	"{\"data\":{\"a\":[{\"a\":1},{\"b\":2}],\"a.b\":1,\"x\":{\"a\":[\"]}\"]},\"b\":{\"a\":3}}}",
	"{\"data\":{\"b\":{\"a\":1,\"x\":\"}\",\"a\":2},\"a\":4,\"\":5,\"a long name of a "
	"membes\":6}}",
	"{\"x\":\"\\\\\",\"y\":\"\\\\\\\"\",\"type\":\"b\"}",
	"{\"x\":\"12345678\\\"90123456\\\\\",\"type\":\"12345678\\\"\"}",
	"{\"data\":[[{\"a\":1},{\"a\":2}],{\"a\":3}]}",
	"[{\"type\":1}]",
	"\"type\"",
	"1",
};

static struct json_paths *make_paths(void)
{
	struct json_paths *p = json_paths_new();

	for (size_t i = 0; i < WANTED; i++)
		json_paths_add(p, wanted[i], depth_of(wanted[i]));
	return p;
}

static void a_skim_finds_what_the_tree_has(void **state)
{
	struct json_paths *p = make_paths();
	struct json_doc *doc = json_doc_new();
	struct json_skim s = {0};
	struct prng random = {3};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		try_text(p, &s, doc, texts[i]);
	for (size_t i = 0; i < 3000; i++) {
		struct buf text = BUF_INIT(1 << 20);

		random_event(&text, &random);
		try_text(p, &s, doc, text.data);
		buf_release(&text);
	}
	json_skim_release(&s);
	json_doc_free(doc);
	json_paths_free(p);
}

/* Cut anywhere, or with a byte changed, a text is still read within its bounds (asan looks on). */
static void broken_texts_end(void **state)
{
	struct json_paths *p = make_paths();
	struct json_skim s = {0};
	struct prng random = {4};
	struct buf text = BUF_INIT(1 << 20);

	(void)state;
	for (size_t i = 0; i < 300; i++) {
		buf_clear(&text);
		random_event(&text, &random);
		for (size_t len = 0; len < text.len; len++) {
			char *cut = xmalloc(len);

			if (len)
				memcpy(cut, text.data, len);
			if (len && i % 2)
				cut[prng_next(&random) % len] = "\"\\[]{}:,\0u"[i / 2 % 10];
			json_skim(&s, p, cut, len);
			for (size_t k = 0; k < s.n; k++)
				assert_true(s.v[k].path < json_paths_count(p));
			free(cut);
		}
	}
	buf_release(&text);
	json_skim_release(&s);
	json_paths_free(p);
}

static void paths_have_numbers(void **state)
{
	struct json_paths *p = json_paths_new();
	char keys[1000][16];

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		const char *path[] = {"data", keys[i]};

		snprintf(keys[i], sizeof keys[i], "key%zu", i * 7);
		json_paths_add(p, path, 2);
	}
	assert_int_equal(json_paths_count(p), 1002); /* the event and `data` have numbers, too */
	for (size_t i = 0; i < 1000; i++) {
		const char *path[] = {"data", keys[i]};

		assert_int_equal(json_paths_find(p, path, 2), json_paths_add(p, path, 2));
	}
	assert_int_not_equal(json_paths_find(p, (const char *[]){"data"}, 1), JSON_PATH_NONE);
	assert_int_equal(json_paths_find(p, (const char *[]){"key7"}, 1), JSON_PATH_NONE);
	assert_true(json_paths_bytes(p) > 1000 * sizeof(void *));
	json_paths_free(p);
	json_paths_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_skim_finds_what_the_tree_has),
		cmocka_unit_test(broken_texts_end),
		cmocka_unit_test(paths_have_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
