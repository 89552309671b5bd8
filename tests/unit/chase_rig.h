/*
 * chase_rig — the planner and chase before a small model of the API, on a clock of its own: rows
 * with flags in a list of some order, counters and counts of some truth. No JSON of rows, no
 * journal, no network. What is asked costs the budget and takes a while; the answers go the way
 * source_pages.c takes them. That a broadcast is asked for one thing at a time is asserted here.
 */
#ifndef CHASE_RIG_H
#define CHASE_RIG_H

#include "relay/base/random.h"
#include "relay/source/budget.h"
#include "relay/source/planner_parts.h"

enum rig_order { BY_CREATED, BY_UPDATED, BY_ID, SHUFFLED, MOVING, RIG_ORDERS };
enum rig_counters { EXACT, LAGGING, ABSENT, WRONG, RIG_COUNTERS };

struct mood {
	enum rig_order order; /* created and updated: newest first */
	enum rig_counters counters;
	bool uncounted; /* no pagination-count */
};

struct rig_row {
	char id[20];
	struct hash128 key;
	uint64_t states, place, touched; /* touched: the how manieth change it had */
	int64_t created_ms, updated_ms;
	bool gone;
};

#define RIG_LAG_S 15

struct model {
	struct followed followed; /* first */
	struct mood mood;
	struct rig_row *rows;
	size_t n, cap;
	uint32_t *list; /* of those there are, in the API's order */
	size_t listed, list_cap;
	bool sorted;
	int64_t history[RIG_LAG_S][ASKS]; /* counts of the last seconds */
	int64_t wrong;			  /* added to counters that are WRONG */
	double per_s;			  /* changes */
	unsigned added, fallen, removed;  /* of a hundred of them: new rows … */
	char counters[2][320];		  /* the last two lists' */
	bool busy;
	bool over;     /* it is not live, though rows may change */
	bool disobeys; /* filters: it gives all rows, whatever it is asked for */
	uint32_t asked[PURPOSES];
};

#define RIG_MODELS 2
#define RIG_ASKS   8

struct rig {
	struct planner *planner;
	struct model models[RIG_MODELS];
	size_t n;
	struct budget budget;
	struct prng random;
	int64_t now;
	uint64_t touches;
	struct rig_ask {
		struct plan plan;
		int64_t at;
	} asks[RIG_ASKS];
	size_t nasks;
	uint32_t asked[PURPOSES];
};

#define RIG_PER_S 7.0
#define RIG_EVERY 5000
#define RIG_MOST  60000
#define RIG_NEVER (1000 * INT64_C(86400000))

void chase_rig_open(struct rig *r, int64_t full_sweep_ms, uint64_t seed);
void chase_rig_close(struct rig *r);
/* A broadcast of so many rows, to be swept for the first time. */
struct model *chase_rig_follow(struct rig *r, struct mood mood, size_t rows);
void chase_rig_run(struct rig *r, int64_t ms);
/* Until the first sweep of all is complete; fails the test after an hour. */
void chase_rig_settle(struct rig *r);
void chase_rig_change(struct rig *r, struct model *m);
void chase_rig_raise(struct rig *r, struct model *m, size_t row, unsigned flag);
void chase_rig_lower(struct rig *r, struct model *m, size_t row, unsigned flag);
void chase_rig_remove(struct rig *r, struct model *m, size_t row);
uint32_t chase_rig_requests(const struct rig *r); /* all purposes */
/* Rows that are not held as the model has them. */
size_t chase_rig_differing(const struct model *m);

#endif
