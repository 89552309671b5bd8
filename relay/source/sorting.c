/* Votes and places. Invariant: rows have places in the order of their numbers: those below
 * places.rows, and no others. */
#include "relay/source/sorting_parts.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

#define VOTES_MAX   2000 /* more are halved: the last 20 pages decide */
#define VOTES_MIN   20	 /* fewer say nothing */
#define DISSENT_MAX 0.01 /* of the votes for a key */
#define BROKEN_MAX  0.05 /* rows that changed places, of a list that can still be searched */
#define RUNS_MAX                                                                                   \
	262144 /* of a list as a sweep writes it down: more are of a list without order            \
		*/

const char *const sort_names[] = {
	[SORT_UNKNOWN] = "not known yet", [SORT_UPDATED] = "updated_at",
	[SORT_CREATED] = "created_at",	  [SORT_ID] = "id",
	[SORT_STABLE] = "stable",	  [SORT_NONE] = "none",
};

void sorting_release(struct sorting *o)
{
	places_release(&o->places);
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

/* ---- places ---- */

/* Rows that have no place yet, behind one (NO_ROW: at the front). */
static void insert(struct sorting *o, struct run new, uint32_t behind)
{
	for (uint32_t i = 0; i < new.n; i++) {
		places_insert(&o->places, new.first + i, behind);
		behind = new.first + i;
	}
}

/* Where new rows between two known ones (NO_ROW: none on the page) are put. */
static void place(struct sorting *o, struct run new, uint32_t before, uint32_t next,
		  const struct edges *e)
{
	if (e->newest_last && next != NO_ROW)
		insert(o, new, places_prev(&o->places, next));
	else if (e->newest_last && e->last)
		insert(o, new, places_last(&o->places));
	else if (before != NO_ROW)
		insert(o, new, before);
	else if (e->first || !o->places.rows)
		insert(o, new, NO_ROW);
	else if (next != NO_ROW)
		insert(o, new, places_prev(&o->places, next));
	else {
		insert(o, new, places_last(&o->places));
		o->loose = true;
	}
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

/* A row that was met between two that stand in order, but stands elsewhere, is put there. */
static bool follow(struct sorting *o, uint32_t prev, uint32_t row, uint32_t next)
{
	struct places *p = &o->places;

	if (prev >= p->rows || next >= p->rows || prev == row || row == next || prev == next ||
	    !places_is_before(p, prev, next))
		return false;
	if (places_is_before(p, prev, row) && places_is_before(p, row, next))
		return false;
	places_move(p, row, prev);
	return true;
}

void sorting_place(struct sorting *o, struct held *held, const uint32_t *numbers, size_t n,
		   const struct edges *e)
{
	bool dated = sorting_of(o) == SORT_CREATED, moving = sorting_of(o) == SORT_UPDATED;
	if (dated && !o->dated)
		sorting_begin_dates(o, held);
	o->dated = dated;

	uint32_t prev = e->behind < o->places.rows ? e->behind : NO_ROW;

	for (size_t i = 0; i < n;) {
		if (numbers[i] == NO_ROW || numbers[i] > o->places.rows) {
			i++; /* not held after all */
		} else if (numbers[i] < o->places.rows) {
			places_touch(&o->places, numbers[i]);
			bool kept = prev == NO_ROW || prev == numbers[i] ||
				    places_is_before(&o->places, prev, numbers[i]);
			if (!kept && dated)
				kept = sorting_mend_tie(o, held, prev, numbers[i]);
			else if (i > 0 && i + 1 < n && !dated && !moving)
				kept = !follow(o, prev, numbers[i], numbers[i + 1]) && kept;
			/* What lies before the page says nothing about changed places. */
			if (i > 0 && prev != NO_ROW)
				note_places(o, kept);
			prev = numbers[i++];
		} else if (dated) {
			sorting_place_by_date(o, held, numbers[i], prev);
			prev = numbers[i++];
		} else {
			uint32_t k = new_rows(numbers, n, i);
			uint32_t next = i + k < n ? numbers[i + k] : e->ahead;
			place(o, (struct run){numbers[i], k}, prev,
			      next < o->places.rows ? next : NO_ROW, e);
			i += k;
			prev = numbers[i - 1];
		}
	}
}

void sorting_assume(struct sorting *o, uint32_t count)
{
	o->settled = o->settled || (o->places.rows == 0 && count > 0);
	while (o->places.rows < count)
		places_append(&o->places, o->places.rows);
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

static bool take_note(uint64_t *met, uint32_t row)
{
	bool first = !(met[row / 64] >> row % 64 & 1);

	met[row / 64] |= UINT64_C(1) << row % 64;
	return first;
}

/* Rows that no page of a sweep showed, and what each stood behind. */
struct unmet {
	struct unmet_row {
		uint32_t row, behind;
	} * v;
	size_t n, cap;
};

static struct unmet find_unmet(const struct places *p, uint64_t *met)
{
	struct unmet found = {0};
	uint32_t behind = NO_ROW;

	for (uint32_t row = places_first(p); row != NO_ROW; row = places_next(p, row)) {
		if (take_note(met, row)) {
			found.v = mem_grow(found.v, found.n, &found.cap, sizeof *found.v);
			found.v[found.n++] = (struct unmet_row){row, behind};
		}
		behind = row;
	}
	return found;
}

static void append_runs(const struct sorting *o, struct places *p, uint64_t *met)
{
	for (size_t i = 0; i < o->nnext; i++)
		for (uint32_t k = 0; k < o->next[i].n; k++)
			if (take_note(met, o->next[i].first + k) && p)
				places_append(p, o->next[i].first + k);
}

/* What was written down becomes the list. Rows that slid between pages were met twice: the second
 * time does not count. What was not met stays behind the row that it stood behind. The old list is
 * gone before the new one is made, so that this takes its memory and leaves no holes. */
static void take_over(struct sorting *o, uint32_t count)
{
	size_t bytes = (count / 64 + 1) * sizeof(uint64_t);
	uint64_t *met = xcalloc(1, bytes);

	append_runs(o, NULL, met);
	struct unmet unmet = find_unmet(&o->places, met);
	places_release(&o->places);
	memset(met, 0, bytes);
	append_runs(o, &o->places, met);
	for (size_t i = 0; i < unmet.n; i++)
		if (take_note(met, unmet.v[i].row))
			places_insert(&o->places, unmet.v[i].row, unmet.v[i].behind);
	for (uint32_t row = 0; row < count; row++)
		if (take_note(met, row))
			places_append(&o->places, row);
	o->loose = false;
	free(unmet.v);
	free(met);
}

/* All places are known. */
static void settle(struct sorting *o)
{
	o->settled = true;
	o->kept = o->broken = 0;
}

void sorting_sweep_ends(struct sorting *o, bool whole, uint32_t count)
{
	size_t met = 0;

	for (size_t i = 0; i < o->nnext; i++)
		met += o->next[i].n;
	whole = whole && met >= count / 10 * 9;
	if (whole && o->dated && !o->loose) { /* dates know better, where rows slid between pages */
		settle(o);
	} else if (whole && o->nnext > 0 && o->nnext < RUNS_MAX) {
		take_over(o, count);
		settle(o);
	}
	free(o->next);
	o->next = NULL;
	o->nnext = o->next_cap = 0;
}
