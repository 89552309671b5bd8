/* backtest_score — names of then and now brought together, and counts by (rule, destination).
 * Invariant: a name has one number, whatever versions or numbers the journal gave it. */
#include <stdlib.h>
#include <string.h>

#include "relay/backtest_parts.h"
#include "relay/base/hash.h"
#include "relay/base/mem.h"

#define FIRST_CELLS 256

struct named {
	const char *name;
	size_t record;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Numbers the names that are not among those given: *names grows by them. `of` says each record's
 * number and has SIZE_MAX where it is to be found. */
static void number_rest(struct named *rest, size_t n, char ***names, size_t *count, size_t *of)
{
	size_t cap = *count;

	if (n)
		qsort(rest, n, sizeof *rest, by_name);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(rest[i].name, rest[i - 1].name) != 0) {
			*names = mem_grow(*names, *count, &cap, sizeof **names);
			(*names)[(*count)++] = xstrdup(rest[i].name);
		}
		of[rest[i].record] = *count - 1;
	}
}

static void number_rules(struct score_names *t, const struct rules *rules)
{
	const struct store_head *h = t->head;
	struct named *rest = xcalloc(h->nrules + 1, sizeof *rest);
	size_t n = 0;

	t->nrules = rules_count(rules);
	t->rules = xcalloc(t->nrules + 1, sizeof *t->rules);
	for (size_t i = 0; i < t->nrules; i++)
		t->rules[i] = xstrdup(rules_name(rules, i));
	t->rule_of = xcalloc(h->nrules + 1, sizeof *t->rule_of);
	for (size_t i = 0; i < h->nrules; i++) {
		t->rule_of[i] = rules_find(rules, h->rules[i].name);
		if (t->rule_of[i] == SIZE_MAX)
			rest[n++] = (struct named){h->rules[i].name, i};
	}
	number_rest(rest, n, &t->rules, &t->nrules, t->rule_of);
	free(rest);
}

static size_t place_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0)
			return i;
	}
	return SIZE_MAX;
}

static void number_destinations(struct score_names *t, const char *const *names, size_t given)
{
	const struct store_head *h = t->head;
	struct named *rest = xcalloc(h->ndestinations + 1, sizeof *rest);
	size_t n = 0;

	t->ndestinations = given;
	t->destinations = xcalloc(given + 1, sizeof *t->destinations);
	for (size_t i = 0; i < given; i++)
		t->destinations[i] = xstrdup(names[i]);
	t->destination_of = xcalloc(h->ndestinations + 1, sizeof *t->destination_of);
	for (size_t i = 0; i < h->ndestinations; i++) {
		t->destination_of[i] = place_of(names, given, h->destinations[i].name);
		if (t->destination_of[i] == SIZE_MAX)
			rest[n++] = (struct named){h->destinations[i].name, i};
	}
	number_rest(rest, n, &t->destinations, &t->ndestinations, t->destination_of);
	free(rest);
}

void score_names_init(struct score_names *t, const struct store_head *head,
		      const struct backtest_options *o)
{
	*t = (struct score_names){.head = head};
	number_rules(t, o->rules);
	number_destinations(t, o->destinations, o->ndestinations);
}

