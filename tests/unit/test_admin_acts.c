/* What acts on the relay, as the admin API takes it: requests read, refusals told by status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/admin/admin.h"

static struct {
	enum err_code refuses; /* 0: does it */
	char log[256];
} relay;

static int answer(struct err *err)
{
	return relay.refuses ? err_set(err, relay.refuses, "no \"luck\"") : 0;
}

static int on_destination(void *arg, const char *name, enum admin_act act, const char *why,
			  struct err *err)
{
	(void)arg;
	snprintf(relay.log, sizeof relay.log, "%s %d %s", name, act, why ? why : "-");
	return answer(err);
}

static int on_job(void *arg, const char *kind, const struct admin_request *q, struct buf *ret_job,
		  struct err *err)
{
	(void)arg;
	snprintf(relay.log, sizeof relay.log, "%s %s", kind, q->body);
	if (answer(err) < 0)
		return -1;
	buf_adds(ret_job, "{\"id\":7}");
	return 0;
}

static void on_jobs(void *arg, struct buf *out)
{
	(void)arg;
	buf_adds(out, "[{\"id\":7}]");
}

static int on_cancel(void *arg, int64_t id, struct err *err)
{
	(void)arg;
	snprintf(relay.log, sizeof relay.log, "cancel %lld", (long long)id);
	return answer(err);
}

static const struct admin_acts acts = {
	.destination = on_destination, .job = on_job, .jobs = on_jobs, .cancel = on_cancel};

static void check(size_t i, admin_answer *ask, const struct admin_request *q, int status,
		  const char *body, const char *log)
{
	struct admin_reply r = {.body = BUF_INIT(1000)};

	relay.log[0] = '\0';
	ask(&(struct admin_view){.acts = &acts}, q, &r);
	if (r.status != status || !strstr(r.body.data, body) || strcmp(relay.log, log) != 0)
		fail_msg("case %zu: %d %s; %s", i, r.status, r.body.data, relay.log);
	buf_release(&r.body);
}

static void requests_are_passed_on(void **state)
{
	static const struct {
		admin_answer *ask;
		const char *part, *body;
		int status;
		const char *says, *does;
	} cases[] = {
		{admin_enable, "crm", "", 0, "{}\n", "crm 0 -"},
		{admin_disable, "crm", "", 0, "{}\n", "crm 1 -"},
		{admin_disable, "crm", "{}", 0, "{}\n", "crm 1 -"},
		{admin_disable, "crm", "{\"why\":\"it rains\"}", 0, "{}\n", "crm 1 it rains"},
		{admin_drop, "crm", "", 0, "{}\n", "crm 2 -"},
		{admin_disable, "crm", "{\"why\":7}", 400, "{\"error\":\"why: a text", ""},
		{admin_disable, "crm", "{\"because\":\"x\"}", 400, "{\"error\":", ""},
		{admin_disable, "crm", "[]", 400, "{\"error\":", ""},
		{admin_disable, "crm", "{", 400, "not JSON", ""},
		{admin_enable, "crm", "{\"why\":\"x\"}", 400, "only a disabling", ""},
		{admin_retry, NULL, "{}", 202, "{\"id\":7}\n", "retry {}"},
		{admin_drop_parked, NULL, "", 202, "{\"id\":7}\n", "drop "},
		{admin_replay, NULL, "{\"a\":1}", 202, "{\"id\":7}\n", "replay {\"a\":1}"},
		{admin_jobs, NULL, "", 0, "{\"jobs\":[{\"id\":7}]}\n", ""},
		{admin_cancel, "12", "", 0, "{}\n", "cancel 12"},
		{admin_cancel, "x", "", 404, "there is no job x", ""},
		{admin_cancel, "1x", "", 404, "there is no job 1x", ""},
		{admin_cancel, "0", "", 404, "there is no job 0", ""},
		{admin_cancel, "99999999999999999999", "", 404, "there is no job", ""},
	};

	(void)state;
	relay.refuses = ERR_NONE;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check(i, cases[i].ask,
		      &(struct admin_request){cases[i].part, cases[i].body, strlen(cases[i].body)},
		      cases[i].status, cases[i].says, cases[i].does);
}

static void refusals_have_their_status(void **state)
{
	static const struct {
		enum err_code code;
		int status;
	} cases[] = {{ERR_USAGE, 400},	{ERR_FORMAT, 400}, {ERR_MISSING, 404},
		     {ERR_DENIED, 409}, {ERR_LIMIT, 429},  {ERR_STORE, 500}};
	static const struct admin_request q = {"7", "", 0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *says = "{\"error\":\"no \\\"luck\\\"\"}\n";
		relay.refuses = cases[i].code;
		check(i, admin_enable, &q, cases[i].status, says, "7 0 -");
		check(i, admin_replay, &q, cases[i].status, says, "replay ");
		check(i, admin_cancel, &q, cases[i].status, says, "cancel 7");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_passed_on),
		cmocka_unit_test(refusals_have_their_status),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
