/*
 * ask — a question, or a request, to the admin API of the relay that runs with this configuration.
 */
#ifndef RELAY_ASK_H
#define RELAY_ASK_H

#include "relay/base/buf.h"
#include "relay/settings.h"

enum { ASK_NOBODY = 1 };

/* GET of `path`, or, with a body ("" for an empty one), POST: appends the body of a 2xx to ret.
 * Anything else is an error that a person can act on. 0; ASK_NOBODY: there is no relay that could
 * be asked; -1: it refuses, or what it says is wrong. */
int ask_relay(const struct settings *s, const char *path, const char *body, struct buf *ret,
	      struct err *err);

#endif
