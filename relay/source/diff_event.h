/*
 * diff_event — a change of a recipient's row as an event. For diff.c only.
 */
#ifndef RELAY_DIFF_EVENT_H
#define RELAY_DIFF_EVENT_H

#include "relay/source/diff.h"

enum kind { ADDED, ROSE, PROCESSED, REVERTED, UPDATED };

struct change {
	enum kind kind;
	uint8_t state;	/* of ROSE and REVERTED … */
	unsigned place; /* … and where it belongs in a message's life */
	int64_t at;	/* of ROSE; DATE_NONE: null */
	int64_t lost;	/* of REVERTED: when it had risen, as in struct state_time */
};

/* One look at one row; all borrowed. */
struct look {
	const struct diff_place *at;
	const struct recipient_record *before; /* or NULL */
	const struct row *after;
	struct recipient_record *now;	 /* the record to keep */
	struct change v[STATES_MAX + 3]; /* in the order they are told */
	size_t n;
	uint64_t states; /* before the change that is told next … */
	uint8_t status;	 /* … and the status */
	struct buf row;	 /* its text as it goes into data.recipient */
};

/* Appends the event and moves `states` and `status` on. */
void diff_event(struct look *l, const struct change *c, struct events *out);

/* The members of `data` that all events of recipients begin with, after a "{". */
void diff_event_begin(struct buf *data, const struct diff_place *at, const char *recipient,
		      const char *integration_id);

#endif
