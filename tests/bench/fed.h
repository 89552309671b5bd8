/*
 * fed — a whole relay in a copy of this process, whose loop is also given events to journal:
 * faster than any API would.
 */
#ifndef RELAY_BENCH_FED_H
#define RELAY_BENCH_FED_H

#include <sys/types.h>

/* Runs FOLDER/relay.yaml. As soon as a commit of 100 events is answered the next is asked for, each
 * event owed to the first destination. */
pid_t fed_start(const char *folder);

#endif
