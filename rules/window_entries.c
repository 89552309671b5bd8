/* The events of one key by time, as cells with a count: for `count` as narrow as exactness asks
 * for, for `ratio` one a step. Invariant: ascending by cell, one entry for each cell and class. */
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/window_parts.h"

#define CLASSES_OF_CELL 32 /* told apart; further ones are counted without their class */
#define LEAST		4

static void drop_names(struct window *w, const struct entry *one)
{
	if (one->integration != ENTRY_OF)
		name_drop(w, &w->classes, one->integration);
	name_drop(w, &w->classes, one->error);
}

static void give_back(struct window *w, struct entry *one)
{
	drop_names(w, one);
	window_sample_free(w, one->sample);
}

/* The first entry of a later cell. */
static uint32_t behind(const struct entries *e, int64_t cell)
{
	uint32_t low = 0, high = e->n;

	if (e->n && e->v[e->n - 1].cell <= cell)
		return e->n;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (e->v[mid].cell <= cell)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool same_class(const struct entry *a, const struct entry *b)
{
	return a->integration == b->integration && a->error == b->error;
}

/* Of an entry's events the newest is shown. */
static void join(struct window *w, struct entry *to, const struct entry *one)
{
	to->n += one->n;
	drop_names(w, one);
	if (!one->sample)
		return;
	if (to->sample && sample_newer(to->sample, one->sample)) {
		window_sample_free(w, one->sample);
		return;
	}
	window_sample_free(w, to->sample);
	to->sample = one->sample;
}

static bool make_room(struct window *w, struct entries *e)
{
	if (w->entries == WINDOW_ENTRIES_MAX)
		return false;
	if (e->n == e->cap) {
		e->cap = e->cap ? e->cap * 2 : LEAST;
		e->v = xrealloc(e->v, e->cap, sizeof *e->v);
		w->loose += (e->cap - e->n) * sizeof *e->v;
	}
	w->entries++;
	return true;
}

int64_t entries_add(struct window *w, struct entries *e, const struct entry *one)
{
	struct entry added = *one;
	uint32_t place = behind(e, one->cell), classes = 0;

	for (uint32_t i = place; i && e->v[i - 1].cell == one->cell; i--, classes++)
		if (same_class(&e->v[i - 1], one)) {
			join(w, &e->v[i - 1], one);
			return i - 1;
		}
	if (classes >= CLASSES_OF_CELL && added.integration != ENTRY_OF) {
		drop_names(w, &added);
		added.integration = added.error = NAME_NONE;
		for (uint32_t i = place; i && e->v[i - 1].cell == one->cell; i--)
			if (same_class(&e->v[i - 1], &added)) {
				join(w, &e->v[i - 1], &added);
				return i - 1;
			}
	}
	if (!make_room(w, e)) {
		give_back(w, &added);
		return -1;
	}
	memmove(&e->v[place + 1], &e->v[place], (e->n - place) * sizeof *e->v);
	e->v[place] = added;
	e->n++;
	return place;
}

static void drop_many(struct window *w, struct entries *e, uint32_t n)
{
	if (!n)
		return;
	for (uint32_t i = 0; i < n; i++)
		give_back(w, &e->v[i]);
	memmove(e->v, &e->v[n], (e->n - n) * sizeof *e->v);
	e->n -= n;
	w->entries -= n;
}

void entries_drop(struct window *w, struct entries *e, int64_t cell)
{
	drop_many(w, e, behind(e, cell));
}

void entries_drop_first(struct window *w, struct entries *e)
{
	drop_many(w, e, 1);
}

void entries_release(struct window *w, struct entries *e)
{
	drop_many(w, e, e->n);
	w->loose -= e->cap * sizeof *e->v;
	free(e->v);
	*e = (struct entries){0};
}
