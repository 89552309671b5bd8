/*
 * diff — two states of a row (or of a broadcast) → the events between them. Pure: no clock, no
 * I/O, no failure.
 *
 * Each flag that went false/null → true is one event; several between two looks come out in the
 * order of their _at, ties and nulls by their place in a message's life; then processed, reverted
 * and updated, which have no _at; added is the first. `previous` in each is what the events before
 * it left. A changed _at of a flag that stays true is none. At first sight of a row a flag is an
 * event when its _at (null: the broadcast's created_at) is at or after `since`, added and processed
 * when the row's created_at is. A row that was gone and came back is compared with what was known.
 * Ids: see base/event.h and docs/events.md.
 */
#ifndef RELAY_DIFF_H
#define RELAY_DIFF_H

#include "relay/base/event.h"
#include "relay/source/snapshot.h"

struct diff_place { /* where and when; borrowed */
	const char *base_url, *org;
	const char *broadcast, *broadcast_name; /* name may be NULL */
	int64_t broadcast_created_ms;		/* DATE_NONE: unknown */
	const struct names *states, *statuses;
	int64_t since_ms; /* DATE_NONE: all */
	int64_t recorded_ms;
	bool updates;  /* make recipient.updated */
	bool channels; /* contact.channels is collected */
	bool partial;  /* rows are shown by their state: what fell is not told as reverted */
};

/*
 * before: what the journal holds of the row, NULL at first sight. text: the page's, into which the
 * row's span points.
 * Appends to out; fills *ret, the record to keep (number and gone are the caller's), released by
 * the caller.
 */
void diff_recipient(const struct diff_place *at, const struct recipient_record *before,
		    const struct row *after, const char *text, struct events *out,
		    struct recipient_record *ret);

/* The row is gone from the broadcast. */
void diff_removed(const struct diff_place *at, const struct recipient_record *before,
		  struct events *out);

/* A broadcast as the list shows it. */
struct listing_row {
	const char *id, *name, *status; /* name may be NULL, status "": not given */
	int64_t created_ms, updated_ms;
	const char *counters; /* JSON object of the …_count fields; owned by the listing */
	const char *templates; /* JSON object template id → error text, only those with an error; or
				  NULL */
	int64_t clicks;	       /* -1: not given */
	struct json_span text;
};
/* before NULL: first sight; then added and clicked only when it was created at or after since, its
 * status (but DRAFT) and failed templates only when it was updated at or after since. Fills *ret
 * but for number, recipients and the baseline, which it takes from before when there is one. */
void diff_broadcast(const struct diff_place *at, const struct broadcast_record *before,
		    const struct listing_row *after, const char *text, struct events *out,
		    struct broadcast_record *ret);
/* The type of the event that a broadcast has this status now: SENDING: broadcast.sending. What
 * cannot stand in a type becomes "_". */
void diff_status_type(char ret[EVENT_TYPE_SIZE], const char *status);
void diff_broadcast_removed(const struct diff_place *at, const struct broadcast_record *before,
			    struct events *out);

#endif
