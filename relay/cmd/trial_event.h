/*
 * trial_event — an event that is made up but has all that a real one of its type has, for who tries
 * a receiver. Its data says `"test": true`.
 */
#ifndef RELAY_TRIAL_EVENT_H
#define RELAY_TRIAL_EVENT_H

#include "relay/base/err.h"
#include "relay/base/event.h"

/* With a random id and the sequence 1; release it. */
int trial_event(struct event *ret, const char *type, int64_t now_ms, struct err *err);

#endif
