/*
 * random_runs — how much a test with random input tries, and where it begins. RANDOM_RUNS and
 * RANDOM_SEED in the environment say otherwise: more runs, or those that failed once more.
 */
#ifndef RANDOM_RUNS_H
#define RANDOM_RUNS_H

#include <stddef.h>
#include <stdint.h>

struct random_runs {
	uint64_t seed;
	size_t n;
};

/* Tells both on a line that tests/run.sh shows. */
struct random_runs random_runs(size_t preset, uint64_t seed);

#endif
