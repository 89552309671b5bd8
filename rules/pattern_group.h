/*
 * pattern_group — a `when` as it is read: conditions that all must hold, and choices ($or) of which
 * one branch each. It is counted first and multiplied out then, so that a small text cannot ask for
 * much memory.
 */
#ifndef RELAY_PATTERN_GROUP_H
#define RELAY_PATTERN_GROUP_H

#include "rules/pattern_form.h"

/* Sum over the alternatives of 1 + what the wildcards and regular expressions of each may cost:
 * a wildcard 1, or as many as it has pieces between its first and last *; a regex 10. */
#define PATTERN_SCORE_MAX 1000
/* All alternatives together; they share what they hold, but each has its own list. */
#define PATTERN_CONDITIONS_MAX 100000

struct group {
	struct condition *v; /* owned, with their keys and tests */
	size_t n, cap;
	struct choice {
		struct group *branches; /* owned */
		size_t n;
		size_t alternatives; /* of all branches */
	} * choices;
	size_t nchoices, choices_cap;
	size_t alternatives; /* when multiplied out; known after group_measure */
};

struct measure { /* no more than 10^9 each, however many there are */
	uint64_t alternatives, conditions, score;
};

/* Outermost keys must be members of an event. Mistakes are told at their place. */
void group_read(struct group *ret, const struct node *when, struct problems *p);
void group_release(struct group *g);

struct measure group_measure(struct group *g);

/* Adds the conditions of alternative k to ret->v, which has room: unsorted. */
void group_take(const struct group *g, size_t k, struct conjunction *ret);
/* The most that group_take may add. */
size_t group_most(const struct group *g);

#endif
