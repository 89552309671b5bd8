/* random — the kernel's random bytes, and splitmix64 (Steele, Lea, Flood 2014) for what a test
 * repeats. Bytes are never handed out unless the kernel gave all of them. */
#include "relay/base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *ret, size_t len)
{
	unsigned char *at = ret;

	while (len > 0) {
		ssize_t got = getrandom(at, len, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			fputs("relay: getrandom gives no bytes\n", stderr);
			abort();
		}
		at += got;
		len -= (size_t)got;
	}
}

uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof value);
	return value;
}

uint64_t prng_next(struct prng *p)
{
	uint64_t z = p->state += 0x9E3779B97F4A7C15;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
	return z ^ (z >> 31);
}

double prng_unit(struct prng *p)
{
	return (double)(prng_next(p) >> 11) * 0x1p-53; /* the 53 bits that a double holds */
}
