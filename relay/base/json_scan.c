/* json_scan — decides whether a text is JSON that Relay takes. Invariant: what passes here cJSON
 * parses to exactly what RFC 8259 says, so that none of its leniencies is ever met. */
#include "relay/base/json_scan.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"

struct scan {
	const char *text, *p, *end;
	struct json_scanner *keep;
	unsigned max_depth;
	const char *why; /* with p at the byte that is wrong */
	enum err_code code;
};

static bool scan_value(struct scan *s, unsigned depth, unsigned level);

static bool fail(struct scan *s, const char *at, const char *why)
{
	s->p = at;
	s->why = why;
	s->code = ERR_FORMAT;
	return false;
}

static bool over(struct scan *s, const char *at, const char *why)
{
	fail(s, at, why);
	s->code = ERR_LIMIT;
	return false;
}

/* p at a backslash; moves p behind the escape (both halves of a surrogate pair). */
static bool scan_escape(struct scan *s, const char *p)
{
	int unit;

	if (s->end - p < 2)
		return fail(s, s->end, "the string does not end");
	if (p[1] != 'u') {
		if (!p[1] || !strchr("\"\\/bfnrt", p[1]))
			return fail(s, p, "unknown escape");
		s->p = p + 2;
		return true;
	}
	unit = json_hex4(p + 2, s->end);
	if (unit < 0)
		return fail(s, p, "\\u without four hexadecimal digits");
	if (unit == 0)
		return fail(s, p, "\\u0000 in a string");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return fail(s, p, "half of a surrogate pair");
	s->p = p + 6;
	if (unit < 0xd800 || unit > 0xdbff)
		return true;
	if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
		return fail(s, p, "half of a surrogate pair");
	unit = json_hex4(s->p + 2, s->end);
	if (unit < 0xdc00 || unit > 0xdfff)
		return fail(s, p, "half of a surrogate pair");
	s->p += 6;
	return true;
}

/* p at the opening quote; moves p behind the closing one. */
static bool scan_string(struct scan *s, bool *ret_escaped)
{
	const char *p = s->p + 1;

	*ret_escaped = false;
	for (;;) {
		p = json_plain(p, s->end);
		if (p == s->end)
			return fail(s, p, "the string does not end");
		if (*p == '"') {
			s->p = p + 1;
			return true;
		}
		if (*p == '\\') {
			*ret_escaped = true;
			if (!scan_escape(s, p))
				return false;
			p = s->p;
		} else if ((unsigned char)*p < 0x20) {
			return fail(s, p, "control character in a string");
		} else {
			size_t step = utf8_step(p, s->end);

			if (!step)
				return fail(s, p, "invalid UTF-8");
			p += step;
		}
	}
}

static const char *digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

static bool scan_number(struct scan *s)
{
	const char *p = s->p, *start = s->p, *whole;

	if (*p == '-')
		p++;
	whole = p;
	p = digits(p, s->end);
	if (p == whole)
		return fail(s, p, "a digit was expected");
	if (*whole == '0' && p - whole > 1)
		return fail(s, whole, "a number begins with 0");
	if (p < s->end && *p == '.') {
		const char *fraction = ++p;

		p = digits(p, s->end);
		if (p == fraction)
			return fail(s, p, "a digit was expected");
	}
	if (p < s->end && (*p | 0x20) == 'e') {
		const char *exponent;

		p++;
		if (p < s->end && (*p == '+' || *p == '-'))
			p++;
		exponent = p;
		p = digits(p, s->end);
		if (p == exponent)
			return fail(s, p, "a digit was expected");
	}
	if (p - start > JSON_NUMBER_MAX)
		return over(s, start, "a number of more than 63 characters");
	s->p = p;
	return true;
}

static bool scan_word(struct scan *s, const char *word, size_t len)
{
	if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len) != 0)
		return fail(s, s->p, "a value was expected");
	s->p += len;
	return true;
}

static inline void skip_blanks(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
		s->p++;
}

/* Moves p behind the byte, which must come next but for blanks. */
static bool scan_byte(struct scan *s, char byte, const char *otherwise)
{
	skip_blanks(s);
	if (s->p == s->end || *s->p != byte)
		return fail(s, s->p, otherwise);
	s->p++;
	return true;
}

/* Enters a name of an object; false when the object already has it. */
static bool new_name(struct json_names *names, unsigned level, uint64_t object, uint64_t hash)
{
	size_t at = hash % JSON_NAME_SLOTS;

	while (names->slot[level][at].object == object) {
		if (names->slot[level][at].hash == hash)
			return false;
		at = (at + 1) % JSON_NAME_SLOTS;
	}
	names->slot[level][at].object = object;
	names->slot[level][at].hash = hash;
	return true;
}

