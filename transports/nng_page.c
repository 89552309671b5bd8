/* nng_page — a refill's reply taken apart. Invariant: a body is the very text that came. */
#include "transports/nng_page.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "transports/nng_frame.h"

#define REPLY_DEPTH (JSON_DEPTH + 8)

static int64_t sequence_of(const struct json *root, const char *member)
{
	const char *digits = json_string(json_get(root, member));
	int64_t sequence = 0;

	return digits && frame_sequence(digits, &sequence) ? sequence : 0;
}

struct bus_event bus_event_of(const struct json *root)
{
	return (struct bus_event){.id = json_string(json_get(root, "id")),
				  .type = json_string(json_get(root, "type")),
				  .sequence = sequence_of(root, "sequence"),
				  .prevsequence = sequence_of(root, "prevsequence")};
}

/* p at an opening quote of a checked text; returns what stands behind the closing one. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		p += *p == '\\';
	return p < end ? p + 1 : end;
}

/* p at the opening bracket of an array or object; returns what stands behind it. */
static const char *skip_nested(const char *p, const char *end)
{
	size_t open = 0;

	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		open += *p == '[' || *p == '{';
		open -= *p == ']' || *p == '}';
		p++;
		if (!open)
			break;
	}
	return p;
}

/* Where the array of that name stands in a checked object's text. */
static bool find_array(const char *text, size_t len, const char *quoted_name, struct json_span *ret)
{
	const char *end = text + len, *p = memchr(text, '{', len);
	size_t name_len = strlen(quoted_name);

	p = p ? p + 1 : end;
	while (p < end) {
		const char *from = p;
		if (*p == '[' || *p == '{')
			p = skip_nested(p, end);
		else if (*p == '"')
			p = skip_string(p, end);
		else
			p++;
		if ((size_t)(p - from) != name_len || memcmp(from, quoted_name, name_len) != 0)
			continue;
		while (p < end && strchr(" \t\r\n:", *p))
			p++;
		*ret = (struct json_span){(size_t)(p - text), (size_t)(skip_nested(p, end) - p)};
		if (p < end && *p == '[')
			return true; /* else it was a value */
	}
	return false;
}

static int page_number(const struct json *root, const char *name, int64_t *ret, struct err *err)
{
	if (json_int(json_get(root, name), ret) && *ret >= 0)
		return 0;
	return err_set(err, ERR_FORMAT, "the reply has no \"%s\"", name);
}

static int read_head(struct bus_page *ret, const struct json *root, struct err *err)
{
	const char *why = json_string(json_get(root, "error"));

	if (why && json_int(json_get(root, "latest"), &ret->latest))
		return 0; /* `after` is beyond it; there are no events */
	if (why)
		return err_set(err, ERR_NET, "refused: %s", why);
	if (page_number(root, "next", &ret->next, err) < 0 ||
	    page_number(root, "oldest", &ret->oldest, err) < 0 ||
	    page_number(root, "latest", &ret->latest, err) < 0)
		return -1;
	ret->more = json_bool(json_get(root, "more"), false);
	ret->n = json_count(json_get(root, "events"));
	if (json_count(json_get(root, "topics")) != ret->n)
		return err_set(err, ERR_FORMAT, "the reply has not one topic for each event");
	return 0;
}

static int read_events(struct bus_page *ret, const struct json *root, struct err *err)
{
	const struct json *v = json_first(json_get(root, "events"));
	const struct json *topic = json_first(json_get(root, "topics"));
	int64_t last = 0;

	for (size_t i = 0; i < ret->n; i++, v = json_next(v), topic = json_next(topic)) {
		struct bus_event *ev = &ret->events[i];
		*ev = bus_event_of(v);
		ev->topic = json_string(topic);
		if (!ev->topic || ev->sequence <= last)
			return err_set(err, ERR_FORMAT, "the reply's events are not in order");
		last = ev->sequence;
	}
	return 0;
}

/* Gives each event the text it came as. */
static int read_bodies(struct bus_page *ret, const char *text, size_t len, struct err *err)
{
	struct json_doc *doc = json_doc_new();
	const struct json_span *spans;
	struct json_span at;
	bool found = find_array(text, len, "\"events\"", &at) &&
		     json_parse(doc, text + at.at, at.len, REPLY_DEPTH, err) &&
		     json_elements(doc, &spans) == ret->n;

	for (size_t i = 0; found && i < ret->n; i++) {
		ret->events[i].body = text + at.at + spans[i].at;
		ret->events[i].len = spans[i].len;
	}
	json_doc_free(doc);
	return found ? 0 : err_set(err, ERR_FORMAT, "the reply has no \"events\"");
}

int bus_page_read(struct bus_page *ret, struct json_doc *doc, const char *text, size_t len,
		  struct err *err)
{
	const struct json *root = json_parse(doc, text, len, REPLY_DEPTH, err);
	struct bus_page page = {0};

	if (!root)
		return err_wrap(err, "the reply");
	if (read_head(&page, root, err) < 0)
		return -1;
	if (json_get(root, "error")) {
		*ret = page;
		return 0;
	}
	page.events = xcalloc(page.n, sizeof *page.events);
	if (read_events(&page, root, err) < 0 || read_bodies(&page, text, len, err) < 0) {
		free(page.events);
		return -1;
	}
	*ret = page;
	return 0;
}
