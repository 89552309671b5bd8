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
 * bisected by likelihood. Places are counted from the other end, so that what comes in at the busy
 * one shifts nothing that was read.
 *
 * The list moves while it is searched. What was read earlier then contradicts what is read later:
 * of two sights with no page between them that disagree, the older is forgotten.
 */
#ifndef RELAY_SEARCH_H
#define RELAY_SEARCH_H

#include "relay/source/prior.h"
#include "relay/source/sorting.h"

#define LIST_PAGES_MAX 1000000 /* whatever an API counts */

/* A row that was read. */
struct mark {
	uint32_t row;
	int64_t at;    /* its place, from the end that counts, … */
	int64_t count; /* … of so many */
};

/* A stretch of the list that was read, with nothing unseen in it then. */
struct sight {
	struct mark first, last;
	int64_t read_ms; /* mono; of its older part */
	unsigned nth;	 /* of the pages read, its newer part */
};

#define MET_BY_CHANCE 0.5 /* of the rows that come in while a search runs */

enum search_way {
	SEARCH_RANKS, /* by the rows' places */
	SEARCH_PAGES, /* these are not known: by where changes come, and when each page was read */
};

struct search {
	enum search_way way;
	unsigned flag;
	bool from_end;	    /* places are counted from the list's end */
	int64_t count;	    /* rows of the list, by the page read last, */
	int64_t counted_ms; /* … mono; both may be raised between */
	double wanted;	    /* of what was due when it began, still to be found */
	bool moving;	    /* what changes comes to the busy end; to be set, as is … */
	bool anywhere;	    /* … that rows come in anywhere, not at one end */
	bool moved;	    /* it was not always the same */
	int64_t count_read; /* … as that page gave it */
	unsigned page_read; /* that page */
	unsigned take;	    /* rows of a full page */
	unsigned read;	    /* pages so far */
	unsigned barren;    /* of them in a row without a find */
	int64_t since_ms;   /* mono: something is unseen since then */
	double per_ms;	    /* how fast rows come into the list; to be kept up to date */
	int64_t ripens_ms;  /* an age of rows before which it is too early to read them */
	struct sight *v;    /* in the order of the list */
	size_t n, cap;
};

void search_begin(struct search *s, enum search_way way, unsigned flag, int64_t count,
		  unsigned take, const struct prior *p, int64_t since_mono_ms);
void search_release(struct search *s); /* {0} is a valid empty one */

enum search_state {
	SEARCH_GOES_ON,
	SEARCH_DONE,   /* as many are held as were counted */
	SEARCH_CLOSED, /* no page has what is missing: the count is wrong, or rows move */
	SEARCH_LOST,   /* RANKS: too many pages without a find: the list is not what it seems */
};
struct search_step {
	unsigned page;
	double finds;	  /* expected: what reading it is worth */
	int64_t since_ms; /* they have waited since then */
};
/* The next page. ranks: of its flag, as held now. May forget and join sights. */
enum search_state search_next(struct search *s, const struct ranks *r, const struct prior *p,
			      int64_t now_mono_ms, struct search_step *ret);

struct search_page {
	unsigned page;
	const uint32_t *numbers; /* of its rows, which are held, in its order */
	size_t n;
	size_t rows;   /* on it, unreadable and doubled ones included */
	size_t found;  /* of them not held before with the flag */
	int64_t count; /* pagination-count; -1: not given */
	int64_t read_ms;
};
void search_read(struct search *s, const struct search_page *page);
/* The nearest rows that were read before and after a page; left alone where there is none. */
void search_neighbours(const struct search *s, unsigned page, uint32_t *behind, uint32_t *ahead);
unsigned search_pages(const struct search *s);

#endif
