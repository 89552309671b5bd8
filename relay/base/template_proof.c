/* template_proof — JSON's grammar followed through a template. Invariant: whatever way rendering
 * takes through the branches, what is written up to here is a beginning of valid JSON, `open` are
 * its open brackets, and the grammar stands in one of `states`. Tokens other than strings are
 * never cut by a tag, and a name holds none: so no object gets a name twice. */
#include "relay/base/template_parts.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/json_scan.h"
#include "relay/base/mem.h"

enum state {
	VALUE = 1,	 /* one value has to come */
	FIRST = 2,	 /* just behind [ */
	AUTO = 4,	 /* where #each puts its commas: elements may stand before, or none */
	MORE = 8,	 /* the same, and one stands before */
	AFTER = 16,	 /* behind a value */
	FIRST_NAME = 32, /* just behind { */
	NAME = 64,
	COLON = 128,
	STRING = 256,
};
#define TAKES_VALUE (VALUE | FIRST | AUTO | MORE)
#define TAKES_NAME  (FIRST_NAME | NAME)
#define TAKES_COMMA (AFTER | MORE)

void proof_begin(struct proof *p, const struct template *t)
{
	*p = (struct proof){.t = t, .states = VALUE};
}

void proof_release(struct proof *p)
{
	for (size_t i = 0; i < p->nnames; i++)
		free(p->names[i].text);
	free(p->names);
}

static char innermost(const struct proof *p)
{
	return p->depth ? p->open[p->depth - 1].bracket : '\0';
}

/* --- what is wrong --- */

static const char *expected(const struct proof *p, unsigned state)
{
	switch (state) {
	case VALUE: return "a value was expected here";
	case FIRST: return "a value or ] was expected here";
	case AUTO:
	case MORE: return "a value or ] was expected here: #each puts its commas itself";
	case FIRST_NAME: return "a name in quotes or } was expected here";
	case NAME: return "a name in quotes was expected here";
	case COLON: return "':' was expected here";
	default:
		return innermost(p) == '['   ? "',' or ']' was expected here"
		       : innermost(p) == '{' ? "',' or '}' was expected here"
					     : "the JSON value is complete before this";
	}
}

/* One of the states does not take what stands at `at`. */
static int refuse(const struct proof *p, unsigned takes, size_t at, struct err *err)
{
	unsigned wrong = p->states & ~takes;

	return template_fail(p->t, at, err, "%s%s", expected(p, wrong & -wrong),
			     wrong == p->states ? ""
						: " (where an #if before this took the other way)");
}

/* --- strings --- */

/* p->t->text[at] is a backslash; the bytes of its escape, 0 with err. */
static size_t escape_length(const struct proof *p, size_t at, size_t to, struct err *err)
{
	const char *s = p->t->text + at, *end = p->t->text + to;
	int unit, low;

	if (end - s >= 2 && s[1] != 'u' && strchr("\"\\/bfnrt", s[1]))
		return 2;
	unit = end - s >= 2 && s[1] == 'u' ? json_hex4(s + 2, end) : -1;
	if (unit > 0 && (unit < 0xd800 || unit > 0xdfff))
		return 6;
	low = unit >= 0xd800 && unit <= 0xdbff && end - s >= 12 && s[6] == '\\' && s[7] == 'u'
		      ? json_hex4(s + 8, end)
		      : -1;
	if (low >= 0xdc00 && low <= 0xdfff)
		return 12;
	template_fail(p->t, at, err,
		      unit == 0 ? "\\u0000 in a string" : "no escape that JSON knows");
	return 0;
}

/* From inside a string to behind its end, or to `to` when it does not end before: then *ret_open.
 */
static int skip_string(const struct proof *p, size_t *at, size_t to, bool *ret_open,
		       struct err *err)
{
	const char *text = p->t->text;

	for (;;) {
		*at = (size_t)(json_plain(text + *at, text + to) - text);
		if (*at == to) {
			*ret_open = true;
			return 0;
		}
		if (text[*at] == '"') {
			*ret_open = false;
			++*at;
			return 0;
		}
		size_t len = 1; /* a byte of UTF-8, which is checked as a whole before */
		if (text[*at] == '\\' && !(len = escape_length(p, *at, to, err)))
			return -1;
		if ((unsigned char)text[*at] < 0x20)
			return template_fail(p->t, *at, err,
					     "a line end or other control character in a string; "
					     "JSON writes \\n");
		*at += len;
	}
}

static int follow_string(struct proof *p, size_t *at, size_t to, struct err *err)
{
	bool open;

	if (skip_string(p, at, to, &open, err) < 0)
		return -1;
	if (!open && p->held)
		return template_fail(p->t, *at - 1, err,
				     "the string began outside of #each and cannot end in it");
	p->states = open ? STRING : AFTER;
	return 0;
}

