/* json: which texts are taken, what the tree says, and what copying and writing keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/json.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"

#define BYTES(s) (s), sizeof(s) - 1

static const struct {
	const char *text;
	size_t len;
} good[] = {
	{BYTES("0")},
	{BYTES("-0")},
	{BYTES("-0.0e-0")},
	{BYTES("1E+2")},
	{BYTES("  null \t\r\n")},
	{BYTES("true")},
	{BYTES("\"\"")},
	{BYTES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"")},
	{BYTES("\"\\u0001 \\uFFFF \\ud83d\\ude00\"")},
	{BYTES("\"\xc2\x80 \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80 "
	       "\xf4\x8f\xbf\xbf\"")},
	{BYTES("\"\x7f\"")},
	{BYTES("[]")},
	{BYTES("{}")},
	{BYTES("[ ]")},
	{BYTES("{ }")},
	{BYTES("[1,[2,[3]],{\"\":{}}]")},
	{BYTES("{\"a\":1,\"A\":2,\"\":3}")},
	{BYTES("{\"a\":{\"a\":{\"a\":1}}}")},
	{BYTES("[{\"a\":1},{\"a\":1}]")},
	{BYTES("{\"l1\":{\"l2\":{\"dup\":1,\"dup\":2}}}")}, /* the third level is not judged */
	{BYTES("1e999")},
	{BYTES("123456789012345678901234567890123456789012345678901234567890123")},
};

