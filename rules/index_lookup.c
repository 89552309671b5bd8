/* index_lookup — from an event's leaves to the postings that they lead to, and what they say in
 * bits of the values that rules name. Invariant: an entry whose access condition holds of a leaf
 * has a posting in what is taken. */
#include <math.h>

#include "rules/index_parts.h"
#include "rules/pattern_cidr.h"
#include "rules/pattern_fold.h"

struct lookup {
	const struct index *ix;
	struct index_scratch *s;
	bool again; /* the leaf's field had one before */
};

/* A span that nothing else of this event leads to, or only once more. */
static inline void take_once(const struct lookup *l, struct span span)
{
	const struct posting *v = &l->ix->postings[span.first];

	if (!span.n)
		return;
	__builtin_prefetch(v);
	l->s->taken[l->s->ntaken++] = (struct taken){v, span.n};
}

static inline void take_first(const struct lookup *l, struct span span)
{
	if (!span.n || l->s->seen[span.first] == l->s->event)
		return;
	l->s->seen[span.first] = l->s->event;
	take_once(l, span);
}

/* A field's first leaf asks for nothing twice. */
static inline void take(const struct lookup *l, struct span span, bool again)
{
	if (again)
		take_first(l, span);
	else
		take_once(l, span);
}

/* It came with its key's row. */
static inline void take_only(const struct lookup *l, const struct posting *p)
{
	if (!(p->target & POSTING_DECIDES))
		__builtin_prefetch(&l->ix->entries[p->target]);
	l->s->taken[l->s->ntaken++] = (struct taken){p, 1};
}

static void answer(const struct lookup *l)
{
	struct index_scratch *s = l->s;

	for (size_t i = 0; i < s->nquestions; i++) {
		const struct question *q = &s->questions[i];
		const struct row *r = key_table_find(&l->ix->table, &q->probe);
		unsigned bit = r ? r->shape & 63 : KEY_BITS;

		if (bit != KEY_BITS)
			s->masks[q->probe.field] |= UINT64_C(1) << bit;
		else if (q->is_value)
			s->masks[q->probe.field] |= BIT_OTHER;
		if (r && r->postings.n == 1 && !q->again)
			take_only(l, &r->only);
		else if (r)
			take(l, r->postings, q->again);
	}
	s->nquestions = 0;
}

/* False: there is no such key. */
static inline bool ask(const struct lookup *l, const char *text, size_t len, uint32_t field,
		       enum key_kind kind)
{
	struct index_scratch *s = l->s;
	struct question *q = &s->questions[s->nquestions];

	q->probe = probe_of(text, len, field, kind);
	q->again = l->again;
	q->is_value = kind == KEY_STRING || kind == KEY_NUMBER;
	if (!key_table_may_have(&l->ix->table, &q->probe))
		return false;
	if (++s->nquestions == QUESTIONS)
		answer(l);
	return true;
}

static void ask_ends(const struct lookup *l, const char *text, size_t len, uint32_t field,
		     enum key_kind prefix)
{
	const struct field *f = &l->ix->fields[field];
	const struct lengths *first = &f->lengths[prefix], *last = &f->lengths[prefix + 1];

	for (size_t i = 0; i < first->n && first->v[i] <= len; i++)
		ask(l, text, first->v[i], field, prefix);
	for (size_t i = 0; i < last->n && last->v[i] <= len; i++)
		ask(l, text + len - last->v[i], last->v[i], field, prefix + 1);
}

/* Asks at once: the folded text is gone with the next leaf. */
static void ask_folded(const struct lookup *l, const struct json_leaf *leaf)
{
	struct buf *b = &l->s->folded;

	buf_clear(b);
	fold_text(b, leaf->text, leaf->len);
	if (l->ix->fields[leaf->path].kinds >> KEY_NOCASE & 1)
		ask(l, b->data, b->len, leaf->path, KEY_NOCASE);
	ask_ends(l, b->data, b->len, leaf->path, KEY_PREFIX_NOCASE);
	answer(l);
}

static void ask_blocks(const struct lookup *l, const struct json_leaf *leaf)
{
	const struct lengths *sizes = &l->ix->fields[leaf->path].lengths[KEY_BLOCK];
	struct addresses one, block;

	if (!addresses_one(&one, leaf->text, leaf->len))
		return;
	for (size_t i = 0; i < sizes->n; i++) {
		block = one;
		block.bits = sizes->v[i] & 0xff;
		if (addresses_size(&block) != sizes->v[i] || block.bits > one.bits)
			continue;
		addresses_clear_host(&block);
		if (ask(l, (const char *)&block, sizeof block, leaf->path, KEY_BLOCK))
			answer(l); /* while the block is here */
	}
}

