/* random_runs — see the header. */
#include "tests/unit/random_runs.h"

#include <stdio.h>
#include <stdlib.h>

struct random_runs random_runs(size_t preset, uint64_t seed)
{
	const char *runs = getenv("RANDOM_RUNS"), *given = getenv("RANDOM_SEED");
	struct random_runs r = {
		.seed = given ? strtoull(given, NULL, 10) : seed,
		.n = runs ? strtoul(runs, NULL, 10) : preset,
	};

	printf("# RANDOM_SEED=%llu RANDOM_RUNS=%zu\n", (unsigned long long)r.seed, r.n);
	fflush(stdout);
	return r;
}
