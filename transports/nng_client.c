/* nng_client — sockets and replies of a subscriber. Invariant: what comes out has been checked as
 * JSON, and a body is the very text that came. */
#include "transports/nng_client.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>

#include "relay/base/buf.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "transports/nng_address.h"
#include "transports/nng_asker.h"
#include "transports/nng_endpoint.h"
#include "transports/nng_frame.h"

#define RECEIVE_BUFFER 8192 /* messages; nng's greatest */
#define RECONNECT_MS   100
#define RECONNECT_MAX  2000
#define SILENCE_MS     10000 /* heartbeats come every second */
#define SKIPPED_MAX    1024  /* messages of others' topics in one call */
#define URLS_MAX       32
#define REFILLS_MAX    16

struct publisher { /* on tcp, tls+tcp and ipc */
	struct link *link;
	bool up, made;	  /* it is connected, was at some time */
	int64_t heard_ms; /* with up: when something came last, or since when it is */
};

struct bus_client {
	const char *const *subscriptions; /* borrowed */
	size_t nsubscriptions;
	const volatile sig_atomic_t *stop;
	struct publisher publishers[URLS_MAX];
	size_t npublishers, next; /* `next` is asked first, of these and, behind them, `sub` */

	nng_socket sub; /* for ws and wss */
	bool has_sub;
	int sub_fd; /* readable when it has a message */
	nng_msg *msg;
	struct endpoint endpoints[URLS_MAX];
	size_t nendpoints;

	char topic[FRAME_TOPIC_MAX + 1]; /* of the last message */
	struct json_doc *doc;

	struct asker *refills[REFILLS_MAX];
	size_t nrefills, current;
	struct bus_page page;
	struct json_doc *page_doc;
};

static int fail(struct err *err, const char *what, int rv)
{
	return err_set(err, ERR_NET, "%s: %s", what, nng_strerror(rv));
}

static int open_sub(struct bus_client *c, struct err *err)
{
	int rv = nng_sub0_open(&c->sub);

	if (rv != 0)
		return fail(err, "nng", rv);
	c->has_sub = true;
	nng_socket_set_ms(c->sub, NNG_OPT_RECONNMINT, RECONNECT_MS);
	nng_socket_set_ms(c->sub, NNG_OPT_RECONNMAXT, RECONNECT_MAX);
	nng_socket_set_int(c->sub, NNG_OPT_RECVBUF, RECEIVE_BUFFER);
	nng_socket_set_size(c->sub, NNG_OPT_RECVMAXSZ, FRAME_MESSAGE_MAX);
	rv = nng_socket_set(c->sub, NNG_OPT_SUB_SUBSCRIBE, HEARTBEAT_TOPIC " ",
			    strlen(HEARTBEAT_TOPIC " "));
	for (size_t i = 0; i < c->nsubscriptions && rv == 0; i++)
		rv = nng_socket_set(c->sub, NNG_OPT_SUB_SUBSCRIBE, c->subscriptions[i],
				    strlen(c->subscriptions[i]));
	if (rv == 0)
		rv = nng_socket_get_int(c->sub, NNG_OPT_RECVFD, &c->sub_fd);
	return rv ? fail(err, "subscribe", rv) : 0;
}

static int open_endpoint(struct bus_client *c, const char *url, const struct bus_addresses *a,
			 struct err *err)
{
	struct endpoint_trust trust = {{a->cert_file, a->key_file, a->ca_file}, a->server_name};

	if (!c->has_sub && open_sub(c, err) < 0)
		return -1;
	return endpoint_dial(c->sub, url, &trust, &c->endpoints[c->nendpoints++], err);
}

static struct link *open_link(const char *url, enum sp_protocol own, const struct bus_addresses *a,
			      struct err *err)
{
	bool subscribes = own == SP_SUB;

	return link_open(
		&(struct link_settings){url,
					own,
					subscribes ? SP_PUB : SP_REP,
					subscribes ? FRAME_MESSAGE_MAX : FRAME_REPLY_MAX + SP_HOP,
					{a->cert_file, a->key_file, a->ca_file},
					a->server_name},
		err);
}

