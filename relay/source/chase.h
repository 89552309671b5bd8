/*
 * chase — what of one broadcast to ask for next, so that each request brings as many changes as it
 * can. Pure.
 *
 * counts says how many changes of which flag are due, order how the list is sorted, search where
 * they may be. Each broadcast makes one offer at a time: a page of a filter, and what reading it is
 * worth, which is the changes expected times how long they have waited. The planner takes the best.
 *
 *   failures  at once, by their own filters
 *   newest    rows sorted by updated_at: from that end, until a page shows what was known
 *   search    rows that keep their places: where the counts say that something is missing
 *   cycle     else, or when so much is due that it pays: a list to its end, and round again
 *   peek      where the list's counters are missing or lag: a page, for its own count
 */
#ifndef RELAY_CHASE_H
#define RELAY_CHASE_H

#include "relay/source/counts.h"
#include "relay/source/search.h"

enum purpose {
	FOR_LIST,
	FOR_FAILURES,
	FOR_NEWEST,
	FOR_SEARCH,
	FOR_CYCLE,
	FOR_PEEK,
	FOR_SWEEP,
	FOR_PROBE,
	PURPOSES
};
extern const char *const purpose_names[PURPOSES];

struct offer {
	enum purpose purpose;
	unsigned ask;	  /* the filter */
	unsigned page;	  /* 0: there is no offer */
	double finds;	  /* changes expected */
	int64_t since_ms; /* mono: they wait since then */
	double weight;	  /* of these finds beside others; 1 */
};

#define SUSPECTS 8

/* Without counters each live broadcast is asked for its failures so often: */
#define PEEK_MIN_MS  7000
#define PEEK_EACH_MS 286 /* … times the live ones, if that is more: half of the budget */

#define BATCH_WAIT_MS 5000 /* for failures of a list in which each costs several requests */

struct chase {
	struct counts counts;
	struct sorting order;
	struct prior priors[ASKS];
	struct search jobs[ASKS];
	uint16_t awaited;	       /* as the pace said last */
	uint16_t active, lost, closed; /* bit per ask: its job runs; the last one ended so */
	int64_t batched_ms[ASKS];      /* mono, when as many as were due had been found together */
	int64_t pause_until_ms[ASKS];  /* INT64_MAX: of what is left out */
	struct cycle {
		double part; /* of the list, that this round has read; 0: it has not begun */
		int64_t began_ms, read_ms; /* mono, its first page and the last one so far */
		int64_t before_ms;	   /* when the round before began, … */
		int64_t took_ms;	   /* … and how long it took; 0: there was none */
		double expected, rose; /* changes of the round so far: before trust, and found */
	} cycles[ASKS];
	float shared[ASKS][ASKS]; /* of the rows with the first flag, those that have the second */
	int64_t shared_ms;	  /* when that was worked out */
	float gain[ASKS];	  /* flags that rose, of any kind, for each one looked for */
	float trust[2][ASKS];	  /* changes found for each one expected: by search or failures, by
				     cycle */
	struct tried {
		double expected, rose; /* changes of searches since they were judged */
	} tried[ASKS];
	int64_t asked_ms[ASKS];	     /* mono, any page of it; INT64_MIN: never */
	int64_t peek_every_ms[ASKS]; /* the pause between peeks; doubles while nothing comes */
	struct newest {
		unsigned page;	       /* the next page of a run; 0: none is under way */
		int64_t top_ms;	       /* the newest updated_at that it began with; */
		int64_t mark_ms;       /* … and the last one; INT64_MIN: not known */
		int64_t last_ms;       /* the oldest updated_at that it came to, … */
		uint64_t met[8];       /* … and bits of the rows of that page */
		unsigned blank;	       /* pages in a row that show nothing older and no change */
		int64_t began_ms, due; /* when it, or the last one, began; and what was due then */
		int64_t left;	       /* due, but not among the newest: a run met none of it */
		unsigned missed;       /* runs in a row that met nothing of what was due */
		int64_t every_ms;      /* the pause without counters */
	} newest;
	uint32_t suspects[SUSPECTS]; /* held with a flag that they seem to have lost */
	size_t nsuspects;
	unsigned take;	    /* rows of a full page: what the API gives, whatever it was asked for */
	bool counted;	    /* pages have counts */
	bool ignored;	    /* filters are not obeyed, … */
	int64_t ignored_ms; /* … as was seen then, mono; a sweep some time later tries again */
	bool surprised;	    /* more or less is there than can be: a full sweep is wanted */
	bool live;
	bool moving;		     /* sorted by updated_at: so it was when last looked at */
	bool baseline;		     /* its first sweep is under way */
	int64_t since_ms;	     /* mono, when it was made */
	struct offer offer, failure; /* the best, and the best for failures, worked out at … */
	int64_t offered_ms;	     /* … this time; INT64_MIN: to be made anew */
	int64_t later_ms;	     /* when there may be another; INT64_MAX: only a list says */
	int64_t held_at_plan;	     /* rows with the flag that is asked for, … */
	int64_t flags_at_plan;	     /* … and flags of all rows */
};

struct chase_pace {
	int64_t every_ms, most_ms; /* poll_every, poll_every_max */
	unsigned live;		   /* broadcasts that are */
	uint16_t awaited;	   /* bit per ask: somebody waits for its changes */
};

void chase_init(struct chase *c, int64_t now_mono_ms);
void chase_release(struct chase *c);
/* It is never asked for, since no row of the list has its flag. */
void chase_leave_out(struct chase *c, unsigned ask);

/* Nothing to go by: no counters and no counts. Then only sweeps find changes. */
bool chase_is_blind(const struct chase *c);
/* Changes may come anywhere in the list: most are found by reading it round and round. */
bool chase_is_cycled(const struct chase *c);

struct chase_entry {
	const char *counters; /* JSON, or NULL */
	bool live;
	int64_t asked_ms; /* mono, */
	int64_t date_ms;  /* … and wall, at the earliest */
};
void chase_listed(struct chase *c, const struct chase_entry *e, const struct planes *held,
		  int64_t now_mono_ms);

/* Works out what is best asked for now: c->offer, c->failure, c->later_ms. ranks: scratch memory.
 */
void chase_offer(struct chase *c, const struct planes *held, const struct chase_pace *pace,
		 struct ranks *ranks, int64_t now_mono_ms);
double offer_worth(const struct offer *o, int64_t now_mono_ms); /* 0: there is none */
void chase_plan(struct chase *c, const struct offer *o, const struct planes *held,
		int64_t now_mono_ms);

/* The rows between which a page lies, as far as that is known. */
void chase_neighbours(const struct chase *c, const struct offer *o, struct edges *ret);

struct chase_page {
	const uint32_t *numbers; /* of the rows, in the page's order; NO_ROW: not held */
	const struct row *v;	 /* the same as they were read; NULL: the page is as it was */
	size_t n;
	size_t rows; /* unreadable and doubled ones included */
	size_t changes;
	int64_t count; /* -1 */
	int64_t asked_mono_ms;
	int64_t date_ms; /* wall, when it was asked for, at the earliest */
};
void chase_read(struct chase *c, const struct offer *o, const struct chase_page *page,
		const struct planes *held, const struct chase_pace *pace, int64_t now_mono_ms);
/* The page cannot be had: its job ends. */
void chase_give_up(struct chase *c, const struct offer *o, const struct planes *held,
		   int64_t now_mono_ms);
/* A complete sweep ended. */
void chase_swept(struct chase *c, bool steady, const struct planes *held, int64_t now_mono_ms);

#endif
