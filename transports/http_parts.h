/*
 * http_parts — an `http` destination that is open, and one call of it. Shared by http.c,
 * http_answer.c and http_headers.c only.
 */
#ifndef RELAY_HTTP_PARTS_H
#define RELAY_HTTP_PARTS_H

#include "relay/base/http.h"
#include "transports/http_content.h"
#include "transports/transport.h"

struct callback {
	struct callback *next; /* among the idle ones */
	struct http_self *self;
	const struct parcel *parcel;
	char id[16 + EVENT_ID_SIZE], time[48];
	struct buf signature;
	struct buf body;       /* what a template said */
	bool ruled;	       /* it is a rule's template that said it */
	struct err refused;    /* why the event cannot be said; code ERR_NONE: it can */
	const char *headers[]; /* the fixed ones, the rendered, three of the signature, NULL */
};

struct http_self {
	const struct transport_env *env;
	struct http_call call; /* the same for all; points to what follows */
	char *url, *ca_file, *cert_file, *key_file, *proxy;
	struct network_policy network;
	struct http_content content; /* but for the params the wire's thread's */
	struct strings headers;	     /* "Name: value" */
	struct strings masks;	     /* texts that no message may hold */
	struct signature_key **keys;
	size_t nkeys;
	struct callback *idle;
};

/* The headers that are the same for all calls, and what of the settings is masked. */
void http_headers_add(struct http_self *h, const struct http_settings *s);
void http_mask_add(struct http_self *h, const char *text);

/* What became of a call, told to env->done. An http_done; arg is the callback. */
void http_answer(void *arg, const struct http_reply *reply);

#endif
