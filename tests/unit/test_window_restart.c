/*
 * What outlives a restart and a reload: progress, open alerts, and how much of the past must be
 * read again. A rule that begins late, or could not count all, does not decide what it cannot know.
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

#define WHEN_FAILED "    when: { type: [recipient.failed] }\n"
#define WHEN_SENT   "    when: { type: [recipient.sent] }\n"
#define STORM                                                                                      \
	"  - name: storm\n" WHEN_FAILED                                                            \
	"    alert: { per: [data.broadcast_id], within: 1m, count: 2 }\n"
#define STORM_LABELS                                                                               \
	"  - name: storm\n" WHEN_FAILED                                                            \
	"    alert: { per: [data.broadcast_id], within: 1m, count: 2, labels: { a: b } }\n"
#define STORM_OF_3                                                                                 \
	"  - name: storm\n" WHEN_FAILED                                                            \
	"    alert: { per: [data.broadcast_id], within: 1m, count: 3 }\n"
#define SHARE                                                                                      \
	"  - name: share\n" WHEN_FAILED "    alert: { per: [data.broadcast_id], within: 30s,\n"    \
	"             ratio: { of: { type: recipient.sent }, above: 50%, min: 2 } }\n"
#define SILENCE                                                                                    \
	"  - name: silence\n" WHEN_SENT                                                            \
	"    alert: { per: [data.recipient_id], within: 30s, fold: [data.broadcast_id],\n"         \
	"             absent: { type: [recipient.delivered, recipient.failed] } }\n"

static void expect(struct fold *r, const char *says)
{
	assert_string_equal(fold_take(r), says);
}

static void a_changed_rule_ends_its_alerts(void **state)
{
	struct fold r;

	(void)state;
	fold_open(&r, STORM);
	fold_run(&r, "failed b1 r1 +0; failed b1 r2 +0;");
	expect(&r, "firing storm b1 at +0 count 2 keys 1\n");
	fold_reload(&r, STORM_OF_3, FOLD_START + 10 * SECOND);
	/* Another reload before the first tick changes nothing. */
	fold_reload(&r, STORM_OF_3, FOLD_START + 11 * SECOND);
	fold_run(&r, "failed b1 r3 +12; failed b1 r4 +12; tick +13;");
	expect(&r, "resolved storm b1 at +13 count 2 keys 1 (rule changed)\n");
	fold_restart(&r);
	/* It began at the reload, so what was before does not count. */
	fold_run(&r, "tick +14; failed b1 r5 +15; tick +16;");
	expect(&r, "firing storm b1 at +15 count 3 keys 1\n");
	fold_close(&r);
}

static void labels_do_not_change_what_is_counted(void **state)
{
	struct fold r;

	(void)state;
	fold_open(&r, STORM);
	fold_run(&r, "failed b1 r1 +0; failed b1 r2 +0; failed b2 r1 +0;");
	expect(&r, "firing storm b1 at +0 count 2 keys 1\n");
	fold_reload(&r, STORM_LABELS, FOLD_START + 10 * SECOND);
	fold_run(&r, "tick +12; failed b2 r2 +20; tick +62;");
	expect(&r, "firing storm b2 at +20 count 2 keys 1\n"
		   "resolved storm b1 at +60 count 2 keys 1\n");
	fold_close(&r);
}

static void a_rule_that_is_gone_leaves_nothing(void **state)
{
	struct fold r;

	(void)state;
	fold_open(&r, STORM);
	fold_run(&r, "failed b1 r1 +0; failed b1 r2 +0;");
	fold_commit(&r);
	fold_reload(&r, SILENCE, FOLD_START + 10 * SECOND);
	fold_run(&r, "tick +12; tick +1000; commit;");
	for (size_t i = 0; i < r.nrows; i++)
		assert_null(strstr(r.rows[i].state, "storm"));
	fold_close(&r);
}

static void a_new_rule_decides_only_what_it_saw_whole(void **state)
{
	struct fold r;

	(void)state;
	fold_open(&r, STORM);
	fold_run(&r, "sent b1 r1 +1; sent b1 r2 +1; sent b1 r3 +1; delivered b1 r9 +1;");
	fold_reload(&r, SHARE SILENCE, FOLD_START + 10 * SECOND);
	/* Three were sent before; of two it saw one, a wrong share. */
	fold_run(&r, "failed b1 r1 +11; failed b1 r2 +11; sent b1 r7 +12; sent b1 r8 +12;"
		     "sent b1 r9 +15; know b1 +39; tick +39;");
	expect(&r, "");
	/* The window that ends at +40 is the first without gaps, waits from +41 on as well. */
	fold_run(&r, "sent b1 r5 +41; know b1 +80; tick +80;");
	expect(&r, "firing share b1 at +40 count 2 of 3 keys 1\n"
		   "resolved share b1 at +70 count 2 of 3 keys 1\n"
		   "firing silence b1 at +71 count 1 keys 1\n");
	fold_close(&r);
}

