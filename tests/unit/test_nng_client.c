/* A subscriber's connections: each address gets its turn, and one that cannot be reached is told
 * with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/suite/nng_child.h"
#include "tests/suite/nng_world.h"

#define DEADLINE_MS 20000

/* ---- why there is no connection ---- */

/* A listening socket on a free port, into *ret_port. */
static int listen_somewhere(int *ret_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static struct nng_child *start_idle(const char *url)
{
	return nng_child_start(
		(const char *const[]){"relay", "subscribe", url, "", "--idle", "3s", NULL});
}

static void who_was_never_connected_is_told_why(void **state)
{
	struct nng_world *w = nng_world_new();
	int quiet, fd = listen_somewhere(&quiet), free_port = nng_world_port();
	char *web = xasprintf("ws://127.0.0.1:%d/bus", nng_world_port());
	const struct {
		char *url;
		const char *why; /* NULL: nothing is wrong */
	} cases[] = {
		{xasprintf("%s", web), NULL},
		{xasprintf("%s/x", web), "nothing has this path there"},
		{xasprintf("ws://127.0.0.1:%d/bus", free_port), "the connection is refused"},
		{xasprintf("tcp://127.0.0.1:%d", free_port), "Connection refused"},
		{xasprintf("ws://127.0.0.1:%d/bus", quiet), "nothing answers there"},
		{xasprintf("tcp://127.0.0.1:%d", quiet), "answer"},
		{xasprintf("ipc://%s/none", w->folder), "No such file"},
		{xasprintf("%s", w->refill), "another kind of address"},
	};
	enum { CASES = sizeof cases / sizeof *cases };
	struct nng_child *c[CASES];

	(void)state;
	nng_world_open(w, web);
	for (size_t i = 0; i < CASES; i++)
		c[i] = start_idle(cases[i].url);
	for (size_t i = 0; i < CASES; i++) {
		assert_int_equal(nng_child_wait(c[i]), cases[i].why != NULL);
		if (cases[i].why) {
			size_t line = nng_child_complains(c[i], cases[i].why);
			assert_non_null(strstr(c[i]->err.v[line], cases[i].url));
			nng_child_complains(c[i], "never connected");
		}
		nng_child_free(c[i]);
		free(cases[i].url);
	}
	free(web);
	close(fd);
	nng_world_free(w);
}

/* It would be silent about events that there are. */
static void who_cannot_ask_for_what_is_missing_fails(void **state)
{
	struct nng_world *w = nng_world_new();
	char *dead = xasprintf("tcp://127.0.0.1:%d", nng_world_port());
	struct nng_child *c[2];

	(void)state;
	nng_world_open(w, NULL);
	/* The refill is tried for a second: the bus is dialled before. */
	for (int i = 0; i < 2; i++)
		c[i] = nng_child_start((const char *const[]){"relay", "subscribe", w->bus, "",
							     "--all", "--idle", i ? "3s" : "500ms",
							     "--refill", dead, NULL});
	for (int i = 0; i < 2; i++) {
		assert_int_equal(nng_child_wait(c[i]), 1);
		nng_child_complains(c[i], "events that are missing could not be asked for");
		nng_child_free(c[i]);
	}
	free(dead);
	nng_world_free(w);
}

static void what_is_no_address_is_wrong_usage(void **state)
{
	char path[6 + 109 + 1];
	const struct {
		const char *url, *why;
	} cases[] = {
		{"http://127.0.0.1:1", "ws://HOST:PORT/PATH"},
		{"tcp://127.0.0.1:0", "tcp://HOST:PORT"},
		{"tcp://127.0.0.1:65536", "tcp://HOST:PORT"},
		{"tls+tcp://127.0.0.1:1/x", "tcp://HOST:PORT"},
		{"ipc://name", "ipc:///PATH"},
		{path, "the path has 109 bytes"},
	};

	(void)state;
	memset(path, 'x', sizeof path);
	memcpy(path, "ipc:///", 7);
	path[sizeof path - 1] = '\0';
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nng_child *c = nng_child_start(
			(const char *const[]){"relay", "subscribe", cases[i].url, "", NULL});
		assert_int_equal(nng_child_wait(c), 2);
		nng_child_complains(c, cases[i].why);
		nng_child_free(c);
	}
}

/* ---- turns ---- */

/* A publisher in plain bytes. */
static int accept_subscriber(int listener)
{
	static const char pub[8] = {0, 'S', 'P', 0, 0, 0x20, 0, 0};
	struct pollfd p = {.fd = listener, .events = POLLIN};

	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, pub, sizeof pub, MSG_NOSIGNAL), sizeof pub);
	return fd;
}

/* As much as is taken, so that the subscriber always finds more: between two calls it can print no
 * more than a pipe holds. `rest` is what of a message was not taken before. */
static void pour(int fd, size_t *rest)
{
	static const char head[8] = {0, 0, 0, 0, 0, 0, 0, 90};
	char message[98];

	memset(message, ' ', sizeof message);
	memcpy(message, head, sizeof head);
	memcpy(message + sizeof head, "busy.a.b {", 10);
	message[sizeof message - 1] = '}';
	for (;;) {
		size_t from = sizeof message - *rest;
		ssize_t n = send(fd, message + from, *rest, MSG_NOSIGNAL);
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			return;
		}
		*rest = *rest > (size_t)n ? *rest - (size_t)n : sizeof message;
	}
}

static bool said_since(const struct nng_child *c, size_t *from, const char *text)
{
	for (; *from < c->out.n; (*from)++)
		if (strstr(c->out.v[*from], text))
			return true;
	return false;
}

static void a_busy_publisher_keeps_no_other_out(void **state)
{
	struct nng_world *w = nng_world_new();
	char *web = xasprintf("ws://127.0.0.1:%d/bus", nng_world_port());
	int port, listener = listen_somewhere(&port);
	char *busy = xasprintf("tcp://127.0.0.1:%d", port);
	size_t rest = 98, looked = 0;
	bool heard = false;

	(void)state;
	nng_world_open(w, web);
	struct nng_child *c =
		nng_child_start((const char *const[]){"relay", "subscribe", busy, web, "", NULL});
	int fd = accept_subscriber(listener);
	int64_t end = clock_now().mono_ms + DEADLINE_MS;
	while (!heard && clock_now().mono_ms < end) {
		pour(fd, &rest);
		nng_world_publish(w, nng_world_commit(w, "recipient.sent.twilio.b1", 0));
		nng_child_read(c, 1);
		heard = said_since(c, &looked, "\"sequence\"");
	}
	assert_true(heard);
	assert_true(c->out.n > 1); /* and the busy one's */
	nng_child_free(c);
	close(fd);
	close(listener);
	free(busy);
	free(web);
	nng_world_free(w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_was_never_connected_is_told_why),
		cmocka_unit_test(who_cannot_ask_for_what_is_missing_fails),
		cmocka_unit_test(what_is_no_address_is_wrong_usage),
		cmocka_unit_test(a_busy_publisher_keeps_no_other_out),
	};

	nng_child_main(argc, argv);
	return cmocka_run_group_tests_name("nng_client", tests, NULL, NULL);
}
