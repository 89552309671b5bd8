/* store_past — events after the fact: looked for within limits, routed late, and destinations that
 * nobody wants any more. */
#include "tests/suite/store_world.h"

#include <stdio.h>

#include "relay/base/mem.h"

static void expect_picks(struct world *w, const struct pick_query *q, const char *expected)
{
	struct buf text = BUF_INIT(1000);
	struct picks found = {0};

	PASS(w, w->store->type->picks(w->store, q, &found, &w->err));
	for (size_t i = 0; i < found.n; i++)
		buf_addf(&text, "%u/%lld ", found.v[i].destination, (long long)found.v[i].sequence);
	buf_addf(&text, "to %u/%lld%s", found.scanned_destination, (long long)found.scanned,
		 found.more ? " more" : "");
	assert_string_equal(text.data, expected);
	buf_release(&text);
	picks_release(&found);
}

/* Twelve events; the odd ones to destination 1, every third to 2; of 1 the first five are parked
 * but for 3, which is tried again. */
static void fill(struct world *w)
{
	struct batch *b = batch_new();

	fixture_destination(b, 1, DESTINATION_ENABLED);
	fixture_destination(b, 2, DESTINATION_DETACHED);
	for (int i = 1; i <= 12; i++) {
		fixture_event(b, i % 2 ? "recipient.sent" : "recipient.failed", "r", i * 5000, 0);
		if (i % 2)
			fixture_route(b, 1, false);
		if (i % 3 == 0)
			fixture_route(b, 2, false);
	}
	struct settle *s = fixture_settle(b, 1, 9);
	for (int i = 1; i <= 9; i += 2)
		fixture_exception(s, i, i == 3 ? EXCEPTION_RETRY : EXCEPTION_PARKED);
	world_commit(w, b, NULL);
}

static void picks_keep_to_their_limits(void **state)
{
	struct world *w = *state;
	static const int64_t listed[] = {3, 5, 6, 99};
	const struct {
		struct pick_query q;
		const char *expected;
	} cases[] = {
		{{.parked = true, .limit = 9}, "1/1 1/5 1/7 1/9 to 1/9"},
		{{.limit = 99}, "1/1 1/3 1/5 1/7 1/9 1/11 2/3 2/6 2/9 2/12 to 2/12"},
		{{.parked = true, .limit = 2}, "1/1 1/5 to 1/5 more"},
		{{.parked = true, .limit = 4}, "1/1 1/5 1/7 1/9 to 1/9"},
		{{.parked = true, .limit = 9, .scan_limit = 2}, "1/1 to 1/3 more"},
		{{.limit = 9, .scan_limit = 1, .type = "recipient.failed"}, "to 1/1 more"},
		{{.limit = 9, .type = "recipient.failed"}, "2/6 2/12 to 2/12"},
		{{.limit = 2, .after_destination = 1, .after = 9}, "1/11 2/3 to 2/3 more"},
		{{.limit = 9, .destination = 1, .after = 5}, "1/7 1/9 1/11 to 1/11"},
		{{.limit = 9, .destination = 2, .after_destination = 1, .after = 5, .last = 6},
		 "2/3 2/6 to 2/6"},
		{{.limit = 9, .destination = 1, .after_destination = 2}, "to 2/0"},
		{{.limit = 9, .destination = 3}, "to 0/0"},
		{{.limit = 9, .sequences = listed, .nsequences = 4}, "1/3 1/5 2/3 2/6 to 2/6"},
		{{.limit = 9, .parked = true, .sequences = listed, .nsequences = 4}, "1/5 to 2/6"},
		{{.limit = 3, .sequences = listed, .nsequences = 4}, "1/3 1/5 2/3 to 2/3 more"},
		{{.limit = 9, .parked = true, .why = "503"}, "1/1 1/5 1/7 1/9 to 1/9"},
		{{.limit = 9, .parked = true, .why = "504"}, "to 1/9"},
	};

	fill(w);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_picks(w, &cases[i].q, cases[i].expected);
}

static void late_routes_stand_beside_the_others(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new();
	struct event_fates f;

	fill(w);
	assert_true(batch_is_empty(b));
	*batch_late(b) = (struct late_route){4, 1, 2};
	assert_false(batch_is_empty(b));
	*batch_late(b) = (struct late_route){5, 1, 2};	/* there already: by its own rule */
	*batch_late(b) = (struct late_route){13, 1, 2}; /* no such event */
	world_commit(w, b, NULL);
	struct delivery_routes r =
		world_routes(w, &(struct route_query){.destination = 1, .after = 3, .limit = 99});
	assert_int_equal(r.n, 5);
	assert_int_equal(r.v[0].event.sequence, 4);
	assert_null(r.v[0].event.topic);
	assert_int_equal(r.v[0].prevsequence, 0);
	assert_int_equal(r.v[0].rule, 2);
	assert_int_equal(r.v[1].rule, 1);
	delivery_routes_release(&r);
	world_commit(w, world_events(1), NULL); /* 13 has no route to 1 but its own */
	PASS(w, w->store->type->fates(w->store, 4, &f, &w->err));
	assert_int_equal(f.n, 1);
	event_fates_release(&f);
}

