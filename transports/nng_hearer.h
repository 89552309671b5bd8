/*
 * nng_hearer — one subscriber: a connection from its handshake to its end, as an SP PUB socket's.
 * For nng_hearers.c, which has many, and polls.
 */
#ifndef RELAY_NNG_HEARER_H
#define RELAY_NNG_HEARER_H

#include "transports/nng_channel.h"
#include "transports/nng_opening.h"
#include "transports/nng_spool.h"

#define HEARER_BATCH 64 /* messages in one call: more than a socket's buffer holds of most */

struct hearer {
	struct channel channel;
	size_t skips;	     /* bytes of each letter that are for others' transports */
	struct spool *spool; /* borrowed */
	bool is_in;	     /* it has greeted, and is one of nng_pipes.h */
	int64_t since_ms;    /* when it connected */
	struct opening opening;
	struct spool_reader reader;	    /* once it is in */
	struct letter *begun[HEARER_BATCH]; /* taken: some of their bytes are written, or owed */
	size_t nbegun;
	size_t written; /* bytes of the first */
};

/* Takes the channel over. */
struct hearer *hearer_open(const struct channel *channel, bool ipc, struct spool *spool,
			   int64_t now_ms);
void hearer_close(struct hearer *one); /* it has left the spool, if it was there */

/* Its next step may take the time of a TLS handshake. */
bool hearer_shakes(const struct hearer *one);
/* Opens it further, as opening_go_on does. */
int hearer_open_on(struct hearer *one, const char **ret_why);

/* It is in. These return NULL, or why the connection is to be ended. */

/* Reads what can be read, which is to be nothing. */
const char *hearer_hear(struct hearer *one);
/* Writes what waits for it, a bounded part of it; blocked: it cannot take more. */
const char *hearer_write(struct hearer *one);

/* What to poll for. */
short hearer_events(const struct hearer *one);

/* Enters the spool, and leaves it. */
void hearer_begin(struct hearer *one);
void hearer_end(struct hearer *one);
/* Of a struct hearer that is in the spool: for pipes_enter. */
void hearer_count(const void *one, struct queue_counts *ret);

#endif
