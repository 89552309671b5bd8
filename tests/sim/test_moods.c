/*
 * Whole campaigns with an API in one bad mood after the other: whatever its counters, times, pages
 * and replies are like, the events are those that the ledger says are owed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/drive.h"
#include "tests/sim/drive_test.h"
#include "tests/suite/store_fixture.h"

#define EPOCH_MS  1700000000000
#define MINUTE_MS 60000
#define FAULTS	  4

struct mood {
	const char *name;
	enum sim_order order;
	const char *counters, *times; /* NULL: good ones */
	struct sim_unrest unrest;
	bool along_ramp, next_tokens, retry_after;
	uint32_t stranger;
	const char *faults[FAULTS + 1];
	bool ends; /* the faults do, with the campaign: nobody could see the truth through them */
};

static const struct mood moods[] = {
	{"counters that lag", .counters = "lag=90s"},
	{"counters that stick", .counters = "stuck"},
	{"counters that lie", .counters = "wrong"},
	{"no counters", .counters = "absent"},
	{"no pagination headers", .faults = {"headers"}},
	{"pages of 50", .faults = {"take=50"}},
	{"pages of 30 without headers", .faults = {"take=30", "headers"}},
	{"overlapping pages", .faults = {"overlap=3"}},
	{"overlapping pages now and then", .faults = {"overlap=10,p=0.3"}, .ends = true},
	{"endless pages", .faults = {"endless"}},
	{"endless pages without headers", .faults = {"endless", "headers"}},
	{"the same page for every number", .faults = {"repeat"}, .ends = true},
	{"the same page now and then", .faults = {"repeat,p=0.3"}, .ends = true},
	{"rows inserted", .order = SIM_ORDER_CREATED, .along_ramp = true},
	{"rows inserted anywhere", .along_ramp = true},
	{"rows removed", .unrest = {.removals = 120}},
	{"flags that fall", .unrest = {.flips = 600}},
	{"places swapped", .order = SIM_ORDER_ID, .unrest = {.swaps = 600}},
	{"places swapped, newest first", .order = SIM_ORDER_UPDATED, .unrest = {.swaps = 600}},
	{"no times", .times = "null=100"},
	{"bad times", .times = "null=20,early=20,future=20"},
	{"429 in seconds", .faults = {"429=20,p=0.1"}, .ends = true},
	{"429 by date", .faults = {"429=date:20,p=0.1"}, .ends = true},
	{"429 with nonsense", .faults = {"429=soon,p=0.1"}, .ends = true},
	{"429 without a word", .faults = {"429,p=0.1"}, .ends = true},
	{"500 in bursts", .faults = {"500,p=0.05,burst=8"}, .ends = true},
	{"no answers", .faults = {"hang,p=0.1"}, .ends = true},
	{"floods", .faults = {"flood,p=0.1"}, .ends = true},
	{"halves", .faults = {"truncate,p=0.1", "cut,p=0.1", "reset,p=0.05"}, .ends = true},
	{"a refused key", .faults = {"401"}, .ends = true},
	{"a refused key now and then", .faults = {"401,p=0.3"}, .ends = true},
	{"next tokens", .next_tokens = true, .along_ramp = true},
	{"a stranger", .stranger = 480 * 60},
	{"bad rows", .faults = {"utf8,p=0.1", "types,p=0.1", "nul,p=0.1", "words"}, .ends = true},
	{"everything moves", .counters = "lag=60s", .along_ramp = true,
	 .unrest = {.removals = 60, .flips = 300, .swaps = 300},
	 .times = "null=10,early=10,future=10"},
	{"everything at once", .order = SIM_ORDER_UPDATED, .counters = "wrong", .along_ramp = true,
	 .next_tokens = true, .unrest = {.removals = 60, .flips = 300, .swaps = 300},
	 .faults = {"500,p=0.02,burst=3", "hang,p=0.02", "429=date:9,p=0.05", "take=40"},
	 .ends = true},
};

