/* json_write — JSON text out: copies of accepted texts, and values. Invariant: whatever bytes come
 * in as a string, what is appended is valid UTF-8 and a JSON text that json_parse takes. */
#include "relay/base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_scan.h"

/* --- copying --- */

struct path { /* of the member being copied, dotted */
	char text[256];
	size_t len;
};

struct copy {
	struct buf *out; /* NULL: the value is passed over */
	const char *end;
	const char *const *without;
};

static bool blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && blank(*p))
		p++;
	return p;
}

/* p at a quote; behind the closing one. */
static const char *skip_string(const char *p, const char *end)
{
	p = json_plain(p + 1, end);
	while (p < end && *p != '"')
		p = json_plain(p + (*p == '\\' ? 2 : 1), end);
	return p < end ? p + 1 : end;
}

static void add(struct buf *out, const char *from, const char *to)
{
	if (out && to > from)
		buf_add(out, from, (size_t)(to - from));
}

/* Copies the value at p as it is but for blanks; returns what stands behind it. */
static const char *copy_whole(const struct copy *c, const char *p)
{
	const char *from = p;
	size_t open = 0;

	do {
		if (p == c->end) {
			break;
		} else if (*p == '"') {
			p = skip_string(p, c->end);
		} else if (*p == '{' || *p == '[') {
			open++;
			p++;
		} else if (*p == '}' || *p == ']') {
			open--;
			p++;
		} else if (blank(*p)) {
			add(c->out, from, p);
			from = p = skip_blanks(p, c->end);
		} else if (open) {
			p++;
		} else { /* a number or a word */
			while (p < c->end && !blank(*p) && !strchr(",]}", *p))
				p++;
		}
	} while (open);
	add(c->out, from, p);
	return p;
}

/* Appends ".name"; false when the path is then longer than any that could be listed. */
static bool path_push(struct path *path, const char *raw, size_t len)
{
	size_t dot = path->len ? 1 : 0;

	if (len > sizeof path->text - 1 - dot - path->len)
		return false;
	if (dot)
		path->text[path->len++] = '.';
	path->len += json_unescape(path->text + path->len, raw, len);
	path->text[path->len] = '\0';
	return true;
}

static bool listed(const struct copy *c, const struct path *path)
{
	for (size_t i = 0; c->without[i]; i++)
		if (strcmp(c->without[i], path->text) == 0)
			return true;
	return false;
}

/* Is something listed that lies below the path? */
static bool listed_below(const struct copy *c, const struct path *path)
{
	for (size_t i = 0; c->without[i]; i++) {
		const char *w = c->without[i];

		if (strncmp(w, path->text, path->len) == 0 && (!path->len || w[path->len] == '.'))
			return true;
	}
	return false;
}

static const char *copy_value(const struct copy *c, const char *p, struct path *path);

/* One member; *first says whether it would be the object's first in the copy. */
static const char *copy_member(const struct copy *c, const char *p, struct path *path, bool *first)
{
	const char *name = p, *behind = skip_string(p, c->end);
	size_t up = path->len;
	bool known = path_push(path, name + 1, (size_t)(behind - name - 2));

	p = skip_blanks(behind, c->end) + 1; /* the colon */
	p = skip_blanks(p, c->end);
	if (known && listed(c, path)) {
		p = copy_whole(&(struct copy){NULL, c->end, c->without}, p);
	} else {
		if (!*first)
			buf_addc(c->out, ',');
		*first = false;
		add(c->out, name, behind);
		buf_addc(c->out, ':');
		p = known ? copy_value(c, p, path) : copy_whole(c, p);
	}
	path->len = up;
	path->text[up] = '\0';
	return p;
}

/* A container with something listed below it. Arrays add nothing to the path: "list.ip" is the
 * member ip of each element of list. */
