/*
 * libmicrohttpd with one internal thread on epoll. A request is collected (headers judged first,
 * then the body up to its ceiling) and handed over whole.
 */
#include "relay/admin/server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/admin/listen.h"
#include "relay/base/mem.h"

#define CONNECTIONS_MAX	  64
#define CONNECTION_MEMORY (32 << 10) /* of which about half is left to headers */
#define SILENCE_S	  10
#define REPLY_MAX	  (8 << 20)

struct server {
	struct MHD_Daemon *daemon;
	struct server_options options;
	uint16_t port;
};

struct collected { /* of one request */
	struct buf body;
	int refused; /* status, 0: fine so far */
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

static enum MHD_Result send_reply(struct MHD_Connection *c, const struct server_reply *reply)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		reply->body.len, reply->body.data, MHD_RESPMEM_MUST_COPY);
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

static enum MHD_Result refuse(const struct server *s, struct MHD_Connection *c, int status)
{
	struct server_reply reply = {.status = status, .body = BUF_INIT(256)};
	const char *why = status == MHD_HTTP_BAD_REQUEST ? "the body's length is ambiguous"
							 : "the body is too long";
	reply.content_type = s->options.json ? "application/json" : NULL;
	buf_addf(&reply.body, s->options.json ? "{\"error\":\"%s\"}\n" : "%s\n", why);
	enum MHD_Result sent = send_reply(c, &reply);
	buf_release(&reply.body);
	return sent;
}

static void pause_for(int ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
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
	s->options.handler(s->options.arg, &request, &reply);
	if (reply.delay_ms)
		pause_for(reply.delay_ms);
	enum MHD_Result sent = reply.drop ? MHD_NO : send_reply(c, &reply);
	buf_release(&reply.body);
	return sent;
}

static void on_end(void *arg, struct MHD_Connection *c, void **state,
		   enum MHD_RequestTerminationCode why)
{
	struct collected *r = *state;
	(void)arg;
	(void)c;
	(void)why;
	if (!r)
		return;
	buf_release(&r->body);
	free(r);
	*state = NULL;
}

bool server_is_built_in(void)
{
	return true;
}

struct server *server_open(const struct server_options *o, struct err *err)
{
	struct sockaddr_storage address;
	if (listen_parse(o->listen, &address, err) < 0)
		return NULL;
	struct server *s = xcalloc(1, sizeof *s);
	s->options = *o;
	unsigned flags =
		MHD_USE_EPOLL_INTERNAL_THREAD | (address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR,
				     (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT,
				     CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				     (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
				     SILENCE_S, MHD_OPTION_STRICT_FOR_CLIENT, 1,
				     MHD_OPTION_NOTIFY_COMPLETED, on_end, s, MHD_OPTION_END);
	if (!s->daemon) {
		err_set(err, ERR_IO, "%s: cannot listen: %s", o->listen, strerror(errno));
		free(s);
		return NULL;
	}
	s->port = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	return s;
}

uint16_t server_port(const struct server *s)
{
	return s->port;
}

void server_close(struct server *s)
{
	if (!s)
		return;
	MHD_stop_daemon(s->daemon);
	free(s);
}
