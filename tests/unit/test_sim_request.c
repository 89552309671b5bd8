/* sim requests: keys, paths, parameters, the limit, and rows in exactly the documented shape. */
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

/* ---- what is refused */

static void bad_requests(void **state)
{
	static const struct {
		const char *method, *path, *query, *authorization;
		int status;
	} cases[] = {
		{"GET", SIM_PATH, NULL, "Bearer sim-key", 200},
		{"GET", "/orgs/org_1/broadcasts", NULL, "bearer sim-key", 200},
		{"GET", "/orgs/c/orgs", NULL, "Bearer sim-key", 200},
		{"GET", "/orgs/c/broadcasts/b%63_1/recipients", NULL, "Bearer sim-key", 200},
		{"GET", SIM_PATH, NULL, NULL, 401},
		{"GET", SIM_PATH, NULL, "Bearer sim-ke", 401},
		{"GET", SIM_PATH, NULL, "sim-key", 401},
		{"GET", "/", NULL, "Bearer sim-key", 404},
		{"GET", "/orgs/c", NULL, "Bearer sim-key", 404},
		{"GET", "/orgs/x/broadcasts", NULL, "Bearer sim-key", 404},
		{"GET", "/orgs/c/broadcasts/bc_1", NULL, "Bearer sim-key", 404},
		{"GET", "/orgs/c/broadcasts/bc_2/recipients", NULL, "Bearer sim-key", 404},
		{"GET", "/orgs/c/broadcasts/bc_1/recipients/x", NULL, "Bearer sim-key", 404},
		{"POST", "/orgs/c/broadcasts", NULL, "Bearer sim-key", 404},
		{"GET", SIM_PATH, "page=0", "Bearer sim-key", 400},
		{"GET", SIM_PATH, "page=x", "Bearer sim-key", 400},
		{"GET", SIM_PATH, "page=-1", "Bearer sim-key", 400},
		{"GET", SIM_PATH, "take=0", "Bearer sim-key", 400},
		{"GET", SIM_PATH, "take=101", "Bearer sim-key", 400},
		{"GET", SIM_PATH, "take=100&page=4000", "Bearer sim-key", 200},
		{"GET", SIM_PATH, "next=abc", "Bearer sim-key", 400},
		{"GET", SIM_PATH, "is_failed=yes", "Bearer sim-key", 400},
		{"GET", SIM_PATH, "status=SENT", "Bearer sim-key", 400},
		{"GET", SIM_PATH, "unknown=1", "Bearer sim-key", 200},
		{"GET", "/orgs/c/broadcasts", "status=SEND", "Bearer sim-key", 400},
		{"GET", "/orgs/c/broadcasts", "status=CANCELLED", "Bearer sim-key", 200},
	};
	struct sim_broadcast b = {.recipients = 10};
	struct model_options o = sim_options(&b, SIM_ORDER_NONE);

	(void)state;
	o.key = "sim-key";
	struct model *m = sim_make_with(&o);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sim_request rq = {cases[i].method,	 cases[i].path, cases[i].query,
					 cases[i].authorization, "::1",		0};
		struct sim_reply reply;
		model_request(m, SIM_EPOCH, &rq, &reply);
		if (reply.status != cases[i].status)
			fail_msg("case %zu: %s?%s: %d", i, rq.path, rq.query, reply.status);
		assert_string_equal(sim_reply_header(&reply, "date"),
				    "Mon, 23 Nov 2026 00:00:00 GMT");
		sim_reply_release(&reply);
	}
	model_free(m);
}

static void paging_headers(void **state)
{
	static const struct {
		const char *query, *count, *page, *take;
	} cases[] = {
		{"", "250", "1", "100"},
		{"page=3", "250", "3", "100"},
		{"page=9&take=7", "250", "9", "7"},
		{"page=900&take=7", "250", "900", "7"},
		{"is_skipped=true&is_sent=true", "0", "1", "100"},
	};
	struct model *m = sim_make(250, SIM_ORDER_NONE);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sim_reply reply;
		sim_ask(m, SIM_EPOCH + HOUR, SIM_PATH, cases[i].query, &reply);
		assert_string_equal(sim_reply_header(&reply, "pagination-count"), cases[i].count);
		assert_string_equal(sim_reply_header(&reply, "pagination-page"), cases[i].page);
		assert_string_equal(sim_reply_header(&reply, "pagination-take"), cases[i].take);
		assert_null(sim_reply_header(&reply, "pagination-next"));
		sim_reply_release(&reply);
	}
	model_free(m);
}

