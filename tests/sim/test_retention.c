/* What becomes of events that nobody takes, and what is told of destinations: a whole relay, with a
 * receiver over a real socket, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/sim/outside.h"

#define RECIPIENTS "when: { type: [{ prefix: recipient. }] }, "
#define HOUR_MS	   (60 * MINUTE_MS)

static void act(const struct outside *o, enum admin_act what, const char *why)
{
	struct err err = {0};
	if (relay_act_on(outside_relay(o), "crm", what, why, &err) < 0)
		fail_msg("%s", err.msg);
}

static void run_campaign(struct outside *o)
{
	drive_run(o->s.d, 20 * MINUTE_MS);
	model_end(drive_model(o->s.d));
	drive_run(o->s.d, 20 * MINUTE_MS);
	outside_rest(o);
}

/* The sum of `count` over all relay.dropped with that reason; each names up to five events. */
struct lost {
	int64_t count;
	int events;
	const char *reason;
};

static struct lost lost_for(const struct outside *o, const char *reason)
{
	struct lost ret = {.reason = reason};
	char *path = xasprintf("%s/events.ndjson", o->s.dir), *line = NULL;
	char wanted[64];
	size_t room = 0;
	drive_drain(o->s.d);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	snprintf(wanted, sizeof wanted, "\"reason\":\"%s\"", reason);
	while (getline(&line, &room, f) > 0) {
		if (!strstr(line, "\"type\":\"relay.dropped\"") || !strstr(line, wanted))
			continue;
		assert_non_null(strstr(line, "\"destination\":\"crm\""));
		assert_non_null(strstr(line, "\"ids\":[\"evt_"));
		ret.count += strtoll(strstr(line, "\"count\":") + 8, NULL, 10);
		ret.events++;
	}
	fclose(f);
	free(line);
	free(path);
	return ret;
}

static void parked_events_are_kept_so_long(void **state)
{
	struct outside o;

	(void)state;
	outside_new(&o, 60, ANSWER_NO, "", RECIPIENTS);
	o.s.o.journal = ", keep_unsent: 3h";
	outside_begin(&o);
	run_campaign(&o);
	size_t parked = outside_status(&o, "crm").parked;
	assert_true(parked > 100);
	drive_run(o.s.d, HOUR_MS);
	assert_int_equal(outside_status(&o, "crm").parked, parked);
	drive_restart(o.s.d);
	drive_run(o.s.d, 4 * HOUR_MS);
	outside_rest(&o);
	assert_int_equal(outside_status(&o, "crm").parked, 0);
	struct lost lost = lost_for(&o, "keep_unsent");
	assert_int_equal(lost.count, parked);
	assert_in_range(lost.events, 1, 3); /* once an hour at most */
	drive_restart(o.s.d);
	drive_run(o.s.d, 1000);
	assert_int_equal(outside_status(&o, "crm").parked, 0);
	assert_int_equal(outside_calls(&o, "", ""), parked);
	outside_finish(&o);
}

/* By hand, by its settings, or out of the configuration: it keeps collecting, but not for ever. */
static void what_is_owed_to_nobody_is_kept_so_long(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		struct outside o;
		outside_new(&o, 60, ANSWER_OK, way == 1 ? "enabled: false, " : "", RECIPIENTS);
		o.s.o.journal = ", keep_unsent: 3h";
		outside_begin(&o);
		if (way == 0)
			act(&o, ADMIN_DISABLE, "it rains");
		run_campaign(&o);
		if (way == 2) /* what is routed is owed; here nothing, as it was sent before */
			act(&o, ADMIN_DISABLE, NULL);
		size_t sent = outside_calls(&o, "", "");
		assert_int_equal(sent > 0, way == 2);
		size_t all = (size_t)scene_count(&o.s, "\"recipient.", "\"specversion\"", "");
		if (way == 2) {
			const struct admin_request q = {.body = "{\"destination\":\"crm\"}",
							.len = 21};
			struct buf text = BUF_INIT(1 << 20);
			struct err err = {0};
			assert_int_equal(
				relay_take_job(outside_relay(&o), "replay", &q, &text, &err), 0);
			buf_release(&text);
			drive_run(o.s.d, 5000);
			outside_reload(&o, NULL, NULL);
		}
		drive_run(o.s.d, HOUR_MS);
		assert_int_equal(lost_for(&o, "keep_unsent").events, 0);
		drive_run(o.s.d, 4 * HOUR_MS);
		outside_rest(&o);
		assert_int_equal(lost_for(&o, "keep_unsent").count, all);
		if (way == 0)
			act(&o, ADMIN_ENABLE, NULL);
		else
			outside_reload(&o, "", RECIPIENTS);
		outside_rest(&o);
		assert_int_equal(outside_calls(&o, "", ""), sent);
		outside_finish(&o);
	}
}

