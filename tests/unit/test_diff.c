/* diff of recipients: two looks at a row in, events out: which, in what order, under which ids,
 * with what data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/looks.h"

#define BASE LOOKS_BASE
#define ALL  DATE_NONE

static void first_sight(void **state)
{
	static const struct {
		int64_t since;
		const char *row, *told;
	} cases[] = {
		{ALL, "", "added@100"},
		{ALL, CREATED(1), "added@1"},
		{ALL, CREATED(1) "," UP("sent", 2), "added@1 sent@2"},
		{BASE, CREATED(0), "added@0"},
		{BASE + 1, CREATED(0), ""},
		{BASE, "", ""},
		{BASE + 3000, CREATED(1) "," UP("sent", 2) "," UP("failed", 3), "failed@3"},
		{BASE + 3000, CREATED(1) "," UNDATED("sent"), ""},
		{BASE - 60000, "" UNDATED("sent"), "sent@100"},
		{BASE - 59999, "" UNDATED("sent"), ""},
		{ALL, CREATED(1) "," STATUS("PROCESSED"), "added@1 processed@100"},
		{BASE, CREATED(1) "," STATUS("PROCESSED"), "added@1 processed@100"},
		{BASE + 2000, CREATED(1) "," STATUS("PROCESSED"), ""},
		{ALL, CREATED(1) "," STATUS("SENDING"), "added@1"},
	};
	struct looks *r = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		r->at.since_ms = cases[i].since;
		looks_row(r, cases[i].row);
		assert_string_equal(r->told.data, cases[i].told);
		looks_row(r, cases[i].row);
		assert_string_equal(r->told.data, "");
		looks_forget(r);
	}
	r->at.since_ms = BASE;
	r->at.broadcast_created_ms = DATE_NONE;
	looks_row(r, UNDATED("sent"));
	assert_string_equal(r->told.data, "");
}

static void second_look(void **state)
{
	static const struct {
		const char *before, *after, *told;
	} cases[] = {
		{"", UP("sent", 2), "sent@2"},
		{DOWN("sent"), UP("sent", 2), "sent@2"},
		{"\"is_sent\":null", UP("sent", 2), "sent@2"},
		{"\"is_sent\":null", "\"is_sent\":false", ""},
		{"\"is_sent\":false", "", ""},
		{UP("sent", 2), UP("sent", 2), ""},
		{UP("sent", 2), UP("sent", 3), ""},
		{UP("sent", 2), UNDATED("sent"), ""},
		{UNDATED("sent"), UP("sent", 2), ""},
		{"", "\"is_sent\":true", "sent@100"},
		/* by time, not by field */
		{"", UP("failed", 2) "," UP("sent", 1), "sent@1 failed@2"},
		{"", UP("sent", 3) "," UP("opened", 2), "opened@2 sent@3"},
		{"", UP("sent", 3) "," UP("opened", 2) "," UP("played", 1),
		 "played@1 opened@2 sent@3"},
		/* ties by life */
		{"",
		 UP("unsubscribed", 2) "," UP("complained", 2) "," UP("bounced", 2) "," UP(
			 "failed", 2) "," UP("played",
					     2) "," UP("opened",
						       2) "," UP("delivered",
								 2) "," UP("sent",
									   2) "," UP("skipped", 2),
		 "skipped@2 sent@2 delivered@2 opened@2 played@2 failed@2 bounced@2 complained@2 "
		 "unsubscribed@2"},
		{"", UP("zapped", 2) "," UP("sent", 2), "sent@2 zapped@2"},
		/* undated ones before what comes later in life */
		{"", UNDATED("delivered") "," UP("sent", 2) "," UP("opened", 5),
		 "sent@2 delivered@100 opened@5"},
		{"", UNDATED("sent") "," UP("delivered", 4) "," UP("opened", 1),
		 "sent@100 opened@1 delivered@4"},
		{"", UNDATED("failed") "," UNDATED("sent"), "sent@100 failed@100"},
		{"", UNDATED("failed") "," UP("sent", 1), "sent@1 failed@100"},
		/* back */
		{UP("sent", 2), DOWN("sent"), "reverted(sent)@100"},
		{UP("sent", 2), "", "reverted(sent)@100"},
		{UP("delivered", 2) "," UP("sent", 1),
		 DOWN("delivered") "," UP("sent", 1) "," UP("failed", 3),
		 "failed@3 reverted(delivered)@100"},
		{UP("failed", 1) "," UP("sent", 1), "", "reverted(sent)@100 reverted(failed)@100"},
		{UP("zapped", 1), DOWN("zapped"), "reverted(zapped)@100"},
		/* status */
		{STATUS("SENDING"), STATUS("PROCESSED"), "processed@100"},
		{STATUS("SENDING"), STATUS("PROCESSED") "," UP("sent", 4), "sent@4 processed@100"},
		{STATUS("PROCESSED"), STATUS("PROCESSED"), ""},
		{STATUS("PROCESSED"), STATUS("SENDING"), ""},
		{STATUS("PROCESSED"), "", ""},
		{STATUS("SENDING"), "", ""},
		{STATUS("QUEUED"), STATUS("SENDING"), ""},
		{STATUS("QUEUED"), STATUS("PROCESSED"), "processed@100"},
		{CREATED(1), CREATED(1) "," STATUS("PROCESSED"), "processed@100"},
		/* a time ahead of the relay's clock counts as now */
		{"", "\"is_sent\":true,\"is_sent_at\":\"2030-01-01T00:00:00Z\"", "sent@100"},
		/* other fields are no events unless asked for */
		{"\"name\":\"a\"", "\"name\":\"b\",\"error_message\":\"e\"", ""},
	};
	struct looks *r = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		looks_row(r, cases[i].before);
		looks_row(r, cases[i].after);
		if (strcmp(r->told.data, cases[i].told) != 0)
			fail_msg("%s → %s: \"%s\", not \"%s\"", cases[i].before, cases[i].after,
				 r->told.data, cases[i].told);
		looks_row(r, cases[i].after);
		assert_string_equal(r->told.data, "");
		looks_forget(r);
	}
}

