/*
 * The planner's parts: the organizations' broadcast lists (planner_list.c), each read in rounds
 * (planner_rounds.c), sweeps over a broadcast's recipients (planner_sweeps.c), the choice between
 * them and what chase.h offers (planner_choice.c); planner.c takes in what comes of it.
 */
#ifndef RELAY_PLANNER_PARTS_H
#define RELAY_PLANNER_PARTS_H

#include "relay/source/planner.h"

#define PAGES_MAX	100000 /* of a list without counts: 10 million rows */
#define PASS_OVER_AFTER 4      /* failures of one page; what is behind it must not wait for ever */

/* Of the budget. */
#define LIST_SHARE     0.25 /* the list, at most */
#define FULL_SHARE_MIN 0.05 /* full sweeps, … */
#define FULL_SHARE_MAX 0.2  /* … at most: where they need more they come less often */

/* A request that is repeated when it fails. */
struct retry {
	bool asked; /* under way */
	unsigned failures;
	int64_t not_before_ms;
};
void retry_failed(struct retry *r, double random, int64_t now_mono_ms);

/* One organization's list, page by page. Where all of it takes several pages, most rounds are of
 * the broadcasts of one live status. */
struct round {
	char *org;	      /* owned */
	char *status;	      /* owned; of those that the round lists; NULL: it is a whole one */
	unsigned words;	      /* statuses that take turns, … */
	unsigned word;	      /* … and whose turn is next */
	int64_t whole_ms;     /* mono: from then on a whole one is due, */
	int64_t live_ms;      /* … and only whole ones are asked for until then */
	unsigned whole_pages; /* of the last whole one, … */
	bool moved;	      /* … in which the entry of one that is not live did, */
	int64_t pause_ms;     /* … and from it to the next: doubles while none does */
	struct retry retry;
	int64_t due_ms, started_ms, asked_ms;
	unsigned page;	/* the next; 1: no round is under way */
	unsigned pages; /* of the last round */
	size_t rows, skipped;
	int64_t count;			 /* of the last page */
	uint64_t hash;			 /* of the last page */
	bool steady;			 /* the count was the same on all pages */
	bool list_refused, rows_refused; /* to the key, when last asked for */
	bool leaves;			 /* it ends with the answer to what is asked */
	int64_t began_ms;     /* wall, when its first page was asked for, at the earliest, */
	int64_t complete_ms;  /* … that of the last whole and complete one, */
	int64_t complete2_ms; /* … and of the one before: all it named is followed by now */
};
void round_init(struct round *r, const char *org, int64_t now_mono_ms);
void round_release(struct round *r);
bool round_ready(const struct round *r, int64_t now_mono_ms);
int64_t round_ready_at(const struct round *r);
void round_plan(struct round *r, struct plan *ret, int64_t now_mono_ms);
bool round_is_behind(const struct round *r);
bool round_completes(const struct round *r, const struct plan_answer *a);
/* From the start of one round to the next, and of one whole one where there are others: at least
 * and at most. */
struct round_pace {
	int64_t pause_ms, least_ms, most_ms;
};
bool round_read(struct round *r, const struct plan_answer *a, const struct round_pace *pace);
void round_failed(struct round *r, double random, const struct round_pace *pace,
		  int64_t now_mono_ms);

