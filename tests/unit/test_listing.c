/* listing: good entries come through whole, bad ones are counted and leave the others alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/buf.h"
#include "relay/source/listing.h"

static void reads_an_entry(void **state)
{
	static const char text[] =
		"[ {\"id\": \"bc_1\", \"name\": \"Spring\", \"status\": \"SENDING\",\n"
		"   \"created_at\": \"2026-11-22T10:00:00Z\", \"updated_at\": \"2026-11-23\",\n"
		"   \"contacts_count\": 7, \"sent_count\": 5, \"bounced_count\": 0, "
		"\"click_count\": 3,\n"
		"   \"odd_count\": \"x\", \"half_count\": 1.5, \"null_count\": null, \"_count\": "
		"1,\n"
		"   \"templates\": [{\"id\": \"t1\", \"error\": null}, {\"id\": \"t2\", \"error\": "
		"\"no \\\"q\\\"\"},\n"
		"                 {\"error\": \"no id\"}, {\"id\": \"t3\", \"error\": {\"code\": "
		"5}}, 7] },\n"
		"  {\"id\": \"bc_2\", \"templates\": [{\"id\": \"t\"}]} ]";
	struct listing l = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(listing_read(&l, text, strlen(text), &err), 0);
	assert_int_equal(l.n, 2);
	const struct listing_row *row = &l.v[0];
	assert_string_equal(row->id, "bc_1");
	assert_string_equal(row->name, "Spring");
	assert_string_equal(row->status, "SENDING");
	assert_true(row->created_ms == INT64_C(1795341600000));
	assert_true(row->updated_ms == INT64_C(1795392000000));
	assert_string_equal(row->counters, "{\"contacts_count\":7,\"sent_count\":5,"
					   "\"bounced_count\":0,\"click_count\":3}");
	assert_string_equal(row->templates,
			    "{\"t2\":\"no \\\"q\\\"\",\"t3\":\"{\\\"code\\\":5}\"}");
	assert_int_equal(row->clicks, 3);
	assert_memory_equal(text + row->text.at, "{\"id\": \"bc_1\"", 13);
	assert_int_equal(text[row->text.at + row->text.len - 1], '}');
	row = &l.v[1];
	assert_string_equal(row->id, "bc_2");
	assert_null(row->name);
	assert_string_equal(row->status, "");
	assert_true(row->created_ms == DATE_NONE && row->updated_ms == DATE_NONE);
	assert_string_equal(row->counters, "{}");
	assert_null(row->templates);
	assert_int_equal(row->clicks, -1);
	listing_release(&l);
	listing_release(&l);
	listing_release(NULL);
}

static void leaves_out_what_cannot_be_used(void **state)
{
	struct buf text = BUF_INIT(4096);
	struct listing l = {0};
	struct err err = {0};

	(void)state;
	buf_adds(&text, "[{\"id\":\"a\"},5,{\"name\":\"x\"},{\"id\":7},{\"id\":\"\"},{\"id\":\"a\"}"
			",{\"id\":\"");
	for (int i = 0; i < 257; i++)
		buf_addc(&text, 'x');
	buf_adds(&text,
		 "\"},{\"id\":\"b\",\"status\":4,\"created_at\":\"soon\",\"templates\":{}}]");
	assert_int_equal(listing_read(&l, text.data, text.len, &err), 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.v[1].id, "b");
	assert_int_equal(l.doubled, 1);
	assert_int_equal(l.skipped[SKIP_NO_OBJECT], 1);
	assert_int_equal(l.skipped[SKIP_NO_ID], 3);
	assert_int_equal(l.skipped[SKIP_LONG_ID], 1);
	buf_release(&text);
	listing_release(&l);
}

static void many_entries_keep_their_texts(void **state)
{
	struct buf text = BUF_INIT(1 << 20);
	struct listing l = {0};
	struct err err = {0};
	char counters[64];

	(void)state;
	for (int round = 0; round < 2; round++) {
		buf_clear(&text);
		for (int i = 0; i < 500; i++)
			buf_addf(&text, "%c{\"id\":\"b%d\",\"sent_count\":%d}", i ? ',' : '[', i,
				 i + round);
		buf_addc(&text, ']');
		assert_int_equal(listing_read(&l, text.data, text.len, &err), 0);
		assert_int_equal(l.n, 500);
		for (int i = 0; i < 500; i++) {
			snprintf(counters, sizeof counters, "{\"sent_count\":%d}", i + round);
			assert_string_equal(l.v[i].counters, counters);
		}
	}
	buf_release(&text);
	listing_release(&l);
}

static void refuses_what_is_no_list(void **state)
{
	static const char *const texts[] = {"", "{}", "[", "[{\"id\":\"a\"}", "[]x", "[\"\xff\"]"};
	struct listing l = {0};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct err err = {0};
		assert_int_equal(listing_read(&l, texts[i], strlen(texts[i]), &err), -1);
		assert_true(err.msg[0]);
		assert_int_equal(l.n, 0);
	}
	listing_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_an_entry),
		cmocka_unit_test(leaves_out_what_cannot_be_used),
		cmocka_unit_test(many_entries_keep_their_texts),
		cmocka_unit_test(refuses_what_is_no_list),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
