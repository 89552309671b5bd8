/* The search for rows that were flagged unseen: finds all of them, at the cost it promises, also
 * while the list changes under it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "relay/source/search.h"

#define FLAG 6
#define TAKE 100

/* A list as the API has it, and what is held of it. */
struct world {
	uint32_t rows;
	uint8_t *flagged; /* in the API; `held` has its own view */
	uint32_t *list;	  /* the flagged rows in order */
	uint32_t n;
	struct planes held;
	struct sorting order;
	struct ranks ranks;
	struct prior prior;
	struct prng random;
	int64_t now_ms;
};

static void make_list(struct world *w)
{
	w->n = 0;
	for (uint32_t i = 0; i < w->rows; i++)
		if (w->flagged[i])
			w->list[w->n++] = i;
}

static void hold(struct world *w, uint32_t row, bool on)
{
	uint64_t old = planes_next(&w->held, FLAG, row, row + 1) == row ? 1u << FLAG : 0;

	planes_set(&w->held, row, old, on ? 1u << FLAG : 0);
	places_touch(&w->order.places, row);
}

static void world_open(struct world *w, uint32_t rows, unsigned share, uint64_t seed)
{
	*w = (struct world){.rows = rows, .random = {seed}};
	w->flagged = xcalloc(rows, 1);
	w->list = xcalloc(rows, sizeof *w->list);
	prior_init(&w->prior);
	sorting_assume(&w->order, rows);
	for (uint32_t i = 0; i < rows; i++) {
		w->flagged[i] = prng_next(&w->random) % 100 < share;
		hold(w, i, w->flagged[i]);
	}
	make_list(w);
}

static void world_close(struct world *w)
{
	free(w->flagged);
	free(w->list);
	planes_release(&w->held);
	sorting_release(&w->order);
	ranks_release(&w->ranks);
}

static void flag_some(struct world *w, unsigned n, uint32_t from, uint32_t span, bool on)
{
	while (n) {
		uint32_t row = from + (uint32_t)(prng_next(&w->random) % span);
		if (w->flagged[row] == on)
			continue;
		w->flagged[row] = on;
		n--;
	}
	make_list(w);
}

/* Reads a page as the source would; returns the rows found. */
static unsigned read_page(struct world *w, struct search *s, unsigned page)
{
	uint32_t first = (page - 1) * TAKE, n = 0;
	unsigned before = planes_total(&w->held, FLAG);

	w->now_ms += 100;
	if (first < w->n)
		n = w->n - first < TAKE ? w->n - first : TAKE;
	for (uint32_t i = 0; i < n; i++)
		hold(w, w->list[first + i], true);
	unsigned found = planes_total(&w->held, FLAG) - before;
	prior_learn(&w->prior, page, search_pages(s), found);
	search_read(s, &(struct search_page){.page = page,
					     .numbers = n ? w->list + first : NULL,
					     .n = n,
					     .rows = n,
					     .found = found,
					     .count = w->n,
					     .read_ms = ++w->now_ms});
	return found;
}

/* One job; returns its pages. */
static unsigned search(struct world *w, enum search_way way, enum search_state *ret)
{
	struct search s = {0};
	struct search_step step;
	unsigned pages = 0;

	search_begin(&s, way, FLAG, w->n, TAKE, &w->prior, w->now_ms);
	for (;;) {
		ranks_make(&w->ranks, &w->order.places, &w->held, FLAG);
		*ret = search_next(&s, &w->ranks, &w->prior, w->now_ms, &step);
		if (*ret != SEARCH_GOES_ON)
			break;
		assert_in_range(step.page, 1, search_pages(&s));
		read_page(w, &s, step.page);
		pages++;
	}
	search_release(&s);
	return pages;
}

static void assert_all_held(const struct world *w)
{
	assert_int_equal(planes_total(&w->held, FLAG), w->n);
	for (uint32_t i = 0; i < w->n; i++)
		assert_int_equal(planes_next(&w->held, FLAG, w->list[i], w->list[i] + 1),
				 w->list[i]);
}

/* 400,000 of a million: what one, ten and a hundred changes cost, ten times each. */
static void cost_of_few(void **state)
{
	static const struct {
		unsigned changes, pages;
	} cells[] = {{1, 16}, {10, 110}, {100, 590}};
	enum search_state end;
	struct world w;

	(void)state;
	world_open(&w, 1000000, 40, 1);
	for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
		unsigned most = 0;
		for (int k = 0; k < 10; k++) {
			flag_some(&w, cells[i].changes, 0, w.rows, true);
			unsigned pages = search(&w, SEARCH_RANKS, &end);
			assert_int_equal(end, SEARCH_DONE);
			most = pages > most ? pages : most;
		}
		assert_all_held(&w);
		print_message("search: %u changes cost %u pages at most\n", cells[i].changes, most);
		assert_true(most <= cells[i].pages);
	}
	world_close(&w);
}

