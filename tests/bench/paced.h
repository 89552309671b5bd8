/*
 * paced — from the API's answer to the receiver: a whole relay in a process of its own, which is
 * given pages at a pace instead of asking for them over the network, 1,000 new events a second.
 */
#ifndef RELAY_BENCH_PACED_H
#define RELAY_BENCH_PACED_H

#include "tests/bench/receiver.h"

#define PACED_EVENTS 2000 /* of a run */

struct paced {
	unsigned per_page;   /* rows, all new: 10 every 10 ms, or 100 every 100 ms */
	const char *hostile; /* URL of one more destination that gets all of it; NULL: none */
};

struct paced_delays {		       /* ms, of all events */
	double p50, p99;	       /* page read → receiver has it */
	double beyond_p99;	       /* the same without the commit that carried the event */
	double commit_p50, commit_p99; /* that commit */
	double per_s;		       /* events; less than 1,000: the relay did not keep up */
};

struct paced_delays paced_measure(const struct receiver *r, const struct paced *p);

#endif
