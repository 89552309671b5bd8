/*
 * pattern_cidr — IP addresses in patterns: "10.0.0.0/24", "2001:db8::/32". The block may be named
 * by any address in it; 0 to 31 or 0 to 127 bits, as in EventBridge.
 */
#ifndef RELAY_PATTERN_CIDR_H
#define RELAY_PATTERN_CIDR_H

#include "relay/base/err.h"
#include "rules/pattern_form.h"

int addresses_parse(struct addresses *ret, const char *text, size_t len, struct err *err);

/* One address as a block of its own: "::1" and "0:0:0:0:0:0:0:1" are the same. False: it is none;
 * so are numbers with leading zeros, fewer than four of them, and a zone. */
bool addresses_one(struct addresses *ret, const char *text, size_t len);

/* Of its bytes only the first `bits` bits stay. */
void addresses_clear_host(struct addresses *a);

bool addresses_hold(const struct addresses *block, const char *text, size_t len);

#endif
