/* relay subscribe against a bus with a past: whatever is lost on the way, stopped or restarted, in
 * the end each event of its topics is there once, in order; the pure part by tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <unistd.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "tests/suite/nng_child.h"
#include "tests/suite/nng_world.h"
#include "transports/nng_client.h"
#include "transports/nng_frame.h"
#include "transports/nng_stream.h"

#define A "recipient.sent.twilio.b1"
#define B "recipient.failed.twilio.b1"
#define C "broadcast.sent.-.b1"

/* ---- stream ---- */

static const char *const recipients[] = {"recipient."};

static bool hear(struct stream *s, const char *source, int beat, const char *data)
{
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	char *text = xasprintf("{\"source\":\"%s\",\"data\":{\"beat\":%d,%s}}", source, beat, data);
	const struct json *root = json_parse(doc, text, strlen(text), JSON_DEPTH, &err);

	if (!root)
		fail_msg("%s", err.msg);
	bool whole = stream_heard(s, root, 1000 * beat);
	json_doc_free(doc);
	free(text);
	return whole;
}

static void gaps_are_seen_in_the_chain(void **state)
{
	struct stream *s = stream_new(recipients, 1, 100);

	(void)state;
	assert_int_equal(stream_judge(s, A, 100, 0), STREAM_KNOWN);
	assert_int_equal(stream_judge(s, A, 103, 0), STREAM_NEXT);
	assert_int_equal(stream_judge(s, A, 103, 99), STREAM_NEXT);
	assert_int_equal(stream_judge(s, A, 103, 101), STREAM_GAP);
	stream_hold(s, A, 103);
	assert_int_equal(stream_judge(s, A, 103, 99), STREAM_KNOWN);
	assert_int_equal(stream_judge(s, A, 105, 103), STREAM_NEXT);
	assert_int_equal(stream_judge(s, A, 106, 105), STREAM_GAP);
	assert_int_equal(stream_judge(s, B, 104, 103), STREAM_GAP); /* another topic's chain */
	assert_int_equal(stream_judge(s, B, 104, 98), STREAM_NEXT);
	stream_reach(s, 102); /* below the head of A, which stays */
	assert_int_equal(stream_judge(s, A, 103, 99), STREAM_KNOWN);
	assert_int_equal(stream_judge(s, B, 102, 0), STREAM_KNOWN);
	stream_reach(s, 110);
	assert_int_equal(stream_judge(s, A, 106, 105), STREAM_KNOWN);
	assert_int_equal(stream_judge(s, A, 111, 110), STREAM_NEXT);
	stream_reach(s, 50);
	assert_int_equal(stream_position(s), 110);
	stream_free(s);
}

static void heartbeats_show_what_nothing_else_does(void **state)
{
	struct stream *s = stream_new(recipients, 1, 10);

	(void)state;
	/* A bus not heard before may have sent anything. */
	assert_false(hear(s, "x", 1, "\"latest\":\"10\",\"topics\":{}"));
	assert_false(hear(s, "x", 2, "\"latest\":\"10\",\"topics\":{}"));
	stream_caught_up(s);
	assert_true(hear(s, "x", 3, "\"latest\":\"10\",\"topics\":{}"));
	/* Others' topics do not count, ours do. */
	assert_true(hear(s, "x", 4, "\"latest\":\"12\",\"topics\":{\"" C "\":\"12\"}"));
	assert_int_equal(stream_position(s), 12);
	assert_false(hear(s, "x", 5, "\"latest\":\"13\",\"topics\":{\"" A "\":\"13\"}"));
	assert_int_equal(stream_position(s), 12);
	stream_hold(s, A, 13);
	assert_true(hear(s, "x", 6, "\"latest\":\"13\",\"topics\":{\"" A "\":\"13\"}"));
	assert_int_equal(stream_position(s), 13);
	/* `more` leaves it open, unless there is nothing newer at all. */
	assert_false(hear(s, "x", 7, "\"latest\":\"14\",\"topics\":{},\"more\":true"));
	stream_reach(s, 14);
	assert_true(hear(s, "x", 8, "\"latest\":\"14\",\"topics\":{},\"more\":true"));
	/* What happened in too long a silence is not in the next heartbeat. */
	assert_true(hear(s, "x", 38, "\"latest\":\"15\",\"topics\":{}"));
	assert_false(hear(s, "x", 69, "\"latest\":\"16\",\"topics\":{}"));
	stream_caught_up(s);
	/* A second bus tells of its own events only. */
	assert_false(hear(s, "y", 70, "\"latest\":\"17\",\"topics\":{}"));
	stream_caught_up(s);
	assert_false(hear(s, "x", 71, "\"latest\":\"18\",\"topics\":{}"));
	/* Started again, it is another bus. */
	assert_false(hear(s, "z", 1, "\"latest\":\"16\",\"topics\":{}"));
	stream_free(s);
}

