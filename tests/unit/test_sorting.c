/* sorting: a row's place and rank are those of a plain list, in whatever order its pages are read
 * and wherever rows come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "relay/source/sorting_parts.h"

#define T0   INT64_C(1700000000000)
#define FLAG 6

/* Neighbours on so many rows: by their ids, or by created_at, newest first. */
static void vote(struct sorting *o, enum sort_kind kind, unsigned rows)
{
	struct row v[2] = {{.id = "a"}, {.id = "b"}};

	for (unsigned i = 0; i < 2; i++) {
		v[i].created_ms = kind == SORT_CREATED ? T0 - i : DATE_NONE;
		v[i].updated_ms = DATE_NONE;
	}
	for (unsigned i = 1; i < rows; i++) {
		if (kind != SORT_ID) /* ids as they come */
			v[1].id = i % 2 ? "0" : "b";
		sorting_vote(o, v, 2);
	}
}

/* ---- places ---- */

/* A list as the API has it: what stands at each place has a row's number once it was read. */
struct list {
	struct entry {
		uint32_t number; /* NO_ROW: not read yet */
		int64_t created_ms;
	} v[4000];
	uint32_t n;
	struct sorting order;
	struct held *held;
	struct ranks ranks;
	struct prng random;
};

static uint32_t below(struct list *l, uint32_t end)
{
	return (uint32_t)(prng_next(&l->random) % end);
}

static void list_open(struct list *l, uint64_t seed)
{
	*l = (struct list){.held = held_new(), .random = {seed}};
}

static void list_close(struct list *l)
{
	sorting_release(&l->order);
	ranks_release(&l->ranks);
	held_free(l->held);
}

static void insert(struct list *l, uint32_t at, int64_t created_ms)
{
	memmove(l->v + at + 1, l->v + at, (l->n - at) * sizeof *l->v);
	l->v[at] = (struct entry){NO_ROW, created_ms};
	l->n++;
}

/* By date, newest first; of one date anywhere among them. */
static void insert_dated(struct list *l, int64_t created_ms)
{
	uint32_t from = 0, to;

	while (from < l->n && l->v[from].created_ms > created_ms)
		from++;
	for (to = from; to < l->n && l->v[to].created_ms == created_ms;)
		to++;
	insert(l, from + below(l, to - from + 1), created_ms);
}

static uint32_t hold(struct list *l, int64_t created_ms)
{
	uint32_t number = held_count(l->held);
	struct held_row row = {
		.key = {.low = number * UINT64_C(0x9e3779b97f4a7c15), .high = number},
		.created = held_date(l->held, created_ms),
		.states = prng_next(&l->random) % 3 ? 0 : UINT64_C(1) << FLAG,
	};

	return held_add(l->held, &row);
}

static uint32_t known_at(const struct list *l, int64_t at)
{
	return at >= 0 && at < l->n ? l->v[at].number : NO_ROW;
}

/* Reads entries from … to - 1 as a page; behind and ahead are known where the rows there are. */
static void read_page(struct list *l, uint32_t from, uint32_t to, bool newest_last)
{
	uint32_t numbers[100];
	struct edges edges = {
		.behind = known_at(l, (int64_t)from - 1),
		.ahead = known_at(l, to),
		.first = from == 0,
		.last = to == l->n,
		.newest_last = newest_last,
	};

	for (uint32_t i = from; i < to; i++) {
		if (l->v[i].number == NO_ROW)
			l->v[i].number = hold(l, l->v[i].created_ms);
		numbers[i - from] = l->v[i].number;
	}
	sorting_place(&l->order, l->held, numbers, to - from, &edges);
	sorting_assume(&l->order, held_count(l->held));
}

static void read_all(struct list *l)
{
	for (uint32_t from = 0; from < l->n; from += 50)
		read_page(l, from, from + 50 < l->n ? from + 50 : l->n, false);
}

