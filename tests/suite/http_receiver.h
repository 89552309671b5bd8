/*
 * http_receiver — a webhook receiver for tests on a free loopback port: keeps every request and
 * answers as told. One thread serves all connections; keep-alive.
 */
#ifndef RELAY_TEST_HTTP_RECEIVER_H
#define RELAY_TEST_HTTP_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>

struct received {
	char *head; /* request line and headers, each ending in "\r\n"; NUL-terminated */
	char *body; /* NUL-terminated */
	size_t len;
};

struct http_receiver;

/* `reply` is a whole HTTP response; "": close the connection without one; NULL: never answer. */
struct http_receiver *http_receiver_open(const char *reply);
void http_receiver_close(struct http_receiver *r);
void http_receiver_answer(struct http_receiver *r, const char *reply); /* from now on */
/* From now on each request is answered as fn says: on the receiver's thread, where what fn
 * returns is borrowed until it asks again. NULL: as above. */
typedef const char *http_receiver_judge(void *arg, const struct received *q);
void http_receiver_ask(struct http_receiver *r, http_receiver_judge *fn, void *arg);
int http_receiver_port(const struct http_receiver *r);
/* Waits until n requests have come whole, or 10 s; how many there are. */
size_t http_receiver_count(struct http_receiver *r, size_t n);
/* The sender has closed its connections: waits until all that came on them is answered, or 10 s. */
void http_receiver_rest(struct http_receiver *r);
const struct received *http_receiver_get(struct http_receiver *r, size_t i);
/* The value of a header into ret; false: it is not there. */
bool received_header(const struct received *q, const char *name, char *ret, size_t size);

#endif