/* A status left out for a while, as by an older or newer API, makes no second processed. */
static void status_comes_and_goes(void **state)
{
	struct looks *r = *state;

	looks_row(r, CREATED(1) "," STATUS("SENDING"));
	looks_row(r, CREATED(1));
	assert_string_equal(r->told.data, "");
	looks_row(r, CREATED(1) "," STATUS("PROCESSED"));
	assert_string_equal(r->told.data, "processed@100");
	looks_row(r, CREATED(1));
	looks_row(r, CREATED(1) "," STATUS("PROCESSED"));
	assert_string_equal(r->told.data, "");
	assert_int_equal(r->record.processed, 1);
	looks_forget(r);
	r->at.since_ms = BASE + 5000;
	looks_row(r, CREATED(1));
	looks_row(r, CREATED(1) "," STATUS("PROCESSED"));
	assert_string_equal(r->told.data, "");
}

static void updates(void **state)
{
	static const struct {
		const char *before, *after, *changed;
	} cases[] = {
		{"\"name\":\"a\"", "\"name\":\"b\"", "[\"identity\"]"},
		{"", "\"error_message\":\"e\"", "[\"error\"]"},
		{"", "\"contact\":{\"id\":\"ct\"}", "[\"contact\"]"},
		{"", "\"contact\":{\"id\":\"ct\"},\"error_message\":\"e\",\"phone\":\"1\"",
		 "[\"identity\",\"error\",\"contact\"]"},
		{"\"contact\":{\"channels\":[1]}", "\"contact\":{\"channels\":[2]}", NULL},
	};
	struct looks *r = *state;

	r->at.updates = true;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		looks_row(r, cases[i].before);
		assert_string_equal(r->told.data, "added@100");
		looks_row(r, cases[i].after);
		assert_string_equal(r->told.data, cases[i].changed ? "updated@100" : "");
		if (cases[i].changed) {
			char member[80];
			snprintf(member, sizeof member, "\"changed\":%s,", cases[i].changed);
			assert_non_null(strstr(r->out.v[0].body, member));
		}
		looks_row(r, cases[i].after);
		assert_string_equal(r->told.data, "");
		looks_forget(r);
	}
	looks_row(r, "\"updated_at\":" AT(1));
	looks_row(r, "\"name\":\"b\",\"updated_at\":" AT(4) "," UP("sent", 9));
	assert_string_equal(r->told.data, "sent@9 updated@4");
}

