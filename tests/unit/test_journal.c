/* Tests of the journal's threads: over a store that stands still when told to, and over the real
 * one. Every wait is for a fact and has a deadline. */
#include "relay/journal/journal.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/journal/sqlite.h"
#include "tests/suite/store_fixture.h"

#define DEADLINE_MS 10000

static struct timespec deadline(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += DEADLINE_MS / 1000;
	return t;
}

static bool wait_for(sem_t *sem)
{
	struct timespec t = deadline();
	int code;

	do
		code = sem_timedwait(sem, &t);
	while (code != 0 && errno == EINTR);
	return code == 0;
}

/* ---- a store that only counts, and whose calls wait for the test */

#define GROUPS 32

struct script {
	bool fail_open_write, fail_open_read, fail_head;
	bool slow; /* each commit tells `began` and waits for `go` */
	sem_t began, go;
	bool tidy_waits; /* … for `answered` */
	sem_t answered;
	bool tidy_waited_in_vain;
	size_t steps;			/* of housekeeping that are to be done */
	sem_t nothing_left;		/* the last was */
	size_t groups[GROUPS], ngroups; /* sizes of the commits tried */
	size_t tidied, took, open; /* housekeeping: how often, and how often it might take events */
	int64_t next, since;
};

struct scripted {
	struct store store;
	struct script *script;
};

static const struct store_type store_scripted;

static struct store *scripted_open(const void *options, enum store_mode mode, struct err *err)
{
	struct script *script = *(struct script *const *)options;
	struct scripted *s;

	if (mode == STORE_WRITE ? script->fail_open_write : script->fail_open_read) {
		err_set(err, ERR_STORE, "no store today");
		return NULL;
	}
	s = xcalloc(1, sizeof *s);
	s->store.type = &store_scripted;
	s->script = script;
	script->open++;
	return &s->store;
}

static void scripted_close(struct store *store)
{
	if (store)
		((struct scripted *)store)->script->open--;
	free(store);
}

static int scripted_head(struct store *store, struct store_head *ret, struct err *err)
{
	if (((struct scripted *)store)->script->fail_head)
		return err_set(err, ERR_STORE, "no head today");
	*ret = (struct store_head){.since_ms = DATE_NONE};
	return 0;
}

static int scripted_since(struct store *store, int64_t since_ms, struct err *err)
{
	(void)err;
	((struct scripted *)store)->script->since = since_ms;
	return 0;
}

/* A batch with a name in it is one that cannot be stored. */
static int scripted_commit(struct store *store, struct batch *const *batches, size_t n,
			   struct err *err)
{
	struct script *script = ((struct scripted *)store)->script;

	if (script->ngroups < GROUPS)
		script->groups[script->ngroups++] = n;
	if (script->slow) {
		sem_post(&script->began);
		if (!wait_for(&script->go))
			return err_set(err, ERR_STORE, "nobody let it go on");
	}
	for (size_t i = 0; i < n; i++) {
		if (batches[i]->nnames)
			return err_set(err, ERR_LIMIT, "%s", batches[i]->names[0].name);
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < batches[i]->events.n; k++)
			event_number(&batches[i]->events.v[k], ++script->next);
	}
	return 0;
}

static int64_t scripted_tidy(struct store *store, int64_t now_wall_ms, bool may_take,
			     bool *ret_more)
{
	struct script *script = ((struct scripted *)store)->script;

	script->took += may_take;
	*ret_more = script->steps > 1;
	if (script->steps && --script->steps == 0)
		sem_post(&script->nothing_left);
	script->tidied += now_wall_ms > 1600000000000;
	if (script->tidy_waits && !wait_for(&script->answered))
		script->tidy_waited_in_vain = true;
	return script->next ? 1 : 0;
}

static int scripted_room(struct store *store, struct store_room *ret, struct err *err)
{
	const struct script *script = ((struct scripted *)store)->script;

	(void)err;
	*ret = (struct store_room){.used = (int64_t)script->ngroups, .max_size = 100};
	return 0;
}