/* Days pass: the past that a start has to read stays short. */
static void little_of_the_past_is_needed(void **state)
{
	struct fold r;
	int64_t day = 24 * HOUR, end_ms = FOLD_START + 6 * day;

	(void)state;
	fold_open(&r, SHARE SILENCE);
	for (int64_t at_ms = FOLD_START; at_ms < end_ms; at_ms += 5 * MINUTE) {
		fold_feed(&r,
			  &(struct happening){.type = "recipient.sent",
					      .broadcast = at_ms < FOLD_START + day ? "b1" : "b2",
					      .recipient = "r1",
					      .time_ms = at_ms});
		fold_feed(&r,
			  &(struct happening){.type = "recipient.delivered",
					      .broadcast = at_ms < FOLD_START + day ? "b1" : "b2",
					      .recipient = "r1",
					      .time_ms = at_ms + SECOND});
		fold_know(&r, "b1", at_ms);
		fold_know(&r, "b2", at_ms);
		fold_tick(&r, at_ms + 2 * SECOND);
		fold_commit(&r);
	}
	assert_true(r.nrows < 8);
	fold_restart(&r);
	assert_true(r.refed > 0 && r.refed < 8);
	fold_reload(&r, STORM SHARE SILENCE, end_ms);
	assert_true(r.refed < 8);
	fold_close(&r);
}

/* A count needs a day, since events may be seen so late. */
static void counts_need_a_day(void **state)
{
	struct fold r;

	(void)state;
	fold_open(&r, STORM);
	for (int64_t at_ms = FOLD_START; at_ms < FOLD_START + 96 * HOUR; at_ms += HOUR)
		fold_feed(&r, &(struct happening){.type = "recipient.failed",
						  .broadcast = "b1",
						  .recipient = "r1",
						  .time_ms = at_ms});
	fold_commit(&r);
	fold_restart(&r);
	assert_in_range(r.refed, 24, 26);
	fold_close(&r);
}

static void what_came_too_late_blinds_its_window(void **state)
{
	struct fold r;

	(void)state;
	fold_open(&r, SHARE);
	/* Two failed of three sent, of which one is seen after more than a day. */
	fold_run(&r, "sent b1 r1 +10; sent b1 r2 +10; failed b1 r1 +11; failed b1 r2 +11;"
		     "sent b1 r3 +5 +86410; tick +86410;");
	struct windows_status s;
	windows_status(r.windows, 0, &s);
	assert_int_equal(s.late, 1);
	fold_run(&r, "know b1 +34; tick +86413;");
	expect(&r, "");
	fold_run(&r, "know b1 +35; tick +86415;");
	expect(&r, "firing share b1 at +35 count 2 of 2 keys 1\n");
	fold_close(&r);
}

static void rows_of_others_are_refused(void **state)
{
	static const struct {
		const char *key, *state;
	} rows[] = {
		{"alert:1", "{\"rule\":\"nobody\",\"hash\":\"1\"}"},
		{"group:1", "{\"rule\":\"storm\",\"hash\":\"1\",\"decided_ms\":1}"},
		{"rule:1", "{\"rule\":\"storm\",\"hash\":\"1\",\"started_ms\":1,\"blind_ms\":1}"},
		{"cursor", "{}"},
		{"cursor", "not JSON"},
		{"what", "{\"rule\":\"storm\"}"},
	};
	struct fold r;

	(void)state;
	fold_open(&r, STORM);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_false(windows_restore(r.windows, rows[i].key, rows[i].state));
	assert_int_equal(windows_feed_from_ms(r.windows), FOLD_ALWAYS - MINUTE);
	fold_close(&r);
	windows_free(NULL);
}

static void without_rules_nothing_is_needed(void **state)
{
	struct windows_env env = {0};
	struct windows *w = windows_new(NULL, 0, FOLD_START, &env);

	(void)state;
	assert_int_equal(windows_feed_from_ms(w), INT64_MAX);
	assert_int_equal(windows_tick(w, FOLD_START), INT64_MAX);
	windows_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_changed_rule_ends_its_alerts),
		cmocka_unit_test(labels_do_not_change_what_is_counted),
		cmocka_unit_test(a_rule_that_is_gone_leaves_nothing),
		cmocka_unit_test(a_new_rule_decides_only_what_it_saw_whole),
		cmocka_unit_test(little_of_the_past_is_needed),
		cmocka_unit_test(counts_need_a_day),
		cmocka_unit_test(what_came_too_late_blinds_its_window),
		cmocka_unit_test(rows_of_others_are_refused),
		cmocka_unit_test(without_rules_nothing_is_needed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
