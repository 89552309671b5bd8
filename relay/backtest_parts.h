/*
 * backtest_parts — what the files of a backtest share. Nobody else includes it.
 *
 *   backtest.c         goes through the journal and compares
 *   backtest_score.c   counts by rule and destination, old and new ones by their names
 *   backtest_alerts.c  fills the windows of the new rules
 */
#ifndef RELAY_BACKTEST_PARTS_H
#define RELAY_BACKTEST_PARTS_H

#include "relay/backtest.h"

/* ---- score ---- */

/* A rule is known by its name: the new ones by their place in the list, then those that only the
 * journal knows. Destinations likewise. */
struct score_names {
	const struct store_head *head; /* borrowed */
	char **rules, **destinations;  /* owned */
	size_t nrules, ndestinations;
	size_t *rule_of, *destination_of; /* per record of the head */
};

void score_names_init(struct score_names *t, const struct store_head *head,
		      const struct backtest_options *o);
void score_names_release(struct score_names *t);
/* By the journal's numbers; SIZE_MAX: it has no such. */
size_t score_rule(const struct score_names *t, uint32_t number);
size_t score_destination(const struct score_names *t, uint32_t number);

struct score_cell {
	uint64_t key; /* 0: an empty place */
	uint64_t was, would, more, less;
	uint64_t alerts_were, alerts_would; /* not compared one by one */
};

struct score { /* open addressing, at most half full */
	struct score_cell *v;
	size_t n, cap; /* a power of two */
};

void score_init(struct score *t);
void score_release(struct score *t); /* {0} is allowed */
struct score_cell *score_at(struct score *t, size_t rule, size_t destination);
void score_add(struct score *to, const struct score *t);
/* Gives what was counted away, and the names with it. */
void score_finish(struct score *t, struct score_names *names, struct backtest *ret);

/* ---- alerts ---- */

struct refill; /* windows that are filled with the past */

/* NULL: no rule counts anything. All is borrowed; started_ms: when the past begins. */
struct refill *refill_new(const struct backtest_options *o, const char *uuid, int64_t started_ms);
void refill_free(struct refill *r); /* NULL is allowed */
void refill_feed(struct refill *r, const struct event *ev);
/* Nothing comes any more: decides what is left. Where the alerts would go is added to *t. */
void refill_end(struct refill *r, struct score *t);
/* How often the rule at that place in the list fired. */
uint64_t refill_fired(const struct refill *r, size_t rule);

#endif
