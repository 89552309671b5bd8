/*
 * nng_hearers — the subscribers of a bus's tcp://, tls+tcp:// and ipc:// addresses: an SP PUB
 * socket of our own, as nng and nanomsg speak it, with a thread that polls.
 *
 * It is our own since nng 1.5, which Debian 12 has, accepts nobody any more on an ipc:// address,
 * and spins, once a peer has gone before it was greeted; behind a tls+tcp:// address it keeps for
 * ever who says nothing; and of those who send to a PUB socket that is busy it keeps the closed
 * connections. This one is faster, too.
 *
 * What is published goes to each connection whose greeting has come, by nng's rule: a queue of at
 * most send_buffer messages, of which the oldest that is not begun is dropped when one more comes
 * (nng_spool.h). A connection takes part in figures and pace, and counts with nng's for PIPES_MAX
 * (nng_pipes.h). Whoever sends anything behind its greeting is closed, and
 * whoever has not greeted within HEARER_MS, a TLS handshake included; at most HEARERS_NEW may be
 * about to, one more takes the place of the oldest. No connection is waited for, what one does not
 * take costs the others nothing, and handshakes take no more than HEARERS_SHAKE_US of a turn and
 * one step beyond.
 */
#ifndef RELAY_NNG_HEARERS_H
#define RELAY_NNG_HEARERS_H

#include "relay/base/err.h"
#include "transports/nng_channel.h"
#include "transports/nng_pipes.h"

#define HEARER_MS	 5000
#define HEARERS_NEW	 128
#define HEARERS_SHAKE_US 5000

struct hearers;

/* pipes: borrowed until the close. */
struct hearers *hearers_new(struct pipes *pipes, uint64_t send_buffer);
/* Before the start, once for each address. A socket file that nobody listens on is replaced. The
 * files, the same each time, are for TLS, and read once. */
int hearers_listen(struct hearers *o, const char *url, const struct pem_files *files,
		   struct err *err);
int hearers_start(struct hearers *o, struct err *err); /* the thread; without an address, none */

/* One thread's, which does not wait for anybody's connection. */
void hearers_publish(struct hearers *o, const void *message, size_t len);

/* What waits has linger_ms to leave; removes the files. NULL is allowed, and one not started. */
void hearers_close(struct hearers *o, int linger_ms);

#endif
