/*
 * Whole campaigns on a virtual clock: whatever the list's order and whatever restarts, the events
 * are those of the ledger, and no minute has more requests than configured.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/base/random.h"
#include "tests/sim/scene.h"

static void owed_is_delivered(void **state)
{
	static const enum sim_order orders[] = {SIM_ORDER_NONE, SIM_ORDER_ID, SIM_ORDER_CREATED,
						SIM_ORDER_UPDATED};
	(void)state;
	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
		struct scene s = scene_new(600);
		s.o.model.order = orders[i];
		struct drive *d = scene_begin(&s);
		drive_run(d, 30 * MINUTE_MS);
		scene_end(d, 20 * MINUTE_MS);
		assert_in_range(drive_peak_requests(d), 1, 450);
		scene_finish(&s);
	}
}

/* An API that names its next pages gives the same. */
static void pages_are_followed_by_their_names(void **state)
{
	(void)state;
	struct scene s = scene_new(600);
	s.o.model.next_tokens = true;
	struct drive *d = scene_begin(&s);
	drive_run(d, 15 * MINUTE_MS);
	scene_end(d, 20 * MINUTE_MS);
	scene_finish(&s);
}

static void restarts_lose_nothing(void **state)
{
	struct prng random = {42};
	(void)state;
	struct scene s = scene_new(400);
	struct drive *d = scene_begin(&s);
	for (int i = 0; i < 25; i++) {
		drive_run(d, (int64_t)(prng_unit(&random) * MINUTE_MS));
		drive_restart(d);
	}
	scene_end(d, 20 * MINUTE_MS);
	assert_in_range(drive_peak_requests(d), 1, 450);
	scene_finish(&s);
}

static void removed_reverted_and_risen_again(void **state)
{
	(void)state;
	struct scene s = scene_new(300);
	struct drive *d = scene_begin(&s);
	drive_run(d, 20 * MINUTE_MS);
	char *gone = scene_recipient(d, 3, NULL), *back = scene_recipient(d, 40, NULL);
	model_change(drive_model(d), "bc_1", back, SIM_COMPLAINED, true);
	drive_run(d, 15 * MINUTE_MS);
	assert_true(model_change(drive_model(d), "bc_1", back, SIM_COMPLAINED, false));
	assert_true(model_change(drive_model(d), "bc_1", gone, SIM_REMOVED, true));
	drive_run(d, 15 * MINUTE_MS);
	assert_true(model_change(drive_model(d), "bc_1", back, SIM_COMPLAINED, true));
	scene_end(d, 60 * MINUTE_MS);
	assert_int_equal(scene_count(&s, "recipient.removed", gone, ""), 1);
	assert_int_equal(scene_count(&s, "recipient.removed", "", ""), 1);
	assert_int_equal(scene_count(&s, "recipient.reverted", back, "complained"), 1);
	assert_int_equal(scene_count(&s, "recipient.complained", back, ""), 2);
	drive_restart(d);
	drive_run(d, 30 * MINUTE_MS);
	assert_int_equal(scene_count(&s, "recipient.removed", "", ""), 1);
	free(gone);
	free(back);
	scene_finish(&s);
}

/* Wherever the relay is ended, nothing is touched that is gone, and nothing is lost. */
static void ended_while_a_page_is_committed(void **state)
{
	(void)state;
	struct scene s = scene_new(300);
	struct drive *d = scene_begin(&s);
	for (int i = 0; i < 10; i++) {
		drive_run(d, 20000);
		drive_cut(d);
	}
	scene_end(d, 10 * MINUTE_MS);
	scene_finish(&s);
}

/* The same while broadcasts that were gone come back: their rows cannot be read any more. */
static void ended_while_a_broadcast_comes_back(void **state)
{
	static const char *const gone[] = {"404,on=recipients", "empty,on=broadcasts"};
	(void)state;
	struct scene s = scene_new(200);
	struct drive *d = scene_begin(&s);
	drive_run(d, 12 * MINUTE_MS);
	scene_faults(d, gone, 2);
	drive_run(d, 30 * MINUTE_MS);
	assert_in_range(scene_count(&s, "broadcast.removed", "", ""), 1, 2);
	scene_faults(d, gone, 0);
	drive_cut(d);
	scene_end(d, 20 * MINUTE_MS);
	scene_finish(&s);
}

/* A 404 is not believed while the list still names the broadcast; one that is really gone is told
 * once, and goes on where it was when it comes back. */
