/* What the parts of a search share: sights and the gaps between them (search.c), and the choice of
 * the next page (search_steps.c). */
#ifndef RELAY_SEARCH_PARTS_H
#define RELAY_SEARCH_PARTS_H

#include "relay/source/search.h"

/* What a search looks at. */
struct view {
	const struct search *s;
	const struct ranks *ranks;
	const struct prior *prior;
	unsigned pages;
	int64_t held, now;
};

struct gap {
	unsigned from, to;  /* pages; none when from > to */
	int64_t first, end; /* places of its rows, from 0 and along the list; end is not of it */
	bool busy;	    /* the first or last: rows come in at its far end */
	int64_t unseen;
	int64_t since_ms;
};

/* Where in the list a place is now, from 0, and its page. */
int64_t search_place(const struct search *s, int64_t at);
unsigned search_page_of(const struct search *s, int64_t at);
/* The gap before the i-th sight (s->n: behind the last). */
struct gap search_gap(const struct view *v, size_t i);
/* Neighbours with nothing between them are one. Those that contradict each other: the older is
 * wrong. True: something was changed. */
bool search_tidy(struct search *s, const struct view *v);

#endif
