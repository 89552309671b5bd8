/*
 * test_fields — one object of the API (an entry of its list, a row of its page) as a test writes
 * it: at first as a whole, later only what changed.
 */
#ifndef RELAY_TEST_FIELDS_H
#define RELAY_TEST_FIELDS_H

#include <stdint.h>

#include "relay/base/buf.h"
#include "relay/config/yaml.h"

struct test_field {
	char *name, *json; /* owned */
};
struct test_fields {
	struct test_field *v;
	size_t n, cap;
};

enum test_object { TEST_BROADCAST, TEST_RECIPIENT };

/* Lays the map's members over those that are there; what is nested is replaced as a whole. In a
 * member …_at, `now` and `-5m` are times by the clock. */
void test_fields_merge(struct test_fields *f, const struct node *map, int64_t now_ms);
/* Warns of what the API has under a name much like it, and of a time that is yet to come. */
void test_fields_check(enum test_object what, const struct node *map, int64_t now_ms,
		       struct problems *p);
void test_fields_set(struct test_fields *f, const char *name, const char *text); /* a string */
void test_fields_write(const struct test_fields *f, struct buf *out); /* as a JSON object */
void test_fields_release(struct test_fields *f);

#endif
