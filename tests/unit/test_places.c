/* places: order and ranks are those of a plain array, whatever was inserted and moved before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "relay/source/places.h"

#define ROWS 3000
#define FLAG 5

/* The plain array. */
struct list {
	uint32_t v[ROWS], n;
	struct places places;
	struct planes planes;
	struct ranks ranks;
	struct prng random;
};

static struct list *list_new(uint64_t seed)
{
	struct list *l = xcalloc(1, sizeof *l);

	l->random.state = seed;
	return l;
}

static void list_free(struct list *l)
{
	places_release(&l->places);
	planes_release(&l->planes);
	ranks_release(&l->ranks);
	free(l);
}

static uint32_t below(struct list *l, uint32_t end)
{
	return (uint32_t)(prng_next(&l->random) % end);
}

static void put(struct list *l, uint32_t at, uint32_t row)
{
	memmove(l->v + at + 1, l->v + at, (l->n - at) * sizeof *l->v);
	l->v[at] = row;
	l->n++;
}

static void insert(struct list *l, uint32_t at)
{
	uint32_t row = l->n;

	places_insert(&l->places, row, at ? l->v[at - 1] : NO_ROW);
	put(l, at, row);
}

static void append(struct list *l)
{
	places_append(&l->places, l->n);
	put(l, l->n, l->n);
}

/* To behind the row at `to`. */
static void move(struct list *l, uint32_t from, uint32_t to)
{
	uint32_t row = l->v[from], behind = l->v[to];

	if (row == behind)
		return;
	places_move(&l->places, row, behind);
	memmove(l->v + from, l->v + from + 1, (--l->n - from) * sizeof *l->v);
	put(l, from < to ? to : to + 1, row);
}

static bool has(const struct list *l, uint32_t row)
{
	return planes_next(&l->planes, FLAG, row, row + 1) == row;
}

static void flip(struct list *l, uint32_t row)
{
	uint64_t old = has(l, row) ? UINT64_C(1) << FLAG : 0;

	planes_set(&l->planes, row, old, old ^ UINT64_C(1) << FLAG);
}

static void assert_same(struct list *l)
{
	uint32_t rank = 0;

	assert_int_equal(l->places.rows, l->n);
	assert_int_equal(places_first(&l->places), l->n ? l->v[0] : NO_ROW);
	assert_int_equal(places_last(&l->places), l->n ? l->v[l->n - 1] : NO_ROW);
	ranks_make(&l->ranks, &l->places, &l->planes, FLAG);
	for (uint32_t i = 0; i < l->n; i++) {
		uint32_t prev = i ? l->v[i - 1] : NO_ROW,
			 next = i + 1 < l->n ? l->v[i + 1] : NO_ROW;
		assert_int_equal(places_prev(&l->places, l->v[i]), prev);
		assert_int_equal(places_next(&l->places, l->v[i]), next);
		assert_int_equal(ranks_of(&l->ranks, l->v[i]), rank);
		rank += has(l, l->v[i]);
	}
	for (int i = 0; i < 200 && l->n; i++) {
		uint32_t a = below(l, l->n), b = below(l, l->n);
		assert_int_equal(places_is_before(&l->places, l->v[a], l->v[b]), a < b);
	}
}

/* Rows come at the end, at the front, in places of their own and behind one another, and move. */
static void is_the_plain_array(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct list *l = list_new(seed);
		assert_same(l);
		while (l->n < ROWS - 100) {
			uint32_t how = below(l, 5), n = 1 + below(l, 90), at = below(l, l->n + 1);
			for (uint32_t i = 0; i < n; i++) {
				if (how == 0)
					append(l);
				else if (how == 1)
					insert(l, 0);
				else if (how == 2)
					insert(l, at + i);
				else if (how == 3)
					insert(l, below(l, l->n + 1));
				else if (l->n)
					move(l, below(l, l->n), below(l, l->n));
			}
			for (int i = 0; i < 20 && l->n; i++) {
				uint32_t row = below(l, l->n);
				flip(l, row);
				places_touch(&l->places, row);
			}
			if (below(l, 10) == 0)
				assert_same(l);
		}
		assert_same(l);
		list_free(l);
	}
}

