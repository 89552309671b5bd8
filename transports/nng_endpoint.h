/*
 * nng_endpoint — an nng socket's listeners and dialers, with TLS where the address says so
 * (tls+tcp://, wss://). Certificates are read when one is made, and nothing later.
 */
#ifndef RELAY_NNG_ENDPOINT_H
#define RELAY_NNG_ENDPOINT_H

#include <nng/nng.h>

#include "relay/base/err.h"
#include "transports/nng_channel.h"

/* With `files->ca`, only who shows a certificate of one of these authorities is let in. */
int endpoint_listen(nng_socket socket, const char *url, const struct pem_files *files,
		    struct err *err);

struct endpoint_trust {
	struct pem_files files;	 /* of our own certificate, if any; ca NULL: the system's */
	const char *server_name; /* that the certificate is to be for; NULL: the address's host */
};

/* Said where nothing more is known. */
#define ENDPOINT_UNANSWERED "nothing answers there as a publisher does"
#define ENDPOINT_CAUSES	    6

struct endpoint {  /* a dialer; as long as its socket */
	char *url; /* owned */
	nng_dialer dialer;
	uint64_t failed[ENDPOINT_CAUSES]; /* dials, as nng counts them; its own */
	bool made;			  /* it was connected at some time */
	const char *trouble; /* why it is not, as far as nng tells: a constant; NULL: it is */
};

/* Dials for ever: an error is one that does not pass by itself. */
int endpoint_dial(nng_socket socket, const char *url, const struct endpoint_trust *trust,
		  struct endpoint *ret, struct err *err);
/* Brings `made` and `trouble` up to date. */
void endpoint_look(struct endpoint *e);

#endif
