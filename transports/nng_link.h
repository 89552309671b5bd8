/*
 * nng_link — a connection that is dialled, and dialled again when it ends: TCP, TLS or a Unix
 * socket, the greeting of Scalability Protocols, then whole messages. Nothing here waits, but for
 * the name of a host being looked up: the caller polls. SIGPIPE must not end the process.
 *
 * Not nng's dialers: when the relay was killed and started again, sockets of nng 1.5 were seen to
 * stand still for good, a REQ in nng_sendmsg, whatever time it was given, and a SUB with unread
 * bytes on its connection.
 */
#ifndef RELAY_NNG_LINK_H
#define RELAY_NNG_LINK_H

#include "relay/base/err.h"
#include "transports/nng_channel.h"
#include "transports/nng_sp.h"

struct link;

struct link_settings { /* borrowed for the call */
	const char *url;
	enum sp_protocol own, peer;
	size_t max; /* bytes of a message; one that is longer ends the connection */
	/* for tls+tcp:// : ca NULL: the system's; server_name NULL: the address's host */
	struct pem_files files;
	const char *server_name;
};

/* Of a tcp://, tls+tcp:// or ipc:// address that need not answer yet. */
struct link *link_open(const struct link_settings *s, struct err *err);
void link_close(struct link *l); /* NULL is allowed */
const char *link_url(const struct link *l);

/* Goes on with dialling; true: messages can be sent and received. */
bool link_up(struct link *l, int64_t now_ms);
/* What to poll for before the next call: *ret_events of the file descriptor returned, -1: none;
 * *ret_ms: no longer than that. When it is up, to receive. */
int link_poll(const struct link *l, int64_t now_ms, short *ret_events, int *ret_ms);
/* Ends the connection; it is dialled again soon, and at once when `at_once`. */
void link_drop(struct link *l, int64_t now_ms, bool at_once);
/* Why it is not up, as far as is known: "" when nothing went wrong yet. */
const char *link_trouble(const struct link *l);

/* 1: a message, borrowed until the next call; 0: none is whole yet; -1: the connection ended. */
int link_receive(struct link *l, const char **ret, size_t *ret_len);
/* The same for bytes to be sent: how many were taken, 0: none now, -1: the connection ended. */
ssize_t link_send(struct link *l, const void *bytes, size_t len);
bool link_is_ipc(const struct link *l); /* what stands before a message depends on it */

#endif
