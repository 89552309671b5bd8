/* query — query strings and percent-encoding. */
#include "examples/invent-sim/query.h"

#include <string.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void query_decode(char ret[QUERY_VALUE], const char *text, size_t len, bool form)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < QUERY_VALUE; i++) {
		char c = text[i];
		if (c == '+' && form) {
			c = ' ';
		} else if (c == '%' && len - i > 2 && hex(text[i + 1]) >= 0 &&
			   hex(text[i + 2]) >= 0) {
			c = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
			i += 2;
		}
		ret[n++] = c;
	}
	ret[n] = '\0';
}

bool query_nth(const char *query, const char *name, unsigned nth, char ret[QUERY_VALUE])
{
	char key[QUERY_VALUE];

	for (const char *at = query ? query : ""; *at; at += *at == '&') {
		size_t len = strcspn(at, "&"), key_len = strcspn(at, "=&");
		query_decode(key, at, key_len, true);
		if (!strcmp(key, name) && nth-- == 0) {
			size_t skip = key_len < len ? key_len + 1 : key_len;
			query_decode(ret, at + skip, len - skip, true);
			return true;
		}
		at += len;
	}
	return false;
}

bool query_get(const char *query, const char *name, char ret[QUERY_VALUE])
{
	return query_nth(query, name, 0, ret);
}
