/* problems — collects what is wrong with a configuration. Invariant: a kept text has no control
 * character, is whole UTF-8, and names its place first. */
#include "relay/config/problems.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/config/yaml_tree.h"

#define TEXT_MAX  1024 /* of one problem; a longer one is cut */
#define PATH_SIZE 256  /* of the node's path in it */
#define SLIP_MAX  32   /* no name of ours is longer; what is, is no slip of one */

/* How many bytes of a character that may be shown start here; 0: none. */
static size_t showable(const char *s)
{
	unsigned char c = (unsigned char)*s, next = (unsigned char)s[c ? 1 : 0];

	if (c < 0x80)
		return c >= 0x20 && c != 0x7F;
	size_t width = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
	if (strnlen(s, width) < width || !utf8_valid(s, width))
		return 0;
	bool control = c == 0xC2 && next < 0xA0;
	/* U+2028 to 202E and 2066 to 2069 break or turn the line around */
	bool turns =
		c == 0xE2 &&
		((next == 0x80 && (unsigned char)s[2] >= 0xA8 && (unsigned char)s[2] <= 0xAE) ||
		 (next == 0x81 && (unsigned char)s[2] >= 0xA6 && (unsigned char)s[2] <= 0xA9));
	return control || turns ? 0 : width;
}

/* Puts "?" where a character may not be shown. */
static void clean(char *text, bool keep_tabs)
{
	char *to = text;

	for (const char *from = text; *from;) {
		size_t width = keep_tabs && *from == '\t' ? 1 : showable(from);
		if (width) {
			memmove(to, from, width);
			to += width;
			from += width;
			continue;
		}
		*to++ = '?';
		do
			from++;
		while (((unsigned char)*from & 0xC0) == 0x80);
	}
	*to = '\0';
}

struct place {
	const char *file; /* NULL: nowhere */
	unsigned line, column;
	const struct node *node; /* for its path; NULL: none */
	const struct yaml_source *source;
};

static struct place place_of(const struct node *n, bool at_key)
{
	if (!n)
		return (struct place){0};
	return (struct place){n->file, at_key && n->key_line ? n->key_line : n->line,
			      at_key && n->key_line ? n->key_column : n->column, n, n->source};
}

static char *compose(const struct place *at, const char *fmt, va_list args)
{
	char text[TEXT_MAX], path[PATH_SIZE] = "", where[48] = "";

	vsnprintf(text, sizeof text, fmt, args);
	if (at->node)
		node_path(at->node, path, sizeof path);
	if (at->line)
		snprintf(where, sizeof where, ":%u:%u", at->line, at->column);
	char *whole = xasprintf("%s%s%s%s%s%s", at->file ? at->file : "", where,
				at->file ? ": " : "", path, *path ? ": " : "", text);
	clean(whole, false);
	return whole;
}

static void add(struct problems *p, const struct place *at, const char *fmt, va_list args)
{
	if (p->n == PROBLEMS_MAX) {
		p->more++;
		return;
	}
	size_t i = p->n++;
	p->v[i] = compose(at, fmt, args);
	p->column[i] = at->column;
	p->source[i] = NULL;
	if (at->source && at->line) {
		p->source[i] = yaml_line(at->source, at->line, &p->column[i]);
		clean(p->source[i], true);
	}
}

void problem_at(struct problems *p, const struct node *at, const char *fmt, ...)
{
	struct place place = place_of(at, false);
	va_list args;

	if (at && at->unset) {
		p->muted++;
		return;
	}
	va_start(args, fmt);
	add(p, &place, fmt, args);
	va_end(args);
}

void problem_at_key(struct problems *p, const struct node *at, const char *fmt, ...)
{
	struct place place = place_of(at, true);
	va_list args;

	va_start(args, fmt);
	add(p, &place, fmt, args);
	va_end(args);
}

void problem_warn(struct problems *p, const struct node *at, const char *fmt, ...)
{
	struct place place = place_of(at, false);
	va_list args;

	if (p->nwarnings == PROBLEMS_MAX)
		return;
	va_start(args, fmt);
	p->warnings[p->nwarnings++] = compose(&place, fmt, args);
	va_end(args);
}

void problem_in(struct problems *p, const char *file, unsigned line, unsigned column,
		const char *fmt, ...)
{
	struct place place = {file, line, column, NULL, NULL};
	va_list args;

	va_start(args, fmt);
	add(p, &place, fmt, args);
	va_end(args);
}

