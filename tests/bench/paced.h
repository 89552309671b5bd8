/*
 * paced — from the API's answer to who gets the events: a whole relay in a process of its own,
 * which is given pages at a pace instead of asking for them over the network, 1,000 new events a
 * second.
 */
#ifndef RELAY_BENCH_PACED_H
#define RELAY_BENCH_PACED_H

#include <stdatomic.h>
#include <stdint.h>

#define PACED_EVENTS 2000 /* of a run */

struct paced {
	unsigned per_page;	  /* rows, all new: 10 every 10 ms, or 100 every 100 ms */
	const char *destinations; /* that section's lines of the configuration */
	const char *to;		  /* the names of those that get all of it: "sink, hostile" */
	/* Shared: when an event arrived, by its sequence, at each of `n` who are watched. */
	_Atomic int64_t *const *at_us;
	unsigned n;
	/* Called in the relay's process when it is open: returns when all are there; NULL: they
	 * are. */
	void (*connect)(void *arg);
	void *arg;
};

struct paced_delays {		       /* ms, of all events, each at the last who got it */
	double p50, p99;	       /* page read → it is there */
	double beyond_p99;	       /* the same without the commit that carried the event */
	double behind_p50, behind_p99; /* end of that commit → it is there */
	double commit_p50, commit_p99; /* that commit */
	double per_s;		       /* events; less than 1,000: the relay did not keep up */
};

struct paced_delays paced_measure(const struct paced *p);

#endif
