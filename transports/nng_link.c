/* nng_link — dialling step by step, messages from what has come. Invariants: `channel` is open
 * exactly while `state` is not DOWN; in[at … in_len) is what came and was not given out. */
#include "transports/nng_link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "transports/nng_address.h"

#define DIAL_MS	      3000 /* until a connection is up */
#define AGAIN_MS      100  /* before the second dial, doubled up to */
#define AGAIN_MAX_MS  2000
#define READ_AT_LEAST 65536

#define REFUSED                                                                                    \
	"it ends the TLS handshake, as one does that wants another certificate of us, or one at "  \
	"all"

enum state { DOWN, CONNECTING, SHAKING, GREETING, UP };

struct link {
	char *url, *path, *host, *port; /* owned; path: of ipc, else NULL */
	enum sp_protocol own, peer;
	size_t max;
	struct channel_client *tls;

	enum state state;
	struct channel channel;
	int64_t until_ms; /* DOWN: not dialled before; else the time by which it is to be up */
	int64_t again_ms;
	size_t dials; /* of a host that may have several addresses */
	unsigned char greeting[SP_GREETING];
	size_t greeted; /* bytes of ours sent, then of the peer's received */
	char trouble[160];

	char *in;
	size_t at, in_len, cap;
};

/* ---- addresses ---- */

/* "HOST:PORT", "[V6]:PORT" */
static bool read_host(struct link *l, const char *text)
{
	const char *colon = strrchr(text, ':');
	bool bracket = *text == '[' && colon > text && colon[-1] == ']';

	if (!colon || !nng_address_is_port(colon + 1))
		return false;
	l->port = xstrdup(colon + 1);
	l->host = xstrndup(text + bracket, (size_t)(colon - text) - 2 * bracket);
	return *l->host && (bracket || !strchr(l->host, ':'));
}

static int read_url(struct link *l, struct err *err)
{
	const char *ipc = nng_address_behind(l->url, "ipc://");
	const char *tcp = nng_address_behind(l->url, "tcp://");
	const char *tls = nng_address_behind(l->url, "tls+tcp://");

	if (ipc && *ipc == '/') {
		l->path = xstrdup(ipc);
		return nng_address_is_path(ipc)
			       ? 0
			       : err_set(err, ERR_USAGE,
					 "%s: the path has %zu bytes; a socket's may have %d at "
					 "most",
					 l->url, strlen(ipc), nng_address_path_max);
	}
	if ((tcp || tls) && read_host(l, tcp ? tcp : tls))
		return 0;
	return err_set(err, ERR_USAGE,
		       "%s: tcp://HOST:PORT, tls+tcp://HOST:PORT%s or ipc:///PATH is expected",
		       l->url, l->own == SP_SUB ? ", ws://HOST:PORT/PATH, wss://…" : "");
}

struct link *link_open(const struct link_settings *s, struct err *err)
{
	struct link *l = xcalloc(1, sizeof *l);
	const char *which;
	int failed = 0;

	*l = (struct link){.url = xstrdup(s->url),
			   .own = s->own,
			   .peer = s->peer,
			   .max = s->max,
			   .again_ms = AGAIN_MS};
	if (read_url(l, err) < 0) {
		failed = -1;
	} else if (nng_address_is_tls(s->url)) {
		l->tls = channel_client_load(&s->files, s->server_name ? s->server_name : l->host,
					     &which, err);
		failed = l->tls ? 0 : err_wrap(err, "%s: %s", s->url, which);
	}
	if (!failed)
		return l;
	link_close(l);
	return NULL;
}

void link_close(struct link *l)
{
	if (!l)
		return;
	if (l->state != DOWN)
		channel_close(&l->channel);
	channel_client_free(l->tls);
	free(l->url);
	free(l->path);
	free(l->host);
	free(l->port);
	free(l->in);
	free(l);
}

const char *link_url(const struct link *l)
{
	return l->url;
}

