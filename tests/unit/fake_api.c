/* Header lines are handed over as base/http_header.c reads them: with a NUL behind each. */
#include "tests/unit/fake_api.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/buf.h"

int fake_fetch(void *arg, const struct http_call *call, http_done *done, void *done_arg,
	       struct err *err)
{
	struct fake_api *api = arg;

	if (api->unable)
		return err_set(err, ERR_NET, "no such URL");
	assert(api->n < FAKE_CALLS);
	struct fake_call *c = &api->v[api->n++];
	*c = (struct fake_call){.done = done, .arg = done_arg};
	snprintf(c->url, sizeof c->url, "%s", call->url);
	for (const char *const *h = call->headers; *h; h++) {
		size_t len = strlen(c->headers);
		snprintf(c->headers + len, sizeof c->headers - len, "%s\n", *h);
	}
	api->asked++;
	api->gzip = call->gzip;
	api->plain_guarded = call->loopback_only_plain;
	api->max_reply = call->max_reply;
	return 0;
}

void fake_answer(struct fake_api *api, const struct fake_reply *reply)
{
	struct buf lines = BUF_INIT(1 << 16);
	const char *body = reply->body ? reply->body : "";

	assert(api->n > 0);
	struct fake_call c = api->v[0];
	memmove(api->v, api->v + 1, --api->n * sizeof c);
	if (reply->headers)
		buf_adds(&lines, reply->headers);
	buf_addc(&lines, '\n');
	for (size_t i = 0; i < lines.len; i++)
		if (lines.data[i] == '\n')
			lines.data[i] = '\0';
	struct http_reply r = {
		.failure = reply->failure,
		.why = reply->failure ? "could not connect" : NULL,
		.status = reply->status,
		.body = body,
		.len = reply->len ? reply->len : strlen(body),
		.retry_after_ms = reply->retry_after_ms,
		.date_ms = reply->date_ms,
		.took_us = reply->took_ms * 1000,
		.headers = &lines,
	};
	c.done(c.arg, &r);
	buf_release(&lines);
}

unsigned fake_number(const struct fake_api *api, const char *name)
{
	char key[32];

	snprintf(key, sizeof key, "%s=", name);
	for (const char *at = strchr(api->v[0].url, '?'); at; at = strchr(at, '&'))
		if (strncmp(++at, key, strlen(key)) == 0)
			return (unsigned)strtoul(at + strlen(key), NULL, 10);
	return 0;
}
