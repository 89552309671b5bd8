/* event — makes the envelope, the ids and the topics. Invariant: a body is at most EVENT_BODY_MAX
 * bytes of valid JSON, and its sixteen sequence digits stand where sequence_at says. */
#include "relay/base/event.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"

#define SEQUENCE_MAX 9999999999999999 /* sixteen digits; 2^53 comes first */

const char *const event_types[EVENT_TYPES + 1] = {
	"recipient.added",
	"recipient.sent",
	"recipient.delivered",
	"recipient.opened",
	"recipient.played",
	"recipient.failed",
	"recipient.skipped",
	"recipient.complained",
	"recipient.unsubscribed",
	"recipient.bounced",
	"recipient.reverted",
	"recipient.processed",
	"recipient.updated",
	"recipient.removed",
	"broadcast.added",
	"broadcast.clicked",
	"broadcast.template_failed",
	"broadcast.removed",
	"broadcast.report",
	"contact.reached",
	"contact.unreached",
	"alert.firing",
	"alert.updated",
	"alert.resolved",
	"relay.source.down",
	"relay.source.up",
	"relay.destination.down",
	"relay.destination.up",
	"relay.destination.disabled",
	"relay.parked",
	"relay.dropped",
	"relay.audit",
	"relay.window.full",
	NULL,
};

size_t event_type_place(const char *type)
{
	size_t i = 0;

	while (i < EVENT_TYPES && strcmp(event_types[i], type) != 0)
		i++;
	return i;
}

void event_release(struct event *ev)
{
	if (!ev)
		return;
	free(ev->body);
	free(ev->topic);
	*ev = (struct event){0};
}

void events_release(struct events *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->n; i++)
		event_release(&list->v[i]);
	free(list->v);
	*list = (struct events){0};
}

void event_id(char ret[EVENT_ID_SIZE], const struct id_part *parts, size_t n)
{
	struct buf text = BUF_INIT(SIZE_MAX / 2); /* a part that was cut would make two facts one */
	char hex[33];

	for (size_t i = 0; i < n; i++) {
		buf_addi(&text, (long long)parts[i].len);
		buf_addc(&text, ':');
		buf_add(&text, parts[i].text, parts[i].len);
		buf_addc(&text, ',');
	}
	hash128_hex(hex, hash128(text.data, text.len));
	buf_release(&text);
	snprintf(ret, EVENT_ID_SIZE, "evt_%s", hex);
}

static void add_member(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, ",\"%s\":", name);
	json_write_string(out, text);
}

static void add_date(struct buf *out, const char *name, int64_t ms)
{
	char text[DATE_TEXT];

	add_member(out, name, date_format(text, ms));
}

static void add_envelope(struct buf *out, const struct event_head *head)
{
	buf_adds(out, "{\"specversion\":\"1.0\"");
	add_member(out, "id", head->id);
	add_member(out, "type", head->type);
	add_member(out, "source", head->source);
	if (head->subject)
		add_member(out, "subject", head->subject);
	add_date(out, "time", head->time_ms == DATE_NONE ? head->recorded_ms : head->time_ms);
	add_date(out, "recordedtime", head->recorded_ms);
	add_member(out, "sequence", "0000000000000000");
	add_member(out, "partitionkey", head->partitionkey);
	add_member(out, "datacontenttype", "application/json");
	buf_adds(out, ",\"data\":");
}

/* What gives way, step by step, until the event is no larger than it may be: first the row as the
 * API gave it, then the texts of which nobody promised a length. What names the fact stays. */
static const char *const cuts[][5] = {
	{NULL},
	{"recipient", NULL},
	{"recipient", "error_message", "broadcast_name", "external_message_id", NULL},
};

static void add_data(struct buf *out, const char *data, size_t len)
{
	size_t at = out->len;

	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		json_copy(out, data, len, cuts[i]);
		buf_addc(out, '}');
		if (!out->full)
			return;
		out->full = false;
		buf_truncate(out, at);
	}
	buf_adds(out, "{}}");
}