static void now_is_where_the_first_heartbeat_is(void **state)
{
	struct stream *s = stream_new(recipients, 1, STREAM_NOW);

	(void)state;
	assert_int_equal(stream_judge(s, A, 50, 49), STREAM_NEXT);
	stream_hold(s, A, 50);
	assert_int_equal(stream_judge(s, A, 50, 49), STREAM_KNOWN);
	assert_int_equal(stream_judge(s, A, 53, 51), STREAM_GAP);
	assert_true(hear(s, "x", 7, "\"latest\":\"50\",\"topics\":{},\"more\":true"));
	assert_int_equal(stream_position(s), 50);
	assert_int_equal(stream_judge(s, B, 52, 51), STREAM_GAP);
	assert_true(hear(s, "x", 8, "\"latest\":\"50\",\"topics\":{}"));
	stream_free(s);
}

static void foreign_heartbeats_say_nothing(void **state)
{
	static const char *const data[] = {
		"\"x\":1",
		"\"latest\":99",
		"\"latest\":\"-1\"",
		"\"latest\":\"99999999999999999\"",
		"\"latest\":null,\"topics\":7",
	};
	struct stream *s = stream_new(recipients, 1, 10);

	(void)state;
	for (size_t i = 0; i < sizeof data / sizeof *data; i++)
		assert_true(hear(s, "x", 1, data[i]));
	assert_true(hear(s,
			 "a-name-that-is-longer-than-any-that-one-of-ours-would-ever-have-had-at-"
			 "all",
			 1, "\"latest\":\"99\""));
	assert_int_equal(stream_position(s), 10);
	stream_free(s);
}

static void what_is_held_survives_a_file(void **state)
{
	static const char *const other[] = {"recipient.", "broadcast."};
	struct stream *s = stream_new(recipients, 1, 100), *t = stream_new(recipients, 1, 0);
	struct buf text = BUF_INIT(1 << 20);
	struct err err = {0};

	(void)state;
	stream_hold(s, A, 103);
	stream_hold(s, B, 104);
	stream_save(s, &text);
	assert_int_equal(stream_load(t, text.data, text.len, &err), 0);
	assert_int_equal(stream_position(t), 100);
	assert_int_equal(stream_judge(t, A, 103, 0), STREAM_KNOWN);
	assert_int_equal(stream_judge(t, A, 105, 103), STREAM_NEXT);
	assert_int_equal(stream_judge(t, B, 105, 103), STREAM_NEXT);
	stream_free(t);
	t = stream_new(other, 2, 0);
	assert_int_equal(stream_load(t, text.data, text.len, &err), -1);
	assert_int_equal(stream_load(t, text.data, text.len / 2, &err), -1);
	assert_int_equal(stream_load(t, "{}", 2, &err), -1);
	stream_free(t);
	stream_free(s);
	buf_release(&text);
}

/* ---- pages ---- */

