/*
 * batch — what one commit carries: new row states, the events derived from them, the routes of
 * those events, and the settled deliveries of the past few milliseconds. All of it or nothing.
 *
 * Numbers (of broadcasts, recipients, states, statuses, destinations, rules) are given by the loop
 * thread, which knows all that are taken; the journal keeps them. Sequences are given by the
 * commit: 1, 2, 3 … in commit order without gaps.
 */
#ifndef RELAY_BATCH_H
#define RELAY_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/event.h"
#include "relay/base/record.h"

struct recipient_write {
	uint32_t broadcast;
	struct recipient_record r;
};

/* event → destination, decided once and kept */
struct route {
	size_t event;	      /* its place in the batch's events */
	uint32_t destination; /* its number */
	uint32_t rule;	      /* its number */
	bool topical; /* true: keep event's topic and chain prevsequence through it (pub/sub) */
	char *topic;  /* owned; NULL with topical: the event's default topic */
};

/* The route of an event that was committed earlier, without a topic. One that is there stays as it
 * is. */
struct late_route {
	int64_t sequence;
	uint32_t destination, rule; /* numbers */
};

enum exception_state { EXCEPTION_RETRY, EXCEPTION_WAITING, EXCEPTION_PARKED };

/* A route that did not go the happy path. Key: (destination, sequence). */
struct exception {
	uint32_t destination;
	int64_t sequence;
	uint64_t order_key;
	enum exception_state state;
	unsigned attempts;
	int64_t due_ms; /* wall; retry only */
	bool held;	/* the receiver named that time: nothing else makes it due sooner */
	char *why;	/* owned; what the last attempt said, at most 1 KiB; NULL: nothing yet */
};

struct attempt {
	uint32_t destination;
	int64_t sequence, at_ms;
	int64_t took_ms;
	int verdict; /* enum verdict of transports/transport.h */
	char *why;   /* owned; "503: try later"; NULL for a success */
};

#define SETTLE_WINDOW 1024

/* Everything up to `position` is settled; bit i of done: position + 1 + i is, too. */
struct cursor {
	int64_t position;
	uint64_t done[SETTLE_WINDOW / 64];
};

struct settle {
	uint32_t destination;
	struct cursor cursor;
	struct exception *changed; /* inserted or replaced */
	size_t nchanged;
	int64_t *gone; /* exceptions deleted: their sequences */
	size_t ngone;
	struct attempt *attempts;
	size_t nattempts;
};

/* DROPPED: nobody wants what it was owed, and there is no way back. Housekeeping takes its rows
 * away by and by; what is committed for it later is left out. It is not among the destinations that
 * the journal tells of, so its name is free; its number is not. */
enum destination_state {
	DESTINATION_ENABLED,
	DESTINATION_DISABLED,
	DESTINATION_DETACHED,
	DESTINATION_DROPPED,
};

struct destination_record {
	uint32_t number; /* from 1; never reused */
	char *name;	 /* owned */
	enum destination_state state;
	char *why;	      /* owned; of a disabled one */
	int64_t down_ms;      /* wall: since when it is down; 0: it is not */
	struct cursor cursor; /* at start; written by settles only, but for a new destination */
};

struct rule_record {
	uint32_t number;
	char *name;	  /* owned */
	uint64_t version; /* hash64 of the rule's text */
};

/* What was to be decided of a recipient's contact is: its unreached_ms becomes `now`, unless it is
 * not `was` any more. */
struct decided_write {
	uint32_t broadcast, number;
	int64_t was, now;
};

/* A name and the number it was given: kind 's' state, 't' status */
struct name_write {
	char kind;
	uint8_t number;
	char name[NAME_SIZE];
};

/* What a fold over the log keeps (alerts that are open, reports that were told): texts by the
 * fold's name and a key. */
struct fold_record {
	char *fold, *key; /* owned; not NULL */
	char *state;	  /* owned; in a batch NULL: the record goes */
};

struct batch {
	struct fold_record *folds;
	struct recipient_write *recipients;
	struct decided_write *decided; /* written behind the recipients */
	struct broadcast_record *broadcasts;
	struct events events;
	struct route *routes; /* ascending by event */
	struct late_route *late;
	struct settle *settles;
	struct destination_record *destinations;
	struct rule_record *rules;
	struct name_write *names;
	bool about_relay; /* its events are about the relay itself: few, and taken when it is full
			   */
	/* With an event that says so: since when the API gives nothing usable, 0: it does again. */
	bool tells_outage;
	int64_t outage_ms;
	size_t nrecipients, nbroadcasts, nroutes, nsettles, ndestinations, nrules, nnames, nfolds,
		ndecided, nlate;
	size_t recipients_cap, broadcasts_cap, routes_cap, settles_cap, destinations_cap, rules_cap,
		names_cap, folds_cap, decided_cap, late_cap;
};

struct batch *batch_new(void);
void batch_free(struct batch *b); /* NULL is allowed */

/* Each returns the new element, zeroed, valid until the next call for the same list. */
struct recipient_write *batch_recipient(struct batch *b);
struct decided_write *batch_decided(struct batch *b);
struct broadcast_record *batch_broadcast(struct batch *b);
struct event *batch_event(struct batch *b);
struct route *batch_route(struct batch *b);
struct late_route *batch_late(struct batch *b);
struct settle *batch_settle(struct batch *b);
struct destination_record *batch_destination(struct batch *b);
struct rule_record *batch_rule(struct batch *b);
struct name_write *batch_name(struct batch *b);
struct fold_record *batch_fold(struct batch *b);
bool batch_is_empty(const struct batch *b);

void exception_release(struct exception *x);
void fold_record_release(struct fold_record *f);
void destination_record_release(struct destination_record *d);

#endif
