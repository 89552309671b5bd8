/* http_header — what can be said of headers and dates without a connection. Invariant: nothing
 * here allocates or reads beyond a NUL. */
#include "relay/base/http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "relay/base/buf.h"
#include "relay/base/clock.h"

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

const char *http_header(const struct http_reply *reply, const char *name)
{
	const struct buf *headers = reply->headers;
	size_t name_len = strlen(name);
	const char *line;

	if (!headers)
		return NULL;
	for (line = headers->data; line < headers->data + headers->len; line += strlen(line) + 1) {
		if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':')
			return skip_blanks(line + name_len + 1);
	}
	return NULL;
}

/* The parts of a date as found in one of the three forms. */
struct parts {
	char month[4];
	int day, year, hour, minute, second;
};

static bool read_parts(const char *text, struct parts *p)
{
	int end = 0;

	/* Sun, 06 Nov 1994 08:49:37 GMT */
	sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &p->day, p->month,
	       &p->year, &p->hour, &p->minute, &p->second, &end);
	if (end)
		return !text[end];
	/* Sunday, 06-Nov-94 08:49:37 GMT */
	sscanf(text, "%*[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &p->day, p->month,
	       &p->year, &p->hour, &p->minute, &p->second, &end);
	if (end) {
		p->year += p->year < 70 ? 2000 : 1900;
		return !text[end];
	}
	/* Sun Nov  6 08:49:37 1994 */
	sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", p->month, &p->day, &p->hour,
	       &p->minute, &p->second, &p->year, &end);
	return end && !text[end];
}

bool http_date(const char *text, int64_t *ret_ms)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct parts p = {.month = ""};
	const char *month;
	char date[64];
	int len;

	if (!read_parts(text, &p))
		return false;
	month = strstr(months, p.month);
	if (strlen(p.month) != 3 || !month || (month - months) % 3)
		return false;
	len = snprintf(date, sizeof date, "%04d-%02d-%02dT%02d:%02d:%02dZ", p.year,
		       (int)(month - months) / 3 + 1, p.day, p.hour, p.minute, p.second);
	return date_parse(date, (size_t)len, ret_ms);
}

int64_t http_retry_after(const char *text, int64_t now_wall_ms)
{
	int64_t seconds = 0, date;
	size_t digits;

	text = skip_blanks(text);
	digits = strspn(text, "0123456789");
	if (digits && !*skip_blanks(text + digits)) {
		for (size_t i = 0; i < digits; i++)
			if (seconds < INT64_C(1) << 40) /* beyond it only "for ever" is meant */
				seconds = seconds * 10 + (text[i] - '0');
		return seconds * 1000;
	}
	if (!http_date(text, &date))
		return -1;
	return date > now_wall_ms ? date - now_wall_ms : 0;
}

void http_escape(struct buf *out, const char *text)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~";

	while (*text) {
		size_t plain = strspn(text, unreserved);

		buf_add(out, text, plain);
		text += plain;
		if (*text)
			buf_addf(out, "%%%02X", (unsigned char)*text++);
	}
}
