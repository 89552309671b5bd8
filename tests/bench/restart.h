/*
 * restart — a relay that starts again with a large broadcast in its journal, beside a bare SELECT
 * of the same columns over the same file.
 */
#ifndef RELAY_BENCH_RESTART_H
#define RELAY_BENCH_RESTART_H

#include <stdint.h>

struct restart;

/* A journal of so many rows, in a folder of its own; and its removal. */
struct restart *restart_make(uint32_t recipients);
void restart_release(struct restart *r);

/* Each returns seconds; arg: the restart. */
double restart_rows(void *arg);	  /* rows are read, held, and have places */
double restart_whole(void *arg);  /* all that is done before the loop runs */
double restart_select(void *arg); /* the peer: each column is fetched, and nothing is kept */

#endif
