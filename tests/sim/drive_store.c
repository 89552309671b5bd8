/* drive_store — a store in front of another. Invariant: an event is told after its commit. */
#include "tests/sim/drive_store.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/journal/sqlite.h"

struct watched_options {
	struct sqlite_options sqlite; /* first: who releases the options knows only these */
	struct drive_watch watch;
};

struct watched {
	struct store store;
	struct store *inner;
	struct watched_options o; /* not its sqlite */
	int64_t latest;		  /* forget: the last sequence given */
	int64_t oldest;		  /* as housekeeping said last */
};

static struct store *inner(struct store *s)
{
	return ((struct watched *)s)->inner;
}

static const struct store_type watched;

static struct store *open_store(const void *options, enum store_mode mode, struct err *err)
{
	const struct watched_options *o = options;
	struct store *s = store_sqlite.open(&o->sqlite, mode, err);
	if (!s)
		return NULL;
	struct watched *w = xcalloc(1, sizeof *w);
	*w = (struct watched){.store.type = &watched, .inner = s, .o = *o};
	return &w->store;
}

static void close_store(struct store *s)
{
	if (s)
		store_sqlite.close(inner(s));
	free(s);
}

static int head(struct store *s, struct store_head *ret, struct err *err)
{
	return store_sqlite.head(inner(s), ret, err);
}

static int set_since(struct store *s, int64_t since_ms, struct err *err)
{
	return store_sqlite.set_since(inner(s), since_ms, err);
}

static int is_failing(const struct watched *w)
{
	return w->o.watch.failing ? atomic_load(w->o.watch.failing) : 0;
}

/* The batches without their events, which are put back afterwards. */
static int commit_rows(struct watched *w, struct batch *const *batches, size_t n, struct err *err)
{
	size_t *counts = xcalloc(n + 1, sizeof *counts);
	for (size_t i = 0; i < n; i++) {
		assert(batches[i]->nroutes == 0);
		counts[i] = batches[i]->events.n;
		batches[i]->events.n = 0;
	}
	int failed = store_sqlite.commit(w->inner, batches, n, err);
	for (size_t i = 0; i < n; i++) {
		struct events *events = &batches[i]->events;
		events->n = counts[i];
		for (size_t k = 0; !failed && k < events->n; k++)
			event_number(&events->v[k], ++w->latest);
	}
	free(counts);
	return failed;
}

static int commit(struct store *s, struct batch *const *batches, size_t n, struct err *err)
{
	struct watched *w = (struct watched *)s;
	int failing = is_failing(w);
	if (failing)
		return err_set(err, (enum err_code)failing, "the journal fails, as it was told to");
	int failed = w->o.watch.forget ? commit_rows(w, batches, n, err)
				       : store_sqlite.commit(w->inner, batches, n, err);
	for (size_t i = 0; !failed && w->o.watch.told && i < n; i++)
		for (size_t k = 0; k < batches[i]->events.n; k++)
			w->o.watch.told(w->o.watch.arg, &batches[i]->events.v[k]);
	for (size_t i = 0; !failed && w->o.watch.committed && i < n; i++)
		w->o.watch.committed(w->o.watch.arg, batches[i]);
	return failed;
}

static int64_t tidy(struct store *s, int64_t now_wall_ms, bool may_take, bool *ret_more)
{
	struct watched *w = (struct watched *)s;
	const _Atomic int64_t *wall_ms = w->o.watch.wall_ms;
	*ret_more = false;
	int failing = is_failing(w);
	if (!failing || failing == ERR_LIMIT) /* else nothing is written at all */
		w->oldest = store_sqlite.tidy(
			w->inner, wall_ms ? atomic_load(wall_ms) : now_wall_ms, may_take, ret_more);
	return w->oldest;
}

static int room(struct store *s, struct store_room *ret, struct err *err)
{
	return store_sqlite.room(inner(s), ret, err);
}

static void rest(struct store *s)
{
	store_sqlite.rest(inner(s));
}

static int recipients(struct store *s, uint32_t broadcast, store_recipient_fn *fn, void *arg,
		      struct err *err)
{
	return store_sqlite.recipients(inner(s), broadcast, fn, arg, err);
}

static int recipients_at(struct store *s, uint32_t broadcast, const uint32_t *numbers, size_t n,
			 struct recipient_record *ret, struct err *err)
{
	return store_sqlite.recipients_at(inner(s), broadcast, numbers, n, ret, err);
}

static int rows(struct store *s, const struct row_query *q, struct recipient_records *ret,
		struct err *err)
{
	return store_sqlite.rows(inner(s), q, ret, err);
}

static int routes(struct store *s, const struct route_query *q, struct delivery_routes *ret,
		  struct err *err)
{
	return store_sqlite.routes(inner(s), q, ret, err);
}

static int events(struct store *s, const struct event_query *q, struct events *ret, struct err *err)
{
	return store_sqlite.events(inner(s), q, ret, err);
}

static int scan(struct store *s, int64_t first, int64_t last, store_event_fn *fn, void *arg,
		struct err *err)
{
	return store_sqlite.scan(inner(s), first, last, fn, arg, err);
}

static int decisions(struct store *s, int64_t first, int64_t last, struct decisions *ret,
		     struct err *err)
{
	return store_sqlite.decisions(inner(s), first, last, ret, err);
}

static int fates(struct store *s, int64_t sequence, struct event_fates *ret, struct err *err)
{
	return store_sqlite.fates(inner(s), sequence, ret, err);
}

static int picks(struct store *s, const struct pick_query *q, struct picks *ret, struct err *err)
{
	return store_sqlite.picks(inner(s), q, ret, err);
}

static int owed(struct store *s, const struct owed_query *q, struct owed *ret, struct err *err)
{
	return store_sqlite.owed(inner(s), q, ret, err);
}

static int recorded_before(struct store *s, int64_t ms, int64_t *ret, struct err *err)
{
	return store_sqlite.recorded_before(inner(s), ms, ret, err);
}

static int64_t keep_unsent_ms(const void *options)
{
	return store_sqlite.keep_unsent_ms(&((const struct watched_options *)options)->sqlite);
}

static const char *file(const void *options)
{
	return store_sqlite.file(&((const struct watched_options *)options)->sqlite);
}

static const struct store_type watched = {
	.name = "watched",
	.options = sqlite_option_table,
	.options_size = sizeof(struct watched_options),
	.file = file,
	.keep_unsent_ms = keep_unsent_ms,
	.open = open_store,
	.close = close_store,
	.head = head,
	.set_since = set_since,
	.commit = commit,
	.tidy = tidy,
	.room = room,
	.rest = rest,
	.recipients = recipients,
	.recipients_at = recipients_at,
	.rows = rows,
	.routes = routes,
	.events = events,
	.scan = scan,
	.decisions = decisions,
	.picks = picks,
	.owed = owed,
	.recorded_before = recorded_before,
	.fates = fates,
};

void drive_store_watch(struct journal_options *o, const struct drive_watch *watch)
{
	assert(o->type == &store_sqlite);
	struct watched_options *w = xcalloc(1, sizeof *w);
	*w = (struct watched_options){*(struct sqlite_options *)o->options, *watch};
	free(o->options);
	*o = (struct journal_options){&watched, w};
}