/* The gram's bytes at `at` of the value are those of some literal's: is the rest as well? */
static void take_literals(const struct lookup *l, const struct json_leaf *leaf, size_t at,
			  size_t gram)
{
	struct probe p = probe_of(leaf->text + at, gram, leaf->path, KEY_GRAM);
	const struct row *r = key_table_find(&l->ix->table, &p);

	for (uint32_t i = 0; r && i < r->postings.n; i++) {
		const struct literal *t = &l->ix->literals[r->postings.first + i];

		if (t->at <= at && t->len - t->at <= leaf->len - at &&
		    memcmp(leaf->text + at - t->at, t->text, t->len) == 0)
			take_first(l, t->postings); /* a value may hold it several times */
	}
}

static void take_grams(const struct lookup *l, const struct json_leaf *leaf, size_t gram)
{
	const uint64_t *bits = l->ix->gram_bits;
	uint32_t mask = gram == GRAM ? UINT32_MAX : (1u << 8 * gram) - 1, word, slot;
	size_t at = 0;

	for (; at + GRAM <= leaf->len; at++) {
		memcpy(&word, leaf->text + at, GRAM);
		word = le32toh(word);
		slot = gram_slot(word & mask, leaf->path);
		if (bits[slot / 64] >> slot % 64 & 1)
			take_literals(l, leaf, at, gram);
	}
	for (; at + gram <= leaf->len; at++)
		take_literals(l, leaf, at, gram);
}

/* The bit is set here or when the question is answered. */
static inline void ask_value(const struct lookup *l, const char *text, size_t len, uint32_t field,
			     enum key_kind kind)
{
	if (!(l->ix->fields[field].kinds >> kind & 1) || !ask(l, text, len, field, kind))
		l->s->masks[field] |= BIT_OTHER;
}

static void take_number(const struct lookup *l, struct json_leaf *leaf)
{
	const struct field *f = &l->ix->fields[leaf->path];

	leaf->number += 0.0;			   /* -0 is 0 */
	if (f->ranges && isfinite(leaf->number)) { /* 1e999 is in no range */
		const struct ranges *r = &l->ix->ranges[f->ranges - 1];

		for (size_t i = ranges_width(r) + ranges_place(r, leaf->number); i;
		     i = r->nodes[i].above)
			take(l, r->nodes[i].postings, l->again);
	}
	ask_value(l, (const char *)&leaf->number, sizeof leaf->number, leaf->path, KEY_NUMBER);
}

#define FOLDING (1u << KEY_NOCASE | 1u << KEY_PREFIX_NOCASE | 1u << KEY_SUFFIX_NOCASE)

static void take_string(const struct lookup *l, const struct json_leaf *leaf)
{
	const struct field *f = &l->ix->fields[leaf->path];

	ask_value(l, leaf->text, leaf->len, leaf->path, KEY_STRING);
	if (f->kinds & (1u << KEY_PREFIX | 1u << KEY_SUFFIX))
		ask_ends(l, leaf->text, leaf->len, leaf->path, KEY_PREFIX);
	if (f->kinds & FOLDING)
		ask_folded(l, leaf);
	if (f->kinds >> KEY_BLOCK & 1)
		ask_blocks(l, leaf);
	for (size_t gram = 1; f->grams && gram <= GRAM; gram++)
		if (f->grams >> gram & 1)
			take_grams(l, leaf, gram);
}

static void take_leaf(const struct lookup *l, struct json_leaf *leaf)
{
	const struct field *f = &l->ix->fields[leaf->path];

	switch (leaf->type) {
	case JSON_STRING: take_string(l, leaf); break;
	case JSON_NUMBER: take_number(l, leaf); break;
	case JSON_BOOL:
		l->s->masks[leaf->path] |= leaf->number != 0 ? BIT_TRUE : BIT_FALSE;
		take(l, leaf->number != 0 ? f->is_true : f->is_false, l->again);
		break;
	default: l->s->masks[leaf->path] |= BIT_NULL; take(l, f->is_null, l->again);
	}
}

void index_look_up(const struct index *ix, struct index_scratch *s)
{
	struct lookup l = {ix, s, false};

	take_once(&l, ix->always);
	for (size_t i = 0; i < s->skim.n; i++) {
		struct json_leaf *leaf = &s->skim.v[i];

		l.again = s->masks[leaf->path] != BIT_ABSENT;
		if (!l.again) {
			s->masks[leaf->path] = 0;
			s->first[leaf->path] = (uint32_t)i;
			take_once(&l, ix->fields[leaf->path].any);
		}
		take_leaf(&l, leaf);
	}
	answer(&l);
}
