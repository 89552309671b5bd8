/* nng_hearers — one poll over all connections. Invariants: no call of the thread waits but poll; a
 * turn writes one batch to each connection at most, so that none takes the turn of another. */
#include "transports/nng_hearers.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"
#include "transports/nng_address.h"
#include "transports/nng_hearer.h"

#define ALL_MAX	   (PIPES_MAX + HEARERS_NEW)
#define ACCEPT_MAX 64  /* in one turn */
#define PAUSE_MS   100 /* after accept failed, for want of descriptors most likely */

struct hearers {
	struct pipes *pipes;
	struct spool *spool;
	struct address_listener *listeners;
	size_t nlisteners, cap;
	struct channel_server *tls; /* NULL: no address is for TLS */
	int wake_fd;		    /* -1: none yet */
	atomic_bool asleep, stop;
	_Atomic int64_t until_ms; /* with stop: what has not left by then does not leave */
	pthread_t thread;
	bool started;

	/* the thread's own */
	int64_t pause_ms;  /* nothing is accepted until then */
	int64_t shaken_us; /* that handshakes have taken in this turn */
	struct hearer *v[ALL_MAX];
	size_t n, fresh; /* of which so many have not greeted; in the order in which they came */
	struct pollfd *fds;
};

struct hearers *hearers_new(struct pipes *pipes, uint64_t send_buffer)
{
	struct hearers *o = xcalloc(1, sizeof *o);

	o->pipes = pipes;
	o->spool = spool_new(send_buffer);
	o->wake_fd = -1;
	return o;
}

static int load_tls(struct hearers *o, const char *url, const struct pem_files *files,
		    struct err *err)
{
	const char *which = NULL;

	if (!o->tls)
		o->tls = channel_server_load(files, &which, err);
	return o->tls ? 0 : err_wrap(err, "listen on %s: %s", url, which);
}

int hearers_listen(struct hearers *o, const char *url, const struct pem_files *files,
		   struct err *err)
{
	struct address_listener l;

	if (nng_address_is_tls(url) && load_tls(o, url, files, err) < 0)
		return -1;
	if (address_listener_open(&l, url, err) < 0)
		return -1;
	o->listeners = mem_grow(o->listeners, o->nlisteners, &o->cap, sizeof *o->listeners);
	o->listeners[o->nlisteners++] = l;
	return 0;
}

