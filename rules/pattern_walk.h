/*
 * pattern_walk — single conditions and the JSON tree: for matching and for explaining.
 */
#ifndef RELAY_PATTERN_WALK_H
#define RELAY_PATTERN_WALK_H

#include "rules/pattern_form.h"

bool json_is_leaf(const struct json *v); /* neither object nor array */

bool condition_holds_leaf(const struct condition *c, const struct json *leaf);
bool condition_allows_absence(const struct condition *c);

/* Is there a leaf at the condition's path, seen from v, to which its first `depth` keys lead? Of
 * equal names in an object the first counts. */
bool condition_occurs(const struct condition *c, size_t depth, const struct json *v);

/* Each such leaf until the function says stop (false). Returns whether it never did. */
typedef bool leaf_fn(void *arg, const struct json *leaf);
bool condition_leaves(const struct condition *c, size_t depth, const struct json *v, leaf_fn *fn,
		      void *arg);

bool conjunction_holds(const struct conjunction *c, const struct json *event);

#endif
