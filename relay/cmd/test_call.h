/*
 * test_call — a route as the call that its destination would get.
 */
#ifndef RELAY_TEST_CALL_H
#define RELAY_TEST_CALL_H

#include "relay/base/event.h"
#include "relay/base/template.h"
#include "relay/settings.h"

struct call { /* borrowed */
	const struct event *event;
	const char *rule;
	const struct destination_settings *destination;
	const struct template *body; /* the rule's, or NULL */
};

struct call_maker; /* memory reused from call to call */
struct call_maker *call_maker_new(void);
void call_maker_free(struct call_maker *m); /* NULL is allowed */

/* *ret: the call as a JSON text, yours; NULL: such a destination gets no calls, is disabled, or
 * nobody describes it and the rule makes no body. */
int call_make(struct call_maker *m, const struct call *call, char **ret, struct err *err);

/* Appends the members that say which event it is. */
void call_add_event(struct buf *json, const struct event *ev);

#endif
