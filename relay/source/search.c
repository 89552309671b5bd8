/*
 * Gaps between sights. Invariant: sights are sorted by their place in the list and do not overlap.
 */
#include "relay/source/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define PRIOR_MASS 400.0f /* finds that are remembered: then all are halved */
#define PRIOR_BASE 0.05f  /* of each bin: what was never seen may come */
#define LIKELY	   0.35	  /* finds a page: more are read one by one, not bisected */
#define PATIENCE   3.0	  /* times the expected cost, … */
#define ALLOWED	   12	  /* … and this many pages */

/* ---- prior ---- */

void prior_init(struct prior *p)
{
	for (int i = 0; i < PRIOR_BINS; i++)
		p->front[i] = p->back[i] = PRIOR_BASE;
	p->even = 1;
}

static unsigned bin_of(unsigned page)
{
	unsigned bin = 31 - (unsigned)__builtin_clz(page);

	return bin < PRIOR_BINS ? bin : PRIOR_BINS - 1;
}

static double side_density(const float *bins, unsigned page)
{
	unsigned bin = bin_of(page);

	return bins[bin] / (double)(1u << bin);
}

static double side_mass(const float *bins, unsigned n)
{
	double mass = 0;

	if (!n)
		return 0;
	unsigned last = bin_of(n);
	for (unsigned i = 0; i < last; i++)
		mass += bins[i];
	return mass + bins[last] * (double)(n - (1u << last) + 1) / (double)(1u << last);
}

static double mass(const struct prior *p, unsigned n, unsigned pages)
{
	return side_mass(p->front, n) + side_mass(p->back, pages) -
	       side_mass(p->back, pages - n) + p->even * (double)n / pages;
}

static double density(const struct prior *p, unsigned page, unsigned pages)
{
	return side_density(p->front, page) + side_density(p->back, pages - page + 1) +
	       p->even / (double)pages;
}

double prior_share(const struct prior *p, unsigned n, unsigned pages)
{
	return mass(p, n, pages) / mass(p, pages, pages);
}

unsigned prior_best(const struct prior *p, unsigned pages)
{
	return density(p, pages, pages) > density(p, 1, pages) ? pages : 1;
}

static void fade(struct prior *p)
{
	float all = p->even;

	for (int i = 0; i < PRIOR_BINS; i++)
		all += p->front[i] + p->back[i];
	if (all < PRIOR_MASS)
		return;
	for (int i = 0; i < PRIOR_BINS; i++) {
		p->front[i] = p->front[i] / 2 + PRIOR_BASE / 2;
		p->back[i] = p->back[i] / 2 + PRIOR_BASE / 2;
	}
	p->even = p->even / 2 + 0.5f;
}

/* Each of the three explanations gets its part of the find. */
void prior_learn(struct prior *p, unsigned page, unsigned pages, double found)
{
	if (page < 1 || page > pages || found <= 0)
		return;
	double front = side_density(p->front, page);
	double back = side_density(p->back, pages - page + 1);
	double even = p->even / (double)pages, all = front + back + even;
	p->front[bin_of(page)] += (float)(found * front / all);
	p->back[bin_of(pages - page + 1)] += (float)(found * back / all);
	p->even += (float)(found * even / all);
	fade(p);
}

/* ---- search ---- */

static double cost(double unseen, double pages)
{
	double each = pages > unseen ? log2(pages / unseen) + 1.5 : 1.5;
	double bisect = unseen * each;

	return bisect < pages ? bisect : pages;
}

unsigned search_pages(const struct search *s)
{
	return s->count > 0 ? (unsigned)((s->count + s->take - 1) / s->take) : 1;
}

void search_begin(struct search *s, enum search_way way, unsigned flag, int64_t count, int64_t held,
		  unsigned take)
{
	double unseen = count > held ? (double)(count - held) : (double)(held - count);

	s->way = way;
	s->flag = flag;
	s->count = count;
	s->take = take;
	s->read = 0;
	s->n = 0;
	s->allowed = ALLOWED + (unsigned)(PATIENCE * cost(unseen > 1 ? unseen : 1, search_pages(s)));
}

void search_release(struct search *s)
{
	free(s->v);
	*s = (struct search){0};
}

/* A place in the list, and how many unseen rows stand before it. */
struct edge {
	int64_t at, unseen;
	unsigned page; /* read; 0 and UINT_MAX: the list's ends */
};

struct gap {
	unsigned from, to; /* pages; none when from > to */
	int64_t unseen;
};

static struct gap gap_between(const struct search *s, struct edge left, struct edge right)
{
	struct gap g = {.from = 1, .unseen = right.unseen - left.unseen};
	unsigned pages = search_pages(s);

	if (left.page)
		g.from = left.page + 1;
	g.to = right.page == UINT32_MAX || right.page > pages ? pages : right.page - 1;
	return g;
}

static void forget(struct search *s, size_t i)
{
	memmove(s->v + i, s->v + i + 1, (s->n - i - 1) * sizeof *s->v);
	s->n--;
}