static uint64_t name_hash(const char *raw, size_t len, bool escaped)
{
	char *plain;
	uint64_t hash;

	if (!escaped)
		return hash64(raw, len);
	plain = xmalloc(len);
	hash = hash64(plain, json_unescape(plain, raw, len));
	free(plain);
	return hash;
}

/* A member's name and its colon. */
static bool scan_name(struct scan *s, unsigned level, uint64_t object, bool *ret_without)
{
	const char *start, *without = level == 1 ? s->keep->without : NULL;
	bool escaped;

	skip_blanks(s);
	start = s->p;
	if (start == s->end || *start != '"')
		return fail(s, start, "a name in quotes was expected");
	if (!scan_string(s, &escaped))
		return false;
	if (level < 2 && !new_name(&s->keep->names, level, object,
				   name_hash(start + 1, (size_t)(s->p - start - 2), escaped)))
		return fail(s, start, "a name that the object already has");
	*ret_without = without && (size_t)(s->p - start - 2) == strlen(without) &&
		       !memcmp(start + 1, without, strlen(without));
	return scan_byte(s, ':', "':' was expected");
}

/* What stands between `start` and p. */
static void keep_span(const struct scan *s, struct json_spans *spans, const char *start)
{
	spans->v = mem_grow(spans->v, spans->n, &spans->cap, sizeof *spans->v);
	spans->v[spans->n++] =
		(struct json_span){(size_t)(start - s->text), (size_t)(s->p - start)};
}

/* `level` counts the objects around this one. */
static bool scan_object(struct scan *s, unsigned depth, unsigned level)
{
	uint64_t object = ++s->keep->names.objects;
	size_t names = 0;

	s->p++;
	skip_blanks(s);
	if (s->p < s->end && *s->p == '}') {
		s->p++;
		return true;
	}
	for (;;) {
		bool without;

		if (level < 2 && ++names > JSON_NAMES_MAX)
			return over(s, s->p, "an object of more than 256 names");
		if (!scan_name(s, level, object, &without))
			return false;
		const char *value = s->p;
		if (!scan_value(s, depth, level + 1))
			return false;
		if (without)
			keep_span(s, &s->keep->left_out, value);
		skip_blanks(s);
		if (s->p == s->end || (*s->p != ',' && *s->p != '}'))
			return fail(s, s->p, "',' or '}' was expected");
		if (*s->p++ == '}')
			return true;
	}
}

static bool scan_array(struct scan *s, unsigned depth, unsigned level)
{
	bool keep = depth == 1 && s->keep->want_elements;

	s->p++;
	skip_blanks(s);
	if (s->p < s->end && *s->p == ']') {
		s->p++;
		return true;
	}
	for (;;) {
		const char *start;

		skip_blanks(s);
		start = s->p;
		if (!scan_value(s, depth, level))
			return false;
		if (keep)
			keep_span(s, &s->keep->elements, start);
		skip_blanks(s);
		if (s->p == s->end || (*s->p != ',' && *s->p != ']'))
			return fail(s, s->p, "',' or ']' was expected");
		if (*s->p++ == ']')
			return true;
	}
}

static bool scan_value(struct scan *s, unsigned depth, unsigned level)
{
	bool escaped;

	skip_blanks(s);
	if (s->p == s->end)
		return fail(s, s->p, "the text ends where a value was expected");
	switch (*s->p) {
	case '"': return scan_string(s, &escaped);
	case 't': return scan_word(s, "true", 4);
	case 'f': return scan_word(s, "false", 5);
	case 'n': return scan_word(s, "null", 4);
	case '{':
	case '[':
		if (depth >= s->max_depth)
			return over(s, s->p, "nested too deep");
		return *s->p == '{' ? scan_object(s, depth + 1, level)
				    : scan_array(s, depth + 1, level);
	default:
		if (*s->p != '-' && (*s->p < '0' || *s->p > '9'))
			return fail(s, s->p, "a value was expected");
		return scan_number(s);
	}
}

int json_scan(struct json_scanner *sc, const char *text, size_t len, unsigned max_depth,
	      struct err *err)
{
	struct scan s = {
		.text = text,
		.p = text,
		.end = text + len,
		.keep = sc,
		.max_depth = max_depth < JSON_NEST_MAX ? max_depth : JSON_NEST_MAX,
	};

	sc->elements.n = sc->left_out.n = 0;
	if (scan_value(&s, 0, 0)) {
		skip_blanks(&s);
		if (s.p == s.end)
			return 0;
		fail(&s, s.p, "something behind the value");
	}
	sc->elements.n = sc->left_out.n = 0;
	return err_set(err, s.code, "not JSON at byte %zu: %s", (size_t)(s.p - text), s.why);
}

void json_scanner_release(struct json_scanner *sc)
{
	free(sc->elements.v);
	free(sc->left_out.v);
	sc->elements = sc->left_out = (struct json_spans){0};
}
