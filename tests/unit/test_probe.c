/* The probe against the simulator's moods: each answer that a mood changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/unit/probe_rig.h"
#include "tests/unit/sim_client.h"

#define LATER (SIM_EPOCH + 90000) /* sending is over, opening goes on */
#define SOON  (SIM_EPOCH + 40000) /* it is being sent */

struct mood {
	const char *name;
	struct model_options o; /* what differs */
	const char *fault;	/* NULL: none */
	int64_t at_ms;
	enum question asks;
	const char *answer; /* what it begins with */
};

static struct model *make(const struct mood *mood)
{
	static const struct sim_broadcast b[] = {{.recipients = 1234}, {.recipients = 50}};
	struct model_options o = mood->o;
	struct err err = {0};

	o.seed = 7;
	o.epoch_ms = SIM_EPOCH;
	o.org = "org_1";
	o.broadcasts = o.broadcasts ? o.broadcasts : b;
	o.nbroadcasts = o.nbroadcasts ? o.nbroadcasts : 2;
	o.ramp_ms = o.ramp_ms ? o.ramp_ms : 60000;
	struct model *m = sim_make_with(&o);
	if (mood->fault && model_set_faults(m, &mood->fault, 1, &err))
		fail_msg("%s", err.msg);
	return m;
}

#define ORDER(x)    .o.order = SIM_ORDER_##x, .o.along_ramp = true, .at_ms = LATER, .asks = ASKS_ORDER
#define COUNTERS(x) .o.counters.mood = SIM_COUNTERS_##x, .at_ms = SOON, .asks = ASKS_COUNTERS

static struct sim_broadcast many[300]; /* see name_them */
static char names[300][16];
static const struct sim_broadcast trigger[] = {{.recipients = 400, .kind = "transactional"}};