static int scripted_recipients_at(struct store *store, uint32_t broadcast, const uint32_t *numbers,
				  size_t n, struct recipient_record *ret, struct err *err)
{
	(void)store;
	if (broadcast != 1)
		return err_set(err, ERR_STORE, "no broadcast %u", broadcast);
	for (size_t i = 0; i < n; i++)
		ret[i] = (struct recipient_record){.number = numbers[i], .id = xstrdup("r")};
	return 0;
}

/* One route that says what was asked for. */
static int scripted_routes(struct store *store, const struct route_query *q,
			   struct delivery_routes *ret, struct err *err)
{
	struct delivery_routes r = {.scanned = q->after};

	(void)store;
	if (q->destination == 99)
		return err_set(err, ERR_STORE, "no destination 99");
	r.v = mem_grow(r.v, 0, &r.cap, sizeof *r.v);
	r.v[r.n++] = (struct delivery_route){
		.event.sequence = q->nsequences ? q->sequences[q->nsequences - 1] : 0,
		.event.topic = xstrdup(q->topic_prefix),
		.rule = 1,
	};
	*ret = r;
	return 0;
}

/* One event that says what was asked for. */
static int scripted_events(struct store *store, const struct event_query *q, struct events *ret,
			   struct err *err)
{
	struct events found = {0};

	(void)store;
	if (q->after == 99)
		return err_set(err, ERR_STORE, "nothing behind 99");
	found.v = mem_grow(found.v, 0, &found.cap, sizeof *found.v);
	found.v[found.n++] = (struct event){
		.sequence = q->after + 1,
		.time_ms = q->recorded_from_ms,
		.body = xasprintf("%s %s %s", q->type, q->id, q->subject),
	};
	*ret = found;
	return 0;
}

/* One pick that says what was asked for. */
static int scripted_picks(struct store *store, const struct pick_query *q, struct picks *ret,
			  struct err *err)
{
	struct picks found = {.scanned = q->after};

	(void)store;
	if (q->destination == 99)
		return err_set(err, ERR_STORE, "no destination 99");
	found.v = mem_grow(found.v, 0, &found.cap, sizeof *found.v);
	found.v[found.n++] = (struct pick){
		.sequence = q->nsequences ? q->sequences[q->nsequences - 1] : 0,
		.why = xasprintf("%s %s %s", q->type, q->id, q->why),
	};
	*ret = found;
	return 0;
}

static int scripted_owed(struct store *store, const struct owed_query *q, struct owed *ret,
			 struct err *err)
{
	(void)store;
	if (q->destination == 99)
		return err_set(err, ERR_STORE, "no destination 99");
	*ret = (struct owed){.n = q->until - q->after};
	return 0;
}

static int scripted_before(struct store *store, int64_t ms, int64_t *ret, struct err *err)
{
	(void)store;
	if (ms == 99)
		return err_set(err, ERR_STORE, "nothing before 99");
	*ret = ms / 1000;
	return 0;
}

static int scripted_recipients(struct store *store, uint32_t broadcast, store_recipient_fn *fn,
			       void *arg, struct err *err)
{
	(void)store;
	(void)err;
	for (uint32_t i = 0; i < 3; i++)
		fn(arg, &(struct recipient_record){.number = broadcast * 10 + i});
	return 0;
}

static const struct store_type store_scripted = {
	.name = "scripted",
	.open = scripted_open,
	.close = scripted_close,
	.head = scripted_head,
	.set_since = scripted_since,
	.commit = scripted_commit,
	.tidy = scripted_tidy,
	.room = scripted_room,
	.recipients = scripted_recipients,
	.recipients_at = scripted_recipients_at,
	.routes = scripted_routes,
	.events = scripted_events,
	.picks = scripted_picks,
	.owed = scripted_owed,
	.recorded_before = scripted_before,
};

/* ---- one test's journal, whose loop is the test itself */

#define ANSWERS 64

struct answer {
	int tag;
	int64_t first; /* sequence; 0: the batch has no event */
	int64_t latest, oldest;
	char failure[512]; /* an err.msg; empty: committed */
};

struct fixture {
	struct script script;
	struct script *options; /* what store_scripted takes as its options */
	struct mailbox *loop;
	struct journal *j;
	struct store_head head;
	struct err err;
	struct answer answers[ANSWERS];
	size_t n;
	size_t reads, held;
};

