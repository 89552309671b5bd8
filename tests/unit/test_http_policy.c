/* http: which addresses a call may go to, on new and on pooled connections, and through proxies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fetch.h"

static bool answer(const struct raw_request *rq)
{
	if (strcmp(rq->path, "/hang") == 0) {
		raw_wait_for_end(rq->fd);
		return false;
	}
	return raw_send_text(rq->fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static int set_up(void **state)
{
	return stage_open(state, answer, "/ok");
}

static const struct network_policy public = {.kind = NETWORK_PUBLIC};

static void denied_addresses_are_never_connected_to(void **state)
{
	static const char *const hosts[] = {
		/* This machine, in every spelling. */
		"127.0.0.1",
		"localhost",
		"LOCALHOST",
		"2130706433",
		"0x7f000001",
		"017700000001",
		"0x7f.1",
		"0177.0.0.1",
		"127.1",
		"127.0.1",
		"0",
		"0.0.0.0",
		"127.255.255.254",
		"[::1]",
		"[::]",
		"[0:0:0:0:0:0:0:1]",
		"[::ffff:127.0.0.1]",
		"[::ffff:7f00:1]",
		"[::127.0.0.1]",
		"[::ffff:0:127.0.0.1]",
		"[64:ff9b::7f00:1]",
		"[64:ff9b:1::7f00:1]",
		"[2002:7f00:1::]",
		"[2001:0:7f00:1::80ff:fffe]",
		/* Other places that are none of a receiver. */
		"10.0.0.1",
		"172.16.0.1",
		"192.168.1.1",
		"100.64.0.1",
		"169.254.169.254",
		"0xa9fea9fe",
		"[::ffff:169.254.169.254]",
		"[fd00:ec2::254]",
		"168.63.129.16",
		"224.0.0.1",
		"255.255.255.255",
		"198.18.0.1",
		"240.0.0.1",
		"[fe80::1]",
		"[fc00::1]",
		"[fec0::1]",
		"[ff02::1]",
		"[2001:db8::1]",
		"[100::1]",
	};
	struct stage *s = *state;
	struct fetched f = {0};

	s->call.network = &public;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		snprintf(s->url, sizeof s->url, "http://%s:%d/ok", hosts[i],
			 raw_server_port(s->server));
		fetch(s->http, &s->call, HTTP_DENIED, &f);
		assert_int_equal(f.status, 0);
	}
	assert_int_equal(raw_server_connections(s->server), 0);
	s->call.network = NULL;
	snprintf(s->url, sizeof s->url, "http://0x7f.1:%d/ok", raw_server_port(s->server));
	fetch(s->http, &s->call, HTTP_OK, &f);
}

static void pooled_connections_are_judged_again(void **state)
{
	struct stage *s = *state;
	struct fetched f = {0};

	fetch(s->http, &s->call, HTTP_OK, &f);
	s->call.network = &public;
	fetch(s->http, &s->call, HTTP_DENIED, &f);
	assert_string_equal(f.why, "loopback");
	assert_int_equal(raw_server_requests(s->server), 1);
	s->call.network = NULL;
	fetch(s->http, &s->call, HTTP_OK, &f);
	assert_int_equal(raw_server_requests(s->server), 2);
}

static void plain_http_stays_on_loopback(void **state)
{
	struct stage *s = *state;
	struct fetched f = {0};

	s->call.loopback_only_plain = true;
	fetch(s->http, &s->call, HTTP_OK, &f);
	snprintf(s->url, sizeof s->url, "http://192.0.2.1:%d/ok", raw_server_port(s->server));
	fetch(s->http, &s->call, HTTP_DENIED, &f);
	s->call.proxy = local_url(raw_server_port(s->server), "");
	fetch(s->http, &s->call, HTTP_DENIED, &f);
	assert_int_equal(raw_server_requests(s->server), 1);
}

