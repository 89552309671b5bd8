/*
 * drive_store — the SQLite store with somebody looking on: is told of each event that is committed,
 * and may leave events out of the file, since those of a day and a million recipients are some
 * 10 GB that a simulation never reads again.
 */
#ifndef RELAY_TEST_DRIVE_STORE_H
#define RELAY_TEST_DRIVE_STORE_H

#include "relay/journal/journal.h"

typedef void drive_event(void *arg, const struct event *ev);

/* Changes the options of a SQLite journal before it is opened. told (NULL: nobody) is called on the
 * journal's thread. What is forgotten has its sequence, and no restart finds it. */
void drive_store_watch(struct journal_options *o, drive_event *told, void *arg, bool forget);

#endif