/* One broadcast, page by page and again. */
struct sweep {
	struct retry retry;
	bool active;
	bool moved;   /* a change is expected; else it is looked at because its time came */
	bool pending; /* it moved while the sweep was under way */
	bool live;
	bool spoiled;  /* a page was passed over, or rows went while it ran */
	bool again;    /* it goes through a second time, for rows that were missing at the end */
	bool baseline; /* the first sweep is still to be completed */
	bool resumed;  /* its first pages were read before a restart */
	uint16_t stamp;
	unsigned first, page;
	size_t held; /* rows known when it began; 0 also where the list counts none */
	size_t rows, skipped, doubled, seen, changes, largest; /* of the pages so far */
	int64_t count;
	uint64_t hash;	      /* of the last page */
	unsigned barren;      /* pages in a row without a fresh row */
	unsigned repeated;    /* pages in a row that are equal to the one before */
	unsigned incomplete;  /* sweeps in a row */
	bool confirms;	      /* it follows one in which rows were missing */
	uint32_t last;	      /* the row read last */
	int64_t listed[ASKS]; /* the list's counters when it began */
	int64_t due_ms, interval_ms, started_ms, asked_ms;
	int64_t completed_ms; /* mono, when the last complete one began; INT64_MIN: none did */
};
struct pace {
	int64_t every_ms, most_ms, full_ms;
};
void sweep_init(struct sweep *s, const struct followed *b, const struct pace *pace,
		int64_t now_mono_ms);
bool sweep_ready(const struct sweep *s, int64_t now_mono_ms);
int64_t sweep_ready_at(const struct sweep *s);
void sweep_plan(struct sweep *s, const struct followed *b, struct plan *ret, int64_t now_mono_ms);
bool sweep_is_behind(const struct sweep *s);
bool sweep_completes(const struct sweep *s, const struct plan_answer *a);
/* blind: only sweeps find changes. held: rows held now. */
bool sweep_read(struct sweep *s, const struct plan_answer *a, const struct pace *pace, bool blind,
		size_t held, int64_t now_mono_ms);
void sweep_failed(struct sweep *s, const struct pace *pace, bool blind, double random,
		  int64_t now_mono_ms);
void sweep_listed(struct sweep *s, bool moved, bool live, const struct pace *pace,
		  int64_t now_mono_ms);

/* A followed broadcast as the planner sees it. */
struct track {
	struct sweep sweep;
	struct chase chase;
	struct retry retry;   /* of the chase's requests; asked: any request of it is under way */
	bool refused;	      /* its organization is, to the key: nothing of it is asked */
	int64_t surprised_ms; /* mono, the last time; INT64_MIN: never */
	int64_t changed_ms; /* mono, when its list entry or a row last changed; INT64_MIN: never */
	uint32_t spent[PURPOSES];
	const char *reason; /* of the last plan; NULL: none yet */
	struct offer last;
};

struct planner {
	struct round *rounds;
	size_t nrounds, rounds_cap;
	struct followed **v; /* borrowed; in no order */
	size_t n, cap;
	struct pace pace;
	int64_t full_ms; /* of the pace, as configured */
	struct chase_pace chase_pace;
	double per_ms;	    /* requests; 0: no limit */
	struct ranks ranks; /* scratch */
	int64_t moved_ms; /* mono, when a live broadcast's counters last moved; INT64_MIN: never */
	double first_credit; /* requests that first sweeps (and those of the blind) have saved, … */
	double full_credit; /* … and full sweeps */
	double dear_credit; /* … and failures of which each costs several */
	unsigned turn;
	uint16_t left_out; /* bit per ask: source.filter shows no row with its flag */
};

/* planner_list.c */
struct round *list_of(const struct planner *p, const char *org); /* NULL: it is none of ours */
bool list_is_refused(const struct planner *p, const char *org);
struct round *list_due(const struct planner *p, int64_t now_mono_ms); /* NULL: none is */
void list_plan(struct planner *p, struct round *r, int64_t now_mono_ms, struct plan *ret);
bool list_is_behind(const struct planner *p, const struct plan *plan);
bool list_completes(const struct planner *p, const struct plan *plan, const struct plan_answer *a);
bool list_read(struct planner *p, const struct plan *plan, const struct plan_answer *a,
	       int64_t now_mono_ms);
void list_failed(struct planner *p, const struct plan *plan, double random, int64_t now_mono_ms);
void list_unasked(struct planner *p, const struct plan *plan);

static inline const struct planes *planes_of(const struct followed *b)
{
	return held_planes(b->held);
}

#endif
