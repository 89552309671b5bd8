/* clock — dates against the C library's calendar, and every way in which a text is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "relay/base/clock.h"
#include "relay/base/random.h"

#define FIRST_MS (-62135596800000LL)
#define LAST_MS	 253402300799999LL
#define NOON	 1795348800000LL /* 2026-11-22T12:00:00Z */

static void clocks_run(void **state)
{
	struct instant a = clock_now();
	int64_t a_us = clock_mono_us();
	struct instant b = clock_now();
	int64_t wall_s = (int64_t)time(NULL);

	(void)state;
	assert_true(a.mono_ms <= a_us / 1000 && a_us / 1000 <= b.mono_ms);
	assert_true(a.wall_ms / 1000 <= wall_s + 1 && a.wall_ms / 1000 >= wall_s - 60);
}

static void reads_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01", 0},
		{"2026-11-22", NOON - 12 * 3600000},
		{"2026-11-22T12:00:00Z", NOON},
		{"2026-11-22t12:00:00z", NOON},
		{"2026-11-22 12:00:00Z", NOON},
		{"2026-11-22T12:00:00+00:00", NOON},
		{"2026-11-22T12:00:00-00:00", NOON},
		{"2026-11-22T14:30:00+02:30", NOON},
		{"2026-11-22T04:00:00-08:00", NOON},
		{"2026-11-23T11:59:00+23:59", NOON},
		{"2026-11-21T12:01:00-23:59", NOON},
		{"2026-11-22T12:00:00.1Z", NOON + 100},
		{"2026-11-22T12:00:00.12Z", NOON + 120},
		{"2026-11-22T12:00:00.123Z", NOON + 123},
		{"2026-11-22T12:00:00.1239Z", NOON + 123},
		{"2026-11-22T12:00:00.000999999999999999999999999999Z", NOON},
		{"2026-11-22T12:00:00.007+00:00", NOON + 7},
		{"1969-12-31T23:59:59.999Z", -1},
		{"2016-12-31T23:59:60Z", 1483228799000},
		{"2016-12-31T23:59:60.5Z", 1483228799500},
		{"2016-12-31T15:59:60-08:00", 1483228799000},
		{"2017-01-01T05:29:60+05:30", 1483228799000},
		{"2000-02-29T00:00:00Z", 951782400000},
		{"2024-02-29", 1709164800000},
		{"0001-01-01T00:00:00Z", FIRST_MS},
		{"0001-01-01", FIRST_MS},
		{"9999-12-31T23:59:59.999Z", LAST_MS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t ms = 17;
		if (!date_parse(cases[i].text, strlen(cases[i].text), &ms) || ms != cases[i].ms)
			fail_msg("%s: %lld", cases[i].text, (long long)ms);
	}
}

static const char *const no_dates[] = {
	"",
	"2",
	"2026",
	"2026-11",
	"2026-11-2",
	"2026-11-022",
	"26-11-22",
	"+2026-11-22",
	"-026-11-22",
	"2026/11/22",
	"2026-1-22",
	" 2026-11-22",
	"2026-11-22 ",
	"20261122",
	"0000-01-01",
	"2026-00-10",
	"2026-13-10",
	"2026-01-00",
	"2026-01-32",
	"2026-02-29",
	"2026-02-30",
	"1900-02-29",
	"2100-02-29",
	"2026-04-31",
	"2026-06-31",
	"2026-09-31",
	"2026-11-31",
	"2026-12-32",
	"2026-11-22T",
	"2026-11-22T12",
	"2026-11-22T12:00Z",
	"2026-11-22T12:00:00",
	"2026-11-22T12:00:0Z",
	"2026-11-22T120000Z",
	"2026-11-22_12:00:00Z",
	"2026-11-22  12:00:00Z",
	"2026-11-22T24:00:00Z",
	"2026-11-22T12:60:00Z",
	"2026-11-22T12:00:61Z",
	"2026-11-22T12:00:60Z",
	"2016-12-31T23:59:60+01:00",
	"2026-11-22T12:00:00.Z",
	"2026-11-22T12:00:00,5Z",
	"2026-11-22T12:00:00.5",
	"2026-11-22T12:00:00.-5Z",
	"2026-11-22T12:00:00.1 Z",
	"2026-11-22T-1:00:00Z",
	"2026-11-22T12:00:00+1:00",
	"2026-11-22T12:00:00+0100",
	"2026-11-22T12:00:00+01",
	"2026-11-22T12:00:00+24:00",
	"2026-11-22T12:00:00+01:60",
	"2026-11-22T12:00:00 Z",
	"2026-11-22T12:00:00ZZ",
	"2026-11-22T12:00:00Z ",
	"2026-11-22T12:00:00+01:00Z",
	"2026-11-22T12:00:00UTC",
	"2026-11-22T12:00:00.123Zx",
	"Sun, 22 Nov 2026 12:00:00 GMT",
	"1795348800",
	"0001-01-01T00:00:00+00:01",
	"9999-12-31T23:59:59-00:01",
	"\xD9\xA2\xD9\xA0\xD9\xA2\xD9\xA6-11-22",
};

