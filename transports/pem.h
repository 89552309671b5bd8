/*
 * pem — certificates and keys in files, as OpenSSL reads them: for the bus, which speaks TLS by it
 * itself, and, looked at only, for curl and libnats, which read them at a connection. So that a
 * mistake shows when the configuration is read, and not at the first call.
 */
#ifndef RELAY_PEM_H
#define RELAY_PEM_H

#include "relay/base/err.h"

struct pem_files {	  /* NULL: none */
	const char *cert; /* our own, and its chain */
	const char *key;
	const char *ca; /* authorities to trust */
};

/* Both take cert and key together or neither. On failure *ret_which is the file at fault, one of
 * those given; err shows nothing of what it holds. */

/* Into OpenSSL's SSL_CTX, whose callback for passwords is set. */
struct ssl_ctx_st;
int pem_load(struct ssl_ctx_st *into, const struct pem_files *files, const char **ret_which,
	     struct err *err);
int pem_check(const struct pem_files *files, const char **ret_which, struct err *err);

#endif
