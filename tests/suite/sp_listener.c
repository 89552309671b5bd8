/* sp_listener — see its header. Every wait is bounded. */
#include "tests/suite/sp_listener.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/suite/sp_caller.h"
#include "tests/suite/tls_caller.h"

#define DEADLINE_MS 20000

static const char sub[8] = {0, 'S', 'P', 0, 0, 0x21, 0, 0};
static const char pub[8] = {0, 'S', 'P', 0, 0, 0x20, 0, 0};

int sp_listener_connect(const char *url)
{
	int fd = sp_caller_connect(url);

	assert_true(sp_caller_send(fd, sub, sizeof sub));
	return fd;
}

struct sp_listener *sp_listener_open(const char *url)
{
	struct sp_listener *l = xcalloc(1, sizeof *l);
	char greeting[8];

	l->ipc = strncmp(url, "ipc://", 6) == 0;
	l->fd = sp_listener_connect(url);
	assert_true(sp_caller_receive(l->fd, greeting, sizeof greeting));
	assert_memory_equal(greeting, pub, sizeof pub);
	return l;
}

struct sp_listener *sp_listener_by_tls(SSL *ssl)
{
	struct sp_listener *l = xcalloc(1, sizeof *l);

	l->fd = SSL_get_fd(ssl);
	l->ssl = ssl;
	assert_true(tls_caller_greet(ssl, sub[5], pub[5]));
	return l;
}

void sp_listener_close(struct sp_listener *l)
{
	SSL_free(l->ssl);
	close(l->fd);
	free(l);
}

void sp_listener_address(const struct sp_listener *l, char *ret, size_t size)
{
	struct sockaddr_in at;
	socklen_t len = sizeof at;

	assert_int_equal(getsockname(l->fd, (struct sockaddr *)&at, &len), 0);
	snprintf(ret, size, "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
}

/* What stands behind `name`. */
static int64_t number(const char *message, size_t len, const char *name)
{
	const char *at = memmem(message, len, name, strlen(name));

	assert_non_null(at);
	assert_int_equal(message[len - 1], '}'); /* whole */
	return strtoll(at + strlen(name), NULL, 10);
}

static void take_beat(struct sp_listener *l, int64_t beat)
{
	if (l->beats++)
		l->lost_beats += (size_t)(beat - l->beat - 1);
	l->beat = beat;
}

static void take(struct sp_listener *l, const char *message, size_t len)
{
	if (len >= 16 && !memcmp(message, "relay.heartbeat ", 16)) {
		take_beat(l, number(message, len, "\"beat\":"));
		return;
	}
	int64_t sequence = number(message, len, "\"sequence\":\"");
	if (l->events++ && sequence != l->sequence + 1) {
		l->gaps++;
		l->gap_from = l->sequence;
		l->gap_to = sequence;
	}
	l->sequence = sequence;
}

/* The length of the first message with what stands before it; 0: it is not whole yet. */
static size_t whole(const unsigned char *text, size_t len, size_t head)
{
	uint64_t body = 0;

	if (len < head)
		return 0;
	if (head == 9)
		assert_int_equal(text[0], 1);
	for (size_t i = head - 8; i < head; i++)
		body = body << 8 | text[i];
	assert_in_range(body, 1, 1 << 20);
	return len - head >= body ? head + body : 0;
}

static void read_some(struct sp_listener *l)
{
	struct pollfd fd = {.fd = l->fd, .events = POLLIN};
	size_t at = 0, n, head = l->ipc ? 9 : 8, room = sizeof l->text - l->len;

	if (!l->ssl || !SSL_pending(l->ssl))
		assert_int_equal(poll(&fd, 1, DEADLINE_MS), 1);
	ssize_t got = l->ssl ? SSL_read(l->ssl, l->text + l->len, (int)room)
			     : recv(l->fd, l->text + l->len, room, 0);
	assert_true(got > 0);
	l->len += (size_t)got;
	for (; (n = whole(l->text + at, l->len - at, head)) > 0; at += n)
		take(l, (const char *)l->text + at + head, n - head);
	memmove(l->text, l->text + at, l->len - at);
	l->len -= at;
}

void sp_listener_beats(struct sp_listener *l, size_t beats)
{
	size_t until = l->beats + beats;

	while (l->beats < until)
		read_some(l);
}

void sp_listener_events(struct sp_listener *l, size_t events)
{
	size_t until = l->events + events;

	while (l->events < until)
		read_some(l);
}
