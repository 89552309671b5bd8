/*
 * rows — what a bench has to know of a model's rows beyond what the API shows: the truth.
 */
#ifndef RELAY_BENCH_ROWS_H
#define RELAY_BENCH_ROWS_H

#include "examples/invent-sim/model.h"
#include "relay/base/random.h"
#include "tests/bench/delays.h"

#define ROWS_ID 32

/* So many changes of that kind there were, in all broadcasts. */
uint64_t rows_count(const struct model *m, enum sim_what what);

/* The ids of n random rows in which the flag may rise: delivered (for a failure: sent), neither
 * failed nor opened. NULL: there are not so many. Yours. */
char (*rows_pick(const struct model *m, const char *broadcast, enum sim_what what, uint32_t n,
		 struct prng *random))[ROWS_ID];

/*
 * What somebody has seen of a model whose rows nobody changes by hand: from each change to when he
 * saw it, by state.
 */
struct seen {
	const struct model *model; /* borrowed */
	int64_t late_ms;
	uint16_t **known;				 /* flags, by broadcast and row */
	struct delays all[SIM_STATES], late[SIM_STATES]; /* late: of changes since late_ms */
	uint64_t missing[SIM_STATES];			 /* filled in by seen_end */
};
void seen_init(struct seen *s, const struct model *m, int64_t late_ms);
/* False: that was seen before, or never was. */
bool seen_take(struct seen *s, const char *broadcast, const char *recipient, enum sim_what what,
	       int64_t now_ms);
/* What is still to be seen counts with its age at model_now: the true delay is longer. */
void seen_end(struct seen *s);
void seen_release(struct seen *s); /* the model may be gone */

/* A poller that reads all pages of all broadcasts, round and round. Lets time pass in the model
 * until end_ms; a request each pause_ms, answered after latency_ms. Returns how many there were. */
uint64_t naive_poll(struct model *m, double pause_ms, int64_t latency_ms, int64_t end_ms,
		    struct seen *seen);

#endif