static int open_publisher(struct bus_client *c, const char *url, const struct bus_addresses *a,
			  struct err *err)
{
	if (nng_address_behind(url, "ws://") || nng_address_behind(url, "wss://"))
		return open_endpoint(c, url, a, err);
	struct link *link = open_link(url, SP_SUB, a, err);
	c->publishers[c->npublishers++].link = link;
	return link ? 0 : -1;
}

struct bus_client *bus_client_open(const struct bus_addresses *a, struct err *err)
{
	struct bus_client *c = xcalloc(1, sizeof *c);

	c->subscriptions = a->subscriptions;
	c->nsubscriptions = a->nsubscriptions;
	c->stop = a->stop;
	c->doc = json_doc_new();
	c->page_doc = json_doc_new();
	if (a->nrefills > REFILLS_MAX || a->nurls > URLS_MAX) {
		err_set(err, ERR_USAGE, "at most %d addresses and %d refill addresses are allowed",
			URLS_MAX, REFILLS_MAX);
		return NULL;
	}
	for (size_t i = 0; i < a->nurls; i++)
		if (open_publisher(c, a->urls[i], a, err) < 0)
			return NULL;
	for (size_t i = 0; i < a->nrefills; i++) {
		struct link *link = open_link(a->refills[i], SP_REQ, a, err);
		if (!link)
			return NULL;
		c->refills[c->nrefills++] = asker_new(link, a->stop);
	}
	return c;
}

/* ---- messages ---- */

static int read_message(struct bus_client *c, const char *bytes, size_t len, struct bus_event *ret,
			struct err *err)
{
	size_t topic_len;

	if (!frame_split(bytes, len, &topic_len) || topic_len > FRAME_TOPIC_MAX ||
	    memchr(bytes, '\0', topic_len))
		return err_set(err, ERR_FORMAT, "a message has no topic");
	memcpy(c->topic, bytes, topic_len);
	c->topic[topic_len] = '\0';
	const char *body = bytes + topic_len + 1;
	const struct json *root =
		json_parse(c->doc, body, len - topic_len - 1, JSON_DEPTH + 4, err);
	if (!root)
		return err_wrap(err, "a message");
	if (json_type(root) != JSON_OBJECT)
		return err_set(err, ERR_FORMAT, "a message is no JSON object");
	*ret = bus_event_of(root);
	ret->topic = c->topic;
	ret->body = body;
	ret->len = len - topic_len - 1;
	ret->root = root;
	return 1;
}

static bool begins_with(const char *bytes, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return len >= n && memcmp(bytes, prefix, n) == 0;
}

/* As a SUB socket does: a publisher sends everything to everybody. */
static bool wanted(const struct bus_client *c, const char *bytes, size_t len)
{
	if (begins_with(bytes, len, HEARTBEAT_TOPIC " "))
		return true;
	for (size_t i = 0; i < c->nsubscriptions; i++)
		if (begins_with(bytes, len, c->subscriptions[i]))
			return true;
	return false;
}

/* 1: *ret is a message; 0: none is there. A connection over which nothing comes, not even
 * heartbeats, may have lost its other end. */
static int receive_link(struct publisher *p, int64_t now_ms, const char **ret, size_t *ret_len)
{
	bool was_up = p->up;

	p->up = link_up(p->link, now_ms);
	p->made |= p->up;
	if (!p->up)
		return 0;
	if (!was_up) /* perhaps at once: dialled and answered within one call */
		p->heard_ms = now_ms;
	int got = link_receive(p->link, ret, ret_len);
	if (got > 0) {
		p->heard_ms = now_ms;
	} else if (got < 0 || now_ms - p->heard_ms > SILENCE_MS) {
		link_drop(p->link, now_ms, got == 0);
		p->up = false;
	}
	return got > 0;
}

static int receive_sub(struct bus_client *c, const char **ret, size_t *ret_len, struct err *err)
{
	if (c->msg)
		nng_msg_free(c->msg);
	c->msg = NULL;
	int rv = nng_recvmsg(c->sub, &c->msg, NNG_FLAG_NONBLOCK);
	if (rv == NNG_EAGAIN || rv == NNG_ETIMEDOUT)
		return 0;
	if (rv != 0)
		return fail(err, "receive", rv);
	*ret = nng_msg_body(c->msg);
	*ret_len = nng_msg_len(c->msg);
	return 1;
}

