/*
 * nng_page — events as they come from the bus, and the reply to a refill, which holds many.
 */
#ifndef RELAY_NNG_PAGE_H
#define RELAY_NNG_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/err.h"
#include "relay/base/json.h"

struct bus_event {
	const char *topic, *body; /* the JSON text, len bytes without a NUL */
	size_t len;
	const char *id, *type;		/* NULL: it has none */
	int64_t sequence, prevsequence; /* 0: it has none */
	const struct json *root;	/* parsed; of a message only */
};

/* An event's members; its texts and root are the caller's. */
struct bus_event bus_event_of(const struct json *root);

struct bus_page {
	struct bus_event *events; /* ascending */
	size_t n;
	int64_t next, oldest, latest;
	bool more;
};

/* Reads a reply's text into *ret, whose events are xmalloc'ed and borrow from text and doc. One
 * which says that the journal ends before what was asked for has `latest` and nothing else. */
int bus_page_read(struct bus_page *ret, struct json_doc *doc, const char *text, size_t len,
		  struct err *err);

#endif
