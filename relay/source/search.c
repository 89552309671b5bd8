/*
 * Gaps between sights. Invariant: sights are sorted by their place in the list and do not overlap.
 */
#include "relay/source/search_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define SIGHTS_MAX 256

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
	s->read = s->barren = s->page_read = 0;
	s->since_ms = s->counted_ms = since_mono_ms;
	s->n = 0;
}

void search_release(struct search *s)
{
	free(s->v);
	*s = (struct search){0};
}

/* Where in the list a place is now, from 0. */
int64_t search_place(const struct search *s, int64_t at)
{
	return s->from_end ? s->count - 1 - at : at;
}

/* The page of that. */
unsigned search_page_of(const struct search *s, int64_t at)
{
	int64_t place = search_place(s, at);

	return place < 0 ? 0 : (unsigned)(place / s->take) + 1;
}

void search_neighbours(const struct search *s, unsigned page, uint32_t *behind, uint32_t *ahead)
{
	for (size_t i = 0; i < s->n; i++) {
		if (search_page_of(s, s->v[i].last.at) < page)
			*behind = s->v[i].last.row;
		if (search_page_of(s, s->v[i].first.at) <= page)
			continue;
		*ahead = s->v[i].first.row;
		return;
	}
}

/* Unseen rows before a row that was seen. From the end: all that are unseen but those behind it. */
static int64_t unseen_before(const struct view *v, const struct mark *m)
{
	int64_t rank = ranks_of(v->ranks, m->row);

	if (!v->s->from_end)
		return m->at - rank;
	return (v->s->count - v->held) - (m->at - (v->held - 1 - rank));
}

/* Rows that came in between the readings of two neighbours shift only the one that was read later.
 * So many are expected on that side of it; where rows come in at one end there are none. */
static int64_t came_between(const struct search *s, const struct mark *a, const struct mark *b)
{
	const struct mark *m = s->from_end ? b : a;
	int64_t came = (b ? b->count : s->count) - (a ? a->count : s->count);

	if (!s->anywhere || !m || m->count == 0)
		return 0;
	double part = (double)m->at / (double)m->count; /* of the list, on the side that counts */
	return llround((double)(s->from_end ? -came : came) * part);
}

/* The gap before the i-th sight (s->n: behind the last). */
struct gap search_gap(const struct view *v, size_t i)
{
	const struct search *s = v->s;
	const struct sight *a = i > 0 ? &s->v[i - 1] : NULL, *b = i < s->n ? &s->v[i] : NULL;
	struct gap g = {.from = 1,
			.to = v->pages,
			.end = s->count,
			.busy = i == (s->from_end ? 0 : s->n),
			.unseen = s->count - v->held,
			.since_ms = s->since_ms};

	if (b) {
		g.unseen = unseen_before(v, &b->first);
		g.to = search_page_of(s, b->first.at + (s->from_end ? 1 : -1));
		g.end = search_place(s, b->first.at);
	}
	if (a) {
		g.unseen -= unseen_before(v, &a->last);
		g.from = search_page_of(s, a->last.at + (s->from_end ? -1 : 1));
		g.first = search_place(s, a->last.at) + 1;
	}
	if (a && b)
		g.since_ms = a->read_ms < b->read_ms ? a->read_ms : b->read_ms;
	else if (g.busy && (a || b))
		g.since_ms = a ? a->read_ms : b->read_ms;
	g.unseen -= came_between(s, a ? &a->last : NULL, b ? &b->first : NULL);
	bool still = s->count == s->count_read; /* and all rows of the page read last are seen */
	if (still && a && g.from == s->page_read)
		g.from++;
	if (still && b && g.to == s->page_read)
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

	if (v->first.row == v->last.row) {
		forget(s, i);
	} else if (to_last) {
		v->first = v->last;
	} else {
		v->last = v->first;
	}
}

/* Something is unseen before the i-th sight, or behind the last, but no page is left there. */
static bool is_contradiction(const struct view *v, size_t i)
{
	struct gap g = search_gap(v, i);

	return g.unseen != 0 && g.from > g.to;
}

/* Neighbours with nothing between them are one. Those that contradict each other: the older is
 * wrong. True: something was changed. */
bool search_tidy(struct search *s, const struct view *v)
{
	for (size_t i = 1; i < s->n; i++) {
		if (search_gap(v, i).unseen == 0)
			join(s, i);
		else if (!is_contradiction(v, i))
			continue;
		else if (s->v[i - 1].nth < s->v[i].nth)
			shrink(s, i - 1, false);
		else
			shrink(s, i, true);
		return true;
	}
	if (s->n && s->v[0].nth != s->read && is_contradiction(v, 0)) {
		shrink(s, 0, true);
		return true;
	}
	if (s->n && s->v[s->n - 1].nth != s->read && is_contradiction(v, s->n)) {
		shrink(s, s->n - 1, false);
		return true;
	}
	return false;
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

	while (i < s->n && sign * (s->v[i].last.at - new->first.at) < 0)
		i++;
	while (i < s->n && sign * (s->v[i].first.at - new->last.at) <= 0) {
		if (sign * (s->v[i].last.at - new->last.at) > 0) {
			beyond = s->v[i];
			beyond.first = beyond.last;
		}
		if (sign * (s->v[i].first.at - new->first.at) >= 0) {
			forget(s, i);
			continue;
		}
		s->v[i].last = s->v[i].first;
		i++;
	}
	insert(s, i, new);
	if (beyond.nth)
		insert(s, i + 1, &beyond);
}

static struct mark mark_of(const struct search *s, uint32_t row, int64_t place)
{
	return (struct mark){row, s->from_end ? s->count - 1 - place : place, s->count};
}

void search_read(struct search *s, const struct search_page *page)
{
	int64_t at = (int64_t)(page->page - 1) * s->take, end = at + (int64_t)page->rows - 1;

	s->read++;
	s->wanted -= (double)page->found;
	s->barren = page->found ? 0 : s->barren + 1;
	if (page->count >= 0) {
		s->moved = s->moved || (s->read > 1 && page->count != s->count);
		if (s->read > 1 && page->count > s->count)
			s->wanted += MET_BY_CHANCE * (double)(page->count - s->count);
		s->count = page->count;
	}
	if (page->rows == 0 && at < s->count)
		s->count = at;
	s->count_read = s->count;
	s->page_read = page->page;
	s->counted_ms = page->read_ms;
	if (page->n == 0)
		return;
	thin_out(s);
	put(s, &(struct sight){
		       .first = mark_of(s, page->numbers[0], at),
		       .last = mark_of(s, page->numbers[page->n - 1], end),
		       .read_ms = page->read_ms,
		       .nth = s->read,
	       });
}
