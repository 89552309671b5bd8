/*
 * nng_address — the addresses that settings name, a listening socket of our own on one, and who has
 * connected to it. They mean what they mean to nng.
 */
#ifndef RELAY_NNG_ADDRESS_H
#define RELAY_NNG_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "relay/base/err.h"

/* What stands behind a scheme ("tcp://"), NULL for an address of another. */
const char *nng_address_behind(const char *url, const char *scheme);
/* tls+tcp:// and wss://. */
bool nng_address_is_tls(const char *url);
/* "127.0.0.1:5555", "[::1]:5555", "*:5555", "localhost:5555", with a path behind. */
bool nng_address_parse(const char *text, struct sockaddr_storage *ret);
/* 1 to 65535, and nothing behind it. */
bool nng_address_is_port(const char *text);
/* An absolute path that fits into a socket's address. */
bool nng_address_is_path(const char *path);
extern const int nng_address_path_max; /* its bytes */
/* Such a path as an address, in its shortest spelling: without "//" and "/./". */
void nng_address_of_path(const char *path, struct sockaddr_storage *ret);

struct address_listener {
	int fd;	    /* it does not block */
	char *path; /* of an ipc address, else NULL */
	bool tls;   /* to be spoken with those who connect */
};

/* Listens on a tcp://, tls+tcp:// or ipc:// address; a socket file that nobody listens on any more
 * is replaced.
 */
int address_listener_open(struct address_listener *ret, const char *url, struct err *err);
/* The next connection that waits, set up as all are here: it does not block, and TCP neither
 * delays what is short nor keeps a peer that is gone. -1 with errno, which is EAGAIN when none
 * waits, and ECONNREFUSED when it was closed, since three quarters of the files that the process
 * may open are open. */
int address_listener_accept(const struct address_listener *l);
bool address_listener_lacks_files(int error); /* is it that, or are there no files at all? */
uint64_t address_listener_files(void);	      /* that the process may open */
void address_listener_close(struct address_listener *l); /* and removes the file */

/* Who is at the other end: "127.0.0.1:4711", "[::1]:4711", "process 4711" of a Unix socket, or
 * "unknown" when it has gone. */
void address_of_peer(int fd, char *ret, size_t size);
/* An IP address, of AF_INET or AF_INET6, and its port; both as in a socket's address. */
void address_write(int family, const void *ip, in_port_t port, char *ret, size_t size);

#endif
