/* journal — group commit on a thread of its own, between the loop and a store. Invariants: the
 * writing store is used under `turn` only; every batch is answered exactly once, on the loop
 * thread, in the order of journal_commit; `latest` moves only when the loop hears of it. */
#include "relay/journal/journal.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"
#include "relay/journal/hold.h"
#include "relay/journal/reader.h"

/* Housekeeping goes on, in small steps, when nothing is committed. */
#define TIDY_EVERY_MS 30000
#define TIDY_SOON_MS  10   /* … when it has more to do: half of the time is left to others */
#define REST_AFTER_MS 2000 /* of quiet: caches and the heap's free pages go back to the system */

struct commit {
	struct commit *next;
	struct journal *journal;
	struct batch *batch;
	journal_done *done;
	void *arg;
	struct err err;
	bool failed;
};

struct journal {
	struct store *store;
	struct mailbox *loop;
	struct reader *reader;
	struct hold *hold;
	pthread_mutex_t turn; /* whose holder uses the store */
	_Atomic int64_t latest, oldest;

	size_t pending; /* the loop's: batches not answered */
	size_t refs;	/* the loop's: those, the one being answered, and one until journal_close */

	pthread_mutex_t lock;	/* what follows */
	pthread_cond_t arrived; /* on the monotonic clock */
	struct commit *first, **last;
	bool closing;
	struct journal_stats stats;
	struct store_room room;
	pthread_t thread;
};

static void unref(struct journal *j)
{
	if (--j->refs > 0)
		return;
	reader_free(j->reader);
	hold_free(j->hold);
	pthread_cond_destroy(&j->arrived);
	pthread_mutex_destroy(&j->lock);
	pthread_mutex_destroy(&j->turn);
	free(j);
}

/* On the loop thread. */
static void answer(void *arg)
{
	struct commit *c = arg;
	struct journal *j = c->journal;
	const struct events *events = &c->batch->events;

	if (!c->failed && events->n) {
		int64_t none = 0;

		atomic_compare_exchange_strong(&j->oldest, &none, events->v[0].sequence);
		atomic_store(&j->latest, events->v[events->n - 1].sequence);
	}
	j->pending--;
	c->done(c->arg, c->batch, c->failed ? &c->err : NULL);
	batch_free(c->batch);
	free(c);
	unref(j);
}

static unsigned bucket(int64_t took_us)
{
	unsigned i = 0;

	while (i < JOURNAL_BUCKETS - 1 && took_us >= 128LL << i)
		i++;
	return i;
}

static void count(struct journal *j, struct batch *const *batches, size_t n, int64_t took_us)
{
	uint64_t events = 0;

	for (size_t i = 0; i < n; i++)
		events += batches[i]->events.n;
	pthread_mutex_lock(&j->lock);
	j->stats.commits++;
	j->stats.batches += n;
	j->stats.events += events;
	j->stats.took[bucket(took_us)]++;
	j->stats.took_us += (uint64_t)took_us;
	pthread_mutex_unlock(&j->lock);
}

static int commit(struct journal *j, struct batch *const *batches, size_t n, struct err *err)
{
	int64_t start = clock_mono_us();

	pthread_mutex_lock(&j->turn);
	int failed = j->store->type->commit(j->store, batches, n, err);
	pthread_mutex_unlock(&j->turn);
	if (!failed)
		count(j, batches, n, clock_mono_us() - start);
	return failed;
}

/* All in one commit. If that fails, each in its own, so that a batch that cannot be stored takes no
 * other with it. */
static void commit_group(struct journal *j, struct commit *group)
{
	struct batch **batches = NULL;
	size_t n = 0, cap = 0;
	struct err err = {0};

	for (struct commit *c = group; c; c = c->next) {
		batches = mem_grow(batches, n, &cap, sizeof *batches);
		batches[n++] = c->batch;
	}
	if (commit(j, batches, n, &err) != 0) {
		group->failed = true;
		group->err = err;
		for (struct commit *c = group; c && n > 1; c = c->next)
			c->failed = commit(j, &c->batch, 1, &c->err) != 0;
	}
	free(batches);
}

