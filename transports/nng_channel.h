/*
 * nng_channel — bytes to and from a connection that does not block, plain or by TLS with OpenSSL.
 *
 * No call waits, and none does more for its caller than one of its peer's records, so that a peer
 * that sends much without saying anything takes no more than its turn. TLS is 1.2 or 1.3, without
 * renegotiation and without sessions to be resumed. SIGPIPE must be blocked or ignored.
 */
#ifndef RELAY_NNG_CHANNEL_H
#define RELAY_NNG_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "relay/base/err.h"
#include "transports/pem.h"

/* What a server shows and wants to see. Any number of channels may use it, of one thread. */
struct channel_server;

/* Reads the files, of which cert and key are there, and nothing later. `files->ca`: whose
 * certificates let a client in; NULL: it needs none. On failure *ret_which is the file that is at
 * fault, one of those given. */
struct channel_server *channel_server_load(const struct pem_files *files, const char **ret_which,
					   struct err *err);
void channel_server_free(struct channel_server *s); /* NULL is allowed */

/* Whom a client trusts and what it shows: `files->ca` NULL: the system's authorities; `cert` and
 * `key` NULL: nothing. The server's certificate is to be for `name`, a host's or an address. */
struct channel_client;

struct channel_client *channel_client_load(const struct pem_files *files, const char *name,
					   const char **ret_which, struct err *err);
void channel_client_free(struct channel_client *c); /* NULL is allowed */

enum channel_validity { CHANNEL_EARLY, CHANNEL_VALID, CHANNEL_EXPIRED };
enum channel_validity channel_server_validity(const struct channel_server *s, int64_t wall_ms);

struct channel {
	int fd;
	struct ssl_st *ssl; /* OpenSSL's SSL; NULL: plain */
	short wants;	    /* of poll, to go on with the last call; 0: by what comes next */
	size_t owed; /* with TLS: with so many bytes, the same as now, the next write begins */
};

/* Takes fd over. `server` NULL: plain. Fails for want of memory only: then fd is closed. */
int channel_open(struct channel *ret, int fd, const struct channel_server *server, struct err *err);
/* The same for a connection that was dialled. */
int channel_dial(struct channel *ret, int fd, const struct channel_client *client, struct err *err);
void channel_close(struct channel *c);

enum { CHANNEL_GONE = -1, CHANNEL_LATER = 0 };

#define CHANNEL_ENDED "gone"
/* The handshake, to be called before anything else until it returns 1. *ret_why: a constant, why
 * it is CHANNEL_GONE; CHANNEL_ENDED without a word from the other side. */
int channel_shake(struct channel *c, const char **ret_why);
/* Some bytes, and how many; never 0 of them. By TLS, 16 KB at most, as one record; see `owed`. */
ssize_t channel_read(struct channel *c, void *to, size_t len);
ssize_t channel_write(struct channel *c, const struct iovec *parts, size_t n);

/* What to poll for before the next call, which else would wait for `events`. */
short channel_events(const struct channel *c, short events);
/* Bytes have come that poll does not see. */
bool channel_holds(const struct channel *c);

#endif
