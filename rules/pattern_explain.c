/*
 * Why a pattern matches an event or does not, condition by condition. Each is judged alone; where
 * that differs from the whole alternative, because of elements of arrays, a note says so.
 */
#include "rules/pattern_form.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules/pattern_walk.h"

#define SHOWN_MAX 2000 /* bytes of a text; the rest gives way to an ellipsis */

static void write_number(struct buf *out, double number)
{
	char text[32];

	snprintf(text, sizeof text, "%.15g", number);
	if (strtod(text, NULL) != number)
		snprintf(text, sizeof text, "%.17g", number);
	buf_adds(out, text);
}

static void write_range(struct buf *out, const struct test *t)
{
	bool low = t->range.low > -INFINITY, high = t->range.high < INFINITY;

	buf_addc(out, '[');
	if (low) {
		buf_adds(out, t->range.low_in ? "\">=\"," : "\">\",");
		write_number(out, t->range.low);
	}
	if (low && high)
		buf_addc(out, ',');
	if (high) {
		buf_adds(out, t->range.high_in ? "\"<=\"," : "\"<\",");
		write_number(out, t->range.high);
	}
	buf_addc(out, ']');
}

static const char *operator_of(const struct test *t)
{
	switch (t->kind) {
	case TEST_PREFIX:
	case TEST_PREFIX_NOCASE: return "prefix";
	case TEST_SUFFIX:
	case TEST_SUFFIX_NOCASE: return "suffix";
	case TEST_NOCASE: return "equals-ignore-case";
	case TEST_WILDCARD: return "wildcard";
	case TEST_RANGE: return "numeric";
	case TEST_CIDR: return t->cidr.bits == (t->cidr.family == 4 ? 32 : 128) ? NULL : "cidr";
	case TEST_REGEX: return "regex";
	case TEST_BUT: return "anything-but";
	case TEST_EXISTS:
	case TEST_ABSENT: return "exists";
	default: return NULL;
	}
}

static void write_tests(struct buf *out, const struct test *v, size_t n);

static void write_argument(struct buf *out, const struct test *t)
{
	bool nocase = t->kind == TEST_PREFIX_NOCASE || t->kind == TEST_SUFFIX_NOCASE;

	if (nocase)
		buf_adds(out, "{\"equals-ignore-case\":");
	switch (t->kind) {
	case TEST_NULL: buf_adds(out, "null"); break;
	case TEST_TRUE:
	case TEST_EXISTS: buf_adds(out, "true"); break;
	case TEST_FALSE:
	case TEST_ABSENT: buf_adds(out, "false"); break;
	case TEST_NUMBER: write_number(out, t->number); break;
	case TEST_RANGE: write_range(out, t); break;
	case TEST_BUT: write_tests(out, t->v, t->n); break;
	default: json_write_bytes(out, t->text, t->len); break;
	}
	if (nocase)
		buf_addc(out, '}');
}

static void write_test(struct buf *out, const struct test *t)
{
	const char *name = operator_of(t);

	if (name)
		buf_addf(out, "{\"%s\":", name);
	if (t->secret)
		buf_adds(out, "\"(from the environment)\"");
	else
		write_argument(out, t);
	if (name)
		buf_addc(out, '}');
}

static void write_tests(struct buf *out, const struct test *v, size_t n)
{
	buf_addc(out, '[');
	for (size_t i = 0; i < n && out->len <= SHOWN_MAX; i++) {
		if (i)
			buf_addc(out, ',');
		write_test(out, &v[i]);
	}
	buf_addc(out, ']');
}

struct leaves {
	struct buf *out;
	const struct condition *condition;
	size_t n;
	bool some_hold;
};

static bool see_leaf(void *arg, const struct json *leaf)
{
	struct leaves *l = arg;

	if (l->out->len <= SHOWN_MAX) {
		buf_adds(l->out, l->n ? "," : "");
		json_write(l->out, leaf);
	}
	l->n++;
	l->some_hold = l->some_hold || condition_holds_leaf(l->condition, leaf);
	return true;
}

/* The text itself, cut. */
static const char *shown(struct buf *b)
{
	size_t len = SHOWN_MAX;

	if (b->len <= SHOWN_MAX)
		return b->data;
	while (len && ((unsigned char)b->data[len] & 0xC0) == 0x80)
		len--;
	buf_truncate(b, len);
	buf_adds(b, "…");
	return b->data;
}

static void write_path(struct buf *out, const struct condition *c)
{
	for (size_t i = 0; i < c->nkeys; i++) {
		buf_adds(out, i ? "." : "");
		buf_adds(out, c->keys[i]);
	}
}

struct texts {
	struct buf path, wanted, seen, values;
};

static void texts_init(struct texts *t)
{
	const size_t most = SIZE_MAX / 2; /* bounded by pattern and event */

	buf_init(&t->path, most);
	buf_init(&t->wanted, most);
	buf_init(&t->seen, most);
	buf_init(&t->values, most);
}

static void texts_release(struct texts *t)
{
	buf_release(&t->path);
	buf_release(&t->wanted);
	buf_release(&t->seen);
	buf_release(&t->values);
}

/* Judged alone. Fills the texts. */
static struct pattern_finding find(const struct condition *c, const struct json *event,
				   struct texts *t)
{
	struct leaves l = {.out = &t->values, .condition = c};

	buf_clear(&t->path);
	buf_clear(&t->wanted);
	buf_clear(&t->seen);
	buf_clear(&t->values);
	condition_leaves(c, 0, event, see_leaf, &l);
	write_path(&t->path, c);
	write_tests(&t->wanted, c->v, c->n);
	buf_addf(&t->seen, l.n > 1 ? "[%s]" : "%s", l.n ? t->values.data : "absent");
	return (struct pattern_finding){
		.path = shown(&t->path),
		.wanted = shown(&t->wanted),
		.seen = shown(&t->seen),
		.holds = l.n ? l.some_hold : condition_allows_absence(c),
	};
}

static bool all_hold_alone(const struct conjunction *c, const struct json *event, struct texts *t)
{
	for (size_t i = 0; i < c->n; i++)
		if (!find(&c->v[i], event, t).holds)
			return false;
	return true;
}

bool pattern_explain(const struct pattern *pt, const struct json *event, pattern_finding_fn *fn,
		     void *arg)
{
	bool matches = false;
	struct texts t;

	texts_init(&t);
	for (size_t i = 0; i < pt->n; i++) {
		const struct conjunction *c = &pt->v[i];
		bool whole = conjunction_holds(c, event);
		bool split = !whole && all_hold_alone(c, event, &t);
		matches = matches || whole;
		for (size_t k = 0; k < c->n; k++) {
			struct pattern_finding f = find(&c->v[k], event, &t);
			f.alternative = i;
			if (split)
				f.note = "not in one element together with the others";
			else if (whole && !f.holds)
				f.note = "in the element that the others chose";
			f.holds = f.holds || whole;
			fn(arg, &f);
		}
	}
	texts_release(&t);
	return matches;
}
