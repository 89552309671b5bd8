/*
 * fake_api — stands in for the HTTP layer: keeps each call until the test answers it.
 */
#ifndef RELAY_TEST_FAKE_API_H
#define RELAY_TEST_FAKE_API_H

#include "relay/base/http.h"

#define FAKE_CALLS 64

struct fake_call {
	char url[1024], headers[1024]; /* each header with a newline behind */
	http_done *done;
	void *arg;
};

struct fake_api {
	struct fake_call v[FAKE_CALLS]; /* not answered yet, oldest first */
	size_t n;
	size_t asked; /* ever */
	bool unable;  /* fake_fetch fails */
	bool gzip, plain_guarded;
	size_t max_reply;
};

struct fake_reply {
	enum http_failure failure;
	int status;
	const char *headers; /* "Name: value" lines; NULL: none */
	const char *body;    /* NULL: empty */
	size_t len;	     /* 0: strlen */
	int64_t retry_after_ms, date_ms, took_ms;
};

int fake_fetch(void *arg, const struct http_call *call, http_done *done, void *done_arg,
	       struct err *err);
/* Answers the oldest call. */
void fake_answer(struct fake_api *api, const struct fake_reply *reply);
/* The number behind "NAME=" in the oldest call's query; 0: none. */
unsigned fake_number(const struct fake_api *api, const char *name);

#endif
