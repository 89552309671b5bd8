/*
 * polling_remote — a simulator as a process on loopback whose clock is stepped to the drive's
 * virtual time, so that a run over real HTTP is as repeatable as one without.
 */
#ifndef RELAY_BENCH_POLLING_REMOTE_H
#define RELAY_BENCH_POLLING_REMOTE_H

#include "tests/bench/polling.h"

struct remote;

/* A model of the job's one broadcast with these options. */
struct remote *remote_open(const struct polling_job *job, const struct model_options *o);
void remote_close(struct remote *r); /* NULL is allowed */

/* As drive_serve. */
void remote_serve(struct remote *r, int64_t now_ms, const struct sim_request *rq, http_done *done,
		  void *done_arg);
void remote_change(struct remote *r, int64_t now_ms, const char *broadcast, const char *recipient,
		   enum sim_what what);

#endif
