/*
 * address — may Relay connect to this IP address?
 *
 * Judged on the address that is about to be connected to, after name resolution, so that no
 * spelling (2130706433, 0x7f.1, ::ffff:127.0.0.1, 64:ff9b::7f00:1) and no rebinding name passes.
 * Addresses that carry an IPv4 address inside (v4-mapped, v4-compatible, v4-translated, NAT64,
 * 6to4, Teredo) are judged by both. Ranges: the IANA special-purpose registries (RFC 6890 and
 * successors), and the cloud metadata addresses: 169.254.169.254, fd00:ec2::/32 (AWS),
 * 168.63.129.16 (Azure), 100.100.100.200 (Alibaba), 192.0.0.192 (Oracle), fd20:ce::254 (Google).
 */
#ifndef RELAY_ADDRESS_H
#define RELAY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "relay/base/err.h"

struct cidr {
	uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;	   /* 0 … 128 */
};

/* "10.0.0.0/8", "10.1.2.3", "fd00::/8". */
int cidr_parse(struct cidr *ret, const char *text, struct err *err);
bool cidr_contains(const struct cidr *c, const struct sockaddr *address);

enum network {
	NETWORK_PRIVATE, /* all but link-local, metadata, unspecified, multicast, broadcast,
			    local-use NAT64 (64:ff9b:1::/48) and Relay's own */
	NETWORK_PUBLIC,	 /* globally reachable unicast addresses only */
	NETWORK_LISTS,	 /* `allow` first, then `deny`; what neither names is judged as private */
};

struct network_policy {
	enum network kind;
	struct cidr *allow, *deny; /* owned */
	size_t nallow, ndeny;
	/* Relay's own listening sockets, refused whatever the kind when address and port are the
	 * same; a wildcard address stands for every address that this machine has at that moment,
	 * 0.0.0.0 for the IPv4 ones only. Borrowed. */
	const struct sockaddr_storage *own;
	size_t nown;
};

/* NULL: allowed. Otherwise a constant phrase for the log: "link-local", "loopback" … */
const char *network_refuses(const struct network_policy *p, const struct sockaddr *address);
bool address_is_loopback(const struct sockaddr *address);
/* Can no two sockets listen on them? A wildcard takes its port of all addresses, 0.0.0.0 of the
 * IPv4 ones only. Of AF_UNIX, the same path. */
bool address_clashes(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
void network_policy_release(struct network_policy *p);

#endif