static void refuses_other_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof no_dates / sizeof *no_dates; i++) {
		int64_t ms = 17;
		if (date_parse(no_dates[i], strlen(no_dates[i]), &ms) || ms != 17)
			fail_msg("\"%s\" was taken as %lld", no_dates[i], (long long)ms);
	}
}

/* The length counts, not a NUL; and no cut of a long date that is no date itself is one. */
static void reads_only_what_it_is_given(void **state)
{
	static const char text[] = "2026-11-22T12:00:00.123+00:00";
	int64_t ms;

	(void)state;
	assert_false(date_parse("2026-11-22\0", 11, &ms));
	for (size_t len = 0; len < sizeof text; len++) {
		char *exact = malloc(len + 1); /* the sanitizer guards what lies behind */
		memcpy(exact, text, len);
		exact = realloc(exact, len ? len : 1);
		assert_int_equal(date_parse(exact, len, &ms), len == 10 || len == sizeof text - 1);
		free(exact);
	}
}

static int64_t any_date(struct prng *p)
{
	return FIRST_MS + (int64_t)(prng_next(p) % (uint64_t)(LAST_MS - FIRST_MS + 1));
}

static void formats_like_the_library(void **state)
{
	struct prng p = {1};

	(void)state;
	for (int i = 0; i < 100000; i++) {
		int64_t ms = any_date(&p);
		time_t s = (time_t)((ms - FIRST_MS) / 1000 + FIRST_MS / 1000);
		char text[DATE_TEXT], expected[64];
		struct tm tm;
		gmtime_r(&s, &tm);
		snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
			 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			 tm.tm_sec, (int)((ms - FIRST_MS) % 1000));
		assert_ptr_equal(date_format(text, ms), text);
		assert_string_equal(text, expected);
	}
}

static void every_day_round_trips(void **state)
{
	(void)state;
	for (int64_t day = FIRST_MS; day < LAST_MS; day += 86400000) {
		char text[DATE_TEXT];
		int64_t whole = 0, alone = 0;
		date_format(text, day);
		if (!date_parse(text, strlen(text), &whole) || !date_parse(text, 10, &alone) ||
		    whole != day || alone != day)
			fail_msg("%s", text);
	}
}

/* The same moment, written with any offset and any fraction, is the same number. */
static void any_spelling_is_the_same_moment(void **state)
{
	struct prng p = {2};

	(void)state;
	for (int i = 0; i < 100000; i++) {
		int offset = (int)(prng_next(&p) % 2879) - 1439; /* minutes */
		int64_t ms = any_date(&p), local = ms + offset * 60000LL, back = 17;
		char text[DATE_TEXT], spelled[96];
		if (local < FIRST_MS || local > LAST_MS)
			continue;
		date_format(text, local);
		int at_minutes = offset < 0 ? -offset : offset;
		snprintf(spelled, sizeof spelled, "%.23s%.*s%c%02d:%02d", text,
			 (int)(prng_next(&p) % 20), "98765432109876543210", offset < 0 ? '-' : '+',
			 at_minutes / 60, at_minutes % 60);
		if (!date_parse(spelled, strlen(spelled), &back) || back != ms)
			fail_msg("%s: %lld, not %lld", spelled, (long long)back, (long long)ms);
	}
}

static void clamps(void **state)
{
	char text[DATE_TEXT];

	(void)state;
	assert_string_equal(date_format(text, DATE_NONE), "0001-01-01T00:00:00.000Z");
	assert_string_equal(date_format(text, FIRST_MS - 1), "0001-01-01T00:00:00.000Z");
	assert_string_equal(date_format(text, LAST_MS + 1), "9999-12-31T23:59:59.999Z");
	assert_string_equal(date_format(text, INT64_MAX), "9999-12-31T23:59:59.999Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_run),
		cmocka_unit_test(reads_dates),
		cmocka_unit_test(refuses_other_text),
		cmocka_unit_test(reads_only_what_it_is_given),
		cmocka_unit_test(formats_like_the_library),
		cmocka_unit_test(every_day_round_trips),
		cmocka_unit_test(any_spelling_is_the_same_moment),
		cmocka_unit_test(clamps),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