static void pages_are_checked(void **state)
{
	static const struct {
		const char *text;
		int n; /* events, -1: refused */
		const char *first;
	} cases[] = {
		{"{\"events\":[],\"topics\":[],\"next\":5,\"more\":false,\"oldest\":1,\"latest\":"
		 "5}",
		 0, NULL},
		{"{\"x\":\"events\", \"y\":{\"events\":[1]}, \"topics\":[\"t\"], \"events\" : [ "
		 "{\"a\":\"]}\\\"[\",\"sequence\":\"3\"} ] ,\"next\":5,\"oldest\":1,\"latest\":5}",
		 1, "{\"a\":\"]}\\\"[\",\"sequence\":\"3\"}"},
		{"{\"error\":\"no\"}", -1, NULL},
		{"{\"error\":\"after: 7 is beyond it\",\"latest\":5}", 0, NULL},
		{"{\"events\":[],\"topics\":[],\"next\":5,\"oldest\":1}", -1, NULL},
		{"{\"events\":[{\"sequence\":\"3\"}],\"topics\":[],\"next\":5,\"oldest\":1,"
		 "\"latest\":5}",
		 -1, NULL},
		{"{\"events\":[{\"sequence\":\"3\"},{\"sequence\":\"2\"}],\"topics\":[\"t\",\"t\"],"
		 "\"next\":5,\"oldest\":1,\"latest\":5}",
		 -1, NULL},
		{"{\"events\":[{}],\"topics\":[\"t\"],\"next\":5,\"oldest\":1,\"latest\":5}", -1,
		 NULL},
		{"{\"events\":{\"a\":{\"sequence\":\"3\"}},\"topics\":[\"t\"],\"next\":5,"
		 "\"oldest\":1,\"latest\":5}",
		 -1, NULL},
		{"{\"events\":[7],\"topics\":[\"t\"],\"next\":5,\"oldest\":1,\"latest\":5}", -1,
		 NULL},
		{"[]", -1, NULL},
		{"", -1, NULL},
	};
	struct json_doc *doc = json_doc_new();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bus_page page = {0};
		struct err err = {0};
		int failed = bus_page_read(&page, doc, cases[i].text, strlen(cases[i].text), &err);

		if (failed != (cases[i].n < 0 ? -1 : 0) || (!failed && (int)page.n != cases[i].n))
			fail_msg("%s: %d %s", cases[i].text, failed, err.msg);
		if (cases[i].first) {
			assert_int_equal(page.events[0].len, strlen(cases[i].first));
			assert_memory_equal(page.events[0].body, cases[i].first,
					    page.events[0].len);
		}
		free(page.events);
	}
	json_doc_free(doc);
}

/* ---- the command ---- */

static int64_t sequence_in(const char *line)
{
	const char *at = strstr(line, "\"sequence\":\"");
	int64_t n;
	char digits[17] = "";

	assert_non_null(at);
	memcpy(digits, at + 12, 16);
	assert_true(frame_sequence(digits, &n));
	return n;
}

/* Exactly the events of [from, to] whose topic has the prefix are there, in the order of each
 * topic. */
static void holds_exactly(const struct nng_child *c, const struct nng_world *w, const char *prefix,
			  int64_t from, int64_t to)
{
	bool *seen = xcalloc(w->n + 1, 1);
	size_t want = 0;

	for (size_t i = 0; i < c->out.n; i++) {
		int64_t n = sequence_in(c->out.v[i]);
		const struct committed *got;

		assert_in_range(n, from, to);
		got = &w->v[n - 1];
		assert_int_equal(strncmp(got->event.topic, prefix, strlen(prefix)), 0);
		if (seen[n])
			fail_msg("%lld came twice", (long long)n);
		if (got->prevsequence >= from && !seen[got->prevsequence])
			fail_msg("%lld came before %lld", (long long)n,
				 (long long)got->prevsequence);
		seen[n] = true;
	}
	for (int64_t n = from; n <= to; n++)
		want += !strncmp(w->v[n - 1].event.topic, prefix, strlen(prefix));
	if (c->out.n != want)
		fail_msg("%zu events instead of %zu", c->out.n, want);
	free(seen);
}

static void commit_some(struct nng_world *w, int n)
{
	static const char *const topics[] = {A, B, A, C, "recipient.sent.twilio.b2"};

	for (int i = 0; i < n; i++)
		nng_world_commit(w, topics[i % 5], 100);
}

static void live_events_are_printed_as_they_come(void **state)
{
	struct nng_world *w = nng_world_new();

	(void)state;
	nng_world_open(w, NULL);
	struct nng_child *c = nng_child_start((const char *const[]){
		"relay", "subscribe", w->bus, "recipient.", "--count", "4", NULL});
	nng_child_complains(c, "connected");
	commit_some(w, 5);
	nng_world_publish_all(w, 1, 5);
	assert_int_equal(nng_child_wait(c), 0);
	holds_exactly(c, w, "recipient.", 1, 5);
	assert_string_not_equal(c->out.v[0], w->v[0].event.body); /* the bus's copy */
	assert_non_null(strstr(c->out.v[0], "\"prevsequence\":\"0000000000000000\""));
	nng_child_free(c);
	nng_world_free(w);
}

