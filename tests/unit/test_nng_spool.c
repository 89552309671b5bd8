/* nng_spool against queues that each hold their own messages and drop their oldest: what is taken,
 * in which order, and every count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/random.h"
#include "tests/unit/random_runs.h"
#include "transports/nng_sp.h"
#include "transports/nng_spool.h"

#define READERS 4
#define CAP_MAX 12
#define TAKE	5
#define STEPS	400

struct queue { /* as docs/bus.md says it */
	bool here;
	uint64_t waiting[CAP_MAX + TAKE];
	size_t n;
	uint64_t offered, left, dropped;
	struct spool_reader reader;
	struct letter *taken[TAKE];
	size_t ntaken;
};

struct world {
	struct spool *spool;
	size_t cap;
	uint64_t number;
	struct queue q[READERS];
	struct prng prng;
};

static size_t below(struct world *w, size_t n)
{
	return (size_t)(prng_next(&w->prng) % n);
}

static uint64_t number_of(const struct letter *l)
{
	uint64_t len, ret;

	assert_int_equal(l->len, sp_head_size(true) + sizeof ret);
	assert_true(sp_head_read(l->bytes, true, &len));
	assert_int_equal(len, sizeof ret);
	memcpy(&ret, l->bytes + sp_head_size(true), sizeof ret);
	return ret;
}

static void drop_oldest(struct queue *q, size_t cap)
{
	while (q->n > cap) {
		memmove(q->waiting, q->waiting + 1, --q->n * sizeof *q->waiting);
		q->dropped++;
	}
}

static void add(struct world *w)
{
	w->number++;
	spool_add(w->spool, &w->number, sizeof w->number);
	for (struct queue *q = w->q; q < w->q + READERS; q++)
		if (q->here) {
			q->offered++;
			q->waiting[q->n++] = w->number;
			drop_oldest(q, w->cap);
		}
}

static void take(struct world *w, struct queue *q)
{
	size_t max = below(w, TAKE - q->ntaken + 1);
	size_t n = spool_take(w->spool, &q->reader, q->taken + q->ntaken, max);

	assert_int_equal(n, max < q->n ? max : q->n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(number_of(q->taken[q->ntaken + i]), q->waiting[i]);
	memmove(q->waiting, q->waiting + n, (q->n -= n) * sizeof *q->waiting);
	q->ntaken += n;
}

static void give_back(struct world *w, struct queue *q, size_t went, size_t kept)
{
	size_t back = q->ntaken - went - kept;

	memmove(q->waiting + back, q->waiting, q->n * sizeof *q->waiting);
	for (size_t i = 0; i < back; i++)
		q->waiting[i] = number_of(q->taken[went + kept + i]);
	q->n += back;
	q->left += went;
	spool_give_back(w->spool, &q->reader, q->taken, went, kept);
	memmove(q->taken, q->taken + went, kept * sizeof(struct letter *));
	q->ntaken = kept;
	drop_oldest(q, w->cap);
}

static void give_back_some(struct world *w, struct queue *q)
{
	size_t went = below(w, q->ntaken + 1);

	give_back(w, q, went, went < q->ntaken ? below(w, 2) : 0);
}

/* As its thread does it, when nothing is taken that may come back. */
static void trim(struct world *w)
{
	for (struct queue *q = w->q; q < w->q + READERS; q++)
		if (q->here)
			give_back(w, q, 0, 0);
	spool_trim(w->spool);
}

static void come_or_go(struct world *w, struct queue *q)
{
	if (q->here) {
		spool_give_back(w->spool, &q->reader, q->taken, 0, 0);
		spool_leave(w->spool, &q->reader);
		*q = (struct queue){0};
		return;
	}
	*q = (struct queue){.here = true};
	spool_enter(w->spool, &q->reader);
}

static void check(const struct world *w)
{
	bool empty = true, ready = false;

	for (const struct queue *q = w->q; q < w->q + READERS; q++) {
		struct queue_counts counts;

		if (!q->here)
			continue;
		spool_count(w->spool, &q->reader, &counts);
		assert_int_equal(counts.offered, q->offered);
		assert_int_equal(counts.left, q->left);
		assert_int_equal(counts.dropped, q->dropped);
		assert_int_equal(q->offered, q->left + q->dropped + q->n + q->ntaken);
		empty = empty && !q->n && !q->ntaken;
		ready = ready || (!q->reader.blocked && (q->n || q->ntaken));
	}
	assert_int_equal(spool_is_empty(w->spool), empty);
	assert_int_equal(spool_is_ready(w->spool), ready);
}

static void step(struct world *w)
{
	struct queue *q = &w->q[below(w, READERS)];
	size_t what = below(w, 20);

	if (what < 8)
		add(w);
	else if (what == 8)
		come_or_go(w, q);
	else if (what == 9 && q->here)
		q->reader.blocked = !q->reader.blocked;
	else if (what < 15 && q->here)
		take(w, q);
	else if (what < 19 && q->ntaken)
		give_back_some(w, q);
	else if (what == 19)
		trim(w);
}

static void readers_have_queues_of_their_own(void **state)
{
	struct random_runs runs = random_runs(300, 11);

	(void)state;
	for (size_t run = 0; run < runs.n; run++) {
		struct world w = {.prng = {runs.seed + run}};

		w.cap = 1 + below(&w, CAP_MAX);
		w.spool = spool_new(w.cap);
		for (int i = 0; i < STEPS; i++) {
			step(&w);
			check(&w);
		}
		for (struct queue *q = w.q; q < w.q + READERS; q++)
			if (q->here)
				come_or_go(&w, q);
		spool_free(w.spool);
	}
	spool_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_have_queues_of_their_own),
	};

	return cmocka_run_group_tests_name("nng_spool", tests, NULL, NULL);
}
