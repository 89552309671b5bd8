/*
 * Requests to URLs, replies to answers. Every status code ends in exactly one kind of answer; the
 * key goes into one header and nowhere else, not even when a reply repeats it.
 */
#include "relay/source/client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/source/source.h"

#ifndef RELAY_VERSION
#error "RELAY_VERSION is set by the Makefile"
#endif

#define URL_MAX	    (16 << 10) /* ids and filter values are short; proxies cut at 8 KB */
#define EXCERPT_MAX 120	       /* bytes of an error body worth a log line */
#define WHY_MAX	    1024
#define COUNT_MAX   INT64_C(1000000000) /* no list is that long; a larger count is a mistake */

#define BEARER "Authorization: Bearer "

struct client {
	char *base_url, *ca_file, *proxy;
	int timeout_ms;
	char **filter;	     /* source.filter: name, value, …, NULL */
	char *authorization; /* the header; NULL: no key */
	client_fetch *fetch;
	void *fetch_arg;
	size_t under_way;
};

struct asked {
	struct client *client;
	struct request request; /* its strings are owned */
	char **filter;		/* owned; request.filter points at it */
	client_done *done;
	void *arg;
};

static char **copy_filter(const char *const *filter, size_t n)
{
	char **copy = xcalloc(n + 1, sizeof *copy);

	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(filter[i]);
	return copy;
}

static void free_filter(char **filter)
{
	for (char **f = filter; *f; f++)
		free(*f);
	free(filter);
}

struct client *client_open(const struct source_options *o, client_fetch *fetch, void *fetch_arg,
			   struct err *err)
{
	if (!http_url_ok(o->base_url, &(bool){false})) {
		err_set(err, ERR_CONFIG, "source.base_url: no http:// or https:// URL");
		return NULL;
	}
	struct client *c = xcalloc(1, sizeof *c);
	c->base_url = xstrdup(o->base_url);
	c->ca_file = xstrdup(o->ca_file);
	c->proxy = xstrdup(o->proxy);
	c->timeout_ms = (int)o->timeout_ms;
	if (o->api_key && *o->api_key)
		c->authorization = xasprintf(BEARER "%s", o->api_key);
	c->filter = copy_filter((const char *const *)o->filter.v, o->filter.n);
	c->fetch = fetch;
	c->fetch_arg = fetch_arg;
	return c;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	assert(c->under_way == 0);
	if (c->authorization)
		explicit_bzero(c->authorization, strlen(c->authorization));
	free_filter(c->filter);
	free(c->authorization);
	free(c->base_url);
	free(c->ca_file);
	free(c->proxy);
	free(c);
}

/* ---- asking ---- */

static void add_parameter(struct buf *url, const char *name, const char *value)
{
	buf_addc(url, strchr(url->data, '?') ? '&' : '?');
	http_escape(url, name);
	buf_addc(url, '=');
	http_escape(url, value);
}

static void add_number(struct buf *url, const char *name, unsigned value)
{
	char text[16];

	snprintf(text, sizeof text, "%u", value);
	add_parameter(url, name, text);
}

static bool has_name(char *const *filter, const char *name)
{
	while (*filter && strcmp(*filter, name) != 0)
		filter += 2;
	return *filter != NULL;
}

static void write_url(struct buf *url, const struct client *c, const struct request *r)
{
	bool rows = r->kind == REQUEST_RECIPIENTS;

	buf_adds(url, c->base_url);
	buf_adds(url, "/orgs/");
	http_escape(url, r->org);
	buf_adds(url, r->kind == REQUEST_ORGS ? "/orgs" : "/broadcasts");
	if (rows) {
		buf_addc(url, '/');
		http_escape(url, r->broadcast);
		buf_adds(url, "/recipients");
	}
	if (r->next)
		add_parameter(url, "next", r->next);
	else if (r->page)
		add_number(url, "page", r->page);
	if (r->take)
		add_number(url, "take", r->take);
	for (char *const *f = c->filter; rows && *f; f += 2)
		add_parameter(url, f[0], f[1]);
	for (const char *const *f = r->filter; f && f[0] && f[1]; f += 2)
		if (!rows || !has_name(c->filter, f[0]))
			add_parameter(url, f[0], f[1]);
}

static size_t filter_len(const char *const *filter)
{
	size_t n = 0;

	while (filter && filter[n])
		n++;
	return n;
}

static struct asked *asked_new(struct client *c, const struct request *r)
{
	struct asked *a = xcalloc(1, sizeof *a);

	a->client = c;
	a->request = *r;
	a->request.org = xstrdup(r->org);
	a->request.broadcast = xstrdup(r->broadcast);
	a->request.next = xstrdup(r->next);
	a->filter = copy_filter(r->filter, filter_len(r->filter));
	a->request.filter = (const char *const *)a->filter;
	return a;
}

static void asked_free(struct asked *a)
{
	free((char *)a->request.org);
	free((char *)a->request.broadcast);
	free((char *)a->request.next);
	free_filter(a->filter);
	free(a);
}

static http_done answered;

static int start(struct client *c, const char *url, http_done *done, void *arg, struct err *err)
{
	const char *headers[4] = {"Accept: application/json", "User-Agent: Relay/" RELAY_VERSION,
				  c->authorization, NULL};
	struct http_call call = {
		.method = "GET",
		.url = url,
		.headers = headers,
		.max_reply = API_BODY_MAX,
		.cut_is_failure = true,
		.gzip = true,
		.timeout_ms = c->timeout_ms,
		.ca_file = c->ca_file,
		.proxy = c->proxy,
		.loopback_only_plain = true,
	};

	return c->fetch(c->fetch_arg, &call, done, arg, err);
}

