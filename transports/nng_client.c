/* nng_client — sockets and replies of a subscriber. Invariant: what comes out has been checked as
 * JSON, and a body is the very text that came. */
#include "transports/nng_client.h"

#include <stdlib.h>
#include <string.h>

#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/req.h>

#include "relay/base/buf.h"
#include "relay/base/mem.h"
#include "transports/nng_frame.h"

#define RECEIVE_BUFFER 8192 /* messages; nng's greatest */
#define RECONNECT_MS   100
#define RECONNECT_MAX  2000
#define ASK_MS	       2000 /* until a refill address takes the request */
#define REPLY_MS       5000
#define REPLY_DEPTH    (JSON_DEPTH + 8)
#define REFILLS_MAX    16

struct bus_client {
	nng_socket sub;
	int timeout_ms; /* as set on sub */
	nng_msg *msg;	/* the last one received */
	char topic[FRAME_TOPIC_MAX + 1];
	struct json_doc *doc;

	nng_socket refills[REFILLS_MAX];
	char *urls[REFILLS_MAX]; /* owned */
	size_t nrefills, current;
	nng_msg *reply;
	struct bus_page page;
	struct json_doc *page_doc;
};

static int fail(struct err *err, const char *what, int rv)
{
	return err_set(err, ERR_NET, "%s: %s", what, nng_strerror(rv));
}

static void set_reconnect(nng_socket socket)
{
	nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, RECONNECT_MS);
	nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX);
}

static int open_sub(struct bus_client *c, const struct bus_addresses *a, struct err *err)
{
	int rv = nng_sub0_open(&c->sub);

	if (rv != 0)
		return fail(err, "nng", rv);
	set_reconnect(c->sub);
	nng_socket_set_int(c->sub, NNG_OPT_RECVBUF, RECEIVE_BUFFER);
	nng_socket_set_size(c->sub, NNG_OPT_RECVMAXSZ, FRAME_MESSAGE_MAX);
	rv = nng_socket_set(c->sub, NNG_OPT_SUB_SUBSCRIBE, HEARTBEAT_TOPIC " ",
			    strlen(HEARTBEAT_TOPIC " "));
	for (size_t i = 0; i < a->nsubscriptions && rv == 0; i++)
		rv = nng_socket_set(c->sub, NNG_OPT_SUB_SUBSCRIBE, a->subscriptions[i],
				    strlen(a->subscriptions[i]));
	if (rv != 0)
		return fail(err, "subscribe", rv);
	for (size_t i = 0; i < a->nurls; i++) {
		rv = nng_dial(c->sub, a->urls[i], NULL, NNG_FLAG_NONBLOCK);
		if (rv != 0)
			return fail(err, a->urls[i], rv);
	}
	return 0;
}

static int open_refill(struct bus_client *c, const char *url, struct err *err)
{
	nng_socket *socket = &c->refills[c->nrefills];
	int rv = nng_req0_open(socket);

	if (rv != 0)
		return fail(err, "nng", rv);
	set_reconnect(*socket);
	nng_socket_set_ms(*socket, NNG_OPT_SENDTIMEO, ASK_MS);
	nng_socket_set_ms(*socket, NNG_OPT_RECVTIMEO, REPLY_MS);
	nng_socket_set_size(*socket, NNG_OPT_RECVMAXSZ, FRAME_REPLY_MAX + 1024);
	rv = nng_dial(*socket, url, NULL, NNG_FLAG_NONBLOCK);
	if (rv != 0)
		return fail(err, url, rv);
	c->urls[c->nrefills++] = xstrdup(url);
	return 0;
}

struct bus_client *bus_client_open(const struct bus_addresses *a, struct err *err)
{
	struct bus_client *c = xcalloc(1, sizeof *c);

