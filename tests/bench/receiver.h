/*
 * receiver — the one HTTP server that all senders of bench_http post to: a process of its own, one
 * thread on epoll, which answers 204 and keeps the connection. It does next to nothing, so that a
 * sender is what is measured; what arrives is counted in memory that the bench sees, too.
 *
 *   /        204
 *   /hang    is never answered
 *   /flood   200 and a body without end
 *   /timed   204; the moment is noted beside the event's sequence
 */
#ifndef RELAY_BENCH_RECEIVER_H
#define RELAY_BENCH_RECEIVER_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#define RECEIVER_NOTES 65536 /* sequences from 1 whose moment is noted */

struct receiver_seen {
	_Atomic uint64_t requests; /* that were answered 204 */
	_Atomic uint64_t others;
	_Atomic int64_t at_us[RECEIVER_NOTES]; /* by sequence, of /timed; the first time counts */
};

struct receiver {
	pid_t pid;
	char url[64];		    /* without a path */
	struct receiver_seen *seen; /* shared */
};

void receiver_start(struct receiver *r);
/* The same of a port where nobody listens any more; only its url counts. */
void receiver_refuse(struct receiver *r);
void receiver_end(struct receiver *r);

#endif
