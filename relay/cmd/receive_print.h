/*
 * receive_print — what `relay receive` shows of a call: a line of text an event for people, or of
 * JSON for programs.
 */
#ifndef RELAY_RECEIVE_PRINT_H
#define RELAY_RECEIVE_PRINT_H

#include "relay/cmd/receive_call.h"

enum call_signature {
	SIGNATURE_VALID,
	SIGNATURE_INVALID,
	SIGNATURE_NONE,	     /* the call has none, and none was asked for */
	SIGNATURE_UNCHECKED, /* there is one, but no secret to check it by */
};

struct answered {
	const struct call *call;
	enum call_signature signature;
	int64_t attempt_ms; /* webhook-timestamp; DATE_NONE: none */
	bool repeat;
	bool dropped;	 /* the connection was closed instead */
	int status;	 /* what was answered */
	const char *why; /* of a refusal; NULL: it was none */
};

enum print_form {
	PRINT_TEXT,	/* a line for people */
	PRINT_EVENTS,	/* the event itself, of accepted calls only */
	PRINT_ENVELOPE, /* {…, "event": {…}} of all calls */
};

void answered_print(const struct answered *a, enum print_form form);

#endif
