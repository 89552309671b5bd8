/*
 * jobs_state — what relay_job_list.c, relay_jobs.c (which jobs there are, and whose turn it is) and
 * relay_job_steps.c (one step of one job) share. Nobody else includes it.
 *
 *   NONE ──► ASKED ──────────────► KEEPING ──► NONE
 *        (the journal reads,    (delivery commits what
 *         or takes late routes)  was taken up)
 *
 * All the while retention is held (journal_hold): what nobody was owed is owed only when the row
 * that says so is committed.
 *
 * Invariant: how far a job came is told, and written, only when what the step did is committed. A
 * step that is repeated takes up the same routes, so that a kill costs a repeat and no loss.
 */
#ifndef RELAY_JOBS_STATE_H
#define RELAY_JOBS_STATE_H

#include "relay/job.h"
#include "relay/relay_state.h"

struct work {
	struct job job;
	/* of its ids: ascending, no sequence twice; the texts are the job's */
	int64_t *sequences;
	const char **ids;
	size_t nsequences, nids;
	int64_t wait_ms;     /* mono: no step before */
	int64_t walked_ms;   /* mono: written last */
	int64_t added_until; /* the last event for which it added a route */
	bool placed;	     /* a walk by rules knows where it begins */
	bool cancelled;	     /* as soon as no step of it is under way */
	bool changed;	     /* must be written */
};

enum job_stage { STAGE_NONE, STAGE_ASKED, STAGE_KEEPING };

/* What the step under way leads to. */
struct job_step {
	int64_t after_destination, after;
	int64_t looked, taken;
	bool end;  /* nothing is left to look at */
	bool full; /* there was no room for all */
};

struct jobs {
	struct work **v; /* ascending by id */
	size_t n, cap;
	struct work *now; /* whose step is under way */
	enum job_stage stage;
	struct job_step step;
	uint64_t stamp;	      /* of delivery, when the journal was asked */
	struct batch *late;   /* of a walk by rules: routes to add */
	struct again *agains; /* … and all that goes there */
	size_t nagains;
	size_t turn; /* where the next look for one that may go on begins */
	bool writing;
	int64_t write_ms; /* mono: not before */
};

/* relay_job_list.c. Takes the job. */
struct work *jobs_add(struct jobs *js, const struct job *j);
void jobs_remove_at(struct jobs *js, size_t at);
struct work *jobs_find(const struct jobs *js, int64_t id); /* NULL: there is none */
size_t jobs_count_open(const struct jobs *js);
/* Is the event one that the job names? */
bool work_wants(const struct work *w, const char *id, int64_t sequence);

/* Begins a step of jobs->now. It ends with exactly one of the others. */
void job_step_begin(struct relay *r);
void job_step_kept(struct relay *r);			      /* jobs->step is done */
void job_step_again(struct relay *r, int64_t pause_ms);	      /* nothing was done; once more */
void job_step_failed(struct relay *r, const struct err *why); /* for good: the job ends */

/* By the rules in force: only where they can send. */
int job_may_reroute(const struct relay *r, const struct known_destination *k, struct err *err);

#endif
