/*
 * report — what the source knows of itself, for status and metrics: each followed broadcast, and
 * totals of the requests. Nothing here changes anything. Loop thread only.
 */
#ifndef RELAY_REPORT_H
#define RELAY_REPORT_H

#include "relay/source/chase.h"
#include "relay/source/client.h"
#include "relay/source/source.h"

extern const char *const request_names[REQUEST_KINDS]; /* "broadcasts", "recipients", "orgs" */
extern const char *const answer_names[ANSWER_KINDS];   /* "page", "later", "broken" … */

/* What a followed broadcast remembers of its sweeps; part of the source's own state. */
struct watch_log {
	int64_t swept_ms; /* wall, when the last one ended; 0: none did */
};

struct due {
	const char *state; /* borrowed */
	int64_t rows; /* that are counted and not seen; below 0: seen and not counted any more */
	int64_t known_until_ms; /* wall: nothing older is unseen; DATE_NONE */
};

struct broadcast_report {
	const char *org, *id, *name, *status; /* borrowed; name may be NULL */
	uint32_t rows_held;
	unsigned page_rows; /* of a full page, as the API gives them */
	bool baseline_done;
	char plan[64];	 /* what was asked last: "is_opened, page 12"; "": nothing yet */
	const char *why; /* and the reason; "" */
	bool live;
	char next[64]; /* what would be asked next, as far as that is known now; "": nothing */
	const char *next_why;	/* and the reason; "" */
	uint64_t next_requests; /* that it takes at least, to its end */
	char order[48];		/* how its rows are sorted, as far as that is known */
	const char *counters;	/* what the list's counters are worth: exact, lagging, absent */
	int64_t next_ms;	/* until the next visit may begin; 0: now, or one is under way */
	int64_t swept_ms;	/* wall: end of the last complete sweep; DATE_NONE */
	int64_t known_until_ms; /* the watermark, wall: nothing older is unseen; DATE_NONE */
	uint64_t requests[PURPOSES];
	int64_t delay_p50_ms, delay_p99_ms; /* from change to event; -1: not known */
	struct due due[ASKS]; /* of each state that can be asked for, and "recipient" */
	size_t ndue;
};
/* The i-th of what is followed; false: there are fewer. Valid until the source is used again. */
bool source_report(const struct source *s, size_t i, struct broadcast_report *ret);

/*
 * The watermark that decisions wait for, wall: no older change of that state ("failed";
 * "recipient": a new row) is unseen; DATE_NONE: nothing is known yet. state NULL, or one that
 * cannot be asked for: when the last complete sweep began. broadcast NULL: the oldest of all that
 * are followed, but for those that finished more than a day ago, and of the lists in which others
 * may appear. Of one that is not followed nothing more is seen, so nothing is known of it. Visits
 * each followed broadcast.
 */
int64_t source_known_until(const struct source *s, const char *broadcast, const char *state);
/* The same of one that is followed, as far as the list's counters are to be believed; until now of
 * one that is finished: only receipts may still come. */
int64_t source_knows(const struct source *s, const struct followed *b, const char *state);

/* Has it ended (or not begun), is all known that happened until then, by its counters or because
 * its rows were read once more, and is nothing due? Receipts may still come. */
bool source_finished(const struct followed *b);

struct source_totals {
	uint64_t answers[REQUEST_KINDS][ANSWER_KINDS];
	double rate_limit; /* requests a minute as configured; 0: none */
	double left;	   /* requests that may be made at once */
	uint32_t last_minute;
	int64_t closed_ms; /* the API asked for silence; so long from now; 0: no */
};
void source_totals(const struct source *s, struct source_totals *ret);

#endif
