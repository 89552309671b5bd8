/*
 * store_fixture — what tests of stores and of the journal are made of: events, routes and
 * recipients with contents that follow from small numbers, and a folder of their own.
 */
#ifndef RELAY_STORE_FIXTURE_H
#define RELAY_STORE_FIXTURE_H

#include "relay/journal/batch.h"

/* A new folder under ${TMPDIR:-/tmp}, yours; and its removal with the files in it. */
char *fixture_folder(void);
void fixture_remove(char *folder);

/* Options of a SQLite journal in a new folder that keeps settled events for a day; and the removal
 * of it all. */
#define FIXTURE_KEEP_MS (24 * 3600 * 1000LL)
void *fixture_sqlite(void);
void fixture_forget_sqlite(void *options);

/* Adds an event whose id follows from (type, recipient, n) and whose body is `padding` bytes longer
 * than it need be. Topic: TYPE.twilio.bc_1 */
struct event *fixture_event(struct batch *b, const char *type, const char *recipient, int n,
			    size_t padding);
/* A route of the batch's last event by rule 1. */
struct route *fixture_route(struct batch *b, uint32_t destination, bool topical);
/* n events recipient.sent of recipients r0, r1 …, each with a topical route to destination 1. */
void fixture_events(struct batch *b, int n);

/* A recipient whose every column follows from the number; odd ones lack what may be absent. */
struct recipient_write *fixture_recipient(struct batch *b, uint32_t broadcast, uint32_t number);
/* Ends the test where two differ. */
void fixture_same_recipient(const struct recipient_record *a, const struct recipient_record *b);

/* dest-NUMBER */
struct destination_record *fixture_destination(struct batch *b, uint32_t number,
					       enum destination_state state);
struct settle *fixture_settle(struct batch *b, uint32_t destination, int64_t position);
struct exception *fixture_exception(struct settle *s, int64_t sequence, enum exception_state state);

#endif
