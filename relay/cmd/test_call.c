/* test_call — see the header. Invariant: a body that is JSON stands as JSON, any other as a
 * string. */
#include "relay/cmd/test_call.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "transports/transport.h"

#define CALL_MAX (TEMPLATE_OUTPUT_MAX * 8) /* a body as a string, each byte escaped */

struct call_maker {
	struct json_doc *doc;
};

struct call_maker *call_maker_new(void)
{
	struct call_maker *m = xcalloc(1, sizeof *m);
	m->doc = json_doc_new();
	return m;
}

void call_maker_free(struct call_maker *m)
{
	if (!m)
		return;
	json_doc_free(m->doc);
	free(m);
}

void call_add_event(struct buf *json, const struct event *ev)
{
	static const char member[] = "\"subject\":";
	const char *subject = memmem(ev->body, ev->len, member, sizeof member - 1);
	const char *data = memmem(ev->body, ev->len, "\"data\":", 7);
	json_add_text(json, "type", ev->type);
	if (!subject || (data && subject > data))
		return;
	/* a copy of the string with its quotes; only texts stand before it */
	const char *end = subject + sizeof member;
	while (*end != '"')
		end += *end == '\\' ? 2 : 1;
	json_add_name(json, "subject");
	buf_add(json, subject + sizeof member - 1, (size_t)(end + 1 - subject) - sizeof member + 1);
}

/* A header's name in small letters: receivers do not care, tests should not have to. */
static void add_header(struct buf *json, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name = colon ? (size_t)(colon - line) : len, value = name + (colon ? 1 : 0);
	while (value < len && line[value] == ' ')
		value++;
	char *key = xstrndup(line, name);
	for (char *c = key; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	buf_adds(json, json->data[json->len - 1] == '{' ? "" : ",");
	json_write_string(json, key);
	buf_addc(json, ':');
	json_write_bytes(json, line + value, len - value);
	free(key);
}

static void add_headers(struct buf *json, const char *lines)
{
	json_add_name(json, "headers");
	buf_addc(json, '{');
	while (*lines) {
		size_t len = strcspn(lines, "\n");
		add_header(json, lines, len);
		lines += len + (lines[len] ? 1 : 0);
	}
	buf_addc(json, '}');
}

static void add_body(struct buf *json, const char *body, size_t len)
{
	struct err no_json;
	json_add_name(json, "body");
	if (json_check(body, len, JSON_DEPTH + 4, &no_json) == 0)
		json_copy(json, body, len, NULL);
	else
		json_write_bytes(json, body, len);
}

/* Of one that nobody describes only a body that a rule makes is known. */
static int preview_stand_in(struct call_maker *m, const struct call *c,
			    struct transport_preview *ret, struct err *err)
{
	const struct json *event =
		json_parse(m->doc, c->event->body, c->event->len, JSON_DEPTH + 4, err);
	return event ? template_render(c->body, event, &ret->body, err) : -1;
}

static int preview(struct call_maker *m, const struct call *c, struct transport_preview *ret,
		   struct err *err)
{
	const struct destination_settings *d = c->destination;
	struct event room = {0};
	const struct parcel parcel = {
		.id = 1,
		.event = delivery_redact(&d->options, c->event, &room),
		.attempt = 1,
		.body = c->body,
	};
	buf_init(&ret->url, TEMPLATE_OUTPUT_MAX);
	buf_init(&ret->headers, TEMPLATE_OUTPUT_MAX);
	buf_init(&ret->body, TEMPLATE_OUTPUT_MAX);
	int failed = d->type ? d->type->preview(d->settings, &parcel, ret, err)
			     : preview_stand_in(m, c, ret, err);
	delivery_redact_release(&room);
	return failed;
}

static char *write(const struct call *c, const struct transport_preview *v)
{
	struct buf json = BUF_INIT(CALL_MAX);
	buf_addc(&json, '{');
	json_add_text(&json, "to", c->destination->name);
	call_add_event(&json, c->event);
	json_add_text(&json, "rule", c->rule);
	if (v->method) {
		json_add_text(&json, "method", v->method);
		json_add_text(&json, "url", v->url.data);
		add_headers(&json, v->headers.data);
	}
	add_body(&json, v->body.data, v->body.len);
	buf_addc(&json, '}');
	return buf_detach(&json);
}

int call_make(struct call_maker *m, const struct call *call, char **ret, struct err *err)
{
	const struct destination_settings *d = call->destination;
	struct transport_preview v = {0};
	if (!d->options.enabled || (d->type ? !settings_has_callbacks(d) : !call->body))
		return 0;
	int failed = preview(m, call, &v, err);
	if (!failed)
		*ret = write(call, &v);
	transport_preview_release(&v);
	return failed;
}
