/*
 * test_api — the API as a test plays it: what the relay would see of broadcasts and recipients, and
 * the events that come of it, by the same code as the daemon's (snapshot, listing, diff).
 */
#ifndef RELAY_TEST_API_H
#define RELAY_TEST_API_H

#include "relay/cmd/test_file.h"
#include "relay/source/source.h"

struct test_api;

/* Options are borrowed. since_ms: DATE_NONE is all. */
struct test_api *test_api_new(const struct source_options *o, int64_t since_ms);
void test_api_free(struct test_api *api); /* NULL is allowed */

/* Takes what the step says of the API at that time and appends the events. What the API could not
 * show is a problem at its place. */
void test_api_step(struct test_api *api, const struct test_step *step, int64_t now_ms,
		   struct events *out, struct problems *p);

#endif
