/* store_reads — routes, events and fates as destinations and people ask for them. */
#include "tests/suite/store_world.h"

#include <stdio.h>

#include "relay/base/mem.h"

/* Twenty events; the odd ones to destination 1 with topic odd.N, every fifth also to 2. */
static void fill(struct world *w)
{
	struct batch *b = batch_new();
	struct rule_record *rule = batch_rule(b);

	*rule = (struct rule_record){1, xstrdup("everything"), 1};
	for (int i = 1; i <= 20; i++) {
		fixture_event(b, "recipient.sent", "r", i, 100);
		if (i % 2)
			fixture_route(b, 1, true)->topic = xasprintf("odd.%d", i);
		if (i % 5 == 0)
			fixture_route(b, 2, false);
	}
	world_commit(w, b, NULL);
}

struct route_case {
	struct route_query q;
	const char *expected; /* sequences, scanned, "more" */
};

static char *describe(const struct delivery_routes *r)
{
	struct buf text = BUF_INIT(1000);

	for (size_t i = 0; i < r->n; i++)
		buf_addf(&text, "%lld ", (long long)r->v[i].event.sequence);
	buf_addf(&text, "to %lld%s", (long long)r->scanned, r->more ? " more" : "");
	return buf_detach(&text);
}

static void routes_are_found(void **state)
{
	struct world *w = *state;
	static const int64_t picked[] = {3, 4, 5, 9, 19, 99};
	const struct route_case cases[] = {
		{{.destination = 1, .limit = 100}, "1 3 5 7 9 11 13 15 17 19 to 20"},
		{{.destination = 2, .limit = 100}, "5 10 15 20 to 20"},
		{{.destination = 3, .limit = 100}, "to 20"},
		{{.destination = 1, .limit = 100, .after = 13}, "15 17 19 to 20"},
		{{.destination = 1, .limit = 100, .after = 19}, "to 20"},
		{{.destination = 1, .limit = 100, .after = 50}, "to 50"},
		{{.destination = 1, .limit = 3}, "1 3 5 to 5 more"},
		{{.destination = 1, .limit = 10}, "1 3 5 7 9 11 13 15 17 19 to 20"},
		{{.destination = 1, .limit = 100, .scan_limit = 4}, "1 3 5 7 to 7 more"},
		{{.destination = 1, .limit = 100, .scan_limit = 10},
		 "1 3 5 7 9 11 13 15 17 19 to 20"},
		{{.destination = 1, .limit = 100, .topic_prefix = "odd.1"},
		 "1 11 13 15 17 19 to 20"},
		{{.destination = 1, .limit = 100, .topic_prefix = "odd.11"}, "11 to 20"},
		{{.destination = 1, .limit = 100, .topic_prefix = "even"}, "to 20"},
		{{.destination = 2, .limit = 100, .topic_prefix = ""}, "to 20"},
		{{.destination = 1, .limit = 100, .scan_limit = 5, .topic_prefix = "odd.1"},
		 "1 to 9 more"},
		{{.destination = 1, .limit = 2, .topic_prefix = "odd.1"}, "1 11 to 11 more"},
		{{.destination = 1, .limit = 100, .max_bytes = 1}, "1 to 1 more"},
		{{.destination = 1, .limit = 100, .max_bytes = 1600}, "1 3 5 to 5 more"},
		{{.destination = 1, .limit = 100, .sequences = picked, .nsequences = 6},
		 "3 5 9 19 to 99"},
		{{.destination = 1, .limit = 2, .sequences = picked, .nsequences = 6},
		 "3 5 to 5 more"},
	};

	fill(w);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct delivery_routes r = world_routes(w, &cases[i].q);
		char *text = describe(&r);

		assert_string_equal(text, cases[i].expected);
		free(text);
		delivery_routes_release(&r);
	}
}

static void a_route_brings_its_event(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new();

	fill(w);
	struct event *given = fixture_event(b, "recipient.sent", "r", 5, 100);
	struct delivery_routes r =
		world_routes(w, &(struct route_query){.destination = 1, .after = 4, .limit = 1});
	const struct event *got = &r.v[0].event;

	event_number(given, 5);
	assert_string_equal(got->id, given->id);
	assert_string_equal(got->type, given->type);
	assert_string_equal(got->body, given->body);
	assert_int_equal(got->len, given->len);
	assert_int_equal(got->sequence, 5);
	assert_int_equal(got->sequence_at, given->sequence_at);
	assert_int_equal(got->time_ms, given->time_ms);
	assert_int_equal(got->order_key, given->order_key);
	assert_string_equal(got->topic, "odd.5");
	assert_int_equal(r.v[0].rule, 1);
	delivery_routes_release(&r);
	r = world_routes(w, &(struct route_query){.destination = 2, .limit = 1});
	assert_null(r.v[0].event.topic);
	assert_int_equal(r.v[0].prevsequence, 0);
	delivery_routes_release(&r);
	batch_free(b);
}

