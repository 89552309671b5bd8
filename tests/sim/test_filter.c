/* Parts of campaigns: with source.filter only its rows are told, and none that it does not show is
 * taken for removed, however the filter changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/relay_state.h"
#include "relay/source/planner_parts.h"
#include "tests/sim/scene.h"

#define TWILIO "  since: all\n  full_sweep_every: 10m\n  filter: { integration_id: twilio }\n"
#define GMAIL  "  since: all\n  full_sweep_every: 10m\n  filter: { integration_id: gmail }\n"
#define ALL    "  since: all\n  full_sweep_every: 10m\n"

static struct drive *begin(struct scene *s, const char *source)
{
	s->o.model.channels = "twilio:30,gmail:30,whatsapp_bot:40";
	s->o.source = source;
	return scene_begin(s);
}

static int removed(const struct scene *s)
{
	return scene_count(s, "\"recipient.removed\"", "", "");
}

static int added(const struct scene *s, const char *channel)
{
	return scene_count(s, "\"recipient.added\"", channel, "");
}

/* Who is not asked for is not told; who goes from the set that is, is. */
static void a_channel_alone(void **state)
{
	(void)state;
	struct scene s = scene_new(300);
	struct drive *d = begin(&s, TWILIO);
	drive_run(d, 10 * MINUTE_MS);
	int twilio = added(&s, "\"integration_id\":\"twilio\"");
	assert_in_range(twilio, 50, 250);
	assert_int_equal(added(&s, ""), twilio);
	char *gone = scene_recipient(d, 3, "&integration_id=twilio");
	assert_true(model_change(drive_model(d), "bc_1", gone, SIM_REMOVED, true));
	drive_run(d, 40 * MINUTE_MS);
	assert_int_equal(removed(&s), 1);
	assert_int_equal(scene_count(&s, "\"recipient.removed\"", gone, ""), 1);
	free(gone);
	scene_finish(&s);
}

/* Another filter, by a reload or a restart, makes nobody removed; without one, who is really gone
 * is found. */
static void filters_change(void **state)
{
	(void)state;
	for (int restarts = 0; restarts < 2; restarts++) {
		struct scene s = scene_new(300);
		struct drive *d = begin(&s, TWILIO);
		drive_run(d, 10 * MINUTE_MS);
		drive_reload(d, GMAIL);
		drive_run(d, MINUTE_MS);
		if (restarts)
			drive_restart(d);
		drive_run(d, 60 * MINUTE_MS);
		assert_int_equal(removed(&s), 0);
		assert_in_range(added(&s, "\"integration_id\":\"gmail\""), 50, 250);
		char *gone = scene_recipient(d, 3, "&integration_id=twilio");
		assert_true(model_change(drive_model(d), "bc_1", gone, SIM_REMOVED, true));
		drive_run(d, 60 * MINUTE_MS);
		assert_int_equal(removed(&s), 0);
		drive_reload(d, ALL);
		if (restarts)
			drive_restart(d);
		scene_end(d, 60 * MINUTE_MS);
		assert_int_equal(removed(&s), 1);
		assert_int_equal(scene_count(&s, "\"recipient.removed\"", gone, ""), 1);
		free(gone);
		scene_finish(&s);
	}
}

/* Rows that leave a set named by their state are not gone, and nothing is said to have fallen. */
static void a_state_alone(void **state)
{
	static const char source[] = "  since: all\n  filter: { is_complained: true }\n";

	(void)state;
	struct scene s = scene_new(300);
	struct drive *d = begin(&s, source);
	drive_run(d, 10 * MINUTE_MS);
	char *first = scene_recipient(d, 3, NULL), *second = scene_recipient(d, 9, NULL);
	int before = added(&s, "");
	model_change(drive_model(d), "bc_1", first, SIM_COMPLAINED, true);
	model_change(drive_model(d), "bc_1", second, SIM_COMPLAINED, true);
	model_change(drive_model(d), "bc_1", second, SIM_UNSUBSCRIBED, true);
	drive_run(d, 20 * MINUTE_MS);
	assert_int_equal(added(&s, ""), before + 2);
	assert_int_equal(scene_count(&s, "\"recipient.complained\"", first, ""), 1);
	assert_true(model_change(drive_model(d), "bc_1", first, SIM_COMPLAINED, false));
	assert_true(model_change(drive_model(d), "bc_1", second, SIM_UNSUBSCRIBED, false));
	drive_run(d, 60 * MINUTE_MS);
	assert_int_equal(removed(&s), 0);
	assert_int_equal(scene_count(&s, "\"recipient.reverted\"", "", ""), 0);
	free(first);
	free(second);
	scene_finish(&s);
}

/* A flag that no row shown has is not asked for: the list would be that of the filter, as if the
 * API obeyed none. The others are, and nothing is due of it for ever. */
static void a_state_left_out(void **state)
{
	static const char source[] =
		"  since: all\n  full_sweep_every: 10d\n  filter: { is_failed: false }\n";

	(void)state;
	struct scene s = scene_new(600);
	s.o.source = source;
	struct drive *d = scene_begin(&s);
	drive_run(d, 20 * MINUTE_MS);
	const struct followed *b = source_at(drive_relay(d)->source, 0);
	const struct chase *c = &b->track->chase;
	assert_false(c->ignored);
	assert_true(c->asked_ms[ASK_FAILED] == INT64_MIN);
	assert_true(c->asked_ms[ASK_OPENED] != INT64_MIN);
	assert_in_range(c->counts.v[ASK_FAILED].listed, 1, 600);
	assert_int_equal(counts_due(&c->counts, ASK_FAILED, planes_of(b)), 0);
	assert_in_range(c->counts.v[ASK_FAILED].told_ms, drive_now_ms(d) - MINUTE_MS,
			drive_now_ms(d));
	uint32_t asked = b->track->spent[FOR_FAILURES];
	char *row = scene_recipient(d, 3, "&is_failed=false&is_unsubscribed=false");
	assert_true(model_change(drive_model(d), "bc_1", row, SIM_UNSUBSCRIBED, true));
	drive_run(d, MINUTE_MS);
	assert_int_equal(scene_count(&s, "\"recipient.unsubscribed\"", row, ""), 1);
	assert_true(b->track->spent[FOR_FAILURES] > asked);
	free(row);
	scene_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_channel_alone),
		cmocka_unit_test(filters_change),
		cmocka_unit_test(a_state_alone),
		cmocka_unit_test(a_state_left_out),
	};
	return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
