/*
 * naive_value — one condition of a `when`, as YAML, against one leaf of an event: see
 * naive_matcher.h.
 */
#ifndef RELAY_NAIVE_VALUE_H
#define RELAY_NAIVE_VALUE_H

#include <stdbool.h>

#include "relay/base/json.h"
#include "relay/config/yaml.h"

/* wanted: a list of values and operators, or one value. */
bool naive_holds(const struct node *wanted, const struct json *leaf);
bool naive_allows_absence(const struct node *wanted);

#endif
