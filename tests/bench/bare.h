/*
 * bare — what libcurl takes for the calls alone: 16 handles in one thread that POST the same body
 * again and again, as its multi interface is used by the book. Nothing is read, kept or ordered.
 */
#ifndef RELAY_BENCH_BARE_H
#define RELAY_BENCH_BARE_H

#include <sys/types.h>

/* Sends to the URL until it is ended. */
pid_t bare_start(const char *url);

#endif
