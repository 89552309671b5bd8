/*
 * control — a model with a clock, and the endpoints under /sim/ that steer it. No bearer there, no
 * limit, no fault. Like the model it does no I/O: the real time comes in with every call.
 *
 *   GET  /sim/status            what time it is, the broadcasts' counters, requests, faults
 *   POST /sim/start             a held clock runs
 *   POST /sim/step?ms=60000     time goes on by so much, at once, held or not
 *   POST /sim/end               the clock stops for good; nothing changes any more
 *   GET  /sim/faults            the faults that are set
 *   POST /sim/faults            … are replaced: ?set=SPEC&set=SPEC, or a JSON array of specs as the
 *                               body; neither: none (fault.h says what a spec is)
 *   POST /sim/change?broadcast=ID&recipient=ID&state=failed&value=false
 *                               a flag rises or falls by hand; state=removed removes the row
 *   GET  /sim/ledger            every change so far (model.h), streamed: see control_ledger
 */
#ifndef INVENT_SIM_CONTROL_H
#define INVENT_SIM_CONTROL_H

#include "examples/invent-sim/model.h"
#include "examples/invent-sim/replay.h"

struct sim_clock {
	int64_t epoch_ms; /* virtual time when it was made */
	int64_t moved_ms; /* virtual ms up to `since_ms`, and all steps */
	int64_t since_ms; /* the real time from which it runs */
	double speed;	  /* virtual ms in a real one */
	bool held, ended;
};

/* Either a model or a recording, which has no clock and nothing under /sim/. */
struct sim {
	struct model *model;
	struct replay *replay;
	struct sim_clock clock;
};

void sim_clock_start(struct sim_clock *c, int64_t real_ms);
int64_t sim_clock_now(const struct sim_clock *c, int64_t real_ms); /* virtual, since 1970 */

/* Answers any request: /sim/… here, all else by the model; or all by the recording. rq->arrived_ms
 * is the real time (any clock that does not go back). `body` of len bytes belongs to a POST. */
void control_request(struct sim *s, const struct sim_request *rq, const char *body, size_t len,
		     struct sim_reply *ret);
/* Is it a request for the ledger, to be answered by ledger_start and ledger_read? */
bool control_ledger(const struct sim *s, const struct sim_request *rq);

#endif