static void a_gap_is_filled_before_what_follows(void **state)
{
	struct nng_world *w = nng_world_new();

	(void)state;
	commit_some(w, 20); /* before "now": not wanted */
	nng_world_open(w, NULL);
	struct nng_child *c = nng_child_start((const char *const[]){
		"relay", "subscribe", w->bus, "recipient.", "--refill", w->refill, NULL});
	nng_child_complains(c, "connected");
	commit_some(w, 20);
	nng_world_publish_all(w, 21, 25);
	nng_world_publish_all(w, 36, 40); /* 26 … 35 are lost */
	nng_child_complains(c, "filled a gap: ");
	nng_child_lines(c, 16);
	nng_child_read(c, 100);
	holds_exactly(c, w, "recipient.", 21, 40);
	nng_child_free(c);
	nng_world_free(w);
}

/* The last events of a topic are lost: only the heartbeat tells. */
static void a_lost_end_is_found_by_the_heartbeat(void **state)
{
	struct nng_world *w = nng_world_new();

	(void)state;
	nng_world_open(w, NULL);
	struct nng_child *c = nng_child_start((const char *const[]){
		"relay", "subscribe", w->bus, A, "--refill", w->refill, "--count", "3", NULL});
	nng_child_complains(c, "connected");
	for (int i = 0; i < 4; i++)
		nng_world_commit(w, i == 3 ? C : A, 10);
	nng_world_publish(w, 1);
	nng_child_lines(c, 1);
	nng_child_kill(c, SIGSTOP); /* does not change what it holds */
	nng_world_publish_all(w, 3, 4);
	nng_child_kill(c, SIGCONT);
	assert_int_equal(nng_child_wait(c), 0);
	holds_exactly(c, w, A, 1, 3);
	nng_child_free(c);
	nng_world_free(w);
}

static void without_refill_a_loss_is_said(void **state)
{
	struct nng_world *w = nng_world_new();

	(void)state;
	nng_world_open(w, NULL);
	struct nng_child *c = nng_child_start(
		(const char *const[]){"relay", "subscribe", w->bus, "", "--count", "3", NULL});
	nng_child_complains(c, "connected");
	for (int i = 0; i < 5; i++)
		nng_world_commit(w, A, 10);
	nng_world_publish(w, 1);
	nng_world_publish(w, 3);
	nng_child_complains(c, "up to 2 were lost");
	nng_child_lines(c, 2);
	nng_child_kill(c, SIGSTOP);
	nng_world_close(w);
	nng_world_open(w, NULL); /* in the last run's last moment */
	nng_world_publish(w, 4);
	nng_child_kill(c, SIGCONT);
	nng_child_complains(c, "up to 4 were lost");
	nng_world_publish(w, 5);
	assert_int_equal(nng_child_wait(c), 0);
	assert_int_equal(c->out.n, 3);
	nng_child_free(c);
	nng_world_free(w);
}

/* Stopped through a burst that no buffer holds. */
static void a_subscriber_that_stood_still_misses_nothing(void **state)
{
	struct nng_world *w = nng_world_new();
	const int n = 15000;

	(void)state;
	nng_world_open(w, NULL);
	struct nng_child *c = nng_child_start((const char *const[]){
		"relay", "subscribe", w->bus, "recipient.", "--refill", w->refill, NULL});
	nng_child_complains(c, "connected");
	nng_child_kill(c, SIGSTOP);
	commit_some(w, n);
	nng_world_publish_all(w, 1, n);
	nng_child_kill(c, SIGCONT);
	nng_child_lines(c, (size_t)n * 4 / 5);
	nng_child_read(c, 300);
	nng_child_complains(c, "filled a gap: ");
	holds_exactly(c, w, "recipient.", 1, n);
	nng_child_free(c);
	nng_world_free(w);
}

static void the_relay_restarts_under_its_subscriber(void **state)
{
	struct nng_world *w = nng_world_new();

	(void)state;
	nng_world_open(w, NULL);
	struct nng_child *c = nng_child_start((const char *const[]){
		"relay", "subscribe", w->bus, "", "--refill", w->refill, "--count", "30", NULL});
	nng_child_complains(c, "connected");
	commit_some(w, 30);
	nng_world_publish_all(w, 1, 10);
	nng_child_lines(c, 10);
	nng_world_close(w);
	nng_world_open(w, NULL); /* 11 … 20 went out while nobody was connected */
	nng_world_publish_all(w, 11, 20);
	assert_int_equal(nng_child_wait(c), 0);
	holds_exactly(c, w, "", 1, 30);
	nng_child_free(c);
	nng_world_free(w);
}

