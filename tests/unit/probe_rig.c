/* probe_rig — see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/unit/probe_rig.h"

#define TOOK_MS 150

static void answer(struct probe_rig *rig, const struct sim_request *rq)
{
	sim_reply_release(&rig->reply);
	if (rig->replay)
		replay_request(rig->replay, rq, &rig->reply);
	else
		model_request(rig->model, rig->now_ms, rq, &rig->reply);
	buf_release(&rig->headers);
	buf_init(&rig->headers, 1 << 16);
	for (size_t i = 0; i < rig->reply.nheaders; i++) {
		buf_addf(&rig->headers, "%s: %s", rig->reply.headers[i].name,
			 rig->reply.headers[i].value);
		buf_addc(&rig->headers, '\0');
	}
}

static int get(void *arg, const char *path, const struct http_reply **ret, struct err *err)
{
	struct probe_rig *rig = arg;
	char *copy = xstrdup(path), *query = strchr(copy, '?');

	(void)err;
	if (query)
		*query++ = '\0';
	rig->requests++;
	answer(rig, &(struct sim_request){"GET", copy, query, NULL, "::1", rig->now_ms});
	free(copy);
	rig->now_ms += TOOK_MS;
	const char *retry = sim_reply_header(&rig->reply, "Retry-After");
	bool whole = rig->reply.ending == SIM_WHOLE;
	int64_t date_ms = DATE_NONE;
	const char *date = sim_reply_header(&rig->reply, "Date");
	if (date)
		assert_true(http_date(date, &date_ms));
	rig->answer = (struct http_reply){
		.failure = whole ? HTTP_OK : HTTP_BROKEN,
		.why = whole ? NULL : "the connection broke",
		.status = whole ? rig->reply.status : 0,
		.body = rig->reply.body.data,
		.len = rig->reply.body.len,
		.retry_after_ms = retry ? http_retry_after(retry, rig->now_ms) : -1,
		.date_ms = date_ms,
		.headers = &rig->headers,
	};
	*ret = &rig->answer;
	if (rig->recording)
		recording_add(rig->recording, path, &rig->answer);
	return 0;
}

static void pass(void *arg, int64_t ms)
{
	struct probe_rig *rig = arg;

	rig->now_ms += ms;
	rig->waited_ms += ms;
}

static int64_t now(void *arg)
{
	struct probe_rig *rig = arg;

	return rig->now_ms;
}

int probe_rig_try(struct probe_rig *rig, int64_t now_ms, struct probe_report *ret, struct err *err)
{
	char *orgs[] = {(char[]){"c"}};
	struct probe_env env = {get, pass, now, rig};

	rig->now_ms = now_ms;
	return probe_run(&env, &(struct strings){orgs, 1}, ret, err);
}

void probe_rig_run(struct probe_rig *rig, int64_t now_ms, struct probe_report *ret)
{
	struct err err = {0};

	if (probe_rig_try(rig, now_ms, ret, &err))
		fail_msg("%s", err.msg);
}

void probe_rig_release(struct probe_rig *rig)
{
	sim_reply_release(&rig->reply);
	buf_release(&rig->headers);
	model_free(rig->model);
	replay_free(rig->replay);
	recording_free(rig->recording);
}
