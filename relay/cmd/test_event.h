/*
 * test_event — an event that a test gives as it stands, made the way the daemon makes its own.
 */
#ifndef RELAY_TEST_EVENT_H
#define RELAY_TEST_EVENT_H

#include "relay/base/event.h"
#include "relay/config/yaml.h"

#define TEST_UUID "00000000-0000-0000-0000-000000000000" /* of the relay that a test plays */

/* Appends it; what is not given gets a preset. False after a problem. n tells it from others. */
bool test_event_make(const struct node *map, int64_t now_ms, int64_t n, struct events *out,
		     struct problems *p);

#endif
