/* A subscriber by the rules of docs/bus.md, on nng_stream, against random trouble: messages lost
 * and repeated, several buses at once, buses that are started again, heartbeats lost, refills that
 * fail or come in small pages, a subscriber killed and restarted from what it saved. What it is
 * given must follow what it has at every moment, and in the end be everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "tests/unit/random_runs.h"
#include "transports/nng_frame.h"
#include "transports/nng_stream.h"

#define EVENTS_MAX 400
#define TOPICS	   6 /* the last two are not subscribed */
#define WANTED	   4
#define BUSES	   2
#define NAMED	   3 /* topics in a heartbeat before there are `more` */

static const char *const topics[TOPICS] = {"a.1", "a.10", "a.2", "b.1", "c.1", "b.10"};
static const char *const subscriptions[] = {"a.", "b.1 "};

struct bus {
	int run; /* names it */
	int64_t beat, latest;
	int64_t sent[TOPICS]; /* the highest */
	int64_t used[TOPICS]; /* at which beat, -1: never */
	/* what travels to the subscriber, in order: sequences, 0: a heartbeat, with its text */
	struct {
		int64_t sequence;
		char *heartbeat;
	} queue[2 * EVENTS_MAX];
	size_t first, n;
};

struct world {
	struct prng random;
	struct committed {
		int topic;
		int64_t previous;
	} events[EVENTS_MAX + 1]; /* sequence 1 is events[1] */
	int64_t n;
	int64_t head[TOPICS];
	struct bus buses[BUSES];
	size_t nbuses;
	int runs;
	int64_t now_ms;

	struct stream *stream;
	bool missing;
	int64_t given[TOPICS]; /* the last one of each topic */
	struct {
		struct buf text;
		int64_t given[TOPICS];
	} saved;
};

static bool chance(struct world *w, double p)
{
	return prng_unit(&w->random) < p;
}

static size_t below(struct world *w, size_t n)
{
	return (size_t)(prng_unit(&w->random) * (double)n);
}

/* ---- buses ---- */

static void clear(struct bus *b)
{
	for (; b->first < b->n; b->first++)
		free(b->queue[b->first].heartbeat);
	b->first = b->n = 0;
}

static void start_bus(struct world *w, struct bus *b)
{
	clear(b);
	*b = (struct bus){.run = ++w->runs, .latest = w->n};
	for (int i = 0; i < TOPICS; i++)
		b->used[i] = -1;
}

static void put(struct world *w, struct bus *b, int64_t sequence, char *heartbeat)
{
	if (b->n == sizeof b->queue / sizeof *b->queue || chance(w, 0.1)) {
		free(heartbeat); /* lost */
		return;
	}
	b->queue[b->n].sequence = sequence;
	b->queue[b->n++].heartbeat = heartbeat;
}

static void publish(struct world *w, struct bus *b, int64_t sequence)
{
	int topic = w->events[sequence].topic;

	put(w, b, sequence, NULL);
	if (chance(w, 0.05))
		put(w, b, sequence, NULL);
	if (sequence > b->sent[topic])
		b->sent[topic] = sequence;
	b->used[topic] = b->beat;
	if (sequence > b->latest)
		b->latest = sequence;
}

static void commit(struct world *w)
{
	int topic = (int)below(w, TOPICS);

	if (w->n == EVENTS_MAX)
		return;
	w->events[++w->n] = (struct committed){topic, w->head[topic]};
	w->head[topic] = w->n;
	publish(w, &w->buses[below(w, w->nbuses)], w->n);
}

static void beat(struct world *w, struct bus *b, bool arrives)
{
	struct buf text = BUF_INIT(8192);
	int named = 0;

	b->beat++;
	buf_addf(&text,
		 "{\"source\":\"bus%d\",\"data\":{\"beat\":%lld,\"latest\":\"%lld\",\"topics\":{",
		 b->run, (long long)b->beat, (long long)b->latest);
	for (int i = 0; i < TOPICS; i++) {
		if (b->used[i] < 0 || b->beat - b->used[i] > FRAME_HEARTBEAT_GAP)
			continue;
		if (named < NAMED)
			buf_addf(&text, "%s\"%s\":\"%lld\"", named ? "," : "", topics[i],
				 (long long)b->sent[i]);
		named++;
	}
	buf_addf(&text, "}%s}}", named > NAMED ? ",\"more\":true" : "");
	if (arrives)
		put(w, b, 0, buf_detach(&text));
	buf_release(&text);
}