	c->timeout_ms = -1;
	c->doc = json_doc_new();
	c->page_doc = json_doc_new();
	if (a->nrefills > REFILLS_MAX) {
		err_set(err, ERR_USAGE, "at most %d refill addresses are allowed", REFILLS_MAX);
		return NULL;
	}
	if (open_sub(c, a, err) < 0)
		return NULL;
	for (size_t i = 0; i < a->nrefills; i++)
		if (open_refill(c, a->refills[i], err) < 0)
			return NULL;
	return c;
}

/* ---- messages ---- */

static int64_t sequence_of(const struct json *root, const char *member)
{
	const char *digits = json_string(json_get(root, member));
	int64_t sequence = 0;

	return digits && frame_sequence(digits, &sequence) ? sequence : 0;
}

static int read_message(struct bus_client *c, struct bus_event *ret, struct err *err)
{
	const char *bytes = nng_msg_body(c->msg);
	size_t len = nng_msg_len(c->msg), topic_len;

	if (!frame_split(bytes, len, &topic_len) || topic_len > FRAME_TOPIC_MAX ||
	    memchr(bytes, '\0', topic_len))
		return err_set(err, ERR_FORMAT, "a message has no topic");
	memcpy(c->topic, bytes, topic_len);
	c->topic[topic_len] = '\0';
	*ret = (struct bus_event){
		.topic = c->topic, .body = bytes + topic_len + 1, .len = len - topic_len - 1};
	ret->root = json_parse(c->doc, ret->body, ret->len, JSON_DEPTH + 4, err);
	if (!ret->root)
		return err_wrap(err, "a message");
	if (json_type(ret->root) != JSON_OBJECT)
		return err_set(err, ERR_FORMAT, "a message is no JSON object");
	ret->sequence = sequence_of(ret->root, "sequence");
	ret->prevsequence = sequence_of(ret->root, "prevsequence");
	return 1;
}

int bus_client_receive(struct bus_client *c, int timeout_ms, struct bus_event *ret, struct err *err)
{
	if (c->msg)
		nng_msg_free(c->msg);
	c->msg = NULL;
	if (timeout_ms && timeout_ms != c->timeout_ms) {
		nng_socket_set_ms(c->sub, NNG_OPT_RECVTIMEO, timeout_ms);
		c->timeout_ms = timeout_ms;
	}
	int rv = nng_recvmsg(c->sub, &c->msg, timeout_ms ? 0 : NNG_FLAG_NONBLOCK);
	if (rv == NNG_ETIMEDOUT || rv == NNG_EAGAIN)
		return 0;
	if (rv != 0)
		return fail(err, "receive", rv);
	return read_message(c, ret, err);
}

/* ---- refills ---- */

/* p at an opening quote of a checked text; returns what stands behind the closing one. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		p += *p == '\\';
	return p < end ? p + 1 : end;
}

/* p at the opening bracket of an array or object; returns what stands behind it. */
static const char *skip_nested(const char *p, const char *end)
{
	size_t open = 0;

	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		open += *p == '[' || *p == '{';
		open -= *p == ']' || *p == '}';
		p++;
		if (!open)
			break;
	}
	return p;
}

/* Where the array of that name stands in a checked object's text. */
static bool find_array(const char *text, size_t len, const char *quoted_name, struct json_span *ret)
{
	const char *end = text + len, *p = memchr(text, '{', len);
	size_t name_len = strlen(quoted_name);

	p = p ? p + 1 : end;
	while (p < end) {
		const char *from = p;
		if (*p == '[' || *p == '{')
			p = skip_nested(p, end);
		else if (*p == '"')
			p = skip_string(p, end);
		else
			p++;
		if ((size_t)(p - from) != name_len || memcmp(from, quoted_name, name_len) != 0)
			continue;
		while (p < end && strchr(" \t\r\n:", *p))
			p++;
		*ret = (struct json_span){(size_t)(p - text), (size_t)(skip_nested(p, end) - p)};
		if (p < end && *p == '[')
			return true; /* else it was a value */
	}
	return false;
}

static int page_number(const struct json *root, const char *name, int64_t *ret, struct err *err)
{
	if (json_int(json_get(root, name), ret) && *ret >= 0)
		return 0;
	return err_set(err, ERR_FORMAT, "the reply has no \"%s\"", name);
}

