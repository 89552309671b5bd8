/*
 * job_run — begins a job and tells what comes of it, for `relay parked` and `relay replay`.
 */
#ifndef RELAY_JOB_RUN_H
#define RELAY_JOB_RUN_H

#include "relay/cmd/selection.h"

#define FLAG_NO_WAIT                                                                               \
	{                                                                                          \
		0, "no-wait", NULL, "do not wait until the running relay is through"               \
	}

/* Of a command with --all, --dry-run, --no-wait and the flags of a selection. The exit status. */
int job_run(const struct command *self, const struct args *a, enum job_kind kind, size_t first);

#endif