/* --- names --- */

static int add_name(struct proof *p, size_t from, size_t to, struct err *err)
{
	size_t len = to - from, same = 0;
	char *text = xmalloc(len + 1);

	text[json_unescape(text, p->t->text + from, len)] = '\0';
	for (size_t i = p->nnames; i-- && p->names[i].depth == p->depth; same++) {
		if (p->names[i].hidden || strcmp(p->names[i].text, text) != 0)
			continue;
		template_fail(p->t, from - 1, err, "the object has the name \"%.60s\" already",
			      text);
		free(text);
		return -1;
	}
	p->names = mem_grow(p->names, p->nnames, &p->cap, sizeof *p->names);
	p->names[p->nnames++] = (struct proof_name){.text = text, .depth = p->depth};
	if (same >= JSON_NAMES_MAX)
		return template_fail(p->t, from - 1, err, "an object of more than %d names",
				     JSON_NAMES_MAX);
	return 0;
}

static int follow_name(struct proof *p, size_t *at, size_t to, struct err *err)
{
	size_t from = ++*at;
	bool open;

	if (skip_string(p, at, to, &open, err) < 0)
		return -1;
	if (open && to == p->t->len)
		return template_fail(p->t, from - 1, err, "a string does not end");
	if (open)
		return template_fail(p->t, to, err,
				     "no {{…}} in an object's name: it could come twice");
	p->states = COLON;
	return add_name(p, from, *at - 1, err);
}

/* --- brackets and scalars --- */

static int open_bracket(struct proof *p, size_t at, struct err *err)
{
	if (p->depth == PROOF_DEPTH_MAX)
		return template_fail(p->t, at, err, "nested too deep");
	p->open[p->depth].bracket = p->t->text[at];
	p->open[p->depth++].at = at;
	p->states = p->t->text[at] == '[' ? FIRST : FIRST_NAME;
	return 0;
}

static int close_bracket(struct proof *p, size_t at, struct err *err)
{
	bool list = p->t->text[at] == ']';

	unsigned takes = list ? FIRST | AUTO | MORE | AFTER : FIRST_NAME | AFTER;

	if (innermost(p) != (list ? '[' : '{'))
		return refuse(p, 0, at, err);
	if (p->states & ~takes)
		return refuse(p, takes, at, err);
	if (p->depth == p->floor)
		return template_fail(p->t, at, err,
				     "this closes what was opened outside of the block");
	while (p->nnames && p->names[p->nnames - 1].depth == p->depth)
		free(p->names[--p->nnames].text);
	p->depth--;
	p->states = AFTER;
	return 0;
}

static bool is_scalar_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("+-._", c));
}

static int follow_scalar(struct proof *p, size_t *at, size_t to, struct err *err)
{
	const char *text = p->t->text + *at;
	struct err why = {0};
	size_t len = 0;

	while (*at + len < to && is_scalar_byte(text[len]))
		len++;
	if (!len || json_check(text, len, 1, &why) < 0)
		return template_fail(p->t, *at, err,
				     "no JSON here: a text stands in quotes, a place is {{…}}");
	*at += len;
	p->states = AFTER;
	return 0;
}

/* --- text --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int follow_value(struct proof *p, size_t *at, size_t to, struct err *err)
{
	switch (p->t->text[*at]) {
	case '"': ++*at; return follow_string(p, at, to, err);
	case '[':
	case '{': return open_bracket(p, (*at)++, err);
	default: return follow_scalar(p, at, to, err);
	}
}

/* One token that is no value. */
static int follow_mark(struct proof *p, size_t *at, struct err *err)
{
	switch (p->t->text[*at]) {
	case ',':
		if (p->states & ~(unsigned)TAKES_COMMA || !p->depth)
			return refuse(p, p->depth ? TAKES_COMMA : 0, *at, err);
		p->states = innermost(p) == '[' ? VALUE : NAME;
		break;
	case ':':
		if (p->states != COLON)
			return refuse(p, COLON, *at, err);
		p->states = VALUE;
		break;
	default:
		if (close_bracket(p, *at, err) < 0)
			return -1;
	}
	++*at;
	return 0;
}

int proof_text(struct proof *p, size_t from, size_t to, size_t *ret_at, struct err *err)
{
	const char *text = p->t->text;
	size_t at = from;

	while (at < to) {
		if (p->states & STRING) {
			if (follow_string(p, &at, to, err) < 0)
				return -1;
		} else if (is_blank(text[at])) {
			at++;
		} else if (strchr(",:]}", text[at])) {
			if (follow_mark(p, &at, err) < 0)
				return -1;
		} else if (text[at] == '"' && !(p->states & ~(unsigned)TAKES_NAME)) {
			if (follow_name(p, &at, to, err) < 0)
				return -1;
		} else if (p->states & ~(unsigned)TAKES_VALUE) {
			return refuse(p, TAKES_VALUE, at, err);
		} else if (p->states & (AUTO | MORE)) {
			p->states = VALUE;
			break;
		} else if (follow_value(p, &at, to, err) < 0) {
			return -1;
		}
	}
	*ret_at = at;
	return 0;
}