static void gone_is_believed_when_the_list_agrees(void **state)
{
	static const char *const strays[] = {"404,on=recipients"};
	static const char *const gone[] = {"404,on=recipients", "empty,on=broadcasts"};
	(void)state;
	struct scene s = scene_new(200);
	struct drive *d = scene_begin(&s);
	drive_run(d, 12 * MINUTE_MS);
	scene_faults(d, strays, 1);
	drive_run(d, 10 * MINUTE_MS);
	scene_faults(d, strays, 0);
	assert_int_equal(scene_count(&s, "broadcast.removed", "", ""), 0);
	for (int round = 1; round <= 2; round++) {
		scene_faults(d, gone, 2);
		drive_run(d, 30 * MINUTE_MS);
		if (round == 2)
			drive_restart(d);
		scene_faults(d, gone, 0);
		drive_run(d, 20 * MINUTE_MS);
	}
	assert_in_range(scene_count(&s, "broadcast.removed", "", ""), 2, 4);
	scene_end(d, 20 * MINUTE_MS);
	assert_int_equal(scene_count(&s, "recipient.added", "", ""), 300);
	assert_int_equal(scene_count(&s, "broadcast.added", "", ""), 2);
	scene_finish(&s);
}

/* While an API answers with an empty list instead of failing, nobody is removed. */
static void an_empty_answer_removes_nobody(void **state)
{
	static const char *const empty[] = {"empty,on=recipients"};
	(void)state;
	struct scene s = scene_new(200);
	struct drive *d = scene_begin(&s);
	drive_run(d, 12 * MINUTE_MS);
	scene_faults(d, empty, 1);
	drive_run(d, 20 * MINUTE_MS);
	scene_faults(d, empty, 0);
	scene_end(d, 20 * MINUTE_MS);
	assert_int_equal(scene_count(&s, "recipient.removed", "", ""), 0);
	scene_finish(&s);
}

/* Opens move the counters of a broadcast long after its last change of status. */
static void followed_while_it_moves(void **state)
{
	(void)state;
	struct scene s = scene_new(300);
	s.o.source = "  since: all\n  follow_for: 6h\n";
	struct drive *d = scene_begin(&s);
	drive_run(d, 12 * 60 * MINUTE_MS);
	assert_int_equal(scene_followed(d), 2);
	model_end(drive_model(d));
	drive_run(d, 8 * 60 * MINUTE_MS);
	assert_int_equal(scene_followed(d), 0);
	drive_verify(d);
	scene_finish(&s);
}

/* What rests for its age goes on where it was when its counters move: a complaint weeks later. */
static void woken_by_a_moved_counter(void **state)
{
	(void)state;
	struct scene s = scene_new(300);
	s.o.source = "  since: all\n  follow_for: 6h\n";
	struct drive *d = scene_begin(&s);
	drive_run(d, 12 * 60 * MINUTE_MS);
	model_end(drive_model(d));
	drive_restart(d);
	drive_run(d, 12 * 60 * MINUTE_MS);
	assert_int_equal(scene_followed(d), 0);
	char *late = scene_recipient(d, 40, NULL);
	assert_true(model_change(drive_model(d), "bc_1", late, SIM_COMPLAINED, true));
	drive_run(d, 30 * MINUTE_MS);
	assert_int_equal(scene_followed(d), 1);
	assert_int_equal(scene_count(&s, "recipient.complained", late, ""), 1);
	assert_int_equal(scene_count(&s, "recipient.added", "", ""), 450);
	drive_verify(d);
	drive_run(d, 8 * 60 * MINUTE_MS);
	assert_int_equal(scene_followed(d), 0);
	free(late);
	scene_finish(&s);
}

/* One whose rows can never be read completely does not stay for ever. */
static void what_is_never_complete_leaves(void **state)
{
	static const char *const bad_row[] = {"types,on=recipients"};
	(void)state;
	struct scene s = scene_new(300);
	s.o.source = "  since: all\n  broadcasts: { status: [SENDING] }\n";
	struct drive *d = scene_begin(&s);
	scene_faults(d, bad_row, 1);
	drive_run(d, 60 * MINUTE_MS);
	assert_int_equal(scene_count(&s, "\"broadcast.sent\"", "", ""), 2);
	assert_int_equal(scene_followed(d), 0);
	scene_finish(&s);
}

/* The change of status by which a broadcast leaves those that are asked for is told. */
static void the_last_status_is_told(void **state)
{
	(void)state;
	struct scene s = scene_new(100);
	s.o.source = "  since: all\n  broadcasts: { status: [SENDING] }\n";
	struct drive *d = scene_begin(&s);
	drive_run(d, 30 * MINUTE_MS);
	assert_int_equal(scene_count(&s, "\"broadcast.sending\"", "", ""), 2);
	assert_int_equal(scene_count(&s, "\"broadcast.sent\"", "", ""), 2);
	assert_int_equal(scene_followed(d), 0);
	drive_restart(d);
	drive_run(d, 10 * MINUTE_MS);
	assert_int_equal(scene_count(&s, "\"broadcast.sent\"", "", ""), 2);
	scene_finish(&s);
}

/* When a broadcast leaves those that are asked for, what happened to its rows until then is told:
 * also when the relay is killed at that moment. */
