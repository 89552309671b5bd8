/*
 * http_format — how a callback carries an event of its own: as one JSON object (structured), its
 * data as the body and the rest in headers (binary), or with others in one array (batch). These are
 * the content modes of the CloudEvents HTTP protocol binding 1.0.2.
 */
#ifndef RELAY_HTTP_FORMAT_H
#define RELAY_HTTP_FORMAT_H

#include "relay/base/buf.h"
#include "relay/base/err.h"
#include "relay/base/event.h"

enum http_format { HTTP_STRUCTURED, HTTP_BINARY, HTTP_BATCH };
extern const char *const http_formats[];      /* their names, ending in NULL */
extern const char *const http_format_types[]; /* the Content-Type of each */

#define HTTP_ATTRIBUTES_MAX 32 /* of an event; Relay's own have nine */

/* An event in binary mode, borrowed from its text. */
struct http_binary {
	struct buf lines; /* "ce-name: value", each ended by a NUL; yours to release */
	size_t n;	  /* of lines */
	const char *data;
	size_t len;
};
#define HTTP_BINARY_INIT                                                                           \
	{                                                                                          \
		.lines = BUF_INIT(16 << 10)                                                        \
	}

/* Fills *ret anew. Fails for an event with more attributes than a call has room for. */
int http_binary_read(struct http_binary *ret, const char *body, size_t len, struct err *err);

/* A header's value by section 3.1.3.2 of the binding: every byte that is not printable ASCII, the
 * space, the double quote and the percent sign as %XX. */
void http_attribute_escape(struct buf *out, const char *text, size_t len);

#endif
