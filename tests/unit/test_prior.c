/* prior: the busy end is learned from finds, changed when they move, and finds are expected where
 * they came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/base/random.h"
#include "relay/source/prior.h"

#define PAGES 1000

static void assert_near(double x, double y)
{
	assert_true(x > y - 1e-6 && x < y + 1e-6);
}

/* Less what is lost to pages that were never read. */
static bool is_20(double finds)
{
	return finds > 19 && finds <= 20;
}

static void learn(struct prior *p, unsigned page, double found, int times)
{
	while (times--)
		prior_learn(p, page, PAGES, found);
}

static void knows_nothing(void **state)
{
	struct prior p;

	(void)state;
	prior_init(&p);
	assert_true(prior_is_front(&p));
	assert_int_equal(prior_best(&p, PAGES), 1);
	assert_true(prior_at(&p, 1, PAGES) > 0); /* what was never seen may come */
	assert_near(prior_at(&p, 1, PAGES), prior_at(&p, PAGES, PAGES));
	assert_near(prior_within(&p, 10, PAGES), 10 * prior_at(&p, 1, PAGES));
}

static void busy_end(void **state)
{
	static const struct {
		unsigned page;
		double found;
		bool front;
	} cells[] = {
		{1, 5, true},	  {PAGES, 5, false},	{PAGES - 3, 5, false}, {3, 5, true},
		{PAGES, 0, true}, {PAGES / 2, 5, true}, {PAGES, 1000, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
		struct prior p;
		prior_init(&p);
		learn(&p, cells[i].page, cells[i].found, 100);
		assert_int_equal(prior_is_front(&p), cells[i].front);
		assert_int_equal(prior_best(&p, PAGES), cells[i].front ? 1 : PAGES);
	}
}

/* The middle says nothing: the end that was busy stays so; the other one takes over. */
static void the_busy_end_changes(void **state)
{
	struct prior p;

	(void)state;
	prior_init(&p);
	learn(&p, PAGES, 5, 100);
	assert_false(prior_is_front(&p));
	learn(&p, PAGES / 2, 5, 100);
	assert_false(prior_is_front(&p));
	learn(&p, 1, 5, 100);
	assert_true(prior_is_front(&p));
}

/* One page does not turn it over, however much it brings. */
static void one_page_is_no_end(void **state)
{
	struct prior p;

	(void)state;
	prior_init(&p);
	learn(&p, PAGES, 1e6, 1);
	assert_true(prior_is_front(&p));
}

static void pages_that_are_none(void **state)
{
	struct prior p, before;

	(void)state;
	prior_init(&p);
	before = p;
	prior_learn(&p, 0, 10, 5);
	prior_learn(&p, 11, 10, 5);
	prior_learn(&p, 1, 0, 5);
	assert_memory_equal(&p, &before, sizeof p);
	for (int i = 0; i < 100; i++) { /* two pages have no ends */
		prior_learn(&p, 2, 2, 5);
		prior_learn(&p, 1, 1, 5);
	}
	assert_true(prior_is_front(&p));
	learn(&p, PAGES, 5, 100);
	assert_false(prior_is_front(&p));	    /* and spoil nothing */
	prior_learn(&p, UINT32_MAX, UINT32_MAX, 5); /* far beyond the last bin */
	assert_true(prior_at(&p, UINT32_MAX, UINT32_MAX) > 0);
}

/* What is expected of a page comes near what pages at its distance brought, lately. */
static void expects_what_came(void **state)
{
	struct prior p;

	(void)state;
	prior_init(&p);
	learn(&p, 1, 20, 500);
	learn(&p, 100, 0, 500);
	assert_true(is_20(prior_at(&p, 1, PAGES)));
	assert_true(prior_at(&p, 100, PAGES) < 0.01);
	learn(&p, 1, 0, 40);
	assert_true(prior_at(&p, 1, PAGES) < 10);
	learn(&p, 1, 0, 400);
	assert_true(prior_at(&p, 1, PAGES) < 0.1);
}

static void from_the_back(void **state)
{
	struct prior p;

	(void)state;
	prior_init(&p);
	learn(&p, PAGES, 20, 500);
	assert_true(is_20(prior_at(&p, PAGES, PAGES)));
	assert_true(is_20(prior_at(&p, 77, 77))); /* by its distance: of any list */
	assert_true(prior_at(&p, 1, PAGES) < 1);
	assert_true(prior_within(&p, PAGES / 2, PAGES) < prior_within(&p, PAGES, PAGES) / 2);
}

static void is_sharp_where_finds_are_near_an_end(void **state)
{
	struct prior p;

	(void)state;
	prior_init(&p);
	assert_true(prior_is_sharp(&p, 3));
	assert_false(prior_is_sharp(&p, PAGES));
	learn(&p, PAGES / 2, 5, 100);
	assert_false(prior_is_sharp(&p, PAGES));
	prior_init(&p);
	for (unsigned page = 1; page <= PAGES; page *= 2)
		learn(&p, page, page < 8 ? 50 : 0, 500);
	assert_true(prior_is_sharp(&p, PAGES));
}

static void follows_one_that_leans(void **state)
{
	struct prior p, leader;

	(void)state;
	prior_init(&p);
	prior_init(&leader);
	learn(&p, PAGES, 5, 100);
	prior_follow(&p, &leader); /* which knows nothing */
	assert_false(prior_is_front(&p));
	learn(&leader, 1, 5, 100);
	prior_follow(&p, &leader);
	assert_true(prior_is_front(&p));
}

/* prior_within is the sum of prior_at. */
static void within_is_the_sum(void **state)
{
	struct prng random = {5};

	(void)state;
	for (unsigned seed = 0; seed < 50; seed++) {
		struct prior p;
		unsigned pages = 1 + (unsigned)(prng_next(&random) % 3000);
		prior_init(&p);
		for (int i = 0; i < 200; i++) {
			unsigned page = 1 + (unsigned)(prng_next(&random) % pages);
			if (seed % 2)
				page = pages - (page - 1) / 10;
			prior_learn(&p, page, pages, (double)(prng_next(&random) % 30));
		}
		double sum = 0;
		for (unsigned n = 0; n <= pages; n++) {
			sum += n ? prior_at(&p, n, pages) : 0;
			assert_near(prior_within(&p, n, pages), sum);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_nothing),
		cmocka_unit_test(busy_end),
		cmocka_unit_test(the_busy_end_changes),
		cmocka_unit_test(one_page_is_no_end),
		cmocka_unit_test(pages_that_are_none),
		cmocka_unit_test(expects_what_came),
		cmocka_unit_test(from_the_back),
		cmocka_unit_test(is_sharp_where_finds_are_near_an_end),
		cmocka_unit_test(follows_one_that_leans),
		cmocka_unit_test(within_is_the_sum),
	};

	return cmocka_run_group_tests_name("prior", tests, NULL, NULL);
}
