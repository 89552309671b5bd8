/* index_regex — the literals that a regular expression cannot do without. Invariant: where the
 * notation is not understood for certain, there are none. */
#include "rules/index_needle.h"

#include <string.h>

struct reader {
	const char *p, *end;
	size_t n; /* runs still to be passed over */
	struct needle found;
	const char *run; /* the literal characters that end at p; NULL: none */
	bool at_start;	 /* the last piece was the ^ that the expression begins with */
	bool anchored;	 /* the run began there */
};

static void begin_run(struct reader *r, const char *at)
{
	if (r->run)
		return;
	r->run = at;
	r->anchored = r->at_start;
}

static void end_run(struct reader *r, const char *at)
{
	if (r->run && at > r->run && !r->found.len && r->n-- == 0) {
		r->found.kind = r->anchored ? KEY_PREFIX : KEY_LITERAL;
		r->found.text = r->run;
		r->found.len = (size_t)(at - r->run);
	}
	r->run = NULL;
}

/* p behind "[": behind the class. False: its notation is not understood. */
static bool skip_class(struct reader *r)
{
	if (r->p < r->end && *r->p == '^')
		r->p++;
	for (bool first = true; r->p < r->end; first = false) {
		char c = *r->p++;

		if (c == ']' && !first)
			return true;
		if (c == '[' && r->p < r->end && *r->p == ':') /* [:digit:] */
			return false;
		if (c == '\\') {
			if (r->p == r->end || *r->p == 'Q' || *r->p == 'E')
				return false;
			r->p++;
		}
	}
	return false;
}

/* p behind "(": behind its end. What is inside may be one of several, so it counts for nothing. */
static bool skip_group(struct reader *r)
{
	unsigned depth = 1;

	while (r->p < r->end) {
		char c = *r->p++;

		if (c == '\\') {
			if (r->p == r->end || *r->p == 'Q' || *r->p == 'E')
				return false;
			r->p++;
		} else if (c == '[') {
			if (!skip_class(r))
				return false;
		} else if (c == '(') {
			depth++;
		} else if (c == ')' && --depth == 0) {
			return true;
		}
		/* options such as (?i) and (*UCP) change the meaning of what follows */
		if (c == '(' && r->p < r->end && (*r->p == '*' || *r->p == '?') &&
		    !(r->end - r->p > 1 && r->p[0] == '?' && r->p[1] == ':'))
			return false;
	}
	return false;
}

/* What may follow a piece and make it optional; moves p behind it. */
static bool skip_quantifier(struct reader *r, bool *ret_optional)
{
	*ret_optional = false;
	if (r->p == r->end || !strchr("?*+{", *r->p))
		return true;
	*ret_optional = *r->p != '+';
	if (*r->p == '{') {
		while (r->p < r->end && *r->p != '}')
			r->p++;
		if (r->p == r->end)
			return false;
	}
	r->p++;
	if (r->p < r->end && (*r->p == '?' || *r->p == '+')) /* lazy, possessive */
		r->p++;
	return true;
}

/* A character that stands for itself: `at` is where it begins, p where it ends. */
static bool take_literal(struct reader *r, const char *at)
{
	const char *behind;
	bool optional;

	while (r->p < r->end && ((unsigned char)*r->p & 0xc0) == 0x80)
		r->p++;
	behind = r->p;
	if (!skip_quantifier(r, &optional))
		return false;
	if (behind == r->p) {
		begin_run(r, at);
		return true;
	}
	if (!optional)
		begin_run(r, at);
	end_run(r, optional ? at : behind);
	return true;
}

static bool end_piece(struct reader *r, const char *at)
{
	bool optional;

	end_run(r, at);
	return skip_quantifier(r, &optional);
}

/* p behind the backslash at `at`. */
static bool take_escape(struct reader *r, const char *at)
{
	char c = r->p < r->end ? *r->p : '\0';
	bool known = c && strchr("dDwWsSbBAzZnrt", c);

	if (!c || (!known && (((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9'))))
		return false;
	if ((unsigned char)c >= 0x80)
		return false;
	r->p++;
	if (known)
		return end_piece(r, at);
	end_run(r, at); /* the run cannot go over the backslash */
	return take_literal(r, at + 1);
}

static bool take_piece(struct reader *r)
{
	const char *at = r->p++;

	switch (*at) {
	case '|': return false;
	case '\\': return take_escape(r, at);
	case '[': end_run(r, at); return skip_class(r) && end_piece(r, r->p);
	case '(':
		end_run(r, at);
		r->p = at;
		if (at + 1 < r->end && (at[1] == '*' || at[1] == '?') &&
		    !(r->end - at > 2 && at[1] == '?' && at[2] == ':'))
			return false;
		r->p = at + 1;
		return skip_group(r) && end_piece(r, r->p);
	case '.':
	case '^':
	case '$': return end_piece(r, at);
	case '?':
	case '*':
	case '+':
	case '{':
	case ')': return false;
	default: return take_literal(r, at);
	}
}

bool needle_of_regex(const char *text, size_t len, size_t n, struct needle *ret)
{
	struct reader r = {.p = text, .end = text + len, .n = n};

	while (r.p < r.end) {
		const char *at = r.p;

		if (!take_piece(&r))
			return false;
		r.at_start = at == text && *at == '^';
	}
	end_run(&r, r.end);
	*ret = r.found;
	return r.found.len > 0;
}
