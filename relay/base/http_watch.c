/* http_watch — waiting for libcurl's sockets and its timer. libcurl says which sockets it cares for
 * and when it wants to be called; the kernel keeps that list, so that a turn costs by what happened
 * and not by what is open: thousands of calls may hang while others go on. Invariant: libcurl is
 * called for a socket only when it wants to be, and something happened on it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/http_transfer.h"
#include "relay/base/mem.h"

#define EVENTS 64

/* The place of a socket; there is one for every number up to the highest seen. */
static struct watched *place(struct http_watch *w, curl_socket_t fd)
{
	size_t n = w->n, need = (size_t)fd + 1;

	if (need > n) {
		w->n = need + need / 2;
		w->v = xrealloc(w->v, w->n, sizeof *w->v);
		memset(w->v + n, 0, (w->n - n) * sizeof *w->v);
	}
	return &w->v[fd];
}

void http_watch_opened(struct http_watch *w, curl_socket_t fd)
{
	*place(w, fd) = (struct watched){.ours = true};
}

/* The kernel forgets it with the close. */
void http_watch_closed(struct http_watch *w, curl_socket_t fd)
{
	*place(w, fd) = (struct watched){0};
}

static void unlist(struct http_watch *w, curl_socket_t fd)
{
	epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	w->v[fd].listed = 0;
}

/* A connection that becomes idle stays in the kernel's list: most often the next call wants it
 * there, and two system calls for each call are saved. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userp, void *socketp)
{
	struct http_watch *w = userp;
	struct watched *s = place(w, fd);
	struct epoll_event ev = {.data.fd = fd};

	(void)easy;
	(void)socketp;
	s->wanted = what == CURL_POLL_REMOVE ? 0 : (uint8_t)what;
	if (s->wanted && s->wanted != s->listed) {
		ev.events =
			(what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
		epoll_ctl(w->epoll_fd, s->listed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev);
		s->listed = s->wanted;
	} else if (!s->wanted && !s->ours && s->listed) {
		unlist(w, fd); /* libcurl's own: it closes them itself */
	}
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *userp)
{
	struct http_watch *w = userp;

	(void)multi;
	if (timeout_ms > 0)
		w->due_us = clock_mono_us() + timeout_ms * 1000;
	else
		w->due_us = timeout_ms < 0 ? INT64_MAX : 0;
	return 0;
}

int http_watch_open(struct http_watch *w, CURLM *multi, struct err *err)
{
	struct epoll_event ev = {.events = EPOLLIN};

	*w = (struct http_watch){.multi = multi, .due_us = INT64_MAX};
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ev.data.fd = w->wake_fd;
	if (w->epoll_fd < 0 || w->wake_fd < 0 ||
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &ev) < 0) {
		err_set(err, ERR_IO, "waiting for HTTP calls: %s", strerror(errno));
		http_watch_close(w);
		return -1;
	}
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, w);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, w);
	return 0;
}

void http_watch_close(struct http_watch *w)
{
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	free(w->v);
}

void http_watch_wake(struct http_watch *w)
{
	uint64_t one = 1;

	if (write(w->wake_fd, &one, sizeof one) < 0) {
		/* It is full of wakes already. */
	}
}

void http_watch_timer(struct http_watch *w)
{
	int left;

	if (w->due_us == INT64_MAX || (w->due_us && w->due_us > clock_mono_us()))
		return;
	w->due_us = INT64_MAX;
	curl_multi_socket_action(w->multi, CURL_SOCKET_TIMEOUT, 0, &left);
}

static int until_due_ms(const struct http_watch *w, int most_ms)
{
	int64_t us;

	if (w->due_us == INT64_MAX)
		return most_ms;
	us = w->due_us - clock_mono_us();
	if (us <= 0)
		return 0;
	return (us + 999) / 1000 < most_ms ? (int)((us + 999) / 1000) : most_ms;
}

static void take_event(struct http_watch *w, const struct epoll_event *ev)
{
	int fd = ev->data.fd, left;
	int what = (ev->events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		   (ev->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		   (ev->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

	if (fd == w->wake_fd) {
		if (read(fd, &(uint64_t){0}, sizeof(uint64_t)) < 0) {
			/* It was taken already. */
		}
	} else if (w->v[fd].wanted) {
		curl_multi_socket_action(w->multi, fd, what, &left);
	} else if (w->v[fd].listed) {
		unlist(w, fd); /* an idle one has ended, or says what nobody asked for */
	}
}

int http_watch_wait(struct http_watch *w, int timeout_ms, int fd, struct err *err)
{
	struct pollfd both[] = {{.fd = w->epoll_fd, .events = POLLIN},
				{.fd = fd, .events = POLLIN}};
	struct epoll_event events[EVENTS];
	int n, wait_ms = until_due_ms(w, timeout_ms > 0 ? timeout_ms : 0);

	if (fd >= 0) {
		if (poll(both, 2, wait_ms) < 0 && errno != EINTR)
			return err_set(err, ERR_IO, "waiting for HTTP calls: %s", strerror(errno));
		wait_ms = 0;
	}
	n = epoll_wait(w->epoll_fd, events, EVENTS, wait_ms);
	if (n < 0 && errno != EINTR)
		return err_set(err, ERR_IO, "waiting for HTTP calls: %s", strerror(errno));
	for (int i = 0; i < n; i++)
		take_event(w, &events[i]);
	http_watch_timer(w);
	return 0;
}
