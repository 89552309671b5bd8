/* fact — writes an event of the source. Invariant: all events of diff and summary get id, source,
 * subject and key here, so that one fact has one id wherever it is derived. */
#include "relay/source/fact.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/http.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"

static void write_source(struct buf *out, const struct diff_place *at, const char *broadcast)
{
	buf_adds(out, at->base_url);
	buf_adds(out, "/orgs/");
	http_escape(out, at->org);
	buf_adds(out, "/broadcasts/");
	http_escape(out, broadcast);
}

static void make_id(char ret[EVENT_ID_SIZE], const struct fact *f)
{
	struct id_part parts[3 + FACT_PARTS];
	size_t n = 0;

	parts[n++] = ID_PART(f->broadcast);
	if (f->recipient)
		parts[n++] = ID_PART(f->recipient);
	parts[n++] = ID_PART(f->type);
	for (size_t i = 0; i < f->nparts; i++)
		parts[n++] = ID_PART(f->parts[i]);
	event_id(ret, parts, n);
}

void fact_add(struct events *out, const struct diff_place *at, const struct fact *f,
	      const struct buf *data)
{
	const char *subject = f->recipient ? f->recipient : f->broadcast;
	struct buf source = BUF_INIT(SIZE_MAX / 2);
	char id[EVENT_ID_SIZE];

	make_id(id, f);
	write_source(&source, at, f->broadcast);
	const struct event_head head = {
		.id = id,
		.type = f->type,
		.source = source.data,
		.subject = subject,
		.partitionkey = subject,
		.integration_id = f->integration_id,
		.broadcast_id = f->broadcast,
		.time_ms = f->time_ms,
		.recorded_ms = at->recorded_ms,
	};
	out->v = mem_grow(out->v, out->n, &out->cap, sizeof *out->v);
	event_make(&out->v[out->n++], &head, data->data, data->len);
	buf_release(&source);
}

void fact_part(struct fact *f, const char *part)
{
	assert(f->nparts < FACT_PARTS);
	f->parts[f->nparts++] = part;
}

char *fact_time(char ret[FACT_TIME], int64_t at)
{
	if (at < 0)
		snprintf(ret, FACT_TIME, "n%lld", -(long long)at);
	else
		snprintf(ret, FACT_TIME, "%lld", (long long)at);
	return ret;
}

char *fact_updated(char ret[FACT_TIME], const struct diff_place *at, int64_t ms)
{
	return fact_time(ret, time_or(ms, -at->recorded_ms));
}

void fact_comma(struct buf *data)
{
	if (data->len && data->data[data->len - 1] != '{' && data->data[data->len - 1] != '[')
		buf_addc(data, ',');
}

void fact_key(struct buf *data, const char *key)
{
	fact_comma(data);
	json_write_string(data, key);
	buf_addc(data, ':');
}

void fact_text(struct buf *data, const char *key, const char *text)
{
	fact_key(data, key);
	json_write_string(data, text);
}

void fact_date(struct buf *data, const char *key, int64_t ms)
{
	char text[DATE_TEXT];

	fact_text(data, key, ms == DATE_NONE ? NULL : date_format(text, ms));
}

const char *fact_status(const struct diff_place *at, uint8_t status)
{
	return status < at->statuses->n ? at->statuses->v[status] : NULL;
}

void fact_previous(struct buf *data, const struct diff_place *at, uint64_t states, uint8_t status)
{
	fact_key(data, "previous");
	buf_adds(data, "{\"states\":[");
	for (unsigned i = 0; i < STATES_MAX && i < at->states->n; i++) {
		if (!is_true(states, i))
			continue;
		fact_comma(data);
		json_write_string(data, at->states->v[i]);
	}
	buf_addc(data, ']');
	fact_text(data, "status", fact_status(at, status));
	buf_addc(data, '}');
}
