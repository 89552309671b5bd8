/*
 * random — getrandom(2) for ids and secrets; a small seeded generator (splitmix64) where a test
 * must be able to repeat what happened, as for jitter. Never rand().
 */
#ifndef RELAY_RANDOM_H
#define RELAY_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *ret, size_t len); /* aborts when the kernel has none to give */
uint64_t random_u64(void);

struct prng {
	uint64_t state; /* the seed; every value is a good one */
};

uint64_t prng_next(struct prng *p);
double prng_unit(struct prng *p); /* 0 <= x < 1 */

#endif
