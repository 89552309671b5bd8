/*
 * delays — milliseconds from a change to its event, by the million, and their percentiles.
 */
#ifndef RELAY_BENCH_DELAYS_H
#define RELAY_BENCH_DELAYS_H

#include <stddef.h>
#include <stdint.h>

struct delays {
	int32_t *v; /* ms */
	size_t n, cap;
};
void delays_add(struct delays *d, int64_t ms);
/* Seconds; sorts. NAN: there are none. */
double delays_percentile(struct delays *d, unsigned percent);
void delays_release(struct delays *d);

#endif
