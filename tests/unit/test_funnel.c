/* funnel: what a report says of rows, of failures, and of the reports before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/source/funnel.h"
#include "tests/unit/looks.h"

static void add(struct funnel *f, const char *channel, uint64_t states, int64_t sent,
		int64_t delivered)
{
	struct recipient_record r = {.integration_id = (char *)channel, .states = states};

	if (sent)
		recipient_record_set_time(&r, STATE_SENT, sent);
	if (delivered)
		recipient_record_set_time(&r, STATE_DELIVERED, delivered);
	funnel_add(f, &r);
}

#define SENT	  (1u << STATE_SENT)
#define DELIVERED (1u << STATE_DELIVERED)
#define FAILED	  (1u << STATE_FAILED)

/* The data of a report, as text; yours. */
static char *report(struct looks *l, const struct funnel *f, struct causes *c, const char *past)
{
	struct report r = {.funnel = f,
			   .failures = c,
			   .status = "SENT",
			   .updated_ms = LOOKS_BASE,
			   .past = past};
	struct buf text = BUF_INIT(1 << 20);
	const struct json *body;

	events_release(&l->out);
	report_add(&l->out, &l->at, &r);
	assert_int_equal(l->out.n, 1);
	struct json_doc *doc = looks_body(&l->out.v[0], &body);
	json_write(&text, json_get(body, "data"));
	json_doc_free(doc);
	return buf_detach(&text);
}

static void expect_in(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("%s is not in %s", part, text);
}

static void rows_are_counted_by_state_and_channel(void **state)
{
	struct looks *l = *state;
	struct funnel f = {0};
	struct causes c = {0};

	add(&f, "gmail", SENT, 2000, 0);
	add(&f, "twilio", SENT | DELIVERED, 1000, 2000);
	add(&f, "twilio", SENT | DELIVERED, 3000, 4000);
	add(&f, NULL, FAILED, 0, 0);
	funnel_add(&f, &(struct recipient_record){.states = SENT, .gone = true});
	char *text = report(l, &f, &c, NULL);
	expect_in(text, "{\"org_id\":\"c\",\"broadcast_id\":\"bc_1\",\"broadcast_name\":\"Spring\","
			"\"status\":\"SENT\",\"rows\":4,\"funnel\":{"
			"\"skipped\":{\"count\":0,\"share\":0},"
			"\"failed\":{\"count\":1,\"share\":0.25},"
			"\"sent\":{\"count\":3,\"share\":0.75},"
			"\"delivered\":{\"count\":2,\"share\":0.5},");
	expect_in(text, "\"channels\":[{\"integration_id\":\"twilio\",\"rows\":2,\"funnel\":{");
	expect_in(text,
		  "\"sent\":{\"count\":2,\"share\":1},\"delivered\":{\"count\":2,\"share\":1}");
	expect_in(text, ",{\"integration_id\":null,\"rows\":1,");
	expect_in(text, ",{\"integration_id\":\"gmail\",\"rows\":1,");
	expect_in(text, "\"other_channels_rows\":0,");
	expect_in(text, "\"times\":{\"created\":\"2026-11-22T09:59:00.000Z\","
			"\"first_sent\":\"1970-01-01T00:00:01.000Z\","
			"\"last_sent\":\"1970-01-01T00:00:03.000Z\","
			"\"delivered_after\":{\"median\":1.0");
	expect_in(text, "\"previous\":[],\"change\":{}}");
	free(text);
	funnel_release(&f);
}

static void an_empty_broadcast_has_a_report(void **state)
{
	struct looks *l = *state;
	struct funnel f = {0};
	struct causes c = {0};

	l->at.broadcast_name = NULL;
	char *text = report(l, &f, &c, "no JSON");
	expect_in(text, "\"broadcast_name\":null");
	expect_in(text, "\"rows\":0,");
	expect_in(text, "\"sent\":{\"count\":0,\"share\":0}");
	expect_in(text, "\"channels\":[],\"other_channels_rows\":0,"
			"\"failures\":{\"count\":0,\"causes\":[],\"other\":0},");
	expect_in(text, "\"first_sent\":null,\"last_sent\":null,"
			"\"delivered_after\":{\"median\":null,\"p90\":null}},"
			"\"previous\":[],\"change\":{}}");
	free(text);
	funnel_release(&f);
	funnel_release(&f);
}