static void the_whole_event(void **state)
{
	struct looks *r = *state;
	static const char expected[] =
		"{\"specversion\":\"1.0\",\"id\":\"%s\",\"type\":\"recipient.failed\","
		"\"source\":\"https://api.example.com/orgs/c/broadcasts/bc_1\",\"subject\":\"r1\","
		"\"time\":\"2026-11-22T10:00:15.200Z\","
		"\"recordedtime\":\"2026-11-22T10:01:40.000Z\",\"sequence\":\"0000000000000000\","
		"\"partitionkey\":\"r1\",\"datacontenttype\":\"application/json\",\"data\":{"
		"\"org_id\":\"c\",\"broadcast_id\":\"bc_1\",\"broadcast_name\":\"Spring\","
		"\"recipient_id\":\"r1\",\"integration_id\":\"twilio\",\"state\":\"failed\","
		"\"at\":\"2026-11-22T10:00:15.200Z\",\"error_message\":\"no \\\"such\\\" number\","
		"\"external_message_id\":\"SM1\","
		"\"previous\":{\"states\":[\"sent\"],\"status\":\"SENDING\"},"
		"\"since\":{\"created\":15.2,\"sent\":12.34},\"recipient\":%s}}";
	static const char row[] =
		"{\"id\":\"r1\",\"integration_id\":\"twilio\",\"status\":\"SENDING\",\"is_sent\":"
		"true,\"is_sent_at\":\"2026-11-22T11:00:02.86+01:00\",\"is_failed\":true,"
		"\"is_failed_at\":\"2026-11-22T10:00:15.2Z\",\"error_message\":\"no \\\"such\\\" "
		"number\",\"external_message_id\":\"SM1\",\"rank\":1.50,\"created_at\":"
		"\"2026-11-22T10:00:00Z\",\"contact\":{\"id\":\"ct\"%s,\"segments\":[]}}";
	char before[1024], after[1024], kept[1024], body[2048];

	snprintf(before, sizeof before, "{\"id\":\"r1\",\"status\":\"SENDING\",%s}",
		 "\"is_sent\":true,\"is_sent_at\":\"2026-11-22T10:00:02.86Z\"");
	snprintf(after, sizeof after, row, ", \"channels\": [{\"ip\": \"203.0.113.7\"}]");
	snprintf(kept, sizeof kept, row, "");
	looks_text(r, before);
	looks_text(r, after);
	assert_int_equal(r->out.n, 1);
	snprintf(body, sizeof body, expected, r->out.v[0].id, kept);
	assert_string_equal(r->out.v[0].body, body);
	assert_string_equal(r->out.v[0].topic, "recipient.failed.twilio.bc_1");
	assert_true(r->out.v[0].time_ms == BASE + 15200);
	assert_true(r->out.v[0].order_key == hash64("r1", 2));

	r->at.channels = true;
	looks_forget(r);
	looks_text(r, before);
	looks_text(r, after);
	assert_non_null(strstr(r->out.v[0].body, "\"channels\":[{\"ip\":\"203.0.113.7\"}]"));
}

/* Each event of a look tells what stood before it: the history, not the two looks. */
static void previous_is_running(void **state)
{
	struct looks *r = *state;
	static const char *const previous[] = {
		"\"previous\":{\"states\":[],\"status\":\"SENDING\"},\"since\":{}",
		"\"previous\":{\"states\":[\"sent\"],\"status\":\"SENDING\"},\"since\":{\"sent\":"
		"1}",
		"\"previous\":{\"states\":[\"sent\",\"delivered\"],\"status\":\"SENDING\"},"
		"\"since\":{\"sent\":2,\"delivered\":1}",
		"\"previous\":{\"states\":[\"sent\",\"delivered\",\"opened\"],\"status\":"
		"\"SENDING\"},\"recipient\"",
	};

	looks_row(r, STATUS("SENDING"));
	looks_row(r,
		  UP("opened", 3) "," UP("delivered", 2) "," UP("sent", 1) "," STATUS("PROCESSED"));
	assert_string_equal(r->told.data, "sent@1 delivered@2 opened@3 processed@100");
	for (size_t i = 0; i < r->out.n; i++)
		assert_non_null(strstr(r->out.v[i].body, previous[i]));

	looks_row(r, STATUS("PROCESSED"));
	assert_string_equal(r->told.data,
			    "reverted(sent)@100 reverted(delivered)@100 reverted(opened)@100");
	assert_non_null(strstr(r->out.v[2].body, "\"previous\":{\"states\":[\"opened\"],"
						 "\"status\":\"PROCESSED\"}"));
}

