/* store_commits — all of a commit or nothing, sequences without gaps, chains of topics, and what a
 * kill leaves. */
#include "tests/suite/store_world.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void sequences_follow_the_order_of_batches(void **state)
{
	struct world *w = *state;
	struct batch *a = world_events(3), *b = world_events(1), *c = world_events(2);
	struct batch *group[] = {a, b, c};

	PASS(w, w->store->type->commit(w->store, group, 3, &w->err));
	int64_t next = 1;
	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < group[i]->events.n; k++, next++) {
			const struct event *ev = &group[i]->events.v[k];
			char digits[24];

			snprintf(digits, sizeof digits, "%016lld", (long long)next);
			assert_int_equal(ev->sequence, next);
			assert_memory_equal(ev->body + ev->sequence_at, digits, 16);
		}
		batch_free(group[i]);
	}
	assert_int_equal(world_latest(w, w->store), 6);
}

static void sequences_have_no_gaps_over_restarts(void **state)
{
	struct world *w = *state;
	struct events all = {0};
	struct event_query q = {.limit = 1000};

	for (int i = 0; i < 5; i++) {
		world_commit(w, world_events(i + 1), world_events(2), NULL);
		world_reopen(w);
	}
	PASS(w, w->store->type->events(w->store, &q, &all, &w->err));
	assert_int_equal(all.n, 1 + 2 + 3 + 4 + 5 + 5 * 2);
	for (size_t i = 0; i < all.n; i++)
		assert_int_equal(all.v[i].sequence, i + 1);
	events_release(&all);
}

static void a_batch_without_events_takes_no_sequence(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new();

	fixture_recipient(b, 1, 0);
	world_commit(w, world_events(1), b, batch_new(), NULL);
	world_commit(w, world_events(1), NULL);
	assert_int_equal(world_latest(w, w->store), 2);
}

static void the_same_batch_twice_is_inserted_twice(void **state)
{
	struct world *w = *state;
	struct batch *b = world_events(2);

	PASS(w, w->store->type->commit(w->store, &b, 1, &w->err));
	PASS(w, w->store->type->commit(w->store, &b, 1, &w->err));
	assert_int_equal(b->events.v[1].sequence, 4);
	batch_free(b);
	assert_int_equal(world_latest(w, w->store), 4);
}

/* Two routes of one event to one destination: no store takes that. */
static struct batch *impossible_batch(void)
{
	struct batch *b = world_events(2);

	fixture_recipient(b, 1, 7);
	batch_destination(b)->number = 9;
	b->destinations[0].name = strdup("nowhere");
	fixture_route(b, 1, true);
	return b;
}

static void count_recipient(void *arg, const struct recipient_record *r)
{
	(void)r;
	++*(int *)arg;
}

static void a_failed_commit_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct batch *good = world_events(2), *bad = impossible_batch();
	struct batch *group[] = {good, bad};
	struct store_head head;
	int recipients = 0;

	fixture_event(good, "recipient.played", "new topic", 1, 0);
	fixture_route(good, 1, true);
	world_commit(w, world_events(3), NULL);
	assert_int_equal(w->store->type->commit(w->store, group, 2, &w->err), -1);
	assert_true(w->err.msg[0] != '\0');
	assert_int_equal(good->events.v[0].sequence, 0);

	PASS(w, w->store->type->head(w->store, &head, &w->err));
	assert_int_equal(head.latest, 3);
	assert_int_equal(head.ndestinations, 0);
	store_head_release(&head);
	PASS(w, w->store->type->recipients(w->store, 1, count_recipient, &recipients, &w->err));
	assert_int_equal(recipients, 0);
	batch_free(bad);
	world_commit(w, good, NULL); /* without a gap, and with the topics that were rolled back */
	struct delivery_routes r =
		world_routes(w, &(struct route_query){.destination = 1, .after = 3, .limit = 9});
	assert_int_equal(r.n, 3);
	assert_int_equal(r.v[0].event.sequence, 4);
	assert_int_equal(r.v[0].prevsequence, 3);
	assert_string_equal(r.v[2].event.topic, "recipient.played.twilio.bc_1");
	assert_int_equal(r.v[2].prevsequence, 0);
	delivery_routes_release(&r);
}