static void all_and_after_begin_in_the_past(void **state)
{
	struct nng_world *w = nng_world_new();

	(void)state;
	commit_some(w, 2500);
	nng_world_open(w, NULL);
	struct nng_child *all = nng_child_start((const char *const[]){
		"relay", "subscribe", w->bus, "recipient.", "recipient.failed.", C " ", "--refill",
		w->refill, "--all", "--count", "2500", NULL});
	struct nng_child *after = nng_child_start((const char *const[]){
		"relay", "subscribe", w->bus, "recipient.", "--refill", "ipc:///nowhere/refill",
		"--refill", w->refill, "--after", "0000000000002000", "--count", "400", NULL});
	assert_int_equal(nng_child_wait(all), 0);
	holds_exactly(all, w, "", 1, 2500);
	for (size_t i = 1; i < all->out.n; i++) /* over all topics */
		assert_true(sequence_in(all->out.v[i - 1]) < sequence_in(all->out.v[i]));
	assert_int_equal(nng_child_wait(after), 0);
	holds_exactly(after, w, "recipient.", 2001, 2500);
	nng_child_free(all);
	nng_child_free(after);
	nng_world_free(w);
}

/* Killed at any moment and started again, it loses nothing; ended in order, it repeats nothing. */
static void a_restart_goes_on_from_the_state(void **state)
{
	struct nng_world *w = nng_world_new();
	char *file = xasprintf("%s/state", w->folder);
	const char *const args[] = {"relay",   "subscribe", w->bus, "recipient.", "--refill",
				    w->refill, "--state",   file,   NULL};

	(void)state;
	nng_world_open(w, NULL);
	struct nng_child *c = nng_child_start(args);
	nng_child_complains(c, "connected");
	commit_some(w, 30);
	nng_world_publish_all(w, 1, 10);
	nng_child_lines(c, 8);
	nng_child_kill(c, SIGTERM);
	assert_int_equal(nng_child_wait(c), 0);
	holds_exactly(c, w, "recipient.", 1, 10);
	nng_child_free(c);
	nng_world_publish_all(w, 11, 20);

	c = nng_child_start(args);
	nng_child_lines(c, 16);
	/* Not before: nng 1.5 takes nobody any more on an ipc address after one who went while
	 * they were greeting each other. */
	nng_child_complains(c, "connected");
	nng_child_kill(c, SIGKILL);
	assert_int_equal(nng_child_wait(c), 128 + SIGKILL);
	holds_exactly(c, w, "recipient.", 11, 30); /* committed is enough */
	nng_child_free(c);

	c = nng_child_start(args); /* repeats at most what it had no time to remember */
	nng_child_complains(c, "connected");
	commit_some(w, 5);
	nng_world_publish_all(w, 21, 35);
	nng_child_says(c, "\"sequence\":\"0000000000000035\"");
	nng_child_kill(c, SIGTERM);
	assert_int_equal(nng_child_wait(c), 0);
	size_t first = (size_t)sequence_in(c->out.v[0]);
	holds_exactly(c, w, "recipient.", first > 11 ? (int64_t)first : 11, 35);
	nng_child_free(c);
	unlink(file);
	free(file);
	nng_world_free(w);
}

static void another_journal_is_noticed(void **state)
{
	struct nng_world *w = nng_world_new();

	(void)state;
	commit_some(w, 10);
	nng_world_open(w, NULL);
	struct nng_child *c = nng_child_start((const char *const[]){
		"relay", "subscribe", w->bus, "", "--refill", w->refill, "--after", "5000", NULL});
	assert_int_equal(nng_child_wait(c), 1);
	nng_child_complains(c, "is it another journal, or one begun anew?");
	assert_int_equal(c->out.n, 0);
	nng_child_free(c);
	nng_world_free(w);
}

static void what_retention_took_is_said(void **state)
{
	struct nng_world *w = nng_world_new();

	(void)state;
	commit_some(w, 50);
	w->oldest = 31;
	nng_world_open(w, NULL);
	struct nng_child *c = nng_child_start(
		(const char *const[]){"relay", "subscribe", w->bus, "", "--refill", w->refill,
				      "--after", "10", "--count", "20", NULL});
	assert_int_equal(nng_child_wait(c), 0);
	holds_exactly(c, w, "", 31, 50);
	nng_child_complains(c, "among events 11 to 30 is no longer in the journal");
	nng_child_free(c);
	nng_world_free(w);
}

