/*
 * seed — what a probe learned of the API, for a relay to start from. It stands only until rows and
 * lists that are read say otherwise: nothing in it is kept against what is seen.
 *
 * As a file it is one JSON object:
 *
 *   {"base_url":"https://…","made":"2026-…Z","order":"updated_at","newest_first":true,
 *    "counters":"exact","take":100,"counts":true,"filters":true}
 */
#ifndef RELAY_SEED_H
#define RELAY_SEED_H

#include "relay/source/chase.h"

enum seed_counters {
	COUNTERS_UNKNOWN,
	COUNTERS_EXACT,
	COUNTERS_BEHIND,
	COUNTERS_WRONG,
	COUNTERS_ABSENT
};
extern const char *const seed_counters_names[];

struct seed {
	enum sort_kind order; /* SORT_UNKNOWN: nothing is said */
	bool newest_first;    /* of SORT_UPDATED, SORT_CREATED */
	enum seed_counters counters;
	unsigned take; /* rows of a full page; 0: nothing is said */
	bool counts;   /* pages have pagination-count */
	bool filters;  /* are obeyed */
};

void seed_write(struct buf *out, const struct seed *s, const char *base_url, int64_t made_ms);
/* Fails on what is no seed, and on one of another base_url. */
int seed_read(struct seed *ret, const char *text, size_t len, const char *base_url,
	      struct err *err);

/* Before anything of the broadcast was read. {0} changes nothing. Of the order only what changes
 * how an unknown list is read: that rows move when they change, or that nothing sorts it. Whether
 * pages are counted and filters obeyed is not taken over: one page tells, and the opposite would be
 * unlearned late or never. */
void seed_apply(struct chase *c, const struct seed *s);

#endif