static void a_time_tells_what_is_older(void **state)
{
	struct world *w = *state;
	int64_t sequence = -1, recorded = 1763805600000 + 1000;

	PASS(w, w->store->type->recorded_before(w->store, recorded, &sequence, &w->err));
	assert_int_equal(sequence, 0);
	fill(w);
	for (int i = 1; i <= 12; i++) {
		PASS(w, w->store->type->recorded_before(w->store, recorded + i * 5000, &sequence,
							&w->err));
		assert_int_equal(sequence, i - 1);
	}
	PASS(w, w->store->type->recorded_before(w->store, recorded + 99000, &sequence, &w->err));
	assert_int_equal(sequence, 12);
}

/* ---- dropped destinations */

static void drop(struct world *w, uint32_t number)
{
	struct batch *b = batch_new();

	fixture_destination(b, number, DESTINATION_DROPPED);
	world_commit(w, b, NULL);
}

static size_t fates_of(struct world *w, int64_t sequence)
{
	struct event_fates f;

	PASS(w, w->store->type->fates(w->store, sequence, &f, &w->err));
	size_t n = f.n;
	event_fates_release(&f);
	return n;
}

/* Of destination 1, which fill() made, nothing shows any more; of 2 all does. */
static void expect_dropped(struct world *w)
{
	struct owed_query owed = {.destination = 1, .until = 99};
	struct store_head h;
	struct decisions d;
	struct owed o;

	PASS(w, w->store->type->head(w->store, &h, &w->err));
	assert_int_equal(h.ndestinations, 1);
	assert_int_equal(h.destinations[0].number, 2);
	assert_int_equal(h.nexceptions, 0);
	assert_int_equal(h.destinations_given, 2);
	store_head_release(&h);
	expect_picks(w, &(struct pick_query){.limit = 9}, "2/3 2/6 2/9 2/12 to 2/12");
	expect_picks(w, &(struct pick_query){.limit = 9, .destination = 1}, "to 0/0");
	PASS(w, w->store->type->owed(w->store, &owed, &o, &w->err));
	assert_int_equal(o.n + (int64_t)o.nids, 0);
	assert_int_equal(fates_of(w, 9), 1);
	assert_int_equal(fates_of(w, 1), 0);
	PASS(w, w->store->type->decisions(w->store, 1, 12, &d, &w->err));
	assert_int_equal(d.n, 4);
	decisions_release(&d);
}

static void a_dropped_destination_is_out_of_sight(void **state)
{
	struct world *w = *state;

	fill(w);
	assert_int_equal(fates_of(w, 9), 2);
	drop(w, 1);
	expect_dropped(w);
	world_reopen(w);
	expect_dropped(w);
	for (int i = 0; i < 9; i++)
		world_tidy(w, 0);
	expect_dropped(w);
	world_reopen(w);
	expect_dropped(w);
	struct delivery_routes r =
		world_routes(w, &(struct route_query){.destination = 1, .limit = 99});
	assert_int_equal(r.n, 0);
	delivery_routes_release(&r);
}

/* Whatever was under way when it was dropped. */
static void nothing_is_kept_for_a_dropped_destination(void **state)
{
	struct world *w = *state;

	fill(w);
	drop(w, 1);
	for (int round = 0; round < 2; round++) {
		struct batch *b = batch_new();

		*batch_late(b) = (struct late_route){2, 1, 2};
		fixture_exception(fixture_settle(b, 1, 12), 2, EXCEPTION_RETRY);
		fixture_destination(b, 1, DESTINATION_ENABLED);
		world_commit(w, world_events(1), b, NULL); /* routed to 1 */
		for (int i = 0; i < 9; i++)
			world_tidy(w, 0);
		expect_dropped(w);
		struct delivery_routes r =
			world_routes(w, &(struct route_query){.destination = 1, .limit = 99});
		assert_int_equal(r.n, 0);
		delivery_routes_release(&r);
	}
}

static void numbers_are_not_given_twice(void **state)
{
	struct world *w = *state;
	struct store_head h;

	PASS(w, w->store->type->head(w->store, &h, &w->err));
	assert_int_equal(h.destinations_given, 0);
	store_head_release(&h);
	fill(w);
	drop(w, 2);
	drop(w, 1);
	for (int i = 0; i < 9; i++)
		world_tidy(w, 0);
	world_reopen(w);
	PASS(w, w->store->type->head(w->store, &h, &w->err));
	assert_int_equal(h.ndestinations, 0);
	assert_int_equal(h.destinations_given, 2);
	store_head_release(&h);
}

const struct CMUnitTest store_past[] = {
	cmocka_unit_test(picks_keep_to_their_limits),
	cmocka_unit_test(late_routes_stand_beside_the_others),
	cmocka_unit_test(a_time_tells_what_is_older),
	cmocka_unit_test(a_dropped_destination_is_out_of_sight),
	cmocka_unit_test(nothing_is_kept_for_a_dropped_destination),
	cmocka_unit_test(numbers_are_not_given_twice),
};
const size_t nstore_past = sizeof store_past / sizeof *store_past;
