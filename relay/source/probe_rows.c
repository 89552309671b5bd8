/* Recipients: pages and their order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/source/client.h"
#include "relay/source/probe_parts.h"

#define BEYOND	  10000 /* a page that no list has, where no count says how many there are */
#define TAKE_FEW  10
#define TAKE_MANY 500 /* more than is documented */

static const size_t nowhere = SIZE_MAX;

static size_t place_of(const struct probe_page *page, struct hash128 key)
{
	for (size_t i = 0; i < page->n; i++)
		if (hash128_equal(page->keys[i], key))
			return i;
	return nowhere;
}

static size_t common(const struct probe_page *a, const struct probe_page *b)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		n += place_of(b, a->keys[i]) != nowhere;
	return n;
}

/* An unfiltered page, whose rows vote. */
static bool read_page(struct probe *p, unsigned number, struct probe_page *ret)
{
	if (!probe_read(p, &(struct probe_query){.page = number, .take = TAKE}, ret))
		return false;
	sorting_vote(&p->order, p->rows.v, p->rows.n);
	return true;
}

/* ---- stability ---- */

/* Neighbours of the second reading, by where they stood in the first. */
static void note_neighbours(struct probe *p, const struct probe_page *then,
			    const struct probe_page *now)
{
	size_t last = nowhere;

	for (size_t i = 0; i < now->n; i++) {
		size_t at = place_of(then, now->keys[i]);
		if (at == nowhere)
			continue;
		if (last != nowhere)
			*(at > last ? &p->order.kept : &p->order.broken) += 1;
		last = at;
	}
}

static void ask_again(struct probe *p, const struct probe_page *first)
{
	struct probe_page again;

	if (!read_page(p, 1, &again)) {
		probe_show(p, ASKS_STABLE, "page 1 again: %s", p->why);
		return;
	}
	size_t stayed = common(&again, first);
	note_neighbours(p, first, &again);
	if (p->order.broken > 0)
		probe_say(p, ASKS_STABLE,
			  sorting_of(&p->order) == SORT_UPDATED ? "no: rows move when they change"
								: "no: rows change places");
	else if (stayed < first->n)
		probe_say(p, ASKS_STABLE, "rows keep their order, but come and go on page 1");
	else
		probe_say(p, ASKS_STABLE, "yes");
	probe_show(
		p, ASKS_STABLE,
		"page 1 read twice: %zu of %zu rows on it again, %.0f of %.0f neighbours in order",
		stayed, first->n, (double)p->order.kept,
		(double)p->order.kept + (double)p->order.broken);
	probe_page_release(&again);
}

static void say_order(struct probe *p)
{
	struct seed *s = &p->report->seed;
	char text[160];

	probe_order_text(&p->order, text, sizeof text);
	probe_say(p, ASKS_ORDER, text);
	s->order = sorting_of(&p->order);
	s->newest_first = sorting_newest_first(&p->order);
	probe_show(p, ASKS_ORDER,
		   "neighbours up/down by created_at %.0f/%.0f, updated_at %.0f/%.0f, id %.0f/%.0f",
		   (double)p->order.created.up, (double)p->order.created.down,
		   (double)p->order.updated.up, (double)p->order.updated.down,
		   (double)p->order.id.up, (double)p->order.id.down);
}

/* ---- pages ---- */

static void say_pages(struct probe *p, const struct probe_page *first,
		      const struct probe_page *second)
{
	size_t twice = common(second, first);
	char text[100];

	if (second->n > 0 && twice == second->n && twice == first->n) {
		probe_say(p, ASKS_PAGES, "no: page 2 is page 1 again");
	} else if (twice || first->doubled || second->doubled) {
		snprintf(text, sizeof text, "no: %zu rows come twice",
			 twice + first->doubled + second->doubled);
		probe_say(p, ASKS_PAGES, text);
	} else {
		probe_say(p, ASKS_PAGES, "yes");
	}
	probe_show(p, ASKS_PAGES, "%zu and %zu rows, %zu of page 1 on page 2, %zu twice on a page",
		   first->rows, second->rows, twice, first->doubled + second->doubled);
}

static void ask_end(struct probe *p, const struct probe_page *first, const struct probe_page *last,
		    unsigned pages)
{
	struct probe_page page;
	char text[60];

	if (probe_read(p, &(struct probe_query){.page = pages ? pages + 1 : BEYOND, .take = TAKE},
		       &page)) {
		size_t n = page.n;
		bool first_again = n && common(&page, first) == n && n == first->n;
		bool last_again = n && common(&page, last) == n && n == last->n;
		probe_say(p, ASKS_END,
			  page.rows == 0 ? "an empty page"
			  : first_again	 ? "the first page again"
			  : last_again	 ? "the last page again"
					 : "rows again");
	} else if (page.status) {
		snprintf(text, sizeof text, "HTTP %d", page.status);
		probe_say(p, ASKS_END, text);
	}
	if (!pages)
		probe_show(p, ASKS_END, "recipients: page %d", BEYOND);
	else
		probe_show(p, ASKS_END, "recipients: page %u of %u", pages + 1, pages);
	probe_page_release(&page);
}

