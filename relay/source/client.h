/*
 * client — the Invent REST API: what is asked becomes an HTTP call, what comes back a verdict and,
 * when good, text to decode. Knows paths, parameters, headers and status codes; no plan, no state.
 *
 * Source of the facts: docs.useinvent.com (GET /orgs/{org_id}/broadcasts and …/recipients,
 * pagination headers, Bearer keys, 500 requests a minute).
 */
#ifndef RELAY_CLIENT_H
#define RELAY_CLIENT_H

#include "relay/base/buf.h"
#include "relay/base/http.h"
#include "relay/config/option.h"

#define API_BODY_MAX (8 << 20) /* bytes, decoded: 1,000 rows of 8 KB */
#define TAKE	     100

enum request_kind { REQUEST_BROADCASTS, REQUEST_RECIPIENTS, REQUEST_ORGS };
#define REQUEST_KINDS (REQUEST_ORGS + 1)

struct request {
	enum request_kind kind;
	const char *org, *broadcast; /* ids; percent-encoded by the client */
	unsigned page, take;
	const char *next; /* what an answer called this page, asked for instead of its number; NULL:
			     none */
	/* "name", "value", …, NULL; or NULL. Of REQUEST_RECIPIENTS it comes on top of
	 * source.filter, which wins where both have a name. */
	const char *const *filter;
};

enum answer_kind {
	ANSWER_PAGE,	/* 200 and a body that may be decoded */
	ANSWER_LATER,	/* 429, or 503 with Retry-After: the whole API says wait */
	ANSWER_BROKEN,	/* 5xx, no answer, not what was asked for: try this one again later */
	ANSWER_NO_KEY,	/* 401, 403 */
	ANSWER_MISSING, /* 404 */
	ANSWER_REFUSED, /* other 4xx: asking again will not help */
	ANSWER_ABORTED, /* ended by us: says nothing about the API */
};
#define ANSWER_KINDS (ANSWER_ABORTED + 1)

struct answer {
	enum answer_kind kind;
	const char *why;  /* not for ANSWER_PAGE: for the log; no key, the first bytes of an error
			     body escaped */
	const char *body; /* ANSWER_PAGE; ends with the call */
	size_t len;
	const char *next; /* pagination-next: a token for the following page, or NULL; ends with the
			     call */
	int64_t count;	  /* pagination-count; -1: not given */
	int64_t took_ms;  /* from the question to the end of the answer */
	int64_t date_ms;  /* the API's clock; DATE_NONE: not given */
	int64_t wait_ms;  /* ANSWER_LATER: -1 when it did not say */
	int status;
};

struct client;
struct source_options;
/* How calls are made: http_start on the loop's struct http, or a simulation. */
typedef int client_fetch(void *arg, const struct http_call *call, http_done *done, void *done_arg,
			 struct err *err);

/* o is borrowed for the call. */
struct client *client_open(const struct source_options *o, client_fetch *fetch, void *fetch_arg,
			   struct err *err);
void client_close(struct client *c); /* when no call is under way; NULL is allowed */
typedef void client_done(void *arg, const struct request *r, const struct answer *a);
/* r is copied. done is called exactly once, later. Fails only when the call cannot be made. */
int client_ask(struct client *c, const struct request *r, client_done *done, void *arg,
	       struct err *err);

/* GET of a path (and query) behind the base URL, for who wants the reply as it came. The client
 * must stay open until done. */
int client_get(struct client *c, const char *path, http_done *done, void *arg, struct err *err);

#endif
