/*
 * server — a small HTTP/1.1 server on libmicrohttpd, for the admin API and for `relay receive`.
 *
 * One thread of its own serves all connections; the handler runs on it and answers at once. With
 * `threads` each connection has one, and may take its time. What outsiders can grow is bounded: 64
 * connections, 16 KiB of headers, a body ceiling given at the start, 10 s of silence. A request
 * whose length is ambiguous (Content-Length twice, or together with Transfer-Encoding) is refused
 * with 400 before the handler sees it, since whoever stands in front may have read it otherwise
 * (RFC 9112 6.3).
 */
#ifndef RELAY_SERVER_H
#define RELAY_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/buf.h"
#include "relay/base/err.h"

struct server;

struct server_request {
	const char *method, *path; /* path: decoded, without the query */
	const char *body;	   /* NUL-terminated; may hold NULs inside */
	size_t len;
	const void *impl; /* for the look-ups below */
};
/* NULL when there is none; the name in any case. */
const char *server_header(const struct server_request *r, const char *name);
const char *server_parameter(const struct server_request *r, const char *name); /* of the query */
typedef void server_header_fn(void *arg, const char *name, const char *value);
void server_each_header(const struct server_request *r, server_header_fn *fn, void *arg);

#define SERVER_HEADERS 6
struct server_reply {
	int status;				/* 200 when the handler leaves it 0 */
	const char *content_type;		/* constant; NULL: text/plain; charset=utf-8 */
	const char *headers[SERVER_HEADERS][2]; /* by server_reply_header */
	size_t nheaders;
	struct buf body; /* empty; 8 MiB at most; released by the server */
	/* For trying out callers; the first two only with `threads`. */
	int delay_ms; /* waits before answering */
	int slow_ms;  /* waits before each byte of the body */
	bool drop;    /* closes the connection instead of answering */
};
/* They stay until the server is closed; SERVER_HEADERS of them at most. */
void server_reply_header(struct server_reply *r, const char *name, const char *value);

typedef void server_handler(void *arg, const struct server_request *r, struct server_reply *ret);

struct server_options {
	const char *listen; /* "127.0.0.1:8077", "[::1]:0"; port 0: a free one */
	size_t body_max;    /* a longer body is answered with 413 */
	bool json;	    /* the server's own refusals are {"error": …}, not text */
	bool threads;	    /* one for each connection: the handler is called by several at once */
	server_handler *handler;
	void *arg;
};
bool server_is_built_in(void); /* else server_open fails and says so */
struct server *server_open(const struct server_options *o, struct err *err);
uint16_t server_port(const struct server *s);
/* When it returns, no handler runs any more. With `threads` replies that wait are sent first, for a
 * second at most. NULL is allowed. */
void server_close(struct server *s);

#endif