/* --- tags --- */

int proof_value(struct proof *p, const struct template_tag *tag, bool *ret_comma, struct err *err)
{
	bool inside = p->states & STRING;

	*ret_comma = false;
	if (tag->kind == TAG_VALUE && inside)
		return 0;
	if (inside)
		return template_fail(p->t, tag->at, err,
				     "{{json …}} is a whole value with its quotes; inside a string "
				     "stands {{…}}");
	if (p->states & ~(unsigned)TAKES_VALUE)
		return refuse(p, TAKES_VALUE, tag->at, err);
	if (tag->kind == TAG_VALUE)
		return template_fail(p->t, tag->at, err,
				     "{{…}} stands only inside a string here; a whole value is "
				     "{{json …}}");
	*ret_comma = p->states & (AUTO | MORE);
	p->states = AFTER;
	return 0;
}

static int open_each(struct proof *p, size_t at, struct err *err)
{
	if (p->states & STRING) {
		p->held = true;
		return 0;
	}
	if (innermost(p) == '{' && p->states & (TAKES_NAME | AFTER))
		return template_fail(p->t, at, err,
				     "no #each among an object's names: they would come twice. A "
				     "whole object is {{json …}}");
	if (innermost(p) == '[' && p->states & VALUE)
		return template_fail(p->t, at, err,
				     "leave out the comma before #each, which may bring nothing: "
				     "it puts its commas itself");
	if (innermost(p) != '[')
		return template_fail(p->t, at, err,
				     "#each stands in a list or inside a string; here it would "
				     "bring any number of values where one must be");
	p->states = AUTO;
	return 0;
}

int proof_open(struct proof *p, const struct template_tag *tag, struct proof_branch *ret,
	       struct err *err)
{
	*ret = (struct proof_branch){.before = p->states,
				     .floor = p->floor,
				     .names_from = p->nnames,
				     .names_to = p->nnames,
				     .held = p->held};
	p->floor = p->depth;
	return tag->kind == TAG_EACH ? open_each(p, tag->at, err) : 0;
}

/* The brackets at the end of a branch. */
static int check_depth(const struct proof *p, size_t at, struct err *err)
{
	if (p->depth == p->floor)
		return 0;
	return template_fail(p->t, at, err,
			     "the %c that was opened in this block is not closed in it",
			     innermost(p));
}

int proof_else(struct proof *p, size_t at, struct proof_branch *b, struct err *err)
{
	if (check_depth(p, at, err) < 0)
		return -1;
	b->first = p->states;
	p->states = b->before;
	b->names_to = p->nnames;
	for (size_t i = b->names_from; i < b->names_to; i++)
		p->names[i].hidden++;
	return 0;
}

static int close_if(struct proof *p, size_t at, struct proof_branch *b, struct err *err)
{
	for (size_t i = b->names_from; i < b->names_to; i++)
		p->names[i].hidden--;
	p->states |= b->first ? b->first : b->before;
	if (p->states & STRING && p->states != STRING)
		return template_fail(p->t, at, err,
				     "one way through this #if ends inside a string, the other "
				     "does not");
	return 0;
}

int proof_close(struct proof *p, const struct template_tag *end, struct proof_branch *b,
		struct err *err)
{
	if (check_depth(p, end->at, err) < 0)
		return -1;
	p->floor = b->floor;
	p->held = b->held;
	if (end->kind == TAG_END_IF)
		return close_if(p, end->at, b, err);
	if (b->before == STRING)
		return 0;
	if (p->states & STRING)
		return template_fail(p->t, end->at, err, "a string that began in #each goes on");
	if (p->states & VALUE)
		return template_fail(p->t, end->at, err,
				     "leave out the comma before {{/each}}, which puts it itself");
	p->states = b->before & ~(unsigned)TAKES_COMMA ? AUTO : MORE;
	return 0;
}

int proof_end(const struct proof *p, struct err *err)
{
	if (p->states & STRING)
		return template_fail(p->t, p->t->len, err, "a string does not end");
	if (p->depth)
		return template_fail(p->t, p->open[p->depth - 1].at, err, "this %c is not closed",
				     innermost(p));
	if (p->states & VALUE)
		return template_fail(p->t, p->t->len, err, "there may be no JSON value at all");
	return 0;
}
