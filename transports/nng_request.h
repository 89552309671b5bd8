/*
 * nng_request — what a caller of the refill address asks: events of a topic, or the state of a
 * broadcast. Pure; docs/bus.md describes both.
 */
#ifndef RELAY_NNG_REQUEST_H
#define RELAY_NNG_REQUEST_H

#include <stdint.h>

#include "relay/base/err.h"
#include "relay/base/json.h"

struct refill_request { /* texts are borrowed from the JSON */
	/* events: a subscription, and the sequence behind which */
	const char *topic; /* NULL: the state is asked for */
	int64_t after;
	/* the state: of a broadcast (org NULL: of whichever organization), the rows behind that
	 * place */
	const char *state, *org, *after_row;
	int64_t limit;
};

/* The error names the member that is wrong. */
int refill_request_read(struct refill_request *ret, const struct json *root, struct err *err);

#endif
