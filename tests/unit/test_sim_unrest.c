/* sim unrest: rows leave, flags fall and rise again, places are swapped, at the rate asked for, by
 * the seed; and the ledger knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sim_client.h"

#define MINUTE 60000LL
#define HOUR   (60 * MINUTE)

static struct model *make(enum sim_order order, struct sim_unrest unrest, int64_t until_ms)
{
	struct sim_broadcast b = {.recipients = 600};
	struct model_options o = sim_options(&b, order);

	o.unrest = unrest;
	o.until_ms = until_ms;
	return sim_make_with(&o);
}

static size_t lines(struct model *m, const char *one, const char *other)
{
	char *ledger = sim_ledger(m);
	size_t n = sim_lines(ledger, one, other);

	free(ledger);
	return n;
}

static void rows_are_removed(void **state)
{
	struct model *m = make(SIM_ORDER_NONE, (struct sim_unrest){.removals = 60}, 0);
	struct sim_rows rows;

	(void)state;
	model_advance(m, SIM_EPOCH + 2 * HOUR);
	size_t removed = lines(m, "recipient.removed", "\"timed\":false");
	assert_in_range(removed, 115, 121);
	sim_rows(m, SIM_EPOCH + 2 * HOUR, "", 100, &rows);
	assert_int_equal(rows.n, 600 - removed);
	assert_int_equal(lines(m, "recipient.added", NULL), 600);
	sim_rows_release(&rows);
	model_free(m);
}

/* Rows, filters and counters go on telling the same story. */
static void assert_rows_agree(struct model *m, int64_t now)
{
	static const char *const names[] = {"skipped",	  "failed",	  "sent",   "delivered",
					    "complained", "unsubscribed", "opened", "played"};
	struct sim_rows rows;
	char filter[64];

	sim_rows(m, now, "", 100, &rows);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		uint64_t n = 0;
		for (size_t k = 0; k < rows.n; k++)
			n += rows.v[k].flags >> sim_what_number(names[i]) & 1;
		snprintf(filter, sizeof filter, "is_%s=true", names[i]);
		assert_int_equal(sim_count(m, now, filter), n);
	}
	sim_rows_release(&rows);
}

static void flags_fall_and_rise(void **state)
{
	struct model *m = make(SIM_ORDER_UPDATED, (struct sim_unrest){.flips = 120}, 0),
		     *quiet = make(SIM_ORDER_UPDATED, (struct sim_unrest){0}, 0);
	int64_t now = SIM_EPOCH + 2 * HOUR;

	(void)state;
	model_advance(m, now);
	model_advance(quiet, now);
	size_t fallen = lines(m, "recipient.reverted", NULL);
	size_t risen = lines(m, "\"timed\":true", NULL) - lines(quiet, "\"timed\":true", NULL);
	assert_in_range(fallen, 220, 241);
	assert_in_range(risen, fallen / 4, fallen * 3 / 4);
	assert_int_equal(lines(m, "recipient.reverted", "processed"), 0);
	assert_int_equal(lines(m, "recipient.processed", NULL), 600);
	assert_rows_agree(m, now);
	model_free(m);
	model_free(quiet);
}

static size_t misplaced(const struct sim_rows *a, const struct sim_rows *b)
{
	size_t n = 0;

	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		assert_non_null(sim_rows_find(b, a->v[i].id));
		n += strcmp(a->v[i].id, b->v[i].id) != 0;
	}
	return n;
}

/* Nothing happened to the rows; a few stand elsewhere. */
static void places_are_swapped(void **state)
{
	(void)state;
	for (enum sim_order order = SIM_ORDER_NONE; order <= SIM_ORDER_UPDATED_OLDEST; order++) {
		struct model *m = make(order, (struct sim_unrest){.swaps = 30}, 0),
			     *quiet = make(order, (struct sim_unrest){0}, 0);
		struct sim_rows a, b;
		int64_t now = SIM_EPOCH + HOUR / 2;
		sim_rows(m, now, "", 100, &a);
		sim_rows(quiet, now, "", 100, &b);
		assert_in_range(misplaced(&a, &b), 1, order >= SIM_ORDER_UPDATED ? 600 : 32);
		assert_rows_agree(m, now);
		assert_int_equal(lines(m, NULL, NULL), lines(quiet, NULL, NULL));
		sim_rows_release(&a);
		sim_rows_release(&b);
		model_free(m);
		model_free(quiet);
	}
}

static const struct sim_unrest all = {.removals = 40, .flips = 100, .swaps = 100};

/* Small steps or one leap: the same ledger and the same page. */
static void the_seed_decides(void **state)
{
	struct model *a = make(SIM_ORDER_UPDATED, all, 0), *b = make(SIM_ORDER_UPDATED, all, 0);
	struct sim_reply x, y;

	(void)state;
	while (model_next_change(a) <= SIM_EPOCH + HOUR)
		model_advance(a, model_next_change(a));
	sim_ask(a, SIM_EPOCH + HOUR, SIM_PATH, NULL, &x);
	sim_ask(b, SIM_EPOCH + HOUR, SIM_PATH, NULL, &y);
	assert_string_equal(x.body.data, y.body.data);
	sim_reply_release(&x);
	sim_reply_release(&y);
	char *one = sim_ledger(a), *other = sim_ledger(b);
	assert_string_equal(one, other);
	free(one);
	free(other);
	model_free(a);
	model_free(b);
}

static void it_ends_with_the_campaign(void **state)
{
	struct model *m = make(SIM_ORDER_NONE, all, 10 * MINUTE);

	(void)state;
	model_advance(m, SIM_EPOCH + 10 * MINUTE);
	assert_true(model_next_change(m) == INT64_MAX);
	assert_in_range(lines(m, "recipient.reverted", NULL), 10, 20);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_removed),	     cmocka_unit_test(flags_fall_and_rise),
		cmocka_unit_test(places_are_swapped),	     cmocka_unit_test(the_seed_decides),
		cmocka_unit_test(it_ends_with_the_campaign),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
