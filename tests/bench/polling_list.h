/*
 * polling_list — one broadcast whose campaign is over, held by a relay after its first sweep, and
 * single changes in it: how many requests and how long until all of them are in the journal.
 */
#ifndef RELAY_BENCH_POLLING_LIST_H
#define RELAY_BENCH_POLLING_LIST_H

#include "tests/bench/polling.h"

struct remote; /* a simulator as a process: polling_remote.h */

struct list {
	struct polling_asked asked; /* first: polling_asked is given the list */
	struct drive *drive;
	char *dir;
	struct remote *remote; /* NULL: the drive's own model answers */
	struct prng random;
	/* of the change at hand */
	enum sim_what what;
	int64_t changed_ms;
	size_t missing;
	struct delays delays;
};

/* Returns once the first sweep is through. over_http: requests go to a simulator on loopback that
 * is stepped along with virtual time. */
struct list *list_open(const struct polling_job *job, bool over_http);
void list_close(struct list *l);

/* The share of rows that are opened. */
double list_opened(const struct list *l);

/* Lets time pass until nothing is asked but the list, or all rows were read once more. */
void list_rest(struct list *l);

struct list_change {
	uint64_t requests, beyond_list; /* from the change until the last event */
	bool found;			/* all of them, in six hours */
};
/* Sets a flag in n random rows that may get it, all at one moment. Adds to the list's delays. */
struct list_change list_change(struct list *l, enum sim_what what, uint32_t n);

#endif
