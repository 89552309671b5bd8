/* Buckets a factor of 1.41 apart. Invariant: all is the sum of n. */
#include "relay/source/latency.h"

#define FIRST_MS  250
#define REMEMBERS 2000 /* entries; more are halved */

static int64_t edge_ms(int bucket)
{
	int64_t edge = (int64_t)FIRST_MS << bucket / 2;

	return bucket % 2 ? edge + edge * 2 / 5 : edge;
}

void latency_note(struct latency *d, int64_t ms)
{
	int bucket = 0;

	while (bucket < DELAY_BUCKETS - 1 && edge_ms(bucket) < ms)
		bucket++;
	d->n[bucket]++;
	if (++d->all < REMEMBERS)
		return;
	d->all = 0;
	for (int i = 0; i < DELAY_BUCKETS; i++)
		d->all += d->n[i] /= 2;
}

int64_t latency_percentile(const struct latency *d, double share)
{
	uint32_t before = 0;

	if (!d->all)
		return -1;
	for (int i = 0; i < DELAY_BUCKETS; i++) {
		before += d->n[i];
		if (before >= share * d->all)
			return edge_ms(i);
	}
	return edge_ms(DELAY_BUCKETS - 1);
}
