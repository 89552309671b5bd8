/* index_access — the lists that lead to entries. Invariant: of whatever value a condition holds,
 * one of the lists that its entry hangs on is found. */
#include "rules/index_build.h"

#include <stdlib.h>

#include "relay/base/mem.h"

/* Where a field has too many lengths: the longest of these that a key has. */
static const uint32_t coarse_lengths[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128};
#define COARSE (sizeof coarse_lengths / sizeof *coarse_lengths)

static void hang(struct builder *b, uint32_t *list, uint32_t entry)
{
	if (*list == LIST_NONE) {
		b->lists = mem_grow(b->lists, b->nlists, &b->lists_cap, sizeof *b->lists);
		b->lists[b->nlists] = (struct span){0};
		*list = (uint32_t)b->nlists++;
	}
	b->lists[*list].n++;
	b->accesses = mem_grow(b->accesses, b->naccesses, &b->accesses_cap, sizeof *b->accesses);
	b->accesses[b->naccesses++] = (struct access){*list, entry};
}

static void add_length(struct lengths *l, uint32_t len)
{
	size_t i = 0;

	while (i < l->n && l->v[i] < len)
		i++;
	if (i < l->n && l->v[i] == len)
		return;
	l->v = xrealloc(l->v, l->n + 1, sizeof *l->v);
	memmove(&l->v[i + 1], &l->v[i], (l->n - i) * sizeof *l->v);
	l->v[i] = len;
	l->n++;
}

/* Shortens it where each length may not have a probe of its own. */
static void fit_length(const struct builder *b, struct needle *n, uint32_t field)
{
	size_t i = COARSE;

	if (n->kind >= KEY_ENDS || !b->surveys[field].coarse[n->kind])
		return;
	while (coarse_lengths[i - 1] > n->len)
		i--;
	if (coarse_lengths[i - 1] == n->len)
		return;
	if (n->kind == KEY_SUFFIX || n->kind == KEY_SUFFIX_NOCASE)
		n->text += n->len - coarse_lengths[i - 1];
	n->len = coarse_lengths[i - 1];
	n->whole = false;
}

static void hang_on_key(struct builder *b, const struct needle *n, uint32_t field, uint32_t entry)
{
	struct field *f = &b->ix->fields[field];
	struct key key = {
		.text = n->text, .len = (uint32_t)n->len, .field = field, .kind = (uint8_t)n->kind};
	uint32_t place = keys_add(&b->keys, &key);

	f->kinds |= 1u << n->kind;
	if (n->kind < KEY_ENDS)
		add_length(&f->lengths[n->kind], key.len);
	else if (n->kind == KEY_BLOCK)
		add_length(&f->lengths[KEY_BLOCK], addresses_size((const void *)n->text));
	hang(b, &b->keys.v[place].list, entry);
}

static void hang_on_literal(struct builder *b, const struct needle *n, uint32_t field,
			    uint32_t entry)
{
	struct key *k =
		&b->all.v[keys_find(&b->all, n->text, n->len, field, KEY_LITERAL) - b->all.v];

	if (!k->list) { /* its draft's place + 1 */
		b->drafts = mem_grow(b->drafts, b->ndrafts, &b->drafts_cap, sizeof *b->drafts);
		b->drafts[b->ndrafts++] =
			(struct draft){.literal = {.text = k->text, .len = k->len}, .field = field};
		k->list = (uint32_t)b->ndrafts;
	}
	hang(b, &b->drafts[k->list - 1].list, entry);
}

struct on_range {
	struct builder *b;
	uint32_t entry;
};

static void hang_on_node(void *arg, uint32_t *list)
{
	const struct on_range *o = arg;

	hang(o->b, list, o->entry);
}

/* True: a candidate has to be checked for the test. */
static bool hang_on(struct builder *b, const struct test *t, uint32_t field, uint32_t entry)
{
	struct field_lists *f = &b->field_lists[field];
	struct needle n;

	if (survey_needle(b, t, field, &n)) {
		fit_length(b, &n, field);
		if (n.kind == KEY_LITERAL)
			hang_on_literal(b, &n, field, entry);
		else
			hang_on_key(b, &n, field, entry);
		return !n.whole;
	}
	switch (t->kind) {
	case TEST_TRUE: hang(b, &f->is_true, entry); return false;
	case TEST_FALSE: hang(b, &f->is_false, entry); return false;
	case TEST_NULL: hang(b, &f->is_null, entry); return false;
	case TEST_RANGE:
		ranges_nodes(&b->ix->ranges[b->ix->fields[field].ranges - 1], t, hang_on_node,
			     &(struct on_range){b, entry});
		return false;
	default: hang(b, &f->any, entry); return t->kind != TEST_EXISTS;
	}
}

bool access_add(struct builder *b, const struct condition *c, uint32_t field, uint32_t entry)
{
	bool check = false;

	for (size_t i = 0; i < c->n; i++)
		check |= hang_on(b, &c->v[i], field, entry);
	return check;
}

void access_always(struct builder *b, uint32_t entry)
{
	hang(b, &b->always, entry);
}

/* ---- grams */