/* All that were read stand as in the list; ties: rows of one date may stand either way round. */
static void assert_in_order(struct list *l, bool ties)
{
	const struct planes *planes = held_planes(l->held);
	uint32_t rank = 0, first = 0, flagged = 0, n = 0;

	assert_int_equal(l->order.places.rows, held_count(l->held));
	ranks_make(&l->ranks, &l->order.places, planes, FLAG_PRESENT);
	for (uint32_t i = 0; i < l->n; i++) {
		if (l->v[i].number == NO_ROW)
			continue;
		if (i > 0 && l->v[i].created_ms != l->v[i - 1].created_ms)
			first = rank;
		if (!ties)
			assert_int_equal(ranks_of(&l->ranks, l->v[i].number), rank);
		else
			assert_true(ranks_of(&l->ranks, l->v[i].number) >= first);
		rank++;
	}
	assert_int_equal(rank, held_count(l->held));
	if (ties)
		return;
	ranks_make(&l->ranks, &l->order.places, planes, FLAG);
	for (uint32_t i = 0, before = NO_ROW; i < l->n; i++) {
		uint32_t row = l->v[i].number;
		if (row == NO_ROW)
			continue;
		assert_int_equal(ranks_of(&l->ranks, row), flagged);
		flagged += planes_next(planes, FLAG, row, row + 1) == row;
		if (n++)
			assert_true(places_is_before(&l->order.places, before, row));
		before = row;
	}
}

/* A row is always met with a neighbour: its place is exactly that of the list. */
static void placed_by_neighbours(void **state)
{
	struct list *l = xmalloc(sizeof *l);

	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		list_open(l, seed);
		for (int i = 0; i < 300; i++)
			insert(l, below(l, l->n + 1), DATE_NONE);
		read_all(l);
		assert_in_order(l, false);
		for (int i = 0; i < 100; i++) {
			uint32_t at = i % 10 == 0 ? 0 : i % 10 == 1 ? l->n : below(l, l->n + 1);
			uint32_t rows = 1 + below(l, 5), from = at > 20 ? at - below(l, 20) : 0;
			for (uint32_t k = 0; k < rows; k++)
				insert(l, at, DATE_NONE);
			uint32_t to = at + rows + below(l, 20);
			read_page(l, from, to < l->n ? to : l->n, seed % 2);
			assert_in_order(l, false);
		}
		assert_false(l->order.loose);
		assert_true(sorting_is_stable(&l->order));
		list_close(l);
	}
	free(l);
}

/* Pages of a list that was never read, in random order: by dates the places are right. */
static void placed_by_dates(void **state)
{
	struct list *l = xmalloc(sizeof *l);

	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		bool ties = seed % 2;
		list_open(l, seed);
		vote(&l->order, SORT_CREATED, 100);
		for (uint32_t i = 0; i < 1000; i++)
			insert_dated(l,
				     T0 + (ties ? below(l, 40) * 60000 : i * INT64_C(7919) % 1000));
		for (int i = 0; i < 60; i++) {
			uint32_t from = below(l, l->n - 50);
			read_page(l, from, from + 1 + below(l, 50), false);
			if (ties || i % 3 == 0)
				insert_dated(
					l, T0 + (ties ? below(l, 40) * 60000 : 1000 + (uint32_t)i));
			assert_in_order(l, ties);
		}
		read_all(l); /* each row behind its neighbour: now also those of one date are in
				order */
		assert_in_order(l, false);
		assert_false(l->order.loose);
		list_close(l);
	}
	free(l);
}

/* Rows that were placed without dates are put in order when it turns out that dates tell. */
static void dates_turn_up(void **state)
{
	struct list *l = xmalloc(sizeof *l);

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		list_open(l, seed);
		for (uint32_t i = 0; i < 1000; i++)
			insert_dated(l, T0 + i * INT64_C(7919) % 1000);
		for (int i = 0; i < 20; i++) {
			uint32_t from = below(l, l->n - 50);
			read_page(l, from, from + 50, false);
		}
		vote(&l->order, SORT_CREATED, 100);
		read_page(l, 500, 550, false);
		assert_in_order(l, false);
		list_close(l);
	}
	free(l);
}