/* ---- the subscriber ---- */

static bool wanted(int topic)
{
	return topic < WANTED;
}

static void give(struct world *w, int64_t sequence)
{
	const struct committed *ev = &w->events[sequence];

	assert_true(wanted(ev->topic));
	if (ev->previous != w->given[ev->topic])
		fail_msg("%lld of %s, which follows %lld, is given after %lld", (long long)sequence,
			 topics[ev->topic], (long long)ev->previous,
			 (long long)w->given[ev->topic]);
	w->given[ev->topic] = sequence;
	stream_hold(w->stream, topics[ev->topic], sequence);
}

static void refill(struct world *w)
{
	int64_t at = stream_position(w->stream), end;

	do {
		if (chance(w, 0.2))
			return; /* no answer: what came before it is held */
		end = at + 1 + (int64_t)below(w, 50);
		for (; at < w->n && at < end; at++) {
			const struct committed *ev = &w->events[at + 1];
			if (wanted(ev->topic) && stream_judge(w->stream, topics[ev->topic], at + 1,
							      ev->previous) != STREAM_KNOWN)
				give(w, at + 1);
		}
		stream_reach(w->stream, at);
	} while (at < w->n);
	stream_caught_up(w->stream);
	w->missing = false;
}

static void hear(struct world *w, const char *text)
{
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	const struct json *root = json_parse(doc, text, strlen(text), JSON_DEPTH, &err);

	if (!root)
		fail_msg("%s: %s", text, err.msg);
	w->missing |= !stream_heard(w->stream, root, w->now_ms);
	json_doc_free(doc);
}

static void receive(struct world *w, struct bus *b)
{
	if (b->first == b->n)
		return;
	int64_t sequence = b->queue[b->first].sequence;
	char *heartbeat = b->queue[b->first++].heartbeat;
	const struct committed *ev = &w->events[sequence];

	if (heartbeat) {
		hear(w, heartbeat);
	} else if (wanted(ev->topic)) {
		switch (stream_judge(w->stream, topics[ev->topic], sequence, ev->previous)) {
		case STREAM_NEXT: give(w, sequence); break;
		case STREAM_GAP: w->missing = true; break;
		case STREAM_KNOWN:
			if (sequence > w->given[ev->topic])
				fail_msg("%lld of %s is lost; %zu buses", (long long)sequence,
					 topics[ev->topic], w->nbuses);
			break;
		}
	}
	free(heartbeat);
}

static void save(struct world *w)
{
	buf_clear(&w->saved.text);
	stream_save(w->stream, &w->saved.text);
	memcpy(w->saved.given, w->given, sizeof w->given);
}

static struct stream *new_stream(const struct world *w)
{
	struct stream *s = stream_new(subscriptions, 2, 0);

	if (w->nbuses > 1)
		stream_share(s);
	return s;
}

static void restart(struct world *w)
{
	struct err err = {0};

	stream_free(w->stream);
	w->stream = new_stream(w);
	assert_int_equal(stream_load(w->stream, w->saved.text.data, w->saved.text.len, &err), 0);
	memcpy(w->given, w->saved.given, sizeof w->given);
	w->missing = true;
	for (size_t i = 0; i < w->nbuses; i++)
		clear(&w->buses[i]); /* what was on its way to the one before */
}

/* ---- a run ---- */

static void step(struct world *w)
{
	struct bus *b = &w->buses[below(w, w->nbuses)];
	size_t dice = below(w, 100);

	if (dice < 40)
		commit(w);
	else if (dice < 80)
		receive(w, b);
	else if (dice < 88)
		beat(w, b, true);
	else if (dice < 89)
		for (int i = (int)below(w, 45); i > 0; i--, w->now_ms += 1000)
			beat(w, b, false); /* a long silence */
	else if (dice < 95 && w->missing)
		refill(w);
	else if (dice < 97)
		save(w);
	else if (dice == 97)
		restart(w);
	else if (dice == 98)
		start_bus(w, b);
	w->now_ms += (int64_t)below(w, 400);
}

