/*
 * http — one POST an event, or a batch of events: as CloudEvents in one of three formats, or what a
 * template makes of it; signed by Standard Webhooks when there is a secret. The wire thread
 * renders, signs and calls. Invariant: what is signed is what is sent.
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

static bool is_batch(const struct callback *c)
{
	return c->self->format == HTTP_BATCH && !c->ruled;
}

/* On the wire's thread. The timestamp is that of this attempt. */
static void sign(struct callback *c, const struct http_call *call, const char **at)
{
	struct signed_text text = {
		.id = is_batch(c) ? c->batch_id : c->parcels[0]->event->id,
		.timestamp_s = clock_now().wall_ms / 1000,
		.body = call->body,
		.len = call->body_len,
	};

	snprintf(c->id, sizeof c->id, "webhook-id: %s", text.id);
	snprintf(c->time, sizeof c->time, "webhook-timestamp: %lld", (long long)text.timestamp_s);
	buf_clear(&c->signature);
	buf_adds(&c->signature, "webhook-signature: ");
	signature_make(&c->signature, c->self->keys, c->self->nkeys, &text);
	*at++ = c->id;
	*at++ = c->time;
	*at++ = c->signature.data;
	*at = NULL;
}

/* The event's own bytes, as the format wants them. */
static int say_event(struct callback *c, struct http_call *call, const char ***at)
{
	const struct event *event = c->parcels[0]->event;
	struct http_binary *b = &c->self->binary;
	const char *line;

	call->body = event->body;
	call->body_len = event->len;
	if (c->self->format != HTTP_BINARY)
		return 0;
	if (http_binary_read(b, event->body, event->len, &c->refused) < 0)
		return -1;
	line = b->lines.data;
	for (size_t i = 0; i < b->n; i++, line += strlen(line) + 1)
		*(*at)++ = line;
	call->body = b->data;
	call->body_len = b->len;
	return 0;
}

static int say(struct callback *c, struct http_call *call, const char ***at)
{
	bool batch = is_batch(c);

	if (!batch && !c->ruled && !c->self->content.body)
		return say_event(c, call, at);
	if (batch)
		http_batch_say(c);
	call->body = c->body.data;
	call->body_len = c->body.len;
	return 0;
}

/* The templates' part of the call; *at moves behind the headers. */
static int render(struct callback *c, struct http_call *call, const char ***at)
{
	struct http_content *content = &c->self->content;
	struct http_rendered said = {.lines = *at, .body = c->ruled ? NULL : &c->body};

	if (http_content_render(content, c->parcels[0]->event, &said, &c->refused) < 0)
		return -1;
	*at += content->nlines;
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
	if ((http_content_has_places(&c->self->content) && render(c, call, &at) < 0) ||
	    say(c, call, &at) < 0)
		return err_set(err, ERR_FORMAT, "%s", c->refused.msg);
	*at = NULL;
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
	c->n = c->bytes = c->group = 0;
	c->next = c->self->idle;
	c->self->idle = c;
}

struct callback *http_call_take(struct http_self *h)
{
	struct callback *c = h->idle;
	bool batch = h->format == HTTP_BATCH;
	size_t lines = h->headers.n + h->content.nlines;

	if (c) {
		h->idle = c->next;
		return c;
	}
	lines += h->format == HTTP_BINARY ? HTTP_ATTRIBUTES_MAX : 0;
	c = xcalloc(1, sizeof *c + (lines + 4) * sizeof *c->headers);
	c->self = h;
	c->parcels = xcalloc(batch ? HTTP_BATCH_EVENTS : 1, sizeof *c->parcels);
	buf_init(&c->body, batch ? HTTP_BATCH_BYTES : TEMPLATE_OUTPUT_MAX);
	buf_init(&c->signature, SIGNATURE_MAX);
	memcpy(c->headers, h->headers.v, h->headers.n * sizeof *c->headers);
	return c;
}

bool http_may_call(const struct http_self *h)
{
	return !h->env->calls || h->open < h->env->calls;
}

static void wait_for_end(struct callback *c)
{
	struct http_self *h = c->self;

	c->next = NULL;
	*(h->waiting ? &h->last_waiting->next : &h->waiting) = c;
	h->last_waiting = c;
}

static void answered(void *arg, const struct http_reply *reply)
{
	struct http_self *h = ((struct callback *)arg)->self;
	struct callback *next = h->waiting;

	http_answer(arg, reply);
	h->open--;
	if (!next)
		return;
	h->waiting = next->next;
	http_call_send(next);
}

void http_call_send(struct callback *c)
{
	struct http_self *h = c->self;

	if (!http_may_call(h)) {
		wait_for_end(c);
		return;
	}
	h->open++;
	wire_send(h->env->wire, h, prepare, answered, c, put_idle);
}

/* The rule may be gone when the wire's thread comes to it: its body is said here. */
static int say_rule(struct callback *c, const struct template *body)
{
	struct http_self *h = c->self;

	c->ruled = body != NULL;
	c->headers[0] = body ? "Content-Type: " HTTP_RULE_TYPE : h->headers.v[0];
	return body ? http_content_say(&h->content, body, c->parcels[0]->event, &c->body,
				       &c->refused)
		    : 0;
}

static void http_send(void *self, const struct parcel *parcel)
{
	struct http_self *h = self;
	struct callback *c;

	if (h->format == HTTP_BATCH && !parcel->body) {
		http_batch_add(h, parcel);
		return;
	}
	http_batch_flush(h); /* a rule's own body goes alone, behind what came before it */
	c = http_call_take(h);
	c->parcels[c->n++] = parcel;
	if (say_rule(c, parcel->body) == 0) {
		http_call_send(c);
	} else {
		http_answer(c, &(struct http_reply){.failure = HTTP_BROKEN, .why = ""});
		put_idle(c);
	}
}

static void http_tick(void *self, struct instant now)
{
	http_batch_tick(self, now);
}

static size_t per_call(const void *settings)
{
	const struct http_settings *s = settings;

	return s->format == HTTP_BATCH ? HTTP_BATCH_EVENTS : 1;
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
	h->format = (enum http_format)s->format;
	h->binary = (struct http_binary)HTTP_BINARY_INIT;
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
		.insecure = s->insecure,
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

	if (h->gathered)
		put_idle(h->gathered);
	for (struct callback *c = h->waiting; c; c = next) {
		next = c->next;
		put_idle(c);
	}
	if (h->call.url) /* else nothing was ever sent */
		wire_forget(h->env->wire, h);
	for (struct callback *c = h->idle; c; c = next) {
		next = c->next;
		buf_release(&c->signature);
		buf_release(&c->body);
		free(c->parcels);
		free(c);
	}
	for (size_t i = 0; i < h->nkeys; i++)
		signature_key_free(h->keys[i]);
	free(h->keys);
	wipe_strings(&h->headers);
	wipe_strings(&h->masks);
	http_content_release(&h->content);
	network_policy_release(&h->network);
	buf_release(&h->binary.lines);
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
	.per_call = per_call,
	.repeat_ms = repeat_ms,
	.preview = http_preview,
	.paths = paths,
	.open = http_open_self,
	.send = http_send,
	.tick = http_tick,
	.close = http_close_self,
};
