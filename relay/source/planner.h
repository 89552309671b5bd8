/*
 * planner — what to ask next. Pure: it is told what was listed and read, and names the next
 * request; no clock, no I/O.
 *
 * In this order: the broadcast list, when it is due; sweeps, up to their share; failures that are
 * due, those that wait longest first, but where each costs several requests 40 % at most, and looks
 * for failures that no counter tells of up to 3 s after a run at the newest rows; then the offer
 * that is worth most (chase.h).
 *
 * The list is read every poll_every, twice as often while counters of a live broadcast move, all
 * its pages in one round; rounds are spaced out where they would take more than a quarter of the
 * budget. Where it has several pages, only those of live statuses are listed so often. All of them
 * are every fourth time, at most for 5 % of the budget, while entries move that are not live, then
 * less often, down to every poll_every_max; and as soon as a live one is not listed any more.
 *
 * A sweep reads all pages of one broadcast. The first makes its baseline and gets a quarter
 * of the requests for which something else competes, or three, where changes come anywhere and are
 * found by reading all pages anyway. Then one every full_sweep_every, and one after
 * a surprise, at most one an hour: they get 5 %, or what their pages need in that time, 20 % at
 * most. Where there are neither counters nor counts only sweeps find changes: a broadcast whose
 * list entry moved, or whose last sweep found changes, is swept again after poll_every; a quiet one
 * after a pause that doubles up to poll_every_max.
 *
 * A sweep ends with the page that reaches pagination-count, but behind a full page one more is
 * looked at: the count may lag, or be of the page alone. It is complete when as many distinct
 * recipients were seen as the count says, in its pages or others read meanwhile (none given, or a
 * lower one: when no row came twice), the count never fell while it ran, no row was unreadable,
 * and it saw any row of those held, unless the list counts none. Where rows are missing at its end
 * it goes on from page 1 until they are met, or 20 pages in a row show none. An incomplete one is
 * repeated. Guards: at most count / rows-a-page + 2 pages (100,000 where no count is given), pages
 * equal to the one before end the sweep (three in a row where there is a count), and a page that
 * fails again and again is passed over, as is one of the list.
 */
#ifndef RELAY_PLANNER_H
#define RELAY_PLANNER_H

#include "relay/source/chase.h"
#include "relay/source/source.h"

struct planner;

struct planner *planner_new(const struct source_options *o); /* o is borrowed for the call */
void planner_free(struct planner *p);			     /* when nothing is planned any more */

#define SWEEPS_MAX 8191 /* held_row.sweep has 13 bits; 0 is none */

enum plan_kind { PLAN_NOTHING, PLAN_LIST, PLAN_PAGE };
struct plan {
	enum plan_kind kind;
	const char *org;	    /* PLAN_LIST */
	const char *status;	    /* PLAN_LIST: only those of that status; NULL: all */
	struct followed *broadcast; /* PLAN_PAGE */
	struct offer offer;	    /* its purpose, filter and page */
	unsigned page;
	int64_t asked_ms; /* mono */
	uint16_t sweep; /* 1 … SWEEPS_MAX, then 1 again: the one that is under way; 0: none is */
	bool in_turn;	/* it is the sweep's own next page, */
	bool starts;	/* … its first one, */
	bool resumes;	/* of a first sweep that a restart cut short: what is held was seen in it */
	const char *reason; /* for the log at debug */
	int64_t wait_ms; /* PLAN_NOTHING: until there may be something; INT64_MAX: only answers */
};

/* One more organization whose list is read, or one less. */
void planner_add_org(struct planner *p, const char *org, int64_t now_mono_ms);
void planner_remove_org(struct planner *p, const char *org);

/* Wall: each broadcast that began until then is known, of each organization; DATE_NONE. */
int64_t planner_listed_until(const struct planner *p);

/* Starts with a sweep: the first, resumed behind record.baseline_page, or one more. */
void planner_add(struct planner *p, struct followed *b, int64_t now_mono_ms);
void planner_remove(struct planner *p, struct followed *b); /* nothing of it may be asked */
void planner_move(struct planner *from, struct planner *to, struct followed *b);
/* Its list is another one now: what was learned is forgotten, and it is swept from page 1 on, or
 * from behind record.baseline_page. */
void planner_renew(struct planner *p, struct followed *b, int64_t now_mono_ms);
struct planner_entry {
	bool moved;	      /* it is not as the list showed it before */
	bool live;	      /* its status does not say that all is over or still to begin */
	const char *counters; /* JSON, or NULL */
	int64_t date_ms;      /* wall, when it was asked for, at the earliest */
};
/* The list shows it. */
void planner_listed(struct planner *p, struct followed *b, const struct planner_entry *entry,
		    int64_t now_mono_ms);
/* Changes of these (bit per ask, and ASKS for what cannot be asked for) are waited for: they count
 * for more than others, and it is looked whether there are any. */
void planner_await(struct planner *p, uint16_t asks);
/* All its rows are to be read once more, soon. */
void planner_sweep(struct planner *p, struct followed *b, int64_t now_mono_ms);
/* The rows of a page, in its order: how is the list sorted? */
void planner_saw(struct planner *p, struct followed *b, const struct row *v, size_t n);
/* After an outage: whatever backs off may be asked at once. */
void planner_recovered(struct planner *p);

/* Whether the key was refused for the list, or else for recipients, of this organization. While it
 * is for both, nothing is asked of its broadcasts: each would be refused, and cost a probe. */
void planner_refused(struct planner *p, const char *org, bool list, bool refused);

/* The next thing to ask; it counts as asked until one of the functions below answers it. */
void planner_next(struct planner *p, int64_t now_mono_ms, struct plan *ret);

struct plan_answer {
	int64_t count;		 /* pagination-count; -1 */
	size_t rows;		 /* on the page, doubled and unreadable ones included */
	size_t skipped;		 /* of them unreadable */
	size_t fresh;		 /* of them first seen in this sweep (PLAN_LIST: not looked at) */
	size_t changes;		 /* of them not as they were held */
	uint64_t hash;		 /* of the page's bytes */
	const uint32_t *numbers; /* of the rows, in the page's order; planner_read only, as is … */
	const struct row *v;	 /* … what was read of them; NULL: the page is as it was */
	size_t n;
	int64_t date_ms; /* wall, when it was asked for, at the earliest */
};
/* Is all that was counted on the pages before it? Then an API that refuses this one says only that
 * nothing is there. */
bool planner_is_behind(const struct planner *p, const struct plan *plan);
/* What planner_read would say of this answer, before it is told. PLAN_LIST: the round is through
 * and nothing slid in it. */
bool planner_completes(const struct planner *p, const struct plan *plan,
		       const struct plan_answer *a);
/* A page was read. True: it ended a complete sweep or round. */
bool planner_read(struct planner *p, const struct plan *plan, const struct plan_answer *a,
		  int64_t now_mono_ms);
/* It could not be read: asked again after a backoff of its own with jitter. */
void planner_failed(struct planner *p, const struct plan *plan, double random, int64_t now_mono_ms);
/* It was not asked after all, or ended by us: asked again at once. */
void planner_unasked(struct planner *p, const struct plan *plan);

#endif
