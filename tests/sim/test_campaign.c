/*
 * Whole campaigns on a virtual clock: whatever the list's order and whatever restarts, the events
 * are those of the ledger, and no minute has more requests than configured.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "tests/sim/drive.h"
#include "tests/suite/store_fixture.h"

#define EPOCH_MS  1700000000000
#define MINUTE_MS 60000

static struct drive_options campaign(const char *dir, uint32_t recipients)
{
	static struct sim_broadcast two[2];
	two[0] = (struct sim_broadcast){.recipients = recipients};
	two[1] = (struct sim_broadcast){.recipients = recipients / 2, .start_ms = 2 * MINUTE_MS};
	return (struct drive_options){
		.model = {.seed = 7,
			  .epoch_ms = EPOCH_MS,
			  .org = "org_1",
			  .key = "k",
			  .broadcasts = two,
			  .nbroadcasts = 2,
			  .ramp_ms = 5 * MINUTE_MS,
			  .rate_limit = 500},
		.dir = dir,
		.source = "  since: all\n  full_sweep_every: 10m\n",
	};
}

/* A folder, a campaign, and the relay that follows it in there. */
struct scene {
	char *dir;
	struct drive_options o;
	struct drive *d;
};

static struct scene scene(uint32_t recipients)
{
	struct scene s = {.dir = fixture_folder()};
	s.o = campaign(s.dir, recipients);
	return s;
}

static struct drive *begin(struct scene *s)
{
	s->d = drive_open(&s->o);
	return s->d;
}

static void finish(struct scene *s)
{
	drive_close(s->d);
	fixture_remove(s->dir);
}

/* Nothing changes any more: so much later all that is owed must be there, and nothing else. */
static void end_and_verify(struct drive *d, int64_t ms)
{
	model_end(drive_model(d));
	drive_run(d, ms);
	drive_verify(d);
}

static void owed_is_delivered(void **state)
{
	static const enum sim_order orders[] = {SIM_ORDER_NONE, SIM_ORDER_ID, SIM_ORDER_CREATED,
						SIM_ORDER_UPDATED};
	(void)state;
	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
		struct scene s = scene(600);
		s.o.model.order = orders[i];
		struct drive *d = begin(&s);
		drive_run(d, 30 * MINUTE_MS);
		end_and_verify(d, 20 * MINUTE_MS);
		assert_in_range(drive_peak_requests(d), 1, 450);
		finish(&s);
	}
}

static void restarts_lose_nothing(void **state)
{
	struct prng random = {42};
	(void)state;
	struct scene s = scene(400);
	struct drive *d = begin(&s);
	for (int i = 0; i < 25; i++) {
		drive_run(d, (int64_t)(prng_unit(&random) * MINUTE_MS));
		drive_restart(d);
	}
	end_and_verify(d, 20 * MINUTE_MS);
	assert_in_range(drive_peak_requests(d), 1, 450);
	finish(&s);
}

/* The n-th recipient of the list as the API shows it now. */
static char *recipient(struct drive *d, unsigned n)
{
	struct sim_reply reply;
	struct err err = {0};
	char query[64];
	snprintf(query, sizeof query, "page=%u&take=1", n + 1);
	model_request(drive_model(d), drive_now_ms(d),
		      &(struct sim_request){"GET", "/orgs/c/broadcasts/bc_1/recipients", query,
					    "Bearer k", "test", drive_now_ms(d)},
		      &reply);
	struct json_doc *doc = json_doc_new();
	const struct json *page =
		json_parse(doc, reply.body.data, reply.body.len, JSON_DEPTH, &err);
	assert_non_null(page);
	char *id = xstrdup(json_string(json_get(json_first(page), "id")));
	json_doc_free(doc);
	sim_reply_release(&reply);
	return id;
}

/* Counts the lines of events.ndjson that have all three texts. */
static int count_events(const struct scene *s, const char *type, const char *id, const char *more)
{
	char *path = xasprintf("%s/events.ndjson", s->dir), *line = NULL;
	size_t room = 0;
	int n = 0;
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (getline(&line, &room, f) > 0)
		n += strstr(line, type) && strstr(line, id) && strstr(line, more);
	fclose(f);
	free(line);
	free(path);
	return n;
}

