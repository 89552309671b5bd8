/*
 * nng_callers — who asks for refills: the connections of a listening address, served as an SP REP
 * socket would by whoever calls callers_turn, with sockets of its own (nng_channel.h: TLS where the
 * address says so) and poll. One thread, which takes no SIGPIPE.
 *
 * A connection has at most one request being answered and one reply being written. It is read from
 * again when the reply is written; until then, what its caller sends waits in the kernel. Requests
 * are answered in the order in which they came.
 *
 * So that no caller costs the others anything: CALLERS_MAX connections, one more takes the place of
 * the oldest that has not shown itself a REQ socket, or is closed when there is none; CALLER_MS for
 * a TLS handshake and a greeting, for the rest of a request, and for a caller to take some of its
 * reply; FRAME_REQUEST_READ bytes of a request; and CALLERS_UNREAD_MAX bytes of replies not
 * yet taken: above it, the connection whose reply has stood still the longest ends. A connection
 * on which nothing is under way may stay for ever.
 */
#ifndef RELAY_NNG_CALLERS_H
#define RELAY_NNG_CALLERS_H

#include "relay/base/buf.h"
#include "relay/base/err.h"
#include "transports/nng_channel.h"

#define CALLERS_MAX	   256
#define CALLER_MS	   5000
#define CALLERS_UNREAD_MAX (64 << 20)

struct callers;

/* Puts the reply to a request, of at most FRAME_REPLY_MAX bytes, into an empty buf. */
typedef void callers_answer(void *arg, const char *request, size_t len, struct buf *reply);

/* Listens on a tcp://, tls+tcp:// or ipc:// address. The files: for TLS. */
struct callers *callers_open(const char *url, const struct pem_files *files, callers_answer *answer,
			     void *arg, struct err *err);
/* Waits until a caller wants something or wake_fd can be read, and serves what can be served
 * without waiting further; of the requests that have come, it answers one. */
void callers_turn(struct callers *c, int wake_fd);
int64_t callers_short_ms(const struct callers *c); /* mono: when files lacked last; 0: never */
void callers_close(struct callers *c);		   /* ends all connections; NULL is allowed */

#endif
