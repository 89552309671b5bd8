/*
 * http_transfer — one call inside libcurl: its easy handle, what was asked, what has come. Shared
 * by http.c (which owns the CURLM and the transfers' lives) and the other files of http only.
 */
#ifndef RELAY_HTTP_TRANSFER_H
#define RELAY_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "relay/base/buf.h"
#include "relay/base/http.h"

struct open_socket {
	curl_socket_t fd;
	int port;	 /* here; 0 until a request goes over it */
	uint64_t opener; /* the call it was opened for; others may use it later */
};

/* What libcurl waits for. */
struct http_watch {
	CURLM *multi; /* borrowed */
	int epoll_fd, wake_fd;
	int64_t due_us; /* on the monotonic clock; INT64_MAX: never */
	struct watched {
		uint8_t wanted, listed; /* CURL_POLL_IN and _OUT: by libcurl, in the kernel */
		bool ours;		/* opened by http_socket_open */
	} * v;				/* owned; by the socket's number */
	size_t n;
};

/* The sockets that libcurl holds. It has no call to close its idle connections; these are found
 * here and shut down, and libcurl drops what it finds ended. */
struct open_sockets {
	struct open_socket *v; /* owned */
	size_t n, cap;
	size_t most;		  /* ceiling of n */
	struct http_watch *watch; /* borrowed; told of each */
};

struct transfer {
	struct transfer *next, *prev;
	struct open_sockets *sockets; /* borrowed from the http */
	CURL *easy;
	bool dressed; /* carries options that the next call must not inherit */

	char *url;	/* owned; of the last call: most have the same */
	CURLU *address; /* owned; as it was read; libcurl's, too, as long as it is set */

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
	bool head_ended;	       /* with its empty line */
	bool not_http;		       /* of version 1 */
	bool tried;		       /* some address was allowed */
	bool too_many;		       /* but there was no socket to be had */
	bool stale;		       /* the kept connection was not to be used */
	bool too_long, enough;	       /* why our own callback ended the call */
	const char *denied;
	char said[CURL_ERROR_SIZE]; /* of a failure, by libcurl and the TLS library beneath */
};

struct transfer *transfer_new(struct open_sockets *sockets);
void transfer_free(struct transfer *t); /* NULL is allowed */

/* Makes it ready for the CURLM. Fails for what no request can be made of. */
int transfer_prepare(struct transfer *t, const struct http_call *call, struct err *err);

/* What became of it; borrows from t. */
void transfer_reply(struct transfer *t, CURLcode code, struct http_reply *ret);

/* True when the call ended only because its connection was stale, and is ready for the CURLM once
 * more; it takes a new connection then. */
bool transfer_again(struct transfer *t);

/* Forgets the call, keeps handle and memory for the next. */
void transfer_reset(struct transfer *t);

int http_watch_open(struct http_watch *w, CURLM *multi, struct err *err);
void http_watch_close(struct http_watch *w); /* before the CURLM it is no longer to be called */
void http_watch_opened(struct http_watch *w, curl_socket_t fd);
void http_watch_closed(struct http_watch *w, curl_socket_t fd);
void http_watch_wake(struct http_watch *w); /* any thread */
/* Lets libcurl do what is due by time: the first steps of calls that were added, too. */
void http_watch_timer(struct http_watch *w);
/* Waits for anything, or fd (-1: none), and lets libcurl do what there is to do. */
int http_watch_wait(struct http_watch *w, int timeout_ms, int fd, struct err *err);

/* NULL: none that may be called; else yours. *ret_plain says http. */
CURLU *http_url_read(const char *url, bool *ret_plain);

void http_sockets_init(struct open_sockets *all, struct http_watch *watch);
int http_socket_port(curl_socket_t fd); /* here; 0: it has none */

#define HTTP_HEADERS_MAX (64 << 10)

/* What libcurl calls with an answer; userdata is the transfer. */
size_t http_take_header(char *line, size_t size, size_t n, void *userdata);
size_t http_take_body(char *bytes, size_t size, size_t n, void *userdata);
bool http_is_header(const char *line, const char *name);

/* What libcurl calls for its sockets; clientp is the transfer, at close the open_sockets. */
curl_socket_t http_socket_open(void *clientp, curlsocktype purpose, struct curl_sockaddr *to);
int http_socket_use(void *clientp, char *peer, char *local, int peer_port, int local_port);
int http_socket_close(void *clientp, curl_socket_t fd);

#endif