struct tagged {
	struct fixture *f;
	int tag;
	bool again; /* its answer commits once more */
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	sem_init(&f->script.began, 0, 0);
	sem_init(&f->script.go, 0, 0);
	sem_init(&f->script.answered, 0, 0);
	sem_init(&f->script.nothing_left, 0, 0);
	f->options = &f->script;
	f->loop = mailbox_open(NULL, NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	journal_close(f->j);
	mailbox_close(f->loop);
	store_head_release(&f->head);
	sem_destroy(&f->script.began);
	sem_destroy(&f->script.go);
	sem_destroy(&f->script.answered);
	sem_destroy(&f->script.nothing_left);
	free(f);
	return 0;
}

static void start(struct fixture *f)
{
	struct journal_options o = {&store_scripted, &f->options};

	f->j = journal_open(&o, f->loop, &f->head, &f->err);
	if (!f->j)
		fail_msg("journal_open: %s", f->err.msg);
}

static void commit_tagged(struct fixture *f, int tag, int events, const char *failure, bool again);

static void note(void *arg, const struct batch *b, const struct err *err)
{
	struct tagged *t = arg;
	struct fixture *f = t->f;
	struct answer *a = &f->answers[f->n++];

	assert_true(f->n < ANSWERS);
	a->tag = t->tag;
	a->first = b->events.n ? b->events.v[0].sequence : 0;
	a->latest = journal_latest(f->j);
	a->oldest = journal_oldest(f->j);
	if (err)
		snprintf(a->failure, sizeof a->failure, "%s", err->msg);
	if (t->again)
		commit_tagged(f, t->tag + 100, 1, NULL, false);
	sem_post(&f->script.answered);
	free(t);
}

static void commit_tagged(struct fixture *f, int tag, int events, const char *failure, bool again)
{
	struct batch *b = batch_new();
	struct tagged *t = xcalloc(1, sizeof *t);

	*t = (struct tagged){f, tag, again};
	fixture_events(b, events);
	if (failure)
		snprintf(batch_name(b)->name, NAME_SIZE, "%s", failure);
	journal_commit(f->j, b, note, t);
}

/* Runs the loop until that many answers or reads are in. */
static void run_until(struct fixture *f, const size_t *count, size_t n)
{
	int64_t end = clock_now().mono_ms + DEADLINE_MS;

	while (*count < n) {
		if (clock_now().mono_ms > end)
			fail_msg("%zu of %zu came", *count, n);
		mailbox_wait(f->loop, 100);
		mailbox_run(f->loop);
	}
}

static void a_commit_is_answered_on_the_loop(void **state)
{
	struct fixture *f = *state;

	start(f);
	commit_tagged(f, 1, 3, NULL, false);
	assert_int_equal(journal_commits_pending(f->j), 1);
	mailbox_wait(f->loop, DEADLINE_MS); /* committed, but the loop has not heard of it */
	assert_int_equal(journal_latest(f->j), 0);
	assert_int_equal(f->n, 0);
	run_until(f, &f->n, 1);
	assert_int_equal(f->answers[0].first, 1);
	assert_int_equal(f->answers[0].latest, 3);
	assert_int_equal(f->answers[0].oldest, 1);
	assert_string_equal(f->answers[0].failure, "");
	assert_int_equal(journal_commits_pending(f->j), 0);
}

static void batches_that_wait_are_committed_together(void **state)
{
	struct fixture *f = *state;
	struct journal_stats stats;

	f->script.slow = true;
	start(f);
	commit_tagged(f, 0, 1, NULL, false);
	assert_true(wait_for(&f->script.began));
	for (int i = 1; i <= 5; i++)
		commit_tagged(f, i, i, NULL, false);
	assert_int_equal(journal_commits_pending(f->j), 6);
	sem_post(&f->script.go);
	sem_post(&f->script.go);
	run_until(f, &f->n, 6);
	assert_int_equal(f->script.ngroups, 2);
	assert_int_equal(f->script.groups[0], 1);
	assert_int_equal(f->script.groups[1], 5);
	for (int i = 0; i < 6; i++)
		assert_int_equal(f->answers[i].tag, i);
	assert_int_equal(f->answers[5].latest, 16);
	assert_int_equal(f->answers[1].latest, 2); /* not what later answers will tell */
	journal_stats(f->j, &stats);
	assert_int_equal(stats.commits, 2);
	assert_int_equal(stats.batches, 6);
	assert_int_equal(stats.events, 16);
	uint64_t all = 0;
	for (int i = 0; i < JOURNAL_BUCKETS; i++)
		all += stats.took[i];
	assert_int_equal(all, 2);
}

static void a_bad_batch_fails_alone(void **state)
{
	struct fixture *f = *state;

	f->script.slow = true;
	start(f);
	commit_tagged(f, 0, 1, NULL, false);
	assert_true(wait_for(&f->script.began));
	commit_tagged(f, 1, 1, NULL, false);
	commit_tagged(f, 2, 1, "cannot_be_stored", false);
	commit_tagged(f, 3, 1, NULL, false);
	for (int i = 0; i < 5; i++) /* the first, the group, and each of the three */
		sem_post(&f->script.go);
	run_until(f, &f->n, 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(f->answers[i].tag, i);
		assert_string_equal(f->answers[i].failure, i == 2 ? "cannot_be_stored" : "");
	}
	assert_int_equal(f->answers[1].first, 2);
	assert_int_equal(f->answers[2].latest, 2);
	assert_int_equal(f->answers[3].first, 3);
	assert_int_equal(journal_latest(f->j), 3);
}

static void a_lone_bad_batch_is_tried_once(void **state)
{
	struct fixture *f = *state;

	start(f);
	commit_tagged(f, 0, 1, "bad", false);
	run_until(f, &f->n, 1);
	assert_string_equal(f->answers[0].failure, "bad");
	assert_int_equal(f->script.ngroups, 1);
	assert_int_equal(journal_latest(f->j), 0);
	assert_int_equal(journal_oldest(f->j), 0);
}

static void answers_come_before_housekeeping(void **state)
{
	struct fixture *f = *state;

	f->script.tidy_waits = true;
	start(f);
	commit_tagged(f, 0, 1, NULL, false);
	run_until(f, &f->n, 1);
	journal_close(f->j);
	f->j = NULL;
	assert_int_equal(f->script.tidied, 1);
	assert_false(f->script.tidy_waited_in_vain);
}

static void closing_commits_what_is_queued(void **state)
{
	struct fixture *f = *state;

	f->script.slow = true;
	start(f);
	for (int i = 0; i < 10; i++) {
		commit_tagged(f, i, 1, NULL, i == 9);
		sem_post(&f->script.go);
	}
	journal_close(f->j);
	assert_int_equal(f->script.open, 0);
	assert_int_equal(f->n, 0);
	assert_true(mailbox_run(f->loop));
	assert_int_equal(f->n, 10);
	assert_int_equal(f->answers[9].latest, 10);
	assert_true(mailbox_run(f->loop)); /* one more, asked for by the last answer */
	f->j = NULL;
	assert_int_equal(f->n, 11);
	assert_int_equal(f->answers[10].tag, 109);
	assert_string_equal(f->answers[10].failure, "the journal is closed");
	assert_false(mailbox_run(f->loop));
}

static void opening_may_fail(void **state)
{
	struct fixture *f = *state;
	struct journal_options o = {&store_scripted, &f->options};
	bool *const failures[] = {&f->script.fail_open_write, &f->script.fail_open_read,
				  &f->script.fail_head};

	for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
		*failures[i] = true;
		f->head.since_ms = 42;
		assert_null(journal_open(&o, f->loop, &f->head, &f->err));
		assert_int_equal(f->err.code, ERR_STORE);
		assert_int_equal(f->head.since_ms, 42);
		assert_int_equal(f->script.open, 0);
		*failures[i] = false;
	}
	journal_close(NULL);
}

