/*
 * prior — where in a list of a broadcast changes were found lately: they come where messages are
 * being sent, near one end. How many finds a page brings is kept by its distance from that end, in
 * bins that double in width. Pure.
 */
#ifndef RELAY_PRIOR_H
#define RELAY_PRIOR_H

#include <stdbool.h>

#define PRIOR_BINS 24

struct prior {
	float found[2][PRIOR_BINS],
		read[2][PRIOR_BINS]; /* counted from the front, and from the back */
	float lean;		     /* where the finds are: 0 the front, 1 the back */
	bool back;		     /* that end is the busy one */
};
void prior_init(struct prior *p);
/* A page was read; found may be 0. */
void prior_learn(struct prior *p, unsigned page, unsigned pages, double found);
/* Finds to be expected on one page of so many, and on the first n of them. */
double prior_at(const struct prior *p, unsigned page, unsigned pages);
double prior_within(const struct prior *p, unsigned n, unsigned pages);
bool prior_is_front(const struct prior *p); /* are finds nearer to the front than to the back? */
/* Do most of all finds come near the busy end? */
bool prior_is_sharp(const struct prior *p, unsigned pages);
/* The busy end is that of a list that knows better, if it knows. */
void prior_follow(struct prior *p, const struct prior *leader);
/* The list's order says which end is the busy one. */
void prior_face(struct prior *p, bool front);
/* The page where a find is likeliest. */
unsigned prior_best(const struct prior *p, unsigned pages);

#endif
