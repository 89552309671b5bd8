/* pages: what was kept comes back, whether its rows are numbered one behind another or not, and
 * only while the bytes and the rows are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/source/pages.h"

#define ROWS 2000
#define TAKE 100

struct world {
	struct held *held;
	struct pages pages;
};

static struct world open_world(void)
{
	struct world w = {.held = held_new()};

	for (uint32_t i = 0; i < ROWS; i++)
		held_add(w.held, &(struct held_row){.key = {i, 1}, .identity = i});
	return w;
}

static void close_world(struct world *w)
{
	pages_release(&w->pages);
	held_free(w->held);
}

static void keep(struct world *w, unsigned page, uint32_t *numbers, uint32_t n)
{
	struct page_memo memo = {{page, 2}, numbers, n, n + 1, 3, 4};

	pages_keep(&w->pages, w->held, page, &memo);
}

static bool is_same(struct world *w, unsigned page, struct page_memo *ret)
{
	return pages_same(&w->pages, w->held, page, (struct hash128){page, 2}, ret);
}

static void assert_kept(struct world *w, unsigned page, const uint32_t *numbers, uint32_t n)
{
	struct page_memo memo;

	assert_true(is_same(w, page, &memo));
	assert_int_equal(memo.n, n);
	assert_int_equal(memo.rows, n + 1);
	assert_int_equal(memo.skipped, 3);
	assert_int_equal(memo.told, 4);
	assert_int_equal(pages_told(&w->pages, page), 4);
	if (n)
		assert_memory_equal(memo.numbers, numbers, n * sizeof *numbers);
}

/* Each row `step` behind the one before: 1 is one run. */
static void number(uint32_t *ret, uint32_t n, uint32_t first, uint32_t step)
{
	for (uint32_t i = 0; i < n; i++)
		ret[i] = (first + i * step) % ROWS;
}

static void comes_back(void **state)
{
	static const uint32_t steps[] = {1, 7, ROWS - 1, 1};
	struct world w = open_world();
	uint32_t v[4][TAKE];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		number(v[i], TAKE, 100 * i, steps[i]);
		keep(&w, i + 1, v[i], TAKE);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_kept(&w, i + 1, v[i], TAKE);
	for (unsigned i = 0; i < 4; i++) { /* another one in its stead, shorter or longer */
		uint32_t n = (TAKE - 1) * (i % 2);
		number(v[i], n, 50, steps[3 - i]);
		keep(&w, i + 1, v[i], n);
		assert_kept(&w, i + 1, v[i], n);
	}
	assert_int_equal(w.pages.known, 4);
	close_world(&w);
}

/* Runs of 1 to 5 rows: about where plain numbers begin to take less. */
static void short_runs_come_back(void **state)
{
	struct world w = open_world();
	uint32_t v[TAKE];

	(void)state;
	for (uint32_t len = 1; len <= 5; len++)
		for (uint32_t n = 0; n <= TAKE; n++) {
			for (uint32_t i = 0; i < n; i++)
				v[i] = 1000 - i / len * 9 + i % len;
			keep(&w, len, v, n);
			assert_kept(&w, len, v, n);
		}
	close_world(&w);
}

static void other_bytes_or_rows_are_not_the_same(void **state)
{
	struct world w = open_world();
	struct page_memo memo = {.n = 77};
	uint32_t v[TAKE];

	(void)state;
	assert_false(is_same(&w, 1, &memo));
	number(v, TAKE, 0, 1);
	keep(&w, 3, v, TAKE);
	assert_false(is_same(&w, 2, &memo));
	assert_false(is_same(&w, 4, &memo));
	assert_false(pages_same(&w.pages, w.held, 3, (struct hash128){3, 3}, &memo));
	held_set_gone(w.held, 99, true);
	assert_false(is_same(&w, 3, &memo));
	assert_int_equal(memo.n, 77);
	held_set_gone(w.held, 99, false);
	assert_kept(&w, 3, v, TAKE);
	close_world(&w);
}

/* Bytes are counted down again; a page of one run takes 8 for its numbers. */
static void bytes_are_counted(void **state)
{
	struct world w = open_world();
	uint32_t v[TAKE];

	(void)state;
	number(v, TAKE, 0, 7);
	keep(&w, 1, v, TAKE);
	size_t plain = w.pages.bytes;
	number(v, TAKE, 0, 1);
	keep(&w, 1, v, TAKE);
	assert_int_equal(plain - w.pages.bytes, 4 * TAKE - 8);
	number(v, TAKE, 0, 7);
	keep(&w, 1, v, TAKE);
	assert_int_equal(w.pages.bytes, plain);
	close_world(&w);
	assert_int_equal(w.pages.bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(short_runs_come_back),
		cmocka_unit_test(other_bytes_or_rows_are_not_the_same),
		cmocka_unit_test(bytes_are_counted),
	};

	return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
