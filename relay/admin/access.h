/*
 * access — who may ask: the token, and the name in the Host header. Pure.
 *
 * A page that a browser was lured to may have its name resolve to 127.0.0.1 (DNS rebinding); its
 * requests carry that name, so only names that are ours are let in. An address instead of a name
 * cannot be rebound.
 */
#ifndef RELAY_ACCESS_H
#define RELAY_ACCESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "relay/config/option.h"

/* "Bearer TOKEN" with exactly this token; takes as long whichever byte differs. NULL: not given. */
bool access_token_ok(const char *authorization, const char *token);

/* A Host header's value: localhost, a loopback address, the address listened on (any address where
 * that is a wildcard), or one of `hosts`; with any port. NULL (HTTP/1.0): no browser sent it. */
bool access_host_ok(const char *host, const struct sockaddr_storage *listen,
		    const struct strings *hosts);

/* A page of another site may not act here, even if it had the token. Of a request that changes
 * something: no browser sent it, or one for a page of ours, under the name in `host`. */
bool access_origin_ok(const char *origin, const char *fetch_site, const char *host);
/* "application/json", with any parameters; NULL: nothing is said. */
bool access_is_json(const char *content_type);

#endif
