/*
 * http — HTTP calls over libcurl: one `struct http` is one CURLM, its pool of connections, and
 * the wait of the thread that owns it. Only http_wake may be called from another thread.
 *
 * What is fixed for every call: HTTP/1.1, http and https only, no redirects, no cookies, no proxy
 * but the one named, no HTTP/0.9, certificates and host names verified (but for insecure), replies
 * cut at max_reply bytes *after* decoding and headers at 64 KiB, `Expect:` never sent. The address
 * policy is asked before each connect and again before a request is written on a pooled connection.
 * One on which something lies by then, an end or what nobody asked for, is not used; one whose
 * answer told its length in two ways is not kept. At most three quarters of the files that the
 * process may open become connections; a call beyond them ends with HTTP_UNREACHABLE.
 */
#ifndef RELAY_HTTP_H
#define RELAY_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/address.h"
#include "relay/base/err.h"

struct buf;
struct http;

struct http_call {
	const char *method; /* GET, POST, PUT … */
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
	const char *body;	    /* borrowed until done has been called; NULL: none */
	size_t body_len;
	size_t max_reply;    /* bytes of body kept and, with cut_is_failure, tolerated */
	bool cut_is_failure; /* a longer reply fails the call; else the rest is read up to 64 KiB
				and dropped */
	bool gzip;	     /* ask for and decode compressed replies */
	int connect_timeout_ms, timeout_ms;	    /* the whole call; 0: 5 s and 15 s */
	const char *ca_file, *cert_file, *key_file; /* PEM; NULL: the system's, none, none */
	const char *userpwd;			    /* HTTP basic, "user:password"; NULL: none */
	const char
		*proxy; /* NULL: none, whatever the environment says; else the policy judges it */
	const struct network_policy *network; /* borrowed while the http lives; NULL: all allowed */
	bool insecure;		  /* take any certificate; over a connection of its own kind */
	bool loopback_only_plain; /* refuse http:// to anything but a loopback address */
};

/* Why there is no complete reply. */
enum http_failure {
	HTTP_OK,
	HTTP_UNREACHABLE, /* no name, no route, refused */
	HTTP_DENIED,	  /* by the network policy or for plain http */
	HTTP_TLS,	  /* handshake or certificate */
	HTTP_TIMEOUT,
	HTTP_BROKEN,   /* the connection ended or was not HTTP */
	HTTP_TOO_LONG, /* body or headers over their ceiling */
	HTTP_ABORTED,  /* by http_abort or http_close */
};

struct http_reply {
	enum http_failure failure;
	const char *why;  /* one phrase for the log when failure is set; no secrets */
	int status;	  /* as far as one was read, else 0 */
	const char *body; /* NUL-terminated, at most max_reply bytes */
	size_t len;
	int64_t retry_after_ms;	   /* from now, seconds or a date, unlimited; -1: none */
	int64_t date_ms;	   /* the Date header; DATE_NONE: none */
	int64_t took_us;	   /* from http_start to the end */
	const struct buf *headers; /* lines as received, each ended by a NUL; NULL: none */
};

/* Called exactly once per started call, from http_wait, http_abort or http_close, never from
 * http_start. The reply and all in it end with the call. May start further calls. */
typedef void http_done(void *arg, const struct http_reply *reply);

/* max_idle: connections kept for calls to come, beside those in use. */
struct http *http_open(size_t max_idle, struct err *err);
void http_close(struct http *h); /* ends open calls with HTTP_ABORTED; NULL is allowed */

/* Copies what it needs of the call but the body. Fails only for what can never be sent: a URL that
 * is none, a method or header with forbidden characters; and during http_close. *ret_id, if ret_id
 * is not NULL, names the call for http_abort until done. */
int http_start(struct http *h, const struct http_call *call, http_done *done, void *arg,
	       uint64_t *ret_id, struct err *err);
void http_abort(struct http *h, uint64_t id);
/* Aborts all; nothing can be started any more. http_wake may still be called until http_close. */
void http_end_calls(struct http *h);
size_t http_open_calls(const struct http *h);

/* Closes idle connections, so that new settings (policy, certificates) hold for all that follow. */
void http_forget_connections(struct http *h);

/*
 * The owner's only wait: until a call made progress, `fd` (-1: none) is readable, http_wake was
 * called, or timeout_ms passed; runs the calls' progress and their done functions. Returns 1 when
 * fd is readable, else 0; -1 with err when polling itself failed.
 */
int http_wait(struct http *h, int timeout_ms, int fd, struct err *err);
void http_wake(void *h); /* any thread; has a mailbox's wake signature */

/* The first header of that name (any case) without surrounding blanks, or NULL. */
const char *http_header(const struct http_reply *reply, const char *name);

/* Retry-After (RFC 9110 10.2.3): delay in ms, or -1 for garbage. */
int64_t http_retry_after(const char *text, int64_t now_wall_ms);

/* An HTTP date in any of its three forms (RFC 9110 5.6.7). False, and *ret_ms untouched, else. */
bool http_date(const char *text, int64_t *ret_ms);

/* True for http:// and https:// URLs with a host and without user info; *ret_plain says http. */
bool http_url_ok(const char *url, bool *ret_plain);
/* Percent-encodes everything but RFC 3986 unreserved characters. */
struct buf;
void http_escape(struct buf *out, const char *text);

#endif
