/*
 * nng_hearer — one subscriber of an ipc:// address: a connection from its greeting to its end, as
 * an SP PUB socket's. For nng_hearers.c, which has many, and polls.
 */
#ifndef RELAY_NNG_HEARER_H
#define RELAY_NNG_HEARER_H

#include "transports/nng_sp.h"
#include "transports/nng_spool.h"

struct hearer {
	int fd;
	struct spool *spool; /* borrowed */
	uint32_t id;	     /* of nng_pipes.h; 0: it has not greeted yet */
	int64_t since_ms;    /* when it connected */
	unsigned char greeting[SP_GREETING];
	size_t got;		    /* bytes of it */
	struct spool_reader reader; /* once it has an id */
	struct letter *begun;	    /* taken, and written in part or not at all */
	size_t written;		    /* bytes of it */
};

struct hearer *hearer_open(int fd, struct spool *spool, int64_t now_ms); /* takes the descriptor */
void hearer_close(struct hearer *one); /* it has left the spool, if it was there */

/* These return NULL, or why the connection is to be ended. */

const char *hearer_greet(struct hearer *one);
/* Reads what can be read: its greeting, and nothing behind it. */
const char *hearer_hear(struct hearer *one);
/* It has an id: writes what waits for it, a bounded part of it; blocked: it cannot take more. */
const char *hearer_write(struct hearer *one);

bool hearer_has_greeted(const struct hearer *one);
/* Enters the spool, and leaves it. */
void hearer_begin(struct hearer *one);
void hearer_end(struct hearer *one);
/* Of a struct hearer that is in the spool: for pipes_enter. */
void hearer_count(const void *one, struct queue_counts *ret);
/* "process 4711", as of nng's own connections. */
void hearer_address(const struct hearer *one, char *ret, size_t size);

#endif
