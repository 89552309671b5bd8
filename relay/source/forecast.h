/*
 * forecast — what the planner's rules come to for what is followed: how long sweeps take, how soon
 * a failure is seen, how late a removed row. Pure arithmetic over planner.h's and chase.h's rules;
 * times in ms, rounded up.
 */
#ifndef RELAY_FORECAST_H
#define RELAY_FORECAST_H

#include "relay/source/source.h"

/* A followed broadcast. */
struct forecast_size {
	uint64_t pages;
	bool live;
	bool dear; /* a failure costs several requests, so that it waits for others */
};

struct forecast {
	double per_minute; /* requests, lastingly; 0: no limit, and then all that depends on it is 0
			    */
	uint64_t pages;	   /* of all that is followed */
	double share;	   /* of the requests for which something competes: full sweeps' */
	int64_t every_ms;  /* from one full sweep of a broadcast to the next … */
	bool stretched;	   /* … which is more than full_sweep_every */
	int64_t list_ms;   /* from one reading of the list to the next, */
	int64_t list_moving_ms; /* … while counters move */
	int64_t failure_ms; /* until a failure is asked for at the latest, by the counters … */
	int64_t failure_blind_ms; /* … and where they are absent or lag */
};

/* orgs: whose lists are read. */
void forecast_make(struct forecast *ret, const struct source_options *o,
		   const struct forecast_size *v, size_t n, size_t orgs);
/* page_rows: of a full page; 0: what is asked for. */
uint64_t forecast_pages(uint64_t rows, uint64_t page_rows);
/* So many pages, with nothing else asked, and at the share of full sweeps. */
int64_t forecast_sweep_ms(const struct forecast *f, uint64_t pages);
int64_t forecast_shared_ms(const struct forecast *f, uint64_t pages);
/* A row of a broadcast with so many pages left the list: until that is told, at the latest. */
int64_t forecast_removed_ms(const struct forecast *f, uint64_t pages);

#endif
