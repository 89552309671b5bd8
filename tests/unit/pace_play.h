/*
 * pace_play — a receiver of some kind, called as often as a pace allows, in virtual time.
 */
#ifndef PACE_PLAY_H
#define PACE_PLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/random.h"
#include "relay/delivery/pace.h"

#define PLAY_FLYING_MAX 512

/* A receiver with so many workers, each of which takes so long for a call, in the order of arrival.
 */
struct receiver {
	unsigned workers;
	double ms;
	double varied;	/* the share of that time that is random, exponentially */
	double thrash;	/* with more calls than workers each takes longer: times (calls / workers)
			   to the power of this */
	size_t refuses; /* with so many calls in it the next is answered 503 at once; 0: never */
	double timeout_ms; /* who waits longer gives up, though a worker goes on; 0: never */
	double fails;	   /* a share of calls fails, whatever the load … */
	double fails_ms;   /* … after that time, and without a worker; 0: as the others */
	size_t run;	   /* … so many in a row; 0: each for itself */
	double stands_ms, every_ms; /* so long of every so many it answers nothing; 0: never */
};

struct play_call {
	double start_ms, end_ms;
	bool taken, failed;
};

struct play {
	struct pace pace;
	struct receiver receiver;
	double free_at[64]; /* of the workers */
	struct play_call out[PLAY_FLYING_MAX];
	size_t n, taken, run; /* out; of these, not refused; to fail still in this run */
	double now_ms;
	struct prng random;
	/* measured by play_pass */
	double since_ms;
	size_t answers, failures, lowest, highest; /* the last two of the limit */
};

struct play_want {
	double throughput;	/* at least; of what its workers can do at best */
	size_t lowest, highest; /* the limit is within */
	double failed;		/* share, at most */
};

/* Begins at the presets of a transport without any of its own. */
struct play play_begin(const struct receiver *r);
/* There is always more to send. */
void play_pass(struct play *p, double ms);
void play_check(const struct play *p, const struct play_want *want, const char *what, size_t i);

#endif
