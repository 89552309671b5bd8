/* Jobs of a whole relay with a receiver over a real socket: parked events tried again or dropped,
 * past ones sent once more, over restarts and after a change of the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/job.h"
#include "tests/sim/outside.h"

#define RECIPIENTS "when: { type: [{ prefix: recipient. }] }, "

/* A campaign has come to its end, and all is answered. */
static void run_campaign(struct outside *o)
{
	drive_run(o->s.d, 20 * MINUTE_MS);
	model_end(drive_model(o->s.d));
	drive_run(o->s.d, 20 * MINUTE_MS);
	outside_rest(o);
}

static void what_is_parked_is_tried_again(void **state)
{
	struct outside o;

	(void)state;
	outside_new(&o, 60, ANSWER_NO, "", RECIPIENTS);
	outside_begin(&o);
	run_campaign(&o);
	size_t parked = outside_status(&o, "crm").parked;
	assert_true(parked > 100);
	assert_int_equal(outside_calls(&o, "", ""), parked);
	http_receiver_answer(o.receiver, ANSWER_OK);

	struct job_ended end = outside_job(&o, "retry", "{\"destination\":\"file\"}");
	assert_string_equal(end.state, "done");
	assert_int_equal(end.taken, 0);
	end = outside_job(&o, "retry", "{\"status\":\"503\"}");
	assert_int_equal(end.taken, 0);
	end = outside_job(&o, "retry", "{\"type\":\"recipient.opened\",\"status\":\"404\"}");
	size_t opened = outside_calls(&o, "\"recipient.opened\"", "") / 2;
	assert_true(opened > 0);
	assert_int_equal(end.taken, opened);
	assert_int_equal(outside_status(&o, "crm").parked, parked - opened);
	end = outside_job(&o, "retry", "");
	assert_int_equal(end.taken, parked - opened);
	outside_rest(&o);
	assert_int_equal(outside_status(&o, "crm").parked, 0);
	assert_int_equal(outside_calls(&o, "", ""), 2 * parked);
	outside_finish(&o);
}

#define TWO                                                                                        \
	"  b: { http: { url: \"http://127.0.0.1:%d/\" } }\n"                                       \
	"  file: { stdout: { path: events.ndjson } }\n"                                            \
	"rules:\n"                                                                                 \
	"  - { name: opened, when: { type: [recipient.opened] }, to: [b] }\n"                      \
	"  - { name: all, to: [file] }\n"

/* One that is gone has more than may be taken up at a time; the other does not wait for that. */
static void nobody_waits_for_one_that_rests(void **state)
{
	struct outside o;
	char *url, *two, *both;

	(void)state;
	outside_new(&o, 1600, ANSWER_NO, "", RECIPIENTS);
	url = xasprintf("http://127.0.0.1:%d/", http_receiver_port(o.receiver));
	two = xasprintf("destinations:\n" TWO, http_receiver_port(o.receiver));
	both = xasprintf("destinations:\n  a: { http: { url: \"%s\" } }\n%s"
			 "  - { name: a, " RECIPIENTS "to: [a] }\n",
			 url, two + strlen("destinations:\n"));
	o.s.o.rest = both;
	outside_begin(&o);
	run_campaign(&o);
	size_t parked = outside_status(&o, "b").parked;
	assert_true(parked > 0 && outside_status(&o, "a").parked > 5000);
	drive_reload_rules(o.s.d, two);
	drive_run(o.s.d, 1000);
	http_receiver_answer(o.receiver, ANSWER_OK);
	struct job_ended end = outside_job(&o, "retry", "");
	assert_string_equal(end.state, "done");
	assert_int_equal(end.taken, 5000 + parked);
	outside_rest(&o);
	assert_int_equal(outside_status(&o, "b").parked, 0);
	outside_finish(&o);
	free(url);
	free(two);
	free(both);
}

