/* sim ledger: every change once, shown only by replies that went out whole and readable, owed by
 * what a reader of all of them had to notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sim_client.h"

#define HOUR 3600000LL
#define LATE (SIM_EPOCH + 600 * HOUR)

static void one_line_a_change(void **state)
{
	struct model *m = sim_make(1500, SIM_ORDER_UPDATED);
	static const int64_t moments[] = {SIM_EPOCH + 30000, SIM_EPOCH + HOUR, LATE};

	(void)state;
	for (size_t t = 0; t < 3; t++) {
		model_advance(m, moments[t]);
		char *ledger = sim_ledger(m);
		assert_int_equal(sim_lines(ledger, "\"recipient.added\"", NULL), 1500);
		assert_int_equal(sim_lines(ledger, "\"recipient.failed\"", "\"timed\":true"),
				 sim_count(m, moments[t], "is_failed=true"));
		assert_int_equal(sim_lines(ledger, "\"recipient.opened\"", NULL),
				 sim_count(m, moments[t], "is_opened=true"));
		assert_int_equal(sim_lines(ledger, "\"recipient.processed\"", "\"timed\":false"),
				 sim_count(m, moments[t], "status=PROCESSED"));
		assert_int_equal(sim_lines(ledger, "recipient.", "\"owed\":false"), 0);
		assert_int_equal(sim_lines(ledger, "clicked", NULL), 0);
		free(ledger);
	}
	model_free(m);
}

static size_t shown(struct model *m)
{
	char *ledger = sim_ledger(m);
	size_t n = sim_lines(ledger, "recipient.added", "\"shown\":true");

	free(ledger);
	return n;
}

static void only_what_was_served_is_shown(void **state)
{
	static const struct {
		const char *fault;
		size_t shown; /* of the ten rows asked for */
	} cases[] = {
		{NULL, 10},	 {"429", 0},	  {"500", 0},	  {"401", 0},	     {"404", 0},
		{"html", 0},	 {"truncate", 0}, {"cut", 0},	  {"cut=9999", 0},   {"reset", 0},
		{"utf8", 0},	 {"nul", 0},	  {"types", 9},	  {"words", 10},     {"flag", 10},
		{"hang", 0},	 {"flood", 0},	  {"take=5", 5},  {"overlap=3", 10}, {"repeat", 10},
		{"endless", 10}, {"double", 10},  {"missing", 9}, {"headers", 10},   {"slow", 10},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct model *m = sim_make(50, SIM_ORDER_NONE);
		struct sim_reply reply;
		struct err err = {0};
		assert_int_equal(model_set_faults(m, &cases[i].fault, cases[i].fault != NULL, &err),
				 0);
		sim_ask(m, SIM_EPOCH + HOUR, SIM_PATH, "take=10&page=2", &reply);
		assert_int_equal(shown(m), 0);
		model_served(m, &reply);
		if (shown(m) != cases[i].shown)
			fail_msg("%s: %zu shown", cases[i].fault, shown(m));
		sim_reply_release(&reply);
		model_free(m);
	}
}

/* ---- changes by hand: what is owed of them */

static bool has_line(const char *ledger, const char *type, const char *id, bool owed)
{
	char full[64], state[64], flag[32];
	const char *colon = strchr(type, ':');

	snprintf(full, sizeof full, "\"recipient.%.*s\"",
		 (int)(colon ? colon - type : (long)strlen(type)), type);
	snprintf(state, sizeof state, "\"state\":\"%s\"", colon ? colon + 1 : "");
	snprintf(flag, sizeof flag, "\"owed\":%s", owed ? "true" : "false");
	for (const char *at = ledger; *at; at = strchr(at, '\n') + 1) {
		size_t len = strcspn(at, "\n");
		if (memmem(at, len, full, strlen(full)) && memmem(at, len, id, strlen(id)) &&
		    memmem(at, len, flag, strlen(flag)) &&
		    (!colon || memmem(at, len, state, strlen(state))))
			return true;
	}
	return false;
}

/* A row's life by letters: F fails, f un-fails, R removed, s shown. Then the lines expected, by
 * count of "recipient.failed", reverted and removed, owed and not. */
struct story {
	const char *course;
	size_t failed, failed_owed, reverted, reverted_owed, removed_owed;
};

