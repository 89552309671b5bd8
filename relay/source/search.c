/*
 * Gaps between sights. Invariant: sights are sorted by their place in the list and do not overlap.
 */
#include "relay/source/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define LIKELY	   0.35 /* finds a page: more are read one by one, not bisected */
#define PATIENCE   3.0	/* times what one find should cost, … */
#define ALLOWED	   6	/* … and so many pages, without a find */
#define DENSE	   0.6	/* of the rows of a gap are unseen */
#define BARREN_MAX 3	/* pages in a row without a find: where it was likely it was not */
#define SIGHTS_MAX 256
#define WAIT_MAX_S 60.0 /* longer ones are no reason to look where nothing was ever found */

static double cost(double unseen, double pages)
{
	double each = pages > unseen ? log2(pages / unseen) + 1.5 : 1.5;
	double bisect = unseen * each;

	return bisect < pages ? bisect : pages;
}

unsigned search_pages(const struct search *s)
{
	int64_t pages = s->count > 0 ? (s->count + s->take - 1) / s->take : 1;

	return pages < LIST_PAGES_MAX ? (unsigned)pages : LIST_PAGES_MAX;
}

void search_begin(struct search *s, enum search_way way, unsigned flag, int64_t count,
		  unsigned take, const struct prior *p, int64_t since_mono_ms)
{
	s->way = way;
	s->flag = flag;
	s->from_end = prior_is_front(p);
	s->count = count;
	s->take = take;
	s->moved = false;
	s->read = s->barren = 0;
	s->since_ms = since_mono_ms;
	s->n = 0;
}

void search_release(struct search *s)
{
	free(s->v);
	*s = (struct search){0};
}

struct gap {
	unsigned from, to; /* pages; none when from > to */
	int64_t unseen;
	int64_t since_ms;
};

/* Unseen rows before a row that was seen. From the end: all that are unseen but those behind it. */
static int64_t unseen_before(const struct search *s, const struct ranks *r, uint32_t row,
			     int64_t at)
{
	int64_t rank = ranks_of(r, row), held = planes_total(r->planes, s->flag);

	if (!s->from_end)
		return at - rank;
	return (s->count - held) - (at - (held - 1 - rank));
}

/* The page at which a place is now. */
static unsigned page_at(const struct search *s, int64_t at)
{
	int64_t place = s->from_end ? s->count - 1 - at : at;

	return place < 0 ? 0 : (unsigned)(place / s->take) + 1;
}

void search_neighbours(const struct search *s, unsigned page, uint32_t *behind, uint32_t *ahead)
{
	for (size_t i = 0; i < s->n; i++) {
		if (page_at(s, s->v[i].last_at) < page)
			*behind = s->v[i].last;
		if (page_at(s, s->v[i].first_at) <= page)
			continue;
		*ahead = s->v[i].first;
		return;
	}
}

/* Where in its page a place is now, from 0. */
static unsigned in_page(const struct search *s, int64_t at)
{
	int64_t place = s->from_end ? s->count - 1 - at : at;

	return place < 0 ? 0 : (unsigned)(place % s->take);
}

/* The gap before the i-th sight (s->n: behind the last). */
static struct gap gap_at(const struct search *s, const struct ranks *r, size_t i)
{
	const struct sight *a = i > 0 ? &s->v[i - 1] : NULL, *b = i < s->n ? &s->v[i] : NULL;
	int64_t all = s->count - planes_total(r->planes, s->flag);
	struct gap g = {.from = 1, .to = search_pages(s), .since_ms = s->since_ms};

	if (b) {
		g.unseen = unseen_before(s, r, b->first, b->first_at);
		g.to = page_at(s, b->first_at + (s->from_end ? 1 : -1));
		g.since_ms = b->read_ms;
	} else {
		g.unseen = all;
	}
	if (a) {
		g.unseen -= unseen_before(s, r, a->last, a->last_at);
		g.from = page_at(s, a->last_at + (s->from_end ? -1 : 1));
		if (!b || a->read_ms < g.since_ms)
			g.since_ms = a->read_ms;
	}
	/* A page is not read for the few rows of it that were not read: they will slide on. */
	if (a && g.from < g.to && in_page(s, a->last_at + (s->from_end ? -1 : 1)) * 2 > s->take)
		g.from++;
	if (b && g.from < g.to && in_page(s, b->first_at + (s->from_end ? 1 : -1)) * 2 < s->take)
		g.to--;
	bool still = s->count == s->count_read;
	if (still && a && a->nth == s->read && g.from == a->last_page)
		g.from++;
	if (still && b && b->nth == s->read && g.to == b->first_page)
		g.to--;
	return g;
}

