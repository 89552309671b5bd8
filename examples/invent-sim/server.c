/* server — HTTP around control_request. Invariant: the sim is touched under the lock only, and a
 * reply counts as served only when libmicrohttpd has handed over all of it. */
#include "examples/invent-sim/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

#define BODY_MAX     (1 << 20) /* of a POST under /sim/ */
#define LEDGER_CHUNK (64 << 10)
#define CONNECTIONS  256
#define HANG_MS	     600000 /* a client that waits longer is left alone */

struct sim_server {
	struct sim *sim;
	struct MHD_Daemon *daemon;
	pthread_mutex_t lock;
	pthread_cond_t stopping; /* wakes slow replies */
	bool stop;
};

/* One request, from its first header to its end. */
struct exchange {
	char *path, *query; /* as they came; libmicrohttpd decodes its own copy */
	struct buf body;
	struct sim_reply reply;
	bool begun, answered;
};

static void *begin(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct exchange *x = xcalloc(1, sizeof *x);
	const char *query = strchr(uri, '?');

	(void)connection;
	(void)arg;
	buf_init(&x->body, BODY_MAX);
	x->path = xstrndup(uri, query ? (size_t)(query - uri) : strlen(uri));
	x->query = xstrdup(query ? query + 1 : NULL);
	return x;
}

static void finished(void *arg, struct MHD_Connection *connection, void **state,
		     enum MHD_RequestTerminationCode how)
{
	struct sim_server *s = arg;
	struct exchange *x = *state;

	(void)connection;
	if (!x)
		return;
	if (s->sim->model && x->answered && how == MHD_REQUEST_TERMINATED_COMPLETED_OK) {
		pthread_mutex_lock(&s->lock);
		model_served(s->sim->model, &x->reply);
		pthread_mutex_unlock(&s->lock);
	}
	free(x->path);
	free(x->query);
	buf_release(&x->body);
	sim_reply_release(&x->reply);
	free(x);
	*state = NULL;
}

/* ---- the ledger, streamed */

struct stream {
	struct sim_server *server;
	struct ledger ledger;
	struct buf text;
	size_t at;
	bool done;
};

static ssize_t more_ledger(void *arg, uint64_t pos, char *into, size_t max)
{
	struct stream *l = arg;

	(void)pos;
	if (l->at == l->text.len && !l->done) {
		buf_clear(&l->text);
		l->at = 0;
		pthread_mutex_lock(&l->server->lock);
		l->done = !ledger_read(&l->ledger, &l->text, LEDGER_CHUNK);
		pthread_mutex_unlock(&l->server->lock);
	}
	size_t n = l->text.len - l->at < max ? l->text.len - l->at : max;
	if (!n)
		return MHD_CONTENT_READER_END_OF_STREAM;
	memcpy(into, l->text.data + l->at, n);
	l->at += n;
	return (ssize_t)n;
}

static void end_ledger(void *arg)
{
	struct stream *l = arg;

	buf_release(&l->text);
	free(l);
}

static enum MHD_Result send_ledger(struct sim_server *s, struct MHD_Connection *connection)
{
	struct stream *l = xcalloc(1, sizeof *l);