static void removed_tells_the_columns(void **state)
{
	struct looks *r = *state;
	struct events out = {0};

	looks_row(
		r,
		"\"name\":\"Ann\",\"integration_id\":\"gmail\",\"contact\":{\"id\":\"ct\"}," STATUS(
			"SENDING") "," CREATED(1) "," UP("sent", 2) "," UNDATED("opened"));
	looks_row(
		r,
		"\"name\":\"Ann\",\"integration_id\":\"gmail\",\"contact\":{\"id\":\"ct\"}," STATUS(
			"SENDING") "," CREATED(1) "," UP("sent", 2));
	diff_removed(&r->at, &r->record, &out);
	assert_int_equal(out.n, 1);
	assert_string_equal(out.v[0].type, "recipient.removed");
	assert_string_equal(out.v[0].topic, "recipient.removed.gmail.bc_1");
	assert_true(out.v[0].time_ms == BASE + 100000);
	assert_non_null(strstr(
		out.v[0].body,
		"\"data\":{\"org_id\":\"c\",\"broadcast_id\":\"bc_1\",\"broadcast_name\":"
		"\"Spring\",\"recipient_id\":\"r1\",\"integration_id\":\"gmail\",\"at\":null,"
		"\"previous\":{\"states\":[\"sent\"],\"status\":\"SENDING\"},\"recipient\":{"
		"\"id\":\"r1\",\"broadcast_id\":\"bc_1\",\"integration_id\":\"gmail\",\"status\":"
		"\"SENDING\",\"is_sent\":true,\"is_sent_at\":\"2026-11-22T10:00:02.000Z\","
		"\"is_opened\":false,\"is_opened_at\":null,\"created_at\":"
		"\"2026-11-22T10:00:01.000Z\",\"updated_at\":null,\"contact\":{\"id\":\"ct\"}}}}"));
	events_release(&out);
}

#define ROW(members)                                                                               \
	"{\"id\":\"rcp_01JDXK5A2B\",\"created_at\":\"2026-11-22T09:59:00.123Z\","                  \
	"\"updated_at\":\"2026-11-22T10:01:30.123Z\"," members "}"
#define FAILED_AT "\"is_failed\":true,\"is_failed_at\":\"2026-11-22T12:00:00.123456+02:00\""

static void ids_are_the_vectors(void **state)
{
	static const struct {
		const char *row, *what[2];
	} looks[] = {
		{ROW(STATUS("SENDING")), {"added: "}},
		{ROW(FAILED_AT "," STATUS("PROCESSED")), {"flag with _at: ", "processed: "}},
		{ROW(STATUS("PROCESSED")), {"reverted: "}},
		{ROW(STATUS("SENDING")), {NULL}},
		{ROW(STATUS("PROCESSED")), {"processed a second time"}},
		{ROW("\"is_clicked\":true,\"is_clicked_at\":\"2026-11-22T10:00:00.123Z\""),
		 {"a flag the API grew"}},
	};
	static const struct {
		const char *row, *what[2];
	} undated[] = {
		{ROW(UNDATED("failed")), {NULL, "flag with _at null, first"}},
		{ROW(DOWN("failed")), {"reverted, the lost _at was null"}},
		{ROW(UNDATED("failed")), {"flag with _at null, second"}},
	};
	struct looks *r = *state;
	struct events out = {0};

	r->at.broadcast = "bc_01JDXK4T6Q";
	for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
		looks_text(r, looks[i].row);
		for (size_t j = 0; j < 2 && looks[i].what[j]; j++)
			looks_assert_vector(r->out.v[j].id, looks[i].what[j]);
	}
	diff_removed(&r->at, &r->record, &out);
	looks_assert_vector(out.v[0].id, "removed: ");
	events_release(&out);
	looks_forget(r);
	for (size_t i = 0; i < sizeof undated / sizeof *undated; i++) {
		looks_text(r, undated[i].row);
		for (size_t j = 0; j < 2; j++)
			if (undated[i].what[j])
				looks_assert_vector(r->out.v[j].id, undated[i].what[j]);
	}
	/* updated: its vector has fingerprints that no row has */
	r->at.updates = true;
	r->record.identity = UINT64_C(0x0123456789abcdef);
	r->record.error = 0;
	r->record.contact = UINT64_C(0x0011223344556677);
	struct row row = {.id = "rcp_01JDXK5A2B",
			  .states = r->record.states,
			  .status = r->record.status,
			  .updated_ms = r->record.updated_ms,
			  .identity = UINT64_C(0x0123456789abcdef),
			  .error = 1,
			  .contact = UINT64_C(0x8899aabbccddeeff),
			  .text = {0, 2}};
	struct recipient_record now;
	diff_recipient(&r->at, &r->record, &row, "{}", &out, &now);
	assert_int_equal(out.n, 1);
	looks_assert_vector(out.v[0].id, "updated: ");
	recipient_record_release(&now);
	events_release(&out);
}