/* One event may be named by its id or by its sequence, and twice. */
static void what_is_parked_is_dropped(void **state)
{
	struct outside o;
	char body[160], id[64];

	(void)state;
	outside_new(&o, 60, ANSWER_NO, "", RECIPIENTS);
	outside_begin(&o);
	run_campaign(&o);
	size_t parked = outside_status(&o, "crm").parked;
	const char *first = http_receiver_get(o.receiver, 0)->body;
	const char *second = http_receiver_get(o.receiver, 1)->body;
	snprintf(id, sizeof id, "%.36s", strstr(first, "evt_"));
	int64_t sequence = strtoll(strstr(second, "\"sequence\":\"") + 12, NULL, 10);
	snprintf(body, sizeof body, "{\"ids\":[\"%016lld\",\"%lld\"]}", (long long)sequence,
		 (long long)sequence);
	assert_int_equal(outside_job(&o, "retry", body).taken, 1);
	outside_rest(&o);
	assert_int_equal(outside_status(&o, "crm").parked, parked);
	snprintf(body, sizeof body, "{\"ids\":[\"%s\",\"%lld\",\"%s\"]}", id, (long long)sequence,
		 id);
	assert_int_equal(outside_job(&o, "drop", body).taken, 2);
	assert_int_equal(outside_status(&o, "crm").parked, parked - 2);
	assert_int_equal(outside_job(&o, "drop", body).taken, 0);
	outside_rest(&o);
	assert_int_equal(scene_count(&o.s, "\"relay.dropped\"", "\"reason\":\"by_hand\"", id), 1);
	assert_int_equal(scene_count(&o.s, "\"relay.dropped\"", "\"count\":2", id), 1);
	drive_restart(o.s.d);
	drive_run(o.s.d, 1000);
	assert_int_equal(outside_status(&o, "crm").parked, parked - 2);
	assert_int_equal(outside_calls(&o, "", ""), parked + 1);
	outside_finish(&o);
}

static void what_was_sent_is_sent_once_more(void **state)
{
	struct outside o;

	(void)state;
	outside_new(&o, 60, ANSWER_OK, "", RECIPIENTS);
	outside_begin(&o);
	run_campaign(&o);
	size_t all = outside_calls(&o, "", ""), opened = outside_calls(&o, "recipient.opened", "");
	assert_true(opened > 0 && opened < all);
	struct job_ended end = outside_job(&o, "replay",
					   "{\"destination\":\"crm\",\"type\":\"recipient.opened\","
					   "\"since\":\"2023-11-01T00:00:00Z\"}");
	assert_string_equal(end.state, "done");
	assert_int_equal(end.taken, opened);
	outside_rest(&o);
	assert_int_equal(outside_calls(&o, "", ""), all + opened);
	assert_int_equal(outside_calls(&o, "recipient.opened", ""), 2 * opened);
	end = outside_job(&o, "replay",
			  "{\"destination\":\"crm\",\"until\":\"2023-11-01T00:00:00Z\"}");
	assert_int_equal(end.taken, 0);
	end = outside_job(&o, "replay", "{\"destination\":\"crm\"}");
	outside_rest(&o);
	assert_int_equal(end.taken, all);
	assert_int_equal(outside_calls(&o, "", ""), 2 * all + opened);
	outside_finish(&o);
}

/* What a rule of today sends there, though it was not there then; that went there once goes again
 * if it still would; nothing else does, nor what is about the destination itself. */
static void past_events_go_where_rules_send_them_now(void **state)
{
	static const char opened_only[] = "when: { type: [recipient.opened] }, ";
	struct outside o;

	(void)state;
	outside_new(&o, 60, ANSWER_NO, "", opened_only);
	outside_begin(&o);
	run_campaign(&o);
	size_t opened = outside_calls(&o, "", "");
	size_t sent = (size_t)scene_count(&o.s, "\"recipient.sent\"", "", "");
	size_t told = (size_t)scene_count(&o.s, "\"relay.parked\"", "", "");
	assert_true(opened > 0 && sent > opened && told > 0);
	http_receiver_answer(o.receiver, ANSWER_OK);
	outside_reload(&o, "", "when: { type: [recipient.sent, { prefix: relay. }] }, ");
	struct job_ended end =
		outside_job(&o, "replay", "{\"destination\":\"crm\",\"reroute\":true}");
	assert_string_equal(end.state, "done");
	outside_rest(&o);
	assert_int_equal(outside_calls(&o, "\"recipient.sent\"", ""), sent);
	assert_int_equal(outside_calls(&o, "\"recipient.opened\"", ""), opened);
	assert_int_equal(outside_calls(&o, "\"relay.parked\"", ""), 0);
	assert_int_equal(outside_status(&o, "crm").parked, opened);

	outside_reload(&o, "", "when: { type: [recipient.opened] }, ");
	end = outside_job(&o, "replay", "{\"destination\":\"crm\",\"reroute\":true}");
	outside_rest(&o);
	assert_int_equal(end.taken, opened); /* they were parked */
	assert_int_equal(outside_calls(&o, "\"recipient.opened\"", ""), 2 * opened);
	assert_int_equal(outside_status(&o, "crm").parked, 0);
	/* Late routes are history, too: they can be sent again as they are. */
	end = outside_job(&o, "replay", "{\"destination\":\"crm\",\"type\":\"recipient.sent\"}");
	assert_int_equal(end.taken, sent);
	outside_finish(&o);
}