static const struct mood moods[] = {
	{"updated", ORDER(UPDATED), .answer = "updated_at, newest first"},
	{"updated-oldest", ORDER(UPDATED_OLDEST), .answer = "updated_at, oldest first"},
	{"created", ORDER(CREATED), .answer = "created_at, newest first"},
	{"created-oldest", ORDER(CREATED_OLDEST), .answer = "created_at, oldest first"},
	{"id", ORDER(ID), .answer = "id, "},
	{"none", ORDER(NONE), .answer = "by nothing that rows show, but rows keep their places"},
	{"stable", .at_ms = LATER, .asks = ASKS_STABLE, .answer = "yes"},
	{"moves", .o.order = SIM_ORDER_UPDATED, .at_ms = SOON, .asks = ASKS_STABLE,
	 .answer = "no: "},
	{"exact", COUNTERS(EXACT), .answer = "exact"},
	{"lag", COUNTERS(LAG), .o.counters.lag_ms = 20000, .answer = "behind by up to "},
	{"stuck", .o.counters.mood = SIM_COUNTERS_STUCK, .o.ramp_ms = 600000,
	 .at_ms = SIM_EPOCH + 300000, .asks = ASKS_COUNTERS, .answer = "behind by up to "},
	{"wrong", .o.counters.mood = SIM_COUNTERS_WRONG, .at_ms = LATER, .asks = ASKS_COUNTERS,
	 .answer = "wrong by up to "},
	{"absent", COUNTERS(ABSENT), .answer = "absent"},
	{"counts", .at_ms = LATER, .asks = ASKS_COUNTS, .answer = "given, and of the filter"},
	{"no headers", .fault = "headers", .at_ms = LATER, .asks = ASKS_COUNTS,
	 .answer = "not given"},
	{"take", .at_ms = LATER, .asks = ASKS_TAKE, .answer = "yes, up to 100"},
	{"own take", .fault = "take=50", .at_ms = LATER, .asks = ASKS_TAKE,
	 .answer = "yes, up to 50"},
	{"tiny take", .fault = "take=5", .at_ms = LATER, .asks = ASKS_TAKE,
	 .answer = "yes, up to 5"},
	{"filters", .at_ms = LATER, .asks = ASKS_FILTERS, .answer = "yes"},
	{"false", .at_ms = LATER, .asks = ASKS_FALSE, .answer = "yes"},
	{"bounced", .at_ms = LATER, .asks = ASKS_BOUNCED,
	 .answer = "in rows: yes; as a filter: ignored; as a counter: no"},
	{"statuses", .at_ms = SOON, .asks = ASKS_STATUSES, .answer = "PROCESSED, SENDING"},
	{"words", .fault = "words", .at_ms = SOON, .asks = ASKS_STATUSES,
	 .answer = "PROCESSED, SENDING, QUEUED"},
	{"active", .o.broadcasts = trigger, .o.nbroadcasts = 1, .at_ms = LATER, .asks = ASKS_ACTIVE,
	 .answer = "yes"},
	{"no active", .at_ms = LATER, .asks = ASKS_ACTIVE, .answer = "none seen"},
	{"times", .at_ms = LATER, .asks = ASKS_TIMES,
	 .answer = "every flag that is true has its time; all dates have"},
	{"null times", .o.times.null = 20, .at_ms = LATER, .asks = ASKS_TIMES,
	 .answer = "some flags are true without a time"},
	{"pages", .at_ms = LATER, .asks = ASKS_PAGES, .answer = "yes"},
	{"overlap", .fault = "overlap=3", .at_ms = LATER, .asks = ASKS_PAGES,
	 .answer = "no: 3 rows come twice"},
	{"repeat", .fault = "repeat", .at_ms = LATER, .asks = ASKS_PAGES,
	 .answer = "no: page 2 is page 1 again"},
	{"double", .fault = "double", .at_ms = LATER, .asks = ASKS_PAGES, .answer = "no: 2 rows"},
	{"end", .at_ms = LATER, .asks = ASKS_END, .answer = "an empty page"},
	{"endless", .fault = "endless", .at_ms = LATER, .asks = ASKS_END, .answer = "rows again"},
	{"the end repeats", .fault = "repeat", .at_ms = LATER, .asks = ASKS_END,
	 .answer = "the first page again"},
	{"utf8", .o.order = SIM_ORDER_UPDATED, .fault = "utf8", .at_ms = LATER, .asks = ASKS_ORDER,
	 .answer = "updated_at, newest first"},
	{"no next", .at_ms = LATER, .asks = ASKS_NEXT, .answer = "no"},
	{"next", .o.next_tokens = true, .at_ms = LATER, .asks = ASKS_NEXT, .answer = "yes"},
	{"single", .at_ms = LATER, .asks = ASKS_SINGLE, .answer = "no"},
	{"errors", .at_ms = LATER, .asks = ASKS_ERRORS,
	 .answer = "JSON object: statusCode, message"},
	{"no 429", .at_ms = LATER, .asks = ASKS_REFUSALS, .answer = "none was refused"},
	{"429", .fault = "429=7,after=5,count=1", .at_ms = LATER, .asks = ASKS_REFUSALS,
	 .answer = "HTTP 429 with Retry-After"},
	{"bare 429", .fault = "429,after=5,count=1", .at_ms = LATER, .asks = ASKS_REFUSALS,
	 .answer = "HTTP 429, not for how long"},
	{"clock", .at_ms = LATER, .asks = ASKS_CLOCK, .answer = "agrees with"},
	{"list", .o.broadcasts = many, .o.nbroadcasts = 300, .at_ms = LATER,
	 .asks = ASKS_LIST_ORDER, .answer = "id, ascending"},
	{"list of few", .at_ms = LATER, .asks = ASKS_LIST_ORDER, .answer = ""},
};

static int name_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < 300; i++) {
		snprintf(names[i], sizeof names[i], "bc_%03zu", i);
		many[i] = (struct sim_broadcast){.id = names[i], .recipients = 30};
	}
	return 0;
}

/* What may not be asked of the API, or not any more. */
static void test_it_says_why_it_has_no_answer(void **state)
{
	struct mood mood = {.fault = "404,on=recipients"};
	struct probe_rig rig = {.model = make(&mood)};
	struct probe_report r;

	(void)state;
	probe_rig_run(&rig, LATER, &r);
	assert_string_equal(r.v[ASKS_ORDER].answer, "");
	assert_string_equal(r.v[ASKS_ORDER].evidence, "recipients: HTTP 404");
	assert_string_equal(r.v[ASKS_ERRORS].answer, "JSON object: statusCode, message");
	probe_report_release(&r);
	probe_rig_release(&rig);
}

static void test_an_account_without_broadcasts(void **state)
{
	struct mood mood = {.fault = "empty"};
	struct probe_rig rig = {.model = make(&mood)};
	struct probe_report r;

	(void)state;
	probe_rig_run(&rig, LATER, &r);
	assert_null(r.broadcast);
	assert_string_equal(r.v[ASKS_ORDER].evidence, "there is no broadcast to look at");
	probe_report_release(&r);
	probe_rig_release(&rig);
}

