/* delivery_rig — see the header. Only the journal has threads here; all else happens in pump. */
#include "tests/unit/delivery_rig.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/delivery/destination.h"
#include "relay/journal/sqlite.h"

#define WALL 1795000000000 /* in November 2026 */

atomic_bool rig_commits_fail, rig_reads_fail;

/* --- a store that fails on demand, in front of SQLite --- */

struct faulty {
	struct store store;
	struct store *inner;
};

static const struct store_type store_faulty;

static struct store *inner(struct store *s)
{
	return ((struct faulty *)s)->inner;
}

static struct store *faulty_open(const void *options, enum store_mode mode, struct err *err)
{
	struct faulty *f = xcalloc(1, sizeof *f);

	f->store.type = &store_faulty;
	f->inner = store_sqlite.open(options, mode, err);
	if (f->inner)
		return &f->store;
	free(f);
	return NULL;
}

static void faulty_close(struct store *s)
{
	if (s)
		store_sqlite.close(inner(s));
	free(s);
}

static int faulty_head(struct store *s, struct store_head *ret, struct err *err)
{
	return store_sqlite.head(inner(s), ret, err);
}

static int faulty_commit(struct store *s, struct batch *const *batches, size_t n, struct err *err)
{
	if (atomic_load(&rig_commits_fail))
		return err_set(err, ERR_STORE, "disk full");
	return store_sqlite.commit(inner(s), batches, n, err);
}

static int64_t faulty_tidy(struct store *s, int64_t now_wall_ms, bool may_take, bool *ret_more)
{
	return store_sqlite.tidy(inner(s), now_wall_ms, may_take, ret_more);
}

static int faulty_routes(struct store *s, const struct route_query *q, struct delivery_routes *ret,
			 struct err *err)
{
	if (atomic_load(&rig_reads_fail))
		return err_set(err, ERR_STORE, "disk unreadable");
	return store_sqlite.routes(inner(s), q, ret, err);
}

static int faulty_picks(struct store *s, const struct pick_query *q, struct picks *ret,
			struct err *err)
{
	return store_sqlite.picks(inner(s), q, ret, err);
}

static int faulty_owed(struct store *s, const struct owed_query *q, struct owed *ret,
		       struct err *err)
{
	return store_sqlite.owed(inner(s), q, ret, err);
}

static int faulty_fates(struct store *s, int64_t sequence, struct event_fates *ret, struct err *err)
{
	return store_sqlite.fates(inner(s), sequence, ret, err);
}

static const struct store_type store_faulty = {
	.name = "faulty",
	.open = faulty_open,
	.close = faulty_close,
	.head = faulty_head,
	.commit = faulty_commit,
	.tidy = faulty_tidy,
	.routes = faulty_routes,
	.picks = faulty_picks,
	.owed = faulty_owed,
	.fates = faulty_fates,
};

/* --- the receiver, as a transport --- */

struct fake {
	struct rig *rig;
	struct receiver *receiver;
};

static int fake_open(void *self, const void *settings, const struct transport_env *env,
		     struct err *err)
{
	struct fake *f = self;

	(void)err;
	*f = *(const struct fake *)settings;
	f->receiver->env = env;
	f->receiver->opened++;
	return 0;
}

static void fake_send(void *self, const struct parcel *p)
{
	struct rig *w = ((struct fake *)self)->rig;
	struct receiver *r = ((struct fake *)self)->receiver;
	struct outcome outcome = {.verdict = SENT, .wait_ms = -1};
	bool answers = r->judge(w, p, &outcome);

	r->log = mem_grow(r->log, r->n, &r->cap, sizeof *r->log);
	r->log[r->n++] = (struct arrival){
		.sequence = p->event->sequence,
		.at_ms = w->now.mono_ms,
		.key = p->event->order_key,
		.attempt = p->attempt,
		.group = p->group,
		.verdict = outcome.verdict,
	};
	if (answers)
		r->env->done(r->env->arg, p->id, &outcome);
	else
		r->held[r->nheld++] = p;
}

static void fake_close(void *self)
{
	((struct fake *)self)->receiver->closed++;
}

static void fake_tick(void *self, struct instant now)
{
	(void)now;
	((struct fake *)self)->receiver->ticks++;
}

static size_t fake_per_call(const void *settings)
{
	(void)settings;
	return 10;
}

const struct transport_type rig_batch_transport = {
	.name = "fake batch",
	.size = sizeof(struct fake),
	.in_flight = 16,
	.per_call = fake_per_call,
	.open = fake_open,
	.send = fake_send,
	.tick = fake_tick,
	.close = fake_close,
};

const struct transport_type rig_transport = {
	.name = "fake",
	.size = sizeof(struct fake),
	.in_flight = 16,
	.open = fake_open,
	.send = fake_send,
	.close = fake_close,
};

