/* sim times: null, early and future _at values, the same in every reply and in the ledger. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "tests/unit/sim_client.h"

#define HOUR 3600000LL
#define LATE (SIM_EPOCH + 600 * HOUR)

static void shares_are_read(void **state)
{
	static const struct {
		const char *text;
		bool good;
		struct sim_times is;
	} cases[] = {
		{"null=10", true, {10, 0, 0}},
		{"early=5,null=10,future=85", true, {10, 5, 85}},
		{"", false, {0}},
		{"null", false, {0}},
		{"null=", false, {0}},
		{"null=101", false, {0}},
		{"late=1", false, {0}},
		{"null=60,early=41", false, {0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sim_times t = {1, 2, 3}, before = t;
		bool good = sim_times_parse(&t, cases[i].text);
		if (good != cases[i].good || memcmp(&t, good ? &cases[i].is : &before, sizeof t))
			fail_msg("%s", cases[i].text);
	}
}

static struct model *make(const char *times)
{
	struct sim_broadcast b = {.recipients = 100};
	struct model_options o = sim_options(&b, SIM_ORDER_CREATED_OLDEST);

	assert_true(sim_times_parse(&o.times, times));
	return sim_make_with(&o);
}

struct tally {
	size_t flags, null, before_row, future;
};

/* Counts a row's flags; each must stand in the ledger once with the time that the row gives. */
static void look_at(const struct json *row, const char *ledger, int64_t now, struct tally *t)
{
	const char *id = json_string(json_get(row, "id")),
		   *created = json_string(json_get(row, "created_at"));

	for (int what = SIM_SKIPPED; what < SIM_STATES; what++) {
		char key[64], type[160], line[160];
		int64_t ms = 0;
		snprintf(key, sizeof key, "is_%s", sim_what_names[what]);
		if (!json_bool(json_get(row, key), false))
			continue;
		snprintf(key, sizeof key, "is_%s_at", sim_what_names[what]);
		const char *at = json_string(json_get(row, key));
		t->flags++;
		t->null += !at;
		t->before_row += at && strcmp(at, created) < 0;
		t->future += at && date_parse(at, strlen(at), &ms) && ms > now;
		snprintf(type, sizeof type,
			 "\"type\":\"recipient.%s\",\"broadcast\":\"bc_1\",\"rec"
			 "ipient\":\"%s\"",
			 sim_what_names[what], id);
		if (at)
			snprintf(line, sizeof line, "\"at\":\"%s\",\"timed\":true", at);
		else
			snprintf(line, sizeof line, "\"timed\":false");
		if (sim_lines(ledger, type, line) != 1)
			fail_msg("%s: %s", type, line);
	}
}

static struct tally tally(struct model *m, int64_t now)
{
	struct json_doc *doc = json_doc_new();
	struct tally t = {0};
	const struct json *root = sim_read(m, now, SIM_PATH, NULL, doc);
	char *ledger = sim_ledger(m);

	for (const struct json *row = json_first(root); row; row = json_next(row))
		look_at(row, ledger, now, &t);
	free(ledger);
	json_doc_free(doc);
	return t;
}

static void rows_and_ledger_agree(void **state)
{
	static const struct {
		const char *times;
		bool null, early, future, fine;
	} cases[] = {
		{"null=0", false, false, false, true},
		{"null=100", true, false, false, false},
		{"early=100", false, true, false, false},
		{"null=20,early=20,future=20", true, true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct model *m = make(cases[i].times);
		int64_t now = SIM_EPOCH + 90000;
		struct tally t = tally(m, now), later = tally(m, now);
		size_t fine = t.flags - t.null - t.before_row - t.future;
		assert_true(t.flags > 100);
		assert_memory_equal(&t, &later, sizeof t);
		assert_int_equal(t.null > 0, cases[i].null);
		assert_int_equal(t.before_row > 0, cases[i].early);
		assert_int_equal(t.future > 0, cases[i].future);
		assert_int_equal(fine > 0, cases[i].fine);
		model_free(m);
	}
}

/* A flag that rises again does so at another time, off by as much as the first. */
static void risen_again(void **state)
{
	struct model *m = make("early=50,future=50");
	struct json_doc *doc = json_doc_new();
	const struct json *row =
		json_first(sim_read(m, LATE, SIM_PATH, "is_delivered=true&take=1", doc));
	char id[32], at[64], line[160];

	(void)state;
	snprintf(id, sizeof id, "%s", json_string(json_get(row, "id")));
	snprintf(at, sizeof at, "%s", json_string(json_get(row, "is_delivered_at")));
	model_advance(m, LATE + HOUR);
	assert_true(model_change(m, "bc_1", id, SIM_DELIVERED, false));
	model_advance(m, LATE + 2 * HOUR);
	assert_true(model_change(m, "bc_1", id, SIM_DELIVERED, true));
	struct tally t = tally(m, LATE + 2 * HOUR);
	assert_int_equal(t.null, 0);
	char *ledger = sim_ledger(m);
	snprintf(line, sizeof line, "\"%s\",\"at\":\"%s\",\"timed\":true", id, at);
	assert_int_equal(sim_lines(ledger, "recipient.delivered", line), 1);
	assert_int_equal(sim_lines(ledger, "recipient.delivered", id), 2);
	assert_int_equal(sim_lines(ledger, "recipient.reverted", "\"timed\":false"), 1);
	free(ledger);
	json_doc_free(doc);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_read),
		cmocka_unit_test(rows_and_ledger_agree),
		cmocka_unit_test(risen_again),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
