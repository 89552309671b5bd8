/*
 * Which page is read next, and what it should bring. Pages where much comes in are read along,
 * those of which a find is likely one by one, and gaps are bisected.
 */
#include "relay/source/search_parts.h"

#include <math.h>
#include <stdlib.h>

#define LIKELY	   0.35 /* finds a page: more are read one by one, not bisected */
#define PATIENCE   3.0	/* times what one find should cost, … */
#define ALLOWED	   6	/* … and so many pages, without a find */
#define DENSE	   0.6	/* of the rows of a gap are unseen */
#define FULL	   0.75 /* of the rows of a page: it may be read */
#define STREAM	   20	/* rows of a dense gap, and more: they come in there */
#define ANSWER_MS  100	/* from a plan to the moment that its page is of */
#define LONG	   16	/* pages of a dense gap: more are too many to wait for full pages, … */
#define ALONG	   8	/* … and so many are read one after another */
#define BARREN_MAX 3	/* pages in a row without a find: where it was likely it was not */
#define WAIT_MAX_S 60.0 /* longer ones are no reason to look where nothing was ever found */

static double cost(double unseen, double pages)
{
	double each = pages > unseen ? log2(pages / unseen) + 1.5 : 1.5;
	double bisect = unseen * each;

	return bisect < pages ? bisect : pages;
}

/* Rows of a gap on one of its pages. */
static int64_t rows_on(const struct search *s, const struct gap *g, unsigned page)
{
	int64_t first = (int64_t)(page - 1) * s->take, end = first + s->take;

	return (end < g->end ? end : g->end) - (first > g->first ? first : g->first);
}

/* A page is not read for the few rows of it that were not read: they will slide on. */
static void trim(const struct search *s, struct gap *g)
{
	if (g->from < g->to && rows_on(s, g, g->from) * 2 < s->take)
		g->from++;
	if (g->from < g->to && rows_on(s, g, g->to) * 2 < s->take)
		g->to--;
}