static void tell(struct model *m, const char *course, const char *id)
{
	int64_t now = LATE;

	for (; *course; course++, now += 1000) {
		struct sim_reply reply;
		model_advance(m, now);
		switch (*course) {
		case 'F': assert_true(model_change(m, "bc_1", id, SIM_FAILED, true)); break;
		case 'f': assert_true(model_change(m, "bc_1", id, SIM_FAILED, false)); break;
		case 'R': assert_true(model_change(m, "bc_1", id, SIM_REMOVED, true)); break;
		default:
			sim_ask(m, now, SIM_PATH, NULL, &reply);
			model_served(m, &reply);
			sim_reply_release(&reply);
		}
	}
}

/* The id of a row that is delivered, so that nature has no failure for it. */
static void delivered_row(struct model *m, char ret[32])
{
	struct sim_reply reply;

	sim_ask(m, LATE, SIM_PATH, "is_delivered=true&take=1", &reply);
	const char *at = strstr(reply.body.data, "rcp_");
	snprintf(ret, 32, "%.*s", (int)strcspn(at, "\""), at);
	sim_reply_release(&reply);
}

static void owed_is_what_a_reader_must_notice(void **state)
{
	static const struct story stories[] = {
		{"", 0, 0, 0, 0, 0},
		{"F", 1, 1, 0, 0, 0}, /* stands at the end */
		{"Fs", 1, 1, 0, 0, 0},
		{"Ff", 1, 0, 1, 0, 0}, /* came and went */
		{"sFfs", 1, 0, 1, 0, 0},
		{"Fsf", 1, 1, 1, 1, 0},	 /* its end stands */
		{"FsfF", 2, 1, 1, 0, 0}, /* the fall was not seen, so nothing seems to have changed
					  */
		{"FsfsF", 2, 2, 1, 1, 0},
		{"FfF", 2, 1, 1, 0, 0}, /* the second one stands */
		{"FsfFs", 2, 1, 1, 0, 0},
		{"R", 0, 0, 0, 0, 0}, /* nobody ever saw the row */
		{"sR", 0, 0, 0, 0, 1},
		{"sFR", 1, 0, 0, 0, 1}, /* the failure was not shown and does not stand */
		{"FsR", 1, 1, 0, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
		const struct story *s = &stories[i];
		struct model *m = sim_make(40, SIM_ORDER_UPDATED);
		char id[32], row[64];
		delivered_row(m, id);
		tell(m, s->course, id);
		char *ledger = sim_ledger(m);
		snprintf(row, sizeof row, "\"%s\"", id);
		size_t failed = 0, failed_owed = 0, reverted = 0, reverted_owed = 0, gone_owed = 0;
		for (char *at = ledger; *at; at = strchr(at, '\n') + 1) {
			size_t len = strcspn(at, "\n");
			bool owed = memmem(at, len, "\"owed\":true", 11);
			if (!memmem(at, len, row, strlen(row)))
				continue;
			failed += !!memmem(at, len, "recipient.failed", 16);
			failed_owed += memmem(at, len, "recipient.failed", 16) && owed;
			reverted += !!memmem(at, len, "recipient.reverted", 18);
			reverted_owed += memmem(at, len, "recipient.reverted", 18) && owed;
			gone_owed += memmem(at, len, "recipient.removed", 17) && owed;
		}
		if (failed != s->failed || failed_owed != s->failed_owed ||
		    reverted != s->reverted || reverted_owed != s->reverted_owed ||
		    gone_owed != s->removed_owed)
			fail_msg("%s: failed %zu/%zu reverted %zu/%zu removed %zu", s->course,
				 failed, failed_owed, reverted, reverted_owed, gone_owed);
		free(ledger);
		model_free(m);
	}
}

/* The rest of a row's past is as it was when its history begins to be written down, with what had
 * been shown of it; and nature goes on. */
static void a_touched_row_keeps_its_past(void **state)
{
	struct model *m = sim_make(60, SIM_ORDER_NONE), *untouched = sim_make(60, SIM_ORDER_NONE);
	struct sim_rows rows;

	(void)state;
	sim_rows(m, SIM_EPOCH + 30000, "", 100, &rows);
	for (size_t i = 0; i < rows.n; i++)
		assert_true(model_change(m, "bc_1", rows.v[i].id, SIM_REPLIED, true));
	model_advance(m, LATE);
	model_advance(untouched, LATE);
	char *a = sim_ledger(m), *b = sim_ledger(untouched);
	for (int what = SIM_ADDED; what < SIM_REPLIED; what++) {
		char type[64];
		snprintf(type, sizeof type, "recipient.%s", sim_what_names[what]);
		assert_int_equal(sim_lines(a, type, "\"owed\":true"), sim_lines(b, type, NULL));
	}
	assert_int_equal(sim_lines(a, "recipient.replied", "\"owed\":true"), 60);
	assert_int_equal(sim_lines(a, "recipient.added", "\"shown\":true"), 60);
	assert_int_equal(sim_lines(b, "\"shown\":true", NULL), 0);
	free(a);
	free(b);
	sim_rows_release(&rows);
	model_free(m);
	model_free(untouched);
}

/* What changed after a reply was made is not shown by it, however late it goes out. */
static void a_slow_reply_shows_its_own_time(void **state)
{
	struct model *m = sim_make(40, SIM_ORDER_NONE);
	struct sim_reply reply;
	char id[32];

	(void)state;
	delivered_row(m, id);
	sim_ask(m, LATE, SIM_PATH, NULL, &reply);
	assert_true(model_change(m, "bc_1", id, SIM_FAILED, true));
	assert_true(model_change(m, "bc_1", id, SIM_FAILED, false));
	model_served(m, &reply);
	sim_reply_release(&reply);
	char *ledger = sim_ledger(m);
	assert_true(has_line(ledger, "failed", id, false));
	assert_false(has_line(ledger, "failed", id, true));
	assert_true(has_line(ledger, "reverted:failed", id, false));
	assert_int_equal(sim_lines(ledger, "recipient.reverted", "\"shown\":true"), 0);
	assert_true(has_line(ledger, "delivered", id, true));
	assert_int_equal(sim_lines(ledger, "recipient.delivered", id), 1);
	free(ledger);
	model_free(m);
}

static void changes_that_cannot_be(void **state)
{
	struct model *m = sim_make(40, SIM_ORDER_NONE);
	char id[32];

	(void)state;
	delivered_row(m, id);
	assert_false(model_change(m, "bc_2", id, SIM_FAILED, true));
	assert_false(model_change(m, "bc_1", "rcp_x", SIM_FAILED, true));
	assert_false(model_change(m, "bc_1", id, SIM_DELIVERED, true));
	assert_false(model_change(m, "bc_1", id, SIM_FAILED, false));
	assert_false(model_change(m, "bc_1", id, SIM_ADDED, false));
	assert_true(model_change(m, "bc_1", id, SIM_REMOVED, true));
	assert_false(model_change(m, "bc_1", id, SIM_FAILED, true));
	assert_int_equal(sim_count(m, LATE, ""), 39);
	model_free(m);
}

/* A list reply shows the status that holds; one that came and went between two is not owed. */
static void statuses_of_a_broadcast(void **state)
{
	struct model *m = sim_make(40, SIM_ORDER_NONE);
	struct json_doc *doc = json_doc_new();

	(void)state;
	sim_read(m, SIM_EPOCH - 1, "/orgs/c/broadcasts", NULL, doc);
	model_advance(m, LATE);
	char *ledger = sim_ledger(m);
	assert_int_equal(sim_lines(ledger, "broadcast.added", "\"owed\":true"), 1);
	assert_int_equal(sim_lines(ledger, "broadcast.draft", "\"owed\":false"), 1);
	assert_int_equal(sim_lines(ledger, "broadcast.scheduled", "\"owed\":true"), 1);
	assert_int_equal(sim_lines(ledger, "broadcast.sending", "\"owed\":false"), 1);
	assert_int_equal(sim_lines(ledger, "broadcast.sent", "\"owed\":true"), 1);
	free(ledger);
	json_doc_free(doc);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_a_change),
		cmocka_unit_test(only_what_was_served_is_shown),
		cmocka_unit_test(owed_is_what_a_reader_must_notice),
		cmocka_unit_test(a_touched_row_keeps_its_past),
		cmocka_unit_test(a_slow_reply_shows_its_own_time),
		cmocka_unit_test(changes_that_cannot_be),
		cmocka_unit_test(statuses_of_a_broadcast),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