	l->server = s;
	buf_init(&l->text, 4 * LEDGER_CHUNK);
	pthread_mutex_lock(&s->lock);
	model_advance(s->sim->model, sim_clock_now(&s->sim->clock, clock_now().mono_ms));
	ledger_start(&l->ledger, s->sim->model);
	pthread_mutex_unlock(&s->lock);

	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, LEDGER_CHUNK, more_ledger, l, end_ledger);
	MHD_add_response_header(response, "Content-Type", "application/x-ndjson");
	enum MHD_Result result = MHD_queue_response(connection, 200, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- a reply, whole or not */

static void wait_ms(struct sim_server *s, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&s->lock);
	while (!s->stop && pthread_cond_timedwait(&s->stopping, &s->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&s->lock);
}

static int client_fd(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

/* Until the client closes the connection. */
static enum MHD_Result hang(struct sim_server *s, struct MHD_Connection *connection)
{
	struct pollfd client = {.fd = client_fd(connection), .events = POLLRDHUP};
	int64_t end = clock_now().mono_ms + HANG_MS;
	bool stop = false;

	while (!stop && clock_now().mono_ms < end && poll(&client, 1, 100) == 0) {
		pthread_mutex_lock(&s->lock);
		stop = s->stop;
		pthread_mutex_unlock(&s->lock);
	}
	return MHD_NO;
}

static enum MHD_Result reset(struct MHD_Connection *connection)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(client_fd(connection), SOL_SOCKET, SO_LINGER, &now, sizeof now);
	return MHD_NO;
}

/* The body up to the cut; then the connection ends, short of the promised length. */
static ssize_t body_until_cut(void *arg, uint64_t pos, char *into, size_t max)
{
	const struct sim_reply *reply = arg;

	if (pos >= reply->sent)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	size_t n = reply->sent - pos < max ? reply->sent - (size_t)pos : max;
	memcpy(into, reply->body.data + pos, n);
	return (ssize_t)n;
}

/* The body again and again; nobody has to wait for the end, but there is one. */
static ssize_t body_for_ever(void *arg, uint64_t pos, char *into, size_t max)
{
	const struct sim_reply *reply = arg;

	if (pos >= reply->sent)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	for (size_t i = 0; i < max; i++)
		into[i] = reply->body.data[(pos + i) % reply->body.len];
	return (ssize_t)max;
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct sim_reply *reply)
{
	struct MHD_Response *response;

	if (reply->ending == SIM_CUT)
		response = MHD_create_response_from_callback(reply->body.len, 64 << 10,
							     body_until_cut, reply, NULL);
	else if (reply->ending == SIM_FLOOD && reply->body.len)
		response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 64 << 10,
							     body_for_ever, reply, NULL);
	else
		response = MHD_create_response_from_buffer(reply->body.len, reply->body.data,
							   MHD_RESPMEM_PERSISTENT);
	for (size_t i = 0; i < reply->nheaders; i++)
		MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
	enum MHD_Result result = MHD_queue_response(connection, (unsigned)reply->status, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- requests */

static void client_name(struct MHD_Connection *connection, char ret[INET6_ADDRSTRLEN])
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *from = info ? info->client_addr : NULL;
	const void *address = NULL;

	memcpy(ret, "?", 2);
	if (from && from->sa_family == AF_INET)
		address = &((const struct sockaddr_in *)from)->sin_addr;
	else if (from && from->sa_family == AF_INET6)
		address = &((const struct sockaddr_in6 *)from)->sin6_addr;
	if (address)
		inet_ntop(from->sa_family, address, ret, INET6_ADDRSTRLEN);
}

static enum MHD_Result answer(struct sim_server *s, struct exchange *x, const char *method,
			      struct MHD_Connection *connection)
{
	char client[INET6_ADDRSTRLEN];
	struct sim_request rq = {
		.method = method,
		.path = x->path,
		.query = x->query,
		.authorization =
			MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization"),
		.client = client,
		.arrived_ms = clock_now().mono_ms,
	};

	client_name(connection, client);
	if (control_ledger(s->sim, &rq))
		return send_ledger(s, connection);
	pthread_mutex_lock(&s->lock);
	control_request(s->sim, &rq, x->body.data, x->body.len, &x->reply);
	pthread_mutex_unlock(&s->lock);
	x->answered = true;
	if (x->reply.delay_ms > 0)
		wait_ms(s, x->reply.delay_ms);
	switch (x->reply.ending) {
	case SIM_RESET: return reset(connection);
	case SIM_HANG: return hang(s, connection);
	default: return send_reply(connection, &x->reply);
	}
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *len, void **state)
{
	struct exchange *x = *state;

	(void)url;
	(void)version;
	if (!x->begun) { /* the headers are in, the body is not */
		x->begun = true;
		return MHD_YES;
	}
	if (*len) {
		buf_add(&x->body, data, *len);
		*len = 0;
		return MHD_YES;
	}
	return answer(arg, x, method, connection);
}

/* ---- */

struct sim_server *sim_server_open(struct sim *sim, const char *host, unsigned port,
				   struct err *err)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	const struct sockaddr *at = (const struct sockaddr *)&v4;
	unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
			 MHD_USE_POLL | MHD_USE_SUPPRESS_DATE_NO_CLOCK;

	if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
		at = (const struct sockaddr *)&v6;
		flags |= MHD_USE_IPv6;
	} else if (inet_pton(AF_INET, host, &v4.sin_addr) != 1) {
		err_set(err, ERR_USAGE, "listen: %s is no IP address", host);
		return NULL;
	}

	struct sim_server *s = xcalloc(1, sizeof *s);
	s->sim = sim;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->stopping, NULL);
	s->daemon = MHD_start_daemon(
		flags, (uint16_t)port, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR, at,
		MHD_OPTION_URI_LOG_CALLBACK, begin, s, MHD_OPTION_NOTIFY_COMPLETED, finished, s,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, 120U,
		MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_END);
	if (!s->daemon) {
		err_set(err, ERR_IO, "listen on %s:%u: %s", host, port, strerror(errno));
		sim_server_close(s);
		return NULL;
	}
	return s;
}

unsigned sim_server_port(const struct sim_server *s)
{
	return MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void sim_server_close(struct sim_server *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->stopping);
	pthread_mutex_unlock(&s->lock);
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	pthread_cond_destroy(&s->stopping);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
