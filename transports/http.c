/*
 * http — one POST an event: the event's own bytes as a structured CloudEvent, signed by Standard
 * Webhooks when there is a secret. The wire thread makes the calls and signs.
 * Invariant: SENT only after a 2xx; no reason given to anybody holds a secret, even when the
 * receiver sends it back.
 */
#include "transports/transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "transports/http_settings.h"
#include "transports/signature.h"
#include "transports/wire.h"

#define WHY_MAX	      1024
#define REPLY_MAX     2048     /* more than is kept: a secret is masked before the text is cut */
#define WAIT_MAX_MS   86400000 /* of Retry-After */
#define SIGNATURE_MAX 2048     /* HTTP_SECRETS_MAX of 92 bytes and their spaces, with room */
#define MASK_MIN      4	       /* a shorter secret would mask ordinary text */

struct callback {
	struct callback *next; /* among the idle ones */
	struct http_self *self;
	const struct parcel *parcel;
	char id[16 + EVENT_ID_SIZE], time[48];
	struct buf signature;
	const char *headers[]; /* the fixed ones, three of the signature, NULL */
};

struct http_self {
	const struct transport_env *env;
	struct http_call call; /* the same for all; points to what follows */
	char *url, *ca_file, *cert_file, *key_file, *proxy;
	struct network_policy network;
	struct strings headers; /* "Name: value" */
	struct strings masks;	/* texts that no message may hold */
	struct signature_key **keys;
	size_t nkeys;
	struct callback *idle;
};

/* --- what a reply means --- */

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

/* The length of the valid UTF-8 character at `at`, 0 when there is none. */
static size_t character(const char *at, size_t left)
{
	for (size_t len = 1; len <= 4 && len <= left; len++)
		if (utf8_valid(at, len))
			return len;
	return 0;
}

/* One line of valid UTF-8, whatever the receiver sent. */
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
		} else if ((n = character(text + at, len - at)) && c >= ' ' && c != 0x7f) {
			buf_add(out, text + at, n);
		} else {
			buf_addf(out, "\\x%02x", c);
			n = 1;
		}
		at += n;
	}
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
	buf_addi(out, reply->status);
	if (reply->status / 100 == 3)
		buf_adds(out, " (redirects are not followed)");
	if (reply->len)
		buf_adds(out, ": ");
	add_escaped(out, h, reply->body, reply->len);
}

static bool is_transient(int status)
{
	return status == 408 || status == 425 || status == 429 || status / 100 == 5;
}

static void judge(const struct http_reply *reply, struct outcome *ret)
{
	int status = reply->status;

	ret->took_ms = reply->took_us / 1000;
	ret->wait_ms = -1;
	ret->verdict = TRY_AGAIN;
	if (reply->failure != HTTP_OK) {
		ret->no_connection = !status;
		return;
	}
	if (status / 100 == 2) {
		ret->verdict = SENT;
	} else if (status == 410) {
		ret->disable = true;
	} else if (is_transient(status)) {
		ret->wait_ms =
			reply->retry_after_ms < WAIT_MAX_MS ? reply->retry_after_ms : WAIT_MAX_MS;
	} else {
		ret->verdict = REFUSED;
	}
}

static void answer(void *arg, const struct http_reply *reply)
{
	struct callback *c = arg;
	const struct transport_env *env = c->self->env;
	struct buf why = BUF_INIT(WHY_MAX);
	struct outcome outcome = {0};

	judge(reply, &outcome);
	if (outcome.verdict != SENT) {
		describe(&why, c->self, reply);
		outcome.why = why.data;
	}
	env->done(env->arg, c->parcel->id, &outcome);
	buf_release(&why);
}

/* --- what is sent --- */

/* On the wire's thread. The timestamp is that of this attempt. */
static void sign(struct callback *c, const char **at)
{
	const struct event *event = c->parcel->event;
	struct signed_text text = {
		.id = event->id,
		.timestamp_s = clock_now().wall_ms / 1000,
		.body = event->body,
		.len = event->len,
	};

	snprintf(c->id, sizeof c->id, "webhook-id: %s", event->id);
	snprintf(c->time, sizeof c->time, "webhook-timestamp: %lld", (long long)text.timestamp_s);
	buf_clear(&c->signature);
	buf_adds(&c->signature, "webhook-signature: ");
	signature_make(&c->signature, c->self->keys, c->self->nkeys, &text);
	*at++ = c->id;
	*at++ = c->time;
	*at++ = c->signature.data;
	*at = NULL;
}

static int prepare(void *arg, struct http_call *call, struct err *err)
{
	struct callback *c = arg;

	(void)err;
	*call = c->self->call;
	if (c->self->nkeys)
		sign(c, c->headers + c->self->headers.n);
	call->headers = c->headers;
	call->body = c->parcel->event->body;
	call->body_len = c->parcel->event->len;
	return 0;
}

static void put_idle(void *arg)
{
	struct callback *c = arg;

	c->next = c->self->idle;
	c->self->idle = c;
}

static struct callback *take_idle(struct http_self *h)
{
	struct callback *c = h->idle;

	if (c) {
		h->idle = c->next;
		return c;
	}
	c = xcalloc(1, sizeof *c + (h->headers.n + 4) * sizeof *c->headers);
	c->self = h;
	buf_init(&c->signature, SIGNATURE_MAX);
	memcpy(c->headers, h->headers.v, h->headers.n * sizeof *c->headers);
	return c;
}