static void free_names(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

void score_names_release(struct score_names *t)
{
	free_names(t->rules, t->nrules);
	free_names(t->destinations, t->ndestinations);
	free(t->rule_of);
	free(t->destination_of);
	*t = (struct score_names){0};
}

static int rule_by_number(const void *key, const void *at)
{
	uint32_t x = *(const uint32_t *)key, y = ((const struct rule_record *)at)->number;

	return (x > y) - (x < y);
}

static int destination_by_number(const void *key, const void *at)
{
	uint32_t x = *(const uint32_t *)key, y = ((const struct destination_record *)at)->number;

	return (x > y) - (x < y);
}

size_t score_rule(const struct score_names *t, uint32_t number)
{
	const struct store_head *h = t->head;
	const struct rule_record *r =
		h->nrules ? bsearch(&number, h->rules, h->nrules, sizeof *h->rules, rule_by_number)
			  : NULL;

	return r ? t->rule_of[r - h->rules] : SIZE_MAX;
}

size_t score_destination(const struct score_names *t, uint32_t number)
{
	const struct store_head *h = t->head;
	const struct destination_record *d =
		h->ndestinations ? bsearch(&number, h->destinations, h->ndestinations,
					   sizeof *h->destinations, destination_by_number)
				 : NULL;

	return d ? t->destination_of[d - h->destinations] : SIZE_MAX;
}

void score_init(struct score *t)
{
	*t = (struct score){.cap = FIRST_CELLS};
	t->v = xcalloc(t->cap, sizeof *t->v);
}

void score_release(struct score *t)
{
	free(t->v);
	*t = (struct score){0};
}

static struct score_cell *place_for(const struct score *t, uint64_t key)
{
	size_t i = hash64(&key, sizeof key) & (t->cap - 1);

	while (t->v[i].key && t->v[i].key != key)
		i = (i + 1) & (t->cap - 1);
	return &t->v[i];
}

static void grow(struct score *t)
{
	struct score old = *t;

	t->cap *= 2;
	t->v = xcalloc(t->cap, sizeof *t->v);
	for (size_t i = 0; i < old.cap; i++) {
		if (old.v[i].key)
			*place_for(t, old.v[i].key) = old.v[i];
	}
	free(old.v);
}

static struct score_cell *cell_of(struct score *t, uint64_t key)
{
	struct score_cell *c = place_for(t, key);

	if (c->key)
		return c;
	if (++t->n > t->cap / 2) {
		grow(t);
		c = place_for(t, key);
	}
	c->key = key;
	return c;
}

struct score_cell *score_at(struct score *t, size_t rule, size_t destination)
{
	return cell_of(t, ((uint64_t)rule << 32 | (uint64_t)destination) + 1);
}

void score_add(struct score *to, const struct score *t)
{
	for (size_t i = 0; i < t->cap; i++) {
		const struct score_cell *from = &t->v[i];

		if (!from->key)
			continue;
		struct score_cell *c = cell_of(to, from->key);
		c->was += from->was;
		c->would += from->would;
		c->more += from->more;
		c->less += from->less;
		c->alerts_were += from->alerts_were;
		c->alerts_would += from->alerts_would;
	}
}

static int by_key(const void *a, const void *b)
{
	uint64_t x = ((const struct score_cell *)a)->key, y = ((const struct score_cell *)b)->key;

	return (x > y) - (x < y);
}

static struct backtest_row row_of(const struct score_names *names, const struct score_cell *c)
{
	struct backtest_row r = {
		.rule = names->rules[(c->key - 1) >> 32],
		.destination = names->destinations[(c->key - 1) & UINT32_MAX],
		.was = c->was + c->alerts_were,
		.would = c->would + c->alerts_would,
		.more = c->more,
		.less = c->less,
		.alert = c->alerts_were || c->alerts_would,
	};

	if (c->alerts_would > c->alerts_were)
		r.more += c->alerts_would - c->alerts_were;
	else
		r.less += c->alerts_were - c->alerts_would;
	return r;
}

static void take_names(struct score_names *t, struct backtest *ret)
{
	ret->nnames = t->nrules + t->ndestinations;
	ret->names = xcalloc(ret->nnames + 1, sizeof *ret->names);
	memcpy(ret->names, t->rules, t->nrules * sizeof *t->rules);
	memcpy(ret->names + t->nrules, t->destinations, t->ndestinations * sizeof *t->destinations);
	t->nrules = t->ndestinations = 0;
}

void score_finish(struct score *t, struct score_names *names, struct backtest *ret)
{
	/* empty places come first */
	qsort(t->v, t->cap, sizeof *t->v, by_key);
	ret->rows = xcalloc(t->n + 1, sizeof *ret->rows);
	for (size_t i = t->cap - t->n; i < t->cap; i++) {
		struct backtest_row r = row_of(names, &t->v[i]);

		ret->rows[ret->nrows++] = r;
		ret->all.was += r.was;
		ret->all.would += r.would;
		ret->all.more += r.more;
		ret->all.less += r.less;
	}
	take_names(names, ret);
}
