/* http_receiver — just enough of HTTP/1.1 for a sender that is known: Content-Length only. */
#include "tests/suite/http_receiver.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/mem.h"

#define CONNECTIONS 128

struct connection {
	int fd;
	char *in; /* NUL-terminated */
	size_t len;
};

struct http_receiver {
	int listen_fd, port;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint quiet; /* turns in a row without a connection */
	struct connection open[CONNECTIONS];
	size_t nopen;

	pthread_mutex_t lock; /* what follows */
	struct received **v;
	size_t n, cap;
	char *reply;
	http_receiver_judge *judge;
	void *judge_arg;
};

/* Takes one whole request from the front of what came; NULL: not yet. */
static struct received *take_request(struct connection *c)
{
	char *end = c->len ? strstr(c->in, "\r\n\r\n") : NULL, *length;
	size_t head_len, body_len = 0;
	struct received *q;

	if (!end)
		return NULL;
	head_len = (size_t)(end - c->in) + 2;
	length = strcasestr(c->in, "\r\nContent-Length:");
	if (length && length < end)
		body_len = strtoul(length + 17, NULL, 10);
	if (c->len < head_len + 2 + body_len)
		return NULL;
	q = xcalloc(1, sizeof *q);
	q->head = xstrndup(c->in, head_len);
	q->body = xstrndup(c->in + head_len + 2, body_len);
	q->len = body_len;
	c->len -= head_len + 2 + body_len;
	memmove(c->in, c->in + head_len + 2 + body_len, c->len + 1);
	return q;
}

/* False: the connection ends. */
static bool serve(struct http_receiver *r, struct connection *c)
{
	struct received *q;
	bool goes_on = true;

	while (goes_on && (q = take_request(c))) {
		pthread_mutex_lock(&r->lock);
		r->v = mem_grow(r->v, r->n, &r->cap, sizeof *r->v);
		r->v[r->n++] = q;
		const char *reply = r->judge ? r->judge(r->judge_arg, q) : r->reply;
		if (reply)
			goes_on = *reply && send(c->fd, reply, strlen(reply), MSG_NOSIGNAL) > 0;
		pthread_mutex_unlock(&r->lock);
	}
	return goes_on;
}

static bool read_some(struct http_receiver *r, struct connection *c)
{
	char bytes[65536];
	ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);

	if (n <= 0)
		return false;
	c->in = xrealloc(c->in, c->len + (size_t)n + 1, 1);
	memcpy(c->in + c->len, bytes, (size_t)n);
	c->len += (size_t)n;
	c->in[c->len] = '\0';
	return serve(r, c);
}

static void accept_one(struct http_receiver *r)
{
	int fd = accept(r->listen_fd, NULL, NULL), one = 1;

	if (fd < 0)
		return;
	assert(r->nopen < CONNECTIONS);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	r->open[r->nopen++] = (struct connection){.fd = fd};
}

static void drop(struct http_receiver *r, size_t i)
{
	close(r->open[i].fd);
	free(r->open[i].in);
	r->open[i] = r->open[--r->nopen];
}

static void *run(void *arg)
{
	struct http_receiver *r = arg;

	while (!atomic_load(&r->stop)) {
		struct pollfd fds[CONNECTIONS + 1];
		size_t n = r->nopen;

		for (size_t i = 0; i < n; i++)
			fds[i] = (struct pollfd){.fd = r->open[i].fd, .events = POLLIN};
		fds[n] = (struct pollfd){.fd = r->listen_fd, .events = POLLIN};
		poll(fds, n + 1, 20);
		for (size_t i = n; i-- > 0;)
			if (fds[i].revents && !read_some(r, &r->open[i]))
				drop(r, i);
		if (fds[n].revents)
			accept_one(r);
		atomic_store(&r->quiet, n || r->nopen ? 0 : atomic_load(&r->quiet) + 1);
	}
	return NULL;
}

struct http_receiver *http_receiver_open(const char *reply)
{
	struct http_receiver *r = xcalloc(1, sizeof *r);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof at;
	int failed;

	r->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	failed = bind(r->listen_fd, (struct sockaddr *)&at, sizeof at) ||
		 listen(r->listen_fd, CONNECTIONS) ||
		 getsockname(r->listen_fd, (struct sockaddr *)&at, &len);
	assert(!failed);
	r->port = ntohs(at.sin_port);
	r->reply = xstrdup(reply);
	pthread_mutex_init(&r->lock, NULL);
	failed = pthread_create(&r->thread, NULL, run, r);
	assert(!failed);
	return r;
}

void http_receiver_close(struct http_receiver *r)
{
	atomic_store(&r->stop, true);
	pthread_join(r->thread, NULL);
	while (r->nopen)
		drop(r, 0);
	close(r->listen_fd);
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i]->head);
		free(r->v[i]->body);
		free(r->v[i]);
	}
	free(r->v);
	free(r->reply);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void http_receiver_answer(struct http_receiver *r, const char *reply)
{
	pthread_mutex_lock(&r->lock);
	free(r->reply);
	r->reply = xstrdup(reply);
	pthread_mutex_unlock(&r->lock);
}

void http_receiver_ask(struct http_receiver *r, http_receiver_judge *fn, void *arg)
{
	pthread_mutex_lock(&r->lock);
	r->judge = fn;
	r->judge_arg = arg;
	pthread_mutex_unlock(&r->lock);
}

int http_receiver_port(const struct http_receiver *r)
{
	return r->port;
}

static size_t count(struct http_receiver *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->n;
	pthread_mutex_unlock(&r->lock);
	return n;
}

size_t http_receiver_count(struct http_receiver *r, size_t n)
{
	for (int i = 0; i < 10000 && count(r) < n; i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	return count(r);
}

void http_receiver_rest(struct http_receiver *r)
{
	atomic_store(&r->quiet, 0);
	for (int i = 0; i < 10000 && atomic_load(&r->quiet) < 3; i++) /* one may be under way */
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

const struct received *http_receiver_get(struct http_receiver *r, size_t i)
{
	const struct received *q;

	pthread_mutex_lock(&r->lock);
	assert(i < r->n);
	q = r->v[i];
	pthread_mutex_unlock(&r->lock);
	return q;
}

bool received_header(const struct received *q, const char *name, char *ret, size_t size)
{
	size_t len = strlen(name);

	for (const char *line = strstr(q->head, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
			line += len + 1;
			line += strspn(line, " ");
			snprintf(ret, size, "%.*s", (int)strcspn(line, "\r"), line);
			return true;
		}
	}
	return false;
}