static void take_recipients(void *arg, const struct recipient_record *v, size_t n,
			    const struct err *err)
{
	struct fixture *f = arg;

	if (err) {
		assert_string_equal(err->msg, "no broadcast 2");
		assert_int_equal(n, 0);
	} else {
		assert_int_equal(n, 2);
		assert_int_equal(v[0].number, 5);
		assert_int_equal(v[1].number, 7);
	}
	f->reads++;
}

static void take_routes(void *arg, const struct delivery_routes *r, const struct err *err)
{
	struct fixture *f = arg;

	if (err) {
		assert_string_equal(err->msg, "no destination 99");
		assert_int_equal(r->n, 0);
	} else {
		assert_int_equal(r->scanned, 3);
		assert_int_equal(r->v[0].event.sequence, 8);
		assert_string_equal(r->v[0].event.topic, "recipient.");
	}
	f->reads++;
}

static void take_events(void *arg, const struct events *v, const struct err *err)
{
	struct fixture *f = arg;

	if (err) {
		assert_string_equal(err->msg, "nothing behind 99");
		assert_int_equal(v->n, 0);
	} else {
		assert_int_equal(v->v[0].sequence, 6);
		assert_int_equal(v->v[0].time_ms, 1234);
		assert_string_equal(v->v[0].body, "recipient. evt_1 r1");
	}
	f->reads++;
}

