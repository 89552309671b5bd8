/*
 * latency — how long it took from a change in the API to the event about it: a histogram whose old
 * entries fade, for status. Pure.
 */
#ifndef RELAY_LATENCY_H
#define RELAY_LATENCY_H

#include <stdint.h>

#define DELAY_BUCKETS 40 /* two for each doubling, from 250 ms */

struct latency {
	uint32_t n[DELAY_BUCKETS], all;
};

void latency_note(struct latency *d, int64_t ms); /* below 0: a clock that is ahead; counts as 0 */
/* The upper edge of the bucket that holds the share's last entry; -1: nothing was noted. */
int64_t latency_percentile(const struct latency *d, double share);

#endif
