/* sp_listener — see its header. Every wait is bounded. */
#include "tests/suite/sp_listener.h"

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

void sp_listener_close(struct sp_listener *l)
{
	close(l->fd);
	free(l);
}

static void take(struct sp_listener *l, const char *message, size_t len)
{
	static const char name[] = "\"sequence\":\"";

	if (len >= 16 && !memcmp(message, "relay.heartbeat ", 16)) {
		l->beats++;
		return;
	}
	const char *at = memmem(message, len, name, sizeof name - 1);
	assert_non_null(at);
	assert_int_equal(message[len - 1], '}'); /* whole */
	int64_t sequence = strtoll(at + sizeof name - 1, NULL, 10);
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
	size_t at = 0, n, head = l->ipc ? 9 : 8;

	assert_int_equal(poll(&fd, 1, DEADLINE_MS), 1);
	ssize_t got = recv(l->fd, l->text + l->len, sizeof l->text - l->len, 0);
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
