/* json_members — steps from name to value to name. Invariant: nothing is read beyond `end`. */
#include "relay/base/json_members.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/json_scan.h"
#include "relay/base/mem.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

bool json_member_next(const char **at, const char *end, struct json_member *ret)
{
	const char *p = *at, *behind;

	while (p < end && (is_blank(*p) || *p == '{' || *p == ','))
		p++;
	if (p == end || *p != '"')
		return false;
	behind = json_skip(p, end);
	ret->name = p + 1;
	ret->name_len = behind - p < 2 ? 0 : (size_t)(behind - p) - 2;
	for (p = behind; p < end && (is_blank(*p) || *p == ':'); p++) {
	}
	ret->value = p;
	*at = behind = json_skip(p, end);
	while (behind > p && is_blank(behind[-1]))
		behind--;
	ret->len = (size_t)(behind - p);
	return true;
}

bool json_member_is(const struct json_member *m, const char *name)
{
	return strlen(name) == m->name_len && memcmp(m->name, name, m->name_len) == 0;
}

void json_member_text(const struct json_member *m, struct buf *out)
{
	char *text;

	if (m->len < 2 || *m->value != '"') {
		buf_add(out, m->value, m->len);
		return;
	}
	text = xmalloc(m->len + 8); /* see json_skim: a broken escape may grow */
	buf_add(out, text, json_unescape(text, m->value + 1, m->len - 2));
	free(text);
}
