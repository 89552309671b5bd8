/*
 * api_pages — the pages of one simulated broadcast, kept as the API would send them, and a peer
 * that only parses them: cJSON with a bump arena, in a process of its own (cJSON's memory hooks are
 * global, and Relay has set its own).
 */
#ifndef RELAY_BENCH_API_PAGES_H
#define RELAY_BENCH_API_PAGES_H

#include "examples/invent-sim/model.h"

struct api_pages {
	struct sim_reply list; /* GET /orgs/c/broadcasts */
	struct sim_reply *v;   /* recipients, page 1 … n and the empty one behind them */
	size_t n;
	size_t bytes; /* of their bodies */
	int to_peer, from_peer, peer_pid;
};

/* Of a campaign that is over. Starts the peer. */
void api_pages_make(struct api_pages *p, uint32_t recipients);
void api_pages_release(struct api_pages *p);

/* Page i (from 0), copied to where a page was last received: like one that just came in, its bytes
 * are near the core. Borrowed until the next call. */
const struct buf *api_pages_receive(const struct api_pages *p, size_t i);

/* Seconds that the peer takes to parse and drop all pages, each just received. */
double api_pages_parse(struct api_pages *p);

#endif
