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

static int64_t faulty_tidy(struct store *s, int64_t now_wall_ms)
{
	return store_sqlite.tidy(inner(s), now_wall_ms);
}

static int faulty_routes(struct store *s, const struct route_query *q, struct delivery_routes *ret,
			 struct err *err)
{
	if (atomic_load(&rig_reads_fail))
		return err_set(err, ERR_STORE, "disk unreadable");
	return store_sqlite.routes(inner(s), q, ret, err);
}

static const struct store_type store_faulty = {
	.name = "faulty",
	.open = faulty_open,
	.close = faulty_close,
	.head = faulty_head,
	.commit = faulty_commit,
	.tidy = faulty_tidy,
	.routes = faulty_routes,
};

/* --- the receiver, as a transport --- */

struct fake {
	struct rig *rig;
};

struct fake_settings {
	struct rig *rig;
};

static int fake_open(void *self, const void *settings, const struct transport_env *env,
		     struct err *err)
{
	struct rig *w = ((const struct fake_settings *)settings)->rig;

	(void)err;
	((struct fake *)self)->rig = w;
	w->receiver.env = env;
	w->receiver.opened++;
	return 0;
}

static void fake_send(void *self, const struct parcel *p)
{
	struct rig *w = ((struct fake *)self)->rig;
	struct receiver *r = &w->receiver;
	struct outcome outcome = {.verdict = SENT, .wait_ms = -1};
	bool answers = r->judge(w, p, &outcome);

	r->log = mem_grow(r->log, r->n, &r->cap, sizeof *r->log);
	r->log[r->n++] = (struct arrival){p->event->sequence, w->now.mono_ms, p->event->order_key,
					  p->attempt, outcome.verdict};
	if (answers)
		r->env->done(r->env->arg, p->id, &outcome);
	else
		r->held[r->nheld++] = p;
}

static void fake_close(void *self)
{
	((struct fake *)self)->rig->receiver.closed++;
}

static const struct transport_type fake_type = {
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

static void take_notice(void *arg, enum delivery_notice what, const char *destination,
			const char *event, const char *why)
{
	struct rig *w = arg;

	(void)event;
	assert_string_equal(destination, "crm");
	w->notices[what]++;
	snprintf(w->why, sizeof w->why, "%s", why ? why : "");
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

int rig_open(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct rig *w = xcalloc(1, sizeof *w);
	static int64_t delays[] = {0, 5 * S, 5 * M, 30 * M, 2 * H};
	struct destination_record *record;
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
	w->receiver.judge = judge_sent;
	open_journal(w);
	record = batch_destination(b);
	record->number = 1;
	record->name = xstrdup("crm");
	commit(w, b);
	close_journal(w);
	open_journal(w);
	rig_start(w);
	*state = w;
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
	free(w->folder);
	free(w->path);
	free(w);
	return 0;
}

void rig_commit(struct rig *w, int n, int nkeys)
{
	struct batch *b = batch_new();

	for (int i = 0; i < n; i++) {
		char key[32], id[EVENT_ID_SIZE];
		struct route *route;

		snprintf(key, sizeof key, "r%d", i % nkeys);
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

		event_make(batch_event(b), &head, "{}", 2);
		route = batch_route(b);
		route->event = (size_t)i;
		route->destination = 1;
	}
	commit(w, b);
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
	struct fake_settings settings = {w};
	struct delivery_destination dest = {
		.record = &w->head.destinations[0],
		.exceptions = w->head.exceptions,
		.nexceptions = w->head.nexceptions,
		.options = &w->options,
		.type = &fake_type,
		.settings = &settings,
	};
	struct err err = {0};

	w->receiver.nheld = 0;
	w->delivery = delivery_open(&env);
	assert_int_equal(delivery_prepare(w->delivery, &dest, &err), 0);
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
	struct fake_settings settings = {w};
	struct delivery_destination dest = {
		.record = &w->head.destinations[0],
		.options = &w->replaced_options,
		.type = &fake_type,
		.settings = &settings,
		.enable = enable,
	};
	struct err err = {0};

	assert_int_equal(delivery_prepare(w->delivery, &dest, &err), 0);
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

size_t rig_attempts(struct rig *w, int64_t sequence)
{
	struct sqlite_options options = {.path = w->path};
	struct event_fates fates = {0};
	struct err err = {0};
	struct store *s = store_sqlite.open(&options, STORE_READ, &err);
	size_t n;

	if (!s || store_sqlite.fates(s, sequence, &fates, &err) != 0)
		fail_msg("%s", err.msg);
	assert_int_equal(fates.n, 1);
	n = fates.v[0].nattempts;
	event_fates_release(&fates);
	store_sqlite.close(s);
	return n;
}

void rig_pump(struct rig *w)
{
	for (;;) {
		size_t arrivals = w->receiver.n;

		bool came = mailbox_run(w->loop);

		delivery_tick(w->delivery, w->now);
		if (w->delivery->answers_owed)
			mailbox_wait(w->loop, 10000);
		else if (!came && arrivals == w->receiver.n)
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

void rig_answer(struct rig *w, size_t i, enum verdict verdict)
{
	struct receiver *r = &w->receiver;
	struct outcome outcome = {
		.verdict = verdict,
		.wait_ms = -1,
		.why = verdict == SENT ? NULL : "503: later",
	};
	uint64_t id = r->held[i]->id;

	r->held[i] = r->held[--r->nheld];
	r->env->done(r->env->arg, id, &outcome);
}

struct delivery_status rig_status(struct rig *w)
{
	struct delivery_status s[2];

	assert_int_equal(delivery_status(w->delivery, s, 2), 1);
	return s[0];
}
