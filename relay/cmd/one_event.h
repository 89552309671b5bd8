/*
 * one_event — an event that a command is given: a file, standard input, or one of the journal by
 * its sequence or id.
 */
#ifndef RELAY_ONE_EVENT_H
#define RELAY_ONE_EVENT_H

#include "relay/journal/journal.h"

/* what: "event.json", "-", "1234", "evt_…". Fills *ret with the body, compact and valid JSON, and
 * what is known from the journal; release it. */
int one_event_read(struct event *ret, const char *what, const struct journal_options *journal,
		   struct err *err);

/* The one of an open journal: by a sequence, or else by an id. Release it. */
int one_event_find(struct event *ret, const char *what, struct store *s, struct err *err);

#endif