/* What must be refused, and at which byte. */
static const struct {
	const char *text;
	size_t len, at;
	enum err_code code;
} bad[] = {
	{BYTES(""), 0, ERR_FORMAT},
	{BYTES("  "), 2, ERR_FORMAT},
	{BYTES("\xef\xbb\xbf[]"), 0, ERR_FORMAT},
	{BYTES("[] x"), 3, ERR_FORMAT},
	{BYTES("[]]"), 2, ERR_FORMAT},
	{BYTES("1 2"), 2, ERR_FORMAT},
	{BYTES("[1,]"), 3, ERR_FORMAT},
	{BYTES("[,1]"), 1, ERR_FORMAT},
	{BYTES("[1 2]"), 3, ERR_FORMAT},
	{BYTES("[1"), 2, ERR_FORMAT},
	{BYTES("["), 1, ERR_FORMAT},
	{BYTES("{\"a\":1,}"), 7, ERR_FORMAT},
	{BYTES("{,}"), 1, ERR_FORMAT},
	{BYTES("{a:1}"), 1, ERR_FORMAT},
	{BYTES("{'a':1}"), 1, ERR_FORMAT},
	{BYTES("{\"a\" 1}"), 5, ERR_FORMAT},
	{BYTES("{\"a\"}"), 4, ERR_FORMAT},
	{BYTES("{\"a\":}"), 5, ERR_FORMAT},
	{BYTES("{\"a\":1 \"b\":2}"), 7, ERR_FORMAT},
	{BYTES("{\"a\":1"), 6, ERR_FORMAT},
	{BYTES("{1:1}"), 1, ERR_FORMAT},
	{BYTES("01"), 0, ERR_FORMAT},
	{BYTES("-01"), 1, ERR_FORMAT},
	{BYTES("1."), 2, ERR_FORMAT},
	{BYTES("1.e1"), 2, ERR_FORMAT},
	{BYTES(".1"), 0, ERR_FORMAT},
	{BYTES("+1"), 0, ERR_FORMAT},
	{BYTES("-"), 1, ERR_FORMAT},
	{BYTES("1e"), 2, ERR_FORMAT},
	{BYTES("1e+"), 3, ERR_FORMAT},
	{BYTES("0x1"), 1, ERR_FORMAT},
	{BYTES("1_0"), 1, ERR_FORMAT},
	{BYTES("NaN"), 0, ERR_FORMAT},
	{BYTES("Infinity"), 0, ERR_FORMAT},
	{BYTES("-Infinity"), 1, ERR_FORMAT},
	{BYTES("True"), 0, ERR_FORMAT},
	{BYTES("tru"), 0, ERR_FORMAT},
	{BYTES("nullx"), 4, ERR_FORMAT},
	{BYTES("[1]//"), 3, ERR_FORMAT},
	{BYTES("/**/1"), 0, ERR_FORMAT},
	{BYTES("\f1"), 0, ERR_FORMAT},
	{BYTES("\xc2\xa0"
	       "1"),
	 0, ERR_FORMAT},
	{BYTES("\""), 1, ERR_FORMAT},
	{BYTES("\"abc"), 4, ERR_FORMAT},
	{BYTES("\"abc\\"), 5, ERR_FORMAT},
	{BYTES("\"a\nb\""), 2, ERR_FORMAT},
	{BYTES("\"a\tb\""), 2, ERR_FORMAT},
	{BYTES("\"a\0b\""), 2, ERR_FORMAT},
	{BYTES("\"12345678\x1f\""), 9, ERR_FORMAT},
	{BYTES("1\0"), 1, ERR_FORMAT},
	{BYTES("\"\\a\""), 1, ERR_FORMAT},
	{BYTES("\"\\\0\""), 1, ERR_FORMAT},
	{BYTES("\"\\x41\""), 1, ERR_FORMAT},
	{BYTES("\"\\u12\""), 1, ERR_FORMAT},
	{BYTES("\"\\u12"), 1, ERR_FORMAT},
	{BYTES("\"\\u12g4\""), 1, ERR_FORMAT},
	{BYTES("\"\\U0041\""), 1, ERR_FORMAT},
	{BYTES("\"id\\u0000x\""), 3, ERR_FORMAT},
	{BYTES("\"\\ud800\""), 1, ERR_FORMAT},
	{BYTES("\"\\ud800x\""), 1, ERR_FORMAT},
	{BYTES("\"\\ud800\\n\""), 1, ERR_FORMAT},
	{BYTES("\"\\ud800\\ud800\""), 1, ERR_FORMAT},
	{BYTES("\"\\ud800\\u0041\""), 1, ERR_FORMAT},
	{BYTES("\"\\ud800\\u"), 1, ERR_FORMAT},
	{BYTES("\"\\udc00\""), 1, ERR_FORMAT},
	{BYTES("\"\xff\""), 1, ERR_FORMAT},
	{BYTES("\"\x80\""), 1, ERR_FORMAT},
	{BYTES("\"\xc0\xaf\""), 1, ERR_FORMAT},		/* overlong */
	{BYTES("\"\xe0\x80\xaf\""), 1, ERR_FORMAT},	/* overlong */
	{BYTES("\"\xf0\x80\x80\xaf\""), 1, ERR_FORMAT}, /* overlong */
	{BYTES("\"\xed\xa0\x80\""), 1, ERR_FORMAT},	/* a surrogate */
	{BYTES("\"\xf4\x90\x80\x80\""), 1, ERR_FORMAT}, /* beyond U+10FFFF */
	{BYTES("\"\xe2\x82\""), 1, ERR_FORMAT},		/* cut short */
	{BYTES("\"\xe2\x82"), 1, ERR_FORMAT},
	{BYTES("\"ascii123\xe2(\xa1\""), 9, ERR_FORMAT},
	{BYTES("\xe2\x82\xac"), 0, ERR_FORMAT},
	{BYTES("{\"id\":1,\"id\":2}"), 8, ERR_FORMAT},
	{BYTES("{\"id\":1,\"i\\u0064\":2}"), 8, ERR_FORMAT},
	{BYTES("{\"\xc3\xa9\":1,\"\\u00E9\":2}"), 8, ERR_FORMAT},
	{BYTES("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}"), 10, ERR_FORMAT},
	{BYTES("[{\"contact\":{\"a\":1,\"b\":2,\"a\":3}}]"), 25, ERR_FORMAT},
	{BYTES("{\"a\":[{\"x\":{},\"x\":{}}]}"), 14, ERR_FORMAT},
	{BYTES("{\"\":1,\"\":2}"), 6, ERR_FORMAT},
	{BYTES("1234567890123456789012345678901234567890123456789012345678901234"), 0, ERR_LIMIT},
};

