/*
 * listen — "127.0.0.1:8077" as an address. Numbers only: a name would have to be looked up, and
 * could mean another address tomorrow.
 */
#ifndef RELAY_LISTEN_H
#define RELAY_LISTEN_H

#include <sys/socket.h>

#include "relay/base/err.h"

/* "A.B.C.D:PORT" or "[v6]:PORT". */
int listen_parse(const char *text, struct sockaddr_storage *ret, struct err *err);

#endif
