/*
 * job — work on events that were routed long ago: parked ones tried again or dropped, past ones
 * sent once more. A value that is written as JSON: into the journal (a fold record, so that a job
 * goes on where it was after a restart, and may be left for the next start by a command), and as
 * the answer of the admin API.
 *
 *   {"kind":"replay","destination":"crm","since":"2026-11-20T00:00:00.000Z","until":null,
 *    "type":"recipient.failed","status":null,"ids":[],"reroute":false,
 *    "id":3,"state":"running","looked":1200,"taken":800,"why":null,
 *    "after_destination":2,"after":7100,"last":90000}
 */
#ifndef RELAY_JOB_H
#define RELAY_JOB_H

#include "relay/base/buf.h"
#include "relay/base/err.h"
#include "relay/config/option.h"

#define JOB_FOLD     "job" /* the fold's name; the key is the id in sixteen digits */
#define JOBS_MAX     100   /* open at a time */
#define JOB_IDS_MAX  1000  /* events named one by one */
#define JOB_TEXT_MAX (64 << 10)

enum job_kind {
	JOB_RETRY,  /* parked events: due at once, as at a first attempt */
	JOB_DROP,   /* parked events: forgotten */
	JOB_REPLAY, /* any event that was routed to the destination and is not owed to it any more
		     */
};
enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED };

struct job {
	enum job_kind kind;
	char *destination;	    /* owned; a name; NULL: any, but not for a replay */
	int64_t since_ms, until_ms; /* recorded at or after, before; 0: no bound */
	char *type;		    /* owned; exact, or a prefix when it ends in "."; NULL: any */
	char *status;		    /* owned; how a parked one's reason begins, "404"; NULL: any */
	struct strings ids;	    /* event ids or sequences; empty: all */
	bool reroute; /* a replay by the rules in force: also what was not routed to it then */

	int64_t id; /* from 1; 0: it has none yet */
	enum job_state state;
	int64_t looked, taken; /* events looked at; of these taken up or dropped */
	char *why;	       /* owned; of a failed one */
	/* Where it goes on: behind this destination's number and sequence, up to `last`. */
	int64_t after_destination, after, last;
};

/* A job as it was written; `kind` must be said, and what else is not said is empty. The error names
 * the member. */
int job_read(struct job *ret, const char *text, size_t len, struct err *err);
/* What somebody asks for: up to `reroute`, as the relay gives the rest; `kind` may be said again.
 * An empty text asks for all. */
int job_read_request(struct job *ret, enum job_kind kind, const char *text, size_t len,
		     struct err *err);
void job_write(struct buf *out, const struct job *j);
bool job_is_open(const struct job *j);
void job_release(struct job *j);			   /* {0} is allowed */
extern const char *const job_kinds[], *const job_states[]; /* as written; ending in NULL */

#endif