void event_make(struct event *ret, const struct event_head *head, const char *data, size_t len)
{
	struct buf body = BUF_INIT(EVENT_BODY_MAX), topic = BUF_INIT(SIZE_MAX / 2);

	assert(strlen(head->id) < sizeof ret->id && strlen(head->type) < sizeof ret->type);
	*ret = (struct event){.time_ms = head->recorded_ms};
	if (head->time_ms != DATE_NONE && head->time_ms < head->recorded_ms)
		ret->time_ms = head->time_ms;
	ret->order_key = hash64(head->partitionkey, strlen(head->partitionkey));
	memcpy(ret->id, head->id, strlen(head->id) + 1);
	memcpy(ret->type, head->type, strlen(head->type) + 1);

	add_envelope(&body, head);
	add_data(&body, data, len);
	assert(!body.full); /* the envelope's ids have ceilings of their own */
	ret->len = body.len;
	ret->body = buf_detach(&body);
	ret->sequence_at = event_sequence_at(ret->body, ret->len);

	event_topic(&topic, head->type, head->integration_id, head->broadcast_id);
	ret->topic = buf_detach(&topic);
}

void event_number(struct event *ev, int64_t sequence)
{
	char digits[24];

	assert(sequence > 0 && sequence <= SEQUENCE_MAX);
	snprintf(digits, sizeof digits, "%016lld", (long long)sequence);
	memcpy(ev->body + ev->sequence_at, digits, 16);
	ev->sequence = sequence;
}

size_t event_sequence_at(const char *body, size_t len)
{
	/* Only strings stand before it in an envelope, and inside a string these quotes would be
	 * escaped: the first hit is the member. */
	static const char member[] = "\"sequence\":\"";
	const char *at = memmem(body, len, member, sizeof member - 1);
	size_t digits;

	if (!at)
		return 0;
	digits = (size_t)(at - body) + sizeof member - 1;
	for (size_t i = 0; i < 16; i++)
		if (digits + i >= len || body[digits + i] < '0' || body[digits + i] > '9')
			return 0;
	return digits;
}

int64_t event_recorded_ms(const char *body, size_t len)
{
	/* As above: it stands before `sequence`, and only strings before it. */
	static const char member[] = "\"recordedtime\":\"";
	const char *at = memmem(body, len, member, sizeof member - 1), *end;
	int64_t ms = DATE_NONE;

	if (!at)
		return DATE_NONE;
	at += sizeof member - 1;
	end = memchr(at, '"', len - (size_t)(at - body));
	return end && date_parse(at, (size_t)(end - at), &ms) ? ms : DATE_NONE;
}

/* The text of a string in JSON, quotes included. */
static char *unquoted(const char *text, size_t len)
{
	struct json_doc *doc = json_doc_new();
	struct err ignored = {0}; /* no string: none is told */
	char *ret = xstrdup(json_string(json_parse(doc, text, len, 8, &ignored)));

	json_doc_free(doc);
	return ret;
}

char *event_subject(const char *body, size_t len)
{
	/* As above. */
	static const char member[] = "\"subject\":\"";
	size_t end = event_sequence_at(body, len), at;
	const char *text = memmem(body, end, member, sizeof member - 1);

	if (!text)
		return NULL;
	text += sizeof member - 1;
	for (at = (size_t)(text - body); at < end && body[at] != '"'; at++)
		at += body[at] == '\\';
	return at < end ? unquoted(text - 1, (size_t)(body + at + 1 - (text - 1))) : NULL;
}

bool event_is_about(const char *type)
{
	static const char family[] = "relay.destination.";

	return strncmp(type, family, sizeof family - 1) == 0 || strcmp(type, "relay.parked") == 0 ||
	       strcmp(type, "relay.dropped") == 0;
}

char *event_about(const struct event *ev)
{
	return event_is_about(ev->type) ? event_subject(ev->body, ev->len) : NULL;
}

static bool topic_byte(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

void event_topic_part(struct buf *out, const char *part, bool keep_dots)
{
	if (!*part)
		buf_addc(out, '-');
	for (; *part; part++) {
		if (topic_byte(*part) || (keep_dots && *part == '.'))
			buf_addc(out, *part);
		else
			buf_addf(out, "%%%02X", (unsigned char)*part);
	}
}

void event_topic(struct buf *out, const char *type, const char *integration_id,
		 const char *broadcast_id)
{
	event_topic_part(out, type, true);
	buf_addc(out, '.');
	event_topic_part(out, integration_id ? integration_id : "", false);
	buf_addc(out, '.');
	event_topic_part(out, broadcast_id ? broadcast_id : "", false);
}
