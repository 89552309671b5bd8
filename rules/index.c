/* index — builds an index and the scratch for it. Invariant: every conjunction of every pattern is
 * an entry that some list leads to. */
#include "rules/index.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/index_build.h"

/* Bits of the paths that two of the conditions share: if an array stands there, which of its
 * elements a leaf is in matters. */
static uint64_t shared_paths(const struct index *ix, const struct conjunction *c)
{
	uint64_t bits = 0;

	for (size_t i = 1; i < c->n; i++) /* neighbours share the most, since they are sorted */
		for (size_t n = 0; n < c->v[i].nkeys && n < c->v[i - 1].nkeys &&
				   !strcmp(c->v[i].keys[n], c->v[i - 1].keys[n]);
		     n++)
			bits |= UINT64_C(1)
				<< json_paths_find(ix->paths, (const char *const *)c->v[i].keys,
						   n + 1) %
					   64;
	return bits;
}

static bool may_be_absent(const struct condition *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].kind == TEST_ABSENT)
			return true;
	return false;
}

static void add_entry(struct builder *b, struct entry *e, const struct conjunction *c,
		      const uint32_t *fields)
{
	const struct condition *best = NULL;
	uint32_t entry = (uint32_t)(e - b->ix->entries);
	double rate = 2;
	size_t at = 0;

	for (size_t i = 0; i < c->n; i++) {
		double r = may_be_absent(&c->v[i]) ? 2 : survey_rate(b, &c->v[i], fields[i]);

		if (r < rate) {
			rate = r;
			best = &c->v[i];
			at = i;
		}
	}
	e->shared = shared_paths(b->ix, c);
	if (!best)
		access_always(b, entry);
	else if (access_add(b, best, fields[at], entry))
		best = NULL; /* its own condition is to be checked, too */
	checks_add(b, e, c, fields, best);
}

static void add_fields(struct builder *b)
{
	struct index *ix = b->ix;
	size_t conditions = 0, at = 0;

	for (size_t i = 0; i < ix->npatterns; i++)
		for (size_t k = 0; k < ix->patterns[i]->n; k++, ix->nentries++)
			conditions += ix->patterns[i]->v[k].n;
	b->fields = xcalloc(conditions, sizeof *b->fields);
	for (size_t i = 0; i < ix->npatterns; i++)
		for (size_t k = 0; k < ix->patterns[i]->n; k++) {
			const struct conjunction *c = &ix->patterns[i]->v[k];

			for (size_t m = 0; m < c->n; m++)
				b->fields[at++] =
					json_paths_add(ix->paths, (const char *const *)c->v[m].keys,
						       c->v[m].nkeys);
		}
	ix->nfields = json_paths_count(ix->paths);
	ix->fields = xcalloc(ix->nfields, sizeof *ix->fields);
	b->surveys = xcalloc(ix->nfields, sizeof *b->surveys);
	b->field_lists = xcalloc(ix->nfields, sizeof *b->field_lists);
}

static void add_bounds(struct builder *b, const struct condition *c, uint32_t field,
		       size_t *ranges_cap)
{
	struct index *ix = b->ix;

	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].kind != TEST_RANGE)
			continue;
		if (!ix->fields[field].ranges) {
			ix->ranges =
				mem_grow(ix->ranges, ix->nranges, ranges_cap, sizeof *ix->ranges);
			ix->ranges[ix->nranges++] = (struct ranges){0};
			ix->fields[field].ranges = (uint32_t)ix->nranges;
		}
		ranges_add_bounds(&ix->ranges[ix->fields[field].ranges - 1], &c->v[i]);
	}
}

static void add_ranges(struct builder *b)
{
	struct index *ix = b->ix;
	size_t at = 0, cap = 0;

	for (size_t i = 0; i < ix->npatterns; i++)
		for (size_t k = 0; k < ix->patterns[i]->n; k++) {
			const struct conjunction *c = &ix->patterns[i]->v[k];

			for (size_t m = 0; m < c->n; m++)
				add_bounds(b, &c->v[m], b->fields[at++], &cap);
		}
	for (size_t i = 0; i < ix->nranges; i++)
		ranges_seal(&ix->ranges[i]);
}

static void add_entries(struct builder *b)
{
	struct index *ix = b->ix;
	struct entry *e;
	size_t at = 0;

	e = ix->entries = mem_lines(ix->nentries, sizeof *ix->entries);
	for (size_t i = 0; i < ix->npatterns; i++)
		for (size_t k = 0; k < ix->patterns[i]->n; k++, e++) {
			e->pattern = (uint32_t)i;
			add_entry(b, e, &ix->patterns[i]->v[k], b->fields + at);
			at += ix->patterns[i]->v[k].n;
		}
}

