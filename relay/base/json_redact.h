/*
 * json_redact — an event's text with some members nulled: what a destination is not to get.
 *
 * The text is taken to be JSON that json_parse would accept (Relay's own events); nothing is
 * checked. Of other bytes nothing is promised but that no byte outside of them is read and that
 * the call ends. Names are compared as they read, however they are escaped.
 */
#ifndef RELAY_JSON_REDACT_H
#define RELAY_JSON_REDACT_H

#include "relay/base/buf.h"

/* What comes out is never longer than this: null may stand where one digit stood. */
#define JSON_REDACTED_MAX(len) (2 * (len) + 1)

/* Appends the text; null stands for each member of one of the n names, at any depth below the
 * top-level member `inside`, or anywhere where that is NULL. Every other byte is kept. */
void json_redact(struct buf *out, const char *text, size_t len, const char *inside,
		 const char *const *names, size_t n);

#endif
