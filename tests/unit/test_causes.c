/* causes: what error messages have in common, counted, and kept as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/cause.h"
#include "relay/base/json.h"
#include "relay/source/causes.h"

static void what_varies_is_left_out(void **state)
{
	static const struct {
		const char *message, *cause;
	} cases[] = {
		{"", ""},
		{"No mailbox", "No mailbox"},
		{"Error 30003: handset +4917112345 off", "Error #: handset +# off"},
		{"id 6f1c2b1e-2f5e-4b7a-9d53-0c1a7c9f3e42", "id #"},
		{"at 2026-11-22T10:00:00.123Z", "at #"},
		{"to a.b7@example.com", "to a.#@example.com"},
		{"deadbeefdeadbeef", "#"},
		{"deadbeef", "deadbeef"},
		{"grüße 5", "grüße #"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(1000);
		cause_normalise(&out, cases[i].message);
		assert_string_equal(out.data, cases[i].cause);
		buf_release(&out);
	}
}

/* At most 120 bytes, whatever a word's length, and never half a character. */
static void a_long_one_is_cut(void **state)
{
	static const char *const parts[] = {"x", "x ", "é", "€ ", "𝄞", "a1 "};

	(void)state;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		struct buf message = BUF_INIT(10000), out = BUF_INIT(10000);
		buf_adds(&out, "before ");
		for (int k = 0; k < 200 + (int)i; k++)
			buf_adds(&message, parts[i]);
		cause_normalise(&out, message.data);
		assert_in_range(out.len, 7 + 117, 7 + CAUSE_MAX);
		assert_true(utf8_valid(out.data, out.len));
		assert_int_equal(strncmp(out.data, "before ", 7), 0);
		buf_release(&message);
		buf_release(&out);
	}
}

static uint64_t count_of(const struct causes *c, const char *channel, const char *text)
{
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->v[i].channel, channel) && !strcmp(c->v[i].text, text))
			return c->v[i].n;
	return 0;
}

static void they_are_counted_by_channel(void **state)
{
	struct causes c = {0}, more = {0};
	char long_name[80];

	(void)state;
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	causes_add(&c, "twilio", "Error 1");
	causes_add(&c, "twilio", "Error 2");
	causes_add(&c, "gmail", "Error 3");
	causes_add(&c, NULL, NULL);
	causes_add(&c, long_name, NULL);
	causes_add(&more, "gmail", "Error 4");
	causes_add(&more, "gmail", "other");
	more.other = 5;
	causes_add_all(&c, &more);
	assert_int_equal(count_of(&c, "twilio", "Error #"), 2);
	assert_int_equal(count_of(&c, "gmail", "Error #"), 2);
	assert_int_equal(count_of(&c, "gmail", "other"), 1);
	assert_int_equal(count_of(&c, "", ""), 2);
	assert_int_equal(causes_total(&c), 12);
	causes_release(&c);
	causes_release(&more);
	causes_release(&more);
}

/* Of a thousand causes the frequent ones are told apart, and none is lost. */
static void the_rare_ones_give_way(void **state)
{
	struct causes c = {0};
	char text[32];

	(void)state;
	for (int round = 0; round < 1000; round++) {
		snprintf(text, sizeof text, "%c%c%c rare", 'a' + round % 26, 'a' + round / 26 % 26,
			 'a' + round / 676);
		causes_add(&c, "a", text);
		for (int i = 0; i < 10; i++) {
			snprintf(text, sizeof text, "often %c", 'a' + i);
			causes_add(&c, "a", text);
		}
	}
	assert_int_equal(c.n, CAUSES_MAX);
	assert_int_equal(causes_total(&c), 11000);
	causes_sort(&c);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof text, "often %c", 'a' + i);
		assert_string_equal(c.v[i].text, text);
		assert_int_equal(c.v[i].n, 1000);
	}
	causes_release(&c);
}

static void they_come_back_from_text(void **state)
{
	struct causes c = {0}, again = {0};
	struct buf text = BUF_INIT(1 << 16), copy = BUF_INIT(1 << 16);

	(void)state;
	assert_true(causes_read(&again, NULL));
	assert_int_equal(causes_total(&again), 0);
	causes_write(&c, &text);
	assert_true(causes_read(&again, text.data));
	causes_add(&c, "twilio", "with \"quotes\" and \\");
	causes_add(&c, NULL, NULL);
	c.other = 7;
	buf_clear(&text);
	causes_write(&c, &text);
	assert_true(causes_read(&again, text.data));
	causes_write(&again, &copy);
	assert_string_equal(copy.data, text.data);
	buf_release(&text);
	buf_release(&copy);
	causes_release(&c);
	causes_release(&again);
}

static void other_texts_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"nothing",
		"[]",
		"{}",
		"{\"other\":-1,\"causes\":[]}",
		"{\"other\":0,\"causes\":[{}]}",
		"{\"other\":0,\"causes\":[{\"channel\":\"a\",\"text\":\"b\",\"n\":0}]}",
		"{\"other\":0,\"causes\":[{\"channel\":\"a\",\"text\":null,\"n\":1}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct causes c = {0};
		assert_false(causes_read(&c, texts[i]));
		causes_release(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_varies_is_left_out),
		cmocka_unit_test(a_long_one_is_cut),
		cmocka_unit_test(they_are_counted_by_channel),
		cmocka_unit_test(the_rare_ones_give_way),
		cmocka_unit_test(they_come_back_from_text),
		cmocka_unit_test(other_texts_are_refused),
	};

	return cmocka_run_group_tests_name("causes", tests, NULL, NULL);
}
