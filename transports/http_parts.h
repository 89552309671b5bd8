/*
 * http_parts — an `http` destination that is open, and one call of it. Shared by http.c,
 * http_answer.c, http_batch.c and http_headers.c only.
 */
#ifndef RELAY_HTTP_PARTS_H
#define RELAY_HTTP_PARTS_H

#include "relay/base/http.h"
#include "transports/http_content.h"
#include "transports/http_format.h"
#include "transports/transport.h"

#define HTTP_BATCH_EVENTS  100
#define HTTP_BATCH_WAIT_MS 1000
#define HTTP_BATCH_BYTES   (1 << 20) /* of its body */

struct callback {
	struct callback *next; /* among the idle ones, or those that wait */
	struct http_self *self;
	const struct parcel **parcels; /* one, or those of a batch in sequence order */
	size_t n, bytes;
	uint64_t group; /* of a batch: see outcome */
	char batch_id[EVENT_ID_SIZE];
	char id[16 + EVENT_ID_SIZE], time[48];
	struct buf signature;
	struct buf body;       /* what a template said, or the batch */
	bool ruled;	       /* it is a rule's template that said it: it goes alone */
	struct err refused;    /* why the event cannot be said; code ERR_NONE: it can */
	const char *headers[]; /* the fixed ones, the rendered, those of the attributes, three of
				  the signature, NULL */
};

struct http_self {
	const struct transport_env *env;
	struct http_call call; /* the same for all; points to what follows */
	char *url, *ca_file, *cert_file, *key_file, *proxy;
	struct network_policy network;
	struct http_content content; /* but for the params the wire's thread's */
	enum http_format format;
	struct http_binary binary; /* the wire's thread's */
	struct strings headers;	   /* "Name: value" */
	struct strings masks;	   /* texts that no message may hold */
	struct signature_key **keys;
	size_t nkeys;
	struct callback *idle;
	size_t open;				 /* calls that are out */
	struct callback *waiting, *last_waiting; /* until one of them has ended */
	struct callback *gathered;		 /* the batch that waits for more; NULL: none */
	bool gathered_is_new;			 /* no tick has told yet what time it is */
	int64_t gathered_ms;
};

/* http.c: a callback to fill, and its way out. */
struct callback *http_call_take(struct http_self *h);
void http_call_send(struct callback *c);
bool http_may_call(const struct http_self *h); /* it would not wait */

/* http_batch.c */
void http_batch_add(struct http_self *h, const struct parcel *parcel);
void http_batch_tick(struct http_self *h, struct instant now);
void http_batch_flush(struct http_self *h);
void http_batch_say(struct callback *c); /* its body and id; on the wire's thread */

/* The headers that are the same for all calls, and what of the settings is masked. */
void http_headers_add(struct http_self *h, const struct http_settings *s);
void http_mask_add(struct http_self *h, const char *text);

/* What became of a call, told to env->done. An http_done; arg is the callback. */
void http_answer(void *arg, const struct http_reply *reply);

#endif
