/* clock — the two clocks, and dates as text by arithmetic alone: no locale, no time zone of the
 * machine, no libc calendar. Dates are the proleptic Gregorian calendar of years 0001 to 9999. */
#include "relay/base/clock.h"

#include <time.h>

#define DAY_MS	 86400000LL
#define DATE_MIN (-62135596800000LL) /* 0001-01-01T00:00:00.000Z */
#define DATE_MAX 253402300799999LL   /* 9999-12-31T23:59:59.999Z */

static int64_t clock_us(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct instant clock_now(void)
{
	return (struct instant){
		.wall_ms = clock_us(CLOCK_REALTIME) / 1000,
		.mono_ms = clock_us(CLOCK_MONOTONIC) / 1000,
	};
}

int64_t clock_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

struct date {
	int year, month, day;
};

static bool leap_year(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && leap_year(year));
}

/*
 * Days since 1970-01-01. Years are counted from March, so that the leap day is the last one and
 * the months before it have the lengths (153 m + 2) / 5; eras of 400 years are all equal.
 */
static int64_t days_of(struct date d)
{
	int year = d.month > 2 ? d.year : d.year - 1;
	int64_t era = year / 400, of_era = year % 400;
	int of_year = (153 * (d.month > 2 ? d.month - 3 : d.month + 9) + 2) / 5 + d.day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct date date_of(int64_t days)
{
	int64_t shifted = days + 719468; /* from 0000-03-01; positive for all years we know */
	int era = (int)(shifted / 146097), day = (int)(shifted % 146097);
	int of_era = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
	int month = (5 * of_year + 2) / 153; /* from March */

	return (struct date){
		.year = era * 400 + of_era + (month > 9),
		.month = month < 10 ? month + 3 : month - 9,
		.day = of_year - (153 * month + 2) / 5 + 1,
	};
}

/* What is left of the text; every take_… advances only when it succeeds. */
struct cursor {
	const char *at, *end;
};

static bool take_char(struct cursor *c, const char *any_of)
{
	for (; c->at < c->end && *any_of; any_of++) {
		if (*c->at == *any_of) {
			c->at++;
			return true;
		}
	}
	return false;
}

static bool take_digits(struct cursor *c, int n, int *ret)
{
	int value = 0;

	if (c->end - c->at < n)
		return false;
	for (int i = 0; i < n; i++) {
		if (c->at[i] < '0' || c->at[i] > '9')
			return false;
		value = value * 10 + (c->at[i] - '0');
	}
	c->at += n;
	*ret = value;
	return true;
}

static bool take_date(struct cursor *c, struct date *ret)
{
	if (!take_digits(c, 4, &ret->year) || !take_char(c, "-") ||
	    !take_digits(c, 2, &ret->month) || !take_char(c, "-") || !take_digits(c, 2, &ret->day))
		return false;
	return ret->year >= 1 && ret->month >= 1 && ret->month <= 12 && ret->day >= 1 &&
	       ret->day <= month_days(ret->year, ret->month);
}

/* An optional ".digits" as ms. */
static bool take_fraction(struct cursor *c, int *ret_ms)
{
	int digit, weight = 100;

	*ret_ms = 0;
	if (!take_char(c, "."))
		return true;
	if (!take_digits(c, 1, &digit))
		return false;
	do {
		*ret_ms += digit * weight;
		weight /= 10;
	} while (take_digits(c, 1, &digit));
	return true;
}

/* "Z", or what a clock there is ahead of UTC, in minutes. */
static bool take_offset(struct cursor *c, int *ret_minutes)
{
	int hours, minutes;

	*ret_minutes = 0;
	if (take_char(c, "Zz"))
		return true;
	bool behind = c->at < c->end && *c->at == '-';
	if (!take_char(c, "+-") || !take_digits(c, 2, &hours) || !take_char(c, ":") ||
	    !take_digits(c, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_minutes = (behind ? -1 : 1) * (hours * 60 + minutes);
	return true;
}

/* The time of day as ms before or after midnight UTC of the written day. */
static bool take_time(struct cursor *c, int64_t *ret_ms)
{
	int hour, minute, second, ms, offset;

	if (!take_digits(c, 2, &hour) || !take_char(c, ":") || !take_digits(c, 2, &minute) ||
	    !take_char(c, ":") || !take_digits(c, 2, &second) || !take_fraction(c, &ms) ||
	    !take_offset(c, &offset) || hour > 23 || minute > 59 || second > 60)
		return false;

	int of_day = hour * 60 + minute - offset;
	if (second == 60) { /* there is one only at the end of a UTC day */
		if ((of_day + 1) % 1440 != 0)
			return false;
		second = 59;
	}
	*ret_ms = (of_day * 60LL + second) * 1000 + ms;
	return true;
}

bool date_parse(const char *text, size_t len, int64_t *ret_ms)
{
	struct cursor c = {text, text + len};
	struct date date;
	int64_t of_day = 0;

	if (!take_date(&c, &date))
		return false;
	if (c.at < c.end && (!take_char(&c, "Tt ") || !take_time(&c, &of_day) || c.at < c.end))
		return false;

	int64_t ms = days_of(date) * DAY_MS + of_day;
	if (ms < DATE_MIN || ms > DATE_MAX) /* by its offset */
		return false;
	*ret_ms = ms;
	return true;
}

static char *put(char *at, int value, int digits, char after)
{
	for (int i = digits - 1; i >= 0; i--) {
		at[i] = (char)('0' + value % 10);
		value /= 10;
	}
	at[digits] = after;
	return at + digits + 1;
}

char *date_format(char ret[DATE_TEXT], int64_t ms)
{
	if (ms < DATE_MIN)
		ms = DATE_MIN;
	if (ms > DATE_MAX)
		ms = DATE_MAX;

	int64_t since_min = ms - DATE_MIN; /* never negative, so / and % round down */
	int64_t days = since_min / DAY_MS + DATE_MIN / DAY_MS;
	int of_day = (int)(since_min % DAY_MS);
	struct date date = date_of(days);
	char *at = ret;

	at = put(at, date.year, 4, '-');
	at = put(at, date.month, 2, '-');
	at = put(at, date.day, 2, 'T');
	at = put(at, of_day / 3600000, 2, ':');
	at = put(at, of_day / 60000 % 60, 2, ':');
	at = put(at, of_day / 1000 % 60, 2, '.');
	at = put(at, of_day % 1000, 3, 'Z');
	*at = '\0';
	return ret;
}
