/* sorting: the key of a list is learned from votes of neighbours, and learned anew. */
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
#include "relay/source/sorting.h"

#define DAY_MS 86400000
#define T0     INT64_C(1700000000000)

/* How a field runs down a page. */
enum run_of { UP, DOWN, SAME, MIXED, ABSENT };

static int64_t value(enum run_of how, unsigned i, struct prng *random)
{
	switch (how) {
	case UP: return T0 + i * 1000;
	case DOWN: return T0 - (int64_t)i * 1000;
	case SAME: return T0;
	case MIXED: return T0 + (int64_t)(prng_next(random) % DAY_MS);
	default: return DATE_NONE;
	}
}

static void vote(struct sorting *o, enum run_of created, enum run_of updated, enum run_of id,
		 unsigned rows)
{
	struct row *v = xcalloc(rows, sizeof *v);
	char(*ids)[24] = xcalloc(rows, sizeof *ids);
	struct prng random = {(uint64_t)created * 25 + updated * 5 + id};

	for (unsigned i = 0; i < rows; i++) {
		snprintf(ids[i], sizeof *ids, "r%020lld", (long long)value(id, i, &random));
		v[i].id = ids[i];
		v[i].created_ms = value(created, i, &random);
		v[i].updated_ms = value(updated, i, &random);
	}
	sorting_vote(o, v, rows);
	free(ids);
	free(v);
}

static void key_by_votes(void **state)
{
	static const struct {
		enum run_of created, updated, id;
		enum sort_kind kind;
		bool newest_first;
	} cells[] = {
		{DOWN, MIXED, MIXED, SORT_CREATED, true},
		{UP, MIXED, MIXED, SORT_CREATED, false},
		{DOWN, ABSENT, MIXED, SORT_CREATED, true},
		{DOWN, DOWN, MIXED, SORT_CREATED, true}, /* nothing has changed yet */
		{UP, UP, UP, SORT_CREATED, false},
		{MIXED, DOWN, MIXED, SORT_UPDATED, true},
		{MIXED, UP, MIXED, SORT_UPDATED, false},
		{MIXED, DOWN, UP, SORT_UPDATED, true},
		{MIXED, MIXED, UP, SORT_ID, false},
		{MIXED, MIXED, DOWN, SORT_ID, false},
		{SAME, SAME, UP, SORT_ID, false},	  /* all of one date */
		{SAME, SAME, MIXED, SORT_UNKNOWN, false}, /* and none of it tells */
		{ABSENT, ABSENT, MIXED, SORT_UNKNOWN, false},
		{MIXED, MIXED, MIXED, SORT_UNKNOWN, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
		struct sorting o = {0};
		vote(&o, cells[i].created, cells[i].updated, cells[i].id, 100);
		assert_int_equal(sorting_of(&o), cells[i].kind);
		if (cells[i].kind == SORT_CREATED || cells[i].kind == SORT_UPDATED)
			assert_int_equal(sorting_newest_first(&o), cells[i].newest_first);
		assert_int_equal(sorting_is_stable(&o), cells[i].kind != SORT_UPDATED);
		sorting_release(&o);
	}
}

static void few_rows_say_nothing(void **state)
{
	struct sorting o = {0};

	(void)state;
	assert_int_equal(sorting_of(&o), SORT_UNKNOWN);
	assert_true(sorting_is_stable(&o)); /* the search finds out */
	vote(&o, DOWN, MIXED, MIXED, 1);
	vote(&o, DOWN, MIXED, MIXED, 20);
	assert_int_equal(sorting_of(&o), SORT_UNKNOWN);
	vote(&o, DOWN, MIXED, MIXED, 2);
	assert_int_equal(sorting_of(&o), SORT_CREATED);
	sorting_release(&o);
}

/* A row out of place in a thousand is no other order; a tenth of them is. */
static void dissent(void **state)
{
	struct sorting o = {0};

	(void)state;
	for (int i = 0; i < 5; i++)
		vote(&o, DOWN, MIXED, MIXED, 200);
	vote(&o, UP, MIXED, MIXED, 2);
	assert_int_equal(sorting_of(&o), SORT_CREATED);
	vote(&o, UP, MIXED, MIXED, 100);
	assert_int_equal(sorting_of(&o), SORT_UNKNOWN);
	sorting_release(&o);
}

/* The list is sorted anew, after very many pages: votes of the old order fade. */
static void learned_anew(void **state)
{
	static const struct {
		enum run_of created, updated, id;
		enum sort_kind kind;
	} cells[] = {
		{DOWN, MIXED, MIXED, SORT_CREATED}, {MIXED, DOWN, MIXED, SORT_UPDATED},
		{MIXED, MIXED, UP, SORT_ID},	    {UP, MIXED, MIXED, SORT_CREATED},
		{MIXED, UP, MIXED, SORT_UPDATED},   {DOWN, MIXED, UP, SORT_CREATED},
	};
	struct sorting o = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
		for (int page = 0; page < 200; page++)
			vote(&o, cells[i].created, cells[i].updated, cells[i].id, 100);
		assert_int_equal(sorting_of(&o), cells[i].kind);
		if (cells[i].kind != SORT_ID)
			assert_int_equal(sorting_newest_first(&o),
					 cells[i].created == DOWN || cells[i].updated == DOWN);
	}
	sorting_release(&o);
}

static void assumed_until_rows_tell(void **state)
{
	struct sorting o = {.assumed = SORT_UPDATED, .assumed_newest_first = true};

	(void)state;
	assert_int_equal(sorting_of(&o), SORT_UPDATED);
	assert_true(sorting_newest_first(&o));
	assert_false(sorting_is_stable(&o));
	vote(&o, UP, UP, MIXED, 100); /* updated_at is created_at still */
	assert_int_equal(sorting_of(&o), SORT_UPDATED);
	assert_false(sorting_newest_first(&o));
	vote(&o, UP, MIXED, MIXED, 100);
	assert_int_equal(sorting_of(&o), SORT_CREATED);
	sorting_release(&o);
	o = (struct sorting){.assumed = SORT_CREATED, .assumed_newest_first = true};
	assert_int_equal(sorting_of(&o), SORT_CREATED);
	vote(&o, MIXED, MIXED, MIXED, 100);
	assert_int_equal(sorting_of(&o), SORT_UNKNOWN);
	sorting_release(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_by_votes),
		cmocka_unit_test(few_rows_say_nothing),
		cmocka_unit_test(dissent),
		cmocka_unit_test(learned_anew),
		cmocka_unit_test(assumed_until_rows_tell),
	};

	return cmocka_run_group_tests_name("sorting votes", tests, NULL, NULL);
}