static void refused(const char *fault, const char *why, unsigned most)
{
	struct mood mood = {.fault = fault};
	struct probe_rig rig = {.model = make(&mood)};
	struct probe_report r;
	struct err err = {0};

	assert_int_equal(probe_rig_try(&rig, LATER, &r, &err), -1);
	if (!strstr(err.msg, why))
		fail_msg("%s: %s", fault, err.msg);
	assert_true(rig.requests <= most);
	probe_rig_release(&rig);
}

static void test_an_api_that_cannot_be_used(void **state)
{
	(void)state;
	refused("401", "it refuses the key", 1);
	refused("500", "HTTP 500", 2);
	refused("reset", "the connection broke", 2);
	refused("html", "no JSON array", 1);
	refused("429=7", "asked too often", 2);
	refused("429=3600", "asked too often", 1);
}

/* A 429 is waited out once, as long as it says; then nothing more is asked. */
static void test_the_second_429_ends_it(void **state)
{
	struct mood mood = {.fault = "429=7,after=5,count=2"};
	struct probe_rig rig = {.model = make(&mood)};
	struct probe_report r;

	(void)state;
	probe_rig_run(&rig, LATER, &r);
	assert_int_equal(rig.requests, 8);
	assert_int_equal(rig.waited_ms, 7000);
	assert_string_equal(r.v[ASKS_REFUSALS].evidence, "at request 7; retry-after: 7");
	assert_non_null(strstr(r.v[ASKS_STABLE].evidence, "asked too often"));
	probe_report_release(&r);
	probe_rig_release(&rig);
}

/* One failure is repeated and changes no answer. */
static void test_a_failure_is_repeated(void **state)
{
	struct mood whole = {.name = ""}, broken = {.fault = "500,after=9,count=1"};
	struct probe_rig a = {.model = make(&whole)}, b = {.model = make(&broken)};
	struct probe_report x, y;

	(void)state;
	probe_rig_run(&a, LATER + 600000, &x);
	probe_rig_run(&b, LATER + 600000, &y);
	assert_int_equal(y.requests, x.requests + 1);
	for (unsigned q = 0; q < QUESTIONS; q++)
		if (q != ASKS_ERRORS)
			assert_string_equal(x.v[q].answer, y.v[q].answer);
	probe_report_release(&x);
	probe_report_release(&y);
	probe_rig_release(&a);
	probe_rig_release(&b);
}

/* An API unlike the simulator's: parameters change nothing, and so on. */
struct odd_api {
	bool pages; /* but page does */
	struct buf rows, headers;
	struct http_reply reply;
};

static void odd_rows(struct buf *out, int first)
{
	buf_clear(out);
	buf_addc(out, '[');
	for (int i = 0; i < 150; i++)
		buf_addf(out,
			 "%s{\"id\":\"r%d\",\"status\":\"SENDING\",\"is_sent\":true,"
			 "\"is_sent_at\":\"2026-01-02\",\"is_failed\":false,\"created_at\":"
			 "\"2026-01-%02d\"}",
			 i ? "," : "", first + i * 7919 % 150, i % 28 + 1);
	buf_addc(out, ']');
}

static int odd_get(void *arg, const char *path, const struct http_reply **ret, struct err *err)
{
	static const char one[] = "{\"id\":\"b\"}", list[] = "[{\"id\":\"b\",\"status\":\"SENT\","
							     "\"recipients_count\":400}]";
	static const char headers[] = "pagination-count: 150\0Content-Encoding: gzip";
	struct odd_api *api = arg;
	bool rows = strstr(path, "/recipients"),
	     single = strstr(path, "/b") && path[strlen(path) - 1] == 'b';

	(void)err;
	const char *page = strstr(path, "page=");
	odd_rows(&api->rows, api->pages && page ? 1000 * (int)strtol(page + 5, NULL, 10) : 0);
	buf_clear(&api->headers);
	buf_add(&api->headers, headers, sizeof headers);
	api->reply = (struct http_reply){.status = strstr(path, "is_bounced") ? 400 : 200,
					 .body = rows	  ? api->rows.data
						 : single ? one
							  : list,
					 .retry_after_ms = -1,
					 .date_ms = DATE_NONE,
					 .headers = &api->headers};
	api->reply.len = strlen(api->reply.body);
	*ret = &api->reply;
	return 0;
}

