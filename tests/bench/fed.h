/*
 * fed — a whole relay in a copy of this process, whose loop may also be given events to journal:
 * faster than any API would.
 */
#ifndef RELAY_BENCH_FED_H
#define RELAY_BENCH_FED_H

#include <stdatomic.h>
#include <sys/types.h>

#include "tests/bench/filled.h"

struct fed_settings {
	const char *folder;
	/* As soon as a commit of 100 of these events is answered the next is asked for, each event
	 * owed to the first destination. */
	bool at_full_speed;
	struct filled what;
	/* In shared memory: it is open, but its loop stands still until this is set; NULL: it does
	 * not. */
	const atomic_bool *go;
};

/* Runs FOLDER/relay.yaml. */
pid_t fed_start(const struct fed_settings *settings);

#endif
