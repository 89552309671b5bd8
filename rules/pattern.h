/*
 * pattern — one compiled `when`: does an event match?
 *
 * Operators so far: value lists (string, number, true, false, null), {prefix: "x"},
 * {exists: true|false}, on any path of nested keys. Everything else is an error, never "matches".
 */
#ifndef RELAY_PATTERN_H
#define RELAY_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/json.h"
#include "relay/config/yaml.h"

struct pattern;

/* when NULL: matches everything. */
struct pattern *pattern_compile(const struct node *when, struct problems *p);
void pattern_free(struct pattern *pt);
bool pattern_match(const struct pattern *pt, const struct json *event);
uint64_t pattern_hash(const struct pattern *pt); /* of its meaning: equal texts, equal hash */

#endif
