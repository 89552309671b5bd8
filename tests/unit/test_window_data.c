/*
 * What an alert says: its data to the letter, labels that stay, annotations that follow, and texts
 * of outsiders that stay where they belong.
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
#include "tests/unit/window_rig.h"

#define RULES                                                                                      \
	"  - name: storm\n"                                                                        \
	"    when: { type: [recipient.failed] }\n"                                                 \
	"    alert:\n"                                                                             \
	"      per: [data.broadcast_id]\n"                                                         \
	"      within: 5m\n"                                                                       \
	"      count: 2\n"                                                                         \
	"      repeat: 1m\n"                                                                       \
	"      labels: { severity: page, n: \"{{data.count}}\" }\n"                                \
	"      annotations:\n"                                                                     \
	"        summary: \"{{data.count}} failures in {{data.key.broadcast_id}}\"\n"              \
	"        cause: \"{{#each data.by.error_message}}{{value}}; {{/each}}\"\n"

static void fail_one(struct fold *r, const char *recipient, const char *error, int64_t second)
{
	fold_feed(r, &(struct happening){.type = "recipient.failed",
					 .broadcast = "b1",
					 .recipient = recipient,
					 .integration = "twilio",
					 .error = error,
					 .time_ms = FOLD_START + second * SECOND,
					 .recorded_ms = FOLD_START + 10 * SECOND});
}

static void the_data_to_the_letter(void **state)
{
	struct fold r;

	(void)state;
	fold_open(&r, RULES);
	fail_one(&r, "r1", "Error 30003: no handset +4917", 1);
	fail_one(&r, NULL, "Error 30007: no handset +4918", 2);
	assert_string_equal(
		r.last,
		"{\"rule\":\"storm\",\"kind\":\"count\",\"firing\":true,"
		"\"key\":{\"broadcast_id\":\"b1\"},\"broadcast_id\":\"b1\",\"count\":2,\"of\":null,"
		"\"ratio\":null,\"threshold\":2,\"within\":\"5m\",\"keys\":1,"
		"\"starts_at\":\"2023-11-14T22:13:30.000Z\",\"ends_at\":\"2023-11-14T22:16:30."
		"000Z\","
		"\"n\":0,\"by\":{\"integration_id\":[{\"value\":\"twilio\",\"count\":2}],"
		"\"error_message\":[{\"value\":\"Error #: no handset +#\",\"count\":2}]},"
		"\"samples\":[{\"id\":\"evt_00000000000000000000000000000002\","
		"\"sequence\":\"0000000000000002\",\"recipient_id\":null,"
		"\"integration_id\":\"twilio\",\"error_message\":\"Error 30007: no handset +4918\","
		"\"at\":\"2023-11-14T22:13:22.000Z\"},"
		"{\"id\":\"evt_00000000000000000000000000000001\","
		"\"sequence\":\"0000000000000001\",\"recipient_id\":\"r1\","
		"\"integration_id\":\"twilio\",\"error_message\":\"Error 30003: no handset +4917\","
		"\"at\":\"2023-11-14T22:13:21.000Z\"}],\"reason\":null,"
		"\"labels\":{\"alertname\":\"storm\",\"broadcast_id\":\"b1\",\"severity\":\"page\","
		"\"n\":\"2\"},\"annotations\":{\"summary\":\"2 failures in b1\","
		"\"cause\":\"Error #: no handset +#; \"}}");
	fail_one(&r, "r3", "Error 1: other", 3);
	fold_tick(&r, FOLD_START + 71 * SECOND);
	assert_non_null(strstr(r.last, "\"n\":\"2\""));
	assert_non_null(strstr(r.last, "\"summary\":\"3 failures in b1\""));
	assert_non_null(strstr(r.last, "\"ends_at\":\"2023-11-14T22:17:31.000Z\""));
	assert_non_null(strstr(r.last, "\"n\":0,"));
	fold_tick(&r, FOLD_START + 131 * SECOND);
	assert_non_null(strstr(r.last, "\"n\":1,"));
	fold_tick(&r, FOLD_START + 400 * SECOND);
	assert_non_null(strstr(r.last, "\"firing\":false"));
	assert_non_null(strstr(r.last, "\"ends_at\":\"2023-11-14T22:18:30.000Z\""));
	assert_non_null(strstr(r.last, "\"reason\":\"quiet\""));
	fold_close(&r);
}

static void samples_are_the_newest_five(void **state)
{
	struct fold r;
	char recipient[16];

	(void)state;
	fold_open(&r, RULES);
	for (int i = 0; i < 8; i++) {
		snprintf(recipient, sizeof recipient, "r%d", i);
		fail_one(&r, recipient, "x", i == 7 ? 0 : i);
	}
	for (int i = 0; i < 8; i++) {
		char *wanted = xasprintf("\"recipient_id\":\"r%d\"", i);
		if (!strstr(r.last, wanted) != (i < 2 || i == 7))
			fail_msg("r%d: %s", i, r.last);
		free(wanted);
	}
	fold_close(&r);
}

static void values_beyond_twenty_are_counted_together(void **state)
{
	struct fold r;
	char error[16];

	(void)state;
	fold_open(&r, RULES);
	for (int i = 0; i < 32; i++) {
		snprintf(error, sizeof error, "%c%c", 'a' + i / 6, 'g' + i % 6);
		fail_one(&r, "r", error, i);
	}
	fail_one(&r, "r", "ag", 40);
	fold_tick(&r, FOLD_START + 90 * SECOND);
	assert_non_null(strstr(r.last, "\"count\":33"));
	assert_non_null(strstr(r.last, "\"error_message\":[{\"value\":\"ag\",\"count\":2},"));
	assert_non_null(strstr(r.last, "{\"value\":null,\"count\":12}]}"));
	fold_close(&r);
}

static void texts_of_outsiders_stay_in_their_place(void **state)
{
	static const char evil[] = "\"},\"firing\":false,{{data.rule}}\\\n<x>";
	struct fold r;
	struct json_doc *doc = json_doc_new();
	struct err err = {0};

	(void)state;
	fold_open(&r, RULES);
	for (int i = 0; i < 2; i++)
		fold_feed(&r, &(struct happening){.type = "recipient.failed",
						  .broadcast = evil,
						  .recipient = evil,
						  .integration = evil,
						  .error = evil,
						  .time_ms = FOLD_START});
	const struct json *data = json_parse(doc, r.last, strlen(r.last), JSON_DEPTH, &err);
	assert_non_null(data);
	assert_true(json_bool(json_get(data, "firing"), false));
	assert_string_equal(json_string(json_get(json_get(data, "key"), "broadcast_id")), evil);
	assert_string_equal(json_string(json_get(json_get(data, "labels"), "broadcast_id")), evil);
	char *summary = xasprintf("2 failures in %s", evil);
	assert_string_equal(json_string(json_get(json_get(data, "annotations"), "summary")),
			    summary);
	free(summary);
	json_doc_free(doc);
	fold_commit(&r);
	fold_restart(&r);
	fold_tick(&r, FOLD_START + HOUR);
	assert_string_equal(fold_take(&r) ? "read" : "", "read");
	assert_non_null(strstr(r.last, "\"firing\":false,\"key\""));
	fold_close(&r);
}

static void long_texts_have_an_end(void **state)
{
	struct fold r;
	char *text = xmalloc(50001);

	(void)state;
	memset(text, 0xc3, 50000);
	for (int i = 1; i < 50000; i += 2)
		text[i] = (char)0xa4; /* ä */
	text[50000] = '\0';
	fold_open(&r, RULES);
	for (int i = 0; i < 2; i++)
		fold_feed(&r, &(struct happening){.type = "recipient.failed",
						  .broadcast = text,
						  .recipient = text,
						  .integration = text,
						  .error = text,
						  .time_ms = FOLD_START + i});
	assert_true(strlen(r.last) < 10000);
	fold_take(&r);
	fold_restart(&r);
	fold_tick(&r, FOLD_START + HOUR);
	assert_non_null(strstr(r.last, "\"firing\":false"));
	free(text);
	fold_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_data_to_the_letter),
		cmocka_unit_test(samples_are_the_newest_five),
		cmocka_unit_test(values_beyond_twenty_are_counted_together),
		cmocka_unit_test(texts_of_outsiders_stay_in_their_place),
		cmocka_unit_test(long_texts_have_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
