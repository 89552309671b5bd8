/* nng_callers — one poll over all connections, each a small state machine. Invariants: no call
 * here waits but poll; a connection is looked at for reading or for writing, never for both; a
 * turn moves each connection by one message at most, so that none takes the turn of another. */
#include "transports/nng_callers.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "transports/nng_address.h"
#include "transports/nng_frame.h"
#include "transports/nng_sp.h"

#define ACCEPT_MAX 64  /* in one turn */
#define PAUSE_MS   100 /* after accept failed, for want of descriptors most likely */

enum step { GREETING, HEAD, BODY, ASKED, REPLY };

struct caller {
	int fd;
	enum step step;
	int64_t since_ms; /* when the step began; in REPLY, when a byte was taken last */
	uint64_t turn;	  /* in ASKED: lower is answered earlier */
	unsigned char head[SP_HEAD_MAX];
	size_t got;    /* bytes of this step: read, or written */
	char *message; /* owned; a request with its hops, until its reply is written */
	size_t len, hops;
	struct buf reply;
};

struct callers {
	struct nng_listener listener;
	bool ipc;
	int64_t pause_ms; /* nothing is accepted until then */
	callers_answer *answer;
	void *arg;
	uint64_t turns;
	struct caller v[CALLERS_MAX];
	size_t n;
};

/* The last one takes its place. */
static void end(struct callers *c, size_t i, const char *why)
{
	struct caller *one = &c->v[i];

	log_debug("a refill connection ends", log_str("why", why));
	close(one->fd);
	free(one->message);
	buf_release(&one->reply);
	*one = c->v[--c->n];
}

static void enter(struct caller *one, enum step step, int64_t now_ms)
{
	one->step = step;
	one->got = 0;
	one->since_ms = now_ms;
}

/* ---- reading: each returns NULL, or why the connection ends ---- */

enum { WAIT = 0, WHOLE = 1, GONE = -1 };

/* Reads on until `len` bytes of the step are there. */
static int fill(struct caller *one, void *to, size_t len)
{
	while (one->got < len) {
		ssize_t n = recv(one->fd, (char *)to + one->got, len - one->got, 0);
		if (n == 0)
			return GONE;
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? WAIT : GONE;
		one->got += n > 0 ? (size_t)n : 0;
	}
	return WHOLE;
}

static const char *read_greeting(struct caller *one, int64_t now_ms)
{
	int whole = fill(one, one->head, SP_GREETING);

	if (whole == WHOLE && !sp_greeting_is(one->head, SP_REQ))
		return "no REQ socket";
	if (whole == WHOLE)
		enter(one, HEAD, now_ms);
	return whole == GONE ? "gone" : NULL;
}

static const char *read_head(struct caller *one, bool ipc, int64_t now_ms)
{
	bool fresh = one->got == 0;
	int whole = fill(one, one->head, sp_head_size(ipc));
	uint64_t len;

	if (whole == GONE)
		return "gone";
	if (fresh)
		one->since_ms = now_ms; /* the request's first byte */
	if (whole == WAIT)
		return NULL;
	if (!sp_head_read(one->head, ipc, &len))
		return "no message";
	if (len > FRAME_REQUEST_MAX + SP_HOP * SP_HOPS_MAX)
		return "the request is too long";
	one->len = len;
	one->message = xmalloc(len ? len : 1);
	one->step = BODY;
	one->got = 0;
	return NULL;
}

static void forget_request(struct caller *one)
{
	free(one->message);
	one->message = NULL;
	buf_release(&one->reply);
}