static void ask_next(struct probe *p, const struct probe_page *first,
		     const struct probe_page *second)
{
	struct probe_page page;

	if (!first->next) {
		probe_say(p, ASKS_NEXT, "no");
		probe_show(p, ASKS_NEXT, "page 1 of recipients has no pagination-next");
		return;
	}
	if (!probe_read(p, &(struct probe_query){.take = TAKE, .next = first->next}, &page)) {
		probe_say(p, ASKS_NEXT, "yes, but asking by it fails");
		probe_show(p, ASKS_NEXT, "%s", p->why);
		return;
	}
	size_t same = common(&page, second), old = common(&page, first);
	probe_say(p, ASKS_NEXT, old == page.n && page.n ? "yes, but it gives page 1 again" : "yes");
	probe_show(p, ASKS_NEXT, "by it %zu rows, of them %zu on page 2 and %zu on page 1",
		   page.rows, same, old);
	probe_page_release(&page);
}

static void ask_take(struct probe *p, const struct probe_page *first)
{
	struct probe_page few, many;
	bool got_few = probe_read(p, &(struct probe_query){.page = 1, .take = TAKE_FEW}, &few);
	size_t nfew = few.rows;
	bool got_many = probe_read(p, &(struct probe_query){.page = 1, .take = TAKE_MANY}, &many);
	size_t nmany = many.rows;
	char text[100];

	probe_page_release(&few);
	probe_page_release(&many);
	if (!got_few) {
		probe_show(p, ASKS_TAKE, "%s", p->why);
		return;
	}
	snprintf(text, sizeof text, nfew <= TAKE_FEW ? "yes, up to %zu" : "no: pages have %zu rows",
		 nmany > first->rows ? nmany : first->rows);
	if (nfew <= TAKE_FEW && first->rows <= TAKE_FEW && first->count <= (int64_t)first->rows)
		*text = '\0'; /* there are no more */
	probe_say(p, ASKS_TAKE, text);
	probe_show(p, ASKS_TAKE, "recipients: %zu of %d asked for, %zu of %d", nfew, TAKE_FEW,
		   first->rows, TAKE);
	if (got_many)
		probe_show(p, ASKS_TAKE, "%zu of %d", nmany, TAKE_MANY);
	else
		probe_show(p, ASKS_TAKE, "%d: %s", TAKE_MANY, p->why);
}

/* ---- what all rows together show ---- */

static void say_rows(struct probe *p)
{
	char text[160];
	size_t len = 0;

	*text = '\0';
	for (unsigned i = 0; i < p->statuses.n && len < sizeof text; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? ", " : "",
					p->statuses.v[i]);
	probe_say(p, ASKS_STATUSES, *text ? text : "none");
	snprintf(text, sizeof text, "%s; %s",
		 p->untimed ? "some flags are true without a time"
			    : "every flag that is true has its time",
		 p->short_dates ? "some dates have no time of day"
				: "all dates have a time of day");
	probe_say(p, ASKS_TIMES, text);
	probe_show(p, ASKS_TIMES, "%zu of %zu flags without _at, %zu of %zu dates without a time",
		   p->untimed, p->rises, p->short_dates, p->dates);
	if (p->unreadable)
		probe_show(p, ASKS_PAGES, "%zu of %zu rows unreadable", p->unreadable,
			   p->unreadable + p->seen);
	if (p->states.n > STATES_KNOWN)
		probe_show(p, ASKS_STATUSES, "unknown flags: is_%s%s", p->states.v[STATES_KNOWN],
			   p->states.n > STATES_KNOWN + 1 ? " and others" : "");
}

static void study(struct probe *p, const struct probe_page *first)
{
	struct probe_page *second = xcalloc(2, sizeof *second), *last = second + 1;
	size_t rows = first->rows;
	unsigned pages = first->count >= 0 && rows > 0
				 ? (unsigned)((first->count + (int64_t)rows - 1) / (int64_t)rows)
				 : 0;

	bool more = first->count > (int64_t)rows, full = rows >= TAKE;
	if (rows > 0 && (pages != 1 || full) && read_page(p, 2, second)) {
		say_pages(p, first, second);
		p->alone = !more && first->count >= 0 && second->n > common(second, first);
		more = more || second->n > common(second, first);
	}
	if (more && rows > 0)
		p->report->seed.take = (unsigned)rows;
	ask_again(p, first);
	probe_counts(p, first);
	if (pages > 2 && !read_page(p, pages, last))
		probe_show(p, ASKS_PAGES, "page %u: %s", pages, p->why);
	ask_end(p, first, pages > 2 ? last : pages == 2 ? second : first, pages);
	ask_next(p, first, second);
	ask_take(p, first);
	probe_page_release(second);
	probe_page_release(last);
	free(second);
}

void probe_rows(struct probe *p)
{
	struct probe_page *first = xcalloc(1, sizeof *first);

	if (read_page(p, 1, first)) {
		if (first->count >= 0)
			p->report->rows = first->count;
		study(p, first);
		say_order(p);
		say_rows(p);
	} else {
		for (unsigned q = 0; q < QUESTIONS; q++)
			if (!*p->report->v[q].answer && !*p->report->v[q].evidence)
				probe_show(p, q, "recipients: %s", p->why);
	}
	probe_page_release(first);
	free(first);
}