static void removed_reverted_and_risen_again(void **state)
{
	(void)state;
	struct scene s = scene(300);
	struct drive *d = begin(&s);
	drive_run(d, 20 * MINUTE_MS);
	char *gone = recipient(d, 3), *back = recipient(d, 40);
	model_change(drive_model(d), "bc_1", back, SIM_COMPLAINED, true);
	drive_run(d, 15 * MINUTE_MS);
	assert_true(model_change(drive_model(d), "bc_1", back, SIM_COMPLAINED, false));
	assert_true(model_change(drive_model(d), "bc_1", gone, SIM_REMOVED, true));
	drive_run(d, 15 * MINUTE_MS);
	assert_true(model_change(drive_model(d), "bc_1", back, SIM_COMPLAINED, true));
	end_and_verify(d, 60 * MINUTE_MS);
	assert_int_equal(count_events(&s, "recipient.removed", gone, ""), 1);
	assert_int_equal(count_events(&s, "recipient.removed", "", ""), 1);
	assert_int_equal(count_events(&s, "recipient.reverted", back, "complained"), 1);
	assert_int_equal(count_events(&s, "recipient.complained", back, ""), 2);
	drive_restart(d);
	drive_run(d, 30 * MINUTE_MS);
	assert_int_equal(count_events(&s, "recipient.removed", "", ""), 1);
	free(gone);
	free(back);
	finish(&s);
}

/* Wherever the relay is ended, nothing is touched that is gone, and nothing is lost. */
static void ended_while_a_page_is_committed(void **state)
{
	(void)state;
	struct scene s = scene(300);
	struct drive *d = begin(&s);
	for (int i = 0; i < 10; i++) {
		drive_run(d, 20000);
		drive_cut(d);
	}
	end_and_verify(d, 10 * MINUTE_MS);
	finish(&s);
}

static void faults(struct drive *d, const char *const *specs, size_t n)
{
	struct err err = {0};
	assert_int_equal(model_set_faults(drive_model(d), specs, n, &err), 0);
}

/* The same while broadcasts that were gone come back: their rows cannot be read any more. */
static void ended_while_a_broadcast_comes_back(void **state)
{
	static const char *const gone[] = {"404,on=recipients", "empty,on=broadcasts"};
	(void)state;
	struct scene s = scene(200);
	struct drive *d = begin(&s);
	drive_run(d, 12 * MINUTE_MS);
	faults(d, gone, 2);
	drive_run(d, 30 * MINUTE_MS);
	assert_in_range(count_events(&s, "broadcast.removed", "", ""), 1, 2);
	faults(d, gone, 0);
	drive_cut(d);
	end_and_verify(d, 20 * MINUTE_MS);
	finish(&s);
}

/* A 404 is not believed while the list still names the broadcast; one that is really gone is told
 * once, and goes on where it was when it comes back. */
static void gone_is_believed_when_the_list_agrees(void **state)
{
	static const char *const strays[] = {"404,on=recipients"};
	static const char *const gone[] = {"404,on=recipients", "empty,on=broadcasts"};
	(void)state;
	struct scene s = scene(200);
	struct drive *d = begin(&s);
	drive_run(d, 12 * MINUTE_MS);
	faults(d, strays, 1);
	drive_run(d, 10 * MINUTE_MS);
	faults(d, strays, 0);
	assert_int_equal(count_events(&s, "broadcast.removed", "", ""), 0);
	for (int round = 1; round <= 2; round++) {
		faults(d, gone, 2);
		drive_run(d, 30 * MINUTE_MS);
		if (round == 2)
			drive_restart(d);
		faults(d, gone, 0);
		drive_run(d, 20 * MINUTE_MS);
	}
	assert_in_range(count_events(&s, "broadcast.removed", "", ""), 2, 4);
	end_and_verify(d, 20 * MINUTE_MS);
	assert_int_equal(count_events(&s, "recipient.added", "", ""), 300);
	assert_int_equal(count_events(&s, "broadcast.added", "", ""), 2);
	finish(&s);
}

/* While an API answers with an empty list instead of failing, nobody is removed. */
static void an_empty_answer_removes_nobody(void **state)
{
	static const char *const empty[] = {"empty,on=recipients"};
	(void)state;
	struct scene s = scene(200);
	struct drive *d = begin(&s);
	drive_run(d, 12 * MINUTE_MS);
	faults(d, empty, 1);
	drive_run(d, 20 * MINUTE_MS);
	faults(d, empty, 0);
	end_and_verify(d, 20 * MINUTE_MS);
	assert_int_equal(count_events(&s, "recipient.removed", "", ""), 0);
	finish(&s);
}

static size_t followed(const struct drive *d)
{
	struct source_status status;
	relay_source_status(drive_relay(d), &status);
	return status.followed;
}

/* Opens move the counters of a broadcast long after its last change of status. */
static void followed_while_it_moves(void **state)
{
	(void)state;
	struct scene s = scene(300);
	s.o.source = "  since: all\n  follow_for: 6h\n";
	struct drive *d = begin(&s);
	drive_run(d, 12 * 60 * MINUTE_MS);
	assert_int_equal(followed(d), 2);
	model_end(drive_model(d));
	drive_run(d, 8 * 60 * MINUTE_MS);
	assert_int_equal(followed(d), 0);
	drive_verify(d);
	finish(&s);
}

