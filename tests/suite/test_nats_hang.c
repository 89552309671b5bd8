/* nats with what takes connections and then says nothing: libnats waits for the end of a TLS
 * handshake without a limit, so that the threads in it are left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/suite/nats_rig.h"

#define ATTEMPTS 5

static void expect_given_up(const struct sent *s)
{
	assert_int_equal(s->outcome.verdict, TRY_AGAIN);
	assert_true(s->outcome.no_connection);
	if (!strstr(s->why, "no end to the connecting") &&
	    !strstr(s->why, "earlier connections do not come to an end"))
		fail_msg("%s", s->why);
}

struct silent { /* wants TLS, and then says nothing */
	int fd;
	pthread_t thread;
	atomic_int taken;
};

static void *be_silent(void *arg)
{
	static const char info[] =
		"INFO {\"server_id\":\"X\",\"version\":\"2.9.10\",\"headers\":true,"
		"\"max_payload\":1048576,\"tls_required\":true}\r\n";
	struct silent *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) { /* left open until the process ends */
		if (send(fd, info, sizeof info - 1, MSG_NOSIGNAL) > 0)
			atomic_fetch_add(&s->taken, 1);
	}
	return NULL;
}

static void a_handshake_without_end_is_given_up(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	struct silent s = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
	struct nats_rig *r = nats_rig_new(ATTEMPTS);

	(void)state;
	assert_int_equal(bind(s.fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(s.fd, 16), 0);
	assert_int_equal(getsockname(s.fd, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(pthread_create(&s.thread, NULL, be_silent, &s), 0);
	nats_rig_open(r, xasprintf("servers: \"tls://127.0.0.1:%d\"\nconnect_timeout: 200ms",
				   ntohs(at.sin_port)));
	for (int i = 0; i < ATTEMPTS; i++)
		expect_given_up(nats_rig_one(r, 0));
	assert_non_null(strstr(r->v[ATTEMPTS - 1].why, "earlier connections"));
	nats_rig_free(r);
	assert_int_equal(atomic_load(&s.taken), 4); /* no more are left behind */
	shutdown(s.fd, SHUT_RDWR);
	pthread_join(s.thread, NULL);
	close(s.fd);
}

/* At an ordinary exit OpenSSL frees what the threads that were left behind still use. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_without_end_is_given_up),
	};
	int failed = cmocka_run_group_tests_name("nats: no end", tests, NULL, NULL);

	fflush(NULL);
	_exit(failed);
}
