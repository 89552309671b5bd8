/*
 * sqlite — the embedded back end's settings. Everything else is behind `store_sqlite` (store.h).
 */
#ifndef RELAY_SQLITE_H
#define RELAY_SQLITE_H

#include <stdint.h>

#include "relay/config/option.h"

struct sqlite_options {
	char *path; /* beside it: PATH-wal, PATH-shm, PATH.lock */
	int64_t keep_ms, keep_unsent_ms;
	int64_t max_size, min_free; /* bytes */
};
extern const struct option sqlite_option_table[];

#endif
