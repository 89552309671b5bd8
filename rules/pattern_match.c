/*
 * One pattern against one event, by walking the tree.
 *
 * Conditions of an alternative that lie in one array hold within one element of it. Which one is
 * tried out; but never which of several conditions goes first, since the order of paths says so
 * (pattern_form.h): the first condition that finds a leaf anywhere in the array picks the element,
 * all others are judged inside it. So nothing is tried twice with the same question, and an event
 * of n values, nested d arrays deep, costs at most alternatives * conditions * n * d steps.
 */
#include "rules/pattern_form.h"

#include <string.h>

#include "rules/pattern_walk.h"

/* Conditions whose first `depth` keys led here. */
struct part {
	const struct condition *v;
	size_t n, depth;
};

static bool holds(struct part s, const struct json *v);

static bool has_scalar(const struct condition *c, const struct json *array)
{
	for (const struct json *e = json_first(array); e; e = json_next(e))
		if (json_is_leaf(e) && condition_holds_leaf(c, e))
			return true;
	return false;
}

static bool all_allow_absence(struct part s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!condition_allows_absence(&s.v[i]))
			return false;
	return true;
}

/* An element in which `first` has a leaf and all conditions hold. */
static bool holds_in_element(struct part s, const struct condition *first, const struct json *array)
{
	for (const struct json *e = json_first(array); e; e = json_next(e))
		if (!json_is_leaf(e) && condition_occurs(first, s.depth, e) && holds(s, e))
			return true;
	return false;
}

static bool holds_in_array(struct part s, const struct json *array)
{
	const struct condition *own = s.v[0].nkeys == s.depth ? &s.v[0] : NULL;
	size_t first = 0;

	while (first < s.n && !condition_occurs(&s.v[first], s.depth, array))
		first++;
	if (first == s.n)
		return all_allow_absence(s);
	/* a value that stands in the array itself leaves the choice of an element to the others */
	if (own && first == 0 && has_scalar(own, array)) {
		struct part others = {s.v + 1, s.n - 1, s.depth};
		if (!others.n || holds_in_array(others, array))
			return true;
	}
	return holds_in_element(s, &s.v[first], array);
}

/* NULL: what is not there. */
static bool holds(struct part s, const struct json *v)
{
	if (v && json_type(v) == JSON_ARRAY)
		return holds_in_array(s, v);
	if (s.v[0].nkeys == s.depth) {
		bool good = v && json_is_leaf(v) ? condition_holds_leaf(&s.v[0], v)
						 : condition_allows_absence(&s.v[0]);
		if (!good)
			return false;
		s.v++;
		s.n--;
	}
	while (s.n) { /* those that go on with the same key are neighbours */
		const char *key = s.v[0].keys[s.depth];
		struct part inner = {s.v, 1, s.depth + 1};
		while (inner.n < s.n && !strcmp(s.v[inner.n].keys[s.depth], key))
			inner.n++;
		if (!holds(inner, v ? json_get(v, key) : NULL))
			return false;
		s.v += inner.n;
		s.n -= inner.n;
	}
	return true;
}

bool conjunction_holds(const struct conjunction *c, const struct json *event)
{
	return !c->n || holds((struct part){c->v, c->n, 0}, event);
}

bool pattern_match(const struct pattern *pt, const struct json *event)
{
	for (size_t i = 0; i < pt->n; i++)
		if (conjunction_holds(&pt->v[i], event))
			return true;
	return false;
}
