/* json_skim — the pass over the text. Invariant: p never passes `end`, whatever the bytes are. */
#include "relay/base/json_skim.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/json_path.h"
#include "relay/base/json_scan.h"
#include "relay/base/mem.h"

#define EACH(byte) (0x0101010101010101ULL * (byte))

struct walk {
	const struct json_paths *paths;
	struct json_skim *s;
	const char *text, *end;
	unsigned depth;
};

static const char *read_value(struct walk *w, const char *p, uint32_t path);

static inline bool is_space(char c)
{
	return (unsigned char)c <= ' ';
}

/* p inside a string: its closing quote, or `end`. */
static inline const char *string_end(const char *p, const char *end, bool *ret_escaped)
{
	for (;;) {
		while (end - p >= 8) {
			uint64_t word = load8(p), quote = word ^ EACH('"');
			uint64_t slash = word ^ EACH('\\'), hits;

			/* As in json_plain: only the lowest hit is surely one. */
			hits = ((quote - EACH(1)) & ~quote) | ((slash - EACH(1)) & ~slash);
			hits &= EACH(0x80);
			if (hits) {
				p += __builtin_ctzll(hits) / 8;
				break;
			}
			p += 8;
		}
		while (p < end && *p != '"' && *p != '\\')
			p++;
		if (p == end || *p == '"')
			return p;
		*ret_escaped = true;
		if (end - p < 2)
			return end;
		p += 2;
	}
}

static inline const char *behind(const char *p, const char *end)
{
	return p < end ? p + 1 : end;
}

/* p in an object or array that is `depth` deep in what is stepped over: behind its end. */
static const char *skip_nest(const char *p, const char *end, unsigned depth)
{
	bool escaped;

	while (p < end) {
		char c = *p++;

		if (c == '"') {
			p = behind(string_end(p, end, &escaped), end);
			continue;
		}
		c |= 0x20; /* makes [ and { one, and ] and } */
		if (c == '{')
			depth++;
		else if (c == '}' && --depth == 0)
			break;
	}
	return p;
}

const char *json_skip(const char *p, const char *end)
{
	bool escaped;

	if (p == end)
		return end;
	if (*p == '"')
		return behind(string_end(p + 1, end, &escaped), end);
	if (*p == '{' || *p == '[')
		return skip_nest(p + 1, end, 1);
	while (p < end && *p != ',' && *p != '}' && *p != ']')
		p++;
	return p;
}

static inline struct json_leaf *add_leaf(struct walk *w, uint32_t path, enum json_type type)
{
	struct json_skim *s = w->s;
	struct json_leaf *leaf;

	if (s->n == s->cap)
		s->v = mem_grow(s->v, s->n, &s->cap, sizeof *s->v);
	leaf = &s->v[s->n++];
	leaf->path = path;
	leaf->type = type;
	leaf->text = NULL;
	leaf->len = 0;
	leaf->number = 0;
	return leaf;
}

/* Room is made for all strings of the text at once, so that nothing handed out ever moves. A text
 * that breaks off within an escape may come out longer than it was, by no more than its quotes. */
static const char *unescape(struct walk *w, const char *raw, size_t *len)
{
	struct json_skim *s = w->s;
	size_t most = (size_t)(w->end - w->text) + 8;
	char *ret;

	if (s->unescaped_cap < most) {
		s->unescaped = xrealloc(s->unescaped, most, 1);
		s->unescaped_cap = most;
	}
	ret = s->unescaped + s->unescaped_len;
	*len = json_unescape(ret, raw, *len);
	s->unescaped_len += *len;
	return ret;
}

static const char *read_string(struct walk *w, const char *p, uint32_t path)
{
	bool escaped = false;
	const char *close = string_end(p, w->end, &escaped);
	struct json_leaf *leaf;

	if (close == w->end) /* it does not end; its last escape may not either */
		return close;
	leaf = add_leaf(w, path, JSON_STRING);
	leaf->len = (size_t)(close - p);
	leaf->text = escaped ? unescape(w, p, &leaf->len) : p;
	return close + 1;
}

/* What the fast way cannot give exactly. */
static double slow_number(const char *p, size_t len)
{
	char text[JSON_NUMBER_MAX + 1];

	if (len > JSON_NUMBER_MAX)
		len = JSON_NUMBER_MAX;
	memcpy(text, p, len);
	text[len] = '\0';
	return strtod(text, NULL);
}

/* Up to 2^53 and 10^22 an integer and a power of ten are exact as doubles, so that one division
 * rounds as strtod does. */
