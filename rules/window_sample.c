/* An event as an alert shows it: small, since each of a million that are waited for has one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "rules/window_parts.h"

#define ID_PREFIX	"evt_"
#define RECIPIENT_MAX	256
#define INTEGRATION_MAX 64
#define ERROR_MAX	200

size_t text_cut(const char *text, size_t most)
{
	size_t len = strlen(text);

	if (len <= most)
		return len;
	while (most && (text[most] & 0xc0) == 0x80)
		most--;
	return most;
}

static struct hash128 id_of(const char *id)
{
	struct hash128 h = {0};
	size_t prefix = sizeof ID_PREFIX - 1;

	if (id && strlen(id) == prefix + 32 && strncmp(id, ID_PREFIX, prefix) == 0)
		hash128_unhex(id + prefix, &h);
	return h;
}

struct parts {
	const char *id, *recipient, *integration, *error;
};

static struct sample *make(const struct parts *p)
{
	const char *texts[] = {p->recipient, p->integration, p->error};
	static const size_t most[] = {RECIPIENT_MAX, INTEGRATION_MAX, ERROR_MAX};
	size_t len[3], all = 0;

	for (size_t i = 0; i < 3; i++) {
		len[i] = texts[i] ? text_cut(texts[i], most[i]) : 0;
		all += texts[i] ? len[i] + 1 : 0;
	}
	struct sample *s = xmalloc(sizeof *s + all);
	uint16_t *ends[] = {&s->recipient_end, &s->integration_end, &s->error_end}, end = 0;
	*s = (struct sample){.id = id_of(p->id)};
	for (size_t i = 0; i < 3; i++) {
		if (texts[i]) {
			memcpy(s->text + end, texts[i], len[i]);
			s->text[end + len[i]] = '\0';
			end = (uint16_t)(end + len[i] + 1);
		}
		*ends[i] = end;
	}
	return s;
}

static const char *part(const struct sample *s, uint16_t from, uint16_t to)
{
	return from == to ? NULL : s->text + from;
}

struct sample *sight_sample(const struct sight *s)
{
	const struct json *data = json_get(s->root, "data");
	struct sample *sample = make(&(struct parts){
		.id = json_string(json_get(s->root, "id")),
		.recipient = json_string(json_get(data, "recipient_id")),
		.integration = json_string(json_get(data, "integration_id")),
		.error = json_string(json_get(data, "error_message")),
	});

	sample->sequence = s->ev->sequence;
	sample->time_ms = s->time_ms;
	return sample;
}

void sample_write(struct buf *out, const struct sample *s)
{
	char id[33], sequence[24];

	hash128_hex(id, s->id);
	snprintf(sequence, sizeof sequence, "%016lld", (long long)s->sequence);
	json_add_element(out);
	json_add_name(out, "id");
	buf_addf(out, "\"" ID_PREFIX "%s\"", id);
	json_add_text(out, "sequence", sequence);
	json_add_text(out, "recipient_id", part(s, 0, s->recipient_end));
	json_add_text(out, "integration_id", part(s, s->recipient_end, s->integration_end));
	json_add_text(out, "error_message", part(s, s->integration_end, s->error_end));
	json_add_date(out, "at", s->time_ms);
	buf_addc(out, '}');
}

struct sample *sample_read(const struct json *v)
{
	const char *sequence = json_string(json_get(v, "sequence"));
	const char *at = json_string(json_get(v, "at"));
	int64_t time_ms;

	if (!sequence || !at || !date_parse(at, strlen(at), &time_ms))
		return NULL;
	struct sample *s = make(&(struct parts){
		.id = json_string(json_get(v, "id")),
		.recipient = json_string(json_get(v, "recipient_id")),
		.integration = json_string(json_get(v, "integration_id")),
		.error = json_string(json_get(v, "error_message")),
	});
	s->sequence = strtoll(sequence, NULL, 10);
	s->time_ms = time_ms;
	return s;
}

size_t sample_bytes(const struct sample *s)
{
	return sizeof *s + s->error_end;
}

struct sample *sample_copy(const struct sample *s)
{
	return memcpy(xmalloc(sample_bytes(s)), s, sample_bytes(s));
}

bool sample_newer(const struct sample *a, const struct sample *b)
{
	if (a->time_ms != b->time_ms)
		return a->time_ms > b->time_ms;
	return a->id.high != b->id.high ? a->id.high > b->id.high : a->id.low > b->id.low;
}

struct sample *window_sample(struct window *w, const struct sight *s)
{
	struct sample *sample = sight_sample(s);

	w->loose += sample_bytes(sample);
	return sample;
}

void window_sample_free(struct window *w, struct sample *s)
{
	if (s)
		w->loose -= sample_bytes(s);
	free(s);
}
