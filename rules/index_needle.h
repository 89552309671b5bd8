/*
 * index_needle — what to look for in a value so as not to miss a test that holds of it. For
 * index*.c only.
 */
#ifndef RELAY_INDEX_NEEDLE_H
#define RELAY_INDEX_NEEDLE_H

#include "rules/index_keys.h"
#include "rules/pattern_form.h"

struct needle {
	enum key_kind kind;
	const char *text; /* borrowed from the test */
	size_t len;
	bool whole; /* where it is found, the test holds */
};

/* The n-th needle of a test, from 0; each of them alone is enough. False: there is none (more). */
bool needle_of(const struct test *t, size_t n, struct needle *ret);

/* The same of a regular expression. Understands the common notation and gives up on the rest. */
bool needle_of_regex(const char *text, size_t len, size_t n, struct needle *ret);

#endif
