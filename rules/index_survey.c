/* index_survey — what the rules look for, counted. There is no better guess at what events hold
 * than what people ask about: a value that many rules name is common, and where a field's rules
 * name a thousand values, each is rare. */
#include "rules/index_build.h"

#include <math.h>
#include <stdlib.h>

#include "relay/base/mem.h"

#define LENGTHS_MAX                                                                                \
	16 /* probes for a value's prefixes; with more lengths they are rounded down               \
	    */

/* Where rules do not tell: found useful, none of them critical. */
#define RATE_HALF_OPEN 0.5
#define RATE_EXISTS    0.75
#define RATE_BUT       0.9
#define RATE_UNKNOWN   0.95

/* Texts as short as this occur by chance. */
static const double rate_short[] = {1, 0.5, 0.15, 0.05};
#define RATE_SHORT (sizeof rate_short / sizeof *rate_short)

static struct key key_of(const struct needle *n, uint32_t field)
{
	return (struct key){
		.text = n->text, .len = (uint32_t)n->len, .field = field, .kind = (uint8_t)n->kind};
}

static void count_needle(struct builder *b, const struct needle *n, uint32_t field)
{
	struct key key = key_of(n, field);
	struct survey *s = &b->surveys[field];
	uint32_t place = keys_add(&b->all, &key);
	struct key *counted = &b->all.v[place];

	s->distinct[n->kind] += !counted->uses;
	s->uses[n->kind]++;
	counted->uses++;
	if (n->kind < KEY_ENDS)
		s->short_lengths[n->kind] |= UINT64_C(1) << (n->len < 63 ? n->len : 63);
}

static void count_test(struct builder *b, const struct test *t, uint32_t field)
{
	struct survey *s = &b->surveys[field];
	struct needle n;

	for (size_t i = 0; needle_of(t, i, &n); i++)
		count_needle(b, &n, field);
	for (size_t i = 0; t->kind == TEST_BUT && i < t->n; i++)
		if (t->v[i].kind == TEST_STRING || t->v[i].kind == TEST_NUMBER)
			count_test(b, &t->v[i], field);
	if (t->kind != TEST_RANGE)
		return;
	if (!isinf(t->range.low)) {
		s->low = fmin(s->low, t->range.low);
		s->high = fmax(s->high, t->range.low);
	}
	if (!isinf(t->range.high)) {
		s->low = fmin(s->low, t->range.high);
		s->high = fmax(s->high, t->range.high);
	}
}

static int by_popularity(const void *a, const void *b)
{
	const struct key *x = *(const struct key *const *)a, *y = *(const struct key *const *)b;

	if (x->field != y->field)
		return x->field < y->field ? -1 : 1;
	if (x->uses != y->uses)
		return x->uses > y->uses ? -1 : 1;
	return x < y ? -1 : x > y; /* the same rules, the same bits */
}

static void add_popular(struct builder *b, const struct key *counted)
{
	struct survey *s = &b->surveys[counted->field];
	uint32_t place;

	if (s->npopular == KEY_BITS)
		return;
	if (!s->popular)
		s->popular = xcalloc(KEY_BITS, sizeof *s->popular);
	place = keys_add(&b->keys, counted);
	b->keys.v[place].bit = (uint8_t)s->npopular;
	s->popular[s->npopular++] = counted;
}

static void find_popular(struct builder *b)
{
	const struct key **v = xcalloc(b->all.n, sizeof *v);
	size_t n = 0;

	for (size_t i = 0; i < b->all.n; i++)
		if (b->all.v[i].kind == KEY_STRING || b->all.v[i].kind == KEY_NUMBER)
			v[n++] = &b->all.v[i];
	qsort(v, n, sizeof *v, by_popularity);
	for (size_t i = 0; i < n; i++)
		add_popular(b, v[i]);
	free(v);
}

void survey_conditions(struct builder *b)
{
	const struct index *ix = b->ix;
	size_t at = 0;

	for (size_t i = 0; i < ix->nfields; i++) {
		b->surveys[i].low = INFINITY;
		b->surveys[i].high = -INFINITY;
	}
	for (size_t i = 0; i < ix->npatterns; i++)
		for (size_t k = 0; k < ix->patterns[i]->n; k++) {
			const struct conjunction *c = &ix->patterns[i]->v[k];

			for (size_t m = 0; m < c->n; m++, at++)
				for (size_t t = 0; t < c->v[m].n; t++)
					count_test(b, &c->v[m].v[t], b->fields[at]);
		}
	for (size_t i = 0; i < ix->nfields; i++)
		for (size_t kind = 0; kind < KEY_ENDS; kind++) {
			uint64_t lengths = b->surveys[i].short_lengths[kind];

			b->surveys[i].coarse[kind] =
				lengths >> 63 || __builtin_popcountll(lengths) > LENGTHS_MAX;
		}
	find_popular(b);
}

static double needle_rate(const struct builder *b, const struct needle *n, uint32_t field)
{
	const struct survey *s = &b->surveys[field];
	const struct key *counted = keys_find(&b->all, n->text, n->len, field, n->kind);
	double rate = 1.0 / s->distinct[n->kind];

	if (counted) /* always: count_test saw each */
		rate = fmax(rate, (double)counted->uses / s->uses[n->kind]);
	if ((n->kind < KEY_ENDS || n->kind == KEY_LITERAL) && n->len < RATE_SHORT)
		rate = fmax(rate, rate_short[n->len]);
	return rate;
}

bool survey_needle(const struct builder *b, const struct test *t, uint32_t field,
		   struct needle *ret)
{
	struct needle n;
	double rate, best = INFINITY;

	for (size_t i = 0; needle_of(t, i, &n); i++) {
		rate = needle_rate(b, &n, field);
		if (rate < best || (rate == best && n.len > ret->len)) {
			best = rate;
			*ret = n;
		}
	}
	return !isinf(best);
}

static double range_rate(const struct survey *s, const struct test *t)
{
	double span = s->high - s->low, rate;

	if (isinf(t->range.low) || isinf(t->range.high) || !(span > 0))
		return RATE_HALF_OPEN;
	rate = (t->range.high - t->range.low) / span;
	return rate < RATE_HALF_OPEN ? rate : RATE_HALF_OPEN;
}

static double test_rate(const struct builder *b, const struct test *t, uint32_t field)
{
	struct needle n;

	if (survey_needle(b, t, field, &n))
		return needle_rate(b, &n, field);
	switch (t->kind) {
	case TEST_TRUE:
	case TEST_FALSE:
	case TEST_NULL:
	case TEST_ABSENT: return RATE_HALF_OPEN;
	case TEST_EXISTS: return RATE_EXISTS;
	case TEST_RANGE: return range_rate(&b->surveys[field], t);
	case TEST_BUT: return RATE_BUT;
	default: return RATE_UNKNOWN;
	}
}

double survey_rate(const struct builder *b, const struct condition *c, uint32_t field)
{
	double rate = 0;

	for (size_t i = 0; i < c->n; i++)
		rate += test_rate(b, &c->v[i], field);
	return rate < 1 ? rate : 1;
}
