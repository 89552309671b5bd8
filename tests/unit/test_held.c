/* held: every row is found by its key through all growths, rows never move, and a row costs what
 * the header says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/hash.h"
#include "relay/source/held.h"

static struct hash128 key_of(uint32_t i)
{
	char id[32];
	int len = snprintf(id, sizeof id, "rcp_%08u", i);

	return hash128(id, (size_t)len);
}

static struct held_row row_of(uint32_t i)
{
	return (struct held_row){.key = key_of(i),
				 .identity = i,
				 .error = ~(uint64_t)i,
				 .contact = i * UINT64_C(3),
				 .states = i & 0x1ff,
				 .status = i & 1};
}

static struct held *filled(uint32_t n)
{
	struct held *h = held_new();

	for (uint32_t i = 0; i < n; i++) {
		struct held_row row = row_of(i);
		assert_int_equal(held_add(h, &row), i);
	}
	return h;
}

static void check_rows(struct held *h, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(held_find(h, key_of(i)), i);
		const struct held_row *row = held_at(h, i);
		assert_true(row->identity == i && row->error == (uint32_t)~i);
		assert_true(row->contact == i * UINT64_C(3));
		assert_int_equal(row->states, i & 0x1ff);
		assert_int_equal(row->status, i & 1);
	}
}

static void empty_finds_nothing(void **state)
{
	(void)state;
	struct held *h = held_new();

	assert_int_equal(held_find(h, key_of(1)), HELD_NONE);
	assert_int_equal(held_count(h), 0);
	assert_int_equal(held_live(h), 0);
	held_free(h);
	held_free(NULL);
}

static void found_through_growth(void **state)
{
	(void)state;
	/* Around every chunk's edge and every growth of the index up to 2,048 slots. */
	static const uint32_t sizes[] = {1,   55,  56,	57,  63,   64,	 65,   112,  113,  127,
					 128, 129, 255, 256, 257,  511,	 512,  513,  895,  896,
					 897, 900, 960, 961, 1023, 1024, 1025, 1793, 2047, 2049};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct held *h = filled(sizes[i]);
		assert_int_equal(held_count(h), sizes[i]);
		check_rows(h, sizes[i]);
		for (uint32_t other = sizes[i]; other < sizes[i] + 100; other++)
			assert_int_equal(held_find(h, key_of(other)), HELD_NONE);
		held_free(h);
	}
}

/* Each row is looked up right after each addition, so also while the index is half moved. */
static void found_while_growing(void **state)
{
	(void)state;
	struct held *h = held_new();

	for (uint32_t i = 0; i < 5000; i++) {
		struct held_row row = row_of(i);
		held_add(h, &row);
		for (uint32_t j = i & 63; j <= i; j += 64)
			assert_int_equal(held_find(h, key_of(j)), j);
	}
	held_free(h);
}

static void rows_stay_where_they_are(void **state)
{
	(void)state;
	struct held *h = filled(1);
	struct held_row *first = held_at(h, 0);

	for (uint32_t i = 1; i < 10000; i++) {
		struct held_row row = row_of(i);
		held_add(h, &row);
	}
	assert_ptr_equal(held_at(h, 0), first);
	held_free(h);
}

static void same_slot_other_key(void **state)
{
	(void)state;
	struct held *h = held_new();

	for (uint32_t i = 0; i < 200; i++) {
		struct held_row row = {.key = {.low = 7, .high = i}};
		held_add(h, &row);
	}
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(held_find(h, (struct hash128){.low = 7, .high = i}), i);
	assert_int_equal(held_find(h, (struct hash128){.low = 7, .high = 200}), HELD_NONE);
	held_free(h);
}

static void gone_is_counted(void **state)
{
	(void)state;
	struct held *h = filled(10);
	struct held_row buried = row_of(10);

	buried.gone = 1;
	held_add(h, &buried);
	assert_int_equal(held_live(h), 10);
	held_set_gone(h, 3, true);
	held_set_gone(h, 3, true);
	assert_int_equal(held_live(h), 9);
	assert_true(held_at(h, 3)->gone);
	assert_int_equal(held_find(h, key_of(3)), 3);
	held_set_gone(h, 3, false);
	held_set_gone(h, 10, false);
	assert_int_equal(held_live(h), 11);
	assert_int_equal(held_count(h), 11);
	held_free(h);
}

static void fields_do_not_touch_each_other(void **state)
{
	(void)state;
	struct held *h = filled(1);
	struct held_row *row = held_at(h, 0);

	row->states = (UINT64_C(1) << 41) - 1;
	row->status = 127;
	row->sweep = 8191;
	assert_int_equal(row->missed, 0);
	assert_int_equal(row->gone, 0);
	row->missed = 3;
	assert_true(row->states == (UINT64_C(1) << 41) - 1);
	assert_int_equal(row->status, 127);
	assert_int_equal(row->sweep, 8191);
	held_free(h);
}

static void bytes_a_row(void **state)
{
	(void)state;
	static const uint32_t sizes[] = {100000, 1000000};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct held *h = filled(sizes[i]);
		double bytes = (double)held_bytes(h) / sizes[i];
		print_message("held: %u rows, %.2f bytes a row\n", sizes[i], bytes);
		assert_true(bytes > 48 && bytes <= 60);
		for (uint32_t j = 0; j < sizes[i]; j += 997)
			assert_int_equal(held_find(h, key_of(j)), j);
		held_free(h);
	}
	struct held *one = filled(1);
	assert_true(held_bytes(one) < 5120);
	held_free(one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_finds_nothing),
		cmocka_unit_test(found_through_growth),
		cmocka_unit_test(found_while_growing),
		cmocka_unit_test(rows_stay_where_they_are),
		cmocka_unit_test(same_slot_other_key),
		cmocka_unit_test(gone_is_counted),
		cmocka_unit_test(fields_do_not_touch_each_other),
		cmocka_unit_test(bytes_a_row),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
