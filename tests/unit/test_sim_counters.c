/* sim counters: exact, late, frozen, false or not there; filters stay exact in every mood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sim_client.h"

#define SECOND 1000LL
#define HOUR   (3600 * SECOND)

static void moods_are_read(void **state)
{
	static const struct {
		const char *text;
		bool good;
		enum sim_counters_mood mood;
		int64_t lag_ms;
	} cases[] = {
		{"exact", true, SIM_COUNTERS_EXACT, 0},
		{"lag=30s", true, SIM_COUNTERS_LAG, 30000},
		{"stuck", true, SIM_COUNTERS_STUCK, 0},
		{"wrong", true, SIM_COUNTERS_WRONG, 0},
		{"absent", true, SIM_COUNTERS_ABSENT, 0},
		{"lag", false, 0, 0},
		{"lag=", false, 0, 0},
		{"lag=3", false, 0, 0},
		{"", false, 0, 0},
		{"exactly", false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sim_counters c = {SIM_COUNTERS_ABSENT, 77};
		bool good = sim_counters_parse(&c, cases[i].text);
		if (good != cases[i].good ||
		    (good && (c.mood != cases[i].mood || c.lag_ms != cases[i].lag_ms)))
			fail_msg("%s", cases[i].text);
		if (!good)
			assert_int_equal(c.lag_ms, 77);
	}
}

static struct model *make(const char *mood)
{
	struct sim_broadcast b = {.recipients = 2000};
	struct model_options o = sim_options(&b, SIM_ORDER_NONE);

	o.ramp_ms = 300 * SECOND;
	assert_true(sim_counters_parse(&o.counters, mood));
	return sim_make_with(&o);
}

/* -1: there is no such member. */
static int64_t shown(struct model *m, int64_t now, const char *key)
{
	struct json_doc *doc = json_doc_new();
	const struct json *b = json_first(sim_read(m, now, "/orgs/c/broadcasts", NULL, doc));
	int64_t n = -1;

	json_int(json_get(b, key), &n);
	json_doc_free(doc);
	return n;
}

/* What was true a lag ago, or up to a thirty-second of it later; and the truth in the end. */
static void late_by_the_lag(void **state)
{
	struct model *then = make("exact"), *late = make("lag=32s");
	int64_t at = 40 * SECOND;

	(void)state;
	assert_int_equal(shown(late, SIM_EPOCH + 31 * SECOND, "sent_count"), 0);
	for (; at < 400 * SECOND; at += 7 * SECOND) {
		int64_t was = SIM_EPOCH + at - 32 * SECOND;
		int64_t least = shown(then, was, "sent_count"),
			most = shown(then, was + SECOND + 1, "sent_count");
		assert_in_range(shown(late, SIM_EPOCH + at, "sent_count"), least, most);
		if (at < 300 * SECOND)
			assert_true(sim_count(late, SIM_EPOCH + at, "is_sent=true") >
				    (uint64_t)most);
	}
	assert_int_equal(shown(late, SIM_EPOCH + HOUR, "sent_count"),
			 shown(then, SIM_EPOCH + HOUR, "sent_count"));
	model_free(then);
	model_free(late);
}

/* A quiet hour between two changes is no reason to show an older count. */
static void late_after_a_pause(void **state)
{
	struct model *m = make("lag=32s");

	(void)state;
	int64_t end = SIM_EPOCH + 600 * HOUR;
	int64_t delivered = shown(m, end, "delivered_count");
	struct sim_rows rows;
	sim_rows(m, end, "is_delivered=false", 1, &rows);
	assert_true(model_change(m, "bc_1", rows.v[0].id, SIM_DELIVERED, true));
	assert_int_equal(shown(m, end + 31 * SECOND, "delivered_count"), delivered);
	assert_int_equal(shown(m, end + 32 * SECOND, "delivered_count"), delivered + 1);
	sim_rows_release(&rows);
	model_free(m);
}

static void stuck_after_a_minute(void **state)
{
	struct model *exact = make("exact"), *stuck = make("stuck");
	int64_t minute = SIM_EPOCH + 60 * SECOND;

	(void)state;
	assert_int_equal(shown(stuck, minute - SECOND, "sent_count"),
			 shown(exact, minute - SECOND, "sent_count"));
	int64_t frozen = shown(exact, minute - 1, "sent_count");
	assert_true(frozen > 300);
	assert_int_equal(shown(stuck, minute + 5 * SECOND, "sent_count"), frozen);
	assert_int_equal(shown(stuck, minute + HOUR, "sent_count"), frozen);
	assert_true(sim_count(stuck, minute + HOUR, "is_sent=true") > (uint64_t)frozen);
	model_free(exact);
	model_free(stuck);
}

static const char *const keys[] = {"recipients_count",	"skipped_count",   "sent_count",
				   "failed_count",	"delivered_count", "opened_count",
				   "played_count",	"click_count",	   "complained_count",
				   "unsubscribed_count"};
#define KEYS (sizeof keys / sizeof *keys)

/* Most are off, the same way in each reply and under each look at the same seed. */
static void wrong_for_good(void **state)
{
	struct model *exact = make("exact"), *wrong = make("wrong"), *again = make("wrong");
	size_t off = 0;

	(void)state;
	for (size_t i = 0; i < KEYS; i++) {
		int64_t truth = shown(exact, SIM_EPOCH + HOUR, keys[i]),
			told = shown(wrong, SIM_EPOCH + HOUR, keys[i]);
		off += told != truth;
		assert_int_equal(shown(wrong, SIM_EPOCH + HOUR, keys[i]), told);
		assert_int_equal(shown(again, SIM_EPOCH + HOUR, keys[i]), told);
		assert_true(told >= 0);
	}
	assert_in_range(off, 7, KEYS);
	model_free(exact);
	model_free(wrong);
	model_free(again);
}

static void absent_is_not_there(void **state)
{
	struct model *m = make("absent");
	struct sim_reply reply;

	(void)state;
	sim_ask(m, SIM_EPOCH + HOUR, "/orgs/c/broadcasts", NULL, &reply);
	for (size_t i = 0; i < KEYS; i++)
		assert_null(strstr(reply.body.data, keys[i]));
	assert_non_null(strstr(reply.body.data, "\"status\":\"SENT\""));
	sim_reply_release(&reply);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moods_are_read),     cmocka_unit_test(late_by_the_lag),
		cmocka_unit_test(late_after_a_pause), cmocka_unit_test(stuck_after_a_minute),
		cmocka_unit_test(wrong_for_good),     cmocka_unit_test(absent_is_not_there),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