static void takes_what_the_rfc_allows(void **state)
{
	struct json_doc *doc = json_doc_new();
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char *exact =
			xmalloc(good[i].len); /* without a NUL: the sanitizer watches its end */

		memcpy(exact, good[i].text, good[i].len);
		if (!json_parse(doc, exact, good[i].len, JSON_DEPTH, &err) ||
		    json_check(exact, good[i].len, JSON_DEPTH, &err) != 0)
			fail_msg("%s: %s", good[i].text, err.msg);
		free(exact);
	}
	json_doc_free(doc);
}

static void refuses_all_else_with_its_place(void **state)
{
	struct json_doc *doc = json_doc_new();

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char *exact = xmalloc(bad[i].len);
		struct err err = {0};
		char place[64];

		memcpy(exact, bad[i].text, bad[i].len);
		snprintf(place, sizeof place, "not JSON at byte %zu: ", bad[i].at);
		if (json_parse(doc, exact, bad[i].len, JSON_DEPTH, &err) ||
		    json_check(exact, bad[i].len, JSON_DEPTH, &err) == 0)
			fail_msg("case %zu was taken: %s", i, bad[i].text);
		if (strncmp(err.msg, place, strlen(place)) != 0)
			fail_msg("case %zu %s: expected %s, got %s", i, bad[i].text, place,
				 err.msg);
		assert_int_equal(err.code, bad[i].code);
		free(exact);
	}
	json_doc_free(doc);
}

