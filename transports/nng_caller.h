/*
 * nng_caller — one who asks for refills: a connection from its handshake to its replies, as the
 * other side of an SP REQ socket. For nng_callers.c, which has many, and polls.
 */
#ifndef RELAY_NNG_CALLER_H
#define RELAY_NNG_CALLER_H

#include "relay/base/buf.h"
#include "transports/nng_channel.h"
#include "transports/nng_opening.h"
#include "transports/nng_sp.h"

enum step { OPENING, HEAD, BODY, ASKED, REPLY };

struct caller {
	struct channel channel;
	bool ipc;
	enum step step;
	int64_t since_ms; /* when the step began; in REPLY, when some of it was taken last */
	uint64_t turn;	  /* its callers': in ASKED, who asked first */
	struct opening opening;
	unsigned char head[SP_HEAD_MAX];
	size_t got;    /* bytes of this step: read, or written */
	char *message; /* owned; a request with its hops, until its reply is written */
	size_t len, hops;
	struct buf reply; /* filled in ASKED, by its callers */
};

/* These return NULL, or why the connection is to be ended. */

/* Takes the channel over, also when it fails. */
const char *caller_begin(struct caller *ret, const struct channel *channel, bool ipc,
			 int64_t now_ms);
/* Goes on as far as it can without waiting: to ASKED, and from there not by itself. */
const char *caller_go_on(struct caller *one, int64_t now_ms);
/* In ASKED: the reply is there. */
const char *caller_reply(struct caller *one, int64_t now_ms);

void caller_end(struct caller *one);

/* What to poll for; 0: nothing. */
short caller_wants(const struct caller *one);
/* What it waits for has come already, where poll does not see it. */
bool caller_holds(const struct caller *one);
/* The step may not take for ever. */
bool caller_is_timed(const struct caller *one);

#endif
