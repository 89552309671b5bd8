/*
 * http — one POST an event: the event's own bytes as a structured CloudEvent, or what a template
 * makes of it; signed by Standard Webhooks when there is a secret. The wire thread renders, signs
 * and calls. Invariant: what is signed is what is sent.
 */
#include "transports/transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "transports/http_parts.h"
#include "transports/signature.h"
#include "transports/wire.h"

#define SIGNATURE_MAX 2048	 /* HTTP_SECRETS_MAX of 92 bytes and their spaces, with room */
#define REPLY_MAX     2048	 /* more than is kept: a secret is masked before the text is cut */
#define BODY_KEEP     (16 << 10) /* a larger body's memory goes back after the call */

/* --- what is sent --- */

/* On the wire's thread. The timestamp is that of this attempt. */
static void sign(struct callback *c, const struct http_call *call, const char **at)
{
	const struct event *event = c->parcel->event;
	struct signed_text text = {
		.id = event->id,
		.timestamp_s = clock_now().wall_ms / 1000,
		.body = call->body,
		.len = call->body_len,
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

/* The templates' part of the call; *at moves behind the headers. */
static int render(struct callback *c, struct http_call *call, const char ***at, struct err *err)
{
	struct http_content *content = &c->self->content;
	struct http_rendered said = {.lines = *at, .body = c->ruled ? NULL : &c->body};

	if (http_content_render(content, c->parcel->event, &said, &c->refused) < 0)
		return err_set(err, ERR_FORMAT, "%s", c->refused.msg);
	*at += content->nlines;
	**at = NULL;
	if (said.url)
		call->url = said.url;
	return 0;
}

static int prepare(void *arg, struct http_call *call, struct err *err)
{
	struct callback *c = arg;
	const char **at = c->headers + c->self->headers.n;

	*call = c->self->call;
	call->headers = c->headers;
	call->body = c->parcel->event->body;
	call->body_len = c->parcel->event->len;
	if (http_content_has_places(&c->self->content) && render(c, call, &at, err) < 0)
		return -1;
	if (c->ruled || c->self->content.body) {
		call->body = c->body.data;
		call->body_len = c->body.len;
	}
	if (c->self->nkeys)
		sign(c, call, at);
	return 0;
}

static void put_idle(void *arg)
{
	struct callback *c = arg;

	buf_clear(&c->body);
	if (c->body.cap > BODY_KEEP)
		buf_release(&c->body);
	c->refused = (struct err){0};
	c->ruled = false;
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
	c = xcalloc(1, sizeof *c + (h->headers.n + h->content.nlines + 4) * sizeof *c->headers);
	c->self = h;
	buf_init(&c->body, TEMPLATE_OUTPUT_MAX);
	buf_init(&c->signature, SIGNATURE_MAX);
	memcpy(c->headers, h->headers.v, h->headers.n * sizeof *c->headers);
	return c;
}

/* The rule may be gone when the wire's thread comes to it: its body is said here. */
static int say_rule(struct callback *c, const struct template *body)
{
	struct http_self *h = c->self;

	c->ruled = body != NULL;
	c->headers[0] = body ? "Content-Type: " HTTP_RULE_TYPE : h->headers.v[0];
	return body ? http_content_say(&h->content, body, c->parcel->event, &c->body, &c->refused)
		    : 0;
}

static void http_send(void *self, const struct parcel *parcel)
{
	struct http_self *h = self;
	struct callback *c = take_idle(h);

	c->parcel = parcel;
	if (say_rule(c, parcel->body) == 0) {
		wire_send(h->env->wire, h, prepare, http_answer, c, put_idle);
	} else {
		http_answer(c, &(struct http_reply){.failure = HTTP_BROKEN, .why = ""});
		put_idle(c);
	}
}

static void paths(const void *settings, template_path_fn *fn, void *arg)
{
	struct problems told = {0}; /* by the check */
	struct http_content c;

	http_content_read(settings, NULL, &c, &told);
	http_content_paths(&c, fn, arg);
	http_content_release(&c);
	problems_release(&told);
}

/* Alertmanager takes an alert for over that it is not told again for some minutes. */
static int64_t repeat_ms(const void *settings)
{
	const struct http_settings *s = settings;

	return s->preset && strcmp(s->preset, "alertmanager") == 0 ? 60000 : 0;
}

/* --- open and close --- */

static int load_keys(struct http_self *h, const struct strings *secrets, struct err *err)
{
	h->keys = xcalloc(secrets->n + 1, sizeof(struct signature_key *));
	for (size_t i = 0; i < secrets->n; i++) {
		h->keys[i] = signature_key_load(secrets->v[i], err);
		if (!h->keys[i])
			return err_wrap(err, "secret");
		h->nkeys++;
		http_mask_add(h, secrets->v[i]);
	}
	return 0;
}

/* What the check at load took, read again for this self. */
static int read_settings(struct http_self *h, const struct http_settings *s, struct err *err)
{
	struct problems p = {0};

	http_network_read(s->network, &h->network, &p);
	http_content_read(s, NULL, &h->content, &p);
	if (p.n)
		err_set(err, ERR_CONFIG, "%s", p.v[0]);
	int done = p.n ? -1 : 0;

	problems_release(&p);
	return done;
}

static int http_open_self(void *self, const void *settings, const struct transport_env *env,
			  struct err *err)
{
	const struct http_settings *s = settings;
	struct http_self *h = self;

	h->env = env;
	if (read_settings(h, s, err) < 0)
		return -1;
	h->network.own = env->own;
	h->network.nown = env->nown;
	http_headers_add(h, s);
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
		buf_release(&c->body);
		free(c);
	}
	for (size_t i = 0; i < h->nkeys; i++)
		signature_key_free(h->keys[i]);
	free(h->keys);
	wipe_strings(&h->headers);
	wipe_strings(&h->masks);
	http_content_release(&h->content);
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
	.repeat_ms = repeat_ms,
	.preview = http_preview,
	.paths = paths,
	.open = http_open_self,
	.send = http_send,
	.close = http_close_self,
};
