/* nng_hearers behind a tls+tcp:// address, to OpenSSL's own client and to nng's, which has Mbed
 * TLS: who is let in, that whoever stands still, leaves or speaks something else at any place costs
 * others nothing, and that records which could not be written at once come whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/suite/nng_child.h"
#include "tests/suite/nng_world.h"
#include "tests/suite/slow_listener.h"
#include "tests/suite/sp_caller.h"
#include "tests/suite/sp_listener.h"
#include "tests/suite/tls_caller.h"
#include "tests/suite/tls_files.h"
#include "transports/nng_hearers.h"

#define SUB	'\x21'
#define PUB	'\x20'
#define BUFFER	8192
#define ALONE	12000 /* messages, of 10 MB: more than buffers hold */
#define AT_ONCE 3000  /* ms; the sanitizers take their time */
#define SILENT	(HEARERS_NEW + 52)

struct scene {
	struct nng_world *world;
	char *url;
	SSL_CTX *ctx; /* of a client that trusts the relay */
};

static void open_scene(struct scene *s, bool mutual)
{
	s->world = nng_world_new();
	s->url = xasprintf("tls+tcp://127.0.0.1:%d", nng_world_port());
	nng_world_refill_on_tls(s->world, mutual); /* makes the files */
	nng_world_open(s->world, s->url);
	s->ctx = tls_caller_context(s->world->folder, NULL);
}

static void close_scene(struct scene *s)
{
	nng_world_close(s->world); /* measures itself */
	nng_world_free(s->world);
	SSL_CTX_free(s->ctx);
	free(s->url);
}

static struct sp_listener *listen_to(const struct scene *s)
{
	SSL *ssl = tls_caller_shake(s->url, s->ctx);

	assert_non_null(ssl);
	return sp_listener_by_tls(ssl);
}

static void is_served_at_once(struct scene *s)
{
	int64_t start = clock_now().mono_ms;
	double before = nng_world_figure(s->world, "relay_bus_subscribers_total");
	struct sp_listener *l = listen_to(s);

	nng_world_await(s->world, "relay_bus_subscribers_total", before + 1);
	nng_world_publish_new(s->world, 3, 300);
	sp_listener_events(l, 3);
	sp_listener_close(l);
	assert_in_range(clock_now().mono_ms - start, 0, AT_ONCE);
}

/* As before, the next is served and no descriptor is kept. */
static void with_a_relay(void (*test)(struct scene *s))
{
	struct scene s;

	open_scene(&s, false);
	size_t before = sp_caller_descriptors();
	test(&s);
	is_served_at_once(&s);
	for (int i = 0; i < 200 && sp_caller_descriptors() > before; i++)
		poll(NULL, 0, 10);
	assert_in_range(sp_caller_descriptors(), 0, before);
	close_scene(&s);
}

/* ---- messages ---- */

static void listen_by(struct scene *s, int version)
{
	SSL_CTX_set_min_proto_version(s->ctx, version);
	SSL_CTX_set_max_proto_version(s->ctx, version);
	double before = nng_world_figure(s->world, "relay_bus_subscribers");
	struct sp_listener *one = listen_to(s), *other = listen_to(s);
	assert_int_equal(SSL_version(one->ssl), version);
	nng_world_await(s->world, "relay_bus_subscribers", before + 2);
	/* The other takes nothing meanwhile, and no socket's buffers hold the long ones. */
	for (int i = 0; i < 10; i++) {
		nng_world_publish_new(s->world, 20, 10);
		nng_world_publish_new(s->world, 2, 250000);
		nng_world_publish_new(s->world, 20, 2000);
		sp_listener_events(one, 42);
	}
	sp_listener_events(other, 420);
	assert_int_equal(one->gaps + other->gaps, 0);
	assert_int_equal(other->sequence, s->world->n);
	sp_listener_close(one);
	sp_listener_close(other);
	nng_world_await(s->world, "relay_bus_subscribers_left_total",
			nng_world_figure(s->world, "relay_bus_subscribers_total") - before);
}

static void listen_by_both(struct scene *s)
{
	listen_by(s, TLS1_2_VERSION);
	listen_by(s, TLS1_3_VERSION);
}

static void messages_come_whole_by_both_versions(void **state)
{
	(void)state;
	with_a_relay(listen_by_both);
}

