/* index_checks — what a condition says of each value that has a bit, asked once and for all. */
#include "rules/index_build.h"

#include <stdlib.h>

#include "relay/base/mem.h"

/* How much later a check comes that must look at the value itself, or a regular expression. */
#define LATER_VALUE  1.0
#define LATER_REGEX  2.0
#define LATER_ABSENT 4.0 /* where elements are shared: it cannot stand in a posting */

struct draft_check {
	double when;
	struct check check;
};

static struct value value_of(const struct key *k)
{
	struct value v = {.type = JSON_STRING, .text = k->text, .len = k->len};

	if (k->kind == KEY_NUMBER) {
		v.type = JSON_NUMBER;
		memcpy(&v.number, k->text, sizeof v.number);
	}
	return v;
}

/* The bits of the popular values of which the test holds. */
static uint64_t bits_of(const struct survey *s, const struct test *t)
{
	static const struct {
		struct value value;
		uint64_t bit;
	} fixed[] = {{{.type = JSON_BOOL, .number = 1}, BIT_TRUE},
		     {{.type = JSON_BOOL}, BIT_FALSE},
		     {{.type = JSON_NULL}, BIT_NULL}};
	uint64_t bits = 0;

	for (size_t i = 0; i < s->npopular; i++) {
		struct value v = value_of(s->popular[i]);

		if (test_value(t, &v))
			bits |= UINT64_C(1) << i;
	}
	for (size_t i = 0; i < 3; i++)
		if (test_value(t, &fixed[i].value))
			bits |= fixed[i].bit;
	return bits;
}

static bool has_bit(const struct builder *b, const struct test *t, uint32_t field, uint64_t *ret)
{
	const struct key *k;
	struct needle n;

	if ((t->kind != TEST_STRING && t->kind != TEST_NUMBER) || !needle_of(t, 0, &n))
		return false;
	k = keys_find(&b->keys, n.text, n.len, field, n.kind);
	if (!k || k->bit == KEY_BITS)
		return false;
	*ret = UINT64_C(1) << k->bit;
	return true;
}

/* Are all of its members values with bits, so that it holds of any other? */
static bool excludes_bits(const struct builder *b, const struct test *t, uint32_t field)
{
	uint64_t bit;

	for (size_t i = 0; i < t->n; i++)
		if (!has_bit(b, &t->v[i], field, &bit))
			return false;
	return true;
}

static void add_test(const struct builder *b, struct check *c, const struct test *t)
{
	uint64_t bit;

	switch (t->kind) {
	case TEST_STRING:
	case TEST_NUMBER:
		if (has_bit(b, t, c->field, &bit))
			c->yes |= bit;
		else
			c->maybe |= BIT_OTHER;
		break;
	case TEST_TRUE: c->yes |= BIT_TRUE; break;
	case TEST_FALSE: c->yes |= BIT_FALSE; break;
	case TEST_NULL: c->yes |= BIT_NULL; break;
	case TEST_ABSENT: c->yes |= BIT_ABSENT; break;
	case TEST_EXISTS: c->yes |= ~BIT_ABSENT; break;
	case TEST_BUT:
		c->yes |= bits_of(&b->surveys[c->field], t);
		if (excludes_bits(b, t, c->field))
			c->yes |= BIT_OTHER;
		else
			c->maybe |= BIT_OTHER;
		break;
	default: c->yes |= bits_of(&b->surveys[c->field], t); c->maybe |= BIT_OTHER;
	}
}

static struct check check_of(const struct builder *b, const struct condition *c, uint32_t field)
{
	struct check ret = {.v = c->v, .n = (uint32_t)c->n, .field = field};

	for (size_t i = 0; i < c->n; i++)
		add_test(b, &ret, &c->v[i]);
	ret.maybe |= ret.yes;
	return ret;
}

static double lateness(const struct builder *b, const struct entry *e, const struct check *c,
		       const struct condition *of)
{
	double when = survey_rate(b, of, c->field);

	if (c->yes != c->maybe)
		when += LATER_VALUE;
	for (uint32_t i = 0; i < c->n; i++)
		if (c->v[i].kind == TEST_REGEX) {
			when += LATER_REGEX;
			break;
		}
	if (e->shared && c->yes & BIT_ABSENT)
		when += LATER_ABSENT;
	return when;
}

static int by_when(const void *a, const void *b)
{
	const struct draft_check *x = a, *y = b;

	if (x->when != y->when)
		return x->when < y->when ? -1 : 1;
	return x->check.field < y->check.field ? -1 : x->check.field > y->check.field;
}

void checks_add(struct builder *b, struct entry *e, const struct conjunction *c,
		const uint32_t *fields, const struct condition *skip)
{
	struct draft_check *drafts = xcalloc(c->n, sizeof *drafts);
	struct index *ix = b->ix;
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (&c->v[i] == skip)
			continue;
		drafts[n].check = check_of(b, &c->v[i], fields[i]);
		drafts[n].when = lateness(b, e, &drafts[n].check, &c->v[i]);
		n++;
	}
	qsort(drafts, n, sizeof *drafts, by_when);
	e->check = (struct check){.yes = UINT64_MAX, .maybe = UINT64_MAX};
	if (n)
		e->check = drafts[0].check;
	e->rest = (uint32_t)ix->nchecks;
	e->nrest = n ? (uint32_t)n - 1 : 0;
	for (size_t i = 1; i < n; i++) {
		ix->checks = mem_grow(ix->checks, ix->nchecks, &b->checks_cap, sizeof *ix->checks);
		ix->checks[ix->nchecks++] = drafts[i].check;
	}
	free(drafts);
}