/* ---- the limit */

/* wait: the Retry-After given, or "". */
static int status_at(struct model *m, const char *client, int64_t at, char wait[16])
{
	struct sim_reply reply;
	struct sim_request rq = {
		.method = "GET", .path = SIM_PATH, .client = client, .arrived_ms = at};

	model_request(m, SIM_EPOCH, &rq, &reply);
	const char *given = sim_reply_header(&reply, "Retry-After");
	snprintf(wait, 16, "%s", given ? given : "");
	sim_reply_release(&reply);
	return reply.status;
}

static void the_limit_is_a_sliding_window(void **state)
{
	static const struct {
		const char *client;
		int64_t at;
		int status;
		const char *wait;
	} cases[] = {
		{"a", 0, 200, ""},	 {"a", 10000, 200, ""},	   {"a", 20000, 200, ""},
		{"a", 20001, 429, "40"}, {"a", 59999, 429, "1"},   {"b", 59999, 200, ""},
		{"a", 60000, 200, ""},	 {"a", 60001, 429, "10"},  {"a", 69999, 429, "1"},
		{"a", 70000, 200, ""},	 {"a", 200000, 200, ""},   {"a", 200000, 200, ""},
		{"a", 200000, 200, ""},	 {"a", 200000, 429, "60"},
	};
	struct sim_broadcast b = {.recipients = 10};
	struct model_options o = sim_options(&b, SIM_ORDER_NONE);
	struct sim_counts counts;

	(void)state;
	o.rate_limit = 3;
	o.retry_after = true;
	struct model *m = sim_make_with(&o);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char wait[16];
		int status = status_at(m, cases[i].client, cases[i].at, wait);
		if (status != cases[i].status)
			fail_msg("case %zu: %d", i, status);
		assert_string_equal(wait, cases[i].wait);
	}
	model_counts(m, &counts);
	assert_int_equal(counts.requests, sizeof cases / sizeof *cases);
	assert_int_equal(counts.limited, 5);
	assert_int_equal(counts.peak, 3);
	model_free(m);
}

/* Of six a minute a stranger takes one every twenty seconds, before the client was there too. */
static void a_stranger_uses_the_limit_up(void **state)
{
	static const struct {
		const char *client;
		int64_t at;
		int status;
	} cases[] = {
		{"a", 1000000, 200}, {"a", 1000000, 200}, {"a", 1000000, 200}, {"a", 1000000, 429},
		{"b", 1000000, 200}, {"a", 1030000, 429}, {"a", 1059999, 429}, {"a", 1060000, 200},
		{"a", 1060000, 200}, {"a", 1060000, 200}, {"a", 1060000, 429}, {"a", 9000000, 200},
		{"a", 9000000, 200}, {"a", 9000000, 200}, {"a", 9000000, 429},
	};
	struct sim_broadcast b = {.recipients = 10};
	struct model_options o = sim_options(&b, SIM_ORDER_NONE);
	struct sim_counts counts;

	(void)state;
	o.rate_limit = 6;
	o.stranger = 3 * 60;
	struct model *m = sim_make_with(&o);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char wait[16];
		int status = status_at(m, cases[i].client, cases[i].at, wait);
		if (status != cases[i].status)
			fail_msg("case %zu: %d", i, status);
	}
	model_counts(m, &counts);
	assert_int_equal(counts.peak, 3);
	assert_int_equal(counts.requests, sizeof cases / sizeof *cases);
	model_free(m);
}

/* From then on no key opens anything, whatever the path. */
static void a_revoked_key(void **state)
{
	static const char *const paths[] = {SIM_PATH, "/orgs/c/broadcasts", "/orgs/c/orgs", "/x"};
	struct sim_broadcast b = {.recipients = 10};
	struct model_options o = sim_options(&b, SIM_ORDER_NONE);
	struct sim_reply reply;

	(void)state;
	o.revoked_ms = HOUR;
	struct model *m = sim_make_with(&o);
	sim_ask(m, SIM_EPOCH + HOUR - 1, SIM_PATH, NULL, &reply);
	assert_int_equal(reply.status, 200);
	sim_reply_release(&reply);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		sim_ask(m, SIM_EPOCH + HOUR, paths[i], NULL, &reply);
		assert_int_equal(reply.status, 401);
		sim_reply_release(&reply);
	}
	model_free(m);
}