static void the_last_rows_are_told(void **state)
{
	(void)state;
	for (int killed = 0; killed < 2; killed++) {
		struct scene s = scene_new(300);
		s.o.model.nbroadcasts = 1;
		s.o.source = "  since: all\n  broadcasts: { status: [SENDING] }\n";
		struct drive *d = scene_begin(&s);
		while (!scene_count(&s, "\"broadcast.sent\"", "", ""))
			drive_run(d, 1000);
		model_end(drive_model(d));
		if (killed)
			drive_restart(d);
		drive_run(d, 20 * MINUTE_MS);
		drive_verify(d);
		assert_int_equal(scene_followed(d), 0);
		scene_finish(&s);
	}
}

/* An organization that is no longer asked for costs no requests and makes no events; when it is
 * asked for again, it goes on where it was. */
static void organizations_come_and_go(void **state)
{
	static const char both[] = "  since: all\n  orgs: [c, org_2]\n",
			  one[] = "  since: all\n  orgs: [c]\n";
	static const char *const subs[] = {"org_2", NULL};
	struct sim_broadcast two[] = {{.recipients = 200}, {.recipients = 100, .org = "org_2"}};
	(void)state;
	struct scene s = scene_new(0);
	s.o.model.broadcasts = two;
	s.o.model.sub_orgs = subs;
	s.o.source = both;
	struct drive *d = scene_begin(&s);
	drive_run(d, 3 * MINUTE_MS);
	assert_int_equal(scene_followed(d), 2);
	drive_reload(d, one);
	drive_run(d, MINUTE_MS);
	assert_int_equal(scene_followed(d), 1);
	int before = scene_count(&s, "recipient.", "bc_2", "");
	assert_in_range(before, 100, 100000);
	drive_run(d, 10 * MINUTE_MS);
	drive_restart(d);
	drive_run(d, 10 * MINUTE_MS);
	assert_int_equal(scene_followed(d), 1);
	assert_int_equal(scene_count(&s, "recipient.", "bc_2", ""), before);
	drive_reload(d, both);
	scene_end(d, 20 * MINUTE_MS);
	assert_int_equal(scene_count(&s, "recipient.added", "", ""), 300);
	scene_finish(&s);
}

/* Those the API lists beneath the configured one are followed like it, through restarts and
 * reloads, whether or not the API lists them at that moment. */
static void sub_organizations_are_found(void **state)
{
	static const char with[] = "  since: all\n  sub_orgs: true\n",
			  other[] = "  since: all\n  sub_orgs: true\n  poll_every: 6s\n",
			  without[] = "  since: all\n";
	static const char *const subs[] = {"org_2", "org_3", NULL};
	static const char *const refused[] = {"401,on=orgs"}, *const none[] = {"empty,on=orgs"};
	struct sim_broadcast v[] = {
		{.recipients = 100},
		{.recipients = 100, .org = "org_2"},
		{.recipients = 100, .org = "org_3", .start_ms = 20 * MINUTE_MS}};
	(void)state;
	struct scene s = scene_new(0);
	s.o.model.broadcasts = v;
	s.o.model.nbroadcasts = 3;
	s.o.model.sub_orgs = subs;
	s.o.source = with;
	struct drive *d = scene_begin(&s);
	drive_run(d, 2 * MINUTE_MS);
	assert_int_equal(scene_followed(d), 2);
	scene_faults(d, refused, 1);
	drive_restart(d);
	drive_run(d, 2 * MINUTE_MS);
	assert_int_equal(scene_followed(d), 2);
	drive_reload(d, other);
	drive_run(d, 2 * MINUTE_MS);
	assert_int_equal(scene_followed(d), 2);
	scene_faults(d, none, 1);
	drive_run(d, 25 * MINUTE_MS);
	assert_int_equal(scene_followed(d), 1);
	scene_faults(d, NULL, 0);
	drive_run(d, 11 * MINUTE_MS);
	assert_int_equal(scene_followed(d), 3);
	drive_reload(d, without);
	drive_run(d, MINUTE_MS);
	assert_int_equal(scene_followed(d), 1);
	drive_reload(d, with);
	drive_run(d, 20 * MINUTE_MS);
	scene_end(d, 20 * MINUTE_MS);
	assert_int_equal(scene_count(&s, "recipient.added", "\"org_id\":\"org_3\"", ""), 100);
	scene_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owed_is_delivered),
		cmocka_unit_test(pages_are_followed_by_their_names),
		cmocka_unit_test(restarts_lose_nothing),
		cmocka_unit_test(removed_reverted_and_risen_again),
		cmocka_unit_test(ended_while_a_broadcast_comes_back),
		cmocka_unit_test(gone_is_believed_when_the_list_agrees),
		cmocka_unit_test(ended_while_a_page_is_committed),
		cmocka_unit_test(an_empty_answer_removes_nobody),
		cmocka_unit_test(followed_while_it_moves),
		cmocka_unit_test(woken_by_a_moved_counter),
		cmocka_unit_test(what_is_never_complete_leaves),
		cmocka_unit_test(the_last_status_is_told),
		cmocka_unit_test(the_last_rows_are_told),
		cmocka_unit_test(organizations_come_and_go),
		cmocka_unit_test(sub_organizations_are_found),
	};
	return cmocka_run_group_tests_name("campaign", tests, NULL, NULL);
}
