/*
 * nng_pipes — who is connected to the bus: since when, from where, what was handed to each, what
 * waits for it and what it lost (nng_queue.h says how that is known), and from all of it how much
 * may be published (nng_flow.h). At most PIPES_MAX are let in; nng itself knows no bound, and each
 * may hold send_buffer messages.
 *
 * Those of ipc:// addresses are no nng's (nng_hearers.h), and of them all is known, not guessed.
 *
 * nng tells of connections on threads of its own, in calls that must not wait for nng. So what they
 * share with the bus thread is a table under a lock, which nobody holds while calling nng.
 *
 * A look costs a snapshot of nng's statistics: some 1.5 us and 2 us a connection. It is made as
 * often as the law asks, each 1024 messages at least while much is published, and with each
 * heartbeat.
 */
#ifndef RELAY_NNG_PIPES_H
#define RELAY_NNG_PIPES_H

#include <nng/nng.h>

#include "transports/nng_queue.h"
#include "transports/transport.h"

#define PIPES_MAX 1024

struct pipes;

struct pipes *pipes_new(uint64_t send_buffer);
void pipes_free(struct pipes *p); /* its socket is closed; NULL is allowed */

/* Before the socket listens. */
int pipes_watch(struct pipes *p, nng_socket socket, struct err *err);

/* A connection that is not nng's, and begins with the next message; returns its number, 0 when
 * there are too many. count tells of it, under the table's lock, until it has left. */
typedef void pipes_count(const void *connection, struct queue_counts *ret);
uint32_t pipes_enter(struct pipes *p, const char *address, pipes_count *count,
		     const void *connection);
void pipes_leave(struct pipes *p, uint32_t id);

/* Bus thread: one more message is about to be sent. */
void pipes_offer(struct pipes *p);
/* Bus thread: looks at all; how many messages may go out before the next look, 0: wait. waited: it
 * has waited since the last look. */
uint64_t pipes_room(struct pipes *p, bool waited);
/* Bus thread: the same once a second, before a heartbeat: all that was sent had time to leave. */
uint64_t pipes_settle(struct pipes *p);

struct pipes_totals {
	uint64_t now, ever, left, refused; /* subscribers */
	uint64_t queued, queued_max;	   /* messages, of all and of the one with the most */
	uint64_t dropped;		   /* at least; of those who have left, too */
	uint64_t suspected;		   /* times that one began to lose */
	int64_t waited_us;		   /* the bus has waited for them */
};
/* Any thread. The peers, and what is wrong with one, go to ret. */
void pipes_tell(struct pipes *p, struct pipes_totals *ret_totals, struct transport_figures *ret);

#endif
