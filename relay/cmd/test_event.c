/* test_event — see the header. What `relay events show` prints can be pasted: the members that
 * Relay sets itself (sequence, recordedtime …) are taken and made anew. */
#include "relay/cmd/test_event.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/config/option.h"
#include "relay/config/yaml_json.h"

#define PART_MAX 1024 /* bytes of source, subject and partitionkey: the envelope has to fit */

struct event_options {
	char *id, *type, *source, *subject, *partitionkey, *time;
	const struct node *data, *own;
};

#define AT(field) offsetof(struct event_options, field)

static const struct option table[] = {
	{"type", OPT_STRING, AT(type), .required = true, .help = "recipient.failed …"},
	{"id", OPT_STRING, AT(id), .help = "preset: one of its own"},
	{"source", OPT_STRING, AT(source), .preset = "urn:uuid:" TEST_UUID, .help = "a URI"},
	{"subject", OPT_STRING, AT(subject), .help = "what it is about"},
	{"partitionkey", OPT_STRING, AT(partitionkey), .help = "preset: the subject"},
	{"time", OPT_STRING, AT(time), .help = "when it happened: RFC 3339; preset: now"},
	{"data", OPT_NODE, AT(data), .help = "a map"},
	{"specversion", OPT_NODE, AT(own), .help = "set by Relay"},
	{"recordedtime", OPT_NODE, AT(own), .help = "set by Relay: the clock"},
	{"sequence", OPT_NODE, AT(own), .help = "set by Relay: 1, 2, 3 …"},
	{"datacontenttype", OPT_NODE, AT(own), .help = "set by Relay"},
	{0},
};

static void check_length(const struct node *map, const char *key, const char *text, size_t max,
			 struct problems *p)
{
	if (text && strlen(text) > max)
		problem_at(p, node_get(map, key), "longer than %zu bytes", max);
}

static void check(const struct event_options *o, const struct node *map, int64_t *ret_ms,
		  struct problems *p)
{
	check_length(map, "type", o->type, EVENT_TYPE_SIZE - 1, p);
	check_length(map, "id", o->id, EVENT_ID_SIZE - 1, p);
	check_length(map, "source", o->source, PART_MAX, p);
	check_length(map, "subject", o->subject, PART_MAX, p);
	check_length(map, "partitionkey", o->partitionkey, PART_MAX, p);
	if (o->time && !date_parse(o->time, strlen(o->time), ret_ms))
		problem_at(p, node_get(map, "time"),
			   "a time such as 2026-11-22T10:00:00Z is expected");
	if (o->data && o->data->kind != NODE_MAP)
		problem_at(p, o->data, "a map is expected");
}

static void make(const struct event_options *o, int64_t time_ms, int64_t now_ms, int64_t n,
		 struct events *out)
{
	struct buf data = BUF_INIT(YAML_FILE_MAX * 8);
	char id[EVENT_ID_SIZE], *number = xasprintf("%lld", (long long)n);
	const struct id_part parts[] = {ID_PART("test"), ID_PART(number)};
	const char *key = o->partitionkey ? o->partitionkey : o->subject;
	event_id(id, parts, sizeof parts / sizeof *parts);
	if (o->data)
		yaml_json(&data, o->data);
	else
		buf_adds(&data, "{}");
	const struct event_head head = {
		.id = o->id ? o->id : id,
		.type = o->type,
		.source = o->source,
		.subject = o->subject,
		.partitionkey = key ? key : o->type,
		.integration_id = node_string(node_get(o->data, "integration_id")),
		.broadcast_id = node_string(node_get(o->data, "broadcast_id")),
		.time_ms = time_ms,
		.recorded_ms = now_ms,
	};
	out->v = mem_grow(out->v, out->n, &out->cap, sizeof *out->v);
	event_make(&out->v[out->n++], &head, data.data, data.len);
	buf_release(&data);
	free(number);
}

bool test_event_make(const struct node *map, int64_t now_ms, int64_t n, struct events *out,
		     struct problems *p)
{
	struct event_options o = {0};
	int64_t time_ms = DATE_NONE;
	size_t before = p->n;
	options_read(table, map, &o, p);
	check(&o, map, &time_ms, p);
	bool good = p->n == before && o.type;
	if (good)
		make(&o, time_ms, now_ms, n, out);
	options_release(table, &o);
	return good;
}
