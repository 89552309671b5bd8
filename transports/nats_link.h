/*
 * nats_link — one connection to one NATS server, from dialling to its end. A link is dialled,
 * comes up or fails, carries messages, breaks; then its owner ends it and dials another.
 *
 * What in libnats may hold its caller for long (resolving names, a TLS handshake, which has no time
 * limit, the end of a connection) runs on a thread of the link's. A link that hangs there is ended
 * like any other: it is left behind, with nothing of its owner's in its hands.
 */
#ifndef RELAY_NATS_LINK_H
#define RELAY_NATS_LINK_H

#include <nats/nats.h>

#include "relay/base/err.h"
#include "relay/base/mailbox.h"
#include "transports/nats_server.h"

/* How to connect; the same for all links of a destination, and there as long as any of them. */
struct nats_setup {
	const char *name; /* of the connection, for who looks at the server */
	char *user, *password, *token, *credentials_file, *ca_file, *cert_file, *key_file;
	int64_t connect_timeout_ms;
};

/* What a message says of its body. */
#define NATS_CONTENT_TYPE "application/cloudevents+json"

struct nats_link;

/* Run by the owner of `inbox`; never after nats_link_end. */
struct nats_link_hooks {
	struct mailbox *inbox;
	void (*up)(void *arg);
	void (*down)(void *arg, const char *why); /* it never came up, or broke */
	/* To the message published under that number; NULL: no stream listens to its subject. */
	void (*answered)(void *arg, uint64_t number, const char *text, size_t len);
	/* By any thread: the last that could use setup, inbox or arg is done. */
	void (*gone)(void *arg);
	void *arg;
};

/* Fails when there are no threads; then `gone` is not called. */
struct nats_link *nats_link_dial(const struct nats_setup *setup, const struct nats_server *server,
				 const struct nats_link_hooks *hooks, struct err *err);
/* No hook but `gone` is called any more, and the link is not to be used. */
void nats_link_end(struct nats_link *l);
const struct nats_server *nats_link_server(const struct nats_link *l);

/* A message for the link, yours: natsMsg_Destroy. It holds copies. */
struct nats_outgoing {
	const char *subject, *id, *stream; /* stream NULL: any */
	const char *body;
	size_t len;
	uint64_t number; /* that the answer brings back */
};
natsMsg *nats_link_compose(const struct nats_link *l, const struct nats_outgoing *m);

/* Only while the link is up. May block for as long as WRITE_MS of the library. */
enum nats_published { NATS_PUBLISHED, NATS_TOO_LARGE, NATS_UNABLE, NATS_BROKEN };
enum nats_published nats_link_publish(struct nats_link *l, natsMsg *msg, struct err *err);

/* What the server had against something lately; "": nothing that it said. */
void nats_link_complaint(struct nats_link *l, char *ret, size_t size);

#endif