static void events_are_answered_on_the_loop(void **state)
{
	struct fixture *f = *state;
	char type[] = "recipient.", id[] = "evt_1", subject[] = "r1";
	struct event_query q = {.after = 5,
				.recorded_from_ms = 1234,
				.type = type,
				.id = id,
				.subject = subject,
				.limit = 1};

	start(f);
	journal_events(f->j, &q, take_events, f);
	type[0] = id[0] = subject[0] = 'x'; /* the texts were copied */
	q.after = 99;
	journal_events(f->j, &q, take_events, f);
	run_until(f, &f->reads, 2);
}

static void reads_are_answered_on_the_loop(void **state)
{
	struct fixture *f = *state;
	uint32_t numbers[] = {5, 7};
	int64_t sequences[] = {4, 8};
	char prefix[] = "recipient.";
	struct route_query q = {.destination = 1,
				.after = 3,
				.sequences = sequences,
				.nsequences = 2,
				.topic_prefix = prefix};

	start(f);
	journal_recipients(f->j, 1, numbers, 2, take_recipients, f);
	journal_recipients(f->j, 2, numbers, 2, take_recipients, f);
	journal_routes(f->j, &q, take_routes, f);
	numbers[0] = 0; /* the queries were copied */
	sequences[1] = 0;
	prefix[0] = 'x';
	q.destination = 99;
	journal_routes(f->j, &q, take_routes, f);
	run_until(f, &f->reads, 4);
}

static void take_picks(void *arg, struct picks *p, const struct err *err)
{
	struct fixture *f = arg;

	if (err) {
		assert_string_equal(err->msg, "no destination 99");
		assert_int_equal(p->n, 0);
	} else {
		assert_int_equal(p->scanned, 7);
		assert_int_equal(p->v[0].sequence, 8);
		assert_string_equal(p->v[0].why, "recipient. evt_1 404");
		picks_release(p); /* may be taken */
	}
	f->reads++;
}

static void take_owed(void *arg, const struct owed *owed, const struct err *err)
{
	struct fixture *f = arg;

	assert_int_equal(owed->n, err ? 0 : 5);
	f->reads++;
}

static void take_sequence(void *arg, int64_t sequence, const struct err *err)
{
	struct fixture *f = arg;

	assert_int_equal(sequence, err ? 0 : 5);
	f->reads++;
}

static void looking_for_routes_is_answered_on_the_loop(void **state)
{
	struct fixture *f = *state;
	char type[] = "recipient.", id[] = "evt_1", why[] = "404";
	int64_t sequences[] = {4, 8};
	struct pick_query q = {
		.after = 7,
		.type = type,
		.id = id,
		.why = why,
		.sequences = sequences,
		.nsequences = 2,
	};
	struct owed_query owed = {.destination = 1, .after = 3, .until = 8};

	start(f);
	journal_picks(f->j, &q, take_picks, f);
	type[0] = id[0] = why[0] = 'x'; /* the texts were copied */
	sequences[1] = 0;
	q.destination = 99;
	journal_picks(f->j, &q, take_picks, f);
	journal_owed(f->j, &owed, take_owed, f);
	owed.destination = 99;
	journal_owed(f->j, &owed, take_owed, f);
	journal_recorded_before(f->j, 5000, take_sequence, f);
	journal_recorded_before(f->j, 99, take_sequence, f);
	run_until(f, &f->reads, 6);
}