/* Where changes come near an end, it is read page by page, once that is known. */
static void learns_where_they_come(void **state)
{
	enum search_state end;
	struct world w;
	unsigned pages = 0;

	(void)state;
	world_open(&w, 200000, 50, 2);
	for (int k = 0; k < 20; k++) {
		flag_some(&w, 300, w.rows - 2000, 2000, true);
		for (uint32_t i = w.rows - 2000; i < w.rows; i++) { /* and some fall, seen */
			if (prng_next(&w.random) % 100 < 40 && w.flagged[i]) {
				w.flagged[i] = false;
				hold(&w, i, false);
			}
		}
		make_list(&w);
		pages = search(&w, SEARCH_RANKS, &end);
		assert_int_equal(end, SEARCH_DONE);
		assert_all_held(&w);
	}
	assert_true(pages <= 20);
	world_close(&w);
}

/* Every list, every way: what was counted is held at the end. */
static void finds_all(void **state)
{
	static const enum search_way ways[] = {SEARCH_RANKS, SEARCH_PAGES};
	enum search_state end;

	(void)state;
	for (unsigned seed = 0; seed < 400; seed++) {
		struct world w;
		world_open(&w, 1 + seed * 37 % 9000, 1 + seed % 90, seed);
		unsigned room = w.rows - w.n;
		flag_some(&w, room ? seed * seed % room : 0, 0, w.rows, true);
		search(&w, ways[seed % 2], &end);
		assert_int_equal(end, SEARCH_DONE);
		assert_all_held(&w);
		world_close(&w);
	}
}

/* Rows that lost the flag are between two that are read next to each other. */
static void finds_what_fell(void **state)
{
	struct world w;
	struct search s = {0};
	struct search_step step;
	unsigned suspects = 0, pages = 0;

	(void)state;
	world_open(&w, 100000, 50, 3);
	flag_some(&w, 3, 0, w.rows, false);
	search_begin(&s, SEARCH_RANKS, FLAG, w.n, TAKE, &w.prior, w.now_ms);
	for (;; pages++) {
		ranks_make(&w.ranks, &w.order.places, &w.held, FLAG);
		if (search_next(&s, &w.ranks, &w.prior, w.now_ms, &step) != SEARCH_GOES_ON)
			break;
		uint32_t first = (step.page - 1) * TAKE;
		for (uint32_t i = first + 1; i < first + TAKE && i < w.n; i++) {
			uint32_t gone = planes_next(&w.held, FLAG, w.list[i - 1] + 1, w.list[i]);
			if (gone == w.list[i])
				continue;
			assert_false(w.flagged[gone]);
			hold(&w, gone, false);
			suspects++;
		}
		read_page(&w, &s, step.page);
	}
	assert_int_equal(suspects, 3);
	assert_true(pages <= 45);
	search_release(&s);
	world_close(&w);
}

/* A count that is too high for what the pages hold: the search ends all the same. */
static void ends_when_the_count_is_wrong(void **state)
{
	enum search_state end = SEARCH_GOES_ON;
	struct world w;
	struct search s = {0};
	struct search_step step;

	(void)state;
	world_open(&w, 5000, 50, 4);
	search_begin(&s, SEARCH_RANKS, FLAG, w.n + 3, TAKE, &w.prior, 0);
	while (end == SEARCH_GOES_ON) {
		ranks_make(&w.ranks, &w.order.places, &w.held, FLAG);
		end = search_next(&s, &w.ranks, &w.prior, w.now_ms, &step);
		if (end != SEARCH_GOES_ON)
			break;
		uint32_t first = (step.page - 1) * TAKE,
			 n = w.n - first < TAKE ? w.n - first : TAKE;
		search_read(&s, &(struct search_page){step.page, w.list + first, n, n, 0, -1, 0});
	}
	assert_int_equal(end, SEARCH_CLOSED);
	search_release(&s);
	world_close(&w);
}

/* Rows go on being flagged while it searches: each job ends, and in the end nothing is missed. */
static void the_list_moves(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 30; seed++) {
		struct world w;
		struct search s = {0};
		struct search_step step;
		enum search_state end;
		unsigned moves = 300;
		world_open(&w, 50000, 20, seed);
		flag_some(&w, 20, 0, w.rows, true);
		for (unsigned job = 0; job < 1000 && planes_total(&w.held, FLAG) != w.n; job++) {
			search_begin(&s, SEARCH_RANKS, FLAG, w.n, TAKE, &w.prior, w.now_ms);
			for (;;) {
				ranks_make(&w.ranks, &w.order.places, &w.held, FLAG);
				if (search_next(&s, &w.ranks, &w.prior, w.now_ms, &step) !=
				    SEARCH_GOES_ON)
					break;
				read_page(&w, &s, step.page);
				if (moves && moves--)
					flag_some(&w, prng_next(&w.random) % 3, 0, w.rows, true);
			}
		}
		search_release(&s);
		assert_all_held(&w);
		search(&w, SEARCH_RANKS, &end);
		assert_int_equal(end, SEARCH_DONE);
		world_close(&w);
	}
}