#define GRAM_COUNTERS 4096

static uint32_t gram_at(const struct literal *l, uint32_t at)
{
	uint32_t gram;

	memcpy(&gram, l->text + at, GRAM);
	return le32toh(gram);
}

static size_t counter_of(uint32_t gram, uint32_t field)
{
	return gram_slot(gram, field) % GRAM_COUNTERS;
}

static uint32_t grams_in(const struct literal *l)
{
	return l->len < GRAM ? 0 : l->len - GRAM + 1;
}

/* The gram that the fewest literals hold, so that one that all begin with leads to none. */
static void choose_grams(struct builder *b)
{
	uint32_t *counters = xcalloc(GRAM_COUNTERS, sizeof *counters);

	for (size_t i = 0; i < b->ndrafts; i++) {
		const struct draft *d = &b->drafts[i];

		for (uint32_t at = 0; at < grams_in(&d->literal); at++)
			counters[counter_of(gram_at(&d->literal, at), d->field)]++;
	}
	for (size_t i = 0; i < b->ndrafts; i++) {
		struct literal *l = &b->drafts[i].literal;
		uint32_t field = b->drafts[i].field;

		for (uint32_t at = 1; at < grams_in(l); at++)
			if (counters[counter_of(gram_at(l, at), field)] <
			    counters[counter_of(gram_at(l, l->at), field)])
				l->at = at;
	}
	free(counters);
}

static int by_gram(const void *a, const void *b)
{
	uint32_t x = ((const struct draft *)a)->gram, y = ((const struct draft *)b)->gram;

	return x < y ? -1 : x > y;
}

static void add_grams(struct builder *b)
{
	struct index *ix = b->ix;

	for (size_t i = 0; i < b->ndrafts; i++) {
		struct draft *d = &b->drafts[i];
		struct key key = {.text = d->literal.text + d->literal.at,
				  .len = d->literal.len < GRAM ? d->literal.len : GRAM,
				  .field = d->field,
				  .kind = KEY_GRAM};
		uint32_t gram = 0;

		memcpy(&gram, key.text, key.len);
		ix->fields[d->field].kinds |= 1u << KEY_GRAM;
		ix->fields[d->field].grams |= 1u << key.len;
		gram = gram_slot(le32toh(gram), d->field);
		ix->gram_bits[gram / 64] |= UINT64_C(1) << gram % 64;
		d->gram = keys_add(&b->keys, &key);
		b->keys.v[d->gram].uses++;
	}
}

static void place_literals(struct builder *b)
{
	struct index *ix = b->ix;

	ix->nliterals = b->ndrafts;
	ix->literals = xcalloc(b->ndrafts, sizeof *ix->literals);
	ix->gram_bits = xcalloc((1 << GRAM_BITS) / 64, sizeof *ix->gram_bits);
	if (!b->ndrafts)
		return;
	choose_grams(b);
	add_grams(b);
	qsort(b->drafts, b->ndrafts, sizeof *b->drafts, by_gram);
	for (size_t i = b->ndrafts; i-- > 0;) {
		ix->literals[i] = b->drafts[i].literal;
		ix->literals[i].postings = b->lists[b->drafts[i].list];
		b->keys.v[b->drafts[i].gram].list = (uint32_t)i;
	}
}

/* ---- postings */

static void place_postings(struct builder *b)
{
	struct index *ix = b->ix;
	uint32_t at = 0;

	ix->npostings = b->naccesses;
	ix->postings = xcalloc(b->naccesses, sizeof *ix->postings);
	for (size_t i = 0; i < b->nlists; i++) {
		b->lists[i].first = at;
		at += b->lists[i].n;
		b->lists[i].n = 0;
	}
	for (size_t i = 0; i < b->naccesses; i++) {
		struct span *l = &b->lists[b->accesses[i].list];
		const struct entry *e = &ix->entries[b->accesses[i].entry];
		struct posting *p = &ix->postings[l->first + l->n++];

		*p = (struct posting){e->check.maybe, e->check.field, b->accesses[i].entry};
		if (!e->shared && !e->nrest && e->check.yes == e->check.maybe)
			p->target = e->pattern | POSTING_DECIDES;
		/* of a shared path only a look at the elements tells what is absent */
		if (e->shared && e->check.yes & BIT_ABSENT)
			p->maybe = UINT64_MAX;
	}
}

void access_finish(struct builder *b)
{
	struct index *ix = b->ix;

	place_postings(b);
	place_literals(b);
	for (size_t i = 0; i < ix->nranges; i++)
		ranges_place_lists(&ix->ranges[i], b->lists);
	for (size_t i = 0; i < ix->nfields; i++) {
		const struct field_lists *f = &b->field_lists[i];

		ix->fields[i].any = b->lists[f->any];
		ix->fields[i].is_true = b->lists[f->is_true];
		ix->fields[i].is_false = b->lists[f->is_false];
		ix->fields[i].is_null = b->lists[f->is_null];
	}
	ix->always = b->lists[b->always];
	ix->nspans = b->nlists;
	key_table_build(&ix->table, &b->keys, b->lists, ix->postings);
}