static void http_send(void *self, const struct parcel *parcel)
{
	struct http_self *h = self;
	struct callback *c = take_idle(h);

	c->parcel = parcel;
	wire_send(h->env->wire, h, prepare, answer, c, put_idle);
}

/* --- open and close --- */

static void add(struct strings *list, char *text)
{
	list->v = xrealloc(list->v, list->n + 1, sizeof *list->v);
	list->v[list->n++] = text;
}

static void add_mask(struct http_self *h, const char *text)
{
	if (strlen(text) >= MASK_MIN)
		add(&h->masks, xstrdup(text));
}

static char *base64(const char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = (const unsigned char *)text;
	size_t len = strlen(text);
	char *ret = xmalloc(4 * (len / 3 + 1) + 1), *out = ret;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t three = (uint32_t)in[i] << 16;

		if (i + 1 < len)
			three |= (uint32_t)in[i + 1] << 8;
		if (i + 2 < len)
			three |= in[i + 2];
		*out++ = digits[three >> 18];
		*out++ = digits[three >> 12 & 63];
		*out++ = i + 1 < len ? digits[three >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[three & 63] : '=';
	}
	*out = '\0';
	return ret;
}

static void add_authorization(struct http_self *h, const struct http_settings *s)
{
	if (s->bearer) {
		add(&h->headers, xasprintf("Authorization: Bearer %s", s->bearer));
		add_mask(h, s->bearer);
	}
	if (s->basic) {
		char *text = base64(s->basic);

		add(&h->headers, xasprintf("Authorization: Basic %s", text));
		add_mask(h, text);
		add_mask(h, s->basic);
		add_mask(h, strchr(s->basic, ':') ? strchr(s->basic, ':') + 1 : s->basic);
		explicit_bzero(text, strlen(text));
		free(text);
	}
}

static void add_headers(struct http_self *h, const struct http_settings *s)
{
	bool agent = false;

	add(&h->headers, xstrdup("Content-Type: application/cloudevents+json; charset=utf-8"));
	for (size_t i = 0; s->headers && i < s->headers->n; i++) {
		const struct node *n = s->headers->items[i];
		const char *value = node_string(n);

		/* libcurl's spelling of a header without value */
		add(&h->headers,
		    *value ? xasprintf("%s: %s", n->key, value) : xasprintf("%s;", n->key));
		agent |= strcasecmp(n->key, "user-agent") == 0;
		if (n->secret || strcasecmp(n->key, "authorization") == 0)
			add_mask(h, value);
	}
	if (!agent)
		add(&h->headers, xstrdup("User-Agent: Relay/" RELAY_VERSION));
	add_authorization(h, s);
}

static int load_keys(struct http_self *h, const struct strings *secrets, struct err *err)
{
	h->keys = xcalloc(secrets->n + 1, sizeof(struct signature_key *));
	for (size_t i = 0; i < secrets->n; i++) {
		h->keys[i] = signature_key_load(secrets->v[i], err);
		if (!h->keys[i])
			return err_wrap(err, "secret");
		h->nkeys++;
		add_mask(h, secrets->v[i]);
	}
	return 0;
}

static int http_open_self(void *self, const void *settings, const struct transport_env *env,
			  struct err *err)
{
	const struct http_settings *s = settings;
	struct http_self *h = self;
	struct problems p = {0};
	bool wrong;

	h->env = env;
	http_network_read(s->network, &h->network, &p);
	wrong = p.n > 0;
	problems_release(&p);
	if (wrong)
		return err_set(err, ERR_CONFIG, "network: not a policy");
	h->network.own = env->own;
	h->network.nown = env->nown;
	add_headers(h, s);
	if (load_keys(h, &s->secret, err) < 0)
		return -1;
	h->url = xstrdup(s->url);
	h->ca_file = xstrdup(s->ca_file);
	h->cert_file = xstrdup(s->cert_file);
	h->key_file = xstrdup(s->key_file);
	h->proxy = xstrdup(s->proxy);
	h->call = (struct http_call){
		.method = http_methods[s->method],
		.url = h->url,
		.max_reply = REPLY_MAX,
		.connect_timeout_ms = (int)s->connect_timeout_ms,
		.timeout_ms = (int)s->timeout_ms,
		.ca_file = h->ca_file,
		.cert_file = h->cert_file,
		.key_file = h->key_file,
		.proxy = h->proxy,
		.network = &h->network,
	};
	return 0;
}

static void wipe_strings(struct strings *list)
{
	for (size_t i = 0; i < list->n; i++) {
		explicit_bzero(list->v[i], strlen(list->v[i]));
		free(list->v[i]);
	}
	free(list->v);
	*list = (struct strings){0};
}

static void http_close_self(void *self)
{
	struct http_self *h = self;
	struct callback *next;

	if (h->call.url) /* else nothing was ever sent */
		wire_forget(h->env->wire, h);
	for (struct callback *c = h->idle; c; c = next) {
		next = c->next;
		buf_release(&c->signature);
		free(c);
	}
	for (size_t i = 0; i < h->nkeys; i++)
		signature_key_free(h->keys[i]);
	free(h->keys);
	wipe_strings(&h->headers);
	wipe_strings(&h->masks);
	network_policy_release(&h->network);
	free(h->url);
	free(h->ca_file);
	free(h->cert_file);
	free(h->key_file);
	free(h->proxy);
}

const struct transport_type transport_http = {
	.name = "http",
	.size = sizeof(struct http_self),
	.options = http_option_table,
	.settings_size = sizeof(struct http_settings),
	.in_flight = 16,
	.check = http_settings_check,
	.open = http_open_self,
	.send = http_send,
	.close = http_close_self,
};
