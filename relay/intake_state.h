/*
 * What the two halves of intake share: pages (intake.c) and list entries (intake_listing.c).
 */
#ifndef RELAY_INTAKE_STATE_H
#define RELAY_INTAKE_STATE_H

#include "relay/intake.h"

/* A broadcast that is not followed now: it is gone, or it asks for no attention any more. When the
 * list brings it back, it goes on under its number with the rows it had. */
struct resting {
	uint64_t key; /* of its organization and id: there may be thousands */
	struct broadcast_record record;
};

/* When the round of an organization's list that is being read began. */
struct list_round {
	char *org;
	int64_t began_ms; /* mono */
	bool open;
};

struct intake {
	struct intake_env env;
	struct source *source;
	const struct source_options *options;
	char **arriving; /* "org/id" of broadcasts whose first commit is under way */
	size_t narriving, arriving_cap;
	struct resting *resting;
	size_t nresting, resting_cap;
	struct list_round *rounds;
	size_t nrounds, rounds_cap;
	bool halted;
	size_t busy; /* pages and list entries under way */
};

/* intake_listing.c */
void intake_listing_release(struct intake *in);
/* Ends following what the options do not name. */
void intake_let_rest_unnamed(struct intake *in);

struct diff_place intake_place(const struct intake *in, const struct broadcast_record *b,
			       int64_t recorded_ms);
/* Adds what must go with it and commits; its events are routed already. */
void intake_commit(struct intake *in, struct batch *b, journal_done *done, void *arg);
/* In a done function, after success: names and rules are held, delivery may look. */
void intake_committed(struct intake *in, const struct batch *b);

#endif