static int read_head(struct bus_page *ret, const struct json *root, struct err *err)
{
	const char *why = json_string(json_get(root, "error"));

	if (why)
		return err_set(err, ERR_NET, "refused: %s", why);
	if (page_number(root, "next", &ret->next, err) < 0 ||
	    page_number(root, "oldest", &ret->oldest, err) < 0 ||
	    page_number(root, "latest", &ret->latest, err) < 0)
		return -1;
	ret->more = json_bool(json_get(root, "more"), false);
	ret->n = json_count(json_get(root, "events"));
	if (json_count(json_get(root, "topics")) != ret->n)
		return err_set(err, ERR_FORMAT, "the reply has not one topic for each event");
	return 0;
}

static int read_events(struct bus_page *ret, const struct json *root, struct err *err)
{
	const struct json *v = json_first(json_get(root, "events"));
	const struct json *topic = json_first(json_get(root, "topics"));
	int64_t last = 0;

	for (size_t i = 0; i < ret->n; i++, v = json_next(v), topic = json_next(topic)) {
		struct bus_event *ev = &ret->events[i];
		*ev = (struct bus_event){.topic = json_string(topic),
					 .sequence = sequence_of(v, "sequence"),
					 .prevsequence = sequence_of(v, "prevsequence")};
		if (!ev->topic || ev->sequence <= last)
			return err_set(err, ERR_FORMAT, "the reply's events are not in order");
		last = ev->sequence;
	}
	return 0;
}

/* Gives each event the text it came as. */
static int read_bodies(struct bus_page *ret, const char *text, size_t len, struct err *err)
{
	struct json_doc *doc = json_doc_new();
	const struct json_span *spans;
	struct json_span at;
	bool found = find_array(text, len, "\"events\"", &at) &&
		     json_parse(doc, text + at.at, at.len, REPLY_DEPTH, err) &&
		     json_elements(doc, &spans) == ret->n;

	for (size_t i = 0; found && i < ret->n; i++) {
		ret->events[i].body = text + at.at + spans[i].at;
		ret->events[i].len = spans[i].len;
	}
	json_doc_free(doc);
	return found ? 0 : err_set(err, ERR_FORMAT, "the reply has no \"events\"");
}

int bus_page_read(struct bus_page *ret, struct json_doc *doc, const char *text, size_t len,
		  struct err *err)
{
	const struct json *root = json_parse(doc, text, len, REPLY_DEPTH, err);
	struct bus_page page = {0};

	if (!root)
		return err_wrap(err, "the reply");
	if (read_head(&page, root, err) < 0)
		return -1;
	page.events = xcalloc(page.n, sizeof *page.events);
	if (read_events(&page, root, err) < 0 || read_bodies(&page, text, len, err) < 0) {
		free(page.events);
		return -1;
	}
	*ret = page;
	return 0;
}

static int ask(struct bus_client *c, size_t which, const struct buf *request, struct err *err)
{
	nng_msg *msg;

	if (nng_msg_alloc(&msg, request->len) != 0)
		return err_set(err, ERR_LIMIT, "no memory for a request");
	memcpy(nng_msg_body(msg), request->data, request->len);
	int rv = nng_sendmsg(c->refills[which], msg, 0);
	if (rv != 0) {
		nng_msg_free(msg);
		return fail(err, c->urls[which], rv);
	}
	rv = nng_recvmsg(c->refills[which], &c->reply, 0);
	if (rv != 0)
		return fail(err, c->urls[which], rv);
	if (bus_page_read(&c->page, c->page_doc, nng_msg_body(c->reply), nng_msg_len(c->reply),
			  err) < 0)
		return err_wrap(err, "%s", c->urls[which]);
	return 0;
}

static void forget_page(struct bus_client *c)
{
	free(c->page.events);
	c->page = (struct bus_page){0};
	if (c->reply)
		nng_msg_free(c->reply);
	c->reply = NULL;
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
