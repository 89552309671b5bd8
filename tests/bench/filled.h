/*
 * filled — a folder under build/bench, so on the disk that the checkout is on, with a relay's
 * configuration and a journal full of events that its one destination is owed.
 */
#ifndef RELAY_BENCH_FILLED_H
#define RELAY_BENCH_FILLED_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/journal/batch.h"

#define FILLED_BODY  600 /* bytes of an event, where nothing else is said */
#define FILLED_LEAST 420
#define FILLED_MOST  1500
#define FILLED_GROUP 100 /* events in a commit */

struct filled {
	uint32_t events;
	size_t body;  /* bytes of each: at least FILLED_LEAST, its envelope's */
	bool topical; /* for a bus */
};

/* A new folder; yours, as is the text. */
char *filled_folder(void);
void filled_remove(char *folder);

/* What `relay run` needs, without a rule: the destinations' section is the caller's. */
void filled_configure(const char *folder, const char *api, const char *destinations);

/* relay.db with such events, all owed to destination 1 of that name. */
void filled_make(const char *folder, const char *destination, const struct filled *what);
/* Nothing of it was sent. */
void filled_rewind(const char *folder);

/* The next 100 of such events, each with a route to a destination. */
struct batch *filled_batch(const struct filled *what, uint32_t destination);

#endif