/* What rests for its age goes on where it was when its counters move: a complaint weeks later. */
static void woken_by_a_moved_counter(void **state)
{
	(void)state;
	struct scene s = scene(300);
	s.o.source = "  since: all\n  follow_for: 6h\n";
	struct drive *d = begin(&s);
	drive_run(d, 12 * 60 * MINUTE_MS);
	model_end(drive_model(d));
	drive_restart(d);
	drive_run(d, 12 * 60 * MINUTE_MS);
	assert_int_equal(followed(d), 0);
	char *late = recipient(d, 40);
	assert_true(model_change(drive_model(d), "bc_1", late, SIM_COMPLAINED, true));
	drive_run(d, 30 * MINUTE_MS);
	assert_int_equal(followed(d), 1);
	assert_int_equal(count_events(&s, "recipient.complained", late, ""), 1);
	assert_int_equal(count_events(&s, "recipient.added", "", ""), 450);
	drive_verify(d);
	drive_run(d, 8 * 60 * MINUTE_MS);
	assert_int_equal(followed(d), 0);
	free(late);
	finish(&s);
}

/* One whose rows can never be read completely does not stay for ever. */
static void what_is_never_complete_leaves(void **state)
{
	static const char *const bad_row[] = {"types,on=recipients"};
	(void)state;
	struct scene s = scene(300);
	s.o.source = "  since: all\n  broadcasts: { status: [SENDING] }\n";
	struct drive *d = begin(&s);
	faults(d, bad_row, 1);
	drive_run(d, 60 * MINUTE_MS);
	assert_int_equal(count_events(&s, "\"broadcast.sent\"", "", ""), 2);
	assert_int_equal(followed(d), 0);
	finish(&s);
}

/* The change of status by which a broadcast leaves those that are asked for is told. */
static void the_last_status_is_told(void **state)
{
	(void)state;
	struct scene s = scene(100);
	s.o.source = "  since: all\n  broadcasts: { status: [SENDING] }\n";
	struct drive *d = begin(&s);
	drive_run(d, 30 * MINUTE_MS);
	assert_int_equal(count_events(&s, "\"broadcast.sending\"", "", ""), 2);
	assert_int_equal(count_events(&s, "\"broadcast.sent\"", "", ""), 2);
	assert_int_equal(followed(d), 0);
	drive_restart(d);
	drive_run(d, 10 * MINUTE_MS);
	assert_int_equal(count_events(&s, "\"broadcast.sent\"", "", ""), 2);
	finish(&s);
}

/* When a broadcast leaves those that are asked for, what happened to its rows until then is told:
 * also when the relay is killed at that moment. */
static void the_last_rows_are_told(void **state)
{
	(void)state;
	for (int killed = 0; killed < 2; killed++) {
		struct scene s = scene(300);
		s.o.model.nbroadcasts = 1;
		s.o.source = "  since: all\n  broadcasts: { status: [SENDING] }\n";
		struct drive *d = begin(&s);
		while (!count_events(&s, "\"broadcast.sent\"", "", ""))
			drive_run(d, 1000);
		model_end(drive_model(d));
		if (killed)
			drive_restart(d);
		drive_run(d, 20 * MINUTE_MS);
		drive_verify(d);
		assert_int_equal(followed(d), 0);
		finish(&s);
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
	struct scene s = scene(0);
	s.o.model.broadcasts = two;
	s.o.model.sub_orgs = subs;
	s.o.source = both;
	struct drive *d = begin(&s);
	drive_run(d, 3 * MINUTE_MS);
	assert_int_equal(followed(d), 2);
	drive_reload(d, one);
	drive_run(d, MINUTE_MS);
	assert_int_equal(followed(d), 1);
	int before = count_events(&s, "recipient.", "bc_2", "");
	assert_in_range(before, 100, 100000);
	drive_run(d, 10 * MINUTE_MS);
	drive_restart(d);
	drive_run(d, 10 * MINUTE_MS);
	assert_int_equal(followed(d), 1);
	assert_int_equal(count_events(&s, "recipient.", "bc_2", ""), before);
	drive_reload(d, both);
	end_and_verify(d, 20 * MINUTE_MS);
	assert_int_equal(count_events(&s, "recipient.added", "", ""), 300);
	finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owed_is_delivered),
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
	};
	return cmocka_run_group_tests_name("campaign", tests, NULL, NULL);
}
