/* http_preview — a callback as it would be sent, for who tries rules. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/mem.h"
#include "transports/http_content.h"
#include "transports/http_format.h"

/* But for what names a key, and what is not known here. */
static void add_headers(struct buf *out, const struct http_settings *s,
			const struct http_content *c, const struct parcel *parcel)
{
	const char *type = parcel->body ? HTTP_RULE_TYPE
			   : c->body	? c->type
					: http_format_types[s->format];

	buf_addf(out, "Content-Type: %s\n", type);
	for (size_t i = 0; s->headers && i < s->headers->n; i++) {
		const struct node *n = s->headers->items[i];

		if (!n->unset && !http_content_has_line(c, n->key) &&
		    strcasecmp(n->key, "authorization") != 0)
			buf_addf(out, "%s: %s\n", n->key, node_string(n));
	}
}

static int render(struct http_content *c, const struct parcel *parcel,
		  struct transport_preview *ret, struct err *err)
{
	const char **lines = xcalloc(c->nlines + 1, sizeof *lines);
	struct http_rendered said = {.lines = lines, .body = parcel->body ? NULL : &ret->body};
	int failed = parcel->body
			     ? http_content_say(c, parcel->body, parcel->event, &ret->body, err)
			     : 0;

	if (!failed)
		failed = http_content_render(c, parcel->event, &said, err);
	for (size_t i = 0; !failed && i < c->nlines; i++)
		buf_addf(&ret->headers, "%s\n", lines[i]);
	if (!failed && said.url) {
		buf_clear(&ret->url);
		buf_adds(&ret->url, said.url);
	}
	free(lines);
	return failed;
}

/* The event in the destination's format; a batch of this one. */
static int say_event(const struct http_settings *s, const struct event *event,
		     struct transport_preview *ret, struct err *err)
{
	struct http_binary b = HTTP_BINARY_INIT;
	const char *line;
	int failed = 0;

	if (s->format == HTTP_BINARY) {
		failed = http_binary_read(&b, event->body, event->len, err);
		line = b.lines.data;
		for (size_t i = 0; !failed && i < b.n; i++, line += strlen(line) + 1)
			buf_addf(&ret->headers, "%s\n", line);
		buf_add(&ret->body, b.data, b.len);
		buf_release(&b.lines);
		return failed;
	}
	buf_adds(&ret->body, s->format == HTTP_BATCH ? "[" : "");
	buf_add(&ret->body, event->body, event->len);
	buf_adds(&ret->body, s->format == HTTP_BATCH ? "]" : "");
	return 0;
}

int http_preview(const void *settings, const struct parcel *parcel, struct transport_preview *ret,
		 struct err *err)
{
	const struct http_settings *s = settings;
	struct http_content content;
	struct problems known = {0}; /* told when the settings were read */

	http_content_read(s, NULL, &content, &known);
	problems_release(&known);
	ret->method = http_methods[s->method];
	buf_adds(&ret->url, s->url);
	add_headers(&ret->headers, s, &content, parcel);
	int failed = render(&content, parcel, ret, err);
	if (!failed && !content.body && !parcel->body)
		failed = say_event(s, parcel->event, ret, err);
	http_content_release(&content);
	return failed;
}
