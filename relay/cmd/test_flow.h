/*
 * test_flow — JSON shown as YAML, as people write what they expect: text to read, and
 * to paste into a test.
 */
#ifndef RELAY_TEST_FLOW_H
#define RELAY_TEST_FLOW_H

#include "relay/base/json.h"

/* Appends "{ type: recipient.failed, to: crm }"; texts are quoted only where they must be. */
void test_flow(struct buf *out, const struct json *v);
#define TEST_FLOW_LINE 96 /* bytes; a longer map is shown over several lines */
/* The same, a long map member by member: the first where the text stands now, the others below it,
 * indented so far. */
void test_block(struct buf *out, const struct json *v, unsigned indent);

/* Each leaf of an object with its dotted path; an empty map and a list are leaves. */
typedef void test_leaf_fn(void *arg, const char *path, const struct json *leaf);
void test_leaves(const struct json *v, test_leaf_fn *fn, void *arg);

#endif
