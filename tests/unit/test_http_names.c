/* http and names whose addresses change or are many: the address that is connected to is judged,
 * whatever the name said before. The test answers for the name server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/unit/fetch.h"

/* --- the name server --- */

static const char *_Atomic said; /* addresses, divided by blanks */
static atomic_uint asked;

static struct addrinfo *answer_of(const char *text, const char *service)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	in_port_t port = htons((in_port_t)(service ? atoi(service) : 0));
	bool v4 = inet_pton(AF_INET, text, &in.sin_addr) == 1;
	struct addrinfo *a = xcalloc(1, sizeof *a + sizeof in6);

	if (!v4)
		assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	in.sin_port = in6.sin6_port = port;
	*a = (struct addrinfo){
		.ai_family = v4 ? AF_INET : AF_INET6,
		.ai_socktype = SOCK_STREAM,
		.ai_addrlen = v4 ? sizeof in : sizeof in6,
		.ai_addr = (struct sockaddr *)(a + 1),
	};
	memcpy(a->ai_addr, v4 ? (void *)&in : (void *)&in6, a->ai_addrlen);
	return a;
}

/* These two take the C library's place, also for libcurl. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	char *list = xstrdup(atomic_load(&said)), *rest = list;
	struct addrinfo **at = ret;

	(void)name;
	(void)hints;
	atomic_fetch_add(&asked, 1);
	for (char *text; (text = strtok_r(rest, " ", &rest)) != NULL; at = &(*at)->ai_next)
		*at = answer_of(text, service);
	*at = NULL;
	free(list);
	return *ret ? 0 : EAI_AGAIN;
}

void freeaddrinfo(struct addrinfo *a)
{
	for (struct addrinfo *next; a; a = next) {
		next = a->ai_next;
		free(a);
	}
}

/* --- where nothing must arrive --- */

/* The same port on another of this machine's addresses. */
static int trap_set(const char *address, int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &at.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void expect_empty(int trap)
{
	assert_int_equal(accept(trap, NULL, NULL), -1);
}

static bool answer(const struct raw_request *rq)
{
	return raw_send_text(rq->fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static int set_up(void **state)
{
	stage_open(state, answer, "/ok");
	struct stage *s = *state;

	snprintf(s->url, sizeof s->url, "http://name.test:%d/ok", raw_server_port(s->server));
	return 0;
}

/* The one good address here stands for a public one, which nothing may be sent to from a test. */
static struct network_policy only(const char *good)
{
	static struct cidr allow, deny;
	struct err err;

	cidr_parse(&allow, good, &err);
	cidr_parse(&deny, "127.0.0.0/8", &err);
	return (struct network_policy){
		.kind = NETWORK_LISTS, .allow = &allow, .nallow = 1, .deny = &deny, .ndeny = 1};
}

/* libcurl remembers a name for a minute; a connection that is gone is opened by what it says now.
 */
static void the_second_answer_is_judged_too(void **state)
{
	struct network_policy policy = only("127.0.0.1");
	struct stage *s = *state;
	int trap = trap_set("127.0.0.2", raw_server_port(s->server));
	struct fetched f = {0};
	struct err err = {0};

	s->call.network = &policy;
	said = "127.0.0.1";
	fetch(s->http, &s->call, HTTP_OK, &f);
	said = "127.0.0.2";
	fetch(s->http, &s->call, HTTP_OK, &f); /* over the connection that is there */
	assert_int_equal(atomic_load(&asked), 1);
	http_forget_connections(s->http);
	fetch(s->http, &s->call, HTTP_OK, &f); /* by the address that is remembered */
	assert_int_equal(raw_server_connections(s->server), 2);

	http_close(s->http); /* with what it remembers */
	s->http = http_open(16, &err);
	fetch(s->http, &s->call, HTTP_DENIED, &f);
	assert_string_equal(f.why, "on the deny list");
	assert_int_equal(atomic_load(&asked), 2);
	expect_empty(trap);
	assert_int_equal(raw_server_requests(s->server), 3);
	close(trap);
}

/* What one destination learned of a name is shared with the next, its permission is not. */
static void what_is_remembered_is_judged_for_each(void **state)
{
	const struct network_policy public = {.kind = NETWORK_PUBLIC};
	struct stage *s = *state;
	struct fetched f = {0};

	said = "127.0.0.1";
	fetch(s->http, &s->call, HTTP_OK, &f);
	http_forget_connections(s->http);
	s->call.network = &public;
	fetch(s->http, &s->call, HTTP_DENIED, &f);
	assert_string_equal(f.why, "loopback");
	assert_int_equal(raw_server_connections(s->server), 1);
}

static void each_of_many_addresses_is_judged(void **state)
{
	static const struct {
		const char *says;
		enum http_failure end;
	} cases[] = {
		{"127.0.0.2 127.0.0.1", HTTP_OK}, /* on to the next */
		{"::ffff:127.0.0.2 127.0.0.3", HTTP_DENIED},
		{"127.0.0.2 ::1 127.0.0.3", HTTP_DENIED},
		{"169.254.169.254 fd00:ec2::254 127.0.0.2", HTTP_DENIED},
		{"64:ff9b::7f00:2 2002:7f00:2:: ::127.0.0.2", HTTP_DENIED},
	};
	struct network_policy policy = only("127.0.0.1");
	struct stage *s = *state;
	int trap = trap_set("127.0.0.2", raw_server_port(s->server));
	struct cidr deny[2];
	struct err err = {0};

	cidr_parse(&deny[0], "127.0.0.0/8", &err);
	cidr_parse(&deny[1], "::/0", &err);
	policy.deny = deny;
	policy.ndeny = 2;
	s->call.network = &policy;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fetched f = {0};

		http_close(s->http);
		s->http = http_open(16, &err);
		said = cases[i].says;
		fetch(s->http, &s->call, cases[i].end, &f);
		expect_empty(trap);
	}
	assert_int_equal(raw_server_connections(s->server), 1);
	close(trap);
}

static void own_addresses_hide_behind_no_name(void **state)
{
	static const char *const names[] = {"127.0.0.1", "127.0.0.9",	     "0.0.0.0",
					    "::1",	 "::ffff:127.0.0.1", "::"};
	struct stage *s = *state;
	struct sockaddr_storage own[2] = {{0}};
	struct sockaddr_in any = {.sin_family = AF_INET,
				  .sin_port = htons((in_port_t)raw_server_port(s->server))};
	struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = any.sin_port};
	const struct network_policy policy = {.own = own, .nown = 2};
	struct err err = {0};

	memcpy(&own[0], &any, sizeof any);
	memcpy(&own[1], &any6, sizeof any6);
	s->call.network = &policy;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct fetched f = {0};

		http_close(s->http);
		s->http = http_open(16, &err);
		said = names[i];
		fetch(s->http, &s->call, HTTP_DENIED, &f);
		assert_string_equal(f.why, "an address of this relay");
	}
	assert_int_equal(raw_server_connections(s->server), 0);
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, stage_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(the_second_answer_is_judged_too),
		STAGED(what_is_remembered_is_judged_for_each),
		STAGED(each_of_many_addresses_is_judged),
		STAGED(own_addresses_hide_behind_no_name),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
