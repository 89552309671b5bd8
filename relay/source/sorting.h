/*
 * sorting — how the API sorts a broadcast's list, learned from the rows as they are read. Pure.
 *
 * Two things are learned. By which key: neighbours on a page vote for created_at, updated_at and
 * id, up and down; old votes fade, so that a list sorted anew is noticed. And where each held row
 * stands (places.h). A row met for the first time is placed by its created_at where the list is
 * sorted by it, else beside the rows it was met with. Rows of one date are put right when they are
 * met the other way round. Other neighbours that change places are counted: a list whose known rows
 * keep their relative order is stable, whatever it is sorted by, and can be searched.
 */
#ifndef RELAY_SORTING_H
#define RELAY_SORTING_H

#include "relay/source/held.h"
#include "relay/source/places.h"
#include "relay/source/snapshot.h"

enum sort_kind {
	SORT_UNKNOWN, /* too few rows were read */
	SORT_UPDATED, /* by updated_at: rows move when they change */
	SORT_CREATED,
	SORT_ID,
	SORT_STABLE, /* by nothing we know, but rows keep their places */
	SORT_NONE,   /* rows change places */
};
extern const char *const sort_names[];

struct votes {
	float up, down;
};

struct run {
	uint32_t first, n; /* rows first … first + n - 1, one behind another */
};

struct sorting {
	struct votes created, updated, id;
	float kept, broken;	   /* neighbours that were known, in their places or not */
	enum sort_kind assumed;	   /* while rows do not tell; SORT_UNKNOWN: nothing is, */
	bool assumed_newest_first; /* … and how, of SORT_UPDATED and SORT_CREATED */
	struct places places;	   /* of rows 0 … places.rows - 1 */
	bool dated;		   /* … by their dates */
	bool settled;		   /* … as a sweep met them, or as they are numbered */
	bool loose;		   /* some rows were placed without a neighbour */
	/* the sweep under way writes down the list anew */
	struct run *next;
	size_t nnext, next_cap;
};

void sorting_release(struct sorting *o); /* {0} is a valid empty one */

/* The rows of a page in its order, for the vote. */
void sorting_vote(struct sorting *o, const struct row *v, size_t n);
/* Of a page: what is known of where it lies. */
struct edges {
	uint32_t behind, ahead; /* the rows before and after it; NO_ROW */
	bool first, last;	/* it is the list's first, or last, page */
	bool newest_last;	/* rows that are new to us stand as far back as they can */
};

/* The same page by the numbers its rows are held under. */
void sorting_place(struct sorting *o, struct held *held, const uint32_t *numbers, size_t n,
		   const struct edges *e);
/* Rows up to `count` that were placed by nothing (a restart): in the order of their numbers. */
void sorting_assume(struct sorting *o, uint32_t count);

/* A sweep writes the list down: begin, its pages one after another, end. When it was read from its
 * first page on and met nine tenths of the rows, what was written down replaces what was known. */
void sorting_sweep_begins(struct sorting *o);
void sorting_sweep_page(struct sorting *o, const uint32_t *numbers, size_t n);
void sorting_sweep_ends(struct sorting *o, bool whole, uint32_t count);

enum sort_kind sorting_of(const struct sorting *o);
bool sorting_newest_first(const struct sorting *o); /* SORT_UPDATED, SORT_CREATED */
/* May rows be searched for by their place? While unknown too: the search finds out. */
bool sorting_is_stable(const struct sorting *o);

#endif