/* Rows come in at the front, 70 a second, a few of them among those before: page after page is read
 * as it fills, each once, and nothing is left behind. */
static void the_front_is_read_along(void **state)
{
	enum { RATE = 7, STEPS = 3000, LATE = 300 }; /* a tenth of a second each */
	struct world w;
	struct search s = {0};
	struct search_step step;
	unsigned pages = 0;

	(void)state;
	world_open(&w, 22000, 0, 7);
	for (int i = 0; i < 40; i++) /* it is known to be the busy end */
		prior_learn(&w.prior, 1, 100, 50);
	search_begin(&s, SEARCH_RANKS, FLAG, 0, TAKE, &w.prior, w.now_ms);
	s.per_ms = RATE / 100.0;
	s.ripens_ms = 10000;
	for (uint32_t i = 0; i < STEPS; i++) {
		uint32_t next = w.rows - 1 - i * RATE;
		for (uint32_t k = 0; k < RATE; k++)
			w.flagged[next - k] = k != 3;
		if (i > 10)
			w.flagged[next - 3 + 10 * RATE] = true; /* a second late */
		make_list(&w);
		w.now_ms += 100;
		if (i % 25 == 0) {
			s.count = w.n;
			s.counted_ms = w.now_ms;
		}
		ranks_make(&w.ranks, &w.order.places, &w.held, FLAG);
		if (search_next(&s, &w.ranks, &w.prior, w.now_ms, &step) == SEARCH_GOES_ON &&
		    step.finds > 40) {
			read_page(&w, &s, step.page);
			w.now_ms -= 101; /* the clock is this loop's */
			pages++;
		}
	}
	print_message("search: %u pages of a front of %u rows\n", pages, w.n);
	assert_in_range(pages, w.n / TAKE - 20, w.n / TAKE * 11 / 10);
	for (uint32_t i = w.rows - (STEPS - LATE) * RATE; i < w.rows; i++)
		assert_int_equal(planes_next(&w.held, FLAG, i, i + 1), w.flagged[i] ? i : i + 1);
	search_release(&s);
	world_close(&w);
}

/* As many are found together as were due; others come meanwhile, anywhere in the list. Returns the
 * pages. */
static unsigned find_batch(struct world *w, bool anywhere)
{
	struct search s = {0};
	struct search_step step;
	unsigned pages = 0;

	search_begin(&s, SEARCH_RANKS, FLAG, w->n, TAKE, &w->prior, w->now_ms);
	s.anywhere = anywhere;
	s.wanted = (double)w->n - planes_total(&w->held, FLAG);
	while (s.wanted > 0) {
		ranks_make(&w->ranks, &w->order.places, &w->held, FLAG);
		if (search_next(&s, &w->ranks, &w->prior, w->now_ms, &step) != SEARCH_GOES_ON)
			break;
		read_page(w, &s, step.page);
		pages++;
		if (prng_next(&w->random) % 7 == 0)
			flag_some(w, 1, 0, w->rows, true);
	}
	search_release(&s);
	return pages;
}

/* Rows that come in while it runs shift what is read later: to know that they come anywhere saves
 * looks for what is not there. */
static void what_comes_anywhere_costs_less(void **state)
{
	double each[2];

	(void)state;
	for (int anywhere = 0; anywhere < 2; anywhere++) {
		unsigned pages = 0, found = 0;
		for (unsigned seed = 0; seed < 8; seed++) {
			struct world w;
			world_open(&w, 20000, 50, seed);
			unsigned before = planes_total(&w.held, FLAG);
			for (int i = 0; i < 30; i++) {
				flag_some(&w, 5, 0, w.rows, true);
				pages += find_batch(&w, anywhere);
			}
			found += planes_total(&w.held, FLAG) - before;
			/* The other way is there to compare with: more stays behind. */
			assert_in_range(w.n - planes_total(&w.held, FLAG), 0, anywhere ? 8 : 20);
			world_close(&w);
		}
		each[anywhere] = (double)pages / found;
	}
	print_message("search: %.2f pages each, %.2f otherwise\n", each[1], each[0]);
	if (each[1] > 0.95 * each[0])
		fail_msg("%.2f pages each, %.2f otherwise", each[1], each[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cost_of_few),
		cmocka_unit_test(learns_where_they_come),
		cmocka_unit_test(finds_all),
		cmocka_unit_test(finds_what_fell),
		cmocka_unit_test(ends_when_the_count_is_wrong),
		cmocka_unit_test(the_list_moves),
		cmocka_unit_test(the_front_is_read_along),
		cmocka_unit_test(what_comes_anywhere_costs_less),
	};
	return cmocka_run_group_tests_name("search", tests, NULL, NULL);
}