static void odd_wait(void *arg, int64_t ms)
{
	(void)arg, (void)ms;
}

static int64_t odd_now(void *arg)
{
	(void)arg;
	return SIM_EPOCH;
}

static void test_an_api_unlike_the_simulators(void **state)
{
	static const struct {
		enum question asks;
		const char *answer;
	} cases[] = {
		{ASKS_TAKE, "no: pages have 150 rows"},
		{ASKS_FILTERS, "ignored: is_skipped, is_failed, is_delivered"},
		{ASKS_FALSE, ""},
		{ASKS_PAGES, "no: page 2 is page 1 again"},
		{ASKS_END, "the first page again"},
		{ASKS_COUNTS, "given"},
		{ASKS_COUNTERS, "wrong by up to 250"},
		{ASKS_BOUNCED, "in rows: no; as a filter: refused; as a counter: no"},
		{ASKS_TIMES,
		 "every flag that is true has its time; some dates have no time of day"},
		{ASKS_SINGLE, "yes"},
		{ASKS_GZIP, "yes, gzip"},
		{ASKS_CLOCK, "no Date header"},
		{ASKS_STATUSES, "SENDING"},
	};
	struct odd_api api = {.rows = BUF_INIT(1 << 20), .headers = BUF_INIT(4096)};
	struct probe_env env = {odd_get, odd_wait, odd_now, &api};
	char *orgs[] = {(char[]){"c"}};
	struct probe_report r;
	struct err err = {0};

	(void)state;
	assert_int_equal(probe_run(&env, &(struct strings){orgs, 1}, &r, &err), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *answer = r.v[cases[i].asks].answer;
		if (strncmp(answer, cases[i].answer, strlen(cases[i].answer)) != 0)
			fail_msg("%s: %s (%s)", question_keys[cases[i].asks], answer,
				 r.v[cases[i].asks].evidence);
	}
	assert_false(r.seed.filters);
	probe_report_release(&r);
	api.pages = true;
	assert_int_equal(probe_run(&env, &(struct strings){orgs, 1}, &r, &err), 0);
	assert_string_equal(r.v[ASKS_COUNTS].answer, "given, but of the page alone");
	assert_int_equal(r.seed.take, 150);
	probe_report_release(&r);
	buf_release(&api.rows);
	buf_release(&api.headers);
}

/* What a relay would start from. */
static void test_the_seed(void **state)
{
	struct mood mood = {.fault = "take=50",
			    .o = {.order = SIM_ORDER_UPDATED_OLDEST,
				  .along_ramp = true,
				  .counters = {SIM_COUNTERS_LAG, 20000}}};
	struct probe_rig rig = {.model = make(&mood)};
	struct probe_report r;

	(void)state;
	probe_rig_run(&rig, SOON, &r);
	assert_int_equal(r.seed.order, SORT_UPDATED);
	assert_false(r.seed.newest_first);
	assert_int_equal(r.seed.counters, COUNTERS_BEHIND);
	assert_int_equal(r.seed.take, 50);
	assert_true(r.seed.counts && r.seed.filters);
	probe_report_release(&r);
	probe_rig_release(&rig);
}

static void test_each_mood_gets_its_answer(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof moods / sizeof *moods; i++) {
		const struct mood *mood = &moods[i];
		struct probe_rig rig = {.model = make(mood)};
		struct probe_report r;
		probe_rig_run(&rig, mood->at_ms, &r);
		const struct finding *f = &r.v[mood->asks];
		if (strncmp(f->answer, mood->answer, strlen(mood->answer)) != 0) {
			print_error("%s: \"%s\" (%s), expected \"%s\"\n", mood->name, f->answer,
				    f->evidence, mood->answer);
			wrong++;
		}
		assert_true(r.requests <= PROBE_REQUESTS);
		assert_int_equal(r.requests, rig.requests);
		probe_report_release(&r);
		probe_rig_release(&rig);
	}
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_each_mood_gets_its_answer, name_them),
		cmocka_unit_test(test_it_says_why_it_has_no_answer),
		cmocka_unit_test(test_an_account_without_broadcasts),
		cmocka_unit_test(test_an_api_that_cannot_be_used),
		cmocka_unit_test(test_the_second_429_ends_it),
		cmocka_unit_test(test_a_failure_is_repeated),
		cmocka_unit_test(test_an_api_unlike_the_simulators),
		cmocka_unit_test(test_the_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
