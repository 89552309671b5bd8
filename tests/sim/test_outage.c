/* Days on which the API, or a part of it, gives nothing: what is told of it, and how often it is
 * asked meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/scene.h"

static int downs(const struct scene *s)
{
	return scene_count(s, "\"relay.source.down\"", "", "");
}

static int ups(const struct scene *s)
{
	return scene_count(s, "\"relay.source.up\"", "", "");
}

static uint64_t requests(const struct drive *d)
{
	struct sim_counts counts;

	model_counts(drive_model(d), &counts);
	return counts.requests;
}

/* However it fails, and through restarts and reloads, an outage is one event down and one up. */
static void an_outage_is_told_once(void **state)
{
	static const char *const kinds[] = {"500=503", "reset", "html", "401"};
	static const char *const statuses[] = {"503", "null", "200", "401"};

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct scene s = scene_new(200);
		struct drive *d = scene_begin(&s);
		char status[32];
		drive_run(d, 6 * MINUTE_MS);
		assert_int_equal(downs(&s) + ups(&s), 0);
		scene_faults(d, &kinds[i], 1);
		drive_run(d, 5 * MINUTE_MS);
		assert_int_equal(downs(&s), 1);
		drive_restart(d);
		drive_run(d, 5 * MINUTE_MS);
		drive_reload(d, "  since: all\n  full_sweep_every: 11m\n");
		drive_run(d, 5 * MINUTE_MS);
		scene_faults(d, NULL, 0);
		assert_int_equal(ups(&s), 0);
		scene_end(d, 20 * MINUTE_MS);
		snprintf(status, sizeof status, "\"status\":%s,", statuses[i]);
		assert_int_equal(scene_count(&s, "\"relay.source.down\"", status, "\"since\":"), 1);
		assert_int_equal(scene_count(&s, "\"relay.source.up\"", "\"down_ms\":9", ""), 1);
		assert_int_equal(downs(&s) + ups(&s), 2);
		scene_finish(&s);
	}
}

/* The end of one is told also where nobody was there to see it. */
static void the_end_is_told_after_a_restart(void **state)
{
	static const char *const all[] = {"500"};

	(void)state;
	struct scene s = scene_new(200);
	struct drive *d = scene_begin(&s);
	drive_run(d, 3 * MINUTE_MS);
	scene_faults(d, all, 1);
	drive_run(d, 3 * MINUTE_MS);
	assert_int_equal(downs(&s), 1);
	scene_faults(d, NULL, 0);
	drive_restart(d);
	drive_run(d, MINUTE_MS);
	assert_int_equal(ups(&s), 1);
	scene_end(d, 20 * MINUTE_MS);
	assert_int_equal(downs(&s) + ups(&s), 2);
	scene_finish(&s);
}

/* While the key is dead it is tried once a minute, and no more. */
static void a_dead_key_is_tried_once_a_minute(void **state)
{
	static const char *const all[] = {"401"};

	(void)state;
	struct scene s = scene_new(200);
	struct drive *d = scene_begin(&s);
	drive_run(d, 6 * MINUTE_MS);
	scene_faults(d, all, 1);
	drive_run(d, MINUTE_MS);
	uint64_t before = requests(d);
	drive_run(d, 20 * MINUTE_MS);
	assert_in_range(requests(d) - before, 19, 21);
	assert_int_equal(scene_count(&s, "relay.source.down", "the API key is refused", ""), 1);
	scene_finish(&s);
}

/* A part that fails for good, whatever part it is, is no outage, and the rest goes on. */
static void a_part_is_no_outage(void **state)
{
	static const char *const parts[] = {
		"401,on=recipients",
		"401,on=broadcasts",
		"500,on=recipients",
		"500,on=broadcasts",
		"500,on=recipients,broadcast=bc_2",
	};

	(void)state;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		struct scene s = scene_new(200);
		struct drive *d = scene_begin(&s);
		drive_run(d, 4 * MINUTE_MS);
		scene_faults(d, &parts[i], 1);
		drive_run(d, 60 * MINUTE_MS);
		assert_int_equal(downs(&s) + ups(&s), 0);
		assert_in_range(drive_peak_requests(d), 1, 450);
		scene_faults(d, NULL, 0);
		scene_end(d, 20 * MINUTE_MS);
		scene_finish(&s);
	}
}

/* relay.* events go where the rules say, like any other. */
static void rules_match_what_is_told(void **state)
{
	static const char *const all[] = {"500"};

	(void)state;
	struct scene s = scene_new(50);
	s.o.rest = "destinations:\n  file: { stdout: { path: events.ndjson } }\n"
		   "rules:\n  - { name: own, when: { type: [{ prefix: relay.source. }] }, to: "
		   "[file] }\n";
	struct drive *d = scene_begin(&s);
	drive_run(d, 6 * MINUTE_MS);
	scene_faults(d, all, 1);
	drive_run(d, 6 * MINUTE_MS);
	scene_faults(d, NULL, 0);
	drive_run(d, 6 * MINUTE_MS);
	assert_int_equal(downs(&s), 1);
	assert_int_equal(ups(&s), 1);
	assert_int_equal(scene_count(&s, "\"specversion\"", "", ""), 2);
	assert_int_equal(scene_count(&s, "\"source\":\"urn:uuid:", "", ""), 2);
	assert_int_equal(scene_count(&s, "\"partitionkey\":\"relay.source\"", "", ""), 2);
	scene_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_outage_is_told_once),
		cmocka_unit_test(the_end_is_told_after_a_restart),
		cmocka_unit_test(a_dead_key_is_tried_once_a_minute),
		cmocka_unit_test(a_part_is_no_outage),
		cmocka_unit_test(rules_match_what_is_told),
	};
	return cmocka_run_group_tests_name("outage", tests, NULL, NULL);
}
