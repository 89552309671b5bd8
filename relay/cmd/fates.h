/*
 * fates — what became of one event at each destination, for people and for programs.
 */
#ifndef RELAY_FATES_H
#define RELAY_FATES_H

#include "relay/cmd/reading.h"

/* what: a sequence or an id. Prints the event, and of each destination its state and every attempt
 * that was kept. */
int fates_show(const struct reading *from, const char *what, bool json, struct err *err);

/* Appends "crm: sent, ops: to be tried again". only: this destination; NULL: all. */
void fates_brief(struct buf *out, const struct event_fates *fates, const char *only);

#endif
