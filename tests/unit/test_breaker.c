/* breaker: what opens it, and when it asks again, in virtual time. */
#include "relay/delivery/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S 1000
#define M (60 * S)
#define H (60 * M)

/* Counts the ends that a text names, `every_ms` apart: how many until it opened; 0: it did not. */
static unsigned play(const char *ends, int64_t every_ms, bool lonely)
{
	static const char letters[] = "+-!~"; /* in the order of enum call_end */
	struct breaker b = {0};
	int64_t now_ms = 1234567;

	for (unsigned i = 0; ends[i]; i++, now_ms += every_ms)
		for (int end = 0; end < 4; end++)
			if (letters[end] == ends[i] && breaker_count(&b, end, lonely, now_ms))
				return i + 1;
	return 0;
}

#define TEN_WELL   "++++++++++"
#define TEN_FAILED "----------"

static void test_what_opens_it(void **state)
{
	static const struct {
		const char *ends; /* + answered, - failed, ! unanswered, ~ throttled */
		int64_t every_ms;
		unsigned opened;
		bool lonely;
	} cases[] = {
		{"!!", 10, 2, true},
		{"!-!~!+!", 10, 0, true},
		{"!!!!!", 10, 5, false},
		{"!!!!+!!!!-!!!!~!!!!", 10, 0, false},	/* no five in a row */
		{"!!!!!", 1 * H, 5, false},		/* however slowly */
		{TEN_FAILED "---------", 10, 0, false}, /* 19 say too little */
		{TEN_FAILED TEN_FAILED, 10, 20, false},
		{TEN_WELL TEN_FAILED, 10, 20, false},	  /* half of them */
		{TEN_WELL "+---------", 10, 0, false},	  /* nine of twenty */
		{TEN_WELL "+-----------", 10, 22, false}, /* half of 22 */
		{TEN_FAILED "~~~~~~~~~~", 10, 0, false}, /* throttled ones are none of the 20 … */
		{TEN_FAILED "~~" TEN_FAILED, 10, 22, false}, /* … nor do they hide the others */
		{TEN_FAILED TEN_FAILED, 1400, 20, false},    /* 27 s */
		{TEN_FAILED TEN_FAILED, 2000, 0, false},     /* never 20 in 30 s */
		{"-!-!-!-!-!-!-!-!-!-!", 10, 20, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (play(cases[i].ends, cases[i].every_ms, cases[i].lonely) != cases[i].opened)
			fail_msg("case %zu (%s): opened at %u", i, cases[i].ends,
				 play(cases[i].ends, cases[i].every_ms, cases[i].lonely));
}

static struct breaker opened_at(int64_t now_ms)
{
	struct breaker b = {0};

	for (int i = 0; i < 5; i++)
		breaker_count(&b, CALL_UNANSWERED, false, now_ms);
	assert_true(b.open);
	return b;
}

/* Fails every probe, each of which takes took_ms, until the outage is that old: how many there
 * were; *ret_longest: the longest time without one under way. */
static unsigned probes_until(int64_t end_ms, int64_t took_ms, int64_t *ret_longest)
{
	const int64_t begun_ms = 777;
	struct breaker b = opened_at(begun_ms);
	int64_t last_ms = begun_ms, now_ms = begun_ms;
	unsigned n = 0;

	*ret_longest = 0;
	for (; now_ms < begun_ms + end_ms; now_ms += 100) {
		if (!breaker_wants_probe(&b, now_ms))
			continue;
		if (now_ms - last_ms > *ret_longest)
			*ret_longest = now_ms - last_ms;
		n++;
		last_ms = now_ms + took_ms;
		breaker_probe_failed(&b, now_ms, last_ms);
		now_ms = last_ms;
	}
	return n;
}

static void test_probes(void **state)
{
	static const struct {
		int64_t outage_ms, took_ms;
		unsigned least, most; /* probes */
		int64_t longest_ms;
	} cases[] = {
		{4900, 0, 0, 0, 0},
		{1 * M, 0, 10, 12, 5 * S},    /* found within 5 s of its return */
		{1 * M, 3 * S, 9, 12, 5 * S}, /* one that hangs costs nothing more */
		{1 * M, 15 * S, 3, 4, 5 * S},
		{2 * M, 0, 15, 24, 10100},
		{24 * H, 0, 1420, 1500, 60100},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t longest_ms;
		unsigned n = probes_until(cases[i].outage_ms, cases[i].took_ms, &longest_ms);

		if (n < cases[i].least || n > cases[i].most || longest_ms > cases[i].longest_ms)
			fail_msg("case %zu: %u probes, %d ms apart", i, n, (int)longest_ms);
	}
}

static void test_nothing_to_probe_with(void **state)
{
	struct breaker b = opened_at(0);

	(void)state;
	breaker_look_later(&b, 20 * S);
	assert_false(breaker_wants_probe(&b, 25 * S - 1));
	assert_true(breaker_wants_probe(&b, 25 * S));
}

/* Closed, it knows nothing of before: it takes as much to open it as at first. */
static void test_closes(void **state)
{
	struct breaker b = opened_at(5 * S);

	(void)state;
	assert_false(breaker_count(&b, CALL_ANSWERED, false, 6 * S)); /* of before; it stays open */
	assert_true(b.open);
	breaker_close(&b);
	assert_false(breaker_wants_probe(&b, 1 * H));
	for (int i = 0; i < 4; i++)
		assert_false(breaker_count(&b, CALL_UNANSWERED, false, 7 * S));
	assert_true(breaker_count(&b, CALL_UNANSWERED, false, 7 * S));
	assert_int_equal(b.opened_ms, 7 * S);
}

static void test_restart_within_an_outage(void **state)
{
	struct breaker b = {0};

	(void)state;
	breaker_reopen(&b, -3 * H, 1 * S); /* from before this boot */
	assert_true(breaker_wants_probe(&b, 1 * S));
	breaker_probe_failed(&b, 1 * S, 1 * S);
	assert_false(breaker_wants_probe(&b, 61 * S - 1)); /* it is an old one */
	assert_true(breaker_wants_probe(&b, 61 * S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_opens_it),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_nothing_to_probe_with),
		cmocka_unit_test(test_closes),
		cmocka_unit_test(test_restart_within_an_outage),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