static double number_of(const char *p, size_t len)
{
	static const double tens[] = {1e0,  1e1,  1e2,	1e3,  1e4,  1e5,  1e6,	1e7,
				      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
				      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	uint64_t value = 0;
	size_t i = *p == '-', point = len, most = i + 17;

	for (; i < len && i < most; i++) {
		unsigned digit = (unsigned char)p[i] - '0';

		if (digit <= 9)
			value = value * 10 + digit;
		else if (p[i] == '.' && point == len)
			point = i;
		else
			return slow_number(p, len);
	}
	if (i < len || value > 1ULL << 53)
		return slow_number(p, len);
	double ret = (double)value / tens[point == len ? 0 : len - point - 1];
	return *p == '-' ? -ret : ret;
}

static const char *read_plain(struct walk *w, const char *p, uint32_t path)
{
	const char *start = p;

	while (p < w->end && *p != ',' && *p != '}' && *p != ']' && !is_space(*p))
		p++;
	if (p == start) /* no value */
		return w->end;
	switch (*start) {
	case 't': add_leaf(w, path, JSON_BOOL)->number = 1; break;
	case 'f': add_leaf(w, path, JSON_BOOL); break;
	case 'n': add_leaf(w, path, JSON_NULL); break;
	default: add_leaf(w, path, JSON_NUMBER)->number = number_of(start, (size_t)(p - start));
	}
	return p;
}

/* The path of the key at p, as a child of `path`; moves p behind its closing quote. */
static inline uint32_t read_key(struct walk *w, const char **p, uint32_t path)
{
	bool escaped = false;
	const char *key = *p, *close = string_end(key, w->end, &escaped);
	size_t len = (size_t)(close - key), kept = w->s->unescaped_len;

	*p = behind(close, w->end);
	if (close == w->end)
		return JSON_PATH_NONE;
	if (escaped)
		key = unescape(w, key, &len);
	w->s->unescaped_len = kept;
	return json_path_step(w->paths, path, key, len);
}

/* p at what follows a key. */
static inline const char *skip_colon(const char *p, const char *end)
{
	while (p < end && (*p == ':' || is_space(*p)))
		p++;
	return p;
}

/* p behind the brace. */
static const char *read_object(struct walk *w, const char *p, uint32_t path)
{
	uint64_t object = ++w->s->objects;
	uint32_t left = w->paths->nodes[path].children;

	while (left) {
		uint32_t child;

		while (p < w->end && (*p == ',' || is_space(*p)))
			p++;
		if (p == w->end)
			return p;
		if (*p != '"')
			return p + 1; /* the closing brace */
		p++;
		child = read_key(w, &p, path);
		p = skip_colon(p, w->end);
		if (child == JSON_PATH_NONE || w->s->seen[child] == object) {
			p = json_skip(p, w->end);
			continue;
		}
		w->s->seen[child] = object;
		left--;
		p = read_value(w, p, child);
	}
	return path == JSON_PATH_ROOT ? w->end : skip_nest(p, w->end, 1);
}

/* p behind the bracket. */
static const char *read_array(struct walk *w, const char *p, uint32_t path)
{
	for (size_t n = 0;; n++) {
		while (p < w->end && (*p == ',' || is_space(*p)))
			p++;
		if (p == w->end)
			return p;
		if (*p == ']' || *p == '}')
			return p + 1;
		if (n == 1)
			w->s->arrays |= 1ULL << path % 64;
		p = read_value(w, p, path);
	}
}

static const char *read_value(struct walk *w, const char *p, uint32_t path)
{
	const struct json_path *node = &w->paths->nodes[path];

	if (p == w->end)
		return p;
	if (*p == '{' || *p == '[') {
		if ((*p == '{' && !node->children) || w->depth == JSON_NEST_MAX)
			return skip_nest(p + 1, w->end, 1);
		w->depth++;
		p = *p == '{' ? read_object(w, p + 1, path) : read_array(w, p + 1, path);
		w->depth--;
		return p;
	}
	if (!node->wanted)
		return json_skip(p, w->end);
	return *p == '"' ? read_string(w, p + 1, path) : read_plain(w, p, path);
}

void json_skim(struct json_skim *s, const struct json_paths *paths, const char *text, size_t len)
{
	struct walk w = {.paths = paths, .s = s, .text = text, .end = text + len};
	const char *p = text;

	if (!s->seen)
		s->seen = xcalloc(paths->n, sizeof *s->seen);
	s->n = 0;
	s->arrays = 0;
	s->unescaped_len = 0;
	while (p < w.end && is_space(*p))
		p++;
	if (p < w.end && *p == '{')
		read_object(&w, p + 1, JSON_PATH_ROOT);
}

void json_skim_release(struct json_skim *s)
{
	free(s->v);
	free(s->unescaped);
	free(s->seen);
	*s = (struct json_skim){0};
}
