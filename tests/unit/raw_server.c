/* raw_server — see the header. The lock guards the counts, the last request and the list of
 * connections; a connection's thread owns its socket and closes it under the lock. */
#include "tests/unit/raw_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/mem.h"

#define CONNECTIONS_MAX 256

struct connection {
	struct raw_server *server;
	int fd; /* -1: closed */
	pthread_t thread;
};

struct raw_server {
	int fd, port;
	raw_answer *answer;
	pthread_t thread;
	pthread_mutex_t lock;
	struct connection v[CONNECTIONS_MAX];
	unsigned connections, requests;
	struct raw_request last;
};

bool raw_send(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

bool raw_send_text(int fd, const char *text)
{
	return raw_send(fd, text, strlen(text));
}

void raw_wait_for_end(int fd)
{
	char drop[256];

	while (recv(fd, drop, sizeof drop, 0) > 0)
		;
}

void raw_reset(int fd)
{
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1, .l_linger = 0},
		   sizeof(struct linger));
}

/* Reads one request, byte by byte up to the body so that nothing of the next is taken. */
static bool read_request(int fd, struct raw_request *ret)
{
	size_t len = 0;
	const char *length;

	memset(ret, 0, sizeof *ret);
	ret->fd = fd;
	while (len < 4 || memcmp(ret->head + len - 4, "\r\n\r\n", 4) != 0) {
		if (len == sizeof ret->head - 1 || recv(fd, ret->head + len, 1, 0) != 1)
			return false;
		len++;
	}
	sscanf(ret->head, "%*s %255s", ret->path);
	length = strcasestr(ret->head, "\r\ncontent-length:");
	if (length)
		ret->body_len = strtoul(length + 17, NULL, 10);
	if (ret->body_len >= sizeof ret->body)
		return false;
	return !ret->body_len ||
	       recv(fd, ret->body, ret->body_len, MSG_WAITALL) == (ssize_t)ret->body_len;
}

static void *serve(void *arg)
{
	struct connection *c = arg;
	struct raw_server *s = c->server;
	struct raw_request *rq = xmalloc(sizeof *rq);
	bool more = true;

	while (more && read_request(c->fd, rq)) {
		pthread_mutex_lock(&s->lock);
		s->requests++;
		s->last = *rq;
		pthread_mutex_unlock(&s->lock);
		more = s->answer(rq);
	}
	free(rq);
	pthread_mutex_lock(&s->lock);
	close(c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct raw_server *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0 || errno == EMFILE) {
		if (fd < 0) { /* a test that takes them all; wait for another one */
			usleep(1000);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
		pthread_mutex_lock(&s->lock);
		if (s->connections == CONNECTIONS_MAX) {
			close(fd);
		} else {
			struct connection *c = &s->v[s->connections++];

			*c = (struct connection){.server = s, .fd = fd};
			pthread_create(&c->thread, NULL, serve, c);
		}
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

struct raw_server *raw_server_open(raw_answer *answer)
{
	struct raw_server *s = xcalloc(1, sizeof *s);
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;

	s->answer = answer;
	pthread_mutex_init(&s->lock, NULL);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&at, len) < 0 || listen(s->fd, 128) < 0 ||
	    getsockname(s->fd, (struct sockaddr *)&at, &len) < 0) {
		perror("raw_server");
		abort();
	}
	s->port = ntohs(at.sin_port);
	pthread_create(&s->thread, NULL, accept_all, s);
	return s;
}

void raw_server_close(struct raw_server *s)
{
	shutdown(s->fd, SHUT_RDWR); /* ends accept */
	pthread_join(s->thread, NULL);
	close(s->fd);
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->connections; i++)
		if (s->v[i].fd >= 0)
			shutdown(s->v[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < s->connections; i++)
		pthread_join(s->v[i].thread, NULL);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int raw_server_port(const struct raw_server *s)
{
	return s->port;
}

unsigned raw_server_connections(struct raw_server *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->connections;
	pthread_mutex_unlock(&s->lock);
	return n;
}

unsigned raw_server_requests(struct raw_server *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->requests;
	pthread_mutex_unlock(&s->lock);
	return n;
}

void raw_server_last(struct raw_server *s, struct raw_request *ret)
{
	pthread_mutex_lock(&s->lock);
	*ret = s->last;
	pthread_mutex_unlock(&s->lock);
}