/* Rows without a neighbour have no known place: nothing is searched until a sweep writes it down.
 */
static void loose_until_a_sweep(void **state)
{
	struct list *l = xmalloc(sizeof *l);

	(void)state;
	list_open(l, 1);
	for (int i = 0; i < 300; i++)
		insert(l, 0, DATE_NONE);
	read_page(l, 0, 50, false);
	assert_true(sorting_is_stable(&l->order));
	read_page(l, 200, 250, false);
	assert_false(sorting_is_stable(&l->order));
	sorting_sweep_begins(&l->order);
	for (uint32_t from = 0; from < l->n; from += 50) {
		uint32_t numbers[50];
		read_page(l, from, from + 50, false);
		for (uint32_t i = 0; i < 50; i++)
			numbers[i] = l->v[from + i].number;
		sorting_sweep_page(&l->order, numbers, 50);
	}
	sorting_sweep_ends(&l->order, true, held_count(l->held));
	assert_true(sorting_is_stable(&l->order));
	assert_in_order(l, false);
	list_close(l);
	free(l);
}

/* ---- rows that change places ---- */

static void shuffle(struct list *l)
{
	for (uint32_t i = l->n; i > 1; i--) {
		uint32_t k = below(l, i);
		struct entry entry = l->v[i - 1];
		l->v[i - 1] = l->v[k];
		l->v[k] = entry;
	}
}

static void stable_or_none(void **state)
{
	struct list *l = xmalloc(sizeof *l);

	(void)state;
	list_open(l, 2);
	for (int i = 0; i < 500; i++)
		insert(l, 0, DATE_NONE);
	vote(&l->order, SORT_NONE, 100);
	read_all(l);
	assert_int_equal(sorting_of(&l->order), SORT_UNKNOWN);
	sorting_sweep_begins(&l->order);
	for (uint32_t i = 0; i < l->n; i++)
		sorting_sweep_page(&l->order, &l->v[i].number, 1);
	sorting_sweep_ends(&l->order, true, l->n);
	read_all(l);
	assert_int_equal(sorting_of(&l->order), SORT_STABLE);
	assert_true(sorting_is_stable(&l->order));
	shuffle(l);
	for (int i = 0; i < 5; i++)
		read_all(l);
	assert_int_equal(sorting_of(&l->order), SORT_NONE);
	assert_false(sorting_is_stable(&l->order));
	/* A key that rows agree on does not help when they do not keep their places. */
	vote(&l->order, SORT_ID, 1900);
	assert_int_equal(sorting_of(&l->order), SORT_NONE);
	list_close(l);
	free(l);
}

/* A row that moved is found where it stands now, once it was met between others. */
static void rows_that_move_are_followed(void **state)
{
	struct list *l = xmalloc(sizeof *l);

	(void)state;
	for (uint64_t seed = 0; seed < 30; seed++) {
		list_open(l, seed);
		for (int i = 0; i < 1000; i++)
			insert(l, below(l, l->n + 1), DATE_NONE);
		read_all(l);
		for (int i = 0; i < 30; i++) {
			uint32_t from = below(l, l->n), to = 30 + below(l, l->n - 60);
			struct entry entry = l->v[from];
			memmove(l->v + from, l->v + from + 1, (--l->n - from) * sizeof *l->v);
			insert(l, to, DATE_NONE);
			l->v[to] = entry;
			read_page(l, to - 20, to + 20, false);
			assert_in_order(l, false);
		}
		list_close(l);
	}
	free(l);
}

/* ---- sweeps ---- */

static uint32_t rank_of(struct sorting *o, const struct planes *p, uint32_t row)
{
	struct ranks r = {0};

	ranks_make(&r, &o->places, p, FLAG_PRESENT);
	uint32_t rank = ranks_of(&r, row);
	ranks_release(&r);
	return rank;
}

