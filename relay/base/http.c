/* http — the calls of one thread over one CURLM. Invariant: a transfer is in the CURLM exactly
 * while it is in the list of open ones, and its done function is called once, after it left both.
 */
#include "relay/base/http.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/http_transfer.h"
#include "relay/base/mem.h"

/* What the owner does. Only one who waits costs its waker a system call. */
enum http_owner { HTTP_AWAKE, HTTP_WAITING, HTTP_WOKEN };

struct http {
	CURLM *multi;
	struct http_watch watch;
	_Atomic enum http_owner owner;
	struct transfer *open; /* doubly linked */
	struct transfer *idle; /* by next; they wait for the next call */
	size_t nopen;
	size_t pool;  /* connections kept beside those in use */
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

struct http *http_open(size_t max_idle, struct err *err)
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
	if (http_watch_open(&h->watch, h->multi, err) < 0) {
		curl_multi_cleanup(h->multi);
		free(h);
		return NULL;
	}
	http_sockets_init(&h->sockets, &h->watch);
	h->pool = max_idle < h->sockets.most / 2 ? max_idle : h->sockets.most / 2;
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

/* libcurl counts those in use, too: were many calls open, it would close the others' connections
 * just to reopen them. */
static void allow_connections(struct http *h)
{
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)(h->pool + h->nopen));
}

static int put_in(struct http *h, struct transfer *t)
{
	if (curl_multi_add_handle(h->multi, t->easy) != CURLM_OK)
		return -1;
	link_open(h, t);
	allow_connections(h);
	h->started = true;
	return 0;
}

static void take_out(struct http *h, struct transfer *t)
{
	curl_multi_remove_handle(h->multi, t->easy);
	unlink_open(h, t);
	allow_connections(h);
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
	http_watch_close(&h->watch);
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
	if (put_in(h, t) < 0) {
		put_idle(h, t);
		return err_set(err, ERR_IO, "libcurl does not take the call");
	}
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
	int port = http_socket_port(s->fd);

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

/* Ends what ended; the number of ends. */
static int end_calls(struct http *h)
{
	struct CURLMsg *msg;
	int ends = 0, left;

	while ((msg = curl_multi_info_read(h->multi, &left)) != NULL) {
		CURLcode code = msg->data.result; /* msg goes with the handle's removal */
		struct http_reply reply;
		struct transfer *t;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t);
		take_out(h, t);
		if (transfer_again(t) && put_in(h, t) == 0)
			continue;
		transfer_reply(t, code, &reply);
		finish(h, t, &reply);
		ends++;
	}
	return ends;
}

/* What was added since, by done functions too, goes out. */
static int start_calls(struct http *h)
{
	h->started = false;
	http_watch_timer(&h->watch);
	return end_calls(h);
}

int http_wait(struct http *h, int timeout_ms, int fd, struct err *err)
{
	enum http_owner awake = HTTP_AWAKE;
	int failed;

	/* To leave what was started to the next turn cost three quarters of the rate. If that ended
	 * something, only look. */
	if (h->started && (start_calls(h) || h->started))
		timeout_ms = 0;
	if (timeout_ms > 0 && !atomic_compare_exchange_strong(&h->owner, &awake, HTTP_WAITING))
		timeout_ms = 0; /* woken since the last wait ended */
	failed = http_watch_wait(&h->watch, timeout_ms, fd, err);
	end_calls(h);
	/* From here on the caller looks for what it was woken for. */
	atomic_store(&h->owner, HTTP_AWAKE);
	if (failed)
		return -1;
	if (fd < 0)
		return 0;
	return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) > 0;
}

void http_wake(void *arg)
{
	struct http *h = arg;

	if (atomic_exchange(&h->owner, HTTP_WOKEN) == HTTP_WAITING)
		http_watch_wake(&h->watch);
}
