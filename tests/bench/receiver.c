/* receiver — see the header. Invariant: a request is counted when its last byte has come, before
 * it is answered. */
#include "tests/bench/receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/bench/child.h"

#define REQUEST_MAX (64 << 10)
#define EVENTS	    64
#define FLOOD	    (16 << 10) /* bytes written at once */
#define SEND_BUFFER (64 << 10) /* what a flood costs is the reader's to say, not the kernel's */

static const char no_content[] = "HTTP/1.1 204 No Content\r\n\r\n";
static const char endless[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";

struct conn {
	int fd;
	bool floods;
	size_t len;
	char bytes[REQUEST_MAX + 1];
};

struct server {
	int listener, epoll;
	struct receiver_seen *seen;
};

static void drop(struct conn *c)
{
	close(c->fd); /* which takes it out of the epoll, too */
	free(c);
}

/* The length of a header's value, which every sender here gives. */
static size_t body_length(const char *head, const char *end)
{
	static const char name[] = "content-length:";

	for (const char *line = head; line && line < end; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncasecmp(line, name, sizeof name - 1) == 0)
			return strtoul(line + sizeof name - 1, NULL, 10);
	}
	return 0;
}

static void note_moment(struct server *s, const char *body, size_t len)
{
	static const char key[] = "\"sequence\":\"";
	const char *at = memmem(body, len, key, sizeof key - 1);
	unsigned long sequence = at ? strtoul(at + sizeof key - 1, NULL, 10) : 0;

	if (sequence && sequence < RECEIVER_NOTES && !s->seen->at_us[sequence])
		s->seen->at_us[sequence] = clock_mono_us();
}

/* One request whose body is there. False: the connection gets no more answers. */
static bool take_request(struct server *s, struct conn *c, const char *head, const char *body,
			 size_t len)
{
	const char *path = strchr(head, ' ');

	if (path && strncmp(path, " /hang", 6) == 0) {
		s->seen->others++;
		return true;
	}
	if (path && strncmp(path, " /flood", 7) == 0) {
		s->seen->others++;
		c->floods = true;
		return send(c->fd, endless, sizeof endless - 1, MSG_NOSIGNAL) > 0;
	}
	if (path && strncmp(path, " /timed", 7) == 0)
		note_moment(s, body, len);
	s->seen->requests++;
	return send(c->fd, no_content, sizeof no_content - 1, MSG_NOSIGNAL) > 0;
}

/* Takes the whole requests off the front. False: it is over. */
static bool take_requests(struct server *s, struct conn *c)
{
	size_t at = 0;

	while (!c->floods) {
		char *head = c->bytes + at, *end = memmem(head, c->len - at, "\r\n\r\n", 4);
		if (!end)
			break;
		char *body = end + 4;
		size_t len = body_length(head, end), there = c->len - (size_t)(body - c->bytes);
		if (there < len)
			break;
		if (!take_request(s, c, head, body, len))
			return false;
		at = (size_t)(body - c->bytes) + len;
	}
	c->len -= at;
	if (at && c->len)
		memmove(c->bytes, c->bytes + at, c->len);
	c->bytes[c->len] = '\0';
	return c->len < REQUEST_MAX;
}

/* False: the connection is over. */
static bool receive(struct server *s, struct conn *c)
{
	ssize_t n = recv(c->fd, c->bytes + c->len, REQUEST_MAX - c->len, 0);

	if (n <= 0)
		return false;
	c->len += (size_t)n;
	c->bytes[c->len] = '\0';
	if (!take_requests(s, c))
		return false;
	if (c->floods)
		epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd,
			  &(struct epoll_event){.events = EPOLLOUT, .data.ptr = c});
	return true;
}

static bool flood(const struct conn *c)
{
	static const char bytes[FLOOD];

	return send(c->fd, bytes, sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
}

static void welcome(struct server *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	struct conn *c;

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BUFFER}, sizeof(int));
	c = xmalloc(sizeof *c);
	c->fd = fd;
	c->len = 0;
	c->floods = false;
	epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd,
		  &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
}

static void serve(void *arg)
{
	struct server *s = arg;
	struct epoll_event ready[EVENTS];

	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &(struct epoll_event){.events = EPOLLIN});
	for (;;) {
		int n = epoll_wait(s->epoll, ready, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = ready[i].data.ptr;

			if (!c)
				welcome(s);
			else if (!(c->floods ? flood(c) : receive(s, c)))
				drop(c);
		}
	}
}

static int listen_anywhere(char *url, size_t size)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 1024) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		child_give_up("the receiver cannot listen");
	snprintf(url, size, "http://127.0.0.1:%u", ntohs(at.sin_port));
	return fd;
}

void receiver_start(struct receiver *r)
{
	struct server s = {.listener = listen_anywhere(r->url, sizeof r->url)};

	r->seen = mmap(NULL, sizeof *r->seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (r->seen == MAP_FAILED)
		child_give_up("no memory to share");
	s.seen = r->seen;
	r->pid = child_fork(serve, &s);
	close(s.listener);
}

void receiver_refuse(struct receiver *r)
{
	close(listen_anywhere(r->url, sizeof r->url));
}

void receiver_end(struct receiver *r)
{
	child_end(r->pid);
	munmap(r->seen, sizeof *r->seen);
}