/* Nothing is lost any more. */
static void settle(struct world *w)
{
	for (size_t i = 0; i < w->nbuses; i++)
		clear(&w->buses[i]);
	for (int k = 0; k < 200; k++) {
		struct bus *b = &w->buses[(size_t)k % w->nbuses];
		beat(w, b, true);
		while (b->first < b->n)
			receive(w, b);
		if (w->missing)
			refill(w);
		w->now_ms += 500;
	}
	for (int i = 0; i < WANTED; i++)
		if (w->given[i] != w->head[i])
			fail_msg("%s: %lld of %lld", topics[i], (long long)w->given[i],
				 (long long)w->head[i]);
	assert_in_range(stream_position(w->stream), w->given[0], w->n);
}

static void play(uint64_t seed)
{
	struct world *w = xcalloc(1, sizeof *w);

	w->random.state = seed;
	w->now_ms = 1000;
	w->nbuses = 1 + below(w, BUSES);
	buf_init(&w->saved.text, 1 << 20);
	for (size_t i = 0; i < w->nbuses; i++)
		start_bus(w, &w->buses[i]);
	w->stream = new_stream(w);
	w->missing = true;
	save(w);
	for (int i = 0; i < 800; i++)
		step(w);
	settle(w);
	for (size_t i = 0; i < w->nbuses; i++)
		clear(&w->buses[i]);
	stream_free(w->stream);
	buf_release(&w->saved.text);
	free(w);
}

static void whatever_happens_each_comes_once_in_order(void **state)
{
	struct random_runs runs = random_runs(300, 20260101);

	(void)state;
	for (size_t i = 0; i < runs.n; i++) {
		if (i % 1000 == 0 || runs.n < 10)
			print_message("run %zu\n", i);
		play(runs.seed + i);
	}
}

/* ---- many topics ---- */

static void hold_many(struct stream *s, int from, int to)
{
	char topic[40];

	for (int i = from; i <= to; i++) {
		snprintf(topic, sizeof topic, "a.%d", i);
		stream_hold(s, topic, i);
	}
}

static void heads_have_a_ceiling(void **state)
{
	struct stream *s = stream_new(subscriptions, 2, 0);
	struct buf text = BUF_INIT(64 << 20);

	(void)state;
	/* With a position: one more topic is a gap, and the refill's reach frees them all. */
	hold_many(s, 1, STREAM_HEADS_MAX);
	assert_int_equal(stream_judge(s, "a.new", 900000, 0), STREAM_GAP);
	assert_int_equal(stream_judge(s, "a.7", 900000, 7), STREAM_NEXT);
	stream_save(s, &text);
	assert_true(text.len < 16 << 20);
	stream_reach(s, STREAM_HEADS_MAX);
	assert_int_equal(stream_judge(s, "a.new", 900000, 0), STREAM_NEXT);
	assert_int_equal(stream_judge(s, "a.7", 7, 0), STREAM_KNOWN);
	stream_free(s);
	/* Without: the topics of long ago are forgotten. */
	s = stream_new(subscriptions, 2, STREAM_NOW);
	hold_many(s, 1, 200000);
	assert_int_equal(stream_judge(s, "a.200000", 200000, 0), STREAM_KNOWN);
	assert_int_equal(stream_judge(s, "a.200000", 200009, 200005), STREAM_GAP);
	assert_int_equal(stream_judge(s, "a.1", 200009, 200005), STREAM_NEXT);
	buf_clear(&text);
	stream_save(s, &text);
	assert_true(text.len < 16 << 20);
	stream_free(s);
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_happens_each_comes_once_in_order),
		cmocka_unit_test(heads_have_a_ceiling),
	};

	return cmocka_run_group_tests_name("stream, random", tests, NULL, NULL);
}