static const char *copy_open(const struct copy *c, const char *p, struct path *path)
{
	char close = *p == '{' ? '}' : ']';
	bool first = true;

	buf_addc(c->out, *p);
	p = skip_blanks(p + 1, c->end);
	while (p < c->end && *p != close) {
		if (close == '}') {
			p = copy_member(c, p, path, &first);
		} else {
			if (!first)
				buf_addc(c->out, ',');
			first = false;
			p = copy_value(c, p, path);
		}
		p = skip_blanks(p, c->end);
		if (p < c->end && *p == ',')
			p = skip_blanks(p + 1, c->end);
	}
	buf_addc(c->out, close);
	return p < c->end ? p + 1 : p;
}

static const char *copy_value(const struct copy *c, const char *p, struct path *path)
{
	if (p < c->end && (*p == '{' || *p == '[') && listed_below(c, path))
		return copy_open(c, p, path);
	return copy_whole(c, p);
}

void json_copy(struct buf *out, const char *text, size_t len, const char *const *without)
{
	static const char *const nothing[] = {NULL};
	struct copy c = {out, text + len, without ? without : nothing};
	struct path path = {.len = 0};

	copy_value(&c, skip_blanks(text, c.end), &path);
}

/* --- writing --- */

static void write_escape(struct buf *out, unsigned char c)
{
	static const char letters[] = "btn?fr"; /* 0x08 … 0x0d; 0x0b has none */

	if (c == '"' || c == '\\')
		buf_addf(out, "\\%c", c);
	else if (c >= 0x08 && c <= 0x0d && c != 0x0b)
		buf_addf(out, "\\%c", letters[c - 0x08]);
	else if (c == 0) /* json_parse refuses \u0000, and no string of ours holds one on purpose */
		buf_adds(out, "\xef\xbf\xbd");
	else
		buf_addf(out, "\\u%04x", c);
}

void json_write_bytes(struct buf *out, const char *s, size_t len)
{
	const char *end = s + len, *from = s;

	buf_addc(out, '"');
	while ((s = json_plain(s, end)) < end) {
		size_t step = utf8_step(s, end);

		if (step > 1) {
			s += step;
			continue;
		}
		add(out, from, s);
		if (step)
			write_escape(out, (unsigned char)*s);
		else
			buf_adds(out, "\xef\xbf\xbd"); /* U+FFFD for each byte that is no UTF-8 */
		from = ++s;
	}
	add(out, from, end);
	buf_addc(out, '"');
}

void json_write_string(struct buf *out, const char *s)
{
	if (s)
		json_write_bytes(out, s, strlen(s));
	else
		buf_adds(out, "null");
}

static void write_number(struct buf *out, const struct json *v)
{
	double value = json_number(v, 0);
	int64_t exact;
	char text[32];

	if (json_int(v, &exact)) {
		buf_addi(out, exact);
		return;
	}
	if (isinf(value)) { /* "1e999" was read; the same is written */
		buf_adds(out, value < 0 ? "-1e999" : "1e999");
		return;
	}
	snprintf(text, sizeof text, "%.15g", value);
	if (strtod(text, NULL) != value)
		snprintf(text, sizeof text, "%.17g", value);
	buf_adds(out, text);
}

static void write_container(struct buf *out, const struct json *v, bool object)
{
	bool first = true;

	buf_addc(out, object ? '{' : '[');
	for (v = json_first(v); v; v = json_next(v)) {
		if (!first)
			buf_addc(out, ',');
		first = false;
		if (object) {
			json_write_string(out, json_key(v));
			buf_addc(out, ':');
		}
		json_write(out, v);
	}
	buf_addc(out, object ? '}' : ']');
}

void json_write(struct buf *out, const struct json *v)
{
	switch (json_type(v)) {
	case JSON_NULL: buf_adds(out, "null"); break;
	case JSON_BOOL: buf_adds(out, json_bool(v, false) ? "true" : "false"); break;
	case JSON_NUMBER: write_number(out, v); break;
	case JSON_STRING: json_write_string(out, json_string(v)); break;
	case JSON_ARRAY: write_container(out, v, false); break;
	case JSON_OBJECT: write_container(out, v, true); break;
	}
}