const char *link_trouble(const struct link *l)
{
	return l->trouble;
}

bool link_is_ipc(const struct link *l)
{
	return l->path != NULL;
}

/* ---- dialling ---- */

void link_drop(struct link *l, int64_t now_ms, bool at_once)
{
	if (l->state != DOWN)
		channel_close(&l->channel);
	if (l->state == UP)
		l->again_ms = AGAIN_MS;
	l->state = DOWN;
	l->at = l->in_len = 0;
	l->until_ms = at_once ? now_ms : now_ms + l->again_ms;
	l->again_ms = 2 * l->again_ms < AGAIN_MAX_MS ? 2 * l->again_ms : AGAIN_MAX_MS;
}

static void fail(struct link *l, const char *why, int64_t now_ms)
{
	snprintf(l->trouble, sizeof l->trouble, "%s", why);
	link_drop(l, now_ms, false);
}

/* A socket that has connected or is about to; -1 with errno. */
static int start_connect(const struct sockaddr *at, socklen_t len)
{
	int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0)
		return -1;
	if (at->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, at, len) == 0 || errno == EINPROGRESS)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int dial_path(const struct link *l, const char **ret_why)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	memcpy(at.sun_path, l->path, strlen(l->path)); /* nng_address_is_path: it fits */
	int fd = start_connect((struct sockaddr *)&at, sizeof at);
	if (fd < 0)
		*ret_why = strerror(errno);
	return fd;
}

/* The next of a host's addresses that does not refuse at once. */
static int dial_host(struct link *l, const char **ret_why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	int fd = -1, rv = getaddrinfo(l->host, l->port, &hints, &list);
	size_t n = 0;

	if (rv != 0) {
		*ret_why = gai_strerror(rv);
		return -1;
	}
	for (const struct addrinfo *i = list; i; i = i->ai_next)
		n++;
	for (size_t tried = 0; tried < n && fd < 0; tried++) {
		const struct addrinfo *i = list;
		for (size_t skip = l->dials++ % n; skip > 0; skip--)
			i = i->ai_next;
		fd = start_connect(i->ai_addr, i->ai_addrlen);
		if (fd < 0)
			*ret_why = strerror(errno);
	}
	freeaddrinfo(list);
	return fd;
}

static void dial(struct link *l, int64_t now_ms)
{
	const char *why = "";
	struct err err = {0};
	int fd = l->path ? dial_path(l, &why) : dial_host(l, &why);

	if (fd < 0) {
		fail(l, why, now_ms);
		return;
	}
	if (channel_dial(&l->channel, fd, l->tls, &err) < 0) {
		fail(l, err.msg, now_ms);
		return;
	}
	l->state = CONNECTING;
	l->greeted = 0;
	l->until_ms = now_ms + DIAL_MS;
}

/* The steps return true when the next one can be taken. */

static bool connected(struct link *l, int64_t now_ms)
{
	struct pollfd p = {.fd = l->channel.fd, .events = POLLOUT};
	int error = 0;
	socklen_t size = sizeof error;

	if (poll(&p, 1, 0) <= 0)
		return false;
	getsockopt(l->channel.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error)
		fail(l, strerror(error), now_ms);
	return !error;
}

static bool shaken(struct link *l, int64_t now_ms)
{
	const char *why;
	char text[sizeof l->trouble];
	int got = channel_shake(&l->channel, &why);

	if (got != CHANNEL_GONE)
		return got == 1;
	snprintf(text, sizeof text, "the TLS handshake fails: %s", why);
	fail(l, strcmp(why, CHANNEL_ENDED) ? text : REFUSED, now_ms);
	return false;
}

