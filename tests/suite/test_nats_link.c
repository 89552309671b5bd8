/* nats_link with a server that takes connections and ends each at once, so that one or two in a
 * thousand break just while libnats subscribes: the link comes to its end all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "transports/nats_link.h"

#define LINKS	    3000
#define DEADLINE_MS 20000

struct fickle {
	int fd, port;
	pthread_t thread;
};

/* Waits without leaving the processor: a sleep would be too long. */
static void take_and_end(int fd, int after_us)
{
	static const char info[] =
		"INFO {\"server_id\":\"X\",\"version\":\"2.9.10\",\"headers\":true,"
		"\"max_payload\":1048576}\r\n";
	char said[4096];
	size_t len = 0;
	ssize_t n = send(fd, info, sizeof info - 1, MSG_NOSIGNAL);

	while (n > 0 && len < sizeof said - 1) {
		n = recv(fd, said + len, sizeof said - 1 - len, 0);
		len += n > 0 ? (size_t)n : 0;
		said[len] = '\0';
		if (strstr(said, "PING\r\n"))
			break;
	}
	send(fd, "PONG\r\n", 6, MSG_NOSIGNAL);
	for (int64_t end = clock_mono_us() + after_us; clock_mono_us() < end;) {
	}
	close(fd);
}

static void *be_fickle(void *arg)
{
	const struct fickle *f = arg;
	int fd;

	for (int i = 0; (fd = accept(f->fd, NULL, NULL)) >= 0; i++)
		take_and_end(fd, i % 60);
	return NULL;
}

static void fickle_open(struct fickle *f)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;

	f->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(f->fd, 16), 0);
	assert_int_equal(getsockname(f->fd, (struct sockaddr *)&at, &len), 0);
	f->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&f->thread, NULL, be_fickle, f), 0);
}

static void fickle_close(struct fickle *f)
{
	shutdown(f->fd, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->fd);
}

struct owner {
	struct mailbox *inbox;
	int down;
	atomic_int gone;
};

static void on_up(void *arg)
{
	(void)arg;
}

static void on_down(void *arg, const char *why)
{
	assert_non_null(strstr(why, "127.0.0.1:"));
	((struct owner *)arg)->down++;
}

static void on_answer(void *arg, uint64_t number, const char *text, size_t len)
{
	(void)arg, (void)number, (void)text, (void)len;
	fail();
}

static void on_gone(void *arg)
{
	((struct owner *)arg)->gone++;
}

static void one_link(struct owner *o, const struct nats_setup *setup, const struct nats_server *at)
{
	const struct nats_link_hooks hooks = {o->inbox, on_up, on_down, on_answer, on_gone, o};
	struct err err = {0};
	int before = o->down;
	int64_t end = clock_now().mono_ms + DEADLINE_MS;
	struct nats_link *l = nats_link_dial(setup, at, &hooks, &err);

	assert_non_null(l);
	while (o->down == before && clock_now().mono_ms < end) {
		mailbox_wait(o->inbox, 1000);
		mailbox_run(o->inbox);
	}
	assert_int_equal(o->down, before + 1);
	nats_link_end(l);
}

static void a_link_that_breaks_as_it_begins_comes_to_its_end(void **state)
{
	const struct nats_setup setup = {.name = "test", .connect_timeout_ms = 5000};
	struct owner o = {.inbox = mailbox_open(NULL, NULL)};
	struct nats_server at = {0};
	struct fickle f;
	char url[64];

	(void)state;
	fickle_open(&f);
	snprintf(url, sizeof url, "nats://127.0.0.1:%d", f.port);
	assert_null(nats_server_parse(&at, url));
	for (int i = 0; i < LINKS; i++)
		one_link(&o, &setup, &at);
	for (int i = 0; i < DEADLINE_MS / 10 && o.gone < LINKS; i++)
		poll(NULL, 0, 10);
	assert_int_equal(o.gone, LINKS);
	mailbox_close(o.inbox);
	fickle_close(&f);
}

/* A link that libnats might still call is never freed: no leak to be told at the end. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_that_breaks_as_it_begins_comes_to_its_end),
	};

	int failed = cmocka_run_group_tests_name("nats_link", tests, NULL, NULL);

	fflush(NULL);
	_exit(failed);
}