static void look_at_room(struct journal *j)
{
	struct store_room room;
	struct err ignored = {0}; /* what was known last is told on */

	if (!j->store->type->room || j->store->type->room(j->store, &room, &ignored) != 0)
		return;
	pthread_mutex_lock(&j->lock);
	j->room = room;
	pthread_mutex_unlock(&j->lock);
}

/* Is there more to do? */
static bool tidy(struct journal *j)
{
	bool more = false, may_take = hold_begin_pass(j->hold);

	pthread_mutex_lock(&j->turn);
	int64_t oldest = j->store->type->tidy(j->store, clock_now().wall_ms, may_take, &more);
	look_at_room(j);
	pthread_mutex_unlock(&j->turn);
	atomic_store(&j->oldest, oldest);
	hold_end_pass(j->hold, more);
	return more;
}

static void rest(struct journal *j)
{
	pthread_mutex_lock(&j->turn);
	if (j->store->type->rest)
		j->store->type->rest(j->store);
	pthread_mutex_unlock(&j->turn);
	malloc_trim(0);
}

/* Takes all that is queued; NULL after a while without. *ret_end: closing, and nothing is left. */
static struct commit *next_group(struct journal *j, int patience_ms, bool *ret_end)
{
	struct timespec until = thread_deadline(patience_ms);
	struct commit *group;
	int late = 0;

	pthread_mutex_lock(&j->lock);
	while (!j->first && !j->closing && late != ETIMEDOUT)
		late = pthread_cond_timedwait(&j->arrived, &j->lock, &until);
	group = j->first;
	j->first = NULL;
	j->last = &j->first;
	*ret_end = !group && j->closing;
	pthread_mutex_unlock(&j->lock);
	return group;
}

static void *run(void *arg)
{
	struct journal *j = arg;
	bool end, rested = false, more = false;

	for (;;) {
		int patience_ms = more ? TIDY_SOON_MS : rested ? TIDY_EVERY_MS : REST_AFTER_MS;
		struct commit *group = next_group(j, patience_ms, &end);

		if (end)
			return NULL;
		if (!group && !rested && !more)
			rest(j);
		rested = !group && !more;
		if (group)
			commit_group(j, group);
		while (group) {
			struct commit *next = group->next;

			mailbox_post(j->loop, answer, group);
			group = next;
		}
		more = tidy(j);
	}
}

static struct journal *new_journal(struct store *store, struct mailbox *loop)
{
	struct journal *j = xcalloc(1, sizeof *j);

	j->store = store;
	j->loop = loop;
	j->hold = hold_new(loop);
	j->refs = 1;
	j->last = &j->first;
	pthread_mutex_init(&j->turn, NULL);
	pthread_mutex_init(&j->lock, NULL);
	thread_cond_init(&j->arrived);
	return j;
}

static struct reader *open_reader(const struct journal_options *options, struct mailbox *loop,
				  struct err *err)
{
	struct store *store = options->type->open(options->options, STORE_READ, err);

	return store ? reader_open(store, loop, err) : NULL;
}

struct journal *journal_open(const struct journal_options *options, struct mailbox *loop,
			     struct store_head *ret_head, struct err *err)
{
	struct store *store = options->type->open(options->options, STORE_WRITE, err);
	struct store_head head = {0};
	struct journal *j;

	if (!store)
		return NULL;
	j = new_journal(store, loop);
	if (options->type->head(store, &head, err) != 0)
		goto failed;
	atomic_store(&j->latest, head.latest);
	atomic_store(&j->oldest, head.oldest);
	look_at_room(j);
	j->reader = open_reader(options, loop, err);
	if (!j->reader || thread_start(&j->thread, "journal", run, j, err) != 0)
		goto failed;
	*ret_head = head;
	return j;
failed:
	store_head_release(&head);
	reader_close(j->reader);
	store->type->close(store);
	unref(j);
	return NULL;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	pthread_mutex_lock(&j->lock);
	j->closing = true;
	pthread_cond_signal(&j->arrived);
	pthread_mutex_unlock(&j->lock);
	pthread_join(j->thread, NULL);
	hold_end_passes(j->hold);
	reader_close(j->reader); /* first: the last to leave writes the log into the file */
	j->store->type->close(j->store);
	j->store = NULL;
	unref(j);
}

