/* Leaves of an event and what one condition says of them. An empty array and an object are none. */
#include "rules/pattern_walk.h"

#include <string.h>

bool json_is_leaf(const struct json *v)
{
	return json_type(v) != JSON_OBJECT && json_type(v) != JSON_ARRAY;
}

bool condition_holds_leaf(const struct condition *c, const struct json *leaf)
{
	const char *text = json_string(leaf);
	struct value v = {.type = json_type(leaf), .text = text, .len = text ? strlen(text) : 0};

	v.number = v.type == JSON_BOOL ? json_bool(leaf, false) : json_number(leaf, 0);
	for (size_t i = 0; i < c->n; i++)
		if (test_value(&c->v[i], &v))
			return true;
	return false;
}

bool condition_allows_absence(const struct condition *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].kind == TEST_ABSENT)
			return true;
	return false;
}

bool condition_leaves(const struct condition *c, size_t depth, const struct json *v, leaf_fn *fn,
		      void *arg)
{
	if (!v)
		return true;
	if (json_type(v) == JSON_OBJECT)
		return depth == c->nkeys ||
		       condition_leaves(c, depth + 1, json_get(v, c->keys[depth]), fn, arg);
	if (json_type(v) != JSON_ARRAY)
		return depth < c->nkeys || fn(arg, v);
	for (const struct json *e = json_first(v); e; e = json_next(e))
		if (!condition_leaves(c, depth, e, fn, arg))
			return false;
	return true;
}

static bool stop(void *arg, const struct json *leaf)
{
	(void)arg;
	(void)leaf;
	return false;
}

bool condition_occurs(const struct condition *c, size_t depth, const struct json *v)
{
	return !condition_leaves(c, depth, v, stop, NULL);
}