/* A flag that fell counts neither as state nor with its time; one without a time has none. */
static void only_what_is_true_counts(void **state)
{
	struct looks *l = *state;
	struct funnel f = {0};
	struct causes c = {0};

	add(&f, "a", 0, 1000, 2000);
	add(&f, "a", SENT | DELIVERED, -1, 2000);
	add(&f, "a", SENT | DELIVERED, 5000, -1);
	char *text = report(l, &f, &c, NULL);
	expect_in(text, "\"sent\":{\"count\":2,\"share\":0.6667}");
	expect_in(text, "\"first_sent\":\"1970-01-01T00:00:05.000Z\","
			"\"last_sent\":\"1970-01-01T00:00:05.000Z\","
			"\"delivered_after\":{\"median\":null,\"p90\":null}}");
	free(text);
	funnel_release(&f);
}

static void delays_are_known_to_a_few_percent(void **state)
{
	static const int64_t most[] = {1, 10, 1000, 60000, 86400000, 7 * INT64_C(86400000)};
	(void)state;

	for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
		struct funnel f = {0};
		assert_int_equal(funnel_delay_ms(&f, 0.5), -1);
		for (int64_t k = 1; k <= 100; k++)
			add(&f, "a", SENT | DELIVERED, 1000, 1000 + most[i] * k / 100);
		for (int share = 10; share <= 100; share += 10) {
			int64_t true_ms = most[i] * share / 100;
			int64_t ms = funnel_delay_ms(&f, share / 100.0);
			assert_true(ms >= true_ms && ms <= true_ms + true_ms * 45 / 1000 + 1);
		}
		funnel_release(&f);
	}
	struct funnel f = {0};
	add(&f, "a", SENT | DELIVERED, 5000, 1000); /* its clock runs behind */
	assert_int_equal(funnel_delay_ms(&f, 0.5), 0);
	funnel_release(&f);
}

static void channels_have_a_ceiling(void **state)
{
	struct looks *l = *state;
	struct funnel f = {0};
	struct causes c = {0};

	for (int i = 0; i < 100; i++)
		for (int k = 0; k <= i % 50; k++) {
			char name[16];
			snprintf(name, sizeof name, "ch%d", i);
			add(&f, name, SENT, 0, 0);
		}
	assert_int_equal(f.nchannels, CHANNELS_MAX);
	char *text = report(l, &f, &c, NULL);
	expect_in(text, "\"rows\":2550,");
	expect_in(text, "\"channels\":[{\"integration_id\":\"ch49\",\"rows\":50,");
	/* 50 + 49 + … + 31 are shown */
	expect_in(text, "\"other_channels_rows\":1740,");
	free(text);
	funnel_release(&f);
}

static void what_the_api_grew_is_told_where_it_is(void **state)
{
	struct looks *l = *state;
	struct funnel f = {0};
	struct causes c = {0};

	names_number(&l->states, "replied", STATES_MAX);
	names_number(&l->states, "starred", STATES_MAX);
	add(&f, "a", UINT64_C(1) << STATES_KNOWN, 0, 0);
	char *text = report(l, &f, &c, NULL);
	expect_in(text, "\"replied\":{\"count\":1,\"share\":1}}");
	assert_null(strstr(text, "starred"));
	free(text);
	funnel_release(&f);
}

