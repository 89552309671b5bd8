/*
 * search — where in a filtered list are the rows that are not held yet? Pure.
 *
 * A row that was read at place q of the list (from 0, as the API counts) and has rank r among the
 * rows held with that flag tells that q - r unseen rows stand before it. Between two rows read,
 * the difference of theirs is how many stand in between: a gap with none is never looked at again,
 * the others are bisected until each unseen row is found. Measured: some 11, 80 and 450 pages for
 * 1, 10 and 100 rows among 4,000 pages. A negative difference tells of held rows that left the
 * list, and is searched in the same way.
 *
 * Where changes were found lately is remembered (the prior): they come where messages are being
 * sent, near one end of the list. Pages of which a find is likely are read first; else the gap is
 * bisected by likelihood.
 *
 * The list moves while it is searched. What was read earlier then contradicts what is read later;
 * of two sights with no page between them that disagree, the older is forgotten.
 */
#ifndef RELAY_SEARCH_H
#define RELAY_SEARCH_H

#include "relay/source/sorting.h"

#define PRIOR_BINS 24

/* How the finds lie over a list's pages: in bins that double in width from either end, and evenly.
 */
struct prior {
	float front[PRIOR_BINS], back[PRIOR_BINS], even;
};
void prior_init(struct prior *p);
void prior_learn(struct prior *p, unsigned page, unsigned pages, double found);
/* Of what is in the first n of that many pages. */
double prior_share(const struct prior *p, unsigned n, unsigned pages);
/* The page where a find is likeliest. */
unsigned prior_best(const struct prior *p, unsigned pages);

struct sight {
	unsigned page;
	unsigned nth; /* of the pages read */
	uint32_t first, last;
	int64_t first_at, last_at;
};

enum search_way {
	SEARCH_RANKS,
	SEARCH_FORWARD,	 /* all pages from the first, */
	SEARCH_BACKWARD, /* … from the last, */
	SEARCH_ENDS,	 /* … from either end in turn: for a list of which no order is known */
};

struct search {
	enum search_way way;
	unsigned flag;
	int64_t count;	  /* rows of the list that is searched */
	unsigned take;	  /* rows of a full page */
	unsigned read;	  /* pages so far */
	unsigned allowed; /* more are too many: the list is not what it seems */
	struct sight *v;  /* in the order of the list */
	size_t n, cap;
};

void search_begin(struct search *s, enum search_way way, unsigned flag, int64_t count, int64_t held,
		  unsigned take);
void search_release(struct search *s); /* {0} is a valid empty one */

enum search_state {
	SEARCH_GOES_ON,
	SEARCH_DONE,   /* as many are held as were counted */
	SEARCH_CLOSED, /* no page can have what is missing: the count is wrong */
	SEARCH_LOST,   /* too many pages for what was looked for */
};
struct search_step {
	unsigned page;
	double finds; /* expected: what reading it is worth */
};
/* The next page. ranks: of its flag, as held now. May forget sights. */
enum search_state search_next(struct search *s, const struct ranks *r, const struct prior *p,
			      struct search_step *ret);
/* A page was read and its rows are held: their numbers in its order. rows: on it, unreadable and
 * doubled ones included. count: pagination-count, -1: not given. */
void search_read(struct search *s, unsigned page, const uint32_t *numbers, size_t n, size_t rows,
		 int64_t count);
unsigned search_pages(const struct search *s);

#endif
