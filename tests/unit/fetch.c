/* fetch — see the header. */
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
#include "tests/unit/fetch.h"

#define DEADLINE_MS 10000

int stage_open(void **state, raw_answer *answer, const char *path)
{
	struct stage *s = xcalloc(1, sizeof *s);
	struct err err = {0};

	s->server = raw_server_open(answer);
	s->http = http_open(16, &err);
	snprintf(s->url, sizeof s->url, "%s", local_url(raw_server_port(s->server), path));
	s->call = (struct http_call){
		.method = "GET", .url = s->url, .max_reply = 1000, .timeout_ms = 10000};
	*state = s;
	return s->http ? 0 : -1;
}

int stage_close(void **state)
{
	struct stage *s = *state;

	http_close(s->http);
	raw_server_close(s->server);
	free(s);
	return 0;
}

void fetch_done(void *arg, const struct http_reply *reply)
{
	struct fetched *f = arg;
	const char *header = f->wanted ? http_header(reply, f->wanted) : NULL;

	f->times++;
	f->failure = reply->failure;
	f->status = reply->status;
	f->len = reply->len;
	f->retry_after_ms = reply->retry_after_ms;
	f->date_ms = reply->date_ms;
	f->took_us = reply->took_us;
	snprintf(f->body, sizeof f->body, "%s", reply->body);
	snprintf(f->why, sizeof f->why, "%s", reply->why ? reply->why : "");
	snprintf(f->header, sizeof f->header, "%s", header ? header : "(none)");
}

const char *local_url(int port, const char *path)
{
	static _Thread_local char url[512];

	snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
	return url;
}

void wait_until(struct http *h, const unsigned *times, unsigned asked)
{
	int64_t end = clock_now().mono_ms + DEADLINE_MS;
	struct err err = {0};

	while (*times < asked) {
		if (http_wait(h, 1000, -1, &err) < 0)
			fail_msg("%s", err.msg);
		if (clock_now().mono_ms > end)
			fail_msg("%u of %u calls ended in ten seconds", *times, asked);
	}
}

void fetch(struct http *h, const struct http_call *call, enum http_failure expected,
	   struct fetched *ret)
{
	struct err err = {0};

	ret->times = 0;
	if (http_start(h, call, fetch_done, ret, NULL, &err) < 0)
		fail_msg("%s: %s", call->url, err.msg);
	assert_int_equal(ret->times, 0);
	wait_until(h, &ret->times, 1);
	if (ret->failure != expected)
		fail_msg("%s: expected end %d, got %d (%s)", call->url, (int)expected,
			 (int)ret->failure, ret->why);
	if (expected == HTTP_OK)
		assert_string_equal(ret->why, "");
	else
		assert_true(strlen(ret->why) > 0);
}
