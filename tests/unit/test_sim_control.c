/* sim control: the clock is held, runs, leaps and ends as told, and never goes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "examples/invent-sim/control.h"
#include "tests/unit/sim_client.h"

#define REAL 5000000LL /* any start of the real clock */

/* Asks /sim/…; the answer's body is in `text`, cut. */
static int ask(struct sim *s, int64_t real_ms, const char *method, const char *path,
	       const char *query, const char *body, char text[2048])
{
	struct sim_request rq = {.method = method,
				 .path = path,
				 .query = query,
				 .client = "::1",
				 .arrived_ms = real_ms};
	struct sim_reply reply;

	control_request(s, &rq, body, body ? strlen(body) : 0, &reply);
	snprintf(text, 2048, "%s", reply.body.data);
	sim_reply_release(&reply);
	return reply.status;
}

static struct sim make_sim(double speed)
{
	return (struct sim){.model = sim_make(100, SIM_ORDER_NONE),
			    .clock = {.epoch_ms = SIM_EPOCH, .speed = speed, .held = true}};
}

static void the_clock_does_as_told(void **state)
{
	static const struct {
		int64_t real_ms; /* from REAL */
		const char *path, *query;
		int64_t now; /* virtual, from the epoch */
		const char *clock;
	} cases[] = {
		{0, "/sim/status", NULL, 0, "\"held\""},
		{900, "/sim/status", NULL, 0, "\"held\""},
		{1000, "/sim/step", "ms=500", 500, "\"held\""},
		{2000, "/sim/start", NULL, 500, "\"running\""},
		{2100, "/sim/status", NULL, 1500, "\"running\""},
		{2100, "/sim/step", "ms=60000", 61500, "\"running\""},
		{2200, "/sim/start", NULL, 62500, "\"running\""},
		{2200, "/sim/status", NULL, 62500, "\"running\""},
		{2300, "/sim/end", NULL, 63500, "\"ended\""},
		{9000, "/sim/status", NULL, 63500, "\"ended\""},
		{9000, "/sim/step", "ms=500", 63500, "\"ended\""},
		{9000, "/sim/start", NULL, 63500, "\"ended\""},
		{9900, "/sim/status", NULL, 63500, "\"ended\""},
	};
	struct sim s = make_sim(10);
	char text[2048], now[64];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *method = strcmp(cases[i].path, "/sim/status") ? "POST" : "GET";
		assert_int_equal(ask(&s, REAL + cases[i].real_ms, method, cases[i].path,
				     cases[i].query, NULL, text),
				 200);
		snprintf(now, sizeof now, "\"now_ms\":%lld,",
			 (long long)(SIM_EPOCH + cases[i].now));
		if (!strstr(text, now) || !strstr(text, cases[i].clock))
			fail_msg("case %zu: %s", i, text);
	}
	model_free(s.model);
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *method, *path, *query, *body;
		int status;
	} cases[] = {
		{"GET", "/sim/nothing", NULL, NULL, 404},
		{"GET", "/sim/start", NULL, NULL, 405},
		{"POST", "/sim/step", NULL, NULL, 400},
		{"POST", "/sim/step", "ms=-1", NULL, 400},
		{"POST", "/sim/step", "ms=1x", NULL, 400},
		{"POST", "/sim/faults", "set=nonsense", NULL, 400},
		{"POST", "/sim/faults", NULL, "{\"kind\":1}", 400},
		{"POST", "/sim/faults", NULL, "[1]", 400},
		{"POST", "/sim/faults", NULL, "[\"500\"", 400},
		{"POST", "/sim/change", "broadcast=bc_1&state=failed", NULL, 400},
		{"POST", "/sim/change", "broadcast=bc_1&recipient=x&state=odd", NULL, 400},
		{"POST", "/sim/change", "broadcast=bc_1&recipient=x&state=failed", NULL, 409},
	};
	struct sim s = make_sim(1);
	char text[2048];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int status = ask(&s, REAL, cases[i].method, cases[i].path, cases[i].query,
				 cases[i].body, text);
		if (status != cases[i].status)
			fail_msg("case %zu: %d %s", i, status, text);
	}
	model_free(s.model);
}

static void faults_and_changes(void **state)
{
	struct sim s = make_sim(1);
	struct sim_rows rows;
	char text[2048], query[256];

	(void)state;
	assert_int_equal(ask(&s, REAL, "POST", "/sim/faults", "set=500,p=0.5&set=slow", NULL, text),
			 200);
	assert_string_equal(text, "[{\"spec\":\"500,p=0.5\",\"hits\":0},"
				  "{\"spec\":\"slow\",\"hits\":0}]");
	ask(&s, REAL, "POST", "/sim/faults", NULL, "[\"401,count=2\"]", text);
	assert_string_equal(text, "[{\"spec\":\"401,count=2\",\"hits\":0}]");
	ask(&s, REAL, "POST", "/sim/faults", NULL, NULL, text);
	assert_string_equal(text, "[]");

	ask(&s, REAL, "POST", "/sim/step", "ms=3600000", NULL, text);
	sim_rows(s.model, model_now(s.model), "is_delivered=true", 100, &rows);
	snprintf(query, sizeof query, "broadcast=bc_1&recipient=%s&state=delivered&value=false",
		 rows.v[0].id);
	assert_int_equal(ask(&s, REAL, "POST", "/sim/change", query, NULL, text), 200);
	assert_int_equal(ask(&s, REAL, "POST", "/sim/change", query, NULL, text), 409);
	assert_int_equal(sim_count(s.model, model_now(s.model), "is_delivered=true"), rows.n - 1);
	sim_rows_release(&rows);
	model_free(s.model);
}

/* What is not under /sim/ goes to the model, at the clock's time, limited by the real one. */
static void the_rest_is_the_model_s(void **state)
{
	struct sim s = make_sim(1000);
	char text[2048];

	(void)state;
	sim_clock_start(&s.clock, REAL);
	assert_int_equal(ask(&s, REAL + 3600, "GET", "/orgs/c/broadcasts", NULL, NULL, text), 200);
	assert_true(model_now(s.model) == SIM_EPOCH + 3600000);
	assert_non_null(strstr(text, "\"SENT\""));
	struct sim_request get = {.method = "GET", .path = "/sim/ledger"},
			   post = {.method = "POST", .path = "/sim/ledger"};
	assert_true(control_ledger(&s, &get));
	assert_false(control_ledger(&s, &post));
	model_free(s.model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_clock_does_as_told),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(faults_and_changes),
		cmocka_unit_test(the_rest_is_the_model_s),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