/* Else it would take half a minute for each step. */
static void housekeeping_goes_on_while_there_is_more(void **state)
{
	struct fixture *f = *state;

	f->script.steps = 20;
	start(f);
	commit_tagged(f, 0, 1, NULL, false);
	assert_true(wait_for(&f->script.nothing_left));
	run_until(f, &f->n, 1);
	journal_close(f->j);
	assert_true(f->script.tidied >= 20);
	f->j = NULL;
}

static void held(void *arg)
{
	struct fixture *f = arg;

	f->held++;
}

static void while_it_is_held_housekeeping_takes_nothing(void **state)
{
	struct fixture *f = *state;

	start(f);
	for (size_t i = 0; i < 3; i++) {
		journal_hold(f->j, held, f);
		run_until(f, &f->held, i + 1);
		for (size_t took = 0; took < 2; took++) {
			f->script.took = 0;
			f->script.steps = 1;
			commit_tagged(f, 0, 1, NULL, false);
			assert_true(wait_for(&f->script.nothing_left));
			assert_int_equal(f->script.took > 0, took);
			run_until(f, &f->n, 2 * i + took + 1);
			if (!took)
				journal_release(f->j);
		}
	}
}

static void closing_gives_a_hold_that_waits(void **state)
{
	struct fixture *f = *state;

	f->script.steps = 100000;
	start(f);
	journal_hold(f->j, held, f);
	run_until(f, &f->held, 1);
	commit_tagged(f, 0, 1, NULL, false);
	run_until(f, &f->n, 1);
	journal_release(f->j);
	journal_hold(f->j, held, f);
	journal_close(f->j);
	f->j = NULL;
	run_until(f, &f->held, 2);
	assert_int_equal(mailbox_run(f->loop), false);
}

static void how_full_it_is_is_known_after_each_commit(void **state)
{
	struct fixture *f = *state;
	struct store_room room;
	int64_t end = clock_now().mono_ms + DEADLINE_MS;

	start(f);
	journal_room(f->j, &room);
	assert_int_equal(room.used, 0);
	assert_int_equal(room.max_size, 100);
	for (int i = 1; i <= 3; i++) {
		commit_tagged(f, i, 1, NULL, false);
		run_until(f, &f->n, (size_t)i);
		while (room.used < i && clock_now().mono_ms < end)
			journal_room(f->j, &room);
		assert_int_equal(room.used, i);
	}
}

static void reads_do_not_wait_for_commits(void **state)
{
	struct fixture *f = *state;
	uint32_t numbers[] = {5, 7};

	f->script.slow = true;
	start(f);
	commit_tagged(f, 0, 1, NULL, false);
	assert_true(wait_for(&f->script.began));
	journal_recipients(f->j, 1, numbers, 2, take_recipients, f);
	run_until(f, &f->reads, 1);
	assert_int_equal(f->n, 0);
	sem_post(&f->script.go);
	run_until(f, &f->n, 1);
}

static void closing_reads_what_is_queued(void **state)
{
	struct fixture *f = *state;
	uint32_t numbers[] = {5, 7};

	start(f);
	for (int i = 0; i < 10; i++)
		journal_recipients(f->j, 1, numbers, 2, take_recipients, f);
	journal_close(f->j);
	f->j = NULL;
	mailbox_run(f->loop);
	assert_int_equal(f->reads, 10);
}