/* Blocks lose all their rows, and are used again. */
static void all_rows_move_away(void **state)
{
	struct list *l = list_new(1);

	(void)state;
	for (uint32_t i = 0; i < 2000; i++)
		append(l);
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 1500; i++)
			move(l, 0, l->n - 1);
		assert_same(l);
		for (uint32_t i = 0; i < 1500; i++)
			move(l, l->n - 1, 3);
		assert_same(l);
	}
	list_free(l);
}

/* Rows that left the list lost their flags, and nobody said so. */
static void ranks_notice_what_was_not_told(void **state)
{
	struct list *l = list_new(2);

	(void)state;
	for (uint32_t i = 0; i < 2000; i++) {
		append(l);
		flip(l, i);
	}
	assert_same(l);
	for (uint32_t i = 0; i < 2000; i += 7)
		flip(l, i);
	assert_same(l);
	list_free(l);
}

struct part {
	struct list *l;
	bool in[ROWS];
};

static bool is_in(void *arg, uint32_t row)
{
	return ((struct part *)arg)->in[row];
}

static void bisects(void **state)
{
	struct list *l = list_new(3);
	struct part *part = xcalloc(1, sizeof *part);

	(void)state;
	assert_int_equal(places_bisect(&l->places, is_in, part), NO_ROW);
	for (uint32_t i = 0; i < 1200; i++)
		insert(l, below(l, l->n + 1));
	for (uint32_t n = 0; n <= l->n; n++) {
		assert_int_equal(places_bisect(&l->places, is_in, part), n ? l->v[n - 1] : NO_ROW);
		if (n < l->n)
			part->in[l->v[n]] = true;
	}
	free(part);
	list_free(l);
}

/* Blocks past the 65,536th: in ids, and in what moves to and from them. */
static void names_more_blocks_than_16_bits(void **state)
{
	enum { FULL = 256, FROM = 65530 * FULL, MANY = 65600 * FULL };
	struct places p = {0};

	(void)state;
	for (uint32_t row = 0; row < MANY; row++)
		places_append(&p, row);
	for (uint32_t row = FROM; row + 1 < MANY; row++) {
		assert_int_equal(places_next(&p, row), row + 1);
		assert_int_equal(places_prev(&p, row + 1), row);
		assert_true(places_is_before(&p, row - FROM, row));
		assert_true(places_is_before(&p, row, row + 1));
	}
	places_move(&p, 5, MANY - 2);
	places_move(&p, MANY - 1, 3);
	assert_int_equal(places_last(&p), 5);
	assert_int_equal(places_next(&p, 3), MANY - 1);
	assert_int_equal(places_next(&p, MANY - 1), 4);
	for (uint32_t row = 0; row < FULL; row++) /* the last id goes to another block */
		if (row != 5)
			places_move(&p, row, 5);
	places_move(&p, MANY - 1, 5);
	assert_int_equal(places_first(&p), FULL);
	assert_int_equal(places_prev(&p, MANY - 2), MANY - 3);
	assert_int_equal(places_next(&p, MANY - 2), 5);
	assert_int_equal(places_next(&p, 5), MANY - 1);
	assert_int_equal(places_next(&p, MANY - 1), FULL - 1);
	assert_int_equal(places_last(&p), 0);
	places_insert(&p, MANY, FROM);
	assert_int_equal(places_next(&p, MANY), FROM + 1);
	places_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_the_plain_array),
		cmocka_unit_test(all_rows_move_away),
		cmocka_unit_test(ranks_notice_what_was_not_told),
		cmocka_unit_test(bisects),
		cmocka_unit_test(names_more_blocks_than_16_bits),
	};

	return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
