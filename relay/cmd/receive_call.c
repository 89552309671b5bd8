/* receive_call — see the header. Formats by the HTTP binding of CloudEvents 1.0. */
#include "relay/cmd/receive_call.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/json_add.h"
#include "relay/base/mem.h"

#define DEPTH	 (JSON_DEPTH + 5) /* an event's, and that of a list of them */
#define NAME_LEN 64		  /* of an attribute; the specification advises 20 */

const char *const call_formats[] = {"structured", "binary", "batch", "other", NULL};

static enum call_format format_of(const struct server_request *q)
{
	static const char batch[] = "application/cloudevents-batch";
	static const char one[] = "application/cloudevents";
	const char *type = server_header(q, "content-type");
	if (type && !strncasecmp(type, batch, sizeof batch - 1))
		return CALL_BATCH;
	if (type && !strncasecmp(type, one, sizeof one - 1))
		return CALL_STRUCTURED;
	return server_header(q, "ce-specversion") || server_header(q, "ce-id") ? CALL_BINARY
									       : CALL_OTHER;
}

/* ---- binary: the attributes are headers, the body is the data ---- */

static int hex_digit(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10
					    : -1;
}

static void unescape(char *text)
{
	char *out = text;
	for (; *text; out++) {
		int high = text[0] == '%' ? hex_digit(text[1]) : -1;
		int low = high >= 0 ? hex_digit(text[2]) : -1;
		*out = low >= 0 ? (char)(high << 4 | low) : *text;
		text += low >= 0 ? 3 : 1;
	}
	*out = '\0';
}

static void add_attribute(void *arg, const char *name, const char *value)
{
	struct buf *out = arg;
	char key[NAME_LEN];
	size_t n = 0;
	if (strncasecmp(name, "ce-", 3) != 0 || strlen(name + 3) >= sizeof key)
		return;
	for (const char *p = name + 3; isalnum((unsigned char)*p); p++)
		key[n++] = (char)tolower((unsigned char)*p);
	key[n] = '\0';
	char *text = xstrdup(value);
	unescape(text);
	if (utf8_valid(text, strlen(text)))
		json_add_text(out, key, text);
	free(text);
}

static void write_binary(struct buf *out, const struct server_request *q)
{
	const char *type = server_header(q, "content-type");
	struct err none = {0};
	buf_addc(out, '{');
	server_each_header(q, add_attribute, out);
	if (type)
		json_add_text(out, "datacontenttype", type);
	if (q->len) {
		json_add_name(out, "data");
		if (json_check(q->body, q->len, DEPTH, &none) == 0)
			json_copy(out, q->body, q->len, NULL);
		else
			json_write_bytes(out, q->body, q->len);
	}
	buf_addc(out, '}');
}

/* ---- an event ---- */

static char *text_of(const struct json *object, const char *key)
{
	return xstrdup(json_string(json_get(object, key)));
}

static struct called_event *add_event(struct call *c, struct buf *json, const struct json *root)
{
	const struct json *data = json_get(root, "data");
	c->v = mem_grow(c->v, c->n, &c->cap, sizeof *c->v);
	struct called_event *ev = &c->v[c->n++];
	*ev = (struct called_event){
		.id = text_of(root, "id"),
		.type = text_of(root, "type"),
		.recipient = text_of(data, "recipient_id"),
		.why = text_of(data, "error_message"),
	};
	if (!ev->recipient)
		ev->recipient = text_of(root, "subject");
	ev->json = buf_detach(json);
	return ev;
}

static int check_event(const struct json *root, struct err *err)
{
	static const char *const needed[] = {"specversion", "id", "source", "type"};
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		const char *text = json_string(json_get(root, needed[i]));
		if (!text || !*text)
			return err_set(err, ERR_FORMAT, "no CloudEvent: %s is missing", needed[i]);
	}
	if (strcmp(json_string(json_get(root, "specversion")), "1.0") != 0)
		return err_set(err, ERR_FORMAT, "no CloudEvent of version 1.0");
	return 0;
}

/* text: of one event. */
static int read_event(struct call *c, const char *text, size_t len, struct json_doc *doc,
		      struct err *err)
{
	struct buf json = BUF_INIT(2 * CALL_BODY_MAX);
	const struct json *root = json_parse(doc, text, len, DEPTH, err);
	int failed = root ? check_event(root, err) : -1;
	if (!failed) {
		json_copy(&json, text, len, NULL);
		add_event(c, &json, root);
	}
	buf_release(&json);
	return failed;
}

static int read_batch(struct call *c, const struct server_request *q, struct json_doc *doc,
		      struct err *err)
{
	const struct json_span *spans;
	const struct json *root = json_parse(doc, q->body, q->len, DEPTH, err);
	if (!root)
		return -1;
	if (json_type(root) != JSON_ARRAY)
		return err_set(err, ERR_FORMAT, "a batch is an array of events");
	size_t n = json_elements(doc, &spans);
	struct json_span *kept = xcalloc(n + 1, sizeof *kept); /* reading an event parses again */
	memcpy(kept, spans, n * sizeof *kept);
	int failed = 0;
	for (size_t i = 0; i < n && !failed; i++) {
		failed = read_event(c, q->body + kept[i].at, kept[i].len, doc, err);
		if (failed)
			err_wrap(err, "event %zu of the batch", i + 1);
	}
	free(kept);
	return failed;
}

static int read_binary(struct call *c, const struct server_request *q, struct json_doc *doc,
		       struct err *err)
{
	struct buf text = BUF_INIT(2 * CALL_BODY_MAX);
	write_binary(&text, q);
	int failed = read_event(c, text.data, text.len, doc, err);
	buf_release(&text);
	return failed;
}

/* A template's, or anything. */
static void read_other(struct call *c, const struct server_request *q, struct json_doc *doc)
{
	struct buf json = BUF_INIT(2 * CALL_BODY_MAX);
	struct err none = {0};
	const struct json *root = json_parse(doc, q->body, q->len, DEPTH, &none);
	if (root)
		json_copy(&json, q->body, q->len, NULL);
	else
		json_write_bytes(&json, q->body, q->len);
	struct called_event *ev = add_event(c, &json, root);
	if (!ev->id)
		ev->id = xstrdup(server_header(q, "webhook-id"));
	buf_release(&json);
}

int call_read(struct call *ret, const struct server_request *q, struct json_doc *doc,
	      struct err *err)
{
	ret->format = format_of(q);
	switch (ret->format) {
	case CALL_STRUCTURED: return read_event(ret, q->body, q->len, doc, err);
	case CALL_BINARY: return read_binary(ret, q, doc, err);
	case CALL_BATCH: return read_batch(ret, q, doc, err);
	case CALL_OTHER: break;
	}
	read_other(ret, q, doc);
	return 0;
}

void call_release(struct call *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].json);
		free(c->v[i].id);
		free(c->v[i].type);
		free(c->v[i].recipient);
		free(c->v[i].why);
	}
	free(c->v);
	*c = (struct call){0};
}