/* Values with a bit: the kinds that a leaf is looked up for. */
static void note_popular(struct builder *b)
{
	for (size_t i = 0; i < b->keys.n; i++)
		b->ix->fields[b->keys.v[i].field].kinds |= 1u << b->keys.v[i].kind;
}

static void release(struct builder *b)
{
	for (size_t i = 0; i < b->ix->nfields; i++)
		free(b->surveys[i].popular);
	free(b->surveys);
	free(b->field_lists);
	free(b->lists);
	free(b->fields);
	free(b->accesses);
	free(b->drafts);
	keys_release(&b->all);
	keys_release(&b->keys);
}

struct index *index_build(const struct pattern *const *patterns, size_t n)
{
	struct index *ix = xcalloc(1, sizeof *ix);
	struct builder b = {.ix = ix};

	ix->patterns = xcalloc(n + 1, sizeof *ix->patterns);
	if (n)
		memcpy(ix->patterns, patterns, n * sizeof *patterns);
	ix->npatterns = n;
	ix->paths = json_paths_new();
	keys_init(&b.keys);
	keys_init(&b.all);
	b.lists = mem_grow(NULL, 0, &b.lists_cap, sizeof *b.lists);
	b.lists[b.nlists++] = (struct span){0}; /* LIST_NONE */
	add_fields(&b);
	survey_conditions(&b);
	add_ranges(&b);
	add_entries(&b);
	access_finish(&b);
	note_popular(&b);
	release(&b);
	return ix;
}

void index_free(struct index *ix)
{
	if (!ix)
		return;
	for (size_t i = 0; i < ix->nfields; i++)
		for (size_t k = 0; k < KEY_LENGTHS; k++)
			free(ix->fields[i].lengths[k].v);
	for (size_t i = 0; i < ix->nranges; i++)
		ranges_release(&ix->ranges[i]);
	free(ix->patterns);
	json_paths_free(ix->paths);
	key_table_release(&ix->table);
	free(ix->fields);
	free(ix->entries);
	free(ix->checks);
	free(ix->postings);
	free(ix->literals);
	free(ix->ranges);
	free(ix->gram_bits);
	free(ix);
}

size_t index_bytes(const struct index *ix)
{
	size_t bytes = sizeof *ix + json_paths_bytes(ix->paths) + key_table_bytes(&ix->table);

	bytes += ix->nfields * sizeof *ix->fields + ix->nentries * sizeof *ix->entries;
	bytes += ix->nchecks * sizeof *ix->checks + ix->npostings * sizeof *ix->postings;
	bytes += ix->nliterals * sizeof *ix->literals + ix->npatterns * sizeof *ix->patterns;
	bytes += ix->nranges * sizeof *ix->ranges + (1 << GRAM_BITS) / 8;
	for (size_t i = 0; i < ix->nranges; i++)
		bytes += ix->ranges[i].cap * sizeof(double) +
			 2 * ranges_width(&ix->ranges[i]) * sizeof(struct range_node);
	return bytes;
}

struct index_scratch *index_scratch_new(const struct index *ix)
{
	struct index_scratch *s = xcalloc(1, sizeof *s);
	size_t words = ix->npatterns / 64 + 1;

	s->masks = xcalloc(ix->nfields, sizeof *s->masks);
	for (size_t i = 0; i < ix->nfields; i++)
		s->masks[i] = BIT_ABSENT;
	s->first = xcalloc(ix->nfields, sizeof *s->first);
	s->seen = xcalloc(ix->npostings, sizeof *s->seen);
	s->taken = xcalloc(2 * ix->nspans, sizeof *s->taken);
	s->matched = xcalloc(words, sizeof *s->matched);
	s->refused = xcalloc(words, sizeof *s->refused);
	s->matches = xcalloc(ix->npatterns, sizeof *s->matches);
	s->refusals = xcalloc(ix->npatterns, sizeof *s->refusals);
	buf_init(&s->folded, SIZE_MAX / 2); /* bounded by the event */
	return s;
}

void index_scratch_free(struct index_scratch *s)
{
	if (!s)
		return;
	json_skim_release(&s->skim);
	json_doc_free(s->doc);
	buf_release(&s->folded);
	free(s->masks);
	free(s->first);
	free(s->seen);
	free(s->taken);
	free(s->matched);
	free(s->refused);
	free(s->matches);
	free(s->refusals);
	free(s);
}