/* The page at which half of what is expected in the gap lies before. */
static unsigned middle(const struct prior *p, const struct gap *g, unsigned pages)
{
	double before = prior_within(p, g->from - 1, pages),
	       half = (prior_within(p, g->to, pages) - before) / 2;
	unsigned low = g->from, high = g->to;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		if (prior_within(p, mid, pages) - before < half)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* So many rows come in that time (Little's law). */
static int64_t came_since(const struct search *s, int64_t rows, int64_t now)
{
	double ms = s->per_ms > 0 ? (double)rows / s->per_ms : INFINITY;

	return ms < (double)(now - s->since_ms) ? now - (int64_t)ms : s->since_ms;
}

/* What is read too early, between rows that come in a moment later and before the next becomes of
 * those that did, is to be read again. */
static double ripeness(const struct search *s, int64_t age)
{
	double part = age > 0 ? (double)age / (double)(age + s->ripens_ms) : s->ripens_ms == 0;

	return part * part;
}

/* Rows that came in since they were counted, and shift the gap. Few rows do not tell that they come
 * in at the busy end. */
static void slide(const struct search *s, struct gap *g, int64_t now)
{
	double ms = (double)(now - s->counted_ms + ANSWER_MS);
	int64_t grown = ms > 0 ? llround(s->per_ms * ms) : 0;

	if (!s->from_end || g->unseen < STREAM)
		return;
	if (grown > s->take)
		grown = s->take;
	g->end += grown;
	if (!g->busy)
		g->first += grown;
	else
		g->unseen += grown;
	g->from = (unsigned)(g->first / s->take) + 1;
	g->to = (unsigned)((g->end - 1) / s->take) + 1;
}

/* All of it is to be read. From its old end, to which most has happened by now, once that fills a
 * page: what is left of a page read in part slides on, and costs a request of its own. In a long
 * gap some pages before that one; then it is read towards the old end, where rows that come in
 * meanwhile only make pages overlap. */
static struct search_step step_along(const struct search *s, struct gap *g, int64_t now)
{
	slide(s, g, now);
	unsigned old = s->from_end ? g->to : g->from, new = s->from_end ? g->from : g->to;
	unsigned n = g->to - g->from + 1;

	if (g->busy && n > LONG)
		new = s->from_end ? old - ALONG : old + ALONG;
	bool full = rows_on(s, g, old) >= FULL * s->take || (g->busy && n <= LONG);
	unsigned page = full || rows_on(s, g, old) >= rows_on(s, g, new) ? old : new;
	double dense = (double)g->unseen / (double)(g->end - g->first);
	double finds = (double)rows_on(s, g, page) * (dense < 1 ? dense : 1);
	if (g->busy && n > 1) /* soon it is full */
		finds *= (double)rows_on(s, g, page) / s->take;
	int64_t since = g->busy ? came_since(s, g->unseen, now) : g->since_ms;
	return (struct search_step){page, finds * ripeness(s, now - since), since};
}

static struct search_step step_into(const struct view *v, struct gap *g)
{
	const struct search *s = v->s;
	double unseen = g->unseen > 0 ? (double)g->unseen : (double)-g->unseen;

	if (g->unseen > 0 && unseen >= DENSE * (double)(g->end - g->first))
		return step_along(s, g, v->now);
	trim(s, g);
	unsigned n = g->to - g->from + 1;
	double here = prior_within(v->prior, g->to, v->pages) -
		      prior_within(v->prior, g->from - 1, v->pages);
	double at_from = prior_at(v->prior, g->from, v->pages),
	       at_to = prior_at(v->prior, g->to, v->pages);
	double likely = unseen * (at_from > at_to ? at_from : at_to) / here;
	struct search_step step = {.page = at_from >= at_to ? g->from : g->to,
				   .finds = likely,
				   .since_ms = g->busy ? came_since(s, llabs(g->unseen), v->now)
						       : g->since_ms + (v->now - g->since_ms) / 2};

	if (likely > s->take)
		step.finds = s->take;
	if ((likely >= LIKELY && s->barren < BARREN_MAX) || n <= 2)
		return step;
	step.page = middle(v->prior, g, v->pages);
	step.finds = unseen / cost(unseen, n);
	return step;
}

static double worth(const struct search_step *step, int64_t now_mono_ms)
{
	return step->finds * pow((double)(1000 + now_mono_ms - step->since_ms), 0.75);
}

static void try_gap(const struct view *v, struct gap *g, struct search_step *best)
{
	if (g->to > v->pages)
		g->to = v->pages;
	if (g->unseen == 0 || g->from > g->to || g->from < 1)
		return;
	struct search_step step = step_into(v, g);
	if (!best->page || worth(&step, v->now) > worth(best, v->now))
		*best = step;
}

static enum search_state next_by_rank(struct search *s, const struct view *v,
				      struct search_step *ret)
{
	*ret = (struct search_step){.since_ms = v->now};
	while (search_tidy(s, v))
		;
	for (size_t i = 0; i <= s->n; i++) {
		struct gap g = search_gap(v, i);
		try_gap(v, &g, ret);
	}
	return ret->page ? SEARCH_GOES_ON : SEARCH_CLOSED;
}

/* A stretch of pages that were all read at one time, or never. */
struct stretch {
	unsigned from, to;
	double waited_s;
};

static struct stretch stretch_of(const struct search *s, size_t i, bool sight, int64_t now_mono_ms)
{
	const struct sight *a = i > 0 ? &s->v[i - 1] : NULL, *b = i < s->n ? &s->v[i] : NULL;
	struct stretch t = {1, search_pages(s), 0};
	int64_t since = s->since_ms;

	if (sight) {
		t.from = search_page_of(s, b->first.at);
		t.to = search_page_of(s, b->last.at);
		since = b->read_ms;
	} else {
		if (a)
			t.from = search_page_of(s, a->last.at) + 1;
		if (b)
			t.to = search_page_of(s, b->first.at) - 1;
	}
	/* What lies beyond the sight at the busy end came after it was read. */
	if (!sight && s->n && i == (s->from_end ? 0 : s->n))
		since = s->v[s->from_end ? 0 : s->n - 1].read_ms;
	t.from = t.from < 1 ? 1 : t.from;
	t.to = t.to > search_pages(s) ? search_pages(s) : t.to;
	t.waited_s = since < now_mono_ms ? (double)(now_mono_ms - since) / 1000 : 0.001;
	if (sight && t.waited_s > WAIT_MAX_S)
		t.waited_s = WAIT_MAX_S;
	return t;
}

/* INT64_MIN: never. */
static int64_t read_at(const struct search *s, unsigned page)
{
	for (size_t i = 0; i < s->n; i++)
		if (search_page_of(s, s->v[i].first.at) <= page &&
		    page <= search_page_of(s, s->v[i].last.at))
			return s->v[i].read_ms;
	return INT64_MIN;
}

/* What is unseen lies where changes come, the more the longer a page was not read. */
static enum search_state next_by_page(const struct search *s, const struct prior *p, int64_t unseen,
				      int64_t now_mono_ms, struct search_step *ret)
{
	unsigned pages = search_pages(s);
	double all = 0, best = 0;

	*ret = (struct search_step){.since_ms = now_mono_ms};
	int64_t busy_ms = read_at(s, prior_best(p, pages));
	if (s->moving && busy_ms < s->counted_ms) {
		*ret = (struct search_step){prior_best(p, pages),
					    unseen < s->take ? (double)unseen : s->take,
					    busy_ms > s->since_ms ? busy_ms : s->since_ms};
		return SEARCH_GOES_ON;
	}
	for (size_t i = 0; i < 2 * s->n + 1; i++) {
		struct stretch t = stretch_of(s, i / 2, i % 2, now_mono_ms);
		if (t.from > t.to)
			continue;
		double at_from = prior_at(p, t.from, pages), at_to = prior_at(p, t.to, pages);
		double here = (at_from > at_to ? at_from : at_to) * t.waited_s;
		all += (prior_within(p, t.to, pages) - prior_within(p, t.from - 1, pages)) *
		       t.waited_s;
		if (here * t.waited_s <= best)
			continue;
		best = here * t.waited_s;
		ret->page = at_from >= at_to ? t.from : t.to;
		ret->finds = here;
		ret->since_ms = now_mono_ms - (int64_t)(t.waited_s * 1000);
	}
	if (!ret->page || s->barren > 4 * pages + ALLOWED)
		return SEARCH_CLOSED;
	ret->finds *= (double)unseen / all;
	if (ret->finds > s->take)
		ret->finds = s->take;
	return SEARCH_GOES_ON;
}

enum search_state search_next(struct search *s, const struct ranks *r, const struct prior *p,
			      int64_t now_mono_ms, struct search_step *ret)
{
	struct view v = {s, r, p, search_pages(s), planes_total(r->planes, s->flag), now_mono_ms};

	if (s->count == v.held)
		return SEARCH_DONE;
	if (s->way == SEARCH_PAGES)
		return s->count < v.held ? SEARCH_DONE
					 : next_by_page(s, p, s->count - v.held, now_mono_ms, ret);
	if (s->barren > PATIENCE * (log2(v.pages) + 2) + ALLOWED)
		return SEARCH_LOST;
	return next_by_rank(s, &v, ret);
}
