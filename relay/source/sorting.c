/*
 * Votes and runs. Invariant: each row below `placed` lies in exactly one run, and by_first lists
 * the runs by their first row, so that a row's run is found by bisection.
 */
#include "relay/source/sorting_parts.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

#define VOTES_MAX   2000 /* more are halved: the last 20 pages decide */
#define VOTES_MIN   20	 /* fewer say nothing */
#define DISSENT_MAX 0.01 /* of the votes for a key */
#define BROKEN_MAX  0.05 /* rows that changed places, of a list that can still be searched */

const char *const sort_names[] = {
	[SORT_UNKNOWN] = "not known yet", [SORT_UPDATED] = "updated_at",
	[SORT_CREATED] = "created_at",	  [SORT_ID] = "id",
	[SORT_STABLE] = "stable",	  [SORT_NONE] = "none",
};

void sorting_release(struct sorting *o)
{
	free(o->runs);
	free(o->by_first);
	free(o->next);
	*o = (struct sorting){0};
}

/* ---- votes ---- */

static void vote(struct votes *v, int sign)
{
	if (sign > 0)
		v->up++;
	else if (sign < 0)
		v->down++;
	if (v->up + v->down > VOTES_MAX) {
		v->up /= 2;
		v->down /= 2;
	}
}

static int compare_times(int64_t a, int64_t b)
{
	if (a == DATE_NONE || b == DATE_NONE)
		return 0;
	return (b > a) - (b < a);
}

void sorting_vote(struct sorting *o, const struct row *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		vote(&o->created, compare_times(v[i - 1].created_ms, v[i].created_ms));
		vote(&o->updated, compare_times(v[i - 1].updated_ms, v[i].updated_ms));
		vote(&o->id, strcmp(v[i].id, v[i - 1].id));
	}
}

static bool agrees(const struct votes *v)
{
	float most = v->up > v->down ? v->up : v->down, least = v->up + v->down - most;

	return most >= VOTES_MIN && least <= DISSENT_MAX * most;
}

static bool is_shaken(const struct sorting *o)
{
	return o->broken > BROKEN_MAX * (o->kept + o->broken);
}

/* Were so many rows read that what is assumed should show in them? */
static bool tells(const struct sorting *o)
{
	return o->id.up + o->id.down >= VOTES_MIN;
}

enum sort_kind sorting_of(const struct sorting *o)
{
	bool known = o->kept + o->broken >= VOTES_MIN, updated = agrees(&o->updated);

	/* Where nothing has changed yet, updated_at is created_at. */
	if (agrees(&o->created) && !(known && is_shaken(o)) &&
	    !(updated && o->assumed == SORT_UPDATED))
		return SORT_CREATED;
	if (updated)
		return SORT_UPDATED;
	if (agrees(&o->id) && !(known && is_shaken(o)))
		return SORT_ID;
	if (!known)
		return tells(o) ? SORT_UNKNOWN : o->assumed;
	return is_shaken(o) ? SORT_NONE : SORT_STABLE;
}

bool sorting_newest_first(const struct sorting *o)
{
	const struct votes *v = sorting_of(o) == SORT_UPDATED ? &o->updated : &o->created;

	return agrees(v) || o->assumed == SORT_UNKNOWN ? v->down >= v->up : o->assumed_newest_first;
}

bool sorting_is_stable(const struct sorting *o)
{
	enum sort_kind kind = sorting_of(o);

	return kind != SORT_UPDATED && kind != SORT_NONE && !o->loose;
}

/* ---- runs ---- */

/* The place in by_first of the last run that starts at or before number. */
static size_t nth_by_first(const struct sorting *o, uint32_t number)
{
	size_t low = 0, high = o->nruns;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;
		if (o->runs[o->by_first[mid]].first <= number)
			low = mid;
		else
			high = mid;
	}
	return low;
}

size_t sorting_run_of(const struct sorting *o, uint32_t number)
{
	return o->by_first[nth_by_first(o, number)];
}

bool sorting_is_before(const struct sorting *o, uint32_t a, uint32_t b)
{
	size_t x = sorting_run_of(o, a), y = sorting_run_of(o, b);

	return x == y ? a < b : x < y;
}

/* Puts a run at place `at` of the list. */
void sorting_insert(struct sorting *o, size_t at, struct run run)
{
	size_t sorted = o->nruns ? nth_by_first(o, run.first) : 0;

	if (o->nruns == o->cap) {
		o->cap = o->cap ? o->cap * 2 : 4;
		o->runs = xrealloc(o->runs, o->cap, sizeof *o->runs);
		o->by_first = xrealloc(o->by_first, o->cap, sizeof *o->by_first);
	}
	for (size_t i = 0; i < o->nruns; i++)
		o->by_first[i] += o->by_first[i] >= at;
	memmove(o->runs + at + 1, o->runs + at, (o->nruns - at) * sizeof *o->runs);
	o->runs[at] = run;
	sorted += o->nruns && o->runs[o->by_first[sorted]].first < run.first;
	memmove(o->by_first + sorted + 1, o->by_first + sorted,
		(o->nruns - sorted) * sizeof *o->by_first);
	o->by_first[sorted] = (uint32_t)at;
	o->nruns++;
}

