/* nng_stream — position and heads of what a subscriber holds. Invariant: heads are sorted by topic
 * and lie above the position; nothing at or below a topic's head, or the position, is held back. */
#include "transports/nng_stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "transports/nng_frame.h"

#define SOURCES	   16	 /* buses heard of; the one heard longest ago gives way */
#define SILENCE_MS 10000 /* a bus not heard for so long no longer counts as there */

struct head {
	char *topic; /* owned */
	int64_t sequence;
};

struct source { /* a bus that sends heartbeats */
	char name[64];
	bool known;    /* everything it had sent by `beat` is held */
	int64_t beat;  /* counts with `known` */
	int64_t heard; /* the beat of its last heartbeat */
	int64_t at_ms; /* when that came */
};

struct stream {
	const char *const *subscriptions;
	size_t nsubscriptions;
	int64_t position;
	struct head *heads;
	size_t n, cap;
	struct source sources[SOURCES];
	size_t nsources;
};

struct stream *stream_new(const char *const *subscriptions, size_t n, int64_t position)
{
	struct stream *s = xcalloc(1, sizeof *s);

	s->subscriptions = subscriptions;
	s->nsubscriptions = n;
	s->position = position;
	return s;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->heads[i].topic);
	free(s->heads);
	free(s);
}

int64_t stream_position(const struct stream *s)
{
	return s->position;
}

/* The place of a topic among the heads, or where it would be. */
static size_t place(const struct stream *s, const char *topic, bool *ret_there)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(s->heads[middle].topic, topic);

		if (order == 0) {
			*ret_there = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_there = false;
	return low;
}

static int64_t held(const struct stream *s, const char *topic)
{
	bool there;
	size_t i = place(s, topic, &there);

	return there ? s->heads[i].sequence : s->position;
}

enum stream_verdict stream_judge(const struct stream *s, const char *topic, int64_t sequence,
				 int64_t prevsequence)
{
	int64_t last = held(s, topic);

	if (sequence <= last)
		return STREAM_KNOWN;
	return last == STREAM_NOW || prevsequence <= last ? STREAM_NEXT : STREAM_GAP;
}

void stream_hold(struct stream *s, const char *topic, int64_t sequence)
{
	bool there;
	size_t i = place(s, topic, &there);

	if (sequence <= s->position)
		return;
	if (!there) {
		s->heads = mem_grow(s->heads, s->n, &s->cap, sizeof *s->heads);
		memmove(s->heads + i + 1, s->heads + i, (s->n - i) * sizeof *s->heads);
		s->heads[i] = (struct head){xstrdup(topic), 0};
		s->n++;
	}
	if (sequence > s->heads[i].sequence)
		s->heads[i].sequence = sequence;
}

void stream_reach(struct stream *s, int64_t position)
{
	size_t kept = 0;

	if (position <= s->position)
		return;
	s->position = position;
	for (size_t i = 0; i < s->n; i++) {
		if (s->heads[i].sequence > position)
			s->heads[kept++] = s->heads[i];
		else
			free(s->heads[i].topic);
	}
	s->n = kept;
}

/* ---- heartbeats ---- */

static struct source *find_source(struct stream *s, const char *name)
{
	struct source *oldest = s->sources;

	for (size_t i = 0; i < s->nsources; i++) {
		if (strcmp(s->sources[i].name, name) == 0)
			return &s->sources[i];
		if (s->sources[i].at_ms < oldest->at_ms)
			oldest = &s->sources[i];
	}
	if (s->nsources < SOURCES)
		oldest = &s->sources[s->nsources++];
	*oldest = (struct source){0};
	memcpy(oldest->name, name, strlen(name) + 1);
	return oldest;
}

static bool alone(const struct stream *s, const struct source *one, int64_t now_ms)
{
	for (size_t i = 0; i < s->nsources; i++)
		if (&s->sources[i] != one && now_ms - s->sources[i].at_ms < SILENCE_MS)
			return false;
	return true;
}

static bool wanted(const struct stream *s, const char *topic)
{
	for (size_t i = 0; i < s->nsubscriptions; i++)
		if (frame_topic_matches(s->subscriptions[i], topic))
			return true;
	return false;
}

static bool holds_all(const struct stream *s, const struct json *topics)
{
	for (const struct json *v = json_first(topics); v; v = json_next(v)) {
		const char *digits = json_string(v);
		int64_t last;

		if (!wanted(s, json_key(v)))
			continue;
		if (!digits || !frame_sequence(digits, &last) || last > held(s, json_key(v)))
			return false;
	}
	return true;
}