static const char *read_body(struct callers *c, struct caller *one, int64_t now_ms)
{
	int whole = fill(one, one->message, one->len);

	if (whole != WHOLE)
		return whole == GONE ? "gone" : NULL;
	int hops = sp_hops(one->message, one->len);
	if (hops == 0)
		return "no request";
	if (hops < 0) { /* as nng does: it came by devices, whose connection others share */
		forget_request(one);
		enter(one, HEAD, now_ms);
		return NULL;
	}
	one->hops = (size_t)hops;
	if (one->len - one->hops > FRAME_REQUEST_MAX)
		return "the request is too long";
	enter(one, ASKED, now_ms);
	one->turn = c->turns++;
	return NULL;
}

static const char *read_on(struct callers *c, struct caller *one, int64_t now_ms)
{
	const char *why = NULL;

	if (one->step == GREETING)
		why = read_greeting(one, now_ms);
	if (!why && one->step == HEAD)
		why = read_head(one, c->ipc, now_ms);
	if (!why && one->step == BODY)
		why = read_body(c, one, now_ms);
	return why;
}

/* ---- writing ---- */

/* The parts of the reply that are not yet written. */
static size_t unwritten(const struct caller *one, bool ipc, struct iovec ret[3])
{
	struct iovec all[3] = {
		{(void *)(uintptr_t)one->head, sp_head_size(ipc)},
		{one->message, one->hops},
		{one->reply.data, one->reply.len},
	};
	size_t skip = one->got, n = 0;

	for (size_t i = 0; i < 3; i++) {
		size_t done = skip < all[i].iov_len ? skip : all[i].iov_len;
		skip -= done;
		if (done < all[i].iov_len)
			ret[n++] = (struct iovec){(char *)all[i].iov_base + done,
						  all[i].iov_len - done};
	}
	return n;
}

/* Returns NULL, or why the connection ends. */
static const char *write_on(struct caller *one, bool ipc, int64_t now_ms)
{
	struct iovec parts[3];
	size_t left = unwritten(one, ipc, parts);

	while (left > 0) {
		struct msghdr msg = {.msg_iov = parts, .msg_iovlen = left};
		ssize_t n = sendmsg(one->fd, &msg, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? NULL : "gone";
		if (n > 0) {
			one->got += (size_t)n;
			one->since_ms = now_ms;
		}
		left = unwritten(one, ipc, parts);
	}
	forget_request(one);
	enter(one, HEAD, now_ms);
	return NULL;
}

/* Ends those that have stood still the longest, but not the one just answered, while the replies
 * take too much memory. */
static void bound_unread(struct callers *c, const struct caller *answered)
{
	for (;;) {
		size_t unread = 0, oldest = c->n;

		for (size_t i = 0; i < c->n; i++) {
			if (c->v[i].step != REPLY)
				continue;
			unread += c->v[i].reply.cap;
			if (&c->v[i] != answered &&
			    (oldest == c->n || c->v[i].since_ms < c->v[oldest].since_ms))
				oldest = i;
		}
		if (unread <= CALLERS_UNREAD_MAX || oldest == c->n)
			return;
		if (answered == &c->v[c->n - 1])
			answered = &c->v[oldest]; /* it moves there */
		end(c, oldest, "too many replies are not read");
	}
}

static void answer_one(struct callers *c)
{
	struct caller *one = NULL;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].step == ASKED && (!one || c->v[i].turn < one->turn))
			one = &c->v[i];
	if (!one)
		return;
	c->answer(c->arg, one->message + one->hops, one->len - one->hops, &one->reply);
	int64_t now_ms = clock_now().mono_ms;
	enter(one, REPLY, now_ms);
	sp_head(one->head, c->ipc, one->hops + one->reply.len);
	const char *why = write_on(one, c->ipc, now_ms);
	if (why)
		end(c, (size_t)(one - c->v), why);
	else if (one->step == REPLY)
		bound_unread(c, one);
}

/* ---- connections ---- */