/* Cuts the run of `number` so that one starts there; returns its place. */
static size_t cut_before(struct sorting *o, uint32_t number)
{
	size_t at = sorting_run_of(o, number);
	struct run *r = &o->runs[at];

	if (r->first == number)
		return at;
	struct run rest = {number, r->first + r->n - number};
	r->n = number - r->first;
	sorting_insert(o, at + 1, rest);
	return at + 1;
}

/* Rows first … first + n - 1 are new, and stand behind a row. */
void sorting_insert_behind(struct sorting *o, uint32_t row, uint32_t first, uint32_t n)
{
	size_t at = sorting_run_of(o, row);
	const struct run *r = &o->runs[at];

	if (row == r->first + r->n - 1) {
		if (row + 1 == first) {
			o->runs[at].n += n;
			return;
		}
		sorting_insert(o, at + 1, (struct run){first, n});
		return;
	}
	sorting_insert(o, cut_before(o, row + 1), (struct run){first, n});
}

static uint32_t last_row(const struct sorting *o)
{
	const struct run *last = &o->runs[o->nruns - 1];

	return last->first + last->n - 1;
}

void sorting_append(struct sorting *o, struct run new)
{
	struct run *last = o->nruns ? &o->runs[o->nruns - 1] : NULL;

	if (last && last->first + last->n == new.first)
		last->n += new.n;
	else
		sorting_insert(o, o->nruns, new);
	o->loose = true;
}

/* Where new rows between two known ones (NO_ROW: none on the page) are put. */
static void place(struct sorting *o, struct run new, uint32_t before, uint32_t next,
		  const struct edges *e)
{
	if (o->nruns >= RUNS_MAX) {
		sorting_append(o, new);
	} else if (e->newest_last && next != NO_ROW) {
		sorting_insert(o, cut_before(o, next), new);
	} else if (e->newest_last && e->last) {
		sorting_insert(o, o->nruns, new);
	} else if (before != NO_ROW) {
		sorting_insert_behind(o, before, new.first, new.n);
	} else if (e->first || !o->nruns) {
		sorting_insert(o, 0, new);
	} else if (next != NO_ROW) {
		sorting_insert(o, cut_before(o, next), new);
	} else {
		sorting_append(o, new);
	}
	o->placed = new.first + new.n;
}

/* What was placed by neighbours alone proves nothing. */
static void note_places(struct sorting *o, bool kept)
{
	if (!o->settled)
		return;
	o->kept += kept;
	o->broken += !kept;
	if (o->kept + o->broken > VOTES_MAX) {
		o->kept /= 2;
		o->broken /= 2;
	}
}

/* How many of the rows from `at` on are new, one behind another. */
static uint32_t new_rows(const uint32_t *numbers, size_t n, size_t at)
{
	uint32_t k = 1;

	while (at + k < n && numbers[at + k] == numbers[at] + k)
		k++;
	return k;
}

void sorting_place(struct sorting *o, struct held *held, const uint32_t *numbers, size_t n,
		   const struct edges *e)
{
	bool dated = sorting_of(o) == SORT_CREATED;
	if (dated && !o->dated)
		sorting_begin_dates(o, held);
	o->dated = dated;

	uint32_t prev = e->behind != NO_ROW && e->behind < o->placed ? e->behind : NO_ROW;

	for (size_t i = 0; i < n;) {
		if (numbers[i] == NO_ROW || numbers[i] > o->placed) {
			i++; /* not held after all */
		} else if (numbers[i] < o->placed) {
			/* What lies before the page says nothing about changed places. */
			if (i > 0 && prev != NO_ROW)
				note_places(o, sorting_is_before(o, prev, numbers[i]));
			prev = numbers[i++];
		} else if (dated) {
			sorting_place_by_date(o, held, numbers[i], prev);
			prev = numbers[i++];
		} else {
			uint32_t k = new_rows(numbers, n, i);
			uint32_t next = i + k < n ? numbers[i + k] : e->ahead;
			place(o, (struct run){numbers[i], k}, prev,
			      next < o->placed ? next : NO_ROW, e);
			i += k;
			prev = numbers[i - 1];
		}
	}
}

