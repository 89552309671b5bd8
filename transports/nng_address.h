/*
 * nng_address — the addresses that settings name, and a listening socket of our own on one. They
 * mean what they mean to nng.
 */
#ifndef RELAY_NNG_ADDRESS_H
#define RELAY_NNG_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "relay/base/err.h"

/* What stands behind a scheme ("tcp://"), NULL for an address of another. */
const char *nng_address_behind(const char *url, const char *scheme);
/* tls+tcp:// and wss://. */
bool nng_address_is_tls(const char *url);
/* "127.0.0.1:5555", "[::1]:5555", "*:5555", "localhost:5555", with a path behind. */
bool nng_address_parse(const char *text, struct sockaddr_storage *ret);
/* An absolute path that fits into a socket's address. */
bool nng_address_is_path(const char *path);

struct address_listener {
	int fd;	    /* it does not block */
	char *path; /* of an ipc address, else NULL */
};

/* Listens on a tcp://, tls+tcp:// or ipc:// address; a socket file that nobody listens on any more
 * is replaced.
 */
int address_listener_open(struct address_listener *ret, const char *url, struct err *err);
void address_listener_close(struct address_listener *l); /* and removes the file */

#endif
