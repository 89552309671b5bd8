/*
 * index_build — the state of an index while it is built. For index.c, index_survey.c,
 * index_access.c and index_checks.c only.
 */
#ifndef RELAY_INDEX_BUILD_H
#define RELAY_INDEX_BUILD_H

#include "rules/index_needle.h"
#include "rules/index_parts.h"

/* What all conditions together look for on one field. */
struct survey {
	uint32_t uses[KEY_KINDS], distinct[KEY_KINDS];
	uint64_t short_lengths[KEY_ENDS]; /* bit n: there are keys of n bytes */
	bool coarse[KEY_ENDS];		  /* there are too many lengths to try each */
	double low, high;		  /* the outermost finite bounds of its ranges */
	const struct key **popular;	  /* owned; the keys with a bit, by it */
	size_t npopular;
};

#define LIST_NONE 0 /* a list without postings */

/* Lists of a field, as they get their postings. */
struct field_lists {
	uint32_t any, is_true, is_false, is_null;
};

struct access {
	uint32_t list, entry;
};

/* A literal with the gram that it will be found by. */
struct draft {
	struct literal literal;
	uint32_t list, field, gram; /* gram: its key */
};

struct builder {
	struct index *ix;
	struct keys all;  /* every needle of every test, with its uses */
	struct keys keys; /* those of the index */
	struct survey *surveys;
	struct field_lists *field_lists;
	uint32_t *fields; /* of each condition of each entry, in order */
	struct access *accesses;
	size_t naccesses, accesses_cap;
	struct draft *drafts;
	size_t ndrafts, drafts_cap;
	struct span *lists; /* n counts until access_finish */
	size_t nlists, lists_cap, checks_cap;
	uint32_t always;
};

/* index_survey.c: counts all tests, gives the popular values their bits. */
void survey_conditions(struct builder *b);
/* The part of events for which the condition holds, by what the rules themselves look for. */
double survey_rate(const struct builder *b, const struct condition *c, uint32_t field);
/* The test's most selective needle; false: it has none. */
bool survey_needle(const struct builder *b, const struct test *t, uint32_t field,
		   struct needle *ret);

/* index_access.c: hangs the entry on the lists that lead to it by condition c; true: a candidate
 * still has to be checked for the condition itself. */
bool access_add(struct builder *b, const struct condition *c, uint32_t field, uint32_t entry);
void access_always(struct builder *b, uint32_t entry);
/* When all entries are added: literals get their grams, lists their postings. */
void access_finish(struct builder *b);

/* index_checks.c: adds those of an entry; skip: the condition that needs none, or NULL. */
void checks_add(struct builder *b, struct entry *e, const struct conjunction *c,
		const uint32_t *fields, const struct condition *skip);

#endif
