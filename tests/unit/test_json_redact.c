/* What is redacted is null, and every other byte is as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/json.h"
#include "relay/base/json_redact.h"
#include "relay/base/mem.h"
#include "tests/unit/random_rules.h"
#include "tests/unit/random_runs.h"

static const char *const names[] = {"a", "a.b", "a long name of a member", "é\"\\", "x"};
#define NAMES (sizeof names / sizeof *names)

static const struct {
	const char *text, *redacted;
} cases[] = {
	{"{}", "{}"},
	{"{\"data\":{\"a\":1,\"b\":2}}", "{\"data\":{\"a\":null,\"b\":2}}"},
	{"{\"a\":1,\"data\":{\"b\":\"a\"},\"x\":{\"a\":1}}",
	 "{\"a\":1,\"data\":{\"b\":\"a\"},\"x\":{\"a\":1}}"},
	{"{\"data\":[{\"a\":[1,{\"a\":2}]},[[{\"a\":{\"b\":\"}\\\"\"}}]]],\"a\":5}",
	 "{\"data\":[{\"a\":null},[[{\"a\":null}]]],\"a\":5}"},
	{"{\"data\":{\"\\u0061\":1,\"\\u00e9\\\"\\\\\":\"z\",\"A\":3,\"aa\":4,\"\":5}}",
	 "{\"data\":{\"\\u0061\":null,\"\\u00e9\\\"\\\\\":null,\"A\":3,\"aa\":4,\"\":5}}"},
	{"{\"d\\u0061ta\":{\"a\":1}}", "{\"d\\u0061ta\":{\"a\":null}}"},
	{"{\"data\":{\"o\":{\"a\":1,\"a\":\"2\",\"a\":null}}}",
	 "{\"data\":{\"o\":{\"a\":null,\"a\":null,\"a\":null}}}"},
	{" { \"data\" : { \"a\" : 12.5e3 , \"b\":[ \"a\" , \"a\" ] , \"x\" :\n{ } } } ",
	 " { \"data\" : { \"a\" : null , \"b\":[ \"a\" , \"a\" ] , \"x\" :\nnull } } "},
	{"{\"data\":{\"a\":\"\",\"b\":\"\\\"a\\\":1\",\"x\":true}}",
	 "{\"data\":{\"a\":null,\"b\":\"\\\"a\\\":1\",\"x\":null}}"},
	{"{\"data\":1,\"a\":2}", "{\"data\":1,\"a\":2}"},
	{"{\"b\":{\"data\":{\"a\":1}},\"data\":{\"data\":{\"a\":1}}}",
	 "{\"b\":{\"data\":{\"a\":1}},\"data\":{\"data\":{\"a\":null}}}"},
};

static void test_table(void **state)
{
	struct buf out = BUF_INIT(1 << 16);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_clear(&out);
		json_redact(&out, cases[i].text, strlen(cases[i].text), "data", names, NAMES);
		assert_string_equal(out.data, cases[i].redacted);
		assert_in_range(out.len, 0, JSON_REDACTED_MAX(strlen(cases[i].text)));
		buf_clear(&out); /* once more changes nothing */
		json_redact(&out, cases[i].redacted, strlen(cases[i].redacted), "data", names,
			    NAMES);
		assert_string_equal(out.data, cases[i].redacted);
	}
	buf_release(&out);
}

static void test_as_deep_as_events_go(void **state)
{
	struct buf text = BUF_INIT(1 << 16), want = BUF_INIT(1 << 16), out = BUF_INIT(1 << 16);

	(void)state;
	buf_adds(&text, "{\"data\":");
	for (int i = 2; i < JSON_DEPTH; i++)
		buf_adds(&text, i % 2 ? "[" : "{\"b\":");
	buf_adds(&want, text.data);
	buf_adds(&text, "{\"a\":[\"secret\"]}");
	buf_adds(&want, "{\"a\":null}");
	for (int i = JSON_DEPTH - 1; i >= 2; i--) {
		buf_addc(&text, i % 2 ? ']' : '}');
		buf_addc(&want, i % 2 ? ']' : '}');
	}
	buf_addc(&text, '}');
	buf_addc(&want, '}');
	json_redact(&out, text.data, text.len, "data", names, NAMES);
	assert_string_equal(out.data, want.data);
	buf_release(&text);
	buf_release(&want);
	buf_release(&out);
}

static bool is_redacted(const struct json *member, bool within)
{
	for (size_t i = 0; within && i < NAMES; i++)
		if (json_key(member) && strcmp(json_key(member), names[i]) == 0)
			return true;
	return false;
}

/* The tree of what came out against the tree of what went in. */
static void compare(const struct json *out, const struct json *in, unsigned depth, bool within)
{
	const struct json *o = json_first(out);

	assert_int_equal(json_type(out), json_type(in));
	switch (json_type(in)) {
	case JSON_STRING: assert_string_equal(json_string(out), json_string(in)); break;
	case JSON_BOOL: assert_int_equal(json_bool(out, false), json_bool(in, false)); break;
	case JSON_NUMBER: assert_true(json_number(out, 0) == json_number(in, 1)); break;
	default: break;
	}
	for (const struct json *i = json_first(in); i; i = json_next(i), o = json_next(o)) {
		assert_non_null(o);
		if (json_key(i))
			assert_string_equal(json_key(o), json_key(i));
		if (depth == 0)
			within = strcmp(json_key(i), "data") == 0;
		if (depth > 0 && is_redacted(i, within))
			assert_int_equal(json_type(o), JSON_NULL);
		else
			compare(o, i, depth + 1, within);
	}
	assert_null(o);
}

static void test_random_events_against_trees(void **state)
{
	struct random_runs runs = random_runs(3000, 7);
	struct json_doc *before = json_doc_new(), *after = json_doc_new();
	struct buf text = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
	struct prng random = {runs.seed};
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < runs.n; i++) {
		buf_clear(&text);
		buf_clear(&out);
		random_event(&text, &random);
		json_redact(&out, text.data, text.len, "data", names, NAMES);
		const struct json *in = json_parse(before, text.data, text.len, JSON_DEPTH, &err);
		const struct json *got = json_parse(after, out.data, out.len, JSON_DEPTH, &err);

		if (!in || !got)
			fail_msg("%s: %s", err.msg, out.data);
		compare(got, in, 0, false);
		buf_clear(&out); /* without a name that occurs nothing changes */
		json_redact(&out, text.data, text.len, "data", (const char *[]){"nothing"}, 1);
		assert_string_equal(out.data, text.data);
	}
	buf_release(&text);
	buf_release(&out);
	json_doc_free(before);
	json_doc_free(after);
}

/* Cut anywhere, or with a byte changed, a text is still read within its bounds (asan looks on). */
static void test_broken_texts_end(void **state)
{
	struct buf text = BUF_INIT(1 << 20), out = BUF_INIT(1 << 21);
	struct prng random = {4};

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
			buf_clear(&out);
			json_redact(&out, cut, len, "data", names, NAMES);
			assert_false(out.full);
			free(cut);
		}
	}
	buf_release(&text);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_as_deep_as_events_go),
		cmocka_unit_test(test_random_events_against_trees),
		cmocka_unit_test(test_broken_texts_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
