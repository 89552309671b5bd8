/*
 * listeners — subscribers of a bench, each a process of its own that does next to nothing with what
 * it gets: nng's SUB socket, its greatest buffer, one subscription for all. What arrives is counted
 * in memory that the bench and the publisher see, too.
 */
#ifndef RELAY_BENCH_LISTENERS_H
#define RELAY_BENCH_LISTENERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LISTENERS_MAX	8
#define LISTENERS_NOTES 65536 /* sequences from 1 whose moment is noted */

struct listener_seen {
	_Atomic uint64_t got;	  /* events */
	_Atomic uint64_t highest; /* sequence among them */
	_Atomic uint64_t missed;  /* by prevsequence: at most so many did not come */
	_Atomic int64_t last_us;  /* when the last came */
	_Atomic bool heard;	  /* a heartbeat: it is connected */
	_Atomic int64_t at_us[LISTENERS_NOTES];
};

struct listeners {
	const char *url; /* borrowed */
	unsigned n;
	pid_t pids[LISTENERS_MAX];
	struct listener_seen *seen; /* of each; shared */
};

/* They dial until somebody listens at the URL. */
void listeners_start(struct listeners *l, const char *url, unsigned n);
void listeners_end(struct listeners *l);

/* Waits until each has heard a heartbeat; gives up after some seconds. */
void listeners_connect(const struct listeners *l);
/* The events that the one with the fewest got. */
uint64_t listeners_least(const struct listeners *l);
/* When the last event came to anybody. */
int64_t listeners_last_us(const struct listeners *l);

#endif
