/*
 * index_parts — what an index is made of. For index*.c only.
 *
 * Each conjunction of each pattern is an entry. It is found by one of its conditions, the most
 * selective one (its access), through lists of postings that hang on keys, ranges and fields; then
 * its other conditions are checked. A field is a path's number in json_paths.
 *
 * The values that rules name most on a field have bits of their own. An event has one mask a field:
 * the bits of its leaves there. What a condition says of those values is computed at the load,
 * whatever its operator, so that most checks are one AND.
 */
#ifndef RELAY_INDEX_PARTS_H
#define RELAY_INDEX_PARTS_H

#include "relay/base/json_skim.h"
#include "relay/base/mem.h"
#include "rules/index.h"
#include "rules/index_ranges.h"
#include "rules/index_table.h"
#include "rules/pattern_form.h"

#define BIT_TRUE   (UINT64_C(1) << KEY_BITS)
#define BIT_FALSE  (UINT64_C(1) << 60)
#define BIT_NULL   (UINT64_C(1) << 61)
#define BIT_ABSENT (UINT64_C(1) << 62) /* the field has no leaf */
#define BIT_OTHER  (UINT64_C(1) << 63) /* it has one without a bit of its own */

struct check {
	uint64_t yes;	/* the condition holds of a value with one of these bits */
	uint64_t maybe; /* it may hold: `yes`, and BIT_OTHER where the value itself must be seen */
	const struct test *v; /* borrowed; the condition's */
	uint32_t n, field;
};

struct entry {
	_Alignas(MEM_LINE) struct check check; /* the first one; none: holds of everything */
	uint64_t shared; /* bits as in json_skim.arrays: paths that two of its conditions share */
	uint32_t pattern;
	uint32_t rest, nrest; /* the others: the first of them and how many */
};

/* A text to look for anywhere in a value; found by a piece of it, the gram. */
struct literal {
	const char *text;
	uint32_t len, at; /* where the gram begins in it */
	struct span postings;
};

/* Which lengths of keys of a kind there are on a field: one probe for each. */
struct lengths {
	uint32_t *v; /* owned, ascending */
	size_t n;
};

struct field {
	uint32_t kinds;				/* bits of enum key_kind: which keys there are */
	struct span any;			/* postings: of every leaf, … */
	struct span is_true, is_false, is_null; /* of these */
	uint32_t ranges;			/* place in index.ranges + 1; 0: none */
	unsigned grams;				/* bit n: there are grams of n bytes */
	struct lengths lengths[KEY_LENGTHS];
};

struct index {
	const struct pattern **patterns; /* they are borrowed */
	size_t npatterns;
	struct json_paths *paths;
	struct field *fields;
	size_t nfields;
	struct key_table table;
	struct entry *entries;
	struct check *checks;
	struct posting *postings;
	struct literal *literals;
	struct ranges *ranges;
	size_t nentries, nchecks, npostings, nspans, nliterals, nranges;
	struct span always; /* postings that no leaf leads to */
	uint64_t *gram_bits;
};

/* A key that the table may have, and the leaf that asks. */
struct question {
	struct probe probe;
	bool again;    /* the leaf's field had one before */
	bool is_value; /* the whole of it: gets a bit */
};

#define QUESTIONS 32 /* are asked together, so that their rows come from memory together */

struct index_scratch {
	struct json_skim skim;
	uint64_t *masks; /* a field; BIT_ABSENT between events */
	uint32_t *first; /* a field: its first leaf */
	uint32_t *seen;	 /* a posting: the event for which the span that begins there was taken */
	uint32_t event;
	struct taken {
		const struct posting *v;
		size_t n;
	} * taken; /* for this event; there is room for each span twice */
	size_t ntaken;
	struct question questions[QUESTIONS];
	size_t nquestions;
	uint32_t candidates[QUESTIONS]; /* entries whose first check may hold */
	size_t ncandidates;
	uint64_t *matched, *refused; /* bits of patterns; all 0 between events */
	uint32_t *matches;	     /* there is room for all patterns */
	size_t nmatches;
	uint32_t *refusals;
	size_t nrefusals;
	struct buf folded;
	struct json_doc *doc;	       /* for events with arrays, where a leaf's element matters */
	const struct json *event_tree; /* NULL: not parsed yet */
	const char *text;
	size_t len;
};

/* A block's size, among those that a field's keys have. */
static inline uint32_t addresses_size(const struct addresses *a)
{
	return a->family << 8 | a->bits;
}

/* index_lookup.c: fills masks, first and taken from what was read. */
void index_look_up(const struct index *ix, struct index_scratch *s);

#define GRAM	  4  /* bytes, where the literal has so many */
#define GRAM_BITS 15 /* 4 KB: stays in the nearest cache */

/* A gram's place among the bits, and in a key of KEY_GRAM the same bytes. */
static inline uint32_t gram_slot(uint32_t gram, uint32_t field)
{
	return (gram ^ field * 0x85ebca6bu) * 0x9e3779b1u >> (32 - GRAM_BITS);
}

#endif
