/*
 * test_file — a file of tests of rules, as it is written: what the API shows step by step, and what
 * is expected of it. docs/rule-tools.md is for who writes one.
 */
#ifndef RELAY_TEST_FILE_H
#define RELAY_TEST_FILE_H

#include "relay/base/buf.h"
#include "relay/config/option.h"

/* What can be expected, each in a list of its own. */
enum got_kind {
	GOT_EVENTS,    /* that changes at the API make */
	GOT_ROUTES,    /* of all events, alerts among them */
	GOT_CALLBACKS, /* of routes to destinations that take calls */
	GOT_ALERTS,
	GOT_KINDS
};
extern const char *const got_names[GOT_KINDS + 1]; /* ends in NULL */

struct expectation {
	const struct node *v[GOT_KINDS]; /* a list, or how many; NULL: not looked at */
};

struct test_step {
	const struct node *at;
	char *name; /* or NULL */
	int64_t wait_ms;
	bool known;
	const struct node *broadcast, *recipients, *removed, *event; /* or NULL */
	const struct node *expect;
	struct expectation expected;
};

struct test_case {
	const struct node *at;
	char *name, *since;
	int64_t clock_ms, since_ms; /* since: DATE_NONE is all */
	const struct node *steps, *expect;
	struct test_step *step;
	size_t nsteps;
	struct expectation expected; /* over all steps */
};

struct test_file {
	char *path;
	struct yaml *yaml;
	char *config; /* or NULL: rules */
	const struct node *rules, *source, *destinations, *env;
	char *since;
	int64_t clock_ms;
	const struct node *tests;
	struct test_case *test;
	size_t ntests;
};

/* NULL with problems; warnings may be added in any case. */
struct test_file *test_file_load(const char *path, struct problems *p);
void test_file_free(struct test_file *f); /* NULL is allowed */

void test_file_schema(struct buf *out); /* its JSON Schema, for editors */

#endif
