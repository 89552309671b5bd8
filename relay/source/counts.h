/*
 * counts — how many changes of a broadcast are still to be fetched, by flag. Pure.
 *
 *   due = rows the API counts with a flag − rows held with it − what remains for good
 *
 * The API counts twice: in the broadcast list (one request for a hundred broadcasts), and in
 * pagination-count of each page of a filter, which outranks the list. What remains for good, the
 * offset, is learned when all was read and a difference is left.
 *
 * The list's counters are hints. What was held before a list was asked for must be in its counters:
 * where it is not, though they did not fall, they lag, and a due count of theirs comes late; then,
 * and where there are none, the filters' own counts are asked for (peeks).
 */
#ifndef RELAY_COUNTS_H
#define RELAY_COUNTS_H

#include "relay/source/planes.h"

/* The flags that can be asked for: the API's filters, by state number, and the whole list. */
enum {
	ASK_SKIPPED,
	ASK_FAILED,
	ASK_SENT,
	ASK_DELIVERED,
	ASK_COMPLAINED,
	ASK_UNSUBSCRIBED,
	ASK_OPENED,
	ASK_PLAYED,
	ASK_ALL,
	ASKS
};
extern const char *const ask_filters[ASKS]; /* "is_skipped" …; NULL for ASK_ALL */
unsigned ask_flag(unsigned ask);	    /* for planes */
bool ask_is_failure(unsigned ask);
/* The one for "failed", say, or for "recipient": a new row; ASKS: there is none. */
unsigned ask_of_state(const char *state);

struct count {
	int64_t first;	       /* of the first list that named the broadcast */
	int64_t listed, paged; /* -1: never given */
	int64_t paged_ms;      /* mono, when that page was asked for */
	int64_t listed_offset, paged_offset;
	int64_t held_before;  /* rows held when the list was last asked for, */
	int64_t held_paged;   /* … and right after that page */
	int64_t due_since_ms; /* mono; INT64_MAX: nothing is due */
	double per_ms;	      /* how fast the count rises, lately */
	int64_t known_ms;     /* wall, by the API's clock: no older change is unseen; DATE_NONE */
	int64_t told_ms;      /* the same, or later, as far as the list is to be believed */
	bool fell;	      /* the list's counter did: less than is held is no lag */
	bool left_out;	      /* no row shown has the flag, whatever is counted: nothing is due */
	bool settled;	      /* its offset is believed, and no sweep has confirmed it */
};

struct counts {
	struct count v[ASKS];
	int64_t listed_ms; /* mono, when the list was asked for; INT64_MIN: never */
	unsigned behind;   /* lists in a row that lacked what was held */
	unsigned level;	   /* … that lacked nothing, since */
	unsigned prompt;   /* … that had already what was found since the one before, since one
			      lacked anything */
	bool proved;	   /* the last list is one of these */
	int64_t date_ms;   /* wall, of the list before; DATE_NONE */
	int64_t swept_ms;  /* wall: all was read by a sweep that began then; DATE_NONE */
};

void counts_init(struct counts *c);
/* The list is about to be asked for. */
void counts_ask(struct counts *c, const struct planes *held);
/* It came; counters: JSON object of its …_count members, or NULL. */
void counts_listed(struct counts *c, const char *counters, const struct planes *held,
		   int64_t asked_mono_ms, int64_t now_mono_ms);
/*
 * The list that came is of that date: its counters tell that all is known until that of the list
 * before, when they have moved to what was found since, and count no more than was held when it was
 * asked for. They may be old or wrong all the same, which nobody sees at once: what has to be true
 * is known by pages and sweeps alone.
 */
void counts_known(struct counts *c, int64_t date_ms);
/* All was read by a sweep that began then. */
void counts_all_known(struct counts *c, int64_t date_ms);
/* A page of a filter came, and its rows are held; count: pagination-count, -1: not given. */
void counts_paged(struct counts *c, unsigned ask, int64_t count, const struct planes *held,
		  int64_t asked_mono_ms, int64_t now_mono_ms);
/* That page was asked for at that date: when it counts what is held, all is known until then. */
void counts_page_known(struct counts *c, unsigned ask, int64_t count, const struct planes *held,
		       int64_t date_ms);
/* No page can have what is still due: it remains for good. */
void counts_settle(struct counts *c, unsigned ask, const struct planes *held, int64_t now_mono_ms);
/* A complete sweep ended. steady: the list's counters are those of before it began. */
void counts_swept(struct counts *c, bool steady, const struct planes *held, int64_t now_mono_ms);

/* Rows of a filter that are not held (below 0: held and not there any more); 0: nothing is due, or
 * nothing is known. */
int64_t counts_due(const struct counts *c, unsigned ask, const struct planes *held);
int64_t counts_total(const struct counts *c, unsigned ask, const struct planes *held);
/* How long the rows that are due have waited, on average: as many as are due come in that time
 * (Little's law), or since something was due at all, if that is shorter. */
int64_t counts_waited_ms(const struct counts *c, unsigned ask, const struct planes *held,
			 int64_t now_mono_ms);
bool counts_are_listed(const struct counts *c); /* the list has counters */
bool counts_lag(const struct counts *c);	/* … that are not to be relied on */
void counts_distrust(struct counts *c);		/* they lag, until lists agree with the rows */

#endif
