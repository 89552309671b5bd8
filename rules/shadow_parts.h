/*
 * shadow_parts — alternatives of earlier rules, to be asked for one that a later alternative
 * implies. Most name a value by which they are found; only the others are gone through. Part of
 * shadow.c.
 */
#ifndef RELAY_SHADOW_PARTS_H
#define RELAY_SHADOW_PARTS_H

#include "rules/pattern_form.h"

struct part {
	const struct conjunction *c;
	uint64_t paths; /* a bit for each path, by its hash: a quick look whether they all recur */
	size_t rule;
};

/* Parts that name one value at one path. */
struct place {
	uint64_t key; /* of both; 0: free */
	size_t *v;
	size_t n, cap;
};

struct parts { /* valid as {0} */
	struct part *v;
	size_t n, cap;
	size_t *loose; /* those without such a value */
	size_t nloose, loose_cap;
	struct place *places; /* open addressing, at most half full */
	size_t nplaces, places_cap;
};

void parts_release(struct parts *p);
void parts_add(struct parts *p, const struct conjunction *c, size_t rule);
/* A part that the alternative implies; NULL: none that was looked at. Takes from *fuel one for
 * each, and ends with it. */
const struct part *parts_find(const struct parts *p, const struct conjunction *narrow,
			      uint64_t *fuel);

#endif
