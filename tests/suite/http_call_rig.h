/*
 * http_call_rig — one callback at a time of the http transport, to a receiver of its own.
 */
#ifndef RELAY_TEST_HTTP_CALL_RIG_H
#define RELAY_TEST_HTTP_CALL_RIG_H

#include "tests/suite/http_receiver.h"
#include "transports/transport.h"

struct http_call_rig {
	struct http_receiver *far;
	char *url; /* owned */
	struct mailbox *loop;
	struct wire *wire;
	struct transport_env env;
	void *self;
	struct event event;
	struct template *body; /* a rule's, for the next call, which frees it */
	unsigned answers;
	struct outcome outcome;
	char why[1100];
};

/* The problems that a configuration has, or a warning, as one text, yours to free; *ret_settings is
 * filled in any case. */
char *http_call_settings(const char *config, void *ret_settings, struct yaml **ret_yaml);

/* The same of one that nothing else is wanted of. */
char *http_call_said(const char *config);

/* An open transport of a configuration that is good; closed and freed by the caller. */
void *http_call_self(const char *config, const struct transport_env *env);

/* An open destination without a receiver; `more` are further settings: ", bearer: x". */
void http_call_open(struct http_call_rig *c, const char *url, const char *more);
/* With a receiver that gives that reply, and an event. */
void http_call_start(struct http_call_rig *c, const char *reply, const char *more);
void http_call_start_at(struct http_call_rig *c, const char *reply, const char *path,
			const char *more);
void http_call_reopen(struct http_call_rig *c, const char *more); /* as after a reload */
void http_call_event(struct http_call_rig *c, const char *data);  /* from now on */
void http_call_make(struct http_call_rig *c); /* sends the event and waits for its verdict */
void http_call_end(struct http_call_rig *c);
/* Of the first request; NULL: it has none of that name. Valid until the next call. */
const char *http_call_header(struct http_call_rig *c, const char *name);

#endif
