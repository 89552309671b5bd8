/* nng_hearer — greeting, reading, writing. Invariant: a message that was begun is written to its
 * end before any other. */
#include "transports/nng_hearer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "relay/base/mem.h"

#define BATCH 64 /* messages in one call: more than a socket's buffer holds of most */

struct hearer *hearer_open(int fd, struct spool *spool, int64_t now_ms)
{
	struct hearer *one = xcalloc(1, sizeof *one);

	one->fd = fd;
	one->spool = spool;
	one->since_ms = now_ms;
	return one;
}

void hearer_close(struct hearer *one)
{
	if (!one)
		return;
	close(one->fd);
	free(one);
}

const char *hearer_greet(struct hearer *one)
{
	unsigned char greeting[SP_GREETING];

	sp_greeting(greeting, SP_PUB);
	/* It is the first to be written, so there is room. */
	ssize_t n = send(one->fd, greeting, sizeof greeting, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n == sizeof greeting ? NULL : "gone";
}

bool hearer_has_greeted(const struct hearer *one)
{
	return one->got == SP_GREETING;
}

/* The bytes read; 0: none yet; -1: the connection has ended. */
static ssize_t read_some(const struct hearer *one, void *to, size_t len)
{
	ssize_t n;

	do
		n = recv(one->fd, to, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
}

const char *hearer_hear(struct hearer *one)
{
	unsigned char any;
	bool greeted = hearer_has_greeted(one);
	ssize_t n = greeted ? read_some(one, &any, 1)
			    : read_some(one, one->greeting + one->got, SP_GREETING - one->got);

	if (n < 0)
		return "gone";
	if (greeted)
		return n ? "a SUB socket sends nothing" : NULL;
	one->got += (size_t)n;
	if (hearer_has_greeted(one) && !sp_greeting_is(one->greeting, SP_SUB))
		return "no SUB socket";
	return NULL;
}

/* ---- writing ---- */

/* How many of them went whole. */
static size_t note_written(struct hearer *one, struct letter *const *letters, size_t n,
			   size_t bytes)
{
	size_t went = 0;

	bytes += one->written;
	while (went < n && bytes >= letters[went]->len)
		bytes -= letters[went++]->len;
	one->written = bytes;
	return went;
}

const char *hearer_write(struct hearer *one)
{
	struct letter *letters[BATCH] = {one->begun};
	struct iovec parts[BATCH];
	size_t n = one->begun ? 1 : 0;
	ssize_t sent;

	n += spool_take(one->spool, &one->reader, letters + n, BATCH - n);
	if (n == 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		parts[i] = (struct iovec){letters[i]->bytes, letters[i]->len};
	parts[0].iov_base = letters[0]->bytes + one->written;
	parts[0].iov_len -= one->written;
	do
		sent = sendmsg(one->fd, &(struct msghdr){.msg_iov = parts, .msg_iovlen = n},
			       MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	bool gone = sent < 0 && errno != EAGAIN;
	size_t went = note_written(one, letters, n, sent > 0 ? (size_t)sent : 0);
	one->begun = one->written ? letters[went] : NULL;
	one->reader.blocked = went < n;
	spool_give_back(one->spool, &one->reader, letters, went, one->begun ? 1 : 0);
	return gone ? "gone" : NULL;
}

/* ---- for its hearers ---- */

void hearer_begin(struct hearer *one)
{
	spool_enter(one->spool, &one->reader);
}

void hearer_end(struct hearer *one)
{
	if (one->begun) /* it waits again, for nobody */
		spool_give_back(one->spool, &one->reader, &one->begun, 0, 0);
	one->begun = NULL;
	spool_leave(one->spool, &one->reader);
}

void hearer_count(const void *arg, struct queue_counts *ret)
{
	const struct hearer *one = arg;

	spool_count(one->spool, &one->reader, ret);
}

void hearer_address(const struct hearer *one, char *ret, size_t size)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	if (getsockopt(one->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		snprintf(ret, size, "process %ld", (long)peer.pid);
	else
		snprintf(ret, size, "unknown");
}