static void *ask_from_elsewhere(void *arg)
{
	struct fixture *f = arg;
	struct route_query q = {.destination = 1, .after = 3};
	struct delivery_routes r;
	struct err err;
	int64_t wrong = 0;

	for (int i = 0; i < 200; i++) {
		if (journal_routes_wait(f->j, &q, &r, &err) != 0) {
			wrong++;
			continue;
		}
		wrong += r.scanned != 3 || journal_latest(f->j) < 0 || journal_oldest(f->j) < 0;
		delivery_routes_release(&r);
	}
	q.destination = 99;
	wrong += journal_routes_wait(f->j, &q, &r, &err) == 0;
	return (void *)wrong; /* NOLINT: a count, not an address */
}

static void other_threads_wait_for_their_routes(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[3];

	start(f);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_from_elsewhere, f), 0);
	for (int i = 0; i < 20; i++)
		commit_tagged(f, i, 1, NULL, false);
	run_until(f, &f->n, 20);
	for (int i = 0; i < 3; i++) {
		void *wrong;

		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
}

static void sum_numbers(void *arg, const struct recipient_record *r)
{
	*(uint32_t *)arg += r->number;
}

static void the_start_reads_and_sets_since(void **state)
{
	struct fixture *f = *state;
	uint32_t sum = 0;

	start(f);
	assert_int_equal(journal_load_recipients(f->j, 4, sum_numbers, &sum, &f->err), 0);
	assert_int_equal(sum, 40 + 41 + 42);
	assert_int_equal(journal_set_since(f->j, 77, &f->err), 0);
	assert_int_equal(f->script.since, 77);
}

/* ---- over the real store */

static void note_routes(void *arg, const struct delivery_routes *r, const struct err *err)
{
	struct fixture *f = arg;

	assert_null(err);
	f->reads += r->n;
}

static void a_real_journal_survives_its_closing(void **state)
{
	struct fixture *f = *state;
	char *folder = fixture_folder();
	struct sqlite_options real = {.path = xasprintf("%s/relay.db", folder), .keep_ms = 1000};
	struct journal_options o = {&store_sqlite, &real};
	struct route_query q = {.destination = 1, .limit = 1000};

	for (int round = 0; round < 3; round++) {
		f->j = journal_open(&o, f->loop, &f->head, &f->err);
		if (!f->j)
			fail_msg("%s", f->err.msg);
		assert_int_equal(f->head.latest, round * 100);
		assert_int_equal(journal_latest(f->j), round * 100);
		assert_int_equal(journal_oldest(f->j), round > 0);
		store_head_release(&f->head);
		f->n = f->reads = 0;
		for (int i = 0; i < 10; i++)
			commit_tagged(f, i, 10, NULL, false);
		run_until(f, &f->n, 10);
		assert_int_equal(f->answers[9].latest, (round + 1) * 100);
		journal_routes(f->j, &q, note_routes, f);
		run_until(f, &f->reads, (size_t)(round + 1) * 100);
		journal_close(f->j);
		f->j = NULL;
		mailbox_run(f->loop);
	}
	free(real.path);
	fixture_remove(folder);
}

int main(void)
{
#define IN_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(a_commit_is_answered_on_the_loop),
		IN_FIXTURE(batches_that_wait_are_committed_together),
		IN_FIXTURE(a_bad_batch_fails_alone),
		IN_FIXTURE(a_lone_bad_batch_is_tried_once),
		IN_FIXTURE(answers_come_before_housekeeping),
		IN_FIXTURE(closing_commits_what_is_queued),
		IN_FIXTURE(opening_may_fail),
		IN_FIXTURE(reads_are_answered_on_the_loop),
		IN_FIXTURE(events_are_answered_on_the_loop),
		IN_FIXTURE(looking_for_routes_is_answered_on_the_loop),
		IN_FIXTURE(housekeeping_goes_on_while_there_is_more),
		IN_FIXTURE(while_it_is_held_housekeeping_takes_nothing),
		IN_FIXTURE(closing_gives_a_hold_that_waits),
		IN_FIXTURE(how_full_it_is_is_known_after_each_commit),
		IN_FIXTURE(reads_do_not_wait_for_commits),
		IN_FIXTURE(closing_reads_what_is_queued),
		IN_FIXTURE(other_threads_wait_for_their_routes),
		IN_FIXTURE(the_start_reads_and_sets_since),
		IN_FIXTURE(a_real_journal_survives_its_closing),
	};
	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
