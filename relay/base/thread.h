/*
 * thread — what threads are started with and wait by.
 *
 * A thread takes no signals: they are the main thread's, and a write to a pipe that nobody reads
 * fails with EPIPE. Its name (at most 15 bytes) is what ps and gdb show. Waits go by the monotonic
 * clock, so that a jump of the wall clock neither ends nor prolongs one.
 */
#ifndef RELAY_THREAD_H
#define RELAY_THREAD_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "relay/base/err.h"

int thread_start(pthread_t *ret, const char *name, void *(*run)(void *), void *arg,
		 struct err *err);

/* A condition whose timed waits end at a thread_deadline. */
void thread_cond_init(pthread_cond_t *ret);
struct timespec thread_deadline(int64_t ms); /* so long from now; not below 0 */

#endif
