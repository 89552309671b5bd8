/* yaml_env — ${VAR} and ${VAR:-default} in values. Invariant: masking changes no line and no
 * column, since each character hidden becomes exactly one other. */
#include "relay/config/yaml_tree.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/json.h"

/* U+10F800 + c stands for the ASCII character c: F4 8F A0 80 to F4 8F A1 BF. */
#define MASK_WIDTH 4

static bool name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t name_len(const char *s, const char *end)
{
	const char *at = s;

	if (at == end || !name_start(*at))
		return 0;
	while (at < end && (name_start(*at) || (*at >= '0' && *at <= '9')))
		at++;
	return (size_t)(at - s);
}

/* How long the reference is whose "${" is at s; 0: it is none that could be hidden. Quotes and
 * backslashes are left to YAML, which has to see them; and at another "${" the search ends, so
 * that a thousand of them are not searched a thousand times. */
static size_t reference_len(const char *s, const char *end)
{
	const char *at = s + 2 + name_len(s + 2, end);

	if (at == s + 2)
		return 0;
	if (end - at > 1 && at[0] == ':' && at[1] == '-')
		for (at += 2; at < end && *at != '}'; at++)
			if ((unsigned char)*at < 0x20 || strchr("\"'\\", *at) ||
			    (at[0] == '$' && end - at > 1 && at[1] == '{'))
				return 0;
	return at < end && *at == '}' ? (size_t)(at + 1 - s) : 0;
}

static void add_masked(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		const char hidden[MASK_WIDTH] = {'\xF4', '\x8F', (char)(0xA0 | c >> 6),
						 (char)(0x80 | (c & 0x3F))};
		buf_add(out, c < 0x80 ? hidden : s + i, c < 0x80 ? MASK_WIDTH : 1);
	}
}

void yaml_mask(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *dollar = memchr(text, '$', (size_t)(end - text));
		size_t plain = (size_t)((dollar ? dollar : end) - text), hidden = 0;
		buf_add(out, text, plain);
		text += plain;
		if (!dollar)
			return;
		if (end - text > 1 && text[1] == '{')
			hidden = reference_len(text, end);
		buf_addc(out, '$');
		if (end - text > 1 && text[1] == '$')
			buf_addc(out, *++text);
		text++;
		if (hidden) {
			add_masked(out, text, hidden - 1);
			text += hidden - 1;
		}
	}
}

ssize_t yaml_masked_at(const char *text, size_t len)
{
	const char *found = memmem(text, len, "\xF4\x8F\xA0", 3);

	if (!found)
		found = memmem(text, len, "\xF4\x8F\xA1", 3);
	return found ? found - text : -1;
}

size_t yaml_unmask(char *text, size_t len)
{
	size_t to = 0;

	for (size_t i = 0; i < len;) {
		bool hidden = len - i >= MASK_WIDTH && !memcmp(text + i, "\xF4\x8F", 2) &&
			      ((unsigned char)text[i + 2] & 0xFE) == 0xA0;
		if (hidden)
			text[to++] = (char)(((unsigned char)text[i + 2] & 1) << 6 |
					    ((unsigned char)text[i + 3] & 0x3F));
		else
			text[to++] = text[i];
		i += hidden ? MASK_WIDTH : 1;
	}
	text[to] = '\0';
	return to;
}

struct reference {
	char name[128];
	const char *otherwise; /* NULL: no default */
	size_t otherwise_len;
	const char *after; /* behind its brace */
};

/* Reads the reference whose "${" is at s. */
static bool read_reference(const char *s, const char *end, struct reference *ret,
			   const struct node *at, struct problems *p)
{
	size_t len = name_len(s + 2, end);
	const char *rest = s + 2 + len, *close = memchr(rest, '}', (size_t)(end - rest));

	*ret = (struct reference){.after = close ? close + 1 : end};
	if (!len || len >= sizeof ret->name || !close) {
		problem_at(p, at,
			   "\"${\" starts a variable, as ${NAME} or ${NAME:-default}; "
			   "a dollar sign is written $$");
		return false;
	}
	memcpy(ret->name, s + 2, len);
	if (rest == close)
		return true;
	ret->otherwise = rest + 2;
	if (close - rest < 2 || rest[0] != ':' || rest[1] != '-') {
		problem_at(p, at, "${%s must go on with } or :-default}", ret->name);
		return false;
	}
	ret->otherwise_len = (size_t)(close - ret->otherwise);
	if (memmem(ret->otherwise, ret->otherwise_len, "${", 2)) {
		problem_at(p, at, "the default of ${%s} cannot hold a variable", ret->name);
		return false;
	}
	return true;
}

static bool add_value(struct buf *out, const struct reference *r, const struct node *at,
		      struct problems *p, bool *ret_secret)
{
	const char *value = getenv(r->name);

	if (r->otherwise && (!value || !*value)) {
		buf_add(out, r->otherwise, r->otherwise_len);
		return true;
	}
	if (!value) {
		problem_at(p, at, "the environment variable %s is not set", r->name);
		return false;
	}
	if (!utf8_valid(value, strlen(value))) {
		problem_at(p, at, "the environment variable %s is not UTF-8", r->name);
		return false;
	}
	*ret_secret = true;
	buf_adds(out, value);
	return true;
}

bool yaml_expand(struct buf *out, const struct node *at, struct problems *p, bool *ret_secret)
{
	const char *s = at->text, *end = s + at->len;
	bool good = true;

	while (s < end) {
		const char *dollar = memchr(s, '$', (size_t)(end - s));
		buf_add(out, s, (size_t)((dollar ? dollar : end) - s));
		if (!dollar)
			break;
		s = dollar + 1;
		if (s < end && *s == '{') {
			struct reference r;
			if (!read_reference(dollar, end, &r, at, p) ||
			    !add_value(out, &r, at, p, ret_secret))
				good = false;
			s = r.after;
			continue;
		}
		buf_addc(out, '$');
		s += s < end && *s == '$';
	}
	if (out->full)
		problem_at(p, at, "the values of variables are too long");
	return good && !out->full;
}