/* A list in another order than its numbers, with rows met twice and rows not met. */
static void sweep_writes_down(void **state)
{
	enum { N = 100 };
	struct planes p = {0};

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		planes_set(&p, i, 0, UINT64_C(1) << FLAG_PRESENT);
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct sorting o = {0};
		struct prng random = {seed};
		uint32_t list[N], expected[N], n = 0, missed[N], nmissed = 0;
		bool met[N] = {0};
		sorting_assume(&o, N);
		/* In blocks of ten, so that runs are long, some of them cut. */
		for (uint32_t i = 0; i < N; i++)
			list[i] = (i / 10 * 7 + 3) % 10 * 10 + i % 10;
		for (int k = 0; k < 5; k++) {
			uint32_t a = (uint32_t)(prng_next(&random) % N),
				 b = (uint32_t)(prng_next(&random) % N), row = list[a];
			list[a] = list[b];
			list[b] = row;
		}
		sorting_sweep_begins(&o);
		for (uint32_t i = 0; i < N; i++) {
			if (prng_next(&random) % 20 == 0 && nmissed < 10) {
				missed[nmissed++] = list[i];
				continue;
			}
			sorting_sweep_page(&o, (uint32_t[]){list[i], NO_ROW}, 2);
			if (prng_next(&random) % 8 == 0) /* it slid onto the next page too */
				sorting_sweep_page(&o, &list[i], 1);
			met[list[i]] = true;
			expected[n++] = list[i];
		}
		sorting_sweep_ends(&o, true, N);
		for (uint32_t i = 1; i < n; i++)
			assert_true(rank_of(&o, &p, expected[i - 1]) <
				    rank_of(&o, &p, expected[i]));
		for (uint32_t i = 0; i < nmissed; i++) { /* behind the row that was before it */
			uint32_t row = missed[i];
			assert_false(met[row]);
			assert_int_equal(rank_of(&o, &p, row),
					 row ? rank_of(&o, &p, row - 1) + 1 : 0);
		}
		sorting_release(&o);
	}
	planes_release(&p);
}

static void sweep_that_does_not_count(void **state)
{
	static const struct {
		bool whole;
		uint32_t met;
		bool counts;
	} cells[] = {
		{true, 100, true}, {true, 90, true},	{true, 89, false},
		{true, 0, false},  {false, 100, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
		struct sorting o = {0};
		sorting_assume(&o, 100);
		sorting_sweep_begins(&o);
		for (uint32_t row = 99; row + cells[i].met > 99 && row != NO_ROW; row--)
			sorting_sweep_page(&o, &row, 1);
		sorting_sweep_ends(&o, cells[i].whole, 100);
		assert_int_equal(places_is_before(&o.places, 99, 50), cells[i].counts);
		sorting_release(&o);
	}
	/* What an earlier sweep wrote down is not that of the next. */
	struct sorting o = {0};
	sorting_assume(&o, 10);
	sorting_sweep_begins(&o);
	sorting_sweep_page(&o, (uint32_t[]){0, 1, 2, 3, 4}, 5);
	sorting_sweep_begins(&o);
	sorting_sweep_page(&o, (uint32_t[]){5, 6, 7, 8, 9, 0, 1, 2, 3, 4}, 10);
	sorting_sweep_ends(&o, true, 10);
	assert_true(places_is_before(&o.places, 5, 0));
	sorting_release(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(placed_by_neighbours),
		cmocka_unit_test(placed_by_dates),
		cmocka_unit_test(dates_turn_up),
		cmocka_unit_test(loose_until_a_sweep),
		cmocka_unit_test(stable_or_none),
		cmocka_unit_test(rows_that_move_are_followed),
		cmocka_unit_test(sweep_writes_down),
		cmocka_unit_test(sweep_that_does_not_count),
	};

	return cmocka_run_group_tests_name("sorting", tests, NULL, NULL);
}