/* Keys change while a record is owed, as often as the peer likes. */
static void change_keys(struct scene *s)
{
	struct sp_listener *l = listen_to(s);

	nng_world_await(s->world, "relay_bus_subscribers", 1);
	for (int i = 0; i < 10; i++) {
		nng_world_publish_new(s->world, 20, 250000); /* more than buffers hold */
		assert_int_equal(SSL_key_update(l->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(l->ssl), 1);
		sp_listener_events(l, 20);
	}
	assert_int_equal(l->gaps, 0);
	sp_listener_close(l);
}

static void keys_may_change(void **state)
{
	(void)state;
	with_a_relay(change_keys);
}

/* Beside one with nng's TLS, which takes all. */
static void stand_still_and_catch_up(struct scene *s, const char *ca)
{
	struct nng_world *w = s->world;
	struct sp_listener *l = listen_to(s);
	char peer[72];
	size_t n = 30000;
	int room = 65536;

	setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	setenv(NNG_CHILD_CA, ca, 1);
	char *by_name = xasprintf("tls+tcp://localhost%s", strrchr(s->url, ':'));
	struct nng_child *child = nng_child_start((const char *const[]){"count", by_name, NULL});
	unsetenv(NNG_CHILD_CA);
	nng_child_says(child, "got 0");
	sp_listener_beats(l, 1);
	/* One by one, until a record does not fit into the socket's buffer and is owed; then so
	 * many that what waited behind it is dropped. Of many lengths, so that a cut shows. */
	while (w->n < n) {
		nng_world_publish_new(w, w->n < ALONE ? 1 : 100,
				      400 + (w->n < ALONE ? w->n : w->n / 100) % 251);
		if (w->n % NNG_CHILD_HOLDS == 0)
			nng_child_got(child, w->n);
	}
	assert_true(nng_world_figure(w, "relay_bus_dropped_messages_total") > 10000);
	sp_listener_address(l, peer, sizeof peer);
	const struct transport_figures *f = nng_world_figures(w);
	assert_int_equal(f->npeers, 2);
	assert_string_equal(f->peers[0].address, peer);
	/* Besides a full queue, a record that is owed: 16 KB of messages. */
	assert_in_range(f->peers[0].queued, BUFFER, BUFFER + 28);
	assert_int_equal(f->peers[1].dropped, 0);
	assert_non_null(strstr(f->trouble, peer));
	slow_listener_catches_up(w, l, 0);
	sp_listener_close(l);
	nng_child_free(child);
	free(by_name);
}

static void who_stands_still_loses_the_oldest(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s, false);
	char *ca = tls_files_path(s.world->folder, "bus", "ca");
	stand_still_and_catch_up(&s, ca);
	free(ca);
	close_scene(&s);
}

static void the_end_does_not_wait_for_who_stands_still(void **state)
{
	struct scene s;
	SSL *ssl[20];

	(void)state;
	open_scene(&s, false);
	for (int i = 0; i < 20; i++) {
		ssl[i] = tls_caller_shake(s.url, s.ctx);
		assert_true(ssl[i] && tls_caller_greet(ssl[i], SUB, PUB));
	}
	nng_world_await(s.world, "relay_bus_subscribers", 20);
	nng_world_publish_new(s.world, 3000, 1000);
	nng_world_close(s.world); /* measures itself */
	for (int i = 0; i < 20; i++) {
		sp_caller_is_ended(SSL_get_fd(ssl[i]), AT_ONCE);
		SSL_free(ssl[i]);
	}
	nng_world_open(s.world, s.url);
	close_scene(&s);
}

/* ---- who is let in ---- */

static void only_who_shows_a_certificate_is_let_in(void **state)
{
	static const struct {
		const char *shows;
		bool let_in;
	} cases[] = {{"bus", true}, {NULL, false}, {"stranger", false}, {"bus", true}};
	struct scene s;

	(void)state;
	open_scene(&s, true);
	tls_files_make(s.world->folder, "stranger", (struct tls_days){0, 0});
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			SSL_CTX *ctx = tls_caller_context(s.world->folder, cases[i].shows);
			SSL_CTX_set_max_proto_version(ctx, version);
			SSL *ssl = tls_caller_shake(s.url, ctx);
			assert_int_equal(ssl && tls_caller_greet(ssl, SUB, PUB), cases[i].let_in);
			if (ssl)
				tls_caller_hang_up(ssl);
			SSL_CTX_free(ctx);
		}
	}
	nng_world_await(s.world, "relay_bus_subscribers_total", 4);
	assert_true(nng_world_figure(s.world, "relay_bus_subscribers_total") == 4);
	tls_files_remove(s.world->folder, "stranger");
	close_scene(&s);
}

