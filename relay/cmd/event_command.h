/*
 * event_command — a command line for one event: the event is its standard input, and what one often
 * wants of it stands in the environment: RELAY_TOPIC, RELAY_TYPE, RELAY_ID, RELAY_SEQUENCE.
 */
#ifndef RELAY_EVENT_COMMAND_H
#define RELAY_EVENT_COMMAND_H

#include "transports/nng_page.h"

/* As shell_feed says; -1 also when it ends with another status than 0. */
int event_command(const char *command, const struct bus_event *ev, struct err *err);

#endif