int journal_load_recipients(struct journal *j, uint32_t broadcast, store_recipient_fn *fn,
			    void *arg, struct err *err)
{
	return reader_load_recipients(j->reader, broadcast, fn, arg, err);
}

int journal_set_since(struct journal *j, int64_t since_ms, struct err *err)
{
	pthread_mutex_lock(&j->turn);
	int failed = j->store->type->set_since(j->store, since_ms, err);
	pthread_mutex_unlock(&j->turn);
	return failed;
}

void journal_commit(struct journal *j, struct batch *b, journal_done *done, void *arg)
{
	struct commit *c = xcalloc(1, sizeof *c);

	*c = (struct commit){.journal = j, .batch = b, .done = done, .arg = arg};
	j->pending++;
	j->refs++;
	if (!j->store) { /* an answer to the last commits asked for one more */
		c->failed = true;
		err_set(&c->err, ERR_STORE, "the journal is closed");
		mailbox_post(j->loop, answer, c);
		return;
	}
	pthread_mutex_lock(&j->lock);
	*j->last = c;
	j->last = &c->next;
	pthread_cond_signal(&j->arrived);
	pthread_mutex_unlock(&j->lock);
}

size_t journal_commits_pending(const struct journal *j)
{
	return j->pending;
}

void journal_hold(struct journal *j, journal_held *held, void *arg)
{
	hold_ask(j->hold, held, arg);
}

void journal_release(struct journal *j)
{
	hold_end(j->hold);
}

void journal_recipients(struct journal *j, uint32_t broadcast, const uint32_t *numbers, size_t n,
			journal_recipients_done *done, void *arg)
{
	reader_recipients(j->reader, broadcast, numbers, n, done, arg);
}

void journal_rows(struct journal *j, const struct row_query *q, journal_rows_done *done, void *arg)
{
	reader_rows(j->reader, q, done, arg);
}

void journal_routes(struct journal *j, const struct route_query *q, journal_routes_done *done,
		    void *arg)
{
	reader_routes(j->reader, q, done, arg);
}

void journal_events(struct journal *j, const struct event_query *q, journal_events_done *done,
		    void *arg)
{
	reader_events(j->reader, q, done, arg);
}

void journal_picks(struct journal *j, const struct pick_query *q, journal_picks_done *done,
		   void *arg)
{
	reader_picks(j->reader, q, done, arg);
}

void journal_owed(struct journal *j, const struct owed_query *q, journal_owed_done *done, void *arg)
{
	reader_owed(j->reader, q, done, arg);
}

void journal_recorded_before(struct journal *j, int64_t ms, journal_sequence_done *done, void *arg)
{
	reader_recorded_before(j->reader, ms, done, arg);
}

int journal_routes_wait(struct journal *j, const struct route_query *q, struct delivery_routes *ret,
			struct err *err)
{
	return reader_routes_now(j->reader, q, ret, err);
}

int journal_page_wait(struct journal *j, const struct page_query *q, struct page *ret,
		      struct err *err)
{
	return reader_page_now(j->reader, q, ret, err);
}

int64_t journal_latest(const struct journal *j)
{
	return atomic_load(&j->latest);
}

int64_t journal_oldest(const struct journal *j)
{
	return atomic_load(&j->oldest);
}

void journal_room(const struct journal *j, struct store_room *ret)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&j->lock; /* as below */

	pthread_mutex_lock(lock);
	*ret = j->room;
	pthread_mutex_unlock(lock);
}

void journal_stats(const struct journal *j, struct journal_stats *ret)
{
	pthread_mutex_t *lock =
		(pthread_mutex_t *)&j->lock; /* counting is no change of the journal */

	pthread_mutex_lock(lock);
	*ret = j->stats;
	pthread_mutex_unlock(lock);
}
