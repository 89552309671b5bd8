/* nng_callers — one poll over all connections. Invariants: no call here waits but poll; a turn
 * moves each connection by one message at most, so that none takes the turn of another. */
#include "transports/nng_callers.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "transports/nng_address.h"
#include "transports/nng_caller.h"

#define ACCEPT_MAX 64  /* in one turn */
#define PAUSE_MS   100 /* after accept failed, for want of descriptors most likely */

struct callers {
	struct address_listener listener;
	struct channel_server *tls; /* NULL: plain */
	bool ipc;
	int64_t pause_ms; /* nothing is accepted until then */
	int64_t short_ms; /* when files lacked last */
	callers_answer *answer;
	void *arg;
	uint64_t turns;
	struct caller v[CALLERS_MAX]; /* in the order in which they connected */
	size_t n;
};

/* The others keep their order: it is that of requests which one poll finds, and tells who of those
 * that are not open came first. */
static void end(struct callers *c, size_t i, const char *why)
{
	log_debug("a refill connection ends", log_str("why", why));
	caller_end(&c->v[i]);
	c->n--;
	memmove(&c->v[i], &c->v[i + 1], (c->n - i) * sizeof *c->v);
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
		if (answered > &c->v[oldest])
			answered--; /* it moves there */
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
	const char *why = caller_reply(one, clock_now().mono_ms);
	if (why)
		end(c, (size_t)(one - c->v), why);
	else if (one->step == REPLY)
		bound_unread(c, one);
}

/* ---- connections ---- */

/* A connection that may be anybody's gives way: else those who only connect keep others out. */
static bool make_room(struct callers *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].step == OPENING) {
			end(c, i, "others want its place");
			return true;
		}
	return false;
}

static void welcome(struct callers *c, int fd, int64_t now_ms)
{
	struct caller *one = &c->v[c->n];
	struct channel channel;
	struct err err = {0};

	if (channel_open(&channel, fd, c->tls, &err) < 0) {
		log_debug("a refill connection is closed", log_str("why", err.msg));
		return;
	}
	const char *why = caller_begin(one, &channel, c->ipc, now_ms);
	c->n++;
	if (why)
		end(c, c->n - 1, why);
}

static void take_in(struct callers *c, int fd, int64_t now_ms)
{
	if (c->n < CALLERS_MAX || make_room(c)) {
		welcome(c, fd, now_ms);
		return;
	}
	log_debug("a refill connection is one too many", log_num("connections", CALLERS_MAX));
	close(fd);
}

static void accept_some(struct callers *c, int64_t now_ms)
{
	for (int i = 0; i < ACCEPT_MAX; i++) {
		int fd = address_listener_accept(&c->listener);

		if (fd < 0) {
			int error = errno;
			if (address_listener_lacks_files(error))
				c->short_ms = now_ms;
			if (error != EAGAIN && !make_room(c))
				c->pause_ms = now_ms + PAUSE_MS;
			return;
		}
		take_in(c, fd, now_ms);
	}
}

static int wait_ms(const struct callers *c, int64_t now_ms)
{
	int64_t until = c->pause_ms > now_ms ? c->pause_ms : INT64_MAX;

	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].step == ASKED || caller_holds(&c->v[i]))
			return 0;
		if (caller_is_timed(&c->v[i]) && c->v[i].since_ms + CALLER_MS < until)
			until = c->v[i].since_ms + CALLER_MS;
	}
	if (until == INT64_MAX)
		return -1;
	return until > now_ms ? (int)(until - now_ms) : 0;
}

/* What poll said of a connection. Returns NULL, or why it ends. */
static const char *serve(struct callers *c, struct caller *one, short events, int64_t now_ms)
{
	bool had_asked = one->step == ASKED;
	const char *why = NULL;

	if (events & (POLLERR | POLLHUP | POLLNVAL))
		return "gone";
	if (events || caller_holds(one))
		why = caller_go_on(one, now_ms);
	if (one->step == ASKED && !had_asked)
		one->turn = c->turns++;
	if (!why && caller_is_timed(one) && now_ms - one->since_ms >= CALLER_MS)
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
		fds[2 + i] =
			(struct pollfd){.fd = c->v[i].channel.fd, .events = caller_wants(&c->v[i])};
	if (poll(fds, 2 + n, wait_ms(c, now_ms)) < 0 || fds[0].revents)
		return;
	now_ms = clock_now().mono_ms;
	for (size_t i = 0; i < n;) {
		const char *why = serve(c, &c->v[i], fds[2 + i].revents, now_ms);
		if (why) {
			end(c, i, why);
			n--;
			memmove(&fds[2 + i], &fds[3 + i], (n - i) * sizeof *fds);
		} else {
			i++;
		}
	}
	if (fds[1].revents)
		accept_some(c, now_ms);
	answer_one(c);
}

int64_t callers_short_ms(const struct callers *c)
{
	return c->short_ms;
}

struct callers *callers_open(const char *url, const struct pem_files *files, callers_answer *answer,
			     void *arg, struct err *err)
{
	struct callers *c = xcalloc(1, sizeof *c);
	const char *which = NULL;
	bool tls = nng_address_is_tls(url);

	c->tls = tls ? channel_server_load(files, &which, err) : NULL;
	if (tls && !c->tls)
		err_wrap(err, "listen on %s: %s", url, which);
	if ((tls && !c->tls) || address_listener_open(&c->listener, url, err) < 0) {
		channel_server_free(c->tls);
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
	address_listener_close(&c->listener);
	channel_server_free(c->tls);
	free(c);
}
