/*
 * What the two halves of intake share: pages (intake.c) and list entries (intake_listing.c).
 */
#ifndef RELAY_INTAKE_STATE_H
#define RELAY_INTAKE_STATE_H

#include "relay/intake.h"

struct intake {
	struct intake_env env;
	struct source *source;
	const struct source_options *options;
	char **arriving; /* "org/id" of broadcasts whose first commit is under way */
	size_t narriving, arriving_cap;
	bool halted;
	size_t busy; /* pages and list entries under way */
};

struct diff_place intake_place(const struct intake *in, const struct broadcast_record *b,
			       int64_t recorded_ms);
/* Routes the batch's events, adds what they need, commits. */
void intake_commit(struct intake *in, struct batch *b, journal_done *done, void *arg);
/* In a done function, after success: names and rules are held, delivery may look. */
void intake_committed(struct intake *in, const struct batch *b);

#endif
