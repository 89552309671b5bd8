/*
 * probe_rig — a probe of the simulator's model, or of a recording, in process: each request takes
 * 150 ms of virtual time.
 */
#ifndef RELAY_TEST_PROBE_RIG_H
#define RELAY_TEST_PROBE_RIG_H

#include "examples/invent-sim/model.h"
#include "examples/invent-sim/replay.h"
#include "relay/source/probe.h"
#include "relay/source/recording.h"

struct probe_rig {
	struct model *model;
	struct replay *replay;	     /* answers in its place; NULL: does not */
	struct recording *recording; /* of what is asked; NULL: none */
	int64_t now_ms, waited_ms;
	unsigned requests;
	struct sim_reply reply;
	struct buf headers;
	struct http_reply answer;
};

/* Begins at that virtual time; fails the test when the API cannot be used. */
void probe_rig_run(struct probe_rig *rig, int64_t now_ms, struct probe_report *ret);
/* The same, telling of a failure. */
int probe_rig_try(struct probe_rig *rig, int64_t now_ms, struct probe_report *ret, struct err *err);
void probe_rig_release(struct probe_rig *rig); /* and the model */

#endif
