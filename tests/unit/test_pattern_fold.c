/*
 * Letters without case, by what must be true of every character of the basic multilingual plane,
 * and by what a comparison of whole texts says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rules/pattern_fold.h"

static size_t encode(unsigned c, char ret[3])
{
	if (c < 0x80) {
		ret[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		ret[0] = (char)(0xC0 | c >> 6);
		ret[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	ret[0] = (char)(0xE0 | c >> 12);
	ret[1] = (char)(0x80 | (c >> 6 & 0x3F));
	ret[2] = (char)(0x80 | (c & 0x3F));
	return 3;
}

/* A letter that was folded stays, and no three letters become one: each has one partner. */
static void letters_come_in_pairs(void **state)
{
	static unsigned char folded_to[0x10000];
	struct buf once = BUF_INIT(8), twice = BUF_INIT(8);
	size_t pairs = 0;

	(void)state;
	for (unsigned c = 0; c < 0x10000; c++) {
		char text[3];
		if (c >= 0xD800 && c < 0xE000)
			continue;
		size_t len = encode(c, text);
		buf_clear(&once);
		buf_clear(&twice);
		fold_text(&once, text, len);
		fold_text(&twice, once.data, once.len);
		assert_true(once.len == twice.len && !memcmp(once.data, twice.data, once.len));
		assert_true(fold_equal(once.data, once.len, text, len));
		assert_true(fold_prefix(once.data, once.len, text, len));
		assert_true(fold_suffix(once.data, once.len, text, len));
		if (once.len == len && !memcmp(once.data, text, len))
			continue;
		pairs++;
		unsigned to = 0;
		for (unsigned i = 0; i < 0x10000 && !to; i++) {
			char other[3];
			if (encode(i, other) == once.len && !memcmp(other, once.data, once.len))
				to = i;
		}
		assert_int_equal(folded_to[to]++, 0);
	}
	assert_int_equal(pairs, 26 + 1110); /* of ASCII, and of Unicode 14 beyond it */
	buf_release(&once);
	buf_release(&twice);
}

static const struct {
	const char *a, *b;
	bool equal, begins, ends; /* b is a, begins so, ends so */
} cases[] = {
	{"abc", "ABC", true, true, true},
	{"abc", "ABCD", false, true, false},
	{"abc", "XABC", false, false, true},
	{"abc", "AB", false, false, false},
	{"", "", true, true, true},
	{"", "A", false, true, true},
	{"ÄÖÜ", "äöü", true, true, true},
	{"Ⱥ", "ⱥ", true, true, true},
	{"aȺ", "ⱥ", false, false, false},
	{"ȺA", "ⱥa!", false, true, false},
	{"AȺ", "!aⱥ", false, false, true},
	{"ß", "SS", false, false, false},
	{"ß", "ẞ", false, false, false},
	{"k", "\u212a", false, false, false},
	{"😀", "😀", true, true, true},
	{"😀a", "😀A", true, true, true},
	{"é", "e\u0301", false, false, false},
	{"\x80\xff", "\x80\xff", true, true, true}, /* no UTF-8: byte by byte */
	{"\xc3", "\xc3\xa9", false, false, false},
};

static void texts_compare(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf a = BUF_INIT(100);
		const char *b = cases[i].b;
		fold_text(&a, cases[i].a, strlen(cases[i].a));
		if (fold_equal(a.data, a.len, b, strlen(b)) != cases[i].equal ||
		    fold_prefix(a.data, a.len, b, strlen(b)) != cases[i].begins ||
		    fold_suffix(a.data, a.len, b, strlen(b)) != cases[i].ends)
			fail_msg("%s and %s", cases[i].a, b);
		buf_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_come_in_pairs),
		cmocka_unit_test(texts_compare),
	};
	return cmocka_run_group_tests_name("pattern fold", tests, NULL, NULL);
}