static void a_refill_that_fails_is_tried_again(void **state)
{
	struct nng_world *w = nng_world_new();

	(void)state;
	commit_some(w, 10);
	w->broken = true; /* before the bus's thread is there */
	nng_world_open(w, NULL);
	struct nng_child *c =
		nng_child_start((const char *const[]){"relay", "subscribe", w->bus, "", "--refill",
						      w->refill, "--all", "--count", "10", NULL});
	nng_child_complains(c, "the journal cannot be read now; trying again");
	pthread_mutex_lock(&w->lock);
	w->broken = false;
	pthread_mutex_unlock(&w->lock);
	assert_int_equal(nng_child_wait(c), 0);
	holds_exactly(c, w, "", 1, 10);
	nng_child_free(c);
	nng_world_free(w);
}

static void a_command_is_run_for_each_event(void **state)
{
	struct nng_world *w = nng_world_new();
	char *file = xasprintf("%s/state", w->folder);
	char *stop = xasprintf("read -r line; case $line in *0000000007*) exit 3;; esac; "
			       "echo \"$line\"");

	(void)state;
	commit_some(w, 20);
	nng_world_open(w, NULL);
	const char *const failing[] = {"relay",	   "subscribe", w->bus,	 "",
				       "--refill", w->refill,	"--all", "--state",
				       file,	   "--exec",	stop,	 NULL};
	struct nng_child *c = nng_child_start(failing);
	assert_int_equal(nng_child_wait(c), 1);
	nng_child_complains(c, "event 7: ");
	nng_child_complains(c, ": exit status 3");
	holds_exactly(c, w, "", 1, 6);
	nng_child_free(c);
	c = nng_child_start((const char *const[]){"relay", "subscribe", w->bus, "", "--refill",
						  w->refill, "--state", file, "--exec", "cat",
						  "--count", "14", NULL});
	assert_int_equal(nng_child_wait(c), 0);
	holds_exactly(c, w, "", 7, 20); /* the one that failed comes again */
	nng_child_free(c);
	c = nng_child_start((const char *const[]){"relay", "subscribe", w->bus, "", "--refill",
						  w->refill, "--all", "--exec", "true", "--count",
						  "20", NULL});
	assert_int_equal(nng_child_wait(c), 0); /* reads no input */
	nng_child_free(c);
	unlink(file);
	/* also when it was the very first: the next start need not say --all again */
	c = nng_child_start((const char *const[]){"relay", "subscribe", w->bus, "", "--refill",
						  w->refill, "--all", "--state", file, "--exec",
						  "exit 3", NULL});
	assert_int_equal(nng_child_wait(c), 1);
	nng_child_free(c);
	c = nng_child_start((const char *const[]){"relay", "subscribe", w->bus, "", "--refill",
						  w->refill, "--state", file, "--exec", "cat",
						  "--count", "20", NULL});
	assert_int_equal(nng_child_wait(c), 0);
	holds_exactly(c, w, "", 1, 20);
	nng_child_free(c);
	unlink(file);
	free(file);
	free(stop);
	nng_world_free(w);
}

static void a_command_knows_its_event(void **state)
{
	struct nng_world *w = nng_world_new();

	(void)state;
	setenv("RELAY_ID", "of somebody else", 1); /* the child has it, too */
	commit_some(w, 2);
	nng_world_open(w, NULL);
	struct nng_child *c = nng_child_start((const char *const[]){
		"relay", "subscribe", w->bus, "", "--refill", w->refill, "--all", "--count", "2",
		"--exec", "echo \"$RELAY_SEQUENCE $RELAY_TOPIC $RELAY_TYPE $RELAY_ID\"", NULL});
	assert_int_equal(nng_child_wait(c), 0);
	assert_string_equal(c->out.v[0],
			    "1 " A " recipient.sent evt_00000000000000000000000000000001");
	assert_string_equal(c->out.v[1],
			    "2 " B " recipient.sent evt_00000000000000000000000000000002");
	nng_child_free(c);
	nng_world_free(w);
}

/* It ends after the event at hand, whatever is still to come, and the next one goes on behind it.
 */
