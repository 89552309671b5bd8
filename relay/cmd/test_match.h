/*
 * test_match — does what came have what was expected of it? Of a map only the members that are
 * named count; lists are compared element by element and are of one length; null is also what is
 * absent; two times are equal when they name the same moment.
 */
#ifndef RELAY_TEST_MATCH_H
#define RELAY_TEST_MATCH_H

#include "relay/base/json.h"

/* A text of our own making as a tree: null where it is deeper than anything that came can be. */
const struct json *test_parse(struct json_doc *doc, const char *text);

/* got NULL: absent. */
bool test_matches(const struct json *wanted, const struct json *got);
/* In how many of its leaves; to find which entry was meant. */
size_t test_likeness(const struct json *wanted, const struct json *got);

/* What of `got` is named by `wanted`, as JSON text; absent members are left out. */
void test_project(struct buf *out, const struct json *wanted, const struct json *got);

#endif