static void forget(struct search *s, size_t i)
{
	memmove(s->v + i, s->v + i + 1, (s->n - i - 1) * sizeof *s->v);
	s->n--;
}

static void join(struct search *s, size_t i)
{
	struct sight *a = &s->v[i - 1];
	const struct sight *b = &s->v[i];

	a->last = b->last;
	a->last_at = b->last_at;
	a->last_page = b->last_page;
	if (b->read_ms < a->read_ms)
		a->read_ms = b->read_ms;
	if (b->nth > a->nth)
		a->nth = b->nth;
	forget(s, i);
}

/* What is unseen lies within the i-th sight, which is older: of it only its far end is still known.
 */
static void shrink(struct search *s, size_t i, bool to_last)
{
	struct sight *v = &s->v[i];

	if (v->first == v->last) {
		forget(s, i);
	} else if (to_last) {
		v->first = v->last;
		v->first_at = v->last_at;
		v->first_page = v->last_page;
	} else {
		v->last = v->first;
		v->last_at = v->first_at;
		v->last_page = v->first_page;
	}
}

/* Something is unseen before the i-th sight, or behind the last, but no page is left there. */
static bool is_contradiction(const struct search *s, const struct ranks *r, size_t i)
{
	struct gap g = gap_at(s, r, i);

	return g.unseen != 0 && g.from > g.to;
}

/* Neighbours with nothing between them are one. Those that contradict each other: the older is
 * wrong. True: something was changed. */
