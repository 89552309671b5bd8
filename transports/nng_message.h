/*
 * nng_message — an event as a message of nng's, as docs/bus.md describes it.
 */
#ifndef RELAY_NNG_MESSAGE_H
#define RELAY_NNG_MESSAGE_H

#include <nng/nng.h>

#include "relay/base/event.h"

/* Why an event can never be one; NULL: it can. */
const char *message_unfit(const struct event *ev);
/* NULL: no memory. */
nng_msg *message_new(const struct event *ev, int64_t prevsequence);

#endif
