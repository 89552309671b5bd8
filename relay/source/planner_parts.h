/*
 * The planner's two halves: rounds over the broadcast list (planner_rounds.c) and sweeps over a
 * broadcast's recipients (planner_sweeps.c); planner.c chooses between them.
 */
#ifndef RELAY_PLANNER_PARTS_H
#define RELAY_PLANNER_PARTS_H

#include "relay/source/planner.h"

#define PAGES_MAX	100000 /* of a list without counts: 10 million rows */
#define PASS_OVER_AFTER 4      /* failures of one page; what is behind it must not wait for ever */

/* A request that is repeated when it fails. */
struct retry {
	bool asked; /* under way */
	unsigned failures;
	int64_t not_before_ms;
};
void retry_failed(struct retry *r, double random, int64_t now_mono_ms);

/* One organization's list, page by page. */
struct round {
	char *org; /* owned */
	struct retry retry;
	int64_t due_ms, started_ms;
	unsigned page;	/* the next; 1: no round is under way */
	unsigned pages; /* of the last round */
	size_t rows, skipped;
	int64_t count;			 /* of the last page */
	uint64_t hash;			 /* of the last page */
	bool steady;			 /* the count was the same on all pages */
	bool list_refused, rows_refused; /* to the key, when last asked for */
};
void round_init(struct round *r, const char *org, int64_t now_mono_ms);
bool round_ready(const struct round *r, int64_t now_mono_ms);
int64_t round_ready_at(const struct round *r);
void round_plan(struct round *r, struct plan *ret, int64_t now_mono_ms);
bool round_is_behind(const struct round *r);
bool round_completes(const struct round *r, const struct plan_answer *a);
/* pause_ms: from the start of one round to the next. */
bool round_read(struct round *r, const struct plan_answer *a, int64_t pause_ms);
void round_failed(struct round *r, double random, int64_t pause_ms, int64_t now_mono_ms);

/* One broadcast, page by page and again. */
struct sweep {
	struct retry retry;
	bool active;
	bool moved;   /* a change is expected; else it is looked at because its time came */
	bool pending; /* it moved while the sweep was under way */
	bool live;
	bool spoiled;  /* a page was passed over, or rows went while it ran */
	bool baseline; /* the first sweep is still to be completed */
	uint16_t stamp;
	unsigned first, page;
	size_t held; /* rows known when it began; 0 also where the list counts none */
	size_t rows, skipped, doubled, seen, changes, largest; /* of the pages so far */
	int64_t count;
	uint64_t hash;	     /* of the last page */
	unsigned barren;     /* pages in a row without a fresh row */
	unsigned incomplete; /* sweeps in a row */
	int64_t due_ms, interval_ms, started_ms, asked_ms;
};
struct pace {
	int64_t every_ms, most_ms;
};
void sweep_init(struct sweep *s, const struct followed *b, const struct pace *pace,
		int64_t now_mono_ms);
bool sweep_ready(const struct sweep *s, int64_t now_mono_ms);
int64_t sweep_ready_at(const struct sweep *s);
void sweep_plan(struct sweep *s, const struct followed *b, struct plan *ret, int64_t now_mono_ms);
bool sweep_is_behind(const struct sweep *s);
bool sweep_completes(const struct sweep *s, const struct plan_answer *a);
bool sweep_read(struct sweep *s, const struct plan_answer *a, const struct pace *pace,
		int64_t now_mono_ms);
void sweep_failed(struct sweep *s, const struct pace *pace, double random, int64_t now_mono_ms);
void sweep_listed(struct sweep *s, bool moved, bool live, const struct pace *pace,
		  int64_t now_mono_ms);

#endif
