/*
 * test_run — one test of rules, run: steps in, what came of them out. By the daemon's own code from
 * the API's page to the callback's body, but without a relay, a journal or a network; time is the
 * test's own.
 */
#ifndef RELAY_TEST_RUN_H
#define RELAY_TEST_RUN_H

#include "relay/cmd/test_file.h"
#include "relay/settings.h"

#define GOT_MAX	      100000 /* entries of one test, all kinds together */
#define GOT_BYTES_MAX (256 << 20)

struct got_list { /* JSON texts, in the order they came */
	char **v;
	size_t n, cap;
};
struct test_got {
	struct got_list of[GOT_KINDS];
	size_t (*begins)[GOT_KINDS]; /* per step, and behind the last: how many came before */
};

/* What is wrong with the steps becomes a problem; then *ret tells nothing of use, but is yours to
 * release all the same. */
void test_run(const struct settings *s, const struct test_case *t, struct test_got *ret,
	      struct problems *p);
void test_got_release(struct test_got *got); /* {0} is allowed */

#endif
