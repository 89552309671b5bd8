/* Cycles: which list is read round and round where changes come anywhere, and how a round goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/source/chase.h"
#include "relay/source/held.h"

#define ROWS   4000
#define TAKE_1 100

struct rows {
	uint32_t sent, delivered, opened, skipped;
};

/* A broadcast whose rows stand in no order we know. */
struct world {
	struct chase chase;
	struct held *held;
	struct ranks ranks;
	int64_t now_ms;
};

static const struct chase_pace pace = {5000, 300000, 1, 0};

/* The first so many rows have been seen as sent, delivered and opened, the last as skipped. */
static void world_open(struct world *w, struct rows seen)
{
	*w = (struct world){.held = held_new(), .now_ms = 1000};
	chase_init(&w->chase, 0);
	sorting_sweep_begins(&w->chase.order);
	for (uint32_t i = 0; i < ROWS; i++) {
		struct held_row row = {.key = {i + 1, i + 1}};
		row.states = (uint64_t)(i < seen.sent) << ASK_SENT |
			     (uint64_t)(i < seen.delivered) << ASK_DELIVERED |
			     (uint64_t)(i < seen.opened) << ASK_OPENED |
			     (uint64_t)(i >= ROWS - seen.skipped) << ASK_SKIPPED;
		held_add(w->held, &row);
		sorting_sweep_page(&w->chase.order, &i, 1);
	}
	sorting_sweep_ends(&w->chase.order, true, ROWS);
}

static void world_close(struct world *w)
{
	chase_release(&w->chase);
	ranks_release(&w->ranks);
	held_free(w->held);
}

static void list(struct world *w, struct rows counted)
{
	char text[160];
	struct chase_entry e = {text, true, w->now_ms, w->now_ms};

	snprintf(text, sizeof text,
		 "{\"recipients_count\":%d,\"sent_count\":%u,\"delivered_count\":%u,"
		 "\"opened_count\":%u,\"skipped_count\":%u}",
		 ROWS, counted.sent, counted.delivered, counted.opened, counted.skipped);
	counts_ask(&w->chase.counts, held_planes(w->held));
	w->now_ms += 30000;
	chase_listed(&w->chase, &e, held_planes(w->held), w->now_ms);
	w->now_ms += 30000;
}

/* What is read next; its page shows nothing new. */
static struct offer read_next(struct world *w)
{
	const struct planes *planes = held_planes(w->held);
	uint32_t numbers[TAKE_1], n = 0;

	chase_offer(&w->chase, planes, &pace, &w->ranks, w->now_ms);
	struct offer o = w->chase.offer;
	assert_int_equal(o.purpose, FOR_CYCLE);
	chase_plan(&w->chase, &o, planes, w->now_ms);
	uint32_t total = planes_total(planes, ask_flag(o.ask)),
		 first = o.ask == ASK_SKIPPED ? ROWS - total : 0;
	for (uint32_t row = (o.page - 1) * TAKE_1; n < TAKE_1; n++, row++)
		numbers[n] = row < total ? first + row : NO_ROW;
	w->now_ms += 1000;
	chase_read(&w->chase, &o,
		   &(struct chase_page){.numbers = numbers,
					.n = n,
					.rows = n,
					.count = counts_total(&w->chase.counts, o.ask, planes),
					.asked_mono_ms = w->now_ms},
		   planes, &pace, w->now_ms);
	return o;
}

/* Sent, delivered and opened are due, and each list shows some of all: one is read to its end. When
 * it brings nothing, another is tried. */
static void a_round_goes_on_to_its_end(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, (struct rows){1200, 1100, 500, 0});
	list(&w, (struct rows){2000, 1900, 700, 0});
	for (unsigned round = 0; round < 2; round++)
		for (unsigned page = 1; page <= 20; page++) {
			struct offer o = read_next(&w);
			assert_int_equal(o.ask, ASK_SENT);
			assert_int_equal(o.page, page);
		}
	assert_int_equal(read_next(&w).ask, ASK_DELIVERED);
	world_close(&w);
}

/* What of a list was read grows with it: the round goes on behind the row, not the page. */
static void a_list_grows_under_a_round(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, (struct rows){600, 500, 300, 0});
	list(&w, (struct rows){1200, 1100, 500, 0});
	for (unsigned page = 1; page <= 6; page++)
		assert_int_equal(read_next(&w).page, page);
	list(&w, (struct rows){2400, 2200, 500,
			       0}); /* as many came before what was read as behind it */
	assert_int_equal(read_next(&w).page, 13);
	world_close(&w);
}

/* A shorter list that shows the same is read instead. */
static void a_shorter_list_shows_the_same(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, (struct rows){3000, 3000, 1000, 0});
	list(&w, (struct rows){3000, 3000, 1600, 0});
	assert_int_equal(read_next(&w).ask, ASK_OPENED);
	world_close(&w);
}

/* Changes that wait in the longer list outweigh more that come to the shorter one. */
static void what_waits_long_goes_first(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, (struct rows){3000, 2990, 480, 0});
	list(&w, (struct rows){3000, 2990, 520, 0});
	assert_int_equal(read_next(&w).ask, ASK_OPENED);
	world_close(&w);

	world_open(&w, (struct rows){3000, 2990, 480, 0});
	list(&w, (struct rows){3030, 2990, 480, 0});
	w.now_ms += 3600000;
	list(&w, (struct rows){3030, 2990, 520, 0});
	assert_int_equal(read_next(&w).ask, ASK_SENT);
	world_close(&w);
}

/* A page of other rows shows fewer changes; it is read when they have waited as long. */
static void a_small_list_of_other_rows_goes_in_turn(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, (struct rows){2000, 1900, 0, 10});
	list(&w, (struct rows){2000, 1900, 0, 20});
	w.now_ms += 30000;
	list(&w, (struct rows){2600, 2500, 0, 20});
	assert_int_equal(read_next(&w).ask, ASK_SKIPPED);
	assert_int_equal(read_next(&w).ask, ASK_SENT);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_round_goes_on_to_its_end),
		cmocka_unit_test(a_list_grows_under_a_round),
		cmocka_unit_test(a_shorter_list_shows_the_same),
		cmocka_unit_test(what_waits_long_goes_first),
		cmocka_unit_test(a_small_list_of_other_rows_goes_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
