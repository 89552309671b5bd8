/*
 * intake — from what the source read to what the journal keeps: page → changed rows → events →
 * routes → one commit → memory.
 *
 * Memory says "known" only after the commit is reported, so a crash anywhere repeats work and
 * loses nothing. Of one broadcast one page is in intake at a time (source.h), so two diffs of a row
 * never overlap.
 */
#ifndef RELAY_INTAKE_H
#define RELAY_INTAKE_H

#include "relay/journal/journal.h"
#include "relay/router.h"
#include "relay/source/causes.h"
#include "relay/source/source.h"

struct intake;

struct intake_env {
	struct journal *journal;
	struct mailbox *loop;
	struct router *router;
	struct names *states, *statuses;     /* borrowed; the source grows them */
	unsigned states_kept, statuses_kept; /* of them the journal holds so many already */
	uint32_t broadcasts;		     /* numbers given to broadcasts so far */
	int64_t since_ms;		     /* DATE_NONE: from the journal; see since_known */
	bool since_known; /* false: `now` is still to be taken from the first listing */
	/* A batch is about to be committed: what else must go with it. */
	void (*compose)(void *arg, struct batch *b);
	/* So many rows of it failed, for these reasons, and say so in this batch. */
	void (*failures)(void *arg, const struct followed *b, const struct causes *c,
			 struct batch *batch);
	/* The commit was reported: something may be due for delivery. */
	void (*committed)(void *arg, const struct batch *b);
	/* A commit failed. Called for each failure. */
	void (*failed)(void *arg, const struct err *err);
	void *arg;
};

struct intake *intake_new(const struct intake_env *env);
void intake_free(struct intake *in); /* after the journal is closed; NULL is allowed */

/* The source whose pages come, and its options; again after a reload, when what it follows and the
 * options no longer name is let rest. Borrowed. */
void intake_use(struct intake *in, struct source *s, const struct source_options *o);

/* Ends following what its options, or the organizations it polls, do not name any more. */
void intake_let_rest_unnamed(struct intake *in);

void intake_page(struct intake *in, struct source_page *p, int64_t now_wall_ms);
void intake_listing(struct intake *in, const struct source_listing *l, struct instant now);
/* What the journal holds of a broadcast's rows, for comparing the pages that o asks for with;
 * yours. NULL with err also when a number is missing among them. */
struct held *intake_load_rows(struct journal *j, const struct source_options *o,
			      const struct broadcast_record *b, struct err *err);

/* For events about that broadcast that somebody else makes. */
struct diff_place intake_place(const struct intake *in, const struct broadcast_record *b,
			       int64_t recorded_ms);

/* At the start: a broadcast that the journal holds but that is gone, or that the options do not
 * name. Copied. */
void intake_remember(struct intake *in, const struct broadcast_record *record);
/* The API does not know it (404): believed once a complete list did not name it either. */
void intake_broadcast_gone(struct intake *in, struct followed *b, int64_t now_wall_ms);
/* Of a broadcast that is not followed, by its number; NULL: there is none. Borrowed. */
const struct broadcast_record *intake_resting(const struct intake *in, uint32_t number);
/* Before the journal is closed: what is under way ends with its next answer. */
void intake_halt(struct intake *in);
bool intake_busy(const struct intake *in);

#endif