static void environment_names_no_proxy(void **state)
{
	static const char *const names[] = {"http_proxy",  "https_proxy", "HTTP_PROXY",
					    "HTTPS_PROXY", "all_proxy",	  "ALL_PROXY"};
	struct stage *s = *state;
	struct raw_request rq;
	struct fetched f = {0};

	for (size_t i = 0; i < 6; i++)
		setenv(names[i], "http://127.0.0.1:1", 1);
	fetch(s->http, &s->call, HTTP_OK, &f);

	snprintf(s->url, sizeof s->url, "https://127.0.0.1:%d/ok", raw_server_port(s->server));
	s->call.timeout_ms = 200; /* the server waits for a request, and knows no TLS */
	fetch(s->http, &s->call, HTTP_TIMEOUT, &f);
	assert_int_equal(raw_server_connections(s->server), 2);
	s->call.timeout_ms = 0;
	for (size_t i = 0; i < 6; i++)
		unsetenv(names[i]);
	setenv("no_proxy", "*", 1);
	setenv("NO_PROXY", "*", 1);

	/* The one that is named is used, even so; and only by the call that names it. */
	s->call.url = "http://somewhere.invalid/x";
	s->call.proxy = local_url(raw_server_port(s->server), "");
	fetch(s->http, &s->call, HTTP_OK, &f);
	raw_server_last(s->server, &rq);
	assert_memory_equal(rq.head, "GET http://somewhere.invalid/x HTTP/1.1\r\n", 41);
	s->call.network = &public;
	fetch(s->http, &s->call, HTTP_DENIED, &f);
	s->call.network = NULL;
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/ok", raw_server_port(s->server));
	s->call.url = s->url;
	s->call.proxy = NULL;
	fetch(s->http, &s->call, HTTP_OK, &f);
	raw_server_last(s->server, &rq);
	assert_memory_equal(rq.head, "GET /ok HTTP/1.1\r\n", 18);
	unsetenv("no_proxy");
	unsetenv("NO_PROXY");
}

/* Through a proxy it is the proxy that is connected to, and judged; the rest is its own matter. */
static void the_proxy_is_judged(void **state)
{
	struct stage *s = *state;
	struct raw_request rq;
	struct fetched f = {0};

	s->call.proxy = local_url(raw_server_port(s->server), "");
	s->call.url = "https://93.184.216.34/x";
	s->call.network = &public;
	fetch(s->http, &s->call, HTTP_DENIED, &f);
	assert_string_equal(f.why, "loopback");
	assert_int_equal(raw_server_connections(s->server), 0);
	s->call.network = NULL;
	s->call.url = "http://169.254.169.254/x";
	fetch(s->http, &s->call, HTTP_OK, &f);
	raw_server_last(s->server, &rq);
	assert_memory_equal(rq.head, "GET http://169.254.169.254/x HTTP/1.1\r\n", 39);
}

static void unreachable_is_said(void **state)
{
	struct stage *s = *state;
	struct fetched f = {0};
	struct raw_server *gone = raw_server_open(answer);
	int port = raw_server_port(gone);

	raw_server_close(gone);
	s->call.url = local_url(port, "/ok");
	fetch(s->http, &s->call, HTTP_UNREACHABLE, &f);
	s->call.url = "http://no-such-host.invalid/";
	fetch(s->http, &s->call, HTTP_UNREACHABLE, &f);
	snprintf(s->url, sizeof s->url, "https://127.0.0.1:%d/hang", raw_server_port(s->server));
	s->call.url = s->url;
	s->call.timeout_ms = 200; /* the server waits for the end of a request head */
	fetch(s->http, &s->call, HTTP_TIMEOUT, &f);
	assert_string_equal(f.why, "no connection in time");
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, stage_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(denied_addresses_are_never_connected_to),
		STAGED(pooled_connections_are_judged_again),
		STAGED(plain_http_stays_on_loopback),
		STAGED(environment_names_no_proxy),
		STAGED(the_proxy_is_judged),
		STAGED(unreachable_is_said),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
