/*
 * fault — what can go wrong on the way to a client, as one table. A fault is asked for by a spec:
 *
 *   KIND[=VALUE][,p=0.05][,count=3][,after=10][,burst=4][,on=recipients|broadcasts|orgs]
 *       [,broadcast=ID]
 *
 *   429=2,p=0.1,on=recipients     every tenth page is refused with Retry-After: 2
 *   slow=1500,count=3             the next three replies take 1.5 s
 *
 * p: chance for each request (1 unless given) · count: how often at most · after: how many
 * requests it lets pass first · burst: once it strikes, so many requests more. Several faults may
 * strike one reply; each stage applies its own in the order they were given.
 *
 * A new kind is a row in fault_kinds: its stage says when `apply` runs and what of the work it may
 * touch, `spoils` what the reply no longer proves to the ledger.
 */
#ifndef INVENT_SIM_FAULT_H
#define INVENT_SIM_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/buf.h"
#include "relay/base/err.h"

struct model;
struct broadcast;
struct listing;
struct sim_reply;

enum sim_endpoint { ON_BROADCASTS, ON_RECIPIENTS, ON_ORGS, ENDPOINTS };

enum fault_stage {
	STAGE_INSTEAD, /* answers in place of the API; the first one that strikes */
	STAGE_PAGE,    /* which page it is, before its rows are chosen */
	STAGE_ROWS,    /* which rows the page has, before they are written */
	STAGE_ROW,     /* the text of one row, chosen by chance */
	STAGE_REPLY,   /* the finished reply: headers, body */
	STAGE_SEND,    /* how it goes out */
};

enum fault_spoils { SPOILS_NOTHING, SPOILS_ROW, SPOILS_REPLY };

struct fault {
	const struct fault_kind *kind;
	char value[96]; /* "": the kind's own default */
	double chance;
	int64_t left; /* -1: no end */
	int64_t after;
	int64_t burst, burst_left;
	int on; /* an endpoint, or -1: all */
	char broadcast[96];
	char *spec;
	uint64_t hits;
};

#define FAULTS_MAX 32
struct faults {
	struct fault v[FAULTS_MAX];
	size_t n;
};

struct fault_work {
	struct model *m;
	struct broadcast *b; /* NULL but for recipients */
	const struct fault *fault;
	struct sim_reply *reply;
	struct listing *listing; /* STAGE_PAGE, STAGE_ROWS */
	struct buf *text;	 /* STAGE_ROW: the row's JSON */
	uint32_t row;		 /* STAGE_ROW */
};

struct fault_kind {
	const char *name, *help;
	enum fault_stage stage;
	enum fault_spoils spoils;
	void (*apply)(struct fault_work *w);
};
extern const struct fault_kind fault_kinds[]; /* ends with a NULL name */

int fault_parse(struct fault *ret, const char *spec, struct err *err);
void faults_release(struct faults *f);

/* Which faults strike this request: bit n stands for faults->v[n]. Counts them. */
uint32_t faults_strike(struct model *m, enum sim_endpoint on, const struct broadcast *b);

#endif
