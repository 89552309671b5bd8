/*
 * source_orgs — sub-organizations: which there are beside the configured ones, asked for in rounds.
 *
 * A round reads the lists of all configured organizations, page by page. What is found is polled
 * from then on; what two rounds in a row that could be read completely do not name is not.
 */
#ifndef RELAY_SOURCE_ORGS_H
#define RELAY_SOURCE_ORGS_H

#include "relay/source/client.h"
#include "relay/source/orgs.h"

struct source;
struct ask;

struct found_org {
	char *id;	 /* owned */
	unsigned absent; /* complete rounds in a row that did not name it */
	bool named;	 /* by this round */
};

struct source_orgs {
	struct found_org *v;
	size_t n, cap;
	struct orgs page;
	bool asked;   /* a request is under way */
	bool reading; /* a round is */
	bool whole;   /* nothing failed in it */
	bool broken;  /* something failed in it that may work soon */
	size_t parent;
	unsigned number; /* of the page */
	size_t rows;	 /* of the parent so far */
	uint64_t hash;	 /* of the page before */
	int64_t due_ms;
	bool *told;	   /* for each parent: that it has no list */
	bool ceiling_told; /* … and that there are too many */
};

void source_orgs_release(struct source_orgs *o);

/* Until a request is due; ≤ 0: now; INT64_MAX: none, or one is under way. */
int64_t source_orgs_wait_ms(const struct source *s);
/* The next one, for a caller that is free to ask. */
void source_orgs_plan(struct source *s, struct ask *a, struct request *ret);
void source_orgs_answered(struct ask *a, const struct answer *answer); /* frees a */

/* One that was followed before, or is: taken for found. */
void source_orgs_add(struct source *s, const char *id);

#endif