static void a_signal_waits_for_the_command(void **state)
{
	struct nng_world *w = nng_world_new();
	char *file = xasprintf("%s/state", w->folder);
	const char *const args[] = {"relay",	"subscribe", w->bus,	     "",
				    "--refill", w->refill,   "--all",	     "--state",
				    file,	"--exec",    "cat; sleep 1", NULL};

	(void)state;
	commit_some(w, 900);
	nng_world_open(w, NULL);
	struct nng_child *c = nng_child_start(args);
	nng_child_lines(c, 2);
	nng_child_kill(c, SIGTERM);
	assert_int_equal(nng_child_wait(c), 0);
	size_t got = c->out.n;
	assert_in_range(got, 2, 10);
	nng_child_free(c);
	const char *const again[] = {"relay",	"subscribe", w->bus, "",	"--refill",
				     w->refill, "--count",   "1",    "--state", file,
				     "--exec",	"cat",	     NULL};
	c = nng_child_start(again);
	assert_int_equal(nng_child_wait(c), 0);
	assert_int_equal(sequence_in(c->out.v[0]), got + 1);
	nng_child_free(c);
	unlink(file);
	free(file);
	nng_world_free(w);
}

static void an_interrupted_command_is_no_failure(void **state)
{
	struct nng_world *w = nng_world_new();

	(void)state;
	commit_some(w, 5);
	nng_world_open(w, NULL);
	/* As Ctrl-C does: the whole group gets it, the command is ended by it. */
	struct nng_child *c = nng_child_start((const char *const[]){
		"relay", "subscribe", w->bus, "", "--refill", w->refill, "--all", "--exec",
		"echo here; kill -INT $PPID; kill -INT $$", NULL});
	assert_int_equal(nng_child_wait(c), 0);
	nng_child_complains(c, "event 1: ");
	assert_int_equal(c->out.n, 1);
	nng_child_free(c);
	nng_world_free(w);
}

/* The journal was begun anew, and has grown beyond what was held. */
static void a_new_journal_is_noticed(void **state)
{
	struct nng_world *w = nng_world_new(), *other = nng_world_new();
	char *file = xasprintf("%s/state", w->folder);

	(void)state;
	commit_some(w, 10);
	nng_world_open(w, NULL);
	struct nng_child *c = nng_child_start(
		(const char *const[]){"relay", "subscribe", w->bus, "", "--refill", w->refill,
				      "--all", "--state", file, "--count", "10", NULL});
	assert_int_equal(nng_child_wait(c), 0);
	nng_child_free(c);
	commit_some(w, 5); /* that one is known */
	c = nng_child_start((const char *const[]){"relay", "subscribe", w->bus, "", "--refill",
						  w->refill, "--state", file, "--count", "5",
						  NULL});
	assert_int_equal(nng_child_wait(c), 0);
	holds_exactly(c, w, "", 11, 15);
	nng_child_free(c);
	nng_world_commit(other, A, 3);
	nng_world_commit(other, A, 3); /* ids of these are by number */
	for (int i = 0; i < 30; i++)
		nng_world_commit(other, A, 3);
	other->v[14].event.body[strlen("{\"specversion\":\"1.0\",\"id\":\"evt_")] = 'f';
	nng_world_open(other, NULL);
	c = nng_child_start((const char *const[]){"relay", "subscribe", other->bus, "", "--refill",
						  other->refill, "--state", file, NULL});
	assert_int_equal(nng_child_wait(c), 1);
	nng_child_complains(c, "event 15 of the relay's journal is not the one");
	assert_int_equal(c->out.n, 0);
	nng_child_free(c);
	unlink(file);
	free(file);
	nng_world_free(other);
	nng_world_free(w);
}

static void a_state_is_of_one(void **state)
{
	struct nng_world *w = nng_world_new();
	char *file = xasprintf("%s/state", w->folder);
	const char *const args[] = {"relay",   "subscribe", w->bus, "",	 "--refill",
				    w->refill, "--state",   file,   NULL};

	(void)state;
	nng_world_open(w, NULL);
	struct nng_child *c = nng_child_start(args), *d;
	nng_child_complains(c, "connected");
	d = nng_child_start(args);
	assert_int_equal(nng_child_wait(d), 1);
	nng_child_complains(d, "another subscriber uses it");
	nng_child_free(d);
	nng_child_kill(c, SIGTERM);
	assert_int_equal(nng_child_wait(c), 0);
	nng_child_free(c);
	d = nng_child_start((const char *const[]){"relay", "subscribe", w->bus, "", "--refill",
						  w->refill, "--state", "/nowhere/state", NULL});
	assert_int_equal(nng_child_wait(d), 1);
	nng_child_complains(d, "/nowhere/state");
	nng_child_free(d);
	unlink(file);
	free(file);
	nng_world_free(w);
}

