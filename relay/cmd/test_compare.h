/*
 * test_compare — what was expected of a test against what came: where the two differ, each kind in
 * order and in full.
 */
#ifndef RELAY_TEST_COMPARE_H
#define RELAY_TEST_COMPARE_H

#include "relay/cmd/test_run.h"

#define TEST_WHOLE SIZE_MAX /* as a step: all of them together */

enum difference_kind {
	AS_EXPECTED,
	UNLIKE,	   /* this is probably the one that was meant */
	MISSING,   /* expected only */
	UNEXPECTED /* got only */
};

struct difference {
	enum difference_kind kind;
	size_t wanted, got; /* places in the lists; SIZE_MAX: none */
};

/* One list that is not as expected. */
struct mismatch {
	size_t step;
	enum got_kind kind;
	const struct node *at; /* what is expected */
	int64_t count;	       /* only how many were expected; -1: a list */
	char **wanted;	       /* owned JSON texts */
	size_t nwanted;
	char *const *got; /* borrowed from the test_got */
	size_t ngot;
	struct difference *v; /* owned, in order; without those that only counts */
	size_t n;
};

struct mismatches {
	struct mismatch *v; /* owned */
	size_t n, cap;
};

void test_compare(const struct test_case *t, const struct test_got *got, struct mismatches *ret);
void mismatches_release(struct mismatches *m); /* {0} is allowed */

#endif
