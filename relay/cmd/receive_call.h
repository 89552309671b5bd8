/*
 * receive_call — the events that a callback carries, whatever its format: one as a structured or
 * binary CloudEvent, a batch of them, or a body of its own.
 */
#ifndef RELAY_RECEIVE_CALL_H
#define RELAY_RECEIVE_CALL_H

#include "relay/admin/server.h"
#include "relay/base/json.h"

#define CALL_BODY_MAX (8 << 20) /* of a call; what is made of it has room for twice as much */

enum call_format { CALL_STRUCTURED, CALL_BINARY, CALL_BATCH, CALL_OTHER };
extern const char *const call_formats[];

struct called_event {
	char *json; /* owned; the event, or a string with the body that is no JSON */
	/* Owned; NULL: not said. */
	char *id, *type, *recipient, *why;
};

struct call { /* valid as {0} */
	enum call_format format;
	struct called_event *v; /* owned */
	size_t n, cap;
};

/* What the headers announce must be there: the error says what is not. doc: for reading. Released
 * in any case. */
int call_read(struct call *ret, const struct server_request *q, struct json_doc *doc,
	      struct err *err);
void call_release(struct call *c);

#endif