static bool in_step(const struct source *src, int64_t beat)
{
	return src->known && beat >= src->beat && beat - src->beat <= FRAME_HEARTBEAT_GAP;
}

bool stream_heard(struct stream *s, const struct json *heartbeat, int64_t now_ms)
{
	const struct json *data = json_get(heartbeat, "data");
	const char *name = json_string(json_get(heartbeat, "source"));
	const char *digits = json_string(json_get(data, "latest"));
	int64_t latest, beat;

	if (!name || strlen(name) >= sizeof s->sources->name || !digits ||
	    !frame_sequence(digits, &latest) || !json_int(json_get(data, "beat"), &beat))
		return true; /* not one of ours: it says nothing */
	struct source *src = find_source(s, name);
	bool all = in_step(src, beat) && alone(s, src, now_ms) &&
		   !json_bool(json_get(data, "more"), false) &&
		   holds_all(s, json_get(data, "topics"));

	src->heard = beat;
	src->at_ms = now_ms;
	if (s->position == STREAM_NOW)
		all = true;
	else if (src->known && latest <= s->position)
		all = true; /* there is nothing newer */
	if (!all)
		return false;
	src->known = true;
	src->beat = beat;
	stream_reach(s, latest);
	return true;
}

const char *stream_overtaken(struct stream *s, const struct json *heartbeat, int64_t *ret_last)
{
	const struct json *topics = json_get(json_get(heartbeat, "data"), "topics");

	for (const struct json *v = json_first(topics); v; v = json_next(v)) {
		const char *digits = json_string(v);
		bool there;
		size_t i = place(s, json_key(v), &there);

		if (!there || !digits || !frame_sequence(digits, ret_last) ||
		    *ret_last <= s->heads[i].sequence)
			continue;
		s->heads[i].sequence = *ret_last;
		return s->heads[i].topic;
	}
	return NULL;
}

void stream_caught_up(struct stream *s)
{
	for (size_t i = 0; i < s->nsources; i++) {
		s->sources[i].known = true;
		s->sources[i].beat = s->sources[i].heard;
	}
}

/* ---- on file ---- */

void stream_save(const struct stream *s, struct buf *out)
{
	buf_adds(out, "{\"subscriptions\":[");
	for (size_t i = 0; i < s->nsubscriptions; i++) {
		buf_adds(out, i ? "," : "");
		json_write_string(out, s->subscriptions[i]);
	}
	buf_addf(out, "],\"position\":\"%016" PRId64 "\",\"topics\":{", s->position);
	for (size_t i = 0; i < s->n; i++) {
		buf_adds(out, i ? "," : "");
		json_write_string(out, s->heads[i].topic);
		buf_addf(out, ":\"%016" PRId64 "\"", s->heads[i].sequence);
	}
	buf_adds(out, "}}\n");
}

static bool same_subscriptions(const struct stream *s, const struct json *list)
{
	size_t i = 0;

	for (const struct json *v = json_first(list); v; v = json_next(v), i++) {
		const char *text = json_string(v);

		if (i >= s->nsubscriptions || !text || strcmp(text, s->subscriptions[i]) != 0)
			return false;
	}
	return i == s->nsubscriptions;
}

static bool is_sequence(const struct json *v, int64_t *ret)
{
	const char *digits = json_string(v);

	return digits && frame_sequence(digits, ret);
}

int stream_load(struct stream *s, const char *text, size_t len, struct err *err)
{
	struct json_doc *doc = json_doc_new();
	const struct json *root = json_parse(doc, text, len, JSON_DEPTH, err);
	int64_t position, sequence;
	int failed = root ? 0 : -1;

	if (root && !is_sequence(json_get(root, "position"), &position))
		failed = err_set(err, ERR_FORMAT, "it has no position");
	else if (root && !same_subscriptions(s, json_get(root, "subscriptions")))
		failed = err_set(err, ERR_USAGE, "it was written for other topics");
	if (!failed) {
		stream_reach(s, position);
		const struct json *v = json_first(json_get(root, "topics"));
		for (; v; v = json_next(v))
			if (is_sequence(v, &sequence))
				stream_hold(s, json_key(v), sequence);
	}
	json_doc_free(doc);
	return failed;
}