static void depth_is_counted_in_containers(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(json_check(BYTES("[[1]]"), 2, &err), 0);
	assert_int_equal(json_check(BYTES("[[[]]]"), 2, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(err.msg, "not JSON at byte 2: nested too deep");
	assert_int_equal(json_check(BYTES("1"), 0, &err), 0);
	assert_int_equal(json_check(BYTES("{}"), 0, &err), -1);

	char *deep = xmalloc(100000);
	memset(deep, '[', 100000);
	assert_int_equal(json_check(deep, 100000, 1000000, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	free(deep);
}

static void many_names_are_refused_only_on_top(void **state)
{
	struct buf text = BUF_INIT(1 << 20);
	struct err err = {0};

	(void)state;
	for (int names = 256; names <= 257; names++) {
		buf_clear(&text);
		for (int i = 0; i < names; i++)
			buf_addf(&text, "%c\"name%d\":0", i ? ',' : '{', i);
		buf_adds(&text, "}");
		assert_int_equal(json_check(text.data, text.len, 8, &err), names > 256 ? -1 : 0);
	}
	assert_int_equal(err.code, ERR_LIMIT);

	struct buf nested = BUF_INIT(1 << 20);
	buf_addf(&nested, "{\"a\":{\"b\":%s}}", text.data);
	assert_int_equal(json_check(nested.data, nested.len, 8, &err), 0);
	buf_release(&nested);
	buf_release(&text);
}

static void tree_says_what_the_text_said(void **state)
{
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	const struct json *root, *list;
	int64_t n;

	(void)state;
	root = json_parse(
		doc,
		BYTES("{\"s\":\"\\u00e9\\n\\ud83d\\ude00\",\"t\":true,\"f\":false,\"z\":null,"
		      "\"i\":-12,\"d\":1.5,\"list\":[1,\"two\",{}],\"S\":1}"),
		JSON_DEPTH, &err);
	assert_non_null(root);
	assert_int_equal(json_type(root), JSON_OBJECT);
	assert_int_equal(json_count(root), 8);
	assert_string_equal(json_string(json_get(root, "s")), "\xc3\xa9\n\xf0\x9f\x98\x80");
	assert_null(json_string(json_get(root, "S")));
	assert_null(json_get(root, "I"));
	assert_true(json_bool(json_get(root, "t"), false));
	assert_false(json_bool(json_get(root, "f"), true));
	assert_true(json_bool(json_get(root, "z"), true));
	assert_true(json_bool(NULL, true));
	assert_int_equal(json_type(json_get(root, "z")), JSON_NULL);
	assert_true(json_int(json_get(root, "i"), &n));
	assert_int_equal(n, -12);
	assert_false(json_int(json_get(root, "d"), &n));
	assert_false(json_int(json_get(root, "s"), &n));
	assert_true(json_number(json_get(root, "d"), 0) == 1.5);
	assert_true(json_number(json_get(root, "s"), 7) == 7);
	list = json_get(root, "list");
	assert_int_equal(json_type(list), JSON_ARRAY);
	assert_null(json_key(json_first(list)));
	assert_string_equal(json_string(json_next(json_first(list))), "two");
	assert_null(json_first(json_next(json_next(json_first(list)))));
	assert_null(json_next(json_next(json_next(json_first(list)))));
	assert_null(json_get(list, "s"));
	assert_null(json_get(NULL, "s"));
	assert_null(json_first(NULL));
	assert_string_equal(json_key(json_first(root)), "s");
	json_doc_free(doc);
}

static void integers_are_exact_or_none(void **state)
{
	static const struct {
		const char *text;
		bool taken;
		int64_t value;
	} cases[] = {
		{"0", true, 0},
		{"-0", true, 0},
		{"1e3", true, 1000},
		{"9007199254740991", true, 9007199254740991},
		{"-9007199254740991", true, -9007199254740991},
		{"9007199254740992", false, 0},
		{"9007199254740993", false, 0},
		{"12345678901234567890", false, 0},
		{"1e999", false, 0},
		{"-1e999", false, 0},
		{"0.5", false, 0},
		{"1e-400", true, 0},
	};
	struct json_doc *doc = json_doc_new();
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t n = 77;
		const struct json *v =
			json_parse(doc, cases[i].text, strlen(cases[i].text), 1, &err);

		assert_non_null(v);
		if (json_int(v, &n) != cases[i].taken)
			fail_msg("%s", cases[i].text);
		assert_int_equal(n, cases[i].taken ? cases[i].value : 77);
	}
	json_doc_free(doc);
}

static void elements_are_found_verbatim(void **state)
{
	static const char text[] = " [ {\"a\" : [1, 2]} ,\"x\", 1.50,[ ] ] ";
	static const char *const expected[] = {"{\"a\" : [1, 2]}", "\"x\"", "1.50", "[ ]"};
	struct json_doc *doc = json_doc_new();
	const struct json_span *at;
	struct err err = {0};

	(void)state;
	assert_int_equal(json_elements(doc, &at), 0);
	assert_non_null(json_parse(doc, BYTES(text), JSON_DEPTH, &err));
	assert_int_equal(json_elements(doc, &at), 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(at[i].len, strlen(expected[i]));
		assert_memory_equal(text + at[i].at, expected[i], at[i].len);
	}
	assert_non_null(json_parse(doc, BYTES("{\"a\":[1]}"), JSON_DEPTH, &err));
	assert_int_equal(json_elements(doc, &at), 0);
	assert_null(json_parse(doc, BYTES("[1,2,x]"), JSON_DEPTH, &err));
	assert_int_equal(json_elements(doc, &at), 0);
	json_doc_free(doc);
}

static void members_are_left_out_of_the_tree(void **state)
{
	static const char text[] =
		"[{\"x\":1,\"c\":{\"x\":[{\"x\":2}],\"y\":3}},"
		"{\"c\":{\"y\":4,\"x\": \"\\u00e9\" }},{\"c\":[{\"x\":{}},{\"xx\":5}]}]";
	static const char tree[] = "[{\"x\":1,\"c\":{\"x\":null,\"y\":3}},"
				   "{\"c\":{\"y\":4,\"x\":null}},"
				   "{\"c\":[{\"x\":null},{\"xx\":5}]}]";
	struct json_doc *doc = json_doc_new();
	struct buf out = BUF_INIT(1000);
	const struct json_span *at;
	struct err err = {0};

	(void)state;
	for (int i = 0; i < 2; i++) { /* what is left out once is there the next time */
		buf_clear(&out);
		json_write(&out, json_parse_without(doc, BYTES(text), 9, "x", &err));
		assert_string_equal(out.data, tree);
		assert_int_equal(json_elements(doc, &at), 3); /* of the text as it came */
		assert_memory_equal(text + at[1].at, "{\"c\":{\"y\":4,", 12);
		buf_clear(&out);
		json_write(&out, json_parse(doc, BYTES("{\"c\":{\"x\":1}}"), 9, &err));
		assert_string_equal(out.data, "{\"c\":{\"x\":1}}");
	}
	/* It is checked all the same. */
	assert_null(json_parse_without(doc, BYTES("{\"c\":{\"x\":[1,}}"), 9, "x", &err));
	assert_null(json_parse_without(doc, BYTES("{\"c\":{\"x\":[[1]]}}"), 3, "x", &err));
	buf_release(&out);
	json_doc_free(doc);
}

static void docs_are_used_again(void **state)
{
	struct json_doc *a = json_doc_new(), *b = json_doc_new();
	struct buf big = BUF_INIT(8 << 20);
	struct err err = {0};
	const struct json *va, *vb;

	(void)state;
	for (int i = 0; i < 50000; i++)
		buf_addf(&big, "%c{\"id\":\"%d\"}", i ? ',' : '[', i);
	buf_adds(&big, "]");
	vb = json_parse(b, BYTES("\"stays\""), 4, &err);
	for (int round = 0; round < 3; round++) {
		va = json_parse(a, big.data, big.len, 4, &err);
		assert_int_equal(json_count(va), 50000);
		assert_string_equal(json_string(json_get(json_first(va), "id")), "0");
		va = json_parse(a, BYTES("[\"small\"]"), 4, &err);
		assert_string_equal(json_string(json_first(va)), "small");
		if (round == 1)
			json_doc_trim(a);
	}
	assert_string_equal(json_string(vb), "stays");

	/* One string larger than any chunk. */
	memset(big.data, 'x', big.len);
	big.data[0] = big.data[big.len - 1] = '"';
	va = json_parse(a, big.data, big.len, 4, &err);
	assert_int_equal(strlen(json_string(va)), big.len - 2);
	buf_release(&big);
	json_doc_free(a);
	json_doc_free(b);
	json_doc_free(NULL);
}

static void copies_leave_out_what_is_listed(void **state)
{
	static const struct {
		const char *text;
		const char *without[4];
		const char *expected;
	} cases[] = {
		{" [ 1 , 2.50 ,\t\"a b\\\" c\" , { } ] ", {NULL}, "[1,2.50,\"a b\\\" c\",{}]"},
		{"12.0 ", {NULL}, "12.0"},
		{"{\"a\":1,\"b\":2,\"c\":3}", {"a"}, "{\"b\":2,\"c\":3}"},
		{"{\"a\":1,\"b\":2,\"c\":3}", {"b"}, "{\"a\":1,\"c\":3}"},
		{"{\"a\":1,\"b\":2,\"c\":3}", {"c"}, "{\"a\":1,\"b\":2}"},
		{"{\"a\":1,\"b\":2,\"c\":3}", {"c", "a", "b"}, "{}"},
		{"{\"contact\":{\"id\":\"1\",\"channels\":[{\"ip\":\"x}\"}],\"n\":[ ]},\"z\":0}",
		 {"contact.channels"},
		 "{\"contact\":{\"id\":\"1\",\"n\":[]},\"z\":0}"},
		{"{\"contact\":{\"channels\":[1, 2]}, \"channels\": [3 , 4]}",
		 {"contact.channels"},
		 "{\"contact\":{},\"channels\":[3,4]}"},
		{"{\"contact\":null,\"contactx\":{\"channels\":1}}",
		 {"contact.channels"},
		 "{\"contact\":null,\"contactx\":{\"channels\":1}}"},
		{"{\"l\":[{\"ip\":1,\"n\":2},[{\"ip\":3}],4]}",
		 {"l.ip"},
		 "{\"l\":[{\"n\":2},[{}],4]}"},
		{"[ { \"a\" : 1 , \"b\" : 2 } , { } , [ ] ]", {"a"}, "[{\"b\":2},{},[]]"},
		{"{\"cont\\u0061ct\":{\"ch\\u0061nnels\":1,\"x\":\"\\u0061\"}}",
		 {"contact.channels"},
		 "{\"cont\\u0061ct\":{\"x\":\"\\u0061\"}}"},
		{"{\"a\":{\"b\":{\"c\":1,\"d\":2}}}",
		 {"a.b.c", "a.x"},
		 "{\"a\":{\"b\":{\"d\":2}}}"},
		{"{\"a\":{\"b\":{\"c\":1}}}", {"a.b.c.d", "b"}, "{\"a\":{\"b\":{\"c\":1}}}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(1000);
		size_t len = strlen(cases[i].text);
		char *exact = xmalloc(len);

		memcpy(exact, cases[i].text, len);
		json_copy(&out, exact, len, cases[i].without);
		assert_string_equal(out.data, cases[i].expected);
		if (!cases[i].without[0]) {
			buf_clear(&out);
			json_copy(&out, exact, len, NULL);
			assert_string_equal(out.data, cases[i].expected);
		}
		free(exact);
		buf_release(&out);
	}
}

static void long_names_are_copied(void **state)
{
	struct buf text = BUF_INIT(2000), out = BUF_INIT(2000);

	(void)state;
	buf_adds(&text, "{\"");
	for (int i = 0; i < 600; i++)
		buf_addc(&text, 'n');
	buf_adds(&text, "\":{\"a\":1},\"a\":1}");
	json_copy(&out, text.data, text.len, (const char *const[]){"a", "n.a", NULL});
	assert_int_equal(out.len, text.len - strlen(",\"a\":1"));
	buf_release(&text);
	buf_release(&out);
}

static void strings_are_escaped(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *expected;
	} cases[] = {
		{BYTES(""), "\"\""},
		{BYTES("plain text, long enough for words"),
		 "\"plain text, long enough for words\""},
		{BYTES("a\"b\\c/"), "\"a\\\"b\\\\c/\""},
		{BYTES("\b\t\n\v\f\r\x01\x1f\x7f"), "\"\\b\\t\\n\\u000b\\f\\r\\u0001\\u001f\x7f\""},
		{BYTES("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\""},
		{BYTES("a\xff\xc3"), "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
		{BYTES("a\0b"), "\"a\xef\xbf\xbd"
				"b\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(1000);

		json_write_bytes(&out, cases[i].bytes, cases[i].len);
		assert_string_equal(out.data, cases[i].expected);
		buf_release(&out);
	}
	struct buf out = BUF_INIT(100);
	json_write_string(&out, NULL);
	json_write_string(&out, "x\n");
	assert_string_equal(out.data, "null\"x\\n\"");
	buf_release(&out);
}

static void utf8_is_judged(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool valid;
	} cases[] = {
		{BYTES(""), true},
		{BYTES("a\0\x7f\"\\"), true},
		{BYTES("\xdf\xbf"), true},
		{BYTES("\xef\xbf\xbf"), true},
		{BYTES("\xc1\xbf"), false},
		{BYTES("\xed\xbf\xbf"), false},
		{BYTES("\xf5\x80\x80\x80"), false},
		{BYTES("12345678\xc3"), false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(utf8_valid(cases[i].bytes, cases[i].len), cases[i].valid);
}

/* --- properties over random texts --- */

static void random_blank(struct prng *p, struct buf *out)
{
	for (uint64_t n = prng_next(p) % 8; n > 5; n--)
		buf_addc(out, " \t\r\n"[prng_next(p) % 4]);
}

static void random_string(struct prng *p, struct buf *out)
{
	static const char *const pieces[] = {"a",	 "\\\"", "\\u0041", "\\ud83d\\ude00",
					     "\xc3\xa9", "{",	 "]",	    ",",
					     " ",	 "\\\\", "abcdefgh"};

	buf_addc(out, '"');
	for (uint64_t n = prng_next(p) % 6; n; n--)
		buf_adds(out, pieces[prng_next(p) % (sizeof pieces / sizeof *pieces)]);
	buf_addc(out, '"');
}

static void random_value(struct prng *p, struct buf *out, int depth)
{
	static const char *const scalars[] = {"null",  "true", "false", "0",
					      "-1.50", "1e-7", "0.1",	"123456789012"};
	uint64_t kind = prng_next(p) % (depth ? 4 : 2);

	random_blank(p, out);
	if (kind == 0) {
		buf_adds(out, scalars[prng_next(p) % 8]);
	} else if (kind == 1) {
		random_string(p, out);
	} else {
		uint64_t n = prng_next(p) % 5;

		buf_addc(out, kind == 2 ? '[' : '{');
		for (uint64_t i = 0; i < n; i++) {
			if (i)
				buf_addc(out, ',');
			random_blank(p, out);
			if (kind == 3)
				buf_addf(out, "\"k%d\" :", (int)i);
			random_value(p, out, depth - 1);
		}
		random_blank(p, out);
		buf_addc(out, kind == 2 ? ']' : '}');
	}
	random_blank(p, out);
}

static bool same(const struct json *a, const struct json *b)
{
	if (!a || !b)
		return a == b;
	if (json_type(a) != json_type(b) || json_number(a, 0) != json_number(b, 0) ||
	    json_bool(a, false) != json_bool(b, false))
		return false;
	if (json_string(a) && strcmp(json_string(a), json_string(b)) != 0)
		return false;
	if (json_key(a) && strcmp(json_key(a), json_key(b)) != 0)
		return false;
	a = json_first(a);
	b = json_first(b);
	for (; a && b; a = json_next(a), b = json_next(b))
		if (!same(a, b))
			return false;
	return a == b;
}

static void copies_and_writings_read_the_same(void **state)
{
	struct json_doc *doc = json_doc_new(), *again = json_doc_new();
	struct buf text = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
	struct prng p = {20261122};
	struct err err = {0};

	(void)state;
	for (int round = 0; round < 2000; round++) {
		const struct json *v;

		buf_clear(&text);
		random_value(&p, &text, 5);
		v = json_parse(doc, text.data, text.len, JSON_DEPTH, &err);
		if (!v)
			fail_msg("round %d: %s: %s", round, err.msg, text.data);
		for (int how = 0; how < 3; how++) {
			buf_clear(&out);
			if (how == 0)
				json_copy(&out, text.data, text.len, NULL);
			else if (how == 1)
				json_copy(&out, text.data, text.len,
					  (const char *const[]){"k0.k1.x", "k1.none", NULL});
			else
				json_write(&out, v);
			if (!same(v, json_parse(again, out.data, out.len, JSON_DEPTH, &err)))
				fail_msg("round %d/%d: %s became %s", round, how, text.data,
					 out.data);
		}
	}
	buf_release(&text);
	buf_release(&out);
	json_doc_free(doc);
	json_doc_free(again);
}

/* Every text with one byte changed or cut off is either refused, or parsed without touching what
 * is not ours (the sanitizer's part of this test). */
static void damaged_texts_do_no_harm(void **state)
{
	static const char text[] =
		"[{\"id\":\"a\\u00e9\\ud83d\\ude00\",\"n\":-1.5e3,\"c\":{\"x\":[true,null]}}]";
	struct json_doc *doc = json_doc_new();
	size_t taken = 0, len = sizeof text - 1;
	struct err err = {0};

	(void)state;
	for (size_t at = 0; at < len; at++) {
		for (unsigned byte = 0; byte < 257; byte++) {
			size_t cut = byte < 256 ? len : at;
			char *exact = xmalloc(cut);
			const struct json *v;
			struct buf out = BUF_INIT(1000);

			memcpy(exact, text, cut);
			if (byte < 256)
				exact[at] = (char)byte;
			v = json_parse(doc, exact, cut, JSON_DEPTH, &err);
			assert_int_equal(json_check(exact, cut, JSON_DEPTH, &err), v ? 0 : -1);
			if (v) {
				json_copy(&out, exact, cut, (const char *const[]){"c.x", NULL});
				assert_int_equal(json_check(out.data, out.len, JSON_DEPTH, &err),
						 0);
				taken++;
			}
			buf_release(&out);
			free(exact);
		}
	}
	assert_true(taken > len); /* the text itself at each place, and harmless changes */
	json_doc_free(doc);
}

static void drop_blanks(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (*text != ' ')
			*to++ = *text;
	*to = '\0';
}

static void a_bad_element_hides_no_other(void **state)
{
	static const struct {
		const char *text, *mended; /* NULL: it stays as it is */
	} cases[] = {
		{"[]", NULL},
		{"", NULL},
		{"{\"a\":\"\\u0000\"}", NULL},
		{"[1,2", NULL},
		{"[x,1]", NULL}, /* no room for a null */
		{"[1,,2]", NULL},
		{" [{\"a\":1}, {\"b\":\"\\u0000\"} ,3]", "[{\"a\":1},null,3]"},
		{"[\"\\ud83d\",{\"a\":\"],}\\\"\"}]", "[null,{\"a\":\"],}\\\"\"}]"},
		{"[{\"a\":1,\"a\":2},[[[[1]]]],5]", "[null,null,5]"},
		{"[{\"a\":\"\xff\"},{\"b\":2}", "[null,{\"b\":2}"},
		{"[{\"a\":\"\xff\"},\"open]", "[null,null"},
		{"[{\"a\":tru},1]]", "[null,1]]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = strdup(cases[i].text);
		const char *mended = cases[i].mended ? cases[i].mended : cases[i].text;
		size_t n = json_mend(text, strlen(text), 4);
		assert_int_equal(strlen(text), strlen(cases[i].text));
		drop_blanks(text);
		if (strcmp(text, mended) != 0 || (n > 0) != (cases[i].mended != NULL))
			fail_msg("%s: %zu, %s", cases[i].text, n, text);
		free(text);
	}
}

static void members_are_set_apart(void **state)
{
	struct buf out = BUF_INIT(1024);

	(void)state;
	buf_addc(&out, '{');
	json_add_text(&out, "text", "a\"{");
	json_add_text(&out, "none", NULL);
	json_add_int(&out, "int", INT64_MIN);
	json_add_bool(&out, "bool", true);
	json_add_count(&out, "count", 0);
	json_add_count(&out, "unknown", -1);
	json_add_date(&out, "date", 0);
	json_add_date(&out, "never", DATE_NONE);
	json_add_name(&out, "v");
	buf_addc(&out, '[');
	for (int i = 0; i < 2; i++) {
		json_add_element(&out);
		json_add_int(&out, "i", i);
		buf_addc(&out, '}');
	}
	buf_adds(&out, "]}");
	assert_string_equal(out.data,
			    "{\"text\":\"a\\\"{\",\"none\":null,\"int\":-9223372036854775808,"
			    "\"bool\":true,\"count\":0,\"unknown\":null,"
			    "\"date\":\"1970-01-01T00:00:00.000Z\",\"never\":null,"
			    "\"v\":[{\"i\":0},{\"i\":1}]}");
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_the_rfc_allows),
		cmocka_unit_test(refuses_all_else_with_its_place),
		cmocka_unit_test(depth_is_counted_in_containers),
		cmocka_unit_test(many_names_are_refused_only_on_top),
		cmocka_unit_test(tree_says_what_the_text_said),
		cmocka_unit_test(integers_are_exact_or_none),
		cmocka_unit_test(elements_are_found_verbatim),
		cmocka_unit_test(members_are_left_out_of_the_tree),
		cmocka_unit_test(a_bad_element_hides_no_other),
		cmocka_unit_test(docs_are_used_again),
		cmocka_unit_test(copies_leave_out_what_is_listed),
		cmocka_unit_test(long_names_are_copied),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(utf8_is_judged),
		cmocka_unit_test(copies_and_writings_read_the_same),
		cmocka_unit_test(damaged_texts_do_no_harm),
		cmocka_unit_test(members_are_set_apart),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