/* Killed at any step, a job goes on, and all that it is about is sent at least once. */
static void a_job_survives_kills(void **state)
{
	static const char *const bodies[] = {"{\"destination\":\"crm\"}",
					     "{\"destination\":\"crm\",\"reroute\":true}"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct outside o;
		outside_new(&o, 200, ANSWER_OK, "", i ? "when: { type: [x] }, " : RECIPIENTS);
		outside_begin(&o);
		run_campaign(&o);
		size_t all = (size_t)scene_count(&o.s, "\"recipient.", "\"specversion\"", "");
		size_t before = outside_calls(&o, "", "");
		assert_true(all > 500 && before == (i ? 0 : all));
		if (i)
			outside_reload(&o, "", RECIPIENTS);
		const struct admin_request q = {.body = bodies[i], .len = strlen(bodies[i])};
		struct buf text = BUF_INIT(1 << 20);
		struct err err = {0};
		assert_int_equal(relay_take_job(outside_relay(&o), "replay", &q, &text, &err), 0);
		assert_non_null(strstr(text.data, "\"id\":1,\"state\":\"queued\""));
		buf_release(&text);
		for (int kills = 0; kills < 12; kills++) {
			for (int turns = 0; turns < kills; turns++) {
				relay_tick(outside_relay(&o), relay_now(outside_relay(&o)));
				relay_wait(outside_relay(&o), 2);
			}
			drive_restart(o.s.d);
		}
		assert_string_equal(outside_wait(&o).state, "done");
		outside_rest(&o);
		assert_in_range(outside_calls(&o, "", "") - before, all, 20 * all);
		size_t calls = http_receiver_count(o.receiver, 0);
		for (size_t k = 0; !i && k < all; k++) { /* each of the first is there again */
			char id[64];
			snprintf(id, sizeof id, "%.36s",
				 strstr(http_receiver_get(o.receiver, k)->body, "evt_"));
			size_t at = all;
			while (at < calls && !strstr(http_receiver_get(o.receiver, at)->body, id))
				at++;
			assert_true(at < calls);
		}
		outside_finish(&o);
	}
}

static void what_cannot_be_done_is_refused(void **state)
{
	static const struct {
		const char *kind, *body;
		enum err_code code;
		const char *why;
	} cases[] = {
		{"retry", "{\"destination\":\"none\"}", ERR_MISSING, "none called none"},
		{"retry", "{\"destination\":7}", ERR_USAGE, "destination: a text"},
		{"replay", "{}", ERR_USAGE, "destination: a replay needs one"},
		{"drop", "{\"reroute\":true}", ERR_USAGE, "reroute: only a replay"},
	};
	struct outside o;

	(void)state;
	outside_new(&o, 10, ANSWER_OK, "", "");
	outside_begin(&o);
	struct relay *r = outside_relay(&o);
	struct buf text = BUF_INIT(1 << 20);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct admin_request q = {.body = cases[i].body,
						.len = strlen(cases[i].body)};
		struct err err = {0};
		assert_int_equal(relay_take_job(r, cases[i].kind, &q, &text, &err), -1);
		assert_int_equal(err.code, cases[i].code);
		assert_non_null(strstr(err.msg, cases[i].why));
	}
	const struct admin_request q = {.body = "", .len = 0};
	struct err err = {0};
	for (int i = 0; i < JOBS_MAX; i++)
		assert_int_equal(relay_take_job(r, "retry", &q, &text, &err), 0);
	assert_int_equal(relay_take_job(r, "retry", &q, &text, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(relay_cancel_job(r, 7, &err), 0);
	assert_int_equal(relay_cancel_job(r, 7, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(relay_cancel_job(r, 1000, &err), -1);
	assert_int_equal(err.code, ERR_MISSING);
	outside_wait(&o);
	buf_clear(&text); /* twenty of those that ended are shown, the newest */
	drive_run(o.s.d, 5000);
	outside_job(&o, "retry", "");
	relay_list_jobs(r, &text);
	assert_null(strstr(text.data, "\"id\":80,"));
	assert_non_null(strstr(text.data, "\"id\":101,"));
	buf_release(&text);
	outside_finish(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_parked_is_tried_again),
		cmocka_unit_test(nobody_waits_for_one_that_rests),
		cmocka_unit_test(what_is_parked_is_dropped),
		cmocka_unit_test(what_was_sent_is_sent_once_more),
		cmocka_unit_test(past_events_go_where_rules_send_them_now),
		cmocka_unit_test(a_job_survives_kills),
		cmocka_unit_test(what_cannot_be_done_is_refused),
	};
	return cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}
