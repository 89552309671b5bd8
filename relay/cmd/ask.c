/* One call on a CURLM of its own. The token goes to the address in the configuration and nowhere
 * else. */
#include "relay/cmd/ask.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "relay/admin/token.h"
#include "relay/base/http.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"

#define ANSWER_MAX (8 << 20)
#define TIMEOUT_MS 5000

struct asked {
	const struct settings *settings;
	const char *token_file;
	struct buf *ret;
	struct err *err;
	int result;
	bool done;
};

/* What the relay says of its refusal: {"error": …}. */
static void explain(struct asked *a, const struct http_reply *reply)
{
	struct json_doc *doc = json_doc_new();
	struct err unread = {0};
	const struct json *v = json_parse(doc, reply->body, reply->len, JSON_DEPTH, &unread);
	const char *why = v ? json_string(json_get(v, "error")) : NULL;

	if (reply->status == 401)
		err_set(a->err, ERR_DENIED, "the relay at %s does not take the token of %s",
			a->settings->admin.listen, a->token_file);
	else
		err_set(a->err, reply->status == 404 ? ERR_MISSING : ERR_NET,
			"the relay at %s answers %d: %s", a->settings->admin.listen, reply->status,
			why ? why : "and not why");
	json_doc_free(doc);
}

static void on_done(void *arg, const struct http_reply *reply)
{
	struct asked *a = arg;

	a->done = true;
	a->result = -1;
	if (reply->failure) {
		err_set(a->err, ERR_NET, "no relay answers at %s: %s", a->settings->admin.listen,
			reply->why);
		if (reply->failure == HTTP_UNREACHABLE)
			a->result = ASK_NOBODY;
	} else if (reply->status / 100 != 2) {
		explain(a, reply);
	} else {
		buf_add(a->ret, reply->body, reply->len);
		a->result = 0;
	}
}

/* A wildcard address is reached on loopback. */
static char *url_of(const struct admin_options *o, const char *path)
{
	const struct sockaddr_in *v4 = (const void *)&o->address;
	const struct sockaddr_in6 *v6 = (const void *)&o->address;

	if (v4->sin_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
		return xasprintf("http://127.0.0.1:%u%s", ntohs(v4->sin_port), path);
	if (v6->sin6_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
		return xasprintf("http://[::1]:%u%s", ntohs(v6->sin6_port), path);
	return xasprintf("http://%s%s", o->listen, path);
}

static int call(struct asked *a, const char *path, const char *body, const char *authorization)
{
	const char *headers[] = {authorization, NULL, NULL};
	char *url = url_of(&a->settings->admin, path);
	struct http_call c = {
		.method = body ? "POST" : "GET",
		.url = url,
		.headers = headers,
		.body = body,
		.body_len = body ? strlen(body) : 0,
		.max_reply = ANSWER_MAX,
		.cut_is_failure = true,
		.timeout_ms = TIMEOUT_MS,
	};
	if (body)
		headers[authorization ? 1 : 0] = "Content-Type: application/json";
	struct http *h = http_open(1, a->err);
	int failed = h ? http_start(h, &c, on_done, a, NULL, a->err) : -1;

	while (!failed && !a->done)
		failed = http_wait(h, TIMEOUT_MS, -1, a->err) < 0 ? -1 : 0;
	http_close(h);
	free(url);
	return failed ? -1 : a->result;
}

int ask_relay(const struct settings *s, const char *path, const char *body, struct buf *ret,
	      struct err *err)
{
	if (!s->admin.on) {
		err_set(err, ERR_CONFIG,
			"%s has no admin section, so a relay cannot be asked; add \"admin: {}\"",
			s->path);
		return ASK_NOBODY;
	}
	char *file = token_path(s->admin.token_file, journal_file(&s->journal));
	char *token = NULL;
	int result = file && token_read(file, &token, err) < 0 ? -1 : 0;
	if (!result) { /* without a token, too: that nobody answers is better told than that */
		struct asked a = {s, file ? file : "no file", ret, err, 0, false};
		char *authorization = token ? xasprintf("Authorization: Bearer %s", token) : NULL;
		result = call(&a, path, body, authorization);
		free(authorization);
	}
	free(token);
	free(file);
	return result;
}