static bool tidy(struct search *s, const struct ranks *r)
{
	for (size_t i = 1; i < s->n; i++) {
		if (gap_at(s, r, i).unseen == 0)
			join(s, i);
		else if (!is_contradiction(s, r, i))
			continue;
		else if (s->v[i - 1].nth < s->v[i].nth)
			shrink(s, i - 1, false);
		else
			shrink(s, i, true);
		return true;
	}
	if (s->n && s->v[0].nth != s->read && is_contradiction(s, r, 0)) {
		shrink(s, 0, true);
		return true;
	}
	if (s->n && s->v[s->n - 1].nth != s->read && is_contradiction(s, r, s->n)) {
		shrink(s, s->n - 1, false);
		return true;
	}
	return false;
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

static struct search_step step_into(const struct search *s, const struct prior *p,
				    const struct gap *g)
{
	unsigned pages = search_pages(s), n = g->to - g->from + 1;
	double unseen = g->unseen > 0 ? (double)g->unseen : (double)-g->unseen;
	double here = prior_within(p, g->to, pages) - prior_within(p, g->from - 1, pages);
	double at_from = prior_at(p, g->from, pages), at_to = prior_at(p, g->to, pages);
	double likely = unseen * (at_from > at_to ? at_from : at_to) / here;
	struct search_step step = {at_from >= at_to ? g->from : g->to, likely, g->since_ms};

	if (likely > s->take)
		step.finds = s->take;
	/* All of it is to be read: the oldest first, to which most has happened by now. */
	if (unseen >= DENSE * n * s->take)
		step.page = s->from_end ? g->to : g->from;
	if ((likely >= LIKELY && s->barren < BARREN_MAX) || n <= 2)
		return step;
	step.page = middle(p, g, pages);
	step.finds = unseen / cost(unseen, n);
	return step;
}

static double worth(const struct search_step *step, int64_t now_mono_ms)
{
	return step->finds * sqrt((double)(1000 + now_mono_ms - step->since_ms));
}

static enum search_state next_by_rank(struct search *s, const struct ranks *r,
				      const struct prior *p, int64_t now_mono_ms,
				      struct search_step *ret)
{
	unsigned pages = search_pages(s);

	*ret = (struct search_step){.since_ms = now_mono_ms};
	while (tidy(s, r))
		;
	for (size_t i = 0; i <= s->n; i++) {
		struct gap g = gap_at(s, r, i);
		if (g.to > pages)
			g.to = pages;
		if (g.unseen == 0 || g.from > g.to || g.from < 1)
			continue;
		struct search_step step = step_into(s, p, &g);
		if (!ret->page || worth(&step, now_mono_ms) > worth(ret, now_mono_ms))
			*ret = step;
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
		t.from = page_at(s, b->first_at);
		t.to = page_at(s, b->last_at);
		since = b->read_ms;
	} else {
		if (a)
			t.from = page_at(s, a->last_at) + 1;
		if (b)
			t.to = page_at(s, b->first_at) - 1;
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

/* What is unseen lies where changes come, the more the longer a page was not read. */
static enum search_state next_by_page(const struct search *s, const struct prior *p, int64_t unseen,
				      int64_t now_mono_ms, struct search_step *ret)
{
	unsigned pages = search_pages(s);
	double all = 0, best = 0;

	*ret = (struct search_step){.since_ms = now_mono_ms};
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
	int64_t unseen = s->count - planes_total(r->planes, s->flag);

	if (unseen == 0)
		return SEARCH_DONE;
	if (s->way == SEARCH_PAGES)
		return unseen < 0 ? SEARCH_DONE : next_by_page(s, p, unseen, now_mono_ms, ret);
	if (s->barren > PATIENCE * (log2(search_pages(s)) + 2) + ALLOWED)
		return SEARCH_LOST;
	return next_by_rank(s, r, p, now_mono_ms, ret);
}

/* So that there are never too many: the two neighbours read at most alike become one. */
static void thin_out(struct search *s)
{
	size_t best = 1;

	if (s->n < SIGHTS_MAX)
		return;
	for (size_t i = 1; i < s->n; i++)
		if (llabs(s->v[i].read_ms - s->v[i - 1].read_ms) <
		    llabs(s->v[best].read_ms - s->v[best - 1].read_ms))
			best = i;
	join(s, best);
}

static void insert(struct search *s, size_t i, const struct sight *new)
{
	s->v = mem_grow(s->v, s->n, &s->cap, sizeof *s->v);
	memmove(s->v + i + 1, s->v + i, (s->n - i) * sizeof *s->v);
	s->v[i] = *new;
	s->n++;
}

/* Puts the new one in its place; of those that it overlaps only what is beyond it is kept. */
static void put(struct search *s, const struct sight *new)
{
	int sign = s->from_end ? -1 : 1; /* places fall along the list when counted from its end */
	struct sight beyond = {0};
	size_t i = 0;

	while (i < s->n && sign * (s->v[i].last_at - new->first_at) < 0)
		i++;
	while (i < s->n && sign * (s->v[i].first_at - new->last_at) <= 0) {
		if (sign * (s->v[i].last_at - new->last_at) > 0) {
			beyond = s->v[i];
			beyond.first = beyond.last;
			beyond.first_at = beyond.last_at;
			beyond.first_page = beyond.last_page;
		}
		if (sign * (s->v[i].first_at - new->first_at) >= 0) {
			forget(s, i);
			continue;
		}
		s->v[i].last = s->v[i].first;
		s->v[i].last_at = s->v[i].first_at;
		s->v[i].last_page = s->v[i].first_page;
		i++;
	}
	insert(s, i, new);
	if (beyond.nth)
		insert(s, i + 1, &beyond);
}

void search_read(struct search *s, const struct search_page *page)
{
	int64_t at = (int64_t)(page->page - 1) * s->take, end = at + (int64_t)page->rows - 1;

	s->read++;
	s->barren = page->found ? 0 : s->barren + 1;
	if (page->count >= 0) {
		s->moved = s->moved || (s->read > 1 && page->count != s->count);
		s->count = page->count;
	}
	if (page->rows == 0 && at < s->count)
		s->count = at;
	s->count_read = s->count;
	if (page->n == 0)
		return;
	thin_out(s);
	put(s, &(struct sight){
		       .first = page->numbers[0],
		       .last = page->numbers[page->n - 1],
		       .first_page = page->page,
		       .last_page = page->page,
		       .first_at = s->from_end ? s->count - 1 - at : at,
		       .last_at = s->from_end ? s->count - 1 - end : end,
		       .read_ms = page->read_ms,
		       .nth = s->read,
	       });
}
