/* nng_address: who is at the other end of a connection that was accepted, also when it has gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/suite/nng_world.h"
#include "tests/suite/sp_caller.h"
#include "transports/nng_address.h"

struct pair {
	struct address_listener listener;
	int caller, accepted;
};

static void open_pair(struct pair *ret, const char *url)
{
	struct err err = {0};

	assert_int_equal(address_listener_open(&ret->listener, url, &err), 0);
	assert_int_equal(address_listener_accept(&ret->listener), -1);
	assert_int_equal(errno, EAGAIN);
	ret->caller = sp_caller_connect(url);
	ret->accepted = address_listener_accept(&ret->listener);
	assert_true(ret->accepted >= 0);
}

static void close_pair(struct pair *p)
{
	close(p->accepted);
	address_listener_close(&p->listener);
}

static void is_at(const struct pair *p, const char *expected)
{
	char address[64];

	address_of_peer(p->accepted, address, sizeof address);
	assert_string_equal(address, expected);
}

static void a_peer_of_tcp_is_its_address_while_it_is_there(void **state)
{
	char *url = xasprintf("tcp://127.0.0.1:%d", nng_world_port());
	struct sockaddr_in at;
	socklen_t len = sizeof at;
	struct pair p;
	char expected[64];

	(void)state;
	open_pair(&p, url);
	assert_int_equal(getsockname(p.caller, (struct sockaddr *)&at, &len), 0);
	snprintf(expected, sizeof expected, "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
	is_at(&p, expected);
	sp_caller_reset(p.caller);
	is_at(&p, "unknown");
	close_pair(&p);
	free(url);
}

static void a_peer_of_a_path_is_its_process_always(void **state)
{
	char dir[] = "/tmp/relay-test-XXXXXX", expected[64];
	struct pair p;

	(void)state;
	assert_non_null(mkdtemp(dir));
	char *url = xasprintf("ipc://%s/bus", dir);
	open_pair(&p, url);
	snprintf(expected, sizeof expected, "process %ld", (long)getpid());
	is_at(&p, expected);
	close(p.caller);
	is_at(&p, expected);
	close_pair(&p);
	assert_int_equal(rmdir(dir), 0); /* the socket's file is removed */
	free(url);
}

static void addresses_are_written_with_their_ports(void **state)
{
	static const struct {
		int family;
		const char *ip, *expected;
	} cases[] = {
		{AF_INET, "10.1.2.3", "10.1.2.3:4711"},
		{AF_INET6, "::1", "[::1]:4711"},
		{AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666",
		 "[2001:db8:1111:2222:3333:4444:5555:6666]:4711"},
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		unsigned char ip[16];
		assert_int_equal(inet_pton(cases[i].family, cases[i].ip, ip), 1);
		address_write(cases[i].family, ip, htons(4711), text, sizeof text);
		assert_string_equal(text, cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_of_tcp_is_its_address_while_it_is_there),
		cmocka_unit_test(a_peer_of_a_path_is_its_process_always),
		cmocka_unit_test(addresses_are_written_with_their_ports),
	};

	return cmocka_run_group_tests_name("nng_address", tests, NULL, NULL);
}