static void idle_ends_it(void **state)
{
	struct nng_world *w = nng_world_new();

	(void)state;
	commit_some(w, 10);
	nng_world_open(w, NULL);
	struct nng_child *c =
		nng_child_start((const char *const[]){"relay", "subscribe", w->bus, "", "--refill",
						      w->refill, "--all", "--idle", "300ms", NULL});
	assert_int_equal(nng_child_wait(c), 0);
	holds_exactly(c, w, "", 1, 10);
	nng_child_free(c);
	c = nng_child_start((const char *const[]){"relay", "subscribe", w->bus, "", "--idle",
						  "300ms", "--count", "1", NULL});
	assert_int_equal(nng_child_wait(c), 1); /* fewer came than were asked for */
	nng_child_free(c);
	nng_world_free(w);
}

static void wrong_usage_is_told(void **state)
{
	static const struct {
		const char *args[8];
		const char *why;
	} cases[] = {
		{{"subscribe", "tcp://127.0.0.1:1"}, "is missing"},
		{{"subscribe", "a", "b"}, "URL is missing"},
		{{"subscribe", "tcp://127.0.0.1:1", "ipc:///x"}, "TOPIC is missing"},
		{{"subscribe", "tcp://127.0.0.1:1", "a", "--all"}, "need --refill"},
		{{"subscribe", "tcp://127.0.0.1:1", "a", "--state", "x"}, "need --refill"},
		{{"subscribe", "tcp://127.0.0.1:1", "a", "--after", "x"}, "--after"},
		{{"subscribe", "tcp://127.0.0.1:1", "a", "--all", "--after", "1"}, "different"},
		{{"subscribe", "tcp://127.0.0.1:1", "a", "--count", "0"}, "--count"},
		{{"subscribe", "tcp://127.0.0.1:1", "a", "--idle", "5"}, "--idle"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *args[10] = {"relay"};

		memcpy(args + 1, cases[i].args, sizeof cases[i].args);
		struct nng_child *c = nng_child_start(args);
		assert_int_equal(nng_child_wait(c), 2);
		nng_child_complains(c, cases[i].why);
		nng_child_free(c);
	}
	struct nng_child *c = nng_child_start(
		(const char *const[]){"relay", "subscribe", "nonsense://x", "a", NULL});
	assert_int_equal(nng_child_wait(c), 2);
	nng_child_complains(c, "nonsense://x: ");
	nng_child_free(c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gaps_are_seen_in_the_chain),
		cmocka_unit_test(heartbeats_show_what_nothing_else_does),
		cmocka_unit_test(now_is_where_the_first_heartbeat_is),
		cmocka_unit_test(foreign_heartbeats_say_nothing),
		cmocka_unit_test(what_is_held_survives_a_file),
		cmocka_unit_test(pages_are_checked),
		cmocka_unit_test(live_events_are_printed_as_they_come),
		cmocka_unit_test(a_gap_is_filled_before_what_follows),
		cmocka_unit_test(a_lost_end_is_found_by_the_heartbeat),
		cmocka_unit_test(without_refill_a_loss_is_said),
		cmocka_unit_test(a_subscriber_that_stood_still_misses_nothing),
		cmocka_unit_test(the_relay_restarts_under_its_subscriber),
		cmocka_unit_test(all_and_after_begin_in_the_past),
		cmocka_unit_test(a_restart_goes_on_from_the_state),
		cmocka_unit_test(another_journal_is_noticed),
		cmocka_unit_test(what_retention_took_is_said),
		cmocka_unit_test(a_refill_that_fails_is_tried_again),
		cmocka_unit_test(a_command_is_run_for_each_event),
		cmocka_unit_test(a_command_knows_its_event),
		cmocka_unit_test(a_signal_waits_for_the_command),
		cmocka_unit_test(an_interrupted_command_is_no_failure),
		cmocka_unit_test(a_new_journal_is_noticed),
		cmocka_unit_test(a_state_is_of_one),
		cmocka_unit_test(idle_ends_it),
		cmocka_unit_test(wrong_usage_is_told),
	};

	nng_child_main(argc, argv);
	return cmocka_run_group_tests_name("subscribe", tests, NULL, NULL);
}