int client_get(struct client *c, const char *path, http_done *done, void *arg, struct err *err)
{
	char *url = xasprintf("%s%s", c->base_url, path);
	int failed = start(c, url, done, arg, err);

	free(url);
	return failed;
}

int client_ask(struct client *c, const struct request *r, client_done *done, void *arg,
	       struct err *err)
{
	struct buf url = BUF_INIT(URL_MAX);
	int ret = -1;

	write_url(&url, c, r);
	if (url.full) {
		buf_release(&url);
		return err_set(err, ERR_LIMIT, "the URL is longer than %d bytes", URL_MAX);
	}
	struct asked *a = asked_new(c, r);
	a->done = done;
	a->arg = arg;
	c->under_way++;
	if (start(c, url.data, answered, a, err) < 0) {
		c->under_way--;
		asked_free(a);
		goto out;
	}
	ret = 0;
out:
	buf_release(&url);
	return ret;
}

/* ---- judging ---- */

/* An error body's beginning: printable ASCII, blanks folded, the rest escaped, no key in it. */
static void write_excerpt(struct buf *out, const struct client *c, const struct http_reply *reply)
{
	const char *key = c->authorization ? c->authorization + strlen(BEARER) : NULL;
	size_t len = reply->body ? reply->len : 0, shown = 0;

	for (size_t i = 0; i < len && shown < EXCERPT_MAX; shown++) {
		unsigned char byte = (unsigned char)reply->body[i];
		size_t key_len = key ? strlen(key) : 0;
		if (shown == 0)
			buf_adds(out, ": ");
		if (key_len && key_len <= len - i && memcmp(reply->body + i, key, key_len) == 0) {
			buf_adds(out, "[key]");
			i += key_len;
			continue;
		}
		if (byte == '\n' || byte == '\r' || byte == '\t')
			buf_addc(out, ' ');
		else if (byte < 0x20 || byte > 0x7e)
			buf_addf(out, "\\x%02x", byte);
		else
			buf_addc(out, (char)byte);
		i++;
	}
}

static int64_t header_number(const struct http_reply *reply, const char *name)
{
	const char *text = http_header(reply, name);
	int64_t n = 0;

	if (!text || !*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = n * 10 + (*text - '0');
		if (n > COUNT_MAX)
			return -1;
	}
	return n;
}

static enum answer_kind judge_status(const struct http_reply *reply)
{
	switch (reply->status) {
	case 401:
	case 403: return ANSWER_NO_KEY;
	case 404: return ANSWER_MISSING;
	case 429: return ANSWER_LATER;
	case 408:
	case 425: return ANSWER_BROKEN;
	case 503: return reply->retry_after_ms >= 0 ? ANSWER_LATER : ANSWER_BROKEN;
	default: break;
	}
	return reply->status >= 400 && reply->status < 500 ? ANSWER_REFUSED : ANSWER_BROKEN;
}

/* What a 200 lacks to be a page, or NULL. That the array is sound is the decoder's to find out. */
static const char *lacks(const struct http_reply *reply)
{
	const char *type = http_header(reply, "content-type");
	size_t blank = strspn(reply->body, " \t\r\n");
	char first = blank < reply->len ? reply->body[blank] : '\0';

	if (first == '<' || (type && strncasecmp(type, "text/html", 9) == 0))
		return "HTML instead of JSON";
	if (blank == reply->len)
		return "an empty body instead of JSON";
	return first == '[' ? NULL : "no JSON array";
}

static void judge(const struct client *c, const struct http_reply *reply, struct answer *ret,
		  struct buf *why)
{
	ret->status = reply->status;
	ret->count = -1;
	ret->wait_ms = -1;
	ret->date_ms = reply->date_ms;
	ret->took_ms = reply->took_us / 1000;
	if (reply->failure != HTTP_OK) {
		ret->kind = reply->failure == HTTP_ABORTED ? ANSWER_ABORTED : ANSWER_BROKEN;
		buf_adds(why, reply->why ? reply->why : "no answer");
	} else if (reply->status != 200) {
		ret->kind = judge_status(reply);
		if (ret->kind == ANSWER_LATER)
			ret->wait_ms = reply->retry_after_ms;
		buf_addf(why, "HTTP %d", reply->status);
		write_excerpt(why, c, reply);
	} else if (lacks(reply)) {
		ret->kind = ANSWER_BROKEN;
		buf_adds(why, lacks(reply));
	} else {
		ret->kind = ANSWER_PAGE;
		ret->body = reply->body;
		ret->len = reply->len;
		ret->count = header_number(reply, "pagination-count");
		ret->next = http_header(reply, "pagination-next");
	}
	ret->why = ret->kind == ANSWER_PAGE ? NULL : why->data;
}

static void answered(void *arg, const struct http_reply *reply)
{
	struct asked *a = arg;
	struct answer answer = {0};
	struct buf why = BUF_INIT(WHY_MAX);

	a->client->under_way--;
	judge(a->client, reply, &answer, &why);
	a->done(a->arg, &a->request, &answer);
	buf_release(&why);
	asked_free(a);
}
