/*
 * clock — what time it is, and dates as text.
 *
 * Only the relay's top layer, its commands and the threads' waits read the clock; all else is
 * handed a `struct instant`, so that tests run a year in a second. The wall clock is for records
 * and signatures, the monotonic one for waiting: a jump of the wall clock moves no timer.
 */
#ifndef RELAY_CLOCK_H
#define RELAY_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct instant {
	int64_t wall_ms; /* since 1970-01-01 UTC */
	int64_t mono_ms; /* since some moment; never goes back */
};

struct instant clock_now(void);
int64_t clock_mono_us(void); /* for measuring how long something took */

#define DATE_NONE INT64_MIN /* no date: the value of a null or missing field */
#define DATE_TEXT 32	    /* room for date_format's text and its NUL */

/*
 * RFC 3339 with any offset and any number of fraction digits (cut to ms), "T" or a space between
 * date and time, or a date alone (midnight UTC). A leap second counts as the second before it.
 * Years 0001 to 9999. False when it is anything else; *ret_ms is then untouched.
 */
bool date_parse(const char *text, size_t len, int64_t *ret_ms);

/* "2026-11-22T10:00:00.123Z"; always three fraction digits. Values outside the years 0001 to
 * 9999 are clamped. Returns ret. */
char *date_format(char ret[DATE_TEXT], int64_t ms);

#endif
