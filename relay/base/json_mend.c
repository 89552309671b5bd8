/* json_mend — one bad element must not hide the others of its page. Invariant: the text keeps its
 * length, and what stays of it stays where it was. */
#include <string.h>

#include "relay/base/json_scan.h"

#define MENDED_MAX 1000 /* of a page that has more, nothing is worth the time */

static char *skip_blanks(char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/* p at a quote; at the closing one. */
static char *skip_string(char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p;
}

/* To the comma or bracket behind an element that need not be good. */
static char *skip_element(char *p, const char *end)
{
	size_t open = 0;

	for (; p < end; p++) {
		if (*p == '"')
			p = skip_string(p, end);
		else if (*p == '{' || *p == '[')
			open++;
		else if (!open && (*p == ',' || *p == ']'))
			break;
		else if (open && (*p == '}' || *p == ']'))
			open--;
		if (p == end)
			break;
	}
	return p;
}

size_t json_mend(char *text, size_t len, unsigned max_depth)
{
	struct json_scanner scanner = {.want_elements = false};
	char *end = text + len, *p = skip_blanks(text, end);
	size_t mended = 0;
	struct err err = {0};

	if (p == end || *p != '[')
		return 0;
	do {
		char *from = skip_blanks(p + 1, end);
		p = skip_element(from, end);
		size_t size = (size_t)(p - from);
		if (json_scan(&scanner, from, size, max_depth - 1, &err) == 0 || size < 4)
			continue;
		memcpy(from, "null", 4);
		memset(from + 4, ' ', size - 4);
		mended++;
	} while (p < end && *p == ',' && mended < MENDED_MAX);
	return mended;
}