static void without_a_limit_it_measures(void **state)
{
	struct model *m = sim_make(10, SIM_ORDER_NONE);
	struct sim_counts counts;
	char wait[16];

	(void)state;
	for (int64_t i = 0; i < 1500; i++)
		assert_int_equal(status_at(m, "a", i * 60, wait), 200);
	model_counts(m, &counts);
	assert_int_equal(counts.peak, 1000);
	model_free(m);
}

/* ---- shape */

static void assert_members(const struct json *object, const char *names)
{
	char has[2048] = "";

	for (const struct json *v = json_first(object); v; v = json_next(v)) {
		size_t len = strlen(has);
		snprintf(has + len, sizeof has - len, "%s%s", len ? " " : "", json_key(v));
	}
	assert_string_equal(has, names);
}

static const struct json *full_row(struct model *m, struct json_doc *doc)
{
	const struct json *row = json_first(sim_read(m, SIM_EPOCH + HOUR, SIM_PATH, NULL, doc));

	while (row && !json_first(json_get(json_get(row, "contact"), "segments")))
		row = json_next(row);
	assert_non_null(row);
	return row;
}

static void rows_have_the_documented_fields(void **state)
{
	struct model *m = sim_make(100, SIM_ORDER_NONE);
	struct json_doc *doc = json_doc_new();
	const struct json *row = full_row(m, doc), *contact = json_get(row, "contact");

	(void)state;
	assert_members(
		row,
		"id broadcast_id integration_id user_id name username phone email status "
		"is_skipped is_skipped_at is_failed is_failed_at is_sent is_sent_at "
		"is_delivered is_delivered_at is_complained is_complained_at "
		"is_unsubscribed is_unsubscribed_at is_opened is_opened_at is_played is_played_at "
		"is_bounced is_bounced_at error_message external_message_id created_at updated_at "
		"template_id broadcast_name contact");
	assert_members(contact, "id name blocked is_admin channels segments created_at updated_at "
				"unsubscribed");
	assert_members(json_first(json_get(contact, "channels")),
		       "id type user_id avatar name username email phone country agent ip language "
		       "platform_data created_at updated_at link");
	assert_members(json_first(json_get(contact, "segments")),
		       "id name contacts_count created_at updated_at");
	assert_string_equal(json_string(json_get(row, "broadcast_id")), "bc_1");
	json_doc_free(doc);
	model_free(m);
}

static void broadcasts_have_the_documented_fields(void **state)
{
	struct model *m = sim_make(100, SIM_ORDER_NONE);
	struct json_doc *doc = json_doc_new();
	const struct json *b = json_first(sim_read(m, SIM_EPOCH, "/orgs/c/broadcasts", "", doc));

	(void)state;
	assert_members(b,
		       "id name status scheduled_at started_at completed_at contacts_count "
		       "recipients_count skipped_count sent_count failed_count delivered_count "
		       "opened_count played_count click_count complained_count unsubscribed_count "
		       "error_message segments send_to_all templates created_at updated_at");
	assert_members(json_first(json_get(b, "segments")),
		       "id name contacts_count created_at updated_at");
	assert_members(json_first(json_get(b, "templates")),
		       "id broadcast_id connection_id integration_id recipients_count config error "
		       "created_at updated_at");
	json_doc_free(doc);
	model_free(m);
}

/* A failure says why; a row that failed in no way says nothing. */
static void errors_are_told(void **state)
{
	struct model *m = sim_make(1000, SIM_ORDER_NONE);
	struct json_doc *doc = json_doc_new();

	(void)state;
	const struct json *row =
		json_first(sim_read(m, SIM_EPOCH + HOUR, SIM_PATH, "is_failed=true", doc));
	assert_non_null(row);
	for (; row; row = json_next(row))
		assert_true(strlen(json_string(json_get(row, "error_message"))) > 10);
	row = json_first(sim_read(m, SIM_EPOCH + HOUR, SIM_PATH, "is_delivered=true", doc));
	for (; row; row = json_next(row)) {
		assert_int_equal(json_type(json_get(row, "error_message")), JSON_NULL);
		assert_int_equal(json_type(json_get(row, "external_message_id")), JSON_STRING);
	}
	json_doc_free(doc);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(paging_headers),
		cmocka_unit_test(the_limit_is_a_sliding_window),
		cmocka_unit_test(a_stranger_uses_the_limit_up),
		cmocka_unit_test(a_revoked_key),
		cmocka_unit_test(without_a_limit_it_measures),
		cmocka_unit_test(rows_have_the_documented_fields),
		cmocka_unit_test(broadcasts_have_the_documented_fields),
		cmocka_unit_test(errors_are_told),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
