/*
 * server — a sim on a port. The only file that knows libmicrohttpd. A thread a connection, one lock
 * around the sim: a slow reply holds up nobody else.
 */
#ifndef INVENT_SIM_SERVER_H
#define INVENT_SIM_SERVER_H

#include "examples/invent-sim/control.h"

struct sim_server;

/* host: an IP address; port 0: any free one. Borrows the sim until sim_server_close. */
struct sim_server *sim_server_open(struct sim *sim, const char *host, unsigned port,
				   struct err *err);
unsigned sim_server_port(const struct sim_server *s);
void sim_server_close(struct sim_server *s); /* waits for the requests under way; NULL is allowed */

#endif
