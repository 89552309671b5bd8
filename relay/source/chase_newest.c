/*
 * Runs at the newest rows of a list that is sorted by updated_at: from that end, page by page,
 * until rows are met in which nothing changed. Rows change while it runs, and push what was read
 * onto the next pages; so a run knows the date that it came to.
 */
#include "relay/source/chase_parts.h"

#include <string.h>

#include "relay/base/clock.h"

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

/* Without counters, where failures stand among the newest rows: when are these looked at? */
static int64_t look_at(const struct chase *c, const struct chase_pace *pace)
{
	int64_t every = c->live ? chase_look_pause(pace) : c->newest.every_ms;

	if (chase_has_hints(c))
		return INT64_MAX;
	return c->newest.began_ms == INT64_MIN ? c->since_ms : c->newest.began_ms + every;
}

/* When is the end of the list with the newest rows to be read? */
static int64_t newest_at(const struct chase *c, int64_t due, int64_t since, int64_t look)
{
	int64_t at = look;

	if (c->newest.page)
		return INT64_MIN;
	if (due > 0 && (due >= NEWEST_DUE ? since : since + NEWEST_WAIT_MS) < at)
		at = due >= NEWEST_DUE ? since : since + NEWEST_WAIT_MS;
	return at > c->pause_until_ms[ASK_ALL] ? at : c->pause_until_ms[ASK_ALL];
}

void chase_offer_newest(struct chase *c, const struct planes *held, const struct chase_pace *pace,
			int64_t now)
{
	int64_t since, due = chase_newest_due(c, held, &since), look = look_at(c, pace);
	int64_t at = newest_at(c, due, since, look);
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
	struct offer o = {FOR_NEWEST,
			  ASK_ALL,
			  sorting_newest_first(&c->order) ? nth : pages - nth + 1,
			  due > c->take ? c->take : (double)due,
			  since < now ? since : now,
			  1};
	if (c->newest.page <= 1 && c->live && look <= now && !c->failure.page) {
		o.since_ms = look;
		c->failure = o;
	} else {
		chase_take_better(c, &o, now);
	}
}

static unsigned bit_of(uint32_t row)
{
	return row * 2654435761u >> 23; /* Knuth, The Art of Computer Programming, 6.4 */
}

/* Is it, as far as one can tell, among the rows of the run's last page? */
static bool was_met(const struct chase *c, uint32_t row)
{
	return c->newest.met[bit_of(row) / 64] >> bit_of(row) % 64 & 1;
}

/* Rows of a page beyond those that the run came to: what stands before them slid onto the page. Of
 * one date are those that were not met. */
static size_t older_rows(const struct chase *c, const struct chase_page *page)
{
	size_t older = 0;

	if (c->newest.page == 1 || !page->v)
		return page->n;
	for (size_t i = 0; i < page->n; i++) {
		int64_t at = page->v[i].updated_ms;
		older += at != DATE_NONE &&
			 (at < c->newest.last_ms ||
			  (at == c->newest.last_ms && !was_met(c, page->numbers[i])));
	}
	return older;
}

/* Did it come to what the last run began with? What stands before that has changed since, though it
 * may be known by a page of a filter. While it is live few filters are peeked at, and runs follow
 * one another: each would read again what changed during the last. */
static bool reaches_back(const struct chase *c, const struct chase_page *page)
{
	bool reaches = c->live || !page->v || c->newest.mark_ms == INT64_MIN;

	for (size_t i = 0; !reaches && i < page->n; i++)
		reaches = page->v[i].updated_ms == DATE_NONE ||
			  page->v[i].updated_ms <= c->newest.mark_ms;
	return reaches;
}

static void note_last(struct chase *c, const struct chase_page *page)
{
	if (c->newest.page == 1) {
		c->newest.last_ms = INT64_MAX;
		c->newest.top_ms = INT64_MIN;
		for (size_t i = 0; page->v && i < page->n; i++)
			if (page->v[i].updated_ms != DATE_NONE &&
			    page->v[i].updated_ms > c->newest.top_ms)
				c->newest.top_ms = page->v[i].updated_ms;
	}
	memset(c->newest.met, 0, sizeof c->newest.met);
	for (size_t i = 0; page->v && i < page->n; i++) {
		int64_t at = page->v[i].updated_ms;
		if (at != DATE_NONE && at < c->newest.last_ms)
			c->newest.last_ms = at;
		c->newest.met[bit_of(page->numbers[i]) / 64] |= UINT64_C(1)
								<< bit_of(page->numbers[i]) % 64;
	}
}

void chase_newest_read(struct chase *c, const struct chase_page *page, size_t changes,
		       const struct planes *held, const struct chase_pace *pace, int64_t now)
{
	int64_t since, due = chase_newest_due(c, held, &since);
	size_t older = older_rows(c, page);
	c->newest.blank = changes || older ? 0 : c->newest.blank + 1;
	bool back = reaches_back(c, page);
	bool over = changes == 0 && ((back && older >= KNOWN_MIN) || page->n < c->take ||
				     c->newest.blank > BLANK_MAX);
	/* Among many, what came after the list is found before what it counted. */
	bool met = 4 * changes <= older && (chase_has_hints(c) ? due == 0 && c->newest.due <= FEW
							       : back && c->newest.page == 1);

	note_last(c, page);
	if (!over && !met && c->newest.page < chase_pages(c, ASK_ALL, held)) {
		c->newest.page++;
		return;
	}
	bool first = c->newest.page == 1;
	c->newest.page = 0;
	if (c->newest.top_ms != INT64_MIN)
		c->newest.mark_ms = c->newest.top_ms;
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
	c->newest.every_ms = quiet && c->newest.every_ms ? c->newest.every_ms * 2 : NEWEST_EVERY_MS;
	if (c->newest.every_ms > pace->most_ms)
		c->newest.every_ms = pace->most_ms;
}
