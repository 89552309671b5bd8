/* health: courses of answers, and what is declared after each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/source/health.h"

/* A step is an answer (g good, f failed, k key refused), its path (l list, r recipients,
 * o organizations) and what is told after it (- nothing, D down, U up); a * behind says that from
 * then on only probes are asked. */
static const struct {
	const char *name, *steps;
} courses[] = {
	{"three failures, the list among them", "fl- fr- frD* fr-* glU"},
	{"three failures of the list, and no other path works", "fl- fl- fl-* frD* fl-* glU"},
	{"a list that cannot be read is no outage", "fl- fl- fl-* gr- fl- fl- fl-* gr-"},
	{"another failure of the list says no more", "fl- fl- fl-* fl-* gr-"},
	{"recipients alone are no outage", "fr- fr- fr- fr- flD* glU"},
	{"a success between", "fl- fl- gr- fl- fr- flD*"},
	{"a key refused on two paths", "kr-* klD* kr-* kl-* glU gl-"},
	{"refused twice on one path, both under way", "kr-* kr-* kr-* gl-"},
	{"refused on one path only", "kl-* gr- kl-* gr-"},
	{"refused by the list and the organizations", "kl-* koD*"},
	{"in doubt, then unreachable", "kr-* fr-* fr-* frD* glU"},
	{"unreachable, then refused", "fl- fr- flD* kl-* kr-* glU"},
	{"the list alone, then refused", "fl- fl- fl-* kr-* klD* glU"},
};

static enum health_change apply(struct health *h, const char *step)
{
	enum request_kind path = step[1] == 'l'	  ? REQUEST_BROADCASTS
				 : step[1] == 'r' ? REQUEST_RECIPIENTS
						  : REQUEST_ORGS;

	if (step[0] == 'g')
		return health_worked(h);
	return step[0] == 'f' ? health_failed(h, path, 0, 1000) : health_no_key(h, path, 1000);
}

static void declares(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof courses / sizeof *courses; i++) {
		struct health h = {0};
		for (const char *s = courses[i].steps; *s; s += strcspn(s, " "), s += *s == ' ') {
			static const char told[] = {
				[HEALTH_SAME] = '-', [HEALTH_FELL] = 'D', [HEALTH_ROSE] = 'U'};
			char got = told[apply(&h, s)];
			if (got != s[2] || health_is_good(&h) == (s[3] == '*'))
				fail_msg("%s: at \"%s\": %c", courses[i].name, s, got);
		}
	}
}

static void fail_times(struct health *h, int n, int64_t now)
{
	for (int i = 0; i < n; i++)
		health_failed(h, i % 2 ? REQUEST_RECIPIENTS : REQUEST_BROADCASTS, 0, now);
}

static void probes_come_at_their_time(void **state)
{
	struct health h = {0};
	int64_t now = 0;
	unsigned turn = 0;

	(void)state;
	fail_times(&h, 3, now);
	for (int64_t wait = 1000; wait <= 128000; wait *= 2) {
		int64_t expected = wait < 60000 ? wait : 60000;
		assert_int_equal(health_wait_ms(&h, now), expected);
		now += expected;
		assert_int_equal(health_wait_ms(&h, now), 0);
		assert_int_equal(health_probe(&h),
				 turn++ % 2 ? REQUEST_RECIPIENTS : REQUEST_BROADCASTS);
		assert_true(health_wait_ms(&h, now) == INT64_MAX);
		health_probed(&h);
		health_failed(&h, REQUEST_BROADCASTS, 0, now);
	}
	health_failed(&h, REQUEST_BROADCASTS, 0.999999, now);
	assert_in_range(health_wait_ms(&h, now), 30000, 30001);
}

static void a_key_is_tried_on_both_paths(void **state)
{
	struct health h = {0};
	unsigned lists = 0;

	(void)state;
	health_no_key(&h, REQUEST_BROADCASTS, 0);
	assert_int_equal(health_wait_ms(&h, 0), 0); /* the proof is asked for at once */
	assert_int_equal(health_probe(&h), REQUEST_RECIPIENTS);
	health_probed(&h);
	health_worked(&h);
	health_no_key(&h, REQUEST_RECIPIENTS, 0);
	assert_int_equal(health_probe(&h), REQUEST_BROADCASTS);
	health_probed(&h);
	for (int64_t now = 0; now < 10 * 60000; now += 60000) {
		health_no_key(&h, REQUEST_BROADCASTS, now);
		assert_int_equal(health_wait_ms(&h, now), 60000);
		lists += health_probe(&h) == REQUEST_BROADCASTS;
		health_probed(&h);
	}
	assert_int_equal(lists, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(declares),
		cmocka_unit_test(probes_come_at_their_time),
		cmocka_unit_test(a_key_is_tried_on_both_paths),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