void sorting_assume(struct sorting *o, uint32_t count)
{
	if (o->placed >= count)
		return;
	struct run rest = {o->placed, count - o->placed};
	o->settled = o->settled || o->nruns == 0;
	place(o, rest, o->nruns ? last_row(o) : NO_ROW, NO_ROW,
	      &(struct edges){.ahead = NO_ROW, .first = true});
}

/* ---- sweeps ---- */

void sorting_sweep_begins(struct sorting *o)
{
	o->nnext = 0;
}

void sorting_sweep_page(struct sorting *o, const uint32_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct run *r = o->nnext ? &o->next[o->nnext - 1] : NULL;
		if (numbers[i] == NO_ROW)
			continue;
		if (r && r->first + r->n == numbers[i]) {
			r->n++;
			continue;
		}
		if (o->nnext == RUNS_MAX) /* it will not be used */
			continue;
		o->next = mem_grow(o->next, o->nnext, &o->next_cap, sizeof *o->next);
		o->next[o->nnext++] = (struct run){numbers[i], 1};
	}
}

struct mark { /* where a run starts, and its place in the list */
	uint32_t first, place;
};

static int by_first(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static struct mark *marks(const struct run *v, size_t n)
{
	struct mark *m = xmalloc((n + 1) * sizeof *m);

	for (size_t i = 0; i < n; i++)
		m[i] = (struct mark){v[i].first, (uint32_t)i};
	qsort(m, n, sizeof *m, by_first);
	return m;
}

/* Rows that slid between pages were met twice: the second time does not count. What was not met
 * below count stands at the end. */
static void make_whole(struct sorting *o, uint32_t count)
{
	size_t n = o->nnext;
	struct mark *m = marks(o->next, n);
	uint32_t next = 0;

	for (size_t i = 0; i < n; i++) {
		struct run *r = &o->next[m[i].place];
		uint32_t end = r->first + r->n;
		if (r->first > next) {
			struct run rest = {next, r->first - next};
			o->next = mem_grow(o->next, o->nnext, &o->next_cap, sizeof *o->next);
			o->next[o->nnext++] = rest;
			r = &o->next[m[i].place];
		}
		if (r->first < next)
			*r = (struct run){next, end > next ? end - next : 0};
		next = end > next ? end : next;
	}
	if (next < count) {
		o->next = mem_grow(o->next, o->nnext, &o->next_cap, sizeof *o->next);
		o->next[o->nnext++] = (struct run){next, count - next};
	}
	free(m);
	size_t kept = 0;
	for (size_t i = 0; i < o->nnext; i++)
		if (o->next[i].n)
			o->next[kept++] = o->next[i];
	o->nnext = kept;
}

void sorting_take_over(struct sorting *o, uint32_t count)
{
	struct mark *m = marks(o->next, o->nnext);

	free(o->runs);
	free(o->by_first);
	o->runs = o->next;
	o->nruns = o->nnext;
	o->cap = o->nnext;
	o->by_first = xmalloc(o->cap * sizeof *o->by_first);
	for (size_t i = 0; i < o->nruns; i++)
		o->by_first[i] = m[i].place;
	free(m);
	o->next = NULL;
	o->placed = count;
	o->loose = false;
	o->settled = true;
	o->kept = o->broken = 0;
}

void sorting_sweep_ends(struct sorting *o, bool whole, uint32_t count)
{
	size_t met = 0;

	for (size_t i = 0; i < o->nnext; i++)
		met += o->next[i].n;
	if (whole && o->nnext > 0 && o->nnext < RUNS_MAX && met >= count / 10 * 9) {
		make_whole(o, count);
		sorting_take_over(o, count);
	}
	free(o->next);
	o->next = NULL;
	o->nnext = o->next_cap = 0;
}

/* ---- ranks ---- */

void ranks_make(struct ranks *r, const struct sorting *o, const struct planes *p, unsigned flag)
{
	uint32_t before = 0;

	r->order = o;
	r->planes = p;
	r->flag = flag;
	if (r->cap < o->nruns) {
		r->cap = o->nruns;
		r->before = xrealloc(r->before, r->cap, sizeof *r->before);
	}
	for (size_t i = 0; i < o->nruns; i++) {
		uint32_t first = o->runs[i].first;
		r->before[i] = before;
		before += planes_before(p, flag, first + o->runs[i].n) -
			  planes_before(p, flag, first);
	}
}

uint32_t ranks_of(const struct ranks *r, uint32_t number)
{
	size_t at = sorting_run_of(r->order, number);

	return r->before[at] + planes_before(r->planes, r->flag, number) -
	       planes_before(r->planes, r->flag, r->order->runs[at].first);
}

void ranks_release(struct ranks *r)
{
	free(r->before);
	*r = (struct ranks){0};
}
