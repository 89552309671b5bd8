/*
 * drive_store — the SQLite store with somebody looking on: is told of each event that is committed,
 * and may leave events out of the file, since those of a day and a million recipients are some
 * 10 GB that a simulation never reads again.
 */
#ifndef RELAY_TEST_DRIVE_STORE_H
#define RELAY_TEST_DRIVE_STORE_H

#include "relay/journal/journal.h"

typedef void drive_event(void *arg, const struct event *ev);

struct drive_watch {
	drive_event *told; /* on the journal's thread; NULL: nobody */
	void *arg;
	const _Atomic int64_t *wall_ms; /* what time it is for retention */
	/* Each batch as it was committed, on the journal's thread; NULL: nobody. */
	void (*committed)(void *arg, const struct batch *b);
	/* How commits fail (an err_code), while it is not 0; NULL: they do not. Housekeeping goes
	 * on with ERR_LIMIT only. */
	const _Atomic int *failing;
	bool forget; /* what is forgotten has its sequence, and no restart finds it */
};
/* Changes the options of a SQLite journal before it is opened. */
void drive_store_watch(struct journal_options *o, const struct drive_watch *watch);

#endif
