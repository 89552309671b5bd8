/*
 * plan_state — what is followed and what would be asked of it next: as the running relay says, or
 * as a relay that started now on the journal would have it. Nothing is asked of the API, nothing is
 * written.
 */
#ifndef RELAY_PLAN_STATE_H
#define RELAY_PLAN_STATE_H

#include "relay/settings.h"

struct planned { /* strings owned; name, next and why may be NULL */
	char *org, *id, *name, *status, *order, *counters, *next, *why;
	bool live;
	uint64_t rows;	    /* held, … */
	uint64_t page_rows; /* … and of a full page; 0: not known */
	int64_t requests;   /* what is next takes at least so many */
	int64_t next_ms;    /* until it may be asked; 0: now */
};

struct plan_state {
	struct planned *v;
	size_t n, cap;
	int64_t left_out;   /* broadcasts that are followed, too, */
	uint64_t left_rows; /* … and what is held of them */
};

/* From the admin API; fails when no relay answers there. */
int plan_state_ask(struct plan_state *ret, const struct settings *s, struct err *err);
int plan_state_read(struct plan_state *ret, const struct settings *s, struct err *err);
void plan_state_release(struct plan_state *p); /* {0} is a valid empty one */

#endif
