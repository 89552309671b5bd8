/* store_suite — gathers the clauses and gives each a store of its own. */
#include "tests/suite/store_world.h"

#include "relay/base/mem.h"

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof *w);

	w->under = *state;
	w->options = w->under->fresh();
	w->store = w->under->type->open(w->options, STORE_WRITE, &w->err);
	*state = w;
	if (!w->store)
		print_error("open: %s\n", w->err.msg);
	return w->store ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	w->under->type->close(w->store);
	w->under->forget(w->options);
	free(w);
	return 0;
}

void world_commit(struct world *w, struct batch *first, ...)
{
	struct batch *v[16];
	size_t n = 0;
	va_list args;

	va_start(args, first);
	for (struct batch *b = first; b; b = va_arg(args, struct batch *)) {
		assert_true(n < 16);
		v[n++] = b;
	}
	va_end(args);
	PASS(w, w->under->type->commit(w->store, v, n, &w->err));
	while (n > 0)
		batch_free(v[--n]);
}

void world_reopen(struct world *w)
{
	w->under->type->close(w->store);
	w->store = w->under->type->open(w->options, STORE_WRITE, &w->err);
	if (!w->store)
		fail_msg("reopen: %s", w->err.msg);
}

struct store *world_reading(struct world *w)
{
	struct store *s = w->under->type->open(w->options, STORE_READ, &w->err);

	if (!s)
		fail_msg("open for reading: %s", w->err.msg);
	return s;
}

int64_t world_latest(struct world *w, struct store *s)
{
	struct store_head head;

	PASS(w, s->type->head(s, &head, &w->err));
	int64_t latest = head.latest;
	store_head_release(&head);
	return latest;
}

size_t world_held(struct world *w)
{
	struct event_query q = {.limit = 100000};
	struct events e;

	PASS(w, w->store->type->events(w->store, &q, &e, &w->err));
	size_t n = e.n;
	events_release(&e);
	return n;
}

int64_t world_tidy(struct world *w, int64_t now_ms)
{
	bool more;

	return w->store->type->tidy(w->store, now_ms, true, &more);
}

struct batch *world_events(int n)
{
	struct batch *b = batch_new();

	fixture_events(b, n);
	return b;
}

struct delivery_routes world_routes(struct world *w, const struct route_query *q)
{
	struct delivery_routes r = {0};

	PASS(w, w->store->type->routes(w->store, q, &r, &w->err));
	return r;
}

int store_suite_run(const struct suite_store *under)
{
	const struct {
		const struct CMUnitTest *v;
		size_t n;
	} parts[] = {{store_commits, nstore_commits}, {store_rows, nstore_rows},
		     {store_reads, nstore_reads},     {store_contacts, nstore_contacts},
		     {store_picks, nstore_picks},     {store_past, nstore_past},
		     {store_index, nstore_index},     {store_pages, nstore_pages}};
	struct CMUnitTest *tests = NULL;
	size_t n = 0;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		tests = xrealloc(tests, n + parts[i].n, sizeof *tests);
		memcpy(tests + n, parts[i].v, parts[i].n * sizeof *tests);
		n += parts[i].n;
	}
	for (size_t i = 0; i < n; i++) {
		tests[i].setup_func = setup;
		tests[i].teardown_func = teardown;
		tests[i].initial_state = (void *)under;
	}
	int failed = _cmocka_run_group_tests(under->type->name, tests, n, NULL, NULL);
	free(tests);
	return failed;
}