void problem_in_source(struct problems *p, const struct yaml_source *src, unsigned line,
		       unsigned column, const char *fmt, ...)
{
	struct place place = {src->name, line, column, NULL, src};
	va_list args;

	va_start(args, fmt);
	add(p, &place, fmt, args);
	va_end(args);
}

size_t problems_count(const struct problems *p)
{
	return p->n + p->more + p->muted;
}

/* The line, and below it a caret; tabs are repeated so that both are as wide. */
static void print_source(const char *line, unsigned column, FILE *out)
{
	fprintf(out, "    %s\n    ", line);
	for (unsigned at = 1; *line && at < column; line++) {
		if (((unsigned char)*line & 0xC0) == 0x80)
			continue;
		putc(*line == '\t' ? '\t' : ' ', out);
		at++;
	}
	fputs("^\n", out);
}

void problems_print(const struct problems *p, FILE *out)
{
	for (size_t i = 0; i < p->n; i++) {
		fprintf(out, "%s\n", p->v[i]);
		if (p->source[i] && p->column[i])
			print_source(p->source[i], p->column[i], out);
	}
	if (p->more)
		fprintf(out, "and %zu more\n", p->more);
	for (size_t i = 0; i < p->nwarnings; i++)
		fprintf(out, "warning: %s\n", p->warnings[i]);
}

void problems_release(struct problems *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i]);
		free(p->source[i]);
	}
	for (size_t i = 0; i < p->nwarnings; i++)
		free(p->warnings[i]);
	*p = (struct problems){0};
}

/* The text without a URL's "user:password@", as far as there is room. */
static void copy_public(char *ret, size_t size, const char *text)
{
	const char *host = strstr(text, "://");
	const char *rest = host ? host + 3 : text;
	const char *user_end = host ? rest + strcspn(rest, "@/?#") : rest;
	size_t before = (size_t)(rest - text);

	if (*user_end == '@' && host)
		rest = user_end + 1;
	snprintf(ret, size, "%.*s%s", (int)(before < size ? before : size), text, rest);
}

char *node_shown(const struct node *n, char ret[NODE_SHOWN])
{
	static const char *const kinds[] = {"a value", "a list", "a map"};
	char text[2 * NODE_SHOWN];
	size_t len = NODE_SHOWN - 8; /* quotes, ellipsis, NUL */

	if (n->kind != NODE_SCALAR || n->secret) {
		snprintf(ret, NODE_SHOWN, "%s",
			 n->secret ? "what the environment holds" : kinds[n->kind]);
		return ret;
	}
	copy_public(text, sizeof text, n->text);
	if (strlen(text) <= len)
		len = strlen(text);
	while (len && ((unsigned char)text[len] & 0xC0) == 0x80) /* no half character */
		len--;
	snprintf(ret, NODE_SHOWN, "\"%.*s%s\"", (int)len, text, text[len] ? "…" : "");
	return ret;
}

static char folded(char c)
{
	if (c == '-')
		return '_';
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool same_letter(char a, char b)
{
	return folded(a) == folded(b);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Damerau-Levenshtein with neighbours swapped at most once (optimal string alignment). */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[3][SLIP_MAX + 1];
	size_t na = strlen(a), nb = strlen(b);
	unsigned *before = row[0], *last = row[1], *now = row[2];

	for (size_t k = 0; k <= nb; k++)
		last[k] = (unsigned)k;
	for (size_t i = 1; i <= na; i++) {
		now[0] = (unsigned)i;
		for (size_t k = 1; k <= nb; k++) {
			unsigned change = last[k - 1] + !same_letter(a[i - 1], b[k - 1]);
			now[k] = least(change, least(last[k], now[k - 1]) + 1);
			if (i > 1 && k > 1 && same_letter(a[i - 1], b[k - 2]) &&
			    same_letter(a[i - 2], b[k - 1]))
				now[k] = least(now[k], before[k - 2] + 1);
		}
		unsigned *spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[nb];
}

const char *problem_nearest(const char *given, const char *const *names)
{
	const char *nearest = NULL;
	size_t len = strlen(given);
	/* every third letter may be wrong, three at most; of one or two letters none */
	unsigned best = len < 3 ? 1 : (unsigned)len / 3 + 1;

	if (best > 4)
		best = 4;
	for (; len <= SLIP_MAX && *names; names++) {
		if (strlen(*names) > SLIP_MAX)
			continue;
		unsigned d = distance(given, *names);
		if (d < best) {
			best = d;
			nearest = *names;
		}
	}
	return nearest;
}