static bool greeted(struct link *l, int64_t now_ms)
{
	unsigned char own[SP_GREETING];
	ssize_t n;

	sp_greeting(own, l->own);
	while (l->greeted < sizeof own) {
		struct iovec part = {own + l->greeted, sizeof own - l->greeted};
		n = channel_write(&l->channel, &part, 1);
		if (n == CHANNEL_LATER)
			return false;
		if (n == CHANNEL_GONE)
			return fail(l, l->tls ? REFUSED : "the connection ended", now_ms), false;
		l->greeted += (size_t)n;
	}
	while (l->greeted < 2 * sizeof own) {
		size_t got = l->greeted - sizeof own;
		n = channel_read(&l->channel, l->greeting + got, sizeof own - got);
		if (n == CHANNEL_LATER)
			return false;
		if (n == CHANNEL_GONE)
			return fail(l, l->tls ? REFUSED : "the connection ended", now_ms), false;
		l->greeted += (size_t)n;
	}
	if (sp_greeting_is(l->greeting, l->peer))
		return true;
	fail(l, "what answers there is another kind of address", now_ms);
	return false;
}

bool link_up(struct link *l, int64_t now_ms)
{
	static bool (*const steps[])(struct link *, int64_t) = {
		[CONNECTING] = connected, [SHAKING] = shaken, [GREETING] = greeted};

	if (l->state == DOWN && now_ms >= l->until_ms)
		dial(l, now_ms);
	while (l->state != DOWN && l->state != UP && steps[l->state](l, now_ms)) {
		l->state++;
		if (l->state == UP)
			*l->trouble = '\0';
	}
	if (l->state != DOWN && l->state != UP && now_ms >= l->until_ms)
		fail(l, "no answer", now_ms);
	return l->state == UP;
}

int link_poll(const struct link *l, int64_t now_ms, short *ret_events, int *ret_ms)
{
	int64_t left = l->until_ms - now_ms;
	short wanted = l->state == CONNECTING || (l->state == GREETING && l->greeted < SP_GREETING)
			       ? POLLOUT
			       : POLLIN;

	*ret_events = 0;
	if (l->state != UP && left < *ret_ms)
		*ret_ms = left > 0 ? (int)left : 0;
	if (l->state == DOWN)
		return -1;
	*ret_events = channel_events(&l->channel, wanted);
	if (channel_holds(&l->channel))
		*ret_ms = 0;
	return l->channel.fd;
}

/* ---- messages ---- */

/* The size of the next message with what stands before it, 0: not known yet, -1: it is none. */
static int64_t next_size(const struct link *l, size_t head)
{
	uint64_t len;

	if (l->in_len - l->at < head)
		return 0;
	if (!sp_head_read((const unsigned char *)l->in + l->at, l->path != NULL, &len) ||
	    len > l->max)
		return -1;
	return (int64_t)(head + len);
}

static void make_room(struct link *l, size_t size)
{
	size_t want = size > READ_AT_LEAST ? size : READ_AT_LEAST;

	if (l->at)
		memmove(l->in, l->in + l->at, l->in_len - l->at);
	l->in_len -= l->at;
	l->at = 0;
	if (l->cap < want) {
		l->in = xrealloc(l->in, want, 1);
		l->cap = want;
	}
}

int link_receive(struct link *l, const char **ret, size_t *ret_len)
{
	size_t head = sp_head_size(l->path != NULL);

	for (;;) {
		int64_t size = next_size(l, head);
		if (size < 0)
			return -1;
		if (size && l->in_len - l->at >= (size_t)size) {
			*ret = l->in + l->at + head;
			*ret_len = (size_t)size - head;
			l->at += (size_t)size;
			return 1;
		}
		make_room(l, (size_t)size);
		ssize_t n = channel_read(&l->channel, l->in + l->in_len, l->cap - l->in_len);
		if (n <= 0)
			return n == CHANNEL_GONE ? -1 : 0;
		l->in_len += (size_t)n;
	}
}

ssize_t link_send(struct link *l, const void *bytes, size_t len)
{
	struct iovec part = {(void *)(uintptr_t)bytes, len};
	ssize_t n = channel_write(&l->channel, &part, 1);

	return n == CHANNEL_GONE ? -1 : n;
}
