/*
 * pattern_table — tables of patterns and events: tests/data/patterns/NAME.yaml. For tests that run
 * them all.
 */
#ifndef RELAY_PATTERN_TABLE_H
#define RELAY_PATTERN_TABLE_H

#include "relay/config/yaml.h"

/* One case. Either `error` or `events` is there. */
struct pattern_case {
	const struct node *pattern;
	const char *error; /* part of a message */
	const char *why;
	const char **events; /* JSON texts; owned by the table */
	size_t n;
	bool matches;
};

struct pattern_table {
	char *name; /* "prefix.yaml" */
	struct pattern_case *v;
	size_t n;
	struct yaml *yaml;
};

struct pattern_tables {
	struct pattern_table *v;
	size_t n;
};

/* Every file of the folder, ascending by name; a malformed one fails the test. */
void pattern_tables_load(struct pattern_tables *ret);
void pattern_tables_release(struct pattern_tables *t);

#endif
