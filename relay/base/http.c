/* http — the calls of one thread over one CURLM. Invariant: a transfer is in the CURLM exactly
 * while it is in the list of open ones, and its done function is called once, after it left both.
 */
#include "relay/base/http.h"

#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "relay/base/http_transfer.h"
#include "relay/base/mem.h"

struct http {
	CURLM *multi;
	struct transfer *open; /* doubly linked */
	struct transfer *idle; /* by next; they wait for the next call */
	size_t nopen;
	uint64_t ids; /* given so far */
	struct open_sockets sockets;
	bool started; /* calls that libcurl has not seen yet */
	bool closing;
};

static void init_library(void)
{
	CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);

	assert(code == CURLE_OK);
}

struct http *http_open(size_t max_connections, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http *h = xcalloc(1, sizeof *h);

	pthread_once(&once, init_library);
	h->multi = curl_multi_init();
	if (!h->multi) {
		free(h);
		err_set(err, ERR_IO, "libcurl cannot start");
		return NULL;
	}
	/* Below the number of calls at a time, libcurl would close connections just to reopen. */
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)max_connections);
	curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	return h;
}

static void link_open(struct http *h, struct transfer *t)
{
	t->prev = NULL;
	t->next = h->open;
	if (h->open)
		h->open->prev = t;
	h->open = t;
	h->nopen++;
}

static void unlink_open(struct http *h, struct transfer *t)
{
	if (t->next)
		t->next->prev = t->prev;
	if (t->prev)
		t->prev->next = t->next;
	else
		h->open = t->next;
	h->nopen--;
}

static void put_idle(struct http *h, struct transfer *t)
{
	transfer_reset(t);
	t->next = h->idle;
	h->idle = t;
}

static void finish(struct http *h, struct transfer *t, const struct http_reply *reply)
{
	t->done(t->arg, reply);
	put_idle(h, t);
}

static void take_out(struct http *h, struct transfer *t)
{
	curl_multi_remove_handle(h->multi, t->easy);
	unlink_open(h, t);
}

static void abort_call(struct http *h, struct transfer *t)
{
	struct http_reply reply;

	take_out(h, t);
	transfer_reply(t, CURLE_ABORTED_BY_CALLBACK, &reply);
	reply.failure = HTTP_ABORTED;
	reply.why = "the call was given up";
	finish(h, t, &reply);
}

void http_end_calls(struct http *h)
{
	h->closing = true;
	while (h->open)
		abort_call(h, h->open);
}

void http_close(struct http *h)
{
	if (!h)
		return;
	http_end_calls(h);
	for (struct transfer *t = h->idle, *next; t; t = next) {
		next = t->next;
		transfer_free(t);
	}
	curl_multi_cleanup(h->multi);
	free(h->sockets.v);
	free(h);
}

int http_start(struct http *h, const struct http_call *call, http_done *done, void *arg,
	       uint64_t *ret_id, struct err *err)
{
	struct transfer *t = h->idle;

	if (h->closing)
		return err_set(err, ERR_IO, "HTTP calls are being ended");
	if (t)
		h->idle = t->next;
	else
		t = transfer_new(&h->sockets);
	if (transfer_prepare(t, call, err) < 0) {
		put_idle(h, t);
		return -1;
	}
	t->id = ++h->ids;
	t->done = done;
	t->arg = arg;
	if (curl_multi_add_handle(h->multi, t->easy) != CURLM_OK) {
		put_idle(h, t);
		return err_set(err, ERR_IO, "libcurl does not take the call");
	}
	link_open(h, t);
	h->started = true;
	if (ret_id)
		*ret_id = t->id;
	return 0;
}

void http_abort(struct http *h, uint64_t id)
{
	for (struct transfer *t = h->open; t; t = t->next) {
		if (t->id == id) {
			abort_call(h, t);
			return;
		}
	}
}

size_t http_open_calls(const struct http *h)
{
	return h->nopen;
}

/* Is an open call connecting over this socket, or using it? */
static bool in_use(const struct http *h, const struct open_socket *s)
{
	struct sockaddr_storage local = {0};
	socklen_t len = sizeof local;
	int port = 0;

	if (getsockname(s->fd, (struct sockaddr *)&local, &len) == 0) {
		if (local.ss_family == AF_INET)
			port = ntohs(((struct sockaddr_in *)&local)->sin_port);
		else
			port = ntohs(((struct sockaddr_in6 *)&local)->sin6_port);
	}
	for (const struct transfer *t = h->open; t; t = t->next)
		if (t->local_port ? t->local_port == port : t->id == s->opener)
			return true;
	return false;
}

void http_forget_connections(struct http *h)
{
	for (struct transfer *t = h->open; t; t = t->next)
		curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
	for (size_t i = 0; i < h->sockets.n; i++)
		if (!in_use(h, &h->sockets.v[i]))
			shutdown(h->sockets.v[i].fd, SHUT_RDWR);
}

/* Lets libcurl work and ends what ended; the number of ends. */
static int advance(struct http *h)
{
	struct CURLMsg *msg;
	int ends = 0, left;

	h->started = false;
	curl_multi_perform(h->multi, &left);
	while ((msg = curl_multi_info_read(h->multi, &left)) != NULL) {
		CURLcode code = msg->data.result; /* msg goes with the handle's removal */
		struct http_reply reply;
		struct transfer *t;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t);
		take_out(h, t);
		transfer_reply(t, code, &reply);
		finish(h, t, &reply);
		ends++;
	}
	return ends;
}

int http_wait(struct http *h, int timeout_ms, int fd, struct err *err)
{
	struct curl_waitfd extra = {.fd = fd, .events = CURL_WAIT_POLLIN};
	int ready = 0;
	CURLMcode code;

	/* What was started since, by done functions too, goes out before the wait: to leave it to
	 * the next turn cost three quarters of the rate. If that ended something, only look. */
	if (h->started && (advance(h) || h->started))
		timeout_ms = 0;
	code = curl_multi_poll(h->multi, &extra, fd >= 0, timeout_ms > 0 ? timeout_ms : 0, &ready);
	if (code != CURLM_OK)
		return err_set(err, ERR_IO, "waiting for HTTP calls: %s",
			       curl_multi_strerror(code));
	advance(h);
	if (fd < 0)
		return 0;
	/* libcurl reports no POLLHUP, and an ended pipe would be waited for again and again. */
	return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) > 0;
}

void http_wake(void *arg)
{
	struct http *h = arg;

	curl_multi_wakeup(h->multi);
}

bool http_url_ok(const char *url, bool *ret_plain)
{
	size_t scheme = strncasecmp(url, "http://", 7) == 0    ? 7
			: strncasecmp(url, "https://", 8) == 0 ? 8
							       : 0;
	const char *host = url + scheme;
	bool ok;
	CURLU *u;

	/* libcurl would take http:/a and http:///a for http://a. */
	if (!scheme || strchr("/?#\\", *host) || memchr(host, '@', strcspn(host, "/?#")))
		return false;
	u = curl_url();
	assert(u);						  /* only lack of memory */
	ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK; /* what a call will say to it */
	curl_url_cleanup(u);
	if (ok)
		*ret_plain = scheme == 7;
	return ok;
}