/* One route of (destination, topic) after another, over commits, groups and restarts. */
static void chain_event(struct batch *b, uint32_t destination, const char *topic)
{
	fixture_event(b, "recipient.sent", "r", 1, 0);
	fixture_route(b, destination, true)->topic = strdup(topic);
}

static void topics_are_chained_per_destination(void **state)
{
	struct world *w = *state;
	static const struct {
		uint32_t destination;
		const char *topic;
		int64_t previous;
	} chain[] = {{1, "a", 0}, {1, "b", 0}, {1, "a", 1}, {2, "a", 0}, {1, "a", 3},
		     {2, "a", 4}, {1, "b", 2}, {1, "a", 5}, {1, "c", 0}, {2, "a", 6}};
	size_t n = sizeof chain / sizeof *chain;

	for (size_t i = 0; i < n; i += 2) {
		struct batch *a = batch_new(), *b = batch_new();

		chain_event(a, chain[i].destination, chain[i].topic);
		chain_event(b, chain[i + 1].destination, chain[i + 1].topic);
		world_commit(w, a, b, NULL);
		if (i % 4 == 0)
			world_reopen(w);
	}
	for (size_t i = 0; i < n; i++) {
		int64_t sequence = (int64_t)i + 1;
		struct delivery_routes r =
			world_routes(w, &(struct route_query){.destination = chain[i].destination,
							      .sequences = &sequence,
							      .nsequences = 1,
							      .limit = 1});

		assert_int_equal(r.n, 1);
		assert_int_equal(r.v[0].prevsequence, chain[i].previous);
		assert_string_equal(r.v[0].event.topic, chain[i].topic);
		delivery_routes_release(&r);
	}
}

static void many_topics_in_one_commit_are_chained(void **state)
{
	struct world *w = *state;
	enum { TOPICS = 300, ROUNDS = 3 };
	struct batch *b = batch_new();

	for (int i = 0; i < TOPICS * ROUNDS; i++) {
		char topic[16];

		snprintf(topic, sizeof topic, "t%d", i % TOPICS);
		chain_event(b, 1, topic);
	}
	world_commit(w, b, NULL);
	struct delivery_routes r =
		world_routes(w, &(struct route_query){.destination = 1, .limit = TOPICS * ROUNDS});
	assert_int_equal(r.n, TOPICS * ROUNDS);
	for (size_t i = 0; i < r.n; i++) {
		int64_t previous = r.v[i].event.sequence - TOPICS;

		assert_int_equal(r.v[i].prevsequence, previous > 0 ? previous : 0);
	}
	delivery_routes_release(&r);
}

#define WHOLE 10 /* events in each commit of the two tests below */

#define COMMITS_WATCHED 200

struct watch {
	struct world *w;
	struct store *reading;
	atomic_bool stop;
	int looks, torn;
};

static void *watch_commits(void *arg)
{
	struct watch *v = arg;
	struct route_query q = {.destination = 1, .limit = 100000};

	while (!atomic_load(&v->stop)) {
		struct store_head head;
		struct delivery_routes r;
		struct err err;

		if (v->reading->type->head(v->reading, &head, &err) != 0) {
			v->torn++;
			break;
		}
		q.after = head.latest - WHOLE;
		if (v->reading->type->routes(v->reading, &q, &r, &err) != 0) {
			store_head_release(&head);
			v->torn++;
			break;
		}
		v->looks++;
		v->torn += head.latest % WHOLE != 0 || r.n % WHOLE != 0;
		/* Each commit settles all of its events: both ends of the head are of one state. */
		v->torn += head.destinations[0].cursor.position != head.latest;
		store_head_release(&head);
		delivery_routes_release(&r);
	}
	return NULL;
}

