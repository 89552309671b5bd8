/* planes: every answer is that of a plain array, whatever was set and cleared before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "relay/source/planes.h"

#define FLAGS_ALL ((UINT64_C(1) << FLAGS) - 1)

/* The plain array: a word of flags for each row. */
struct rows {
	uint64_t *v;
	uint32_t n;
	struct planes planes;
	struct prng random;
};

static void rows_open(struct rows *r, uint32_t n, uint64_t seed)
{
	*r = (struct rows){.v = xcalloc(n, sizeof *r->v), .n = n, .random = {seed}};
}

static void rows_close(struct rows *r)
{
	free(r->v);
	planes_release(&r->planes);
}

static void set(struct rows *r, uint32_t row, uint64_t flags)
{
	planes_set(&r->planes, row, r->v[row], flags);
	r->v[row] = flags;
}

static uint32_t below(struct rows *r, uint32_t end)
{
	return (uint32_t)(prng_next(&r->random) % end);
}

static bool has(const struct rows *r, uint32_t row, unsigned flag)
{
	return r->v[row] >> flag & 1;
}

static void assert_counts(const struct rows *r, unsigned flag)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n; i++)
		n += has(r, i, flag);
	assert_int_equal(planes_total(&r->planes, flag), n);
}

static void assert_next(struct rows *r, unsigned flag)
{
	for (int i = 0; i < 300; i++) {
		uint32_t from = below(r, r->n + 600),
			 to = from + below(r, i % 2 ? 100 : r->n + 600);
		uint32_t next = from;
		while (next < to && !(next < r->n && has(r, next, flag)))
			next++;
		assert_int_equal(planes_next(&r->planes, flag, from, to), next);
	}
}

static void assert_both(const struct rows *r, unsigned a, unsigned b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n; i++)
		n += has(r, i, a) && has(r, i, b);
	assert_int_equal(planes_both(&r->planes, a, b), n);
}

static void empty_has_nothing(void **state)
{
	struct planes p = {0};

	(void)state;
	assert_int_equal(planes_total(&p, 3), 0);
	assert_int_equal(planes_next(&p, 3, 10, 20), 20);
	assert_int_equal(planes_both(&p, 3, 4), 0);
	assert_int_equal(planes_bytes(&p), 0);
	planes_release(&p);
}

/* Around the edges of words and blocks, a row alone in its plane. */
static void one_row(void **state)
{
	static const uint32_t rows[] = {0, 1, 62, 63, 64, 65, 511, 512, 513, 1023, 1024, 5000};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct planes p = {0};
		uint32_t row = rows[i];
		planes_set(&p, row, 0, 1u << 2);
		assert_int_equal(planes_next(&p, 2, 0, 9999), row);
		assert_int_equal(planes_next(&p, 2, row, row + 1), row);
		assert_int_equal(planes_next(&p, 2, 0, row), row); /* none before it */
		assert_int_equal(planes_next(&p, 2, row + 1, 9999), 9999);
		planes_set(&p, row, 1u << 2, 0);
		assert_int_equal(planes_total(&p, 2), 0);
		assert_int_equal(planes_next(&p, 2, 0, 9999), 9999);
		planes_release(&p);
	}
}

/* Few rows of some flags, most of others; each set again and again, in random order. */
static void like_a_plain_array(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct rows r;
		rows_open(&r, 1 + (uint32_t)(seed * seed * 7 % 6000), seed);
		for (uint32_t i = 0; i < r.n * 3; i++) {
			uint64_t flags = prng_next(&r.random) & FLAGS_ALL;
			if (seed % 2)
				flags &= prng_next(&r.random) & prng_next(&r.random);
			if (seed % 3 == 0) /* these planes are never made */
				flags &= ~UINT64_C(0xf0);
			set(&r, below(&r, r.n), flags);
		}
		for (unsigned flag = 0; flag < FLAGS; flag += 1 + below(&r, 4)) {
			assert_counts(&r, flag);
			assert_next(&r, flag);
			assert_both(&r, flag, below(&r, FLAGS));
		}
		assert_counts(&r, FLAG_PRESENT);
		rows_close(&r);
	}
}

/* Rows that come later find the counts of planes made long before, and new planes those rows. */
static void grows_behind_what_is_there(void **state)
{
	struct rows r;

	(void)state;
	rows_open(&r, 20000, 9);
	for (uint32_t i = 0; i < r.n; i++) {
		set(&r, i, 1 | (i % 5 == 0 ? 2 : 0) | (i >= 7000 && i % 3 == 0 ? 4 : 0));
		if (i % 997 == 0)
			assert_int_equal(planes_total(&r.planes, 0), i + 1);
	}
	for (unsigned flag = 0; flag < 4; flag++)
		assert_counts(&r, flag);
	rows_close(&r);
}

static void bits_a_row(void **state)
{
	struct planes p = {0};

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		planes_set(&p, i, 0, 1);
	size_t one = planes_bytes(&p);
	assert_in_range(one, 100000 / 8, 100000 * 1.4 / 8); /* 1.06 bits, and room to grow */
	planes_set(&p, 5, 1, 1 | UINT64_C(1) << FLAG_PRESENT);
	assert_int_equal(planes_bytes(&p), 2 * one);
	planes_release(&p);
	assert_int_equal(planes_bytes(&p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_has_nothing),  cmocka_unit_test(one_row),
		cmocka_unit_test(like_a_plain_array), cmocka_unit_test(grows_behind_what_is_there),
		cmocka_unit_test(bits_a_row),
	};

	return cmocka_run_group_tests_name("planes", tests, NULL, NULL);
}
