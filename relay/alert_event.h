/*
 * alert_event — what windows say of a rule, as an event: its type, its id and whom it is about.
 */
#ifndef RELAY_ALERT_EVENT_H
#define RELAY_ALERT_EVENT_H

#include "relay/base/event.h"
#include "rules/window.h"

/* Fills *ret, which is not numbered yet. rule: its name; uuid: of the relay that says it. */
void alert_event(struct event *ret, const struct alert *alert, const char *rule, const char *uuid,
		 int64_t recorded_ms);

/* A committed event as windows take it; borrows from it. */
struct window_event alert_window_event(const struct event *ev);

#endif
