/*
 * libmicrohttpd with one internal thread on epoll, or one for each connection. A request is
 * collected (headers judged first, then the body up to its ceiling) and handed over whole.
 */
#include "relay/admin/server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "relay/admin/listen.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"

#define CONNECTIONS_MAX	  64
#define CONNECTION_MEMORY (32 << 10) /* of which about half is left to headers */
#define SILENCE_S	  10
#define REPLY_MAX	  (8 << 20)
#define CLOSE_S		  1 /* for replies that are under way */

struct server {
	struct MHD_Daemon *daemon;
	struct server_options options;
	uint16_t port;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* on the monotonic clock */
	unsigned answering;	/* under the lock: requests whose handler was called */
	bool closing;		/* the same: nobody waits any more */
};

struct collected { /* of one request */
	struct buf body;
	int refused; /* status, 0: fine so far */
	bool answering;
};

const char *server_header(const struct server_request *r, const char *name)
{
	return MHD_lookup_connection_value((struct MHD_Connection *)r->impl, MHD_HEADER_KIND, name);
}

const char *server_parameter(const struct server_request *r, const char *name)
{
	return MHD_lookup_connection_value((struct MHD_Connection *)r->impl, MHD_GET_ARGUMENT_KIND,
					   name);
}

struct each_header {
	server_header_fn *fn;
	void *arg;
};

static enum MHD_Result give_header(void *arg, enum MHD_ValueKind kind, const char *key,
				   const char *value)
{
	const struct each_header *e = arg;
	(void)kind;
	e->fn(e->arg, key, value ? value : "");
	return MHD_YES;
}

void server_each_header(const struct server_request *r, server_header_fn *fn, void *arg)
{
	struct each_header e = {fn, arg};
	MHD_get_connection_values((struct MHD_Connection *)r->impl, MHD_HEADER_KIND, give_header,
				  &e);
}

struct framing {
	unsigned lengths, encodings;
};

static enum MHD_Result count_framing(void *arg, enum MHD_ValueKind kind, const char *key,
				     const char *value)
{
	struct framing *f = arg;
	(void)kind;
	(void)value;
	f->lengths += !strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH);
	f->encodings += !strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING);
	return MHD_YES;
}

static struct collected *begin(struct server *s, struct MHD_Connection *c)
{
	struct collected *r = xcalloc(1, sizeof *r);
	struct framing f = {0};
	buf_init(&r->body, s->options.body_max);
	MHD_get_connection_values(c, MHD_HEADER_KIND, count_framing, &f);
	if (f.lengths + f.encodings > 1)
		r->refused = MHD_HTTP_BAD_REQUEST;
	return r;
}

void server_reply_header(struct server_reply *r, const char *name, const char *value)
{
	assert(r->nheaders < SERVER_HEADERS);
	r->headers[r->nheaders][0] = name;
	r->headers[r->nheaders++][1] = value;
}

/* ---- waiting ---- */

/* Less when the server is closed. */
static void pause_for(struct server *s, int ms)
{
	struct timespec end = thread_deadline(ms);
	pthread_mutex_lock(&s->lock);
	while (!s->closing && pthread_cond_timedwait(&s->changed, &s->lock, &end) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&s->lock);
}

/* ---- replies ---- */

/* A body that comes byte by byte. */
struct drip {
	struct server *server;
	int slow_ms;
	size_t len;
	char body[];
};

static ssize_t next_byte(void *arg, uint64_t at, char *ret, size_t max)
{
	struct drip *d = arg;
	if (at >= d->len)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!max)
		return 0;
	pause_for(d->server, d->slow_ms);
	*ret = d->body[at];
	return 1;
}

static struct MHD_Response *drip_of(struct server *s, const struct server_reply *reply)
{
	struct drip *d = xcalloc(1, sizeof *d + reply->body.len + 1);
	d->server = s;
	d->slow_ms = reply->slow_ms;
	d->len = reply->body.len;
	memcpy(d->body, reply->body.data, d->len);
	struct MHD_Response *ret = MHD_create_response_from_callback(d->len, 1, next_byte, d, free);
	if (!ret)
		free(d);
	return ret;
}

