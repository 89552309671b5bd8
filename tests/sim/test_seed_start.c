/*
 * A relay that starts from a seed, a right or a wrong one: it knows at once what the right one
 * says, and neither costs an event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/relay_state.h"
#include "relay/source/seed.h"
#include "tests/sim/scene.h"

static void write_seed(const struct scene *s, const char *base_url, const struct seed *seed)
{
	char *path = xasprintf("%s/relay.db.probe.json", s->dir);
	struct buf text = BUF_INIT(4096);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	seed_write(&text, seed, base_url, 0);
	assert_int_equal(fwrite(text.data, 1, text.len, f), text.len);
	assert_int_equal(fclose(f), 0);
	buf_release(&text);
	free(path);
}

static bool follows(void *arg)
{
	const struct scene *s = arg;

	return scene_followed(s->d) > 0;
}

/* What is known of the first broadcast as soon as it is followed. */
static void knows(const char *base_url, const char *order)
{
	struct scene s = scene_new(300);
	struct broadcast_report report;
	const struct seed seed = {
		.order = SORT_UPDATED, .newest_first = true, .counters = COUNTERS_BEHIND};

	write_seed(&s, base_url, &seed);
	struct drive *d = scene_begin(&s);
	assert_true(drive_run_until(d, MINUTE_MS, follows, &s));
	assert_true(source_report(drive_relay(d)->source, 0, &report));
	assert_string_equal(report.order, order);
	scene_finish(&s);
}

static void test_it_knows_at_once(void **state)
{
	(void)state;
	knows("http://127.0.0.1:1", "updated_at, newest first");
	knows("http://127.0.0.1:2", "not known yet");
}

static void test_a_wrong_seed_costs_no_event(void **state)
{
	(void)state;
	for (int order = SIM_ORDER_NONE; order <= SIM_ORDER_UPDATED_OLDEST; order++) {
		for (unsigned said = SORT_UPDATED; said <= SORT_NONE;
		     said += SORT_NONE - SORT_UPDATED) {
			struct scene s = scene_new(250);
			const struct seed seed = {.order = said,
						  .newest_first = order % 2,
						  .counters = COUNTERS_BEHIND,
						  .take = 37};
			s.o.model.order = (enum sim_order)order;
			write_seed(&s, "http://127.0.0.1:1", &seed);
			struct drive *d = scene_begin(&s);
			drive_run(d, 12 * MINUTE_MS);
			scene_end(d, 25 * MINUTE_MS);
			scene_finish(&s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_knows_at_once),
		cmocka_unit_test(test_a_wrong_seed_costs_no_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
