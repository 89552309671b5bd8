/*
 * nng_pipes — who is connected to the bus: since when, from where, what was handed to each, what
 * waits for it and what it lost, and from all of it how much may be published (nng_flow.h). At most
 * PIPES_MAX are let in; nng itself knows no bound, and each may hold send_buffer messages.
 *
 * Of our own connections (nng_hearers.h) all counts are exact, at any moment. Of nng's (ws, wss,
 * inproc) there are none: it tells neither what waits nor what left, nor what it dropped. They are
 * in the table, with zeros, and nobody waits for them.
 *
 * A look takes some 15 ns for each of our own. It is made as often as the law asks, and with each
 * heartbeat.
 *
 * nng tells of connections on threads of its own, in calls that must not wait for nng. So what they
 * share with the bus thread is a table under a lock, which nobody holds while calling nng.
 */
#ifndef RELAY_NNG_PIPES_H
#define RELAY_NNG_PIPES_H

#include <nng/nng.h>

#include "transports/nng_flow.h"
#include "transports/transport.h"

#define PIPES_MAX 1024

struct pipes;

struct pipes *pipes_new(uint64_t send_buffer);
void pipes_free(struct pipes *p); /* its socket is closed; NULL is allowed */

/* Before the socket listens. */
int pipes_watch(struct pipes *p, nng_socket socket, struct err *err);

/* A connection that is not nng's, and begins with the next message; false: there are too many.
 * count tells of it, under the table's lock, until it has left. */
typedef void pipes_count(const void *connection, struct queue_counts *ret);
bool pipes_enter(struct pipes *p, const char *address, pipes_count *count, const void *connection);
void pipes_leave(struct pipes *p, const void *connection);
/* Nobody can be let in at that moment (mono) for want of files; refused: one was closed for it. */
void pipes_lack_files(struct pipes *p, bool refused, int64_t now_ms);

/* Bus thread: looks at all; how many messages may go out before the next look, 0: wait. waited: it
 * has waited since the last look. */
uint64_t pipes_room(struct pipes *p, bool waited);
/* Bus thread, once a second, before a heartbeat: the same, and who has nothing left to take loses
 * no more. */
uint64_t pipes_settle(struct pipes *p, bool waited);

struct pipes_totals {
	uint64_t now, ever, left, refused; /* subscribers */
	uint64_t queued, queued_max;	   /* messages, of all and of the one with the most */
	uint64_t dropped;		   /* of those who have left, too */
	uint64_t slow;			   /* times that one began to lose */
	int64_t waited_us;		   /* the bus has waited for them */
	int64_t short_ms;		   /* mono: when files lacked last; 0: never */
};
/* Any thread. The peers, and what is wrong with one, go to ret. */
void pipes_tell(struct pipes *p, struct pipes_totals *ret_totals, struct transport_figures *ret);

#endif
