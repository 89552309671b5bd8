/*
 * wire — the thread that makes the deliveries' HTTP calls: one CURLM, shared by all http
 * destinations. The loop hands it calls and gets replies back through its own mailbox, so that no
 * handshake, signature or slow callback runs on the loop.
 */
#ifndef RELAY_WIRE_H
#define RELAY_WIRE_H

#include "relay/base/http.h"
#include "relay/base/mailbox.h"

struct wire;

struct wire *wire_open(struct mailbox *loop, size_t max_connections, struct err *err);
void wire_close(struct wire *w); /* aborts what is open; its done functions are not called. NULL is
				    allowed */

/*
 * From the loop thread. `prepare` runs on the wire's thread just before the call is started: it
 * fills *call with text that lives until done (the place for formatting and signing; the
 * signature's timestamp is taken there). done runs on the loop thread, once, unless the wire is
 * closed or the call's owner called wire_forget.
 */
typedef int wire_prepare(void *arg, struct http_call *call, struct err *err);
void wire_send(struct wire *w, const void *owner, wire_prepare *prepare, http_done *done, void *arg,
	       void (*release)(void *arg));

/* Aborts all calls of an owner and waits until the wire's thread touches nothing of theirs any
 * more; `release` has then been called for each. For a destination that is closed. */
void wire_forget(struct wire *w, const void *owner);

/* New settings hold for all that follow: idle connections are closed. */
void wire_renew(struct wire *w);

#endif
