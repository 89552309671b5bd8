/* nng_stream — position and heads of what a subscriber holds. Invariant: heads lie above the
 * position; nothing at or below a topic's head, or the position, is held back. */
#include "transports/nng_stream.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/base/table.h"
#include "transports/nng_frame.h"

#define SOURCES	   16	 /* buses heard of; the one heard longest ago gives way */
#define SILENCE_MS 10000 /* a bus not heard for so long no longer counts as there */

/* A refill holds a page of each subscription before it moves the position. */
#define HEADS_ROOM (STREAM_HEADS_MAX + 64 * FRAME_EVENTS_MAX)

struct head {
	struct table_head hashed; /* the topic */
	int64_t sequence;
	char *topic; /* owned */
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
	struct table heads;
	size_t size; /* bytes of their topics */
	int64_t mark;
	char mark_id[STREAM_ID];
	struct source sources[SOURCES];
	size_t nsources;
	bool shared; /* there may be several at once */
};

struct stream *stream_new(const char *const *subscriptions, size_t n, int64_t position)
{
	struct stream *s = xcalloc(1, sizeof *s);

	s->subscriptions = subscriptions;
	s->nsubscriptions = n;
	s->position = position;
	table_init(&s->heads, sizeof(struct head), HEADS_ROOM);
	return s;
}

static struct head *head_of(const struct stream *s, const char *topic)
{
	return table_get(&s->heads, hash128(topic, strlen(topic)), 0);
}

/* To go over all: NULL for the first. */
static struct head *head_after(const struct stream *s, const struct head *h)
{
	return table_from(&s->heads, h ? h->hashed.slot + 1 : 0);
}

/* Forgets the topics whose last event is at or below a sequence. */
static void drop_heads(struct stream *s, int64_t upto)
{
	uint32_t slot = 0;
	struct head *h;

	while ((h = table_from(&s->heads, slot))) {
		slot = h->hashed.slot + 1;
		if (h->sequence > upto)
			continue;
		s->size -= strlen(h->topic);
		free(h->topic);
		table_remove(&s->heads, h);
	}
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	drop_heads(s, INT64_MAX);
	table_release(&s->heads);
	free(s);
}

void stream_share(struct stream *s)
{
	s->shared = true;
}

int64_t stream_position(const struct stream *s)
{
	return s->position;
}

static int64_t held(const struct stream *s, const char *topic)
{
	const struct head *h = head_of(s, topic);

	return h ? h->sequence : s->position;
}

static bool full(const struct stream *s)
{
	return s->heads.n >= STREAM_HEADS_MAX || s->size >= STREAM_HEADS_SIZE;
}

enum stream_verdict stream_judge(const struct stream *s, const char *topic, int64_t sequence,
				 int64_t prevsequence)
{
	int64_t last = held(s, topic);

	if (sequence <= last)
		return STREAM_KNOWN;
	if (last == STREAM_NOW)
		return STREAM_NEXT;
	return prevsequence > last || (full(s) && !head_of(s, topic)) ? STREAM_GAP : STREAM_NEXT;
}

static int by_sequence(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Forgets the half of the topics that was used longest ago. */
static void forget_half(struct stream *s)
{
	int64_t *sequences = xcalloc(s->heads.n, sizeof *sequences);
	size_t n = 0;

	for (struct head *h = head_after(s, NULL); h; h = head_after(s, h))
		sequences[n++] = h->sequence;
	qsort(sequences, n, sizeof *sequences, by_sequence);
	drop_heads(s, sequences[n / 2]);
	free(sequences);
}

void stream_hold(struct stream *s, const char *topic, int64_t sequence)
{
	struct head *h;

	if (sequence <= s->position)
		return;
	h = head_of(s, topic);
	if (!h) {
		if (s->position == STREAM_NOW && full(s))
			forget_half(s);
		h = table_add(&s->heads, hash128(topic, strlen(topic)), 0);
		assert(h); /* catch_up and stream_judge see to it */
		h->topic = xstrdup(topic);
		s->size += strlen(topic);
	}
	if (sequence > h->sequence)
		h->sequence = sequence;
}

void stream_mark(struct stream *s, int64_t sequence, const char *id)
{
	if (sequence <= s->mark || !id)
		return;
	s->mark = sequence;
	snprintf(s->mark_id, sizeof s->mark_id, "%s", id);
}

int64_t stream_marked(const struct stream *s, const char **ret_id)
{
	*ret_id = s->mark_id;
	return s->mark;
}

void stream_reach(struct stream *s, int64_t position)
{
	if (position <= s->position)
		return;
	s->position = position;
	drop_heads(s, position);
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
	if (s->shared)
		return false;
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
		struct head *h = head_of(s, json_key(v));

		if (!h || !digits || !frame_sequence(digits, ret_last) || *ret_last <= h->sequence)
			continue;
		h->sequence = *ret_last;
		return h->topic;
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
	for (struct head *h = head_after(s, NULL), *first = h; h; h = head_after(s, h)) {
		buf_adds(out, h == first ? "" : ",");
		json_write_string(out, h->topic);
		buf_addf(out, ":\"%016" PRId64 "\"", h->sequence);
	}
	buf_adds(out, "}");
	if (s->mark) {
		buf_addf(out, ",\"last\":{\"sequence\":\"%016" PRId64 "\",\"id\":", s->mark);
		json_write_string(out, s->mark_id);
		buf_adds(out, "}");
	}
	buf_adds(out, "}\n");
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

static int load(struct stream *s, const struct json *root, struct err *err)
{
	const struct json *last = json_get(root, "last");
	int64_t position, sequence;

	if (!is_sequence(json_get(root, "position"), &position))
		return err_set(err, ERR_FORMAT, "it has no position");
	if (!same_subscriptions(s, json_get(root, "subscriptions")))
		return err_set(err, ERR_USAGE, "it was written for other topics");
	stream_reach(s, position);
	for (const struct json *v = json_first(json_get(root, "topics")); v; v = json_next(v))
		if (is_sequence(v, &sequence) && s->heads.n < STREAM_HEADS_MAX)
			stream_hold(s, json_key(v), sequence);
	if (is_sequence(json_get(last, "sequence"), &sequence))
		stream_mark(s, sequence, json_string(json_get(last, "id")));
	return 0;
}

int stream_load(struct stream *s, const char *text, size_t len, struct err *err)
{
	struct json_doc *doc = json_doc_new();
	const struct json *root = json_parse(doc, text, len, JSON_DEPTH, err);
	int failed = root ? load(s, root, err) : -1;

	json_doc_free(doc);
	return failed;
}
