/* http beside receivers that do not answer: fifty destinations whose calls hang hold up no call of
 * another one on the same wire, end by their own timeout, and are given up at once at the end. And
 * what a listener can do before there is a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/suite/http_call_rig.h"
#include "tests/unit/raw_server.h"
#include "transports/wire.h"

#define SILENT	  50
#define IN_FLIGHT 16
#define CALLS	  (SILENT * IN_FLIGHT)

/* --- a listener that accepts nothing --- */

static int listen_at(int backlog, int *ret_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

struct listener {
	int fd, port;
	struct http_call_rig call;
};

static void begin(struct listener *l, const char *scheme, int backlog, const char *more)
{
	char url[64];

	*l = (struct listener){0};
	l->fd = listen_at(backlog, &l->port);
	snprintf(url, sizeof url, "%s://127.0.0.1:%d/", scheme, l->port);
	http_call_open(&l->call, url, more);
	http_call_event(&l->call, "{}");
}

static void end(struct listener *l)
{
	http_call_end(&l->call);
	close(l->fd);
}

static void expect_again(struct listener *l, const char *why)
{
	if (strncmp(l->call.why, why, strlen(why)) != 0)
		fail_msg("says \"%s\", not \"%s\"", l->call.why, why);
	assert_int_equal(l->call.outcome.verdict, TRY_AGAIN);
	assert_true(l->call.outcome.no_connection);
}

static void nobody_accepts(void **state)
{
	static const struct {
		const char *scheme, *why;
	} cases[] = {
		{"http", "no answer: no complete answer in time"}, /* the kernel has accepted */
		{"https", "no answer: no connection in time"},	   /* but not shaken hands */
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct listener l;

		begin(&l, cases[i].scheme, 8, ", timeout: 200ms");
		http_call_make(&l.call);
		expect_again(&l, cases[i].why);
		end(&l);
	}
}

static void the_queue_is_full(void **state)
{
	struct listener l;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fds[4];

	(void)state;
	begin(&l, "http", 0, ", connect_timeout: 200ms");
	at.sin_port = htons((in_port_t)l.port);
	for (int i = 0; i < 4; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fds[i], (struct sockaddr *)&at, sizeof at);
	}
	http_call_make(&l.call);
	expect_again(&l, "no answer: no connection in time");
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	end(&l);
}

/* What is there before the request was sent is no answer to it. */
static void the_listener_speaks_first(void **state)
{
	static const struct {
		const char *scheme, *says, *why;
	} cases[] = {
		{"http", "220 mail.example ESMTP\r\n", "no answer: the answer is not HTTP"},
		{"https", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
		 "no answer: the TLS handshake failed"},
		{"https", "\x15\x03\x01\x00\x02\x02\x46", "no answer: the TLS handshake failed"},
		{"https", NULL, "no answer: the "}, /* a reset, seen at once or by the handshake */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct parcel parcel = {.id = 7, .attempt = 1};
		struct listener l;
		int fd;

		begin(&l, cases[i].scheme, 8, "");
		parcel.event = &l.call.event;
		transport_http.send(l.call.self, &parcel);
		fd = accept(l.fd, NULL, NULL);
		if (cases[i].says)
			assert_true(raw_send_text(fd, cases[i].says));
		else
			raw_reset(fd);
		if (cases[i].says)
			shutdown(fd, SHUT_WR);
		else
			close(fd);
		while (!l.call.answers) {
			mailbox_wait(l.call.loop, 100);
			mailbox_run(l.call.loop);
		}
		expect_again(&l, cases[i].why);
		if (cases[i].says)
			close(fd);
		end(&l);
	}
}

/* --- many --- */

struct desk {
	struct mailbox *loop;
	struct wire *wire;
	struct event event;
	struct destination {
		struct transport_env env;
		void *self;
		unsigned sent, again, whole; /* verdicts, and those told as a timeout */
	} healthy, silent[SILENT];
};

static void take(void *arg, uint64_t id, const struct outcome *o)
{
	struct destination *d = arg;

	(void)id;
	d->sent += o->verdict == SENT;
	d->again += o->verdict == TRY_AGAIN;
	d->whole += o->why && strcmp(o->why, "no answer: no complete answer in time") == 0;
}

static void open_one(struct desk *k, struct destination *d, int port, const char *timeout)
{
	char *config = xasprintf("{url: 'http://127.0.0.1:%d/', timeout: %s}", port, timeout);

	d->env = (struct transport_env){
		.destination = "d", .loop = k->loop, .wire = k->wire, .done = take, .arg = d};
	d->self = http_call_self(config, &d->env);
	free(config);
}