static void what_is_disabled_for_a_while_loses_nothing(void **state)
{
	struct outside o;

	(void)state;
	outside_new(&o, 60, ANSWER_OK, "", RECIPIENTS);
	outside_begin(&o);
	act(&o, ADMIN_DISABLE, "it rains");
	run_campaign(&o);
	drive_restart(o.s.d);
	drive_run(o.s.d, 10 * MINUTE_MS);
	assert_int_equal(outside_status(&o, "crm").state, DESTINATION_DISABLED);
	assert_string_equal(outside_status(&o, "crm").why, "it rains");
	assert_int_equal(outside_calls(&o, "", ""), 0);
	assert_int_equal(scene_count(&o.s, "\"relay.destination.disabled\"", "\"crm\"", "it rains"),
			 1);
	act(&o, ADMIN_ENABLE, NULL);
	outside_rest(&o);
	assert_int_equal(outside_calls(&o, "", ""),
			 scene_count(&o.s, "\"recipient.", "\"specversion\"", ""));
	outside_finish(&o);
}

static void a_detached_one_is_dropped(void **state)
{
	struct outside o;
	struct err err = {0};

	(void)state;
	outside_new(&o, 60, ANSWER_NO, "", RECIPIENTS);
	outside_begin(&o);
	drive_run(o.s.d, 4 * MINUTE_MS);
	act(&o, ADMIN_DISABLE, NULL);
	run_campaign(&o);
	int all = scene_count(&o.s, "\"recipient.", "\"specversion\"", "");
	assert_int_equal(relay_act_on(outside_relay(&o), "crm", ADMIN_DROP, NULL, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_true(outside_status(&o, "crm").parked > 0);
	uint32_t number = outside_status(&o, "crm").number;
	outside_reload(&o, NULL, NULL);
	assert_int_equal(relay_act_on(outside_relay(&o), "crm", ADMIN_ENABLE, NULL, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	act(&o, ADMIN_DROP, NULL);
	drive_run(o.s.d, 1000);
	assert_null(outside_status(&o, "crm").name);
	assert_int_equal(relay_act_on(outside_relay(&o), "crm", ADMIN_DROP, NULL, &err), -1);
	assert_int_equal(err.code, ERR_MISSING);
	outside_rest(&o);
	assert_int_equal(lost_for(&o, "by_hand").count, all); /* owed and parked */
	drive_restart(o.s.d);
	drive_run(o.s.d, 1000);
	assert_null(outside_status(&o, "crm").name);
	outside_reload(&o, "", RECIPIENTS); /* the name is free; it is another one */
	assert_true(outside_status(&o, "crm").number > number);
	assert_int_equal(outside_status(&o, "crm").parked, 0);
	outside_finish(&o);
}

/* A reload that brings it back waits for the source: then it is not dropped any more. */
static void one_that_comes_back_is_not_dropped(void **state)
{
	struct outside o;
	struct err err = {0};

	(void)state;
	outside_new(&o, 60, ANSWER_OK, "", RECIPIENTS);
	char *with = xstrdup(o.rest);
	outside_begin(&o);
	drive_run(o.s.d, 4 * MINUTE_MS);
	outside_reload(&o, NULL, NULL);
	drive_reload_rules(o.s.d, with);
	assert_int_equal(relay_act_on(outside_relay(&o), "crm", ADMIN_DROP, NULL, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	run_campaign(&o);
	assert_int_equal(outside_status(&o, "crm").state, DESTINATION_ENABLED);
	assert_true(outside_calls(&o, "", "") > 0);
	outside_finish(&o);
	free(with);
}

static size_t take(const struct outside *o, const char *kind)
{
	const struct admin_request q = {.body = "{\"destination\":\"crm\"}", .len = 21};
	struct buf text = BUF_INIT(1 << 20);
	struct err err = {0};
	if (relay_take_job(outside_relay(o), kind, &q, &text, &err) < 0)
		fail_msg("%s", err.msg);
	buf_release(&text);
	return outside_calls(o, "", "");
}

/* A replay whose rows cannot be committed for long: what it took up stays all the while, so that
 * what is refused then is parked with its event; and goes in its time afterwards. */
static void what_a_job_takes_up_is_kept(void **state)
{
	struct outside o;

	(void)state;
	outside_new(&o, 60, ANSWER_OK, "", RECIPIENTS);
	o.s.o.journal = ", keep: 3h, keep_unsent: 30d";
	outside_begin(&o);
	run_campaign(&o);
	int64_t oldest = journal_oldest(outside_relay(&o)->journal);
	http_receiver_answer(o.receiver, ANSWER_NO);
	drive_fail_commits(o.s.d, ERR_LIMIT);
	size_t all = take(&o, "replay");
	for (int i = 0; i < 2000 && outside_calls(&o, "", "") < 2 * all; i++) {
		drive_run(o.s.d, 100);
		relay_wait(outside_relay(&o), 5);
	}
	assert_int_equal(outside_calls(&o, "", ""), 2 * all);
	drive_run(o.s.d, 5 * HOUR_MS);
	assert_int_equal(journal_oldest(outside_relay(&o)->journal), oldest);
	drive_fail_commits(o.s.d, 0);
	drive_run(o.s.d, HOUR_MS);
	outside_rest(&o);
	assert_int_equal(outside_status(&o, "crm").parked, all);
	assert_true(journal_oldest(outside_relay(&o)->journal) > oldest + (int64_t)all);
	http_receiver_answer(o.receiver, ANSWER_OK);
	assert_int_equal(outside_job(&o, "retry", "").taken, all);
	outside_rest(&o);
	assert_int_equal(outside_status(&o, "crm").parked, 0);
	outside_finish(&o);
}

/* It is the only account of them. */
static void what_was_dropped_is_told_when_the_journal_can(void **state)
{
	static const int failures[] = {ERR_STORE, ERR_LIMIT};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct outside o;
		outside_new(&o, 60, ANSWER_NO, "", RECIPIENTS);
		outside_begin(&o);
		run_campaign(&o);
		int64_t parked = (int64_t)outside_status(&o, "crm").parked;
		assert_int_equal(outside_job(&o, "drop", "").taken, parked);
		assert_int_equal(lost_for(&o, "by_hand").count, 0); /* in a second */
		drive_fail_commits(o.s.d, failures[i]);
		drive_run(o.s.d, 20000);
		drive_fail_commits(o.s.d, 0);
		drive_run(o.s.d, 20000);
		outside_rest(&o);
		assert_int_equal(lost_for(&o, "by_hand").count, parked);
		outside_finish(&o);
	}
}

/* What is dropped again within the hour is told later; not so when the destination goes. */
static void what_waits_to_be_told_is_told_before_it_goes(void **state)
{
	struct outside o;

	(void)state;
	outside_new(&o, 60, ANSWER_NO, "", RECIPIENTS);
	outside_begin(&o);
	run_campaign(&o);
	int64_t parked = (int64_t)outside_status(&o, "crm").parked;
	int64_t opened = outside_job(&o, "drop", "{\"type\":\"recipient.opened\"}").taken;
	outside_rest(&o);
	assert_int_equal(lost_for(&o, "by_hand").count, opened);
	int64_t sent = outside_job(&o, "drop", "{\"type\":\"recipient.sent\"}").taken;
	assert_true(opened > 0 && sent > 0);
	outside_rest(&o);
	assert_int_equal(lost_for(&o, "by_hand").count, opened);
	outside_reload(&o, NULL, NULL);
	act(&o, ADMIN_DROP, NULL);
	outside_rest(&o);
	assert_int_equal(lost_for(&o, "by_hand").count, parked);
	outside_finish(&o);
}

/* Everything goes to it but what is about itself; all of that goes to the others. */
static void events_about_a_destination_go_to_the_others(void **state)
{
	struct outside o;

	(void)state;
	outside_new(&o, 60, ANSWER_NO, "retry: [0s, 1s, 1s], ", "");
	outside_begin(&o);
	drive_run(o.s.d, 6 * MINUTE_MS);
	outside_rest(&o);
	int told = scene_count(&o.s, "\"relay.parked\"", "\"why\":\"HTTP 404\"", "\"ids\":[\"evt_");
	assert_in_range(told, 1, 8); /* once a minute */
	assert_int_equal(scene_count(&o.s, "\"relay.", "Joe", ""), 0);
	http_receiver_answer(o.receiver, ANSWER_GONE);
	drive_run(o.s.d, 6 * MINUTE_MS);
	drive_restart(o.s.d);
	drive_run(o.s.d, MINUTE_MS);
	assert_int_equal(scene_count(&o.s, "\"relay.destination.disabled\"", "HTTP 410",
				     "\"subject\":\"crm\""),
			 1);
	outside_reload(&o, "retry: [0s, 2s], ", ""); /* a changed section enables it, in vain */
	drive_run(o.s.d, 6 * MINUTE_MS);
	assert_int_equal(scene_count(&o.s, "\"relay.destination.disabled\"", "HTTP 410", ""), 2);
	http_receiver_answer(o.receiver, ANSWER_OK);
	act(&o, ADMIN_ENABLE, NULL);
	outside_rest(&o);
	assert_true(outside_calls(&o, "\"recipient.", "") > 0);
	assert_int_equal(outside_calls(&o, "\"relay.", "\"destination\":\"crm\""), 0);
	outside_finish(&o);
}

/* Lets time pass until crm is down, or is not. */
static void await_down(struct outside *o, bool down)
{
	for (int i = 0; i < 1000 && (outside_status(o, "crm").down_ms != 0) != down; i++) {
		drive_run(o->s.d, 1000);
		relay_wait(outside_relay(o), 5);
	}
	assert_int_equal(outside_status(o, "crm").down_ms != 0, down);
}

/* What a start finds of an outage is past when the section goes and comes. */
static void an_outage_that_is_over_stays_over(void **state)
{
	struct outside o;

	(void)state;
	outside_new(&o, 200, ANSWER_OK, "", RECIPIENTS);
	outside_begin(&o);
	drive_run(o.s.d, 3 * MINUTE_MS);
	http_receiver_answer(o.receiver, ANSWER_BUSY);
	await_down(&o, true);
	drive_run(o.s.d, 1000);
	drive_restart(o.s.d);
	assert_true(outside_status(&o, "crm").down_ms != 0);
	http_receiver_answer(o.receiver, ANSWER_OK);
	await_down(&o, false);
	outside_rest(&o);
	outside_reload(&o, NULL, NULL);
	drive_restart(o.s.d);
	assert_int_equal(outside_status(&o, "crm").down_ms, 0);
	outside_reload(&o, "", RECIPIENTS);
	drive_restart(o.s.d);
	assert_int_equal(outside_status(&o, "crm").down_ms, 0);
	outside_finish(&o);
}

static void an_outage_of_a_destination_is_told_once(void **state)
{
	struct outside o;

	(void)state;
	outside_new(&o, 200, ANSWER_OK, "retry: [0s, 30m, 30m, 30m], ", RECIPIENTS);
	outside_begin(&o);
	drive_run(o.s.d, 3 * MINUTE_MS);
	http_receiver_answer(o.receiver, ANSWER_BUSY);
	for (int i = 0; i < 120 && !outside_status(&o, "crm").down_ms; i++) {
		size_t before = http_receiver_count(o.receiver, 0);
		drive_run(o.s.d, 2000);
		http_receiver_count(o.receiver, before);
		relay_wait(outside_relay(&o), 5);
	}
	assert_true(outside_status(&o, "crm").down_ms != 0);
	drive_run(o.s.d, 1000);
	for (int i = 0; i < 3; i++) {
		drive_restart(o.s.d);
		drive_run(o.s.d, 1000);
	}
	http_receiver_answer(o.receiver, ANSWER_OK);
	for (int i = 0; i < 1000 && outside_status(&o, "crm").down_ms; i++) {
		drive_run(o.s.d, 1000);
		relay_wait(outside_relay(&o), 5);
	}
	run_campaign(&o);
	assert_int_equal(scene_count(&o.s, "\"relay.destination.down\"", "\"why\":\"HTTP 503\"",
				     "\"since\":\"2023-11-"),
			 1);
	assert_int_equal(scene_count(&o.s, "\"relay.destination.up\"", "\"down_ms\":", ""), 1);
	assert_int_equal(outside_status(&o, "crm").parked, 0);
	outside_finish(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parked_events_are_kept_so_long),
		cmocka_unit_test(what_is_owed_to_nobody_is_kept_so_long),
		cmocka_unit_test(what_is_disabled_for_a_while_loses_nothing),
		cmocka_unit_test(a_detached_one_is_dropped),
		cmocka_unit_test(what_a_job_takes_up_is_kept),
		cmocka_unit_test(what_was_dropped_is_told_when_the_journal_can),
		cmocka_unit_test(what_waits_to_be_told_is_told_before_it_goes),
		cmocka_unit_test(events_about_a_destination_go_to_the_others),
		cmocka_unit_test(one_that_comes_back_is_not_dropped),
		cmocka_unit_test(an_outage_that_is_over_stays_over),
		cmocka_unit_test(an_outage_of_a_destination_is_told_once),
	};
	return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
