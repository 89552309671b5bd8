/*
 * fetch — one HTTP call from start to end, for tests: waits with a deadline and keeps what the
 * reply said.
 */
#ifndef RELAY_TEST_FETCH_H
#define RELAY_TEST_FETCH_H

#include "relay/base/http.h"
#include "tests/unit/raw_server.h"

/* A server, a client, and a call to fill in: a GET of up to 1,000 bytes within ten seconds. */
struct stage {
	struct raw_server *server;
	struct http *http;
	struct http_call call; /* its url is `url` */
	char url[512];
};

/* For cmocka's setup and teardown; *state is the stage. */
int stage_open(void **state, raw_answer *answer, const char *path);
int stage_close(void **state);

struct fetched {
	unsigned times; /* done was called */
	enum http_failure failure;
	int status;
	char body[4096], why[128], header[128];
	size_t len;
	int64_t retry_after_ms, date_ms, took_us;
	const char *wanted; /* the header to keep; NULL: none */
};

void fetch_done(void *arg, const struct http_reply *reply); /* arg: struct fetched */

/* The URL of a path on a port of 127.0.0.1, in a buffer of this thread; good for one call. */
const char *local_url(int port, const char *path);

/* Waits until *times is as asked for; fails the test after ten seconds. */
void wait_until(struct http *h, const unsigned *times, unsigned asked);

/* Starts, waits, and fails the test unless the failure is the expected one. */
void fetch(struct http *h, const struct http_call *call, enum http_failure expected,
	   struct fetched *ret);

#endif
