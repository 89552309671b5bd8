/*
 * http_transfer — one call inside libcurl: its easy handle, what was asked, what has come. Shared
 * by http.c (which owns the CURLM and the transfers' lives) and http_transfer.c only.
 */
#ifndef RELAY_HTTP_TRANSFER_H
#define RELAY_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "relay/base/buf.h"
#include "relay/base/http.h"

struct open_socket {
	curl_socket_t fd;
	uint64_t opener; /* the transfer it was opened for; others may use it later */
};

/* The sockets that libcurl holds. It has no call to close its idle connections; these are found
 * here and shut down, and libcurl drops what it finds ended. */
struct open_sockets {
	struct open_socket *v; /* owned */
	size_t n, cap;
};

struct transfer {
	struct transfer *next, *prev;
	struct open_sockets *sockets; /* borrowed from the http */
	CURL *easy;
	bool dressed; /* carries options that the next call must not inherit */

	uint64_t id;
	http_done *done;
	void *arg;
	int64_t started_us;
	struct curl_slist *nodes; /* owned array, linked; libcurl reads it until the end */
	char *lines;		  /* owned; the nodes' texts */
	size_t nodes_cap, lines_cap;
	size_t max_reply;
	bool cut_is_failure, plain, loopback_only_plain, proxied;
	const struct network_policy *network;

	struct buf body, headers;      /* headers: lines with a NUL behind each */
	size_t body_read, header_read; /* what came, kept or not */
	int local_port;		       /* of the connection in use; 0 before one is ready */
	bool tried;		       /* some address was allowed */
	bool too_long, enough;	       /* why our own callback ended the call */
	const char *denied;
};

struct transfer *transfer_new(struct open_sockets *sockets);
void transfer_free(struct transfer *t); /* NULL is allowed */

/* Makes it ready for the CURLM. Fails for what no request can be made of. */
int transfer_prepare(struct transfer *t, const struct http_call *call, struct err *err);

/* What became of it; borrows from t. */
void transfer_reply(struct transfer *t, CURLcode code, struct http_reply *ret);

/* Forgets the call, keeps handle and memory for the next. */
void transfer_reset(struct transfer *t);

/* libcurl closes its sockets through this; clientp is the open_sockets. */
int transfer_close_socket(void *clientp, curl_socket_t fd);

#endif
