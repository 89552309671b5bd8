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

/* A broadcast whose rows stand in no order we know. */
struct world {
	struct chase chase;
	struct held *held;
	struct ranks ranks;
	int64_t now_ms;
};

static const struct chase_pace pace = {5000, 300000, 1};

/* The first so many rows have been seen as sent, delivered and opened. */
static void world_open(struct world *w, uint32_t sent, uint32_t delivered, uint32_t opened)
{
	*w = (struct world){.held = held_new(), .now_ms = 1000};
	chase_init(&w->chase, 0);
	sorting_sweep_begins(&w->chase.order);
	for (uint32_t i = 0; i < ROWS; i++) {
		struct held_row row = {.key = {i + 1, i + 1}};
		row.states = (uint64_t)(i < sent) << ASK_SENT |
			     (uint64_t)(i < delivered) << ASK_DELIVERED |
			     (uint64_t)(i < opened) << ASK_OPENED;
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

static void list(struct world *w, int sent, int delivered, int opened)
{
	char text[160];
	struct chase_entry e = {text, true, w->now_ms, w->now_ms};

	snprintf(text, sizeof text,
		 "{\"recipients_count\":%d,\"sent_count\":%d,\"delivered_count\":%d,"
		 "\"opened_count\":%d}",
		 ROWS, sent, delivered, opened);
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
	for (uint32_t row = (o.page - 1) * TAKE_1; n < TAKE_1; n++, row++)
		numbers[n] = row < planes_total(planes, ask_flag(o.ask)) ? row : NO_ROW;
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
	world_open(&w, 1200, 1100, 500);
	list(&w, 2000, 1900, 700);
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
	world_open(&w, 600, 500, 300);
	list(&w, 1200, 1100, 500);
	for (unsigned page = 1; page <= 6; page++)
		assert_int_equal(read_next(&w).page, page);
	list(&w, 2400, 2200, 500); /* as many came before what was read as behind it */
	assert_int_equal(read_next(&w).page, 13);
	world_close(&w);
}

/* A shorter list that shows the same is read instead. */
static void a_shorter_list_shows_the_same(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 3000, 3000, 1000);
	list(&w, 3000, 3000, 1600);
	assert_int_equal(read_next(&w).ask, ASK_OPENED);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_round_goes_on_to_its_end),
		cmocka_unit_test(a_list_grows_under_a_round),
		cmocka_unit_test(a_shorter_list_shows_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