static enum MHD_Result send_reply(struct server *s, struct MHD_Connection *c,
				  const struct server_reply *reply)
{
	struct MHD_Response *response =
		reply->slow_ms ? drip_of(s, reply)
			       : MHD_create_response_from_buffer(reply->body.len, reply->body.data,
								 MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				reply->content_type ? reply->content_type
						    : "text/plain; charset=utf-8");
	for (size_t i = 0; i < reply->nheaders; i++)
		MHD_add_response_header(response, reply->headers[i][0], reply->headers[i][1]);
	enum MHD_Result sent = MHD_queue_response(
		c, reply->status ? (unsigned)reply->status : MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return sent;
}

static enum MHD_Result refuse(struct server *s, struct MHD_Connection *c, int status)
{
	struct server_reply reply = {.status = status, .body = BUF_INIT(256)};
	const char *why = status == MHD_HTTP_BAD_REQUEST ? "the body's length is ambiguous"
							 : "the body is too long";
	reply.content_type = s->options.json ? "application/json" : NULL;
	buf_addf(&reply.body, s->options.json ? "{\"error\":\"%s\"}\n" : "%s\n", why);
	enum MHD_Result sent = send_reply(s, c, &reply);
	buf_release(&reply.body);
	return sent;
}

static void count(struct server *s, struct collected *r, bool begins)
{
	pthread_mutex_lock(&s->lock);
	if (begins != r->answering)
		s->answering += begins ? 1 : -1U;
	r->answering = begins;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* Then and afterwards; whoever waits is silent for no fault of the other side. */
static void wait_as_asked(struct server *s, struct MHD_Connection *c, const struct server_reply *r)
{
	if (!r->delay_ms && !r->slow_ms)
		return;
	unsigned silence = SILENCE_S + (unsigned)(r->delay_ms + r->slow_ms) / 1000;
	MHD_set_connection_option(c, MHD_CONNECTION_OPTION_TIMEOUT, silence);
	pause_for(s, r->delay_ms);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **state)
{
	struct server *s = arg;
	struct collected *r = *state;
	(void)version;
	if (!r) {
		*state = begin(s, c);
		return MHD_YES;
	}
	if (*size) {
		if (!r->refused)
			buf_add(&r->body, data, *size);
		if (r->body.full)
			r->refused = MHD_HTTP_CONTENT_TOO_LARGE;
		*size = 0;
		return MHD_YES;
	}
	if (r->refused)
		return refuse(s, c, r->refused);
	struct server_request request = {method, url, r->body.data, r->body.len, c};
	struct server_reply reply = {.body = BUF_INIT(REPLY_MAX)};
	count(s, r, true);
	s->options.handler(s->options.arg, &request, &reply);
	wait_as_asked(s, c, &reply);
	enum MHD_Result sent = reply.drop ? MHD_NO : send_reply(s, c, &reply);
	buf_release(&reply.body);
	return sent;
}

static void on_end(void *arg, struct MHD_Connection *c, void **state,
		   enum MHD_RequestTerminationCode why)
{
	struct collected *r = *state;
	(void)c;
	(void)why;
	if (!r)
		return;
	count(arg, r, false);
	buf_release(&r->body);
	free(r);
	*state = NULL;
}

bool server_is_built_in(void)
{
	return true;
}

static struct server *server_new(const struct server_options *o)
{
	struct server *s = xcalloc(1, sizeof *s);
	s->options = *o;
	pthread_mutex_init(&s->lock, NULL);
	thread_cond_init(&s->changed);
	return s;
}

static void server_free(struct server *s)
{
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct server *server_open(const struct server_options *o, struct err *err)
{
	struct sockaddr_storage address;
	if (listen_parse(o->listen, &address, err) < 0)
		return NULL;
	struct server *s = server_new(o);
	unsigned flags = (o->threads ? MHD_USE_THREAD_PER_CONNECTION |
					       MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL
				     : MHD_USE_EPOLL_INTERNAL_THREAD) |
			 (address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR,
				     (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT,
				     CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				     (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
				     SILENCE_S, MHD_OPTION_STRICT_FOR_CLIENT, 1,
				     MHD_OPTION_NOTIFY_COMPLETED, on_end, s, MHD_OPTION_END);
	if (!s->daemon) {
		err_set(err, ERR_IO, "%s: cannot listen: %s", o->listen, strerror(errno));
		server_free(s);
		return NULL;
	}
	s->port = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	return s;
}

uint16_t server_port(const struct server *s)
{
	return s->port;
}

static void end_replies(struct server *s)
{
	struct timespec end = thread_deadline(CLOSE_S * 1000);
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_broadcast(&s->changed);
	while (s->options.threads && s->answering &&
	       pthread_cond_timedwait(&s->changed, &s->lock, &end) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&s->lock);
}

void server_close(struct server *s)
{
	if (!s)
		return;
	end_replies(s);
	MHD_stop_daemon(s->daemon);
	server_free(s);
}