static void kept_record(void **state)
{
	struct looks *r = *state;

	looks_row(r,
		  CREATED(1) "," UP("sent", 2) "," STATUS(
			  "SENDING") ",\"integration_id\":\"gmail\",\"contact\":{\"id\":\"ct\"}");
	r->record.number = 77;
	looks_row(r, UNDATED("opened") "," STATUS("PROCESSED"));
	const struct recipient_record *k = &r->record;
	assert_int_equal(k->number, 77);
	assert_false(k->gone);
	assert_string_equal(k->id, "r1");
	assert_true(k->states == r->s.v[0].states && k->status == r->s.v[0].status);
	assert_true(k->identity == r->s.v[0].identity && k->contact == r->s.v[0].contact);
	assert_int_equal(k->processed, 1);
	assert_true(k->created_ms == BASE + 1000); /* kept though the row left it out */
	assert_int_equal(k->ntimes, 2);
	assert_true(recipient_record_time(k, 2)->at == BASE + 2000); /* sent, though reverted */
	assert_true(recipient_record_time(k, 6)->at == -1);
	assert_null(k->integration_id);
	looks_row(r, "");
	looks_row(r, UNDATED("opened"));
	assert_true(recipient_record_time(&r->record, 6)->at == -2);
	looks_row(r, "");
	looks_row(r, UP("opened", 5));
	assert_true(recipient_record_time(&r->record, 6)->at == BASE + 5000);
	looks_row(r, UP("opened", 6));
	assert_true(recipient_record_time(&r->record, 6)->at == BASE + 5000);
}

static void odd_ids_are_escaped_in_source(void **state)
{
	struct looks *r = *state;

	r->at.org = "a/b";
	r->at.broadcast = "b c?";
	r->at.broadcast_name = NULL;
	looks_text(r, "{\"id\":\"\\\"quoted\\\"\"}");
	assert_non_null(
		strstr(r->out.v[0].body,
		       "\"source\":\"https://api.example.com/orgs/a%2Fb/broadcasts/b%20c%3F\","
		       "\"subject\":\"\\\"quoted\\\"\""));
	assert_non_null(strstr(r->out.v[0].body, "\"broadcast_name\":null"));
}

static void a_huge_row_is_left_out(void **state)
{
	struct looks *r = *state;
	struct buf row = BUF_INIT(400000);
	const struct json *body;

	buf_adds(&row, "{\"id\":\"r1\",\"blob\":\"");
	for (int i = 0; i < 300000; i++)
		buf_addc(&row, 'x');
	buf_adds(&row, "\"}");
	looks_text(r, row.data);
	buf_release(&row);
	assert_int_equal(r->out.n, 1);
	assert_true(r->out.v[0].len <= EVENT_BODY_MAX);
	struct json_doc *doc = looks_body(&r->out.v[0], &body);
	assert_string_equal(json_string(json_get(json_get(body, "data"), "recipient_id")), "r1");
	json_doc_free(doc);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, looks_set_up, looks_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_sight),
		TEST(second_look),
		TEST(status_comes_and_goes),
		TEST(updates),
		TEST(the_whole_event),
		TEST(previous_is_running),
		TEST(removed_tells_the_columns),
		TEST(ids_are_the_vectors),
		TEST(kept_record),
		TEST(odd_ids_are_escaped_in_source),
		TEST(a_huge_row_is_left_out),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
