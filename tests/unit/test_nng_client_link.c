/* nng_client over a socket of its own: a connection that is up at once is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "transports/nng_address.h"
#include "transports/nng_client.h"

#define DEADLINE_MS 20000
#define GREETING    8
#define BEAT	    "relay.heartbeat {\"type\":\"relay.heartbeat\"}"

/* In place of the C library's: a greeting has come when it is read for, as on a machine on which
 * the other side's thread runs before ours goes on. */
ssize_t recv(int fd, void *to, size_t len, int flags)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (len == GREETING)
		poll(&p, 1, DEADLINE_MS);
	return syscall(SYS_recvfrom, fd, to, len, flags, NULL, NULL);
}

struct answerer {
	struct address_listener listener;
	pthread_t thread;
	atomic_int accepted, fd; /* of the last */
	atomic_bool stop;
};

/* Greets whoever connects, and then says nothing. */
static void *answer(void *arg)
{
	static const char greeting[GREETING] = {0, 'S', 'P', 0, 0, 0x20, 0, 0};
	struct answerer *a = arg;
	struct pollfd p = {.fd = a->listener.fd, .events = POLLIN};
	int last = -1;

	while (!a->stop) {
		int fd = poll(&p, 1, 10) > 0 ? accept(a->listener.fd, NULL, NULL) : -1;
		if (fd < 0)
			continue;
		if (last >= 0)
			close(last);
		a->fd = last = fd;
		a->accepted++;
		send(fd, greeting, sizeof greeting, MSG_NOSIGNAL);
	}
	return NULL;
}

static void send_beat(const struct answerer *a)
{
	unsigned char head[9] = {1, 0, 0, 0, 0, 0, 0, 0, sizeof BEAT - 1};

	assert_int_equal(send(a->fd, head, sizeof head, MSG_NOSIGNAL), sizeof head);
	assert_int_equal(send(a->fd, BEAT, sizeof BEAT - 1, MSG_NOSIGNAL), sizeof BEAT - 1);
}

static void a_connection_that_is_up_at_once_is_no_silent_one(void **state)
{
	static struct bus_client *c; /* there is no close */
	static volatile sig_atomic_t stop;
	char dir[] = "/tmp/relay-test-XXXXXX";
	struct answerer a = {0};
	struct err err = {0};
	struct bus_event ev;

	(void)state;
	assert_non_null(mkdtemp(dir));
	char *url = xasprintf("ipc://%s/bus", dir);
	assert_int_equal(address_listener_open(&a.listener, url, &err), 0);
	assert_int_equal(pthread_create(&a.thread, NULL, answer, &a), 0);
	c = bus_client_open(&(struct bus_addresses){.urls = (const char *const[]){url},
						    .nurls = 1,
						    .subscriptions = (const char *const[]){""},
						    .nsubscriptions = 1,
						    .stop = &stop},
			    &err);
	assert_non_null(c);
	for (int i = 0; i < 3; i++)
		assert_int_equal(bus_client_receive(c, 0, &ev, &err), 0);
	assert_int_equal(a.accepted, 1);
	send_beat(&a);
	assert_int_equal(bus_client_receive(c, 0, &ev, &err), 1);
	assert_string_equal(ev.topic, "relay.heartbeat");
	assert_int_equal(a.accepted, 1);
	a.stop = true;
	pthread_join(a.thread, NULL);
	close(a.fd);
	address_listener_close(&a.listener);
	rmdir(dir);
	free(url);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_that_is_up_at_once_is_no_silent_one),
	};

	return cmocka_run_group_tests_name("nng_client_link", tests, NULL, NULL);
}