static void a_reading_store_sees_whole_commits(void **state)
{
	struct world *w = *state;
	struct watch v = {.w = w, .reading = world_reading(w)};
	struct batch *b = batch_new();
	pthread_t thread;

	batch_destination(b)->number = 1;
	b->destinations[0].name = strdup("bus");
	world_commit(w, b, NULL);
	assert_int_equal(pthread_create(&thread, NULL, watch_commits, &v), 0);
	for (int i = 1; i <= COMMITS_WATCHED; i++) {
		b = world_events(WHOLE / 2);
		fixture_settle(b, 1, i * WHOLE);
		world_commit(w, world_events(WHOLE / 2), b, NULL);
		world_tidy(w, 0);
	}
	atomic_store(&v.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(v.torn, 0);
	assert_true(v.looks > 0);
	assert_int_equal(world_latest(w, v.reading), COMMITS_WATCHED * WHOLE);
	v.reading->type->close(v.reading);
}

/* Commits for ever and tells each one's last sequence, until it is killed. */
static _Noreturn void commit_until_killed(struct world *w, int out)
{
	struct err err;
	bool more;
	struct store *s = w->under->type->open(w->options, STORE_WRITE, &err);

	while (s) {
		struct batch *b = world_events(WHOLE);

		fixture_recipient(b, 1, (uint32_t)world_latest(w, s));
		if (s->type->commit(s, &b, 1, &err) != 0)
			break;
		int64_t last = b->events.v[WHOLE - 1].sequence;
		if (write(out, &last, sizeof last) != sizeof last)
			break;
		batch_free(b);
		s->type->tidy(s, 0, true, &more);
	}
	_exit(1);
}

/* The last commit that a child reported before it was killed in the midst of the next ones. */
static int64_t last_report_of_killed_child(struct world *w, int reports)
{
	int64_t last = 0, told;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		commit_until_killed(w, ends[1]);
	}
	close(ends[1]);
	while (read(ends[0], &told, sizeof told) == sizeof told) {
		last = told;
		if (--reports == 0)
			kill(pid, SIGKILL);
	}
	close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return last;
}

static void a_kill_loses_no_reported_commit(void **state)
{
	struct world *w = *state;
	struct store_head head;
	int recipients = 0, rounds = 5;

	for (int i = 0; i < rounds; i++) {
		w->store->type->close(w->store);
		w->store = NULL;
		int64_t reported = last_report_of_killed_child(w, 3 + 7 * i);

		w->store = w->under->type->open(w->options, STORE_WRITE, &w->err);
		if (!w->store)
			fail_msg("after a kill: %s", w->err.msg);
		PASS(w, w->store->type->head(w->store, &head, &w->err));
		assert_true(reported > 0);
		assert_true(head.latest >= reported);
		assert_int_equal(head.latest % WHOLE, 0);
		store_head_release(&head);
	}
	int64_t latest = world_latest(w, w->store);
	struct delivery_routes r = world_routes(
		w, &(struct route_query){.destination = 1, .limit = (size_t)latest + 1});
	assert_int_equal(r.n, latest);
	delivery_routes_release(&r);
	PASS(w, w->store->type->recipients(w->store, 1, count_recipient, &recipients, &w->err));
	assert_int_equal(recipients, latest / WHOLE);
}

const struct CMUnitTest store_commits[] = {
	cmocka_unit_test(sequences_follow_the_order_of_batches),
	cmocka_unit_test(sequences_have_no_gaps_over_restarts),
	cmocka_unit_test(a_batch_without_events_takes_no_sequence),
	cmocka_unit_test(the_same_batch_twice_is_inserted_twice),
	cmocka_unit_test(a_failed_commit_leaves_nothing),
	cmocka_unit_test(topics_are_chained_per_destination),
	cmocka_unit_test(many_topics_in_one_commit_are_chained),
	cmocka_unit_test(a_reading_store_sees_whole_commits),
	cmocka_unit_test(a_kill_loses_no_reported_commit),
};
const size_t nstore_commits = sizeof store_commits / sizeof *store_commits;
