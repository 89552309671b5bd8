/*
 * How exact a count is: random events in random order, against all pairs of them. Each is recorded
 * two seconds after the one before and alerts end after one, so that each event's own verdict
 * shows.
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
#include "relay/base/random.h"
#include "tests/unit/window_rig.h"

#define WITHIN_MS (10 * SECOND)
#define MOST	  3000

static const char rule[] = "  - name: storm\n"
			   "    when: { type: [recipient.failed] }\n"
			   "    alert: { within: 10s, count: %d, resolve_after: 1s }\n";

struct trial {
	int count, events;
	int64_t span_ms;
	uint64_t seed;
};

/* The most of the first n times that lie in one window with the last of them. */
static int most_around(const int64_t *times, int n, int64_t within_ms)
{
	int most = 0;

	for (int i = 0; i < n; i++) {
		int64_t end_ms = times[i], last_ms = times[n - 1];
		int inside = 0;
		if (end_ms < last_ms || end_ms >= last_ms + within_ms)
			continue;
		for (int k = 0; k < n; k++)
			inside += times[k] <= end_ms && times[k] > end_ms - within_ms;
		most = inside > most ? inside : most;
	}
	return most;
}

static int run(const struct trial *t, bool exact)
{
	static int64_t times[MOST];
	char *text = xasprintf(rule, t->count);
	struct prng p = {t->seed};
	struct fold r;
	int fired = 0;

	fold_open(&r, text);
	r.no_log = r.no_alerts = true;
	for (int i = 0; i < t->events; i++) {
		times[i] = FOLD_START + (int64_t)(prng_next(&p) % (uint64_t)t->span_ms);
		fold_feed(&r, &(struct happening){.type = "recipient.failed",
						  .error = i % 3 ? "a" : "b",
						  .time_ms = times[i],
						  .recorded_ms = FOLD_START + t->span_ms +
								 2 * i * SECOND});
		bool says = r.counts[ALERT_FIRING] > (uint64_t)fired;
		int most = most_around(times, i + 1, WITHIN_MS);
		int sure = exact ? most : most_around(times, i + 1, WITHIN_MS - WITHIN_MS / 60 + 1);
		fired += says;
		if ((says && most < t->count) || (!says && sure >= t->count))
			fail_msg("seed %llu, event %d of %d: %s with %d of %d in a window",
				 (unsigned long long)t->seed, i, t->events,
				 says ? "fires" : "does not fire", most, t->count);
	}
	free(text);
	fold_close(&r);
	return fired;
}

static void small_counts_are_exact(void **state)
{
	int fired = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 400; seed++) {
		struct trial t = {.count = 1 + (int)(seed % 7),
				  .events = 60,
				  .span_ms = (40 + (int64_t)(seed * 7 % 300)) * SECOND,
				  .seed = seed};
		fired += run(&t, true);
	}
	print_message("seeds 1 to 400: fired %d of %d times\n", fired, 400 * 60);
	assert_in_range(fired, 400 * 15, 400 * 45);
}

static void large_counts_never_fire_too_soon(void **state)
{
	int fired = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 1; seed++) {
		struct trial t = {
			.count = 1025, .events = 2400, .span_ms = 20 * SECOND, .seed = seed};
		fired += run(&t, false);
	}
	print_message("seed 1: fired %d of %d times\n", fired, 2400);
	assert_in_range(fired, 100, 2300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_counts_are_exact),
		cmocka_unit_test(large_counts_never_fire_too_soon),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