bool judge_sent(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	(void)p;
	(void)ret;
	return true;
}

bool judge_hold(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	(void)p;
	(void)ret;
	return false;
}

/* --- the rig --- */

static void take_notice(void *arg, const struct delivery_notice *n)
{
	struct rig *w = arg;

	if (n->number != 1)
		return;
	assert_string_equal(n->destination, "crm");
	w->notices[n->what]++;
	snprintf(w->why, sizeof w->why, "%s", n->why ? n->why : "");
}

static void open_journal(struct rig *w)
{
	struct sqlite_options sqlite = {
		.path = w->path,
		.keep_ms = 400LL * 24 * H,
		.max_size = 1LL << 40,
	};
	struct journal_options options = {.type = &store_faulty, .options = &sqlite};
	struct err err = {0};

	w->loop = mailbox_open(NULL, NULL);
	w->journal = journal_open(&options, w->loop, &w->head, &err);
	if (!w->journal)
		fail_msg("%s", err.msg);
	w->latest = w->head.latest;
}

static void close_journal(struct rig *w)
{
	journal_close(w->journal);
	mailbox_run(w->loop);
	mailbox_close(w->loop);
	store_head_release(&w->head);
}

static void committed(void *arg, const struct batch *b, const struct err *err)
{
	struct rig *w = arg;

	if (err)
		fail_msg("%s", err->msg);
	if (b->events.n)
		w->latest = b->events.v[b->events.n - 1].sequence;
}

static void commit(struct rig *w, struct batch *b)
{
	journal_commit(w->journal, b, committed, w);
	while (journal_commits_pending(w->journal)) {
		mailbox_wait(w->loop, 5000);
		mailbox_run(w->loop);
	}
	if (w->delivery)
		delivery_committed(w->delivery, w->latest);
}

static void open_rig(void **state, const char *const *names)
{
	const char *tmp = getenv("TMPDIR");
	struct rig *w = xcalloc(1, sizeof *w);
	static int64_t delays[] = {0, 5 * S, 5 * M, 30 * M, 2 * H};
	struct batch *b = batch_new();

	w->folder = xasprintf("%s/relay-delivery-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->folder));
	w->path = xasprintf("%s/relay.db", w->folder);
	w->now = (struct instant){WALL, 1000};
	w->random.state = 42;
	w->options = (struct delivery_options){
		.enabled = true,
		.order = ORDER_RECIPIENT,
		.retry = {delays, sizeof delays / sizeof *delays},
	};
	w->receiver.judge = w->other.judge = judge_sent;
	w->type = &rig_transport;
	open_journal(w);
	for (uint32_t i = 0; names[i]; i++) {
		struct destination_record *record = batch_destination(b);

		record->number = i + 1;
		record->name = xstrdup(names[i]);
	}
	commit(w, b);
	close_journal(w);
	open_journal(w);
	rig_start(w);
	*state = w;
}

int rig_open(void **state)
{
	open_rig(state, (const char *const[]){"crm", NULL});
	return 0;
}

int rig_open_two(void **state)
{
	open_rig(state, (const char *const[]){"crm", "erp", NULL});
	return 0;
}

static void remove_folder(struct rig *w)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		char *path = xasprintf("%s%s", w->path, ends[i]);

		unlink(path);
		free(path);
	}
	assert_int_equal(rmdir(w->folder), 0);
}

int rig_close(void **state)
{
	struct rig *w = *state;

	atomic_store(&rig_commits_fail, false);
	atomic_store(&rig_reads_fail, false);
	delivery_close(w->delivery);
	close_journal(w);
	remove_folder(w);
	free(w->receiver.log);
	free(w->other.log);
	free(w->folder);
	free(w->path);
	free(w);
	return 0;
}

void rig_commit(struct rig *w, int n, int nkeys)
{
	rig_commit_to(w, 1, n, nkeys);
}

void rig_commit_to(struct rig *w, uint32_t destination, int n, int nkeys)
{
	struct batch *b = batch_new();

	for (int i = 0; i < n; i++) {
		char key[32], id[EVENT_ID_SIZE];
		struct route *route;

		snprintf(key, sizeof key, "r%d", (w->first_key + i) % nkeys);
		snprintf(id, sizeof id, "evt_%032llx", (unsigned long long)prng_next(&w->random));
		struct event_head head = {
			.id = id,
			.type = "recipient.sent",
			.source = "https://api.example.com/orgs/o/broadcasts/b",
			.subject = key,
			.partitionkey = key,
			.broadcast_id = "b",
			.time_ms = WALL,
			.recorded_ms = WALL,
		};

		const char *data = w->data ? w->data : "{}";

		event_make(batch_event(b), &head, data, strlen(data));
		if (!destination)
			continue;
		route = batch_route(b);
		route->event = (size_t)i;
		route->destination = destination;
	}
	commit(w, b);
}

