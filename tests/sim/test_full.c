/* A journal that comes to its ceiling while a receiver takes nothing: polling pauses first, and
 * only a destination that wants it so loses the oldest of what it is owed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/sim/outside.h"

#define RECIPIENTS 2500 /* some 20 MB of events; the ceiling is the least there is */

static bool is_full(void *arg)
{
	return outside_relay(arg)->full;
}

static bool has_dropped(void *arg)
{
	return relay_known(outside_relay(arg), "crm")->ndropped > 0;
}

static void begin(struct outside *o, const char *options)
{
	outside_new(o, RECIPIENTS, ANSWER_BUSY, options, "");
	o->s.o.journal = ", max_size: 10MB";
	outside_begin(o);
	assert_true(drive_run_until(o->s.d, 120 * MINUTE_MS, is_full, o));
}

static void polling_pauses_and_nothing_is_lost(void **state)
{
	struct outside o;

	(void)state;
	begin(&o, "retry: [0s, 5s, 5s, 5s, 5s, 5s, 5s, 5s, 5s, 5s, 24h], ");
	drive_run(o.s.d, 20 * MINUTE_MS);
	assert_true(is_full(&o));
	assert_false(has_dropped(&o));
	http_receiver_answer(o.receiver, ANSWER_OK);
	for (int i = 0; i < 200; i++) { /* it is probed, then takes all there is; polling goes on */
		drive_run(o.s.d, MINUTE_MS);
		drive_drain(o.s.d);
	}
	scene_end(o.s.d, 60 * MINUTE_MS);
	outside_rest(&o);
	assert_false(is_full(&o));
	assert_false(has_dropped(&o));
	assert_int_equal(scene_count(&o.s, "\"relay.dropped\"", "", ""), 0);
	outside_finish(&o);
}

/* What a verdict or two make room for is full again at once; that is no news. */
static void the_log_says_so_once_until_it_is_over(void **state)
{
	struct outside o;

	(void)state;
	begin(&o, "retry: [0s, 24h], ");
	struct relay *r = outside_relay(&o);
	int64_t said_ms = r->full_log_ms;
	assert_true(said_ms > 0);
	for (int i = 0; i < 10; i++) {
		assert_true(relay_note_room(r));
		assert_true(r->room_since_ms > 0);
		assert_true(drive_run_until(o.s.d, MINUTE_MS, is_full, &o));
		assert_int_equal(r->room_since_ms, 0);
		assert_int_equal(r->full_log_ms, said_ms);
	}
	drive_run(o.s.d, 11 * MINUTE_MS);
	assert_true(r->full_log_ms > said_ms); /* a reminder */
	http_receiver_answer(o.receiver, ANSWER_OK);
	scene_end(o.s.d, 60 * MINUTE_MS);
	outside_rest(&o);
	drive_run(o.s.d, 3 * MINUTE_MS);
	assert_false(is_full(&o));
	assert_int_equal(r->full_log_ms, 0);
	outside_finish(&o);
}

static void the_oldest_is_dropped_where_that_is_wanted(void **state)
{
	struct outside o;

	(void)state;
	begin(&o, "when_full: drop_oldest, retry: [0s, 24h], ");
	assert_false(has_dropped(&o));
	assert_true(outside_relay(&o)->full_until_ms > 0); /* polling pauses */
	assert_false(drive_run_until(o.s.d, 4000, has_dropped, &o));
	assert_true(drive_run_until(o.s.d, MINUTE_MS, has_dropped, &o));
	drive_run(o.s.d, 120 * MINUTE_MS);
	size_t refused = outside_calls(&o, "\"recipient.", "");
	http_receiver_answer(o.receiver, ANSWER_OK);
	scene_end(o.s.d, 60 * MINUTE_MS); /* the other destination has everything */
	outside_rest(&o);
	assert_false(is_full(&o));
	size_t sent = outside_calls(&o, "\"recipient.", "") - refused;
	size_t all = (size_t)scene_count(&o.s, "\"recipient.", "\"specversion\"", "");
	size_t dropped = relay_known(outside_relay(&o), "crm")->ndropped;
	assert_true(sent > 0 && dropped > 0);
	assert_true(sent + dropped >= all); /* each was sent or is counted */
	assert_true(scene_count(&o.s, "\"relay.dropped\"", "\"reason\":\"when_full\"", "evt_") > 0);
	outside_finish(&o);
}

/* What nobody is owed goes, wherever the cursor of one stands to whom no route leads. Whether the
 * journal gets full on the way depends on how quick housekeeping is; that most of what there was
 * has gone does not. */
static void who_is_owed_nothing_holds_nobody_up(void **state)
{
	struct outside o;

	(void)state;
	outside_new(&o, 3 * RECIPIENTS, ANSWER_OK, "enabled: false, ", "when: { type: [x] }, ");
	o.s.o.journal = ", max_size: 10MB";
	outside_begin(&o);
	drive_run(o.s.d, 180 * MINUTE_MS);
	scene_end(o.s.d, 60 * MINUTE_MS);
	assert_false(is_full(&o));
	assert_false(has_dropped(&o));
	const struct journal *j = outside_relay(&o)->journal;
	assert_true(journal_oldest(j) > journal_latest(j) / 2);
	outside_finish(&o);
}

/* Nor does it hide who is: pieces are dropped of the one that may lose them, though the cursor of
 * another stands behind all. */
static void who_is_owed_nothing_hides_nobody(void **state)
{
	static const char first[] = "destinations:\n";
	struct outside o;
	char *rest;

	(void)state;
	outside_new(&o, RECIPIENTS, ANSWER_BUSY, "when_full: drop_oldest, retry: [0s, 24h], ", "");
	rest = xasprintf("%s  idle: { enabled: false, stdout: { path: idle.ndjson } }\n%s", first,
			 o.rest + strlen(first));
	free(o.rest);
	o.s.o.rest = o.rest = rest;
	o.s.o.journal = ", max_size: 10MB";
	outside_begin(&o);
	assert_true(drive_run_until(o.s.d, 120 * MINUTE_MS, is_full, &o));
	assert_true(outside_status(&o, "idle").position < outside_status(&o, "crm").position);
	assert_true(drive_run_until(o.s.d, 10 * MINUTE_MS, has_dropped, &o));
	http_receiver_answer(o.receiver, ANSWER_OK);
	scene_end(o.s.d, 60 * MINUTE_MS);
	outside_rest(&o);
	outside_finish(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(polling_pauses_and_nothing_is_lost),
		cmocka_unit_test(the_log_says_so_once_until_it_is_over),
		cmocka_unit_test(the_oldest_is_dropped_where_that_is_wanted),
		cmocka_unit_test(who_is_owed_nothing_holds_nobody_up),
		cmocka_unit_test(who_is_owed_nothing_hides_nobody),
	};
	return cmocka_run_group_tests_name("full", tests, NULL, NULL);
}
