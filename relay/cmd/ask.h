/*
 * ask — a question to the admin API of the relay that runs with this configuration.
 */
#ifndef RELAY_ASK_H
#define RELAY_ASK_H

#include "relay/base/buf.h"
#include "relay/settings.h"

/* GET of `path`: appends the body of a 200 to ret. Anything else is an error that a person can act
 * on: no relay answers, the token is refused, what the relay says is wrong. */
int ask_relay(const struct settings *s, const char *path, struct buf *ret, struct err *err);

#endif