static struct model_options campaign(const struct mood *m)
{
	static const struct sim_broadcast one[] = {{.recipients = 240}};
	struct model_options o = {.seed = 11,
				  .epoch_ms = EPOCH_MS,
				  .org = "org_1",
				  .key = "k",
				  .broadcasts = one,
				  .nbroadcasts = 1,
				  .ramp_ms = 4 * MINUTE_MS,
				  .rate_limit = 500,
				  .order = m->order,
				  .along_ramp = m->along_ramp,
				  .next_tokens = m->next_tokens,
				  .retry_after = m->retry_after,
				  .stranger = m->stranger,
				  .unrest = m->unrest};

	assert_true(!m->counters || sim_counters_parse(&o.counters, m->counters));
	assert_true(!m->times || sim_times_parse(&o.times, m->times));
	return o;
}

static void set_faults(struct drive *d, const char *const *specs)
{
	struct err err = {0};
	size_t n = 0;

	while (specs[n])
		n++;
	if (model_set_faults(drive_model(d), specs, n, &err))
		fail_msg("%s", err.msg);
}

static void assert_it_is_in_that_mood(const struct mood *m, const struct drive *d)
{
	struct sim_counts counts;

	model_counts(drive_model(d), &counts);
	assert_int_equal(counts.faulted > 0, m->faults[0] != NULL);
	assert_int_equal(counts.limited > 0, m->stranger > 0);
}

static void the_ledger_is_met(void **state)
{
	static const char *const none[] = {NULL};
	const struct mood *m = *state;
	char *dir = fixture_folder();
	struct drive_options o = {.model = campaign(m),
				  .dir = dir,
				  .fail = drive_fail_test,
				  .source = "  since: all\n  full_sweep_every: 5m\n"};
	struct drive *d = drive_open(&o);

	set_faults(d, m->faults);
	drive_run(d, 15 * MINUTE_MS);
	assert_it_is_in_that_mood(m, d);
	model_end(drive_model(d));
	if (m->ends)
		set_faults(d, none);
	drive_run(d, 25 * MINUTE_MS);
	drive_verify(d);
	assert_in_range(drive_peak_requests(d), 1, 450);
	drive_close(d);
	fixture_remove(dir);
}

/* How many requests the API has got after so long of nothing but this fault. */
static uint64_t requests_after(const char *fault, int64_t ms)
{
	static const struct mood good = {.name = "good"};
	const char *const specs[] = {fault, NULL};
	char *dir = fixture_folder();
	struct drive_options o = {
		.model = campaign(&good), .dir = dir, .source = "  since: all\n  timeout: 20s\n"};
	struct drive *d = drive_open(&o);
	struct sim_counts counts;

	set_faults(d, specs);
	drive_run(d, ms);
	model_counts(drive_model(d), &counts);
	drive_close(d);
	fixture_remove(dir);
	return counts.requests;
}

/* One call hangs until its 20 s are up, as does one whose reply would come later than that. */
static void a_call_ends_when_its_time_is_up(void **state)
{
	static const char *const faults[] = {"hang", "slow=25000"};

	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		assert_int_equal(requests_after(faults[i], 19000), 1);
		assert_int_equal(requests_after(faults[i], 39000), 2);
	}
	assert_in_range(requests_after("reset", 19000), 2, 100);
	assert_in_range(requests_after("slow=3000", 19000), 3, 100);
}

int main(void)
{
	struct CMUnitTest tests[sizeof moods / sizeof *moods + 1] = {
		cmocka_unit_test(a_call_ends_when_its_time_is_up),
	};

	for (size_t i = 0; i < sizeof moods / sizeof *moods; i++)
		tests[i + 1] = (struct CMUnitTest){.name = moods[i].name,
						   .test_func = the_ledger_is_met,
						   .initial_state = (void *)&moods[i]};
	return _cmocka_run_group_tests("moods", tests, sizeof tests / sizeof *tests, NULL, NULL);
}
