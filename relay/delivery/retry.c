/* retry — when to try again: pure arithmetic over the schedule. Invariant: the delay lies within
 * 20 % of the schedule's entry, so many that fail together do not come back together. */
#include "relay/delivery/delivery.h"

#define JITTER 0.2

int64_t retry_delay_ms(const struct numbers *schedule, unsigned attempt, double random)
{
	if (attempt == 0 || attempt > schedule->n)
		return -1;
	return (int64_t)((double)schedule->v[attempt - 1] * (1 - JITTER + 2 * JITTER * random));
}