void rig_route_late(struct rig *w, int64_t sequence)
{
	struct batch *batch = batch_new();

	*batch_late(batch) = (struct late_route){.sequence = sequence, .destination = 1};
	commit(w, batch);
}

static void prepare(struct rig *w, size_t i, const struct delivery_options *options, bool enable)
{
	struct fake settings = {w, i ? &w->other : &w->receiver};
	struct delivery_destination dest = {
		.record = &w->head.destinations[i],
		.options = options,
		.type = w->type,
		.settings = &settings,
		.enable = enable,
	};
	struct err err = {0};

	assert_int_equal(delivery_prepare(w->delivery, &dest, &err), 0);
}

static void know(struct rig *w, const struct destination_record *record)
{
	size_t first = 0, n = 0;

	while (first < w->head.nexceptions &&
	       w->head.exceptions[first].destination < record->number)
		first++;
	while (first + n < w->head.nexceptions &&
	       w->head.exceptions[first + n].destination == record->number)
		n++;
	delivery_know(w->delivery, record, w->head.exceptions + first, n);
}

void rig_start(struct rig *w)
{
	struct delivery_env env = {
		.journal = w->journal,
		.loop = w->loop,
		.random = w->random,
		.notice = take_notice,
		.arg = w,
	};

	w->receiver.nheld = w->other.nheld = 0;
	w->delivery = delivery_open(&env);
	for (size_t i = 0; i < w->head.ndestinations; i++) {
		know(w, &w->head.destinations[i]);
		if (!w->away)
			prepare(w, i, &w->options, false);
	}
	delivery_take(w->delivery);
}

void rig_kill(struct rig *w)
{
	delivery_close(w->delivery);
	w->delivery = NULL;
	close_journal(w);
	open_journal(w);
	rig_start(w);
}

static void replace(struct rig *w, bool enable)
{
	prepare(w, 0, &w->replaced_options, enable);
	delivery_take(w->delivery);
}

void rig_replace(struct rig *w)
{
	replace(w, false);
}

void rig_enable(struct rig *w)
{
	replace(w, true);
}

void rig_look(struct rig *w)
{
	rig_pump(w);
	rig_kill(w);
}

static size_t count_attempts(struct rig *w, int64_t first, int64_t last)
{
	struct sqlite_options options = {.path = w->path};
	struct err err = {0};
	struct store *s = store_sqlite.open(&options, STORE_READ, &err);
	size_t n = 0;

	for (int64_t sequence = first; sequence <= last; sequence++) {
		struct event_fates fates = {0};

		if (!s || store_sqlite.fates(s, sequence, &fates, &err) != 0)
			fail_msg("%s", err.msg);
		assert_int_equal(fates.n, 1);
		n += fates.v[0].nattempts;
		event_fates_release(&fates);
	}
	store_sqlite.close(s);
	return n;
}

size_t rig_attempts(struct rig *w, int64_t sequence)
{
	return count_attempts(w, sequence, sequence);
}

size_t rig_all_attempts(struct rig *w)
{
	return count_attempts(w, 1, w->latest);
}

void rig_pump(struct rig *w)
{
	for (;;) {
		size_t arrivals = w->receiver.n + w->other.n;

		bool came = mailbox_run(w->loop);

		delivery_tick(w->delivery, w->now);
		if (w->delivery->answers_owed)
			mailbox_wait(w->loop, 10000);
		else if (!came && arrivals == w->receiver.n + w->other.n)
			return;
	}
}

void rig_pass(struct rig *w, int64_t ms)
{
	int64_t end = w->now.mono_ms + ms;

	for (;;) {
		int wait_ms;

		rig_pump(w);
		wait_ms = delivery_tick(w->delivery, w->now);
		if (w->now.mono_ms == end)
			return;
		if (wait_ms > end - w->now.mono_ms)
			wait_ms = (int)(end - w->now.mono_ms);
		assert_true(wait_ms > 0); /* else the loop would spin */
		w->now.mono_ms += wait_ms;
		w->now.wall_ms += wait_ms;
	}
}

void rig_answer_as(struct rig *w, size_t i, const struct outcome *outcome)
{
	struct receiver *r = &w->receiver;
	uint64_t id = r->held[i]->id;

	r->held[i] = r->held[--r->nheld];
	r->env->done(r->env->arg, id, outcome);
}

void rig_answer(struct rig *w, size_t i, enum verdict verdict)
{
	const struct outcome outcome = {
		.verdict = verdict,
		.wait_ms = -1,
		.why = verdict == SENT ? NULL : "503: later",
	};

	rig_answer_as(w, i, &outcome);
}

struct delivery_status rig_status(struct rig *w)
{
	struct delivery_status s[2];
	size_t n = delivery_status(w->delivery, s, 2);

	assert_int_equal(n, w->head.ndestinations);
	return s[n == 2 && s[1].number == 1];
}
