/* json_redact — one pass that copies, and steps over what is nulled. A string is a name exactly
 * when a colon follows, so no stack is needed and no depth is too deep. Invariant: p never passes
 * `end`, whatever the bytes are. */
#include "relay/base/json_redact.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/json_scan.h"
#include "relay/base/mem.h"

struct redaction {
	struct buf *out;
	const char *end;
	const char *kept;   /* what begins here is not yet copied */
	const char *inside; /* NULL: everywhere */
	const char *const *names;
	size_t n;
	size_t depth; /* of objects and arrays around p */
	bool within;  /* p is below `inside` */
};

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

static bool reads(const char *key, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(key, name, len) == 0;
}

static bool is_listed(const struct redaction *r, const char *key, size_t len)
{
	for (size_t i = 0; i < r->n; i++)
		if (reads(key, len, r->names[i]))
			return true;
	return false;
}

/* The value at p gives way to null; returns what is behind it. */
static const char *null_value(struct redaction *r, const char *p)
{
	const char *behind = json_skip(p, r->end);

	while (behind > p && skip_blanks(behind - 1, behind) == behind)
		behind--; /* behind a number they are the text's */
	buf_add(r->out, r->kept, (size_t)(p - r->kept));
	buf_adds(r->out, "null");
	r->kept = behind;
	return behind;
}

/* The key as it reads, between its quotes; value: behind the colon. Returns where to go on. */
static const char *judge(struct redaction *r, const char *key, size_t len, const char *value)
{
	if (r->inside && r->depth == 1)
		r->within = reads(key, len, r->inside);
	else if (r->within && is_listed(r, key, len))
		return null_value(r, skip_blanks(value, r->end));
	return value;
}

/* p at an opening quote. */
static const char *pass_string(struct redaction *r, const char *p)
{
	const char *behind = json_skip(p, r->end), *colon = skip_blanks(behind, r->end);
	size_t len = (size_t)(behind - p) - 2;
	char *plain;

	if (colon == r->end || *colon != ':')
		return behind;
	if (!memchr(p, '\\', len + 1))
		return judge(r, p + 1, len, colon + 1);
	plain = xmalloc(len + 8); /* see json_skim: a broken escape may grow */
	behind = judge(r, plain, json_unescape(plain, p + 1, len), colon + 1);
	free(plain);
	return behind;
}

void json_redact(struct buf *out, const char *text, size_t len, const char *inside,
		 const char *const *names, size_t n)
{
	struct redaction r = {
		.out = out,
		.end = text + len,
		.kept = text,
		.inside = inside,
		.within = !inside,
		.names = names,
		.n = n,
	};
	const char *p = text;

	while (p < r.end) {
		switch (*p) {
		case '"': p = pass_string(&r, p); continue;
		case '{':
		case '[': r.depth++; break;
		case '}':
		case ']': r.depth--; break;
		default: break;
		}
		p++;
	}
	buf_add(out, r.kept, (size_t)(r.end - r.kept));
}