static void send_one(struct desk *k, struct destination *d, uint64_t id)
{
	static struct parcel parcels[CALLS + 1000]; /* of all that may be open at a time */
	struct parcel *p = &parcels[id];

	*p = (struct parcel){.id = id, .event = &k->event, .attempt = 1};
	transport_http.send(d->self, p);
}

static void run_until(struct desk *k, const unsigned *count, unsigned wanted)
{
	int64_t end_ms = clock_now().mono_ms + 30000;

	while (*count < wanted) {
		mailbox_wait(k->loop, 100);
		mailbox_run(k->loop);
		if (clock_now().mono_ms > end_ms)
			fail_msg("%u of %u answers", *count, wanted);
	}
}

static void desk_open(struct desk *k, int good_port, int silent_port, const char *timeout)
{
	struct http_call_rig event = {0};
	struct err err = {0};

	http_call_event(&event, "{}");
	*k = (struct desk){.loop = mailbox_open(NULL, NULL), .event = event.event};
	k->wire = wire_open(k->loop, 256, &err);
	open_one(k, &k->healthy, good_port, "10s");
	for (int i = 0; i < SILENT; i++) {
		open_one(k, &k->silent[i], silent_port, timeout);
		for (int c = 0; c < IN_FLIGHT; c++)
			send_one(k, &k->silent[i], (uint64_t)(i * IN_FLIGHT + c));
	}
}

static void close_one(struct destination *d)
{
	transport_http.close(d->self);
	free(d->self);
}

static void desk_close(struct desk *k)
{
	for (int i = 0; i < SILENT; i++)
		close_one(&k->silent[i]);
	close_one(&k->healthy);
	wire_close(k->wire);
	mailbox_close(k->loop);
	event_release(&k->event);
}

#define OK_204 "HTTP/1.1 204 No Content\r\n\r\n"

static bool accept_all(const struct raw_request *rq)
{
	return raw_send_text(rq->fd, OK_204);
}

static void silence_holds_up_nobody(void **state)
{
	struct raw_server *good = raw_server_open(accept_all);
	static struct desk k;
	int port, fd = listen_at(2 * CALLS, &port);

	(void)state;
	desk_open(&k, raw_server_port(good), port, "300s");
	for (unsigned i = 0; i < 500; i++) {
		send_one(&k, &k.healthy, CALLS + i);
		run_until(&k, &k.healthy.sent, i + 1);
	}
	for (int i = 0; i < SILENT; i++)
		assert_int_equal(k.silent[i].again + k.silent[i].sent, 0);
	assert_int_equal(raw_server_connections(good), 1); /* nor takes its connections */
	desk_close(&k); /* long before three hundred seconds are over */
	close(fd);
	raw_server_close(good);
}

static void silence_ends_by_its_timeout(void **state)
{
	struct http_receiver *good = http_receiver_open(OK_204);
	static struct desk k;
	int port, fd = listen_at(2 * CALLS, &port);

	(void)state;
	desk_open(&k, http_receiver_port(good), port, "2s");
	for (int i = 0; i < SILENT; i++)
		run_until(&k, &k.silent[i].again, IN_FLIGHT);
	for (int i = 0; i < SILENT; i++) {
		assert_int_equal(k.silent[i].again, IN_FLIGHT);
		assert_int_equal(k.silent[i].whole, IN_FLIGHT);
	}
	send_one(&k, &k.healthy, CALLS);
	run_until(&k, &k.healthy.sent, 1);
	desk_close(&k);
	close(fd);
	http_receiver_close(good);
}

/* One's connection is not the other's permission, nor what was allowed before a reload. */
static void what_one_may_the_other_may_not(void **state)
{
	static const char denies[] = ", network: {deny: [127.0.0.0/8]}";
	struct http_call_rig c;

	(void)state;
	http_call_start(&c, OK_204, "");
	for (int i = 0; i < 3; i++) {
		http_call_make(&c);
		assert_int_equal(c.outcome.verdict, SENT);
		http_call_reopen(&c, denies);
		http_call_make(&c);
		assert_int_equal(c.outcome.verdict, TRY_AGAIN);
		assert_string_equal(c.why, "address not allowed: on the deny list");
		wire_renew(c.wire);
		http_call_make(&c);
		assert_string_equal(c.why, "address not allowed: on the deny list");
		assert_int_equal(http_receiver_count(c.far, (size_t)i + 1), i + 1);
		http_call_reopen(&c, "");
	}
	http_call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_accepts),
		cmocka_unit_test(the_queue_is_full),
		cmocka_unit_test(the_listener_speaks_first),
		cmocka_unit_test(silence_holds_up_nobody),
		cmocka_unit_test(silence_ends_by_its_timeout),
		cmocka_unit_test(what_one_may_the_other_may_not),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