static void failures_are_told_by_cause_and_channel(void **state)
{
	struct looks *l = *state;
	struct funnel f = {0};
	struct causes c = {0};

	for (int i = 0; i < 30; i++) {
		char text[64];
		snprintf(text, sizeof text, "cause %c", 'a' + i % 26);
		causes_add(&c, "twilio", text);
	}
	causes_add(&c, "gmail", "no mailbox of 4711");
	causes_add(&c, "gmail", "no mailbox of 4712");
	causes_add(&c, "gmail", "no mailbox of 1");
	causes_add(&c, NULL, NULL);
	causes_add(&c, NULL, "");
	char *text = report(l, &f, &c, NULL);
	expect_in(
		text,
		"\"failures\":{\"count\":35,\"causes\":["
		"{\"error_message\":\"no mailbox of #\",\"integration_id\":\"gmail\",\"count\":3},"
		"{\"error_message\":null,\"integration_id\":null,\"count\":2},"
		"{\"error_message\":\"cause a\",\"integration_id\":\"twilio\",\"count\":2},");
	expect_in(text, "\"other\":8}"); /* 20 are shown: 3 + 2 + 4 × 2 + 14 × 1 */
	free(text);
	causes_release(&c);
	funnel_release(&f);
}

static void earlier_reports_are_compared_with(void **state)
{
	struct looks *l = *state;
	struct funnel f = {0};
	struct causes c = {0};
	char *past = NULL;

	add(&f, "a", SENT | DELIVERED, 0, 0);
	for (int i = 1; i <= 5; i++) {
		struct buf next = BUF_INIT(1 << 16);
		char id[8];
		snprintf(id, sizeof id, "bc_%d", i);
		l->at.broadcast = id;
		add(&f, "a", SENT, 0, 0);
		char *text = report(l, &f, &c, past);
		report_remember(&next, &l->at,
				&(struct report){.funnel = &f, .failures = &c, .past = past});
		if (i == 3)
			/* 0.25 after 0.5 and 0.3333 */
			expect_in(text, "\"delivered\":-0.1667,");
		if (i == 5) {
			expect_in(text,
				  "\"previous\":[{\"broadcast_id\":\"bc_4\","
				  "\"at\":\"2026-11-22T10:01:40.000Z\",\"rows\":5,\"shares\":{");
			expect_in(text, "{\"broadcast_id\":\"bc_2\"");
			assert_null(strstr(text, "bc_1"));
			/* 0.1667 after 0.2, 0.25 and 0.3333 */
			expect_in(text, "\"delivered\":-0.0944,");
			expect_in(text, "\"sent\":0,");
		}
		free(text);
		free(past);
		past = buf_detach(&next);
	}
	free(past);
	funnel_release(&f);
}

static void the_id_follows_from_the_end(void **state)
{
	struct looks *l = *state;
	struct funnel f = {0};
	struct causes c = {0};
	struct report r = {
		.funnel = &f, .failures = &c, .status = "SENT", .updated_ms = 1795341690123};

	l->at.broadcast = "bc_01JDXK4T6Q";
	report_add(&l->out, &l->at, &r);
	looks_assert_vector(l->out.v[0].id, "report: ");
	assert_string_equal(l->out.v[0].topic, "broadcast.report.-.bc_01JDXK4T6Q");
	assert_int_equal(l->out.v[0].time_ms, l->at.recorded_ms);
	r.updated_ms = DATE_NONE; /* then when it was made */
	report_add(&l->out, &l->at, &r);
	assert_string_not_equal(l->out.v[1].id, l->out.v[0].id);
	funnel_release(&f);
}

#define IN_LOOKS(test) cmocka_unit_test_setup_teardown(test, looks_set_up, looks_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_LOOKS(rows_are_counted_by_state_and_channel),
		IN_LOOKS(an_empty_broadcast_has_a_report),
		IN_LOOKS(only_what_is_true_counts),
		IN_LOOKS(delays_are_known_to_a_few_percent),
		IN_LOOKS(channels_have_a_ceiling),
		IN_LOOKS(what_the_api_grew_is_told_where_it_is),
		IN_LOOKS(failures_are_told_by_cause_and_channel),
		IN_LOOKS(earlier_reports_are_compared_with),
		IN_LOOKS(the_id_follows_from_the_end),
	};

	return cmocka_run_group_tests_name("funnel", tests, NULL, NULL);
}
