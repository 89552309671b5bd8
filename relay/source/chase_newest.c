/*
 * Runs at the newest rows of a list that is sorted by updated_at: from that end, page by page,
 * until rows are met in which nothing changed. Rows change while it runs, and push what was read
 * onto the next page; so a run knows the row that it came to.
 */
#include "relay/source/chase_parts.h"

#define KNOWN_MIN	20    /* rows in which nothing changed: from there on all is known */
#define BLANK_MAX	8     /* pages in a row that a run slid over, at most */
#define FEW		50    /* changes that one page has */
#define NEWEST_EVERY_MS 8000  /* without counters, while rows change */
#define NEWEST_FIRST_MS 60000 /* what goes on counts as if it had waited so long */
#define NEWEST_DUE	300   /* changes that start reading the newest rows, */
#define NEWEST_WAIT_MS	6000  /* a change waits so long before the newest rows are read */

int64_t chase_newest_due(const struct chase *c, const struct planes *held, int64_t *ret_since)
{
	int64_t due = chase_all_due(c, held, ret_since);

	if (c->newest.left > 0 && c->newest.began_ms > *ret_since)
		*ret_since = c->newest.began_ms;
	return due > c->newest.left ? due - c->newest.left : 0;
}

void chase_newest_found(struct chase *c, const struct planes *held)
{
	int64_t since, all = chase_all_due(c, held, &since);

	if (all < c->newest.left)
		c->newest.left = all;
}

/* When is the end of the list with the newest rows to be read? */
static int64_t newest_at(const struct chase *c, int64_t due, int64_t since)
{
	int64_t at = INT64_MAX;

	if (c->newest.page)
		return INT64_MIN;
	if (due > 0)
		at = due >= NEWEST_DUE ? since : since + NEWEST_WAIT_MS;
	if (!chase_has_hints(c) && c->newest.began_ms + c->newest.every_ms < at)
		at = c->newest.began_ms == INT64_MIN ? c->since_ms
						     : c->newest.began_ms + c->newest.every_ms;
	return at > c->pause_until_ms[ASK_ALL] ? at : c->pause_until_ms[ASK_ALL];
}

void chase_offer_newest(struct chase *c, const struct planes *held, int64_t now)
{
	int64_t since, due = chase_newest_due(c, held, &since), at = newest_at(c, due, since);
	unsigned pages = chase_pages(c, ASK_ALL, held), nth = c->newest.page ? c->newest.page : 1;

	if (pages == 0)
		return;
	if (at > now) {
		chase_later(c, at);
		return;
	}
	if (nth > pages)
		nth = pages;
	if (due < 1)
		due = 1;
	if (c->newest.began_ms > since) /* it was read from the end then */
		since = c->newest.began_ms;
	if (c->newest.page > 1) { /* before what comes in shifts its pages away */
		since = now - NEWEST_FIRST_MS;
		due = c->take;
	}
	struct offer o = {FOR_NEWEST, ASK_ALL,
			  sorting_newest_first(&c->order) ? nth : pages - nth + 1,
			  due > c->take ? c->take : (double)due, since < now ? since : now};
	chase_take_better(c, &o, now);
}

/* Rows of a page beyond the one that the run came to: those before it slid onto the page. */
static size_t older_rows(const struct chase *c, const uint32_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (numbers[i] == c->newest.last)
			return sorting_newest_first(&c->order) ? n - 1 - i : i;
	return c->newest.page == 1 ? n : 0;
}

void chase_newest_read(struct chase *c, const uint32_t *numbers, size_t n, size_t changes,
		       const struct planes *held, const struct chase_pace *pace, int64_t now)
{
	int64_t since, due = chase_newest_due(c, held, &since);
	size_t older = older_rows(c, numbers, n);
	/* The row may have changed, and stand at the front again. */
	c->newest.blank = changes || older ? 0 : c->newest.blank + 1;
	bool over =
		changes == 0 && (older >= KNOWN_MIN || n < c->take || c->newest.blank > BLANK_MAX);
	/* Among many, what came after the list is found before what it counted. */
	bool met = chase_has_hints(c) ? due == 0 && c->newest.due <= FEW
				      : c->newest.page == 1 && 4 * changes <= older;

	if (!over && !met && c->newest.page < chase_pages(c, ASK_ALL, held)) {
		c->newest.page++;
		if (n > 0 && (older > 0 || changes > 0))
			c->newest.last = numbers[sorting_newest_first(&c->order) ? n - 1 : 0];
		return;
	}
	bool first = c->newest.page == 1;
	c->newest.page = 0;
	/* What a list counted before this began and is still due stands further back. */
	if (over && c->counts.listed_ms < c->newest.began_ms)
		c->newest.left = chase_all_due(c, held, &since);
	chase_newest_found(c, held);
	if (first && changes == 0 && due > 0) {
		unsigned doublings = c->newest.missed < 5 ? c->newest.missed : 5;
		c->newest.missed++;
		c->pause_until_ms[ASK_ALL] = now + ((int64_t)NEWEST_WAIT_MS << doublings);
	} else {
		c->newest.missed = 0;
	}
	bool quiet = first && changes == 0;
	c->newest.every_ms = quiet ? c->newest.every_ms * 2 : NEWEST_EVERY_MS;
	if (c->newest.every_ms > pace->most_ms)
		c->newest.every_ms = pace->most_ms;
}