/* From whoever has one, in turn, so that one that sends all the time keeps no other out. */
static int receive_any(struct bus_client *c, int64_t now_ms, const char **ret, size_t *ret_len,
		       struct err *err)
{
	size_t n = c->npublishers + c->has_sub;

	for (size_t i = 0; i < n; i++) {
		size_t which = (c->next + i) % n;
		int got = which < c->npublishers
				  ? receive_link(&c->publishers[which], now_ms, ret, ret_len)
				  : receive_sub(c, ret, ret_len, err);
		if (got) {
			c->next = which + 1;
			return got;
		}
	}
	return 0;
}

static void wait_any(const struct bus_client *c, int64_t now_ms, int timeout_ms)
{
	struct pollfd p[URLS_MAX + 1];
	size_t n = 0;

	for (; n < c->npublishers; n++)
		p[n].fd = link_poll(c->publishers[n].link, now_ms, &p[n].events, &timeout_ms);
	if (c->has_sub)
		p[n++] = (struct pollfd){.fd = c->sub_fd, .events = POLLIN};
	poll(p, n, timeout_ms);
}

int bus_client_receive(struct bus_client *c, int timeout_ms, struct bus_event *ret, struct err *err)
{
	int64_t now = clock_now().mono_ms, end = now + timeout_ms;
	const char *bytes;
	size_t len;

	for (unsigned skipped = 0; skipped < SKIPPED_MAX;) {
		int got = receive_any(c, now, &bytes, &len, err);
		if (got < 0)
			return -1;
		if (got && wanted(c, bytes, len))
			return read_message(c, bytes, len, ret, err);
		skipped += got > 0;
		if (got)
			continue;
		if (now >= end || *c->stop)
			return 0;
		wait_any(c, now, (int)(end - now));
		now = clock_now().mono_ms;
	}
	return 0;
}

static struct bus_connection connection_of_link(const struct publisher *p)
{
	const char *trouble = link_trouble(p->link);

	return (struct bus_connection){link_url(p->link),
				       p->up	  ? NULL
				       : *trouble ? trouble
						  : ENDPOINT_UNANSWERED,
				       p->made};
}

bool bus_client_connection(struct bus_client *c, size_t nth, struct bus_connection *ret)
{
	if (nth < c->npublishers) {
		*ret = connection_of_link(&c->publishers[nth]);
		return true;
	}
	nth -= c->npublishers;
	if (nth >= c->nendpoints)
		return false;
	struct endpoint *e = &c->endpoints[nth];
	endpoint_look(e);
	*ret = (struct bus_connection){e->url, e->trouble, e->made};
	return true;
}

/* ---- refills ---- */

static int ask(struct bus_client *c, size_t which, const struct buf *request, struct err *err)
{
	struct asker_reply reply;

	if (asker_ask(c->refills[which], request, &reply, err) < 0)
		return -1;
	if (bus_page_read(&c->page, c->page_doc, reply.text, reply.len, err) < 0)
		return err_wrap(err, "%s", asker_url(c->refills[which]));
	return 0;
}

static void forget_page(struct bus_client *c)
{
	free(c->page.events);
	c->page = (struct bus_page){0};
}

int bus_client_refill(struct bus_client *c, const char *subscription, int64_t after,
		      const struct bus_page **ret, struct err *err)
{
	struct buf request = BUF_INIT(FRAME_REQUEST_MAX);
	int failed = -1;

	buf_adds(&request, "{\"topic\":");
	json_write_string(&request, subscription);
	buf_addf(&request, ",\"after\":%lld,\"limit\":%d}", (long long)after, FRAME_EVENTS_MAX);
	for (size_t i = 0; i < c->nrefills && failed; i++) {
		struct err each = {0};
		size_t which = (c->current + i) % c->nrefills;
		forget_page(c);
		failed = ask(c, which, &request, &each);
		if (!failed)
			c->current = which;
		else
			*err = each; /* of the last one asked */
	}
	buf_release(&request);
	*ret = &c->page;
	return failed;
}