static void wake(struct hearers *o)
{
	while (write(o->wake_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0 && errno == EINTR) {
	}
}

void hearers_publish(struct hearers *o, const void *message, size_t len)
{
	spool_add(o->spool, message, len);
	if (atomic_exchange(&o->asleep, false))
		wake(o);
}

/* ---- connections ---- */

static void end(struct hearers *o, size_t i, const char *why)
{
	struct hearer *one = o->v[i];

	log_debug("a connection to the bus ends", log_str("why", why));
	if (one->is_in) {
		pipes_leave(o->pipes, one);
		hearer_end(one);
	} else {
		o->fresh--;
	}
	hearer_close(one);
	for (o->n--; i < o->n; i++)
		o->v[i] = o->v[i + 1];
}

/* It has greeted: from here on it gets what is published. Returns NULL, or why it ends. */
static const char *let_in(struct hearers *o, struct hearer *one)
{
	char address[sizeof((struct transport_peer *)0)->address];

	if (channel_holds(&one->channel)) /* else poll tells of it */
		return "a SUB socket sends nothing";
	address_of_peer(one->channel.fd, address, sizeof address);
	hearer_begin(one);
	one->is_in = pipes_enter(o->pipes, address, hearer_count, one);
	if (!one->is_in) {
		hearer_end(one);
		return "there are too many";
	}
	o->fresh--;
	return NULL;
}

static bool may_shake(const struct hearers *o)
{
	return o->shaken_us < HEARERS_SHAKE_US;
}

/* The same. */
static const char *open_on(struct hearers *o, struct hearer *one)
{
	bool shakes = hearer_shakes(one);
	const char *why = NULL;

	if (shakes && !may_shake(o))
		return NULL; /* poll tells of it again */
	int64_t start_us = clock_mono_us();
	int done = hearer_open_on(one, &why);
	o->shaken_us += shakes ? clock_mono_us() - start_us : 0;
	return done == 1 ? let_in(o, one) : why;
}

/* Who is about to greet may be anybody: else those who only connect keep others out. False: there
 * is nobody. */
static bool make_room(struct hearers *o)
{
	for (size_t i = 0; o->fresh && i < o->n; i++)
		if (!o->v[i]->is_in) {
			end(o, i, "others want its place");
			return true;
		}
	return false;
}

static void welcome(struct hearers *o, const struct address_listener *l, int fd, int64_t now_ms)
{
	struct channel channel;
	struct err err = {0};

	if (channel_open(&channel, fd, l->tls ? o->tls : NULL, &err) < 0) {
		log_debug("a connection to the bus is closed", log_str("why", err.msg));
		return;
	}
	if (o->fresh == HEARERS_NEW)
		make_room(o);
	struct hearer *one = hearer_open(&channel, l->path != NULL, o->spool, now_ms);
	o->v[o->n++] = one;
	o->fresh++;
	/* We greet at once; whom a handshake comes before has said nothing yet. */
	const char *why = hearer_shakes(one) ? NULL : open_on(o, one);
	if (why)
		end(o, o->n - 1, why);
}

/* While there is time for handshakes, or those who come would push out those who wait for theirs.
 */
static void accept_some(struct hearers *o, const struct address_listener *l, int64_t now_ms)
{
	for (int i = 0; i < ACCEPT_MAX && may_shake(o); i++) {
		int fd = address_listener_accept(l);

		if (fd < 0) {
			int error = errno;
			if (address_listener_lacks_files(error))
				pipes_lack_files(o->pipes, error == ECONNREFUSED, now_ms);
			if (error != EAGAIN && !make_room(o))
				o->pause_ms = now_ms + PAUSE_MS;
			return;
		}
		welcome(o, l, fd, now_ms);
	}
}

/* Returns NULL, or why it ends. */
static const char *serve(struct hearers *o, struct hearer *one, short events, int64_t now_ms)
{
	const char *why = NULL;

	if (!one->is_in) {
		why = events ? open_on(o, one) : NULL;
		if (!why && !one->is_in && now_ms - one->since_ms >= HEARER_MS)
			why = "it does not greet";
	} else if (events & ~POLLOUT) {
		why = hearer_hear(one);
	}
	if (why || !one->is_in)
		return why;
	if (events & POLLOUT)
		one->reader.blocked = false;
	return one->reader.blocked ? NULL : hearer_write(one);
}

/* ---- the thread ---- */

static int64_t until(const struct hearers *o, int64_t now_ms)
{
	int64_t ret = o->pause_ms > now_ms ? o->pause_ms : INT64_MAX;

	for (size_t i = 0; i < o->n && o->fresh; i++)
		if (!o->v[i]->is_in && o->v[i]->since_ms + HEARER_MS < ret)
			ret = o->v[i]->since_ms + HEARER_MS;
	if (o->stop && o->until_ms < ret)
		ret = o->until_ms;
	return ret;
}

/* For poll. From when this says that it waits, whoever publishes wakes it. */
static int wait_ms(struct hearers *o, int64_t now_ms)
{
	if (spool_is_ready(o->spool))
		return 0;
	o->asleep = true;
	if (spool_is_ready(o->spool)) /* it came before that could be seen */
		return 0;
	int64_t at = until(o, now_ms);
	if (at == INT64_MAX)
		return -1;
	return at > now_ms ? (int)(at - now_ms) : 0;
}

static size_t fill_fds(struct hearers *o, int64_t now_ms)
{
	bool closed = o->stop || now_ms < o->pause_ms;
	size_t n = 0;

	o->fds[n++] = (struct pollfd){.fd = o->wake_fd, .events = POLLIN};
	for (size_t i = 0; i < o->nlisteners; i++)
		o->fds[n++] =
			(struct pollfd){.fd = closed ? -1 : o->listeners[i].fd, .events = POLLIN};
	for (size_t i = 0; i < o->n; i++)
		o->fds[n++] = (struct pollfd){.fd = o->v[i]->channel.fd,
					      .events = hearer_events(o->v[i])};
	return n;
}

static void turn(struct hearers *o)
{
	int64_t now_ms = clock_now().mono_ms;
	size_t n = fill_fds(o, now_ms), first = 1 + o->nlisteners;
	uint64_t woken;

	int ready = poll(o->fds, n, wait_ms(o, now_ms));
	o->asleep = false;
	if (ready < 0)
		return;
	if (o->fds[0].revents && read(o->wake_fd, &woken, sizeof woken) < 0)
		log_debug("the wake of the bus's connections cannot be read");
	now_ms = clock_now().mono_ms;
	o->shaken_us = 0;
	for (size_t i = 0, at = first; at < n; at++) {
		const char *why = serve(o, o->v[i], o->fds[at].revents, now_ms);
		if (why)
			end(o, i, why);
		else
			i++;
	}
	for (size_t i = 0; i < o->nlisteners; i++)
		if (o->fds[1 + i].revents)
			accept_some(o, &o->listeners[i], now_ms);
	spool_trim(o->spool);
}

static bool is_done(const struct hearers *o)
{
	return o->stop && (spool_is_empty(o->spool) || clock_now().mono_ms >= o->until_ms);
}

static void *run(void *arg)
{
	struct hearers *o = arg;

	while (!is_done(o))
		turn(o);
	while (o->n > 0)
		end(o, o->n - 1, "the relay ends");
	return NULL;
}

int hearers_start(struct hearers *o, struct err *err)
{
	if (!o->nlisteners)
		return 0;
	o->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (o->wake_fd < 0)
		return err_set(err, ERR_IO, "eventfd: %s", strerror(errno));
	o->fds = xcalloc(1 + o->nlisteners + ALL_MAX, sizeof *o->fds);
	if (thread_start(&o->thread, "hearers", run, o, err) < 0)
		return -1;
	o->started = true;
	return 0;
}

void hearers_close(struct hearers *o, int linger_ms)
{
	if (!o)
		return;
	if (o->started) {
		o->until_ms = clock_now().mono_ms + linger_ms;
		o->stop = true;
		wake(o);
		pthread_join(o->thread, NULL);
	}
	for (size_t i = 0; i < o->nlisteners; i++)
		address_listener_close(&o->listeners[i]);
	if (o->wake_fd >= 0)
		close(o->wake_fd);
	spool_free(o->spool);
	channel_server_free(o->tls);
	free(o->listeners);
	free(o->fds);
	free(o);
}
