/*
 * event — the value that flows: one state change as a CloudEvents 1.0 message (JSON format).
 *
 * The body is made once, where the change is seen, and never changes again but for the sixteen
 * digits of `sequence`, which the journal fills in when it commits the event. A stored event, a
 * callback and a message on the bus carry the same bytes.
 *
 * The id is a function of the fact, not of its discovery: "evt_" and the XXH3-128 (canonical,
 * hex) of the netstrings of the parts listed in docs/events.md. Who derives the same fact twice,
 * after a crash or on two machines, derives the same id; receivers drop repeats by it.
 */
#ifndef RELAY_EVENT_H
#define RELAY_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/buf.h"
#include "relay/base/clock.h"

#define EVENT_ID_SIZE	37	    /* "evt_", 32 hex digits, NUL */
#define EVENT_TYPE_SIZE 64	    /* "recipient." and a state's 32 characters, with room */
#define EVENT_BODY_MAX	(256 << 10) /* a larger event is cut down by leaving out data.recipient */

/* The types of today, ending in NULL. A flag or status that the API grows makes one more. */
#define EVENT_TYPES 33
extern const char *const event_types[EVENT_TYPES + 1];

struct event {
	int64_t sequence;   /* 1, 2, 3 … in commit order without gaps; 0 before the commit */
	int64_t time_ms;    /* when it happened: min(_at, recordedtime) */
	uint64_t order_key; /* hash64 of partitionkey: events of one key are delivered in order */
	char id[EVENT_ID_SIZE];
	char type[EVENT_TYPE_SIZE]; /* recipient.failed … */
	char *body;		    /* owned; JSON, NUL-terminated, valid UTF-8 */
	size_t len;
	size_t sequence_at; /* where the sixteen digits stand in body */
	char *topic;	    /* owned; the default topic <type>.<integration_id>.<broadcast_id> */
};

struct events {
	struct event *v;
	size_t n, cap;
};

/* The type's place among event_types; EVENT_TYPES when it is not one of them. */
size_t event_type_place(const char *type);

void event_release(struct event *ev); /* NULL and {0} are allowed */
void events_release(struct events *list);

/* One part of an id. */
struct id_part {
	const char *text;
	size_t len;
};
#define ID_PART(s) ((struct id_part){(s), strlen(s)})
void event_id(char ret[EVENT_ID_SIZE], const struct id_part *parts, size_t n);

/* The envelope around `data`. All strings are borrowed for the call. */
struct event_head {
	const char *id, *type;
	const char *source;			   /* https://api…/orgs/ORG/broadcasts/BID */
	const char *subject;			   /* recipient or broadcast id; NULL: none */
	const char *partitionkey;		   /* what order is kept for */
	const char *integration_id, *broadcast_id; /* for the default topic; NULL: "-" */
	int64_t time_ms;			   /* DATE_NONE: recorded_ms */
	int64_t recorded_ms;
};

/* Fills *ret; `data` is the text of a JSON object that json_parse would take. Over EVENT_BODY_MAX
 * data.recipient is left out, then error_message, broadcast_name and external_message_id, then all
 * of it. The body's `time` is head->time_ms even where that lies after recorded_ms. */
void event_make(struct event *ret, const struct event_head *head, const char *data, size_t len);

/* Writes `sequence` into the body's digits and the struct. */
void event_number(struct event *ev, int64_t sequence);

/* Finds sequence_at again in a body read from a store; 0: this is no event's body. */
size_t event_sequence_at(const char *body, size_t len);

/* When the relay saw it, as a body says; DATE_NONE: this is no event's body. */
int64_t event_recorded_ms(const char *body, size_t len);

/* Whom it is about, as a body says: a copy, yours; NULL: it does not say. */
char *event_subject(const char *body, size_t len);

/* The name of the destination that a relay.* event is about, which does not get it; yours. NULL: it
 * is about none. */
char *event_about(const struct event *ev);
bool event_is_about(const char *type); /* is one of this type about a destination? */

/*
 * Topics: every byte outside A-Za-z0-9_- of a part is percent-encoded, "." separates the parts,
 * a missing part is "-". The type's own dots stay.
 */
void event_topic(struct buf *out, const char *type, const char *integration_id,
		 const char *broadcast_id);
/* One part; "": missing. */
void event_topic_part(struct buf *out, const char *part, bool keep_dots);

#endif