static void welcome(struct callers *c, int fd, int64_t now_ms)
{
	unsigned char greeting[SP_GREETING];
	int on = 1;

	if (c->n == CALLERS_MAX) {
		log_debug("a refill connection is one too many",
			  log_num("connections", CALLERS_MAX));
		close(fd);
		return;
	}
	if (!c->ipc) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	}
	sp_greeting(greeting, SP_REP);
	if (send(fd, greeting, sizeof greeting, MSG_NOSIGNAL) != sizeof greeting) {
		close(fd); /* an empty buffer has room: the caller is gone */
		return;
	}
	c->v[c->n] = (struct caller){.fd = fd, .reply = BUF_INIT(FRAME_REPLY_MAX)};
	enter(&c->v[c->n++], GREETING, now_ms);
}

static void accept_some(struct callers *c, int64_t now_ms)
{
	for (int i = 0; i < ACCEPT_MAX; i++) {
		int fd = accept4(c->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			welcome(c, fd, now_ms);
		} else if (errno != EINTR && errno != ECONNABORTED) {
			if (errno != EAGAIN)
				c->pause_ms = now_ms + PAUSE_MS;
			return;
		}
	}
}

static short wants(const struct caller *one)
{
	return one->step == ASKED ? 0 : one->step == REPLY ? POLLOUT : POLLIN;
}

static bool is_timed(const struct caller *one)
{
	return one->step != ASKED && (one->step != HEAD || one->got > 0);
}

static int wait_ms(const struct callers *c, int64_t now_ms)
{
	int64_t until = c->pause_ms > now_ms ? c->pause_ms : INT64_MAX;

	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].step == ASKED)
			return 0;
		if (is_timed(&c->v[i]) && c->v[i].since_ms + CALLER_MS < until)
			until = c->v[i].since_ms + CALLER_MS;
	}
	if (until == INT64_MAX)
		return -1;
	return until > now_ms ? (int)(until - now_ms) : 0;
}

/* What poll said of a connection. Returns NULL, or why it ends. */
static const char *serve(struct callers *c, struct caller *one, short events, int64_t now_ms)
{
	const char *why = NULL;

	if (events & (POLLERR | POLLHUP | POLLNVAL))
		return "gone";
	if (events & POLLIN)
		why = read_on(c, one, now_ms);
	else if (events & POLLOUT)
		why = write_on(one, c->ipc, now_ms);
	if (!why && is_timed(one) && now_ms - one->since_ms >= CALLER_MS)
		why = "it stands still";
	return why;
}

void callers_turn(struct callers *c, int wake_fd)
{
	struct pollfd fds[2 + CALLERS_MAX];
	int64_t now_ms = clock_now().mono_ms;
	size_t n = c->n;

	fds[0] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
	fds[1] =
		(struct pollfd){.fd = now_ms < c->pause_ms ? -1 : c->listener.fd, .events = POLLIN};
	for (size_t i = 0; i < n; i++)
		fds[2 + i] = (struct pollfd){.fd = c->v[i].fd, .events = wants(&c->v[i])};
	if (poll(fds, 2 + n, wait_ms(c, now_ms)) < 0 || fds[0].revents)
		return;
	now_ms = clock_now().mono_ms;
	for (size_t i = 0; i < n;) {
		const char *why = serve(c, &c->v[i], fds[2 + i].revents, now_ms);
		if (why) {
			end(c, i, why);
			fds[2 + i] = fds[2 + --n];
		} else {
			i++;
		}
	}
	if (fds[1].revents)
		accept_some(c, now_ms);
	answer_one(c);
}

struct callers *callers_open(const char *url, callers_answer *answer, void *arg, struct err *err)
{
	struct callers *c = xcalloc(1, sizeof *c);

	if (nng_listener_open(&c->listener, url, err) < 0) {
		free(c);
		return NULL;
	}
	c->ipc = c->listener.path != NULL;
	c->answer = answer;
	c->arg = arg;
	return c;
}

void callers_close(struct callers *c)
{
	if (!c)
		return;
	while (c->n > 0)
		end(c, c->n - 1, "the relay ends");
	nng_listener_close(&c->listener);
	free(c);
}