static void an_untitled_topic_is_the_events_own(void **state)
{
	struct world *w = *state;

	world_commit(w, world_events(1), NULL);
	struct delivery_routes r =
		world_routes(w, &(struct route_query){.destination = 1, .limit = 1});
	assert_string_equal(r.v[0].event.topic, "recipient.sent.twilio.bc_1");
	delivery_routes_release(&r);
}

static void expect_events(struct world *w, const struct event_query *q, const char *expected)
{
	struct buf text = BUF_INIT(1000);
	struct events found = {0};

	PASS(w, w->store->type->events(w->store, q, &found, &w->err));
	for (size_t i = 0; i < found.n; i++)
		buf_addf(&text, "%s%lld", i ? " " : "", (long long)found.v[i].sequence);
	assert_string_equal(text.data, expected);
	buf_release(&text);
	events_release(&found);
}

static void events_are_found(void **state)
{
	struct world *w = *state;
	static const char *const types[] = {"recipient.sent", "recipient.sent_twice",
					    "recipient.failed", "broadcast.added", "recipients.x"};
	struct batch *b = batch_new();
	char third[EVENT_ID_SIZE];

	for (int i = 0; i < 10; i++)
		fixture_event(b, types[i % 5], i % 2 ? "r\"1" : "r2", i, 0);
	memcpy(third, b->events.v[2].id, sizeof third);
	world_commit(w, b, NULL);

	const struct {
		struct event_query q;
		const char *expected;
	} cases[] = {
		{{.limit = 100}, "1 2 3 4 5 6 7 8 9 10"},
		{{.limit = 3}, "1 2 3"},
		{{.limit = 3, .newest_first = true}, "10 9 8"},
		{{.limit = 100, .after = 2, .before = 5}, "3 4"},
		{{.limit = 100, .after = 2, .before = 5, .newest_first = true}, "4 3"},
		{{.limit = 100, .type = "recipient.sent"}, "1 6"},
		{{.limit = 100, .type = "recipient."}, "1 2 3 6 7 8"},
		{{.limit = 100, .type = "recipient"}, ""},
		{{.limit = 100, .type = "nothing."}, ""},
		{{.limit = 100, .id = third}, "3"},
		{{.limit = 100, .id = "evt_00000000000000000000000000000000"}, ""},
		{{.limit = 100, .id = "no id"}, ""},
		{{.limit = 100, .subject = "r2"}, "1 3 5 7 9"},
		{{.limit = 100, .subject = "r\"1", .type = "recipient."}, "2 6 8"},
		{{.limit = 100, .subject = "r"}, ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_events(w, &cases[i].q, cases[i].expected);
}

/* One event a minute, recorded when it is committed; every eleventh second one more. */
static void events_are_found_by_when_they_were_recorded(void **state)
{
	struct world *w = *state;
	struct events found;
	int64_t recorded[121] = {0}, latest = 0;

	for (int i = 0; i < 60; i++) {
		struct batch *b = batch_new();

		for (int k = 0; k < 2; k++) {
			const struct event *ev =
				fixture_event(b, "recipient.sent", "r", i * 60000 + k * 11000, 0);
			recorded[++latest] = event_recorded_ms(ev->body, ev->len);
		}
		world_commit(w, b, NULL);
		world_tidy(w, recorded[latest]);
		if (i == 30)
			world_reopen(w);
	}
	for (int64_t i = 1; i <= latest; i++) {
		struct event_query q = {.recorded_from_ms = recorded[i], .limit = 1000};

		PASS(w, w->store->type->events(w->store, &q, &found, &w->err));
		assert_int_equal(found.n, latest - i + 1);
		assert_int_equal(found.v[0].sequence, i);
		events_release(&found);
	}
	const struct {
		struct event_query q;
		const char *expected;
	} cases[] = {
		{{.recorded_from_ms = recorded[1] - 86400000, .limit = 3}, "1 2 3"},
		{{.recorded_from_ms = recorded[3] + 5000, .limit = 2}, "4 5"},
		{{.recorded_from_ms = recorded[3] + 500, .limit = 1}, "3"}, /* a second */
		{{.recorded_from_ms = recorded[50], .after = 60, .limit = 2}, "61 62"},
		{{.recorded_from_ms = recorded[50], .after = 10, .before = 52, .limit = 9},
		 "50 51"},
		{{.recorded_from_ms = recorded[119], .newest_first = true, .limit = 9}, "120 119"},
		{{.recorded_from_ms = recorded[120] + 5000, .limit = 9}, ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_events(w, &cases[i].q, cases[i].expected);
}

/* As commits overlap, what was recorded within a second may be committed in another order. */
static void disorder_within_a_second_loses_nothing(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new();
	struct events found;
	int64_t recorded[100];

	for (int i = 0; i < 100; i++) {
		const struct event *ev =
			fixture_event(b, "recipient.sent", "r", i * 100 + i % 7 * 130, 0);
		recorded[i] = event_recorded_ms(ev->body, ev->len);
	}
	world_commit(w, b, NULL);
	world_tidy(w, recorded[99]);
	for (int i = 0; i < 100; i++) {
		struct event_query q = {.recorded_from_ms = recorded[i], .limit = 1000};

		PASS(w, w->store->type->events(w->store, &q, &found, &w->err));
		size_t late = 0, all = 0;
		for (size_t k = 0; k < 100; k++)
			all += recorded[k] >= recorded[i];
		for (size_t k = 0; k < found.n; k++)
			late += recorded[found.v[k].sequence - 1] >= recorded[i];
		assert_int_equal(late, all);
		events_release(&found);
	}
}

struct scanned {
	const struct events *expected;
	size_t n;
};

static void compare_scanned(void *arg, const struct event *ev)
{
	struct scanned *s = arg;
	const struct event *expected = &s->expected->v[s->n++];

	assert_true(s->n <= s->expected->n);
	assert_int_equal(ev->sequence, expected->sequence);
	assert_string_equal(ev->type, expected->type);
	assert_int_equal(ev->len, expected->len);
	assert_memory_equal(ev->body, expected->body, ev->len);
	assert_int_equal(ev->time_ms, expected->time_ms);
}

static void a_scan_shows_the_same_events(void **state)
{
	struct world *w = *state;
	static const int64_t ranges[][2] = {{1, 20}, {5, 9}, {20, 99}, {21, INT64_MAX}, {9, 8}};

	fill(w);
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		int64_t first = ranges[i][0], last = ranges[i][1];
		struct event_query q = {
			.after = first - 1, .before = last < 99 ? last + 1 : 0, .limit = 100};
		struct events events;
		struct scanned s = {.expected = &events};

		PASS(w, w->store->type->events(w->store, &q, &events, &w->err));
		PASS(w, w->store->type->scan(w->store, first, last, compare_scanned, &s, &w->err));
		assert_int_equal(s.n, last < first ? 0 : events.n);
		events_release(&events);
	}
}

static void an_event_comes_back_whole(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new();
	struct events found = {0};
	struct event_query q = {.limit = 1};

	fixture_event(b, "broadcast.added", "bc_1", -7,
		      200000); /* over many pages, before 1970+… */
	b->events.v[0].order_key = UINT64_MAX;
	PASS(w, w->store->type->commit(w->store, &b, 1, &w->err));
	PASS(w, w->store->type->events(w->store, &q, &found, &w->err));
	assert_int_equal(found.n, 1);
	assert_string_equal(found.v[0].body, b->events.v[0].body);
	assert_string_equal(found.v[0].id, b->events.v[0].id);
	assert_string_equal(found.v[0].topic, "broadcast.added.twilio.bc_1");
	assert_int_equal(found.v[0].order_key, UINT64_MAX);
	assert_int_equal(found.v[0].time_ms, b->events.v[0].time_ms);
	events_release(&found);
	batch_free(b);
}

static void put_attempt(struct settle *s, int64_t sequence, int64_t at_ms, const char *why)
{
	s->attempts = xrealloc(s->attempts, s->nattempts + 1, sizeof *s->attempts);
	s->attempts[s->nattempts++] = (struct attempt){.destination = s->destination,
						       .sequence = sequence,
						       .at_ms = at_ms,
						       .took_ms = at_ms * 2,
						       .verdict = why ? 1 : 0,
						       .why = xstrdup(why)};
}

static void settle_some(struct world *w)
{
	struct batch *b = batch_new();

	for (uint32_t i = 1; i <= 3; i++) {
		struct destination_record *d = batch_destination(b);

		d->number = i;
		d->name = xasprintf("dest-%u", i);
	}
	struct settle *s = fixture_settle(b, 1, 4);
	s->cursor.done[0] = 1ULL << 4; /* sequence 9 */
	put_attempt(s, 5, 100, "503: first");
	put_attempt(s, 5, 100, "503: second");
	put_attempt(s, 5, 50, "no answer");
	put_attempt(s, 5, 200, NULL);
	fixture_exception(s, 7, EXCEPTION_PARKED);
	world_commit(w, b, NULL);
}

static void fates_tell_what_became_of_an_event(void **state)
{
	struct world *w = *state;
	static const struct {
		int64_t sequence;
		size_t n;
		bool settled, excepted;
		size_t attempts;
	} cases[] = {{1, 1, true, false, 0},  {3, 1, true, false, 0},	{5, 2, false, false, 4},
		     {7, 1, false, true, 0},  {9, 1, true, false, 0},	{11, 1, false, false, 0},
		     {2, 0, false, false, 0}, {999, 0, false, false, 0}};
	struct event_fates f;

	fill(w);
	settle_some(w);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		PASS(w, w->store->type->fates(w->store, cases[i].sequence, &f, &w->err));
		assert_int_equal(f.n, cases[i].n);
		if (f.n) {
			assert_string_equal(f.v[0].destination, "dest-1");
			assert_string_equal(f.v[0].rule, "everything");
			assert_int_equal(f.v[0].settled, cases[i].settled);
			assert_int_equal(f.v[0].excepted, cases[i].excepted);
			assert_int_equal(f.v[0].nattempts, cases[i].attempts);
		}
		event_fates_release(&f);
	}
}

static void fates_list_attempts_by_time(void **state)
{
	struct world *w = *state;
	struct event_fates f;

	fill(w);
	settle_some(w);
	PASS(w, w->store->type->fates(w->store, 5, &f, &w->err));
	assert_string_equal(f.v[0].topic, "odd.5");
	assert_string_equal(f.v[0].attempts[0].why, "no answer");
	assert_string_equal(f.v[0].attempts[1].why, "503: first");
	assert_string_equal(f.v[0].attempts[2].why, "503: second");
	assert_int_equal(f.v[0].attempts[2].took_ms, 200);
	assert_int_equal(f.v[0].attempts[2].verdict, 1);
	assert_null(f.v[0].attempts[3].why);
	assert_string_equal(f.v[1].destination, "dest-2");
	assert_null(f.v[1].topic);
	event_fates_release(&f);
	PASS(w, w->store->type->fates(w->store, 7, &f, &w->err));
	assert_int_equal(f.v[0].exception.state, EXCEPTION_PARKED);
	assert_string_equal(f.v[0].exception.why, "503: try later");
	event_fates_release(&f);
}

static void decisions_are_told_by_sequence(void **state)
{
	struct world *w = *state;
	static const struct {
		int64_t first, last;
		const char *expected;
	} cases[] = {
		{1, 5, "1-1 3-1 5-1 5-2"},
		{4, 5, "5-1 5-2"},
		{6, 6, ""},
		{14, 100, "15-1 15-2 17-1 19-1 20-2"},
		{5, 4, ""},
		{-9, 1, "1-1"},
		{21, INT64_MAX, ""},
	};

	fill(w);
	settle_some(w); /* which names the destinations */
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf text = BUF_INIT(1000);
		struct decisions d;

		PASS(w, w->store->type->decisions(w->store, cases[i].first, cases[i].last, &d,
						  &w->err));
		for (size_t k = 0; k < d.n; k++) {
			buf_addf(&text, "%s%lld-%u", k ? " " : "", (long long)d.v[k].sequence,
				 d.v[k].destination);
			assert_int_equal(d.v[k].rule, 1);
		}
		assert_string_equal(text.data, cases[i].expected);
		decisions_release(&d);
		buf_release(&text);
	}
}

static void a_reading_store_answers_everything(void **state)
{
	struct world *w = *state;
	struct store *reading;
	struct delivery_routes r;
	struct event_fates f;

	fill(w);
	settle_some(w);
	reading = world_reading(w);
	struct route_query q = {.destination = 1, .limit = 100, .topic_prefix = "odd.1"};
	PASS(w, reading->type->routes(reading, &q, &r, &w->err));
	assert_int_equal(r.n, 6);
	delivery_routes_release(&r);
	PASS(w, reading->type->fates(reading, 5, &f, &w->err));
	assert_int_equal(f.n, 2);
	event_fates_release(&f);
	reading->type->close(reading);
}

const struct CMUnitTest store_reads[] = {
	cmocka_unit_test(routes_are_found),
	cmocka_unit_test(a_route_brings_its_event),
	cmocka_unit_test(an_untitled_topic_is_the_events_own),
	cmocka_unit_test(events_are_found),
	cmocka_unit_test(events_are_found_by_when_they_were_recorded),
	cmocka_unit_test(disorder_within_a_second_loses_nothing),
	cmocka_unit_test(decisions_are_told_by_sequence),
	cmocka_unit_test(a_scan_shows_the_same_events),
	cmocka_unit_test(an_event_comes_back_whole),
	cmocka_unit_test(fates_tell_what_became_of_an_event),
	cmocka_unit_test(fates_list_attempts_by_time),
	cmocka_unit_test(a_reading_store_answers_everything),
};
const size_t nstore_reads = sizeof store_reads / sizeof *store_reads;
