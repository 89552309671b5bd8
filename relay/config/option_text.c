/* option_text — quantities, numbers and URLs from text. Invariant: no locale, no double on the way
 * to an integer, and nothing left over behind the unit. */
#include "relay/config/option_value.h"

#include <string.h>

#include "relay/base/buf.h"

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit durations[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {0},
};
static const struct unit sizes[] = {
	{"", 1}, {"B", 1}, {"KB", 1000}, {"MB", 1000000}, {"GB", 1000000000}, {"TB", 1000000000000},
	{0},
};
static const struct unit rates[] = {{"/s", 1}, {"/min", 60}, {"/h", 3600}, {0}};
static const struct unit percents[] = {{"%", 100}, {0}};

/* "1.5h" is mantissa 15, scale 10, factor 3600000. */
struct quantity {
	int64_t mantissa, scale, factor;
};

static bool read_quantity(const char *s, const struct unit *units, struct quantity *ret)
{
	struct quantity q = {0, 1, 0};
	bool point = false, digits = false;

	for (; (*s >= '0' && *s <= '9') || (*s == '.' && !point && digits); s++) {
		digits = *s != '.';
		if (*s == '.') {
			point = true;
			continue;
		}
		if (__builtin_mul_overflow(q.mantissa, 10, &q.mantissa) ||
		    __builtin_add_overflow(q.mantissa, *s - '0', &q.mantissa) ||
		    (point && __builtin_mul_overflow(q.scale, 10, &q.scale)))
			return false;
	}
	for (; digits && units->name; units++) {
		if (strcmp(units->name, s) == 0) {
			q.factor = units->factor;
			*ret = q;
			return true;
		}
	}
	return false;
}

/* Exact, or false: 0.5ms is no whole number of milliseconds. */
static bool read_whole(const char *text, const struct unit *units, int64_t *ret)
{
	struct quantity q;
	int64_t value;

	if (!read_quantity(text, units, &q) ||
	    __builtin_mul_overflow(q.mantissa, q.factor, &value) || value % q.scale)
		return false;
	*ret = value / q.scale;
	return true;
}

static bool read_share(const char *text, const struct unit *units, double *ret)
{
	struct quantity q;

	if (!read_quantity(text, units, &q))
		return false;
	*ret = (double)q.mantissa / (double)q.scale / (double)q.factor;
	return true;
}

bool option_duration(const char *text, int64_t *ret_ms)
{
	if (strcmp(text, "0") != 0)
		return read_whole(text, durations, ret_ms);
	*ret_ms = 0;
	return true;
}

bool option_size(const char *text, int64_t *ret_bytes)
{
	return read_whole(text, sizes, ret_bytes);
}

bool option_rate(const char *text, double *ret_per_s)
{
	return read_share(text, rates, ret_per_s);
}

bool option_percent(const char *text, double *ret)
{
	return read_share(text, percents, ret);
}

bool option_int(const char *text, int64_t *ret)
{
	const char *s = text + (*text == '-' || *text == '+');
	int64_t value = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		int digit = *s - '0';
		if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *text == '-' ? -digit : digit, &value))
			return false;
	}
	*ret = value;
	return true;
}

/* A port, 1 to 65535, and nothing behind it. */
static bool good_port(const char *s, size_t len)
{
	unsigned port = 0;

	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9' || len > 5)
			return false;
		port = port * 10 + (unsigned)(s[i] - '0');
	}
	return port > 0 && port < 65536;
}

/* host, host:port, [v6], [v6]:port */
static bool good_authority(const char *s, size_t len)
{
	const char *close = len && *s == '[' ? memchr(s, ']', len) : NULL;
	const char *host_end = close ? close + 1 : s;

	while (!close && host_end < s + len && *host_end != ':')
		host_end++;
	if (host_end == s || (*s == '[' && (!close || close == s + 1)))
		return false;
	size_t rest = (size_t)(s + len - host_end);
	return !rest || (*host_end == ':' && good_port(host_end + 1, rest - 1));
}

const char *option_url_refuses(const char *text)
{
	const char *host = text;

	if (strncmp(text, "https://", 8) == 0)
		host += 8;
	else if (strncmp(text, "http://", 7) == 0)
		host += 7;
	else
		return "must be an http:// or https:// URL";
	size_t len = strcspn(host, "/?#");
	if (memchr(host, '@', len))
		return "must not hold a user name or password";
	/* a template may stand in it, with spaces of its own */
	if (!good_authority(host, len) && !memmem(host, len, "{{", 2))
		return "must be a URL with a host, and a port only as a number up to 65535";
	for (const char *s = text; *s; s++) {
		const char *close = strncmp(s, "{{", 2) == 0 ? strstr(s, "}}") : NULL;
		s = close ? close + 1 : s;
		if ((unsigned char)*s <= ' ' || *s == 0x7F || *s == '\\')
			return "must be a URL without spaces, control characters and backslashes";
	}
	return NULL;
}

/* 600000 ms is "10m". */
void option_add_amount(struct buf *out, const struct option *row, int64_t value)
{
	const struct unit *units = row->type == OPT_SIZE ? sizes : durations, *fits = NULL;

	for (; row->type != OPT_INT && value && units->name; units++)
		if (value % units->factor == 0)
			fits = units;
	buf_addi(out, fits ? value / fits->factor : value);
	buf_adds(out, fits ? fits->name : "");
}
