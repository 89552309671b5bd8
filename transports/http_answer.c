/* http_answer — what a receiver's reply means, and how it is told. Invariant: SENT only after a
 * 2xx; no reason given to anybody holds a secret, even when the receiver sends it back. */
#include <string.h>

#include "relay/base/log.h"
#include "transports/http_parts.h"

#define WHY_MAX	    1024
#define WAIT_MAX_MS 86400000 /* of Retry-After */

static bool is_mask(const struct http_self *h, const char *at, size_t left, size_t *ret_len)
{
	for (size_t i = 0; i < h->masks.n; i++) {
		size_t len = strlen(h->masks.v[i]);

		if (len <= left && memcmp(at, h->masks.v[i], len) == 0) {
			*ret_len = len;
			return true;
		}
	}
	return false;
}

/* One line of valid UTF-8 and seen characters, whatever the receiver sent. */
static void add_escaped(struct buf *out, const struct http_self *h, const char *text, size_t len)
{
	for (size_t at = 0; at < len && !out->full;) {
		unsigned char c = (unsigned char)text[at];
		size_t n;

		if (is_mask(h, text + at, len - at, &n)) {
			buf_adds(out, "***");
		} else if (c == '\n' || c == '\r' || c == '\t') {
			buf_adds(out, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
			n = 1;
		} else if (log_seen(text + at, &n)) {
			buf_add(out, text + at, n);
		} else {
			buf_addf(out, "\\x%02x", c);
			n = 1;
		}
		at += n;
	}
}

/* Most texts end with a line end, which says nothing. */
static size_t without_end(const char *text, size_t len)
{
	while (len && strchr(" \t\r\n", text[len - 1]) && text[len - 1])
		len--;
	return len;
}

static void describe(struct buf *out, const struct http_self *h, const struct http_reply *reply)
{
	if (!reply->status || reply->failure != HTTP_OK) {
		if (reply->status)
			buf_addf(out, "%d: ", reply->status);
		buf_adds(out, reply->failure == HTTP_DENIED ? "address not allowed: "
			      : reply->status		    ? ""
							    : "no answer: ");
		add_escaped(out, h, reply->why, strlen(reply->why));
		return;
	}
	size_t len = without_end(reply->body, reply->len);
	buf_addi(out, reply->status);
	if (reply->status / 100 == 3)
		buf_adds(out, " (redirects are not followed)");
	if (len)
		buf_adds(out, ": ");
	add_escaped(out, h, reply->body, len);
}

/* A status that means nothing is as good as 5xx (RFC 9110, 15). */
static bool is_transient(int status)
{
	return status == 408 || status == 425 || status == 429 ||
	       (status && (status < 200 || status >= 500));
}

static void judge(const struct http_reply *reply, struct outcome *ret)
{
	int status = reply->status;

	ret->took_ms = reply->took_us / 1000;
	ret->wait_ms = -1;
	ret->verdict = TRY_AGAIN;
	ret->throttled = status == 429;
	if (is_transient(status)) { /* said, even if the answer broke off behind it */
		ret->wait_ms =
			reply->retry_after_ms < WAIT_MAX_MS ? reply->retry_after_ms : WAIT_MAX_MS;
	} else if (reply->failure != HTTP_OK) {
		ret->no_connection = !status;
	} else if (status / 100 == 2) {
		ret->verdict = SENT;
	} else if (status == 410) {
		ret->disable = true;
	} else {
		ret->verdict = REFUSED;
	}
}

void http_answer(void *arg, const struct http_reply *reply)
{
	struct callback *c = arg;
	const struct transport_env *env = c->self->env;
	struct buf why = BUF_INIT(WHY_MAX);
	struct outcome outcome = {0};

	if (c->refused.code != ERR_NONE) {
		outcome =
			(struct outcome){.verdict = REFUSED, .why = c->refused.msg, .wait_ms = -1};
	} else {
		judge(reply, &outcome);
		if (outcome.verdict != SENT) {
			describe(&why, c->self, reply);
			outcome.why = why.data;
		}
	}
	outcome.group = c->group;
	for (size_t i = 0; i < c->n; i++)
		env->done(env->arg, c->parcels[i]->id, &outcome);
	buf_release(&why);
}
