/* record — names keep their numbers, times stay sorted, copies share nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <stdio.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "relay/base/record.h"

static void numbers_names(void **state)
{
	static struct names names;

	(void)state;
	assert_int_equal(names_find(&names, "sent"), -1);
	assert_int_equal(names_number(&names, "skipped", STATES_MAX), 0);
	assert_int_equal(names_number(&names, "failed", STATES_MAX), 1);
	assert_int_equal(names_number(&names, "skipped", STATES_MAX), 0);
	assert_int_equal(names_find(&names, "failed"), 1);
	assert_int_equal(names_find(&names, "fail"), -1);
	assert_int_equal(names_number(&names, "PROCESSED", STATUSES_MAX), 2);
	assert_int_equal(names.n, 3);
}

static void refuses_what_is_no_name(void **state)
{
	static const char *const bad[] = {
		"",    " ",	   "a b", "a-b",
		"a.b", "\xC3\xA9", "a\n", "abcdefghijklmnopqrstuvwxyz0123456" /* 33 */};
	static struct names names;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(names_number(&names, bad[i], STATES_MAX), -1);
	assert_int_equal(names.n, 0);
	assert_int_equal(names_number(&names, "abcdefghijklmnopqrstuvwxyz012345", STATES_MAX), 0);
	assert_int_equal(names_find(&names, "abcdefghijklmnopqrstuvwxyz012345"), 0);
}

static void stops_at_the_maximum(void **state)
{
	static struct names names;
	char name[NAME_SIZE];

	(void)state;
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "n%d", i);
		int expected = i < STATES_MAX ? i : -1;
		assert_int_equal(names_number(&names, name, STATES_MAX), expected);
	}
	assert_int_equal(names_number(&names, "n7", STATES_MAX), 7); /* a known one stays known */
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "m%d", i);
		int expected = i + STATES_MAX < STATUSES_MAX ? i + STATES_MAX : -1;
		assert_int_equal(names_number(&names, name, 1000), expected);
	}
}

static void keeps_times_sorted(void **state)
{
	struct prng p = {7};

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct recipient_record r = {0};
		int64_t model[STATES_MAX] = {0};
		for (int i = 0; i < 60; i++) {
			unsigned s = (unsigned)(prng_next(&p) % STATES_MAX);
			int64_t at = (int64_t)(prng_next(&p) % 1000) + 1;
			recipient_record_set_time(&r, s, at);
			model[s] = at;
		}
		for (size_t i = 1; i < r.ntimes; i++)
			assert_true(r.times[i - 1].state < r.times[i].state);
		for (unsigned s = 0; s < STATES_MAX; s++) {
			const struct state_time *t = recipient_record_time(&r, s);
			assert_true(model[s] ? t && t->state == s && t->at == model[s] : !t);
		}
	}
}

static void copies_recipients(void **state)
{
	struct recipient_record r = {.number = 9,
				     .id = xstrdup("rc_1"),
				     .states = 5,
				     .status = 3,
				     .gone = true,
				     .processed = 2,
				     .created_ms = 10,
				     .updated_ms = DATE_NONE,
				     .contact_id = xstrdup("ct_1"),
				     .identity = 1,
				     .error = 2,
				     .contact = 3};
	struct recipient_record copy;

	(void)state;
	recipient_record_set_time(&r, 2, 77);
	recipient_record_copy(&copy, &r);
	assert_ptr_not_equal(copy.id, r.id);
	recipient_record_release(&r);
	assert_null(r.id);
	assert_int_equal(r.ntimes, 0);
	assert_string_equal(copy.id, "rc_1");
	assert_string_equal(copy.contact_id, "ct_1");
	assert_null(copy.integration_id);
	assert_int_equal(copy.number, 9);
	assert_true(copy.gone && copy.states == 5 && copy.status == 3 && copy.processed == 2);
	assert_true(copy.created_ms == 10 && copy.updated_ms == DATE_NONE);
	assert_true(copy.identity == 1 && copy.error == 2 && copy.contact == 3);
	assert_int_equal(recipient_record_time(&copy, 2)->at, 77);
	recipient_record_release(&copy);
}

static void copies_broadcasts(void **state)
{
	struct broadcast_record b = {.number = 4,
				     .org = xstrdup("c"),
				     .id = xstrdup("bc_1"),
				     .status = xstrdup("SENDING"),
				     .counters = xstrdup("{}"),
				     .templates = xstrdup("{\"t\":\"e\"}"),
				     .recipients = 12,
				     .baseline_page = 3,
				     .baseline_done = true};
	struct broadcast_record copy;

	(void)state;
	broadcast_record_copy(&copy, &b);
	broadcast_record_release(&b);
	assert_null(b.templates);
	assert_string_equal(copy.org, "c");
	assert_string_equal(copy.id, "bc_1");
	assert_null(copy.name);
	assert_string_equal(copy.status, "SENDING");
	assert_string_equal(copy.counters, "{}");
	assert_string_equal(copy.templates, "{\"t\":\"e\"}");
	assert_true(copy.number == 4 && copy.recipients == 12 && copy.baseline_page == 3);
	assert_true(copy.baseline_done && !copy.gone);
	broadcast_record_release(&copy);
}

static void releases_nothing(void **state)
{
	struct recipient_record r = {0};
	struct broadcast_record b = {0};

	(void)state;
	recipient_record_release(NULL);
	recipient_record_release(&r);
	recipient_record_release(&r);
	broadcast_record_release(NULL);
	broadcast_record_release(&b);
	broadcast_record_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_names),	cmocka_unit_test(refuses_what_is_no_name),
		cmocka_unit_test(stops_at_the_maximum), cmocka_unit_test(keeps_times_sorted),
		cmocka_unit_test(copies_recipients),	cmocka_unit_test(copies_broadcasts),
		cmocka_unit_test(releases_nothing),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
