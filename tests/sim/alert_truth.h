/*
 * alert_truth — what a campaign's events say that its alerts must have been: a slow and obvious
 * computation, which knows nothing of when an event was seen.
 */
#ifndef RELAY_TEST_ALERT_TRUTH_H
#define RELAY_TEST_ALERT_TRUTH_H

#include "tests/sim/scene.h"

#define SECOND_MS 1000

struct fact {
	char type[48], broadcast[16], recipient[48], integration[32];
	int64_t time_ms;
};

struct told {
	char id[64], type[24], rule[24], key[96], reason[24];
	int64_t time_ms, seen_ms, count, n;
};

struct past {
	struct fact *facts;
	struct told *told;
	size_t nfacts, facts_cap, ntold, told_cap;
};

/* All that was delivered so far, each once. */
void past_read(struct past *p, const struct scene *s);
void past_forget(struct past *p);

enum part { NOTHING, BROADCAST, RECIPIENT, INTEGRATION };

struct rule {
	const char *name, *when;
	const char *other[3]; /* of a share: what it is of; else what is waited for */
	double above;	      /* 0: it waits */
	int64_t min, within_ms, after_ms;
	enum part per, fold;
};

struct lines {
	char **v;
	size_t n, cap;
};

void lines_add(struct lines *to, char *line); /* taken */
void lines_clear(struct lines *l);

/* When each alert of the rule must have begun and ended. */
void alerts_expected(struct lines *to, const struct rule *r, const struct past *p);

#endif
