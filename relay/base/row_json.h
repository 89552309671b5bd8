/*
 * row_json — a recipient's row as the journal holds it, and what is known of its broadcast, as
 * JSON: what a `state` request on the bus is answered with and `relay rows` prints. Members that
 * events have in their `data` have the same names here. docs/bus.md describes both objects.
 */
#ifndef RELAY_ROW_JSON_H
#define RELAY_ROW_JSON_H

#include "relay/base/buf.h"
#include "relay/base/record.h"

/* What the numbers in a row stand for. */
struct row_names {
	const struct names *states, *statuses;
};

/* An object; the record's states are named in the order of their numbers. */
void row_json(struct buf *out, const struct recipient_record *r, const struct row_names *names);
void row_json_broadcast(struct buf *out, const struct broadcast_record *b);

/* The name of a number; NULL: it has none. */
const char *row_name(const struct names *names, unsigned number);

#endif
