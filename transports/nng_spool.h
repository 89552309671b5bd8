/*
 * nng_spool — messages that wait to be written to the connections of nng_hearers.h. Each is there
 * once, however many wait for it: a reader is a place among them, and publishing is one append.
 *
 * A reader is at most `cap` messages behind; from who is further behind the oldest are dropped, as
 * nng's PUB socket does it. What a reader has taken and not given back is not dropped. All counts
 * are exact. Any thread may call; every reader is one thread's.
 */
#ifndef RELAY_NNG_SPOOL_H
#define RELAY_NNG_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transports/nng_flow.h"

/* As it is written to a Unix socket (nng_sp.h); to others, without its first byte. Never changed.
 */
struct letter {
	unsigned refs;
	size_t len;
	unsigned char bytes[];
};

struct spool;

struct spool_reader { /* the spool's, but for `blocked` */
	struct spool_reader *next;
	uint64_t from;	  /* number of the first message that is for it */
	uint64_t at;	  /* of the one that it takes next */
	uint64_t taken;	  /* and not yet given back */
	uint64_t left;	  /* given back as gone for good */
	uint64_t dropped; /* up to `at` */
	bool blocked;	  /* its thread's: it can take none now */
};

struct spool *spool_new(size_t cap);
void spool_free(struct spool *s); /* nobody reads any more; NULL is allowed */

/* Copies the message, unless nobody is there to read it. */
void spool_add(struct spool *s, const void *message, size_t len);

/* Every message from here on is for it. Its memory is yours, and stays where it is. */
void spool_enter(struct spool *s, struct spool_reader *r);
void spool_leave(struct spool *s, struct spool_reader *r); /* it has taken nothing */

/* The next `max` messages at most; returns how many. */
size_t spool_take(struct spool *s, struct spool_reader *r, struct letter **ret, size_t max);
/* All that it has taken: so many went, the next `kept` remain taken, the rest waits again. */
void spool_give_back(struct spool *s, struct spool_reader *r, struct letter *const *letters,
		     size_t went, size_t kept);

void spool_count(struct spool *s, const struct spool_reader *r, struct queue_counts *ret);
/* Something waits for a reader that is not blocked. */
bool spool_is_ready(struct spool *s);
/* Nothing waits for any, and none has taken any. */
bool spool_is_empty(struct spool *s);
/* Lets go of what all have read. */
void spool_trim(struct spool *s);

#endif
