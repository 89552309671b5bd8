/*
 * index_table — an index's keys as they are looked up for each event: one immutable table for all
 * fields and kinds. Among 10,000 rules hardly anything that an event needs is in the processor's
 * cache, so what counts is how many lines of memory a look-up touches: for a key that is not in the
 * table, a bit of a small filter; for one that is, its row. For index*.c only.
 */
#ifndef RELAY_INDEX_TABLE_H
#define RELAY_INDEX_TABLE_H

#include "rules/index_keys.h"

/* The first check stands in the posting, so that most candidates cost no look elsewhere. Where it
 * decides, the posting names the pattern itself. */
struct posting {
	uint64_t maybe;
	uint32_t field;
	uint32_t target; /* an entry, or a pattern and POSTING_DECIDES */
};
#define POSTING_DECIDES (UINT32_C(1) << 31)

struct span {
	uint32_t first, n;
};

/* Head and tail are the text's ends, up to 16 bytes all of it: of less than 8 bytes the head alone,
 * else the first and the last 8. */
#define ROW_ENDS   16
#define ROW_MIDDLE 16 /* bytes between them */

struct row {
	uint64_t head, tail;
	uint32_t field;
	uint32_t shape;	      /* row_shape and, lowest, six bits: the key's bit; 0: a free row */
	struct span postings; /* of a gram: its place in index.literals */
	struct posting only;  /* where there is one: itself */
	char middle[ROW_MIDDLE];
};

struct key_table {
	struct row *rows;   /* 1 << bits, at most two thirds of them taken */
	const char **texts; /* borrowed; of each row whose text is longer than it can hold */
	uint64_t *filter;
	unsigned bits, filter_bits; /* filter_bits: of the number of its words */
};

/* Of the keys as they stand; their lists are places in `lists`, which lie in `postings`. */
void key_table_build(struct key_table *t, const struct keys *keys, const struct span *lists,
		     const struct posting *postings);
void key_table_release(struct key_table *t);
size_t key_table_bytes(const struct key_table *t);

static inline uint32_t row_shape(size_t len, enum key_kind kind)
{
	return (uint32_t)len << 10 | (uint32_t)kind << 6; /* a text is shorter than YAML_FILE_MAX */
}

/* What is looked for. */
struct probe {
	const char *text;
	size_t len;
	uint64_t head, tail, hash;
	uint32_t field, shape;
};

static inline struct probe probe_of(const char *text, size_t len, uint32_t field,
				    enum key_kind kind)
{
	struct probe p = {text, len, 0, 0, 0, field, row_shape(len, kind)};
	uint64_t seed = ((uint64_t)field << 32 | p.shape) * 0x9e3779b97f4a7c15;

	if (len < 8) {
		p.head = load_short(text, len);
	} else {
		p.head = load8(text);
		p.tail = load8(text + len - 8);
	}
	for (size_t at = 8; at + 8 < len; at += 8)
		seed = key_mix(seed ^ load8(text + at), 0x2d358dccaa6c78a5);
	p.hash = key_mix(p.head ^ 0x8bb84b93962eacc9, p.tail ^ seed);
	return p;
}

static inline size_t row_of(const struct key_table *t, const struct probe *p)
{
	return p->hash >> 32 & (((size_t)1 << t->bits) - 1);
}

/* Two bits of one word. */
static inline uint64_t filter_mask(const struct probe *p)
{
	return UINT64_C(1) << (p->hash & 63) | UINT64_C(1) << (p->hash >> 6 & 63);
}

static inline size_t filter_word(const struct key_table *t, const struct probe *p)
{
	return p->hash >> 12 & (((size_t)1 << t->filter_bits) - 1);
}

/* False: it surely is not in the table. Else its row is on the way. */
static inline bool key_table_may_have(const struct key_table *t, const struct probe *p)
{
	uint64_t mask = filter_mask(p);

	if ((t->filter[filter_word(t, p)] & mask) != mask)
		return false;
	__builtin_prefetch(&t->rows[row_of(t, p)]);
	return true;
}

/* Of texts with the same length and the same ends. */
static inline bool row_is(const struct key_table *t, size_t row, const struct probe *p)
{
	if (p->len <= ROW_ENDS)
		return true;
	if (p->len <= ROW_ENDS + ROW_MIDDLE)
		return memcmp(t->rows[row].middle, p->text + ROW_ENDS / 2, p->len - ROW_ENDS) == 0;
	return memcmp(t->texts[row], p->text, p->len) == 0;
}

/* NULL: there is none. */
static inline const struct row *key_table_find(const struct key_table *t, const struct probe *p)
{
	size_t mask = ((size_t)1 << t->bits) - 1;

	for (size_t i = row_of(t, p);; i++) {
		const struct row *r = &t->rows[i & mask];

		if (!r->shape)
			return NULL;
		if (r->head == p->head && r->tail == p->tail && r->field == p->field &&
		    (r->shape & ~UINT32_C(63)) == p->shape && row_is(t, i & mask, p))
			return r;
	}
}

#endif
