/*
 * change — what a command wants done: told to the running relay, or, where none runs, written into
 * the journal under the lock that all writers share.
 */
#ifndef RELAY_CHANGE_H
#define RELAY_CHANGE_H

#include "relay/job.h"
#include "relay/settings.h"

/* Begins a job. `text` is its request. *ret: the job as it was taken, released by the caller;
 * *ret_running: a relay does it; else it begins at the next start. */
int change_job(const struct settings *s, const char *text, struct job *ret, bool *ret_running,
	       struct err *err);
/* How far the running relay is with it. One that it does not tell of any more has ended. */
int change_job_state(const struct settings *s, struct job *ret, struct err *err);

enum change_act { CHANGE_ENABLE, CHANGE_DISABLE, CHANGE_DROP };
extern const char *const change_acts[];
/* Of a destination. why: of disabling; NULL: none. */
int change_destination(const struct settings *s, const char *name, enum change_act act,
		       const char *why, bool *ret_running, struct err *err);

#endif
