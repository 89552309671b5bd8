/*
 * nats_server — the address of one NATS server, as a destination of kind `nats` names it.
 */
#ifndef RELAY_NATS_SERVER_H
#define RELAY_NATS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define NATS_HOST_MAX 254 /* a DNS name's 253 bytes and the NUL */

enum nats_reach { NATS_LOOPBACK, NATS_WIDE };

struct nats_server {
	char host[NATS_HOST_MAX]; /* an IPv6 address without its brackets */
	unsigned port;
	bool tls;
	enum nats_reach reach; /* a name other than localhost may be anywhere */
	bool literal;	       /* the host is an address: this one */
	struct sockaddr_storage address;
};

/* NULL: *ret is filled. Else what is wrong, a constant phrase. */
const char *nats_server_parse(struct nats_server *ret, const char *url);

#endif