/* In each place before the end of the greeting. */
static void stand_still(struct scene *s)
{
	unsigned char hello[2048];
	size_t len = tls_caller_hello(s->ctx, hello, sizeof hello);
	struct sp_listener *stays = listen_to(s);
	SSL *shaken[SILENT] = {0};
	int fds[SILENT];

	nng_world_await(s->world, "relay_bus_subscribers", 1);
	for (size_t i = 0; i < SILENT; i++) {
		if (i % 4 == 3) {
			shaken[i] = tls_caller_shake(s->url, s->ctx);
			assert_non_null(shaken[i]);
			assert_int_equal(SSL_write(shaken[i], "\0SP", 3), 3);
			fds[i] = SSL_get_fd(shaken[i]);
			continue;
		}
		fds[i] = sp_caller_connect(s->url);
		sp_caller_send(fds[i], hello, i % 4 == 0 ? 0 : i % 4 == 1 ? len / 2 : len);
	}
	is_served_at_once(s);
	nng_world_publish_new(s->world, 10, 300);
	sp_listener_events(stays, 13);
	for (size_t i = 0; i < SILENT; i++) { /* the place of the first ones was wanted */
		sp_caller_is_ended(fds[i], i < 50 ? AT_ONCE : HEARER_MS + AT_ONCE);
		SSL_free(shaken[i]);
	}
	nng_world_publish_new(s->world, 10, 300);
	sp_listener_events(stays, 10);
	assert_int_equal(stays->gaps, 0);
	sp_listener_close(stays);
}

static void who_does_not_greet_keeps_nobody_out(void **state)
{
	(void)state;
	with_a_relay(stand_still);
}

static void leave_anywhere(struct scene *s)
{
	unsigned char hello[2048];
	size_t len = tls_caller_hello(s->ctx, hello, sizeof hello);

	for (size_t i = 0; i < 300; i++) {
		int fd = sp_caller_connect(s->url);
		sp_caller_send(fd, hello, i * (len + 1) / 300);
		if (i % 2)
			sp_caller_reset(fd);
		else
			close(fd);
	}
	for (size_t i = 0; i < 200; i++) {
		SSL *ssl = tls_caller_shake(s->url, s->ctx);
		assert_non_null(ssl);
		if (i % 4 > 0)
			assert_true(tls_caller_greet(ssl, SUB, PUB));
		if (i % 4 > 1)
			nng_world_publish_new(s->world, 1, i % 4 == 2 ? 300 : 250000);
		if (i % 2)
			sp_caller_reset(SSL_get_fd(ssl));
		else
			close(SSL_get_fd(ssl));
		SSL_free(ssl);
	}
}

static void who_leaves_anywhere_keeps_nobody_out(void **state)
{
	(void)state;
	with_a_relay(leave_anywhere);
}

static void say_by_tls(struct scene *s)
{
	static const struct {
		const char *bytes, *then; /* in records of their own */
		size_t len, then_len;
	} others[] = {
		{"GET / HTTP/1.1\r\n\r\n", "", 18, 0},
		{"\0SP\0\0\x30\0\0", "", 8, 0}, /* a REQ */
		{"\0SP\0\0\x20\0\0", "", 8, 0}, /* a PUB */
		{"\0SP\0", "\1\x21\0\0", 4, 4},
		/* It sends behind its greeting, where poll sees that and where it does not. */
		{"\0SP\0\0\x21\0\0", "\0\0\0\0\0\0\0\1x", 8, 9},
		{"\0SP\0\0\x21\0\0\0", "", 9, 0},
		{"\0SP\0\0\x21\0\0\0\0\0\0\0\0\0\1x", "", 17, 0},
		{"\0SP\0", "\0\x21\0\0\0\0", 4, 6},
	};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		SSL *ssl = tls_caller_shake(s->url, s->ctx);
		assert_int_equal(SSL_write(ssl, others[i].bytes, (int)others[i].len),
				 others[i].len);
		if (others[i].then_len)
			SSL_write(ssl, others[i].then, (int)others[i].then_len);
		sp_caller_is_ended(SSL_get_fd(ssl), AT_ONCE);
		SSL_free(ssl);
	}
	/* A record that is none of its keys'. */
	struct sp_listener *l = listen_to(s);
	sp_caller_send(l->fd,
		       "\x17\x03\x03\0\x20"
		       "0123456789abcdef0123456789abcdef",
		       5 + 32);
	sp_caller_is_ended(l->fd, AT_ONCE);
	SSL_free(l->ssl);
	free(l);
}

static void speak_something_else(struct scene *s)
{
	tls_caller_wants_no_tls(s->url, AT_ONCE);
	say_by_tls(s);
}

static void who_speaks_something_else_is_ended(void **state)
{
	(void)state;
	with_a_relay(speak_something_else);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_whole_by_both_versions),
		cmocka_unit_test(keys_may_change),
		cmocka_unit_test(who_stands_still_loses_the_oldest),
		cmocka_unit_test(the_end_does_not_wait_for_who_stands_still),
		cmocka_unit_test(only_who_shows_a_certificate_is_let_in),
		cmocka_unit_test(who_does_not_greet_keeps_nobody_out),
		cmocka_unit_test(who_leaves_anywhere_keeps_nobody_out),
		cmocka_unit_test(who_speaks_something_else_is_ended),
	};

	nng_child_main(argc, argv);
	signal(SIGPIPE, SIG_IGN); /* of this client; the relay's thread takes none */
	return cmocka_run_group_tests_name("nng_hearers_tls", tests, NULL, NULL);
}