/* The gap before the i-th sight (s->n: behind the last). */
static struct gap gap_at(const struct search *s, const struct ranks *r, size_t i)
{
	struct edge left = {-1, 0, 0};
	struct edge right = {s->count, s->count - planes_total(r->planes, s->flag), UINT32_MAX};

	if (i > 0) {
		const struct sight *a = &s->v[i - 1];
		left = (struct edge){a->last_at, a->last_at - ranks_of(r, a->last), a->page};
	}
	if (i < s->n) {
		const struct sight *b = &s->v[i];
		right = (struct edge){b->first_at, b->first_at - ranks_of(r, b->first), b->page};
	}
	return gap_between(s, left, right);
}

/* Two neighbours that contradict each other: the older is wrong. True: one was forgotten. */
static bool forget_contradiction(struct search *s, const struct ranks *r)
{
	for (size_t i = 0; i <= s->n && s->n > 1; i++) {
		struct gap g = gap_at(s, r, i);
		if (g.from <= g.to || g.unseen == 0 || i == 0 || i == s->n)
			continue;
		forget(s, s->v[i - 1].nth < s->v[i].nth ? i - 1 : i);
		return true;
	}
	return false;
}

/* The page at which half of what is expected in the gap lies before. */
static unsigned middle(const struct prior *p, const struct gap *g, unsigned pages)
{
	double before = mass(p, g->from - 1, pages), half = (mass(p, g->to, pages) - before) / 2;
	unsigned low = g->from, high = g->to;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		if (mass(p, mid, pages) - before < half)
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
	double here = mass(p, g->to, pages) - mass(p, g->from - 1, pages);
	double at_from = density(p, g->from, pages), at_to = density(p, g->to, pages);
	double likely = unseen * (at_from > at_to ? at_from : at_to) / here;
	struct search_step step = {at_from >= at_to ? g->from : g->to, likely};

	if (likely > s->take)
		step.finds = s->take;
	if (likely >= LIKELY || n <= 2)
		return step;
	step.page = middle(p, g, pages);
	step.finds = unseen / cost(unseen, n);
	return step;
}

static enum search_state next_by_rank(struct search *s, const struct ranks *r,
				      const struct prior *p, struct search_step *ret)
{
	*ret = (struct search_step){0};
	while (forget_contradiction(s, r))
		;
	for (size_t i = 0; i <= s->n; i++) {
		struct gap g = gap_at(s, r, i);
		if (g.unseen == 0 || g.from > g.to)
			continue;
		struct search_step step = step_into(s, p, &g);
		if (step.finds > ret->finds)
			*ret = step;
	}
	return ret->page ? SEARCH_GOES_ON : SEARCH_CLOSED;
}

static enum search_state next_in_turn(const struct search *s, int64_t unseen,
				      struct search_step *ret)
{
	unsigned pages = search_pages(s), n = s->read;

	if (n >= pages)
		return SEARCH_CLOSED;
	ret->page = n + 1;
	if (s->way == SEARCH_BACKWARD)
		ret->page = pages - n;
	else if (s->way == SEARCH_ENDS)
		ret->page = n % 2 ? pages - n / 2 : n / 2 + 1;
	ret->finds = s->way == SEARCH_ENDS ? (double)unseen / (pages - n) : (double)unseen;
	if (ret->finds > s->take)
		ret->finds = s->take;
	return SEARCH_GOES_ON;
}

enum search_state search_next(struct search *s, const struct ranks *r, const struct prior *p,
			      struct search_step *ret)
{
	int64_t unseen = s->count - planes_total(r->planes, s->flag);

	if (unseen == 0)
		return SEARCH_DONE;
	if (s->read >= s->allowed)
		return SEARCH_LOST;
	if (s->way == SEARCH_RANKS)
		return next_by_rank(s, r, p, ret);
	return unseen < 0 ? SEARCH_DONE : next_in_turn(s, unseen, ret);
}

void search_read(struct search *s, unsigned page, const uint32_t *numbers, size_t n, size_t rows,
		 int64_t count)
{
	int64_t at = (int64_t)(page - 1) * s->take;

	if (s->read++ == 0 && count >= 0)
		s->count = count;
	if (rows == 0 && at < s->count)
		s->count = at;
	if (s->way != SEARCH_RANKS || n == 0)
		return;
	struct sight new = {page, s->read, numbers[0], numbers[n - 1], at, at + (int64_t)rows - 1};
	size_t i = 0;
	while (i < s->n) {
		if (s->v[i].last_at < new.first_at)
			i++;
		else if (s->v[i].first_at <= new.last_at)
			forget(s, i);
		else
			break;
	}
	s->v = mem_grow(s->v, s->n, &s->cap, sizeof *s->v);
	memmove(s->v + i + 1, s->v + i, (s->n - i) * sizeof *s->v);
	s->v[i] = new;
	s->n++;
}
