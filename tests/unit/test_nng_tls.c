/* The bus with TLS: certificates as settings, and refills to OpenSSL's own client, as TLS 1.2
 * and 1.3: who is let in, and that whoever stands still, leaves or speaks something else at any
 * place holds up nobody. nng's sockets are tried in tests/e2e/bus-tls.test.mjs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "tests/suite/nng_world.h"
#include "tests/suite/sp_caller.h"
#include "tests/suite/tls_caller.h"
#include "tests/suite/tls_files.h"
#include "transports/nng_bus.h"
#include "transports/nng_callers.h"
#include "transports/nng_frame.h"

#define ALL	"{\"topic\":\"\"}"
#define FEW	"{\"topic\":\"\",\"limit\":2}"
#define EVENTS	100
#define AT_ONCE 3000 /* ms; the sanitizers take their time */
#define SILENT	300  /* callers; more than CALLERS_MAX */

/* ---- settings ---- */

static struct problems problems_of(const char *dir, const char *text)
{
	struct nng_settings s = {0};
	struct problems p = {0};
	char *path = xasprintf("%s/nng.yaml", dir); /* files are beside it */
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	struct yaml *y = yaml_load(path, &p);
	assert_non_null(y);
	options_read(transport_nng.options, yaml_root(y), &s, &p);
	assert_int_equal(p.n, 0);
	transport_nng.check(&s, yaml_root(y), &p);
	options_release(transport_nng.options, &s);
	yaml_free(y);
	unlink(path);
	free(path);
	return p;
}

#define HERE "listen: tls+tcp://127.0.0.1:5555\n"
#define WIDE "listen: tls+tcp://*:5555\n"
#define PAIR "cert_file: a.cert\nkey_file: a.key\n"

static const struct {
	const char *yaml, *problem, *warning; /* NULL: none */
} settings[] = {
	{HERE PAIR, NULL, NULL},
	{HERE PAIR "ca_file: b.ca\n", NULL, NULL},
	{"listen: wss://127.0.0.1:5555/x\n" PAIR, NULL, NULL},
	{"listen: ipc:///run/x\nrefill: tls+tcp://127.0.0.1:5556\n" PAIR, NULL, NULL},
	{"listen: 'tls+tcp://[::1]:5555'\n" PAIR, NULL, NULL},
	{WIDE PAIR "ca_file: b.ca\n", NULL, NULL},
	{"listen: wss://*:5555/x\n" PAIR "ca_file: b.ca\n", NULL, "proxy with deadlines"},
	{"listen: ws://*:5555/x\ninsecure: true\n", NULL, "\"ws://*:5555/x\" that say nothing"},
	{"listen: ws://127.0.0.1:5555/x\n", NULL, NULL},
	{"listen: tcp://*:5555\ninsecure: true\n", NULL, NULL},
	{WIDE PAIR, NULL, "listen: whoever reaches \"tls+tcp://*:5555\" can read"},
	{HERE "cert_file: old.cert\nkey_file: old.key\n", NULL, "cert_file: the certificate has"},
	{HERE "cert_file: new.cert\nkey_file: new.key\n", NULL, "is not valid yet"},
	{HERE "cert_file: a.cert\nkey_file: b.key\n",
	 "nng.yaml:3:11: key_file: is not the key of /", NULL},
	{HERE "cert_file: a.key\nkey_file: a.key\n", "nng.yaml:2:12: cert_file: holds no cert",
	 NULL},
	{HERE "cert_file: a.cert\nkey_file: a.cert\n", "key_file: holds no key", NULL},
	{HERE "cert_file: a.cert\nkey_file: none\n", "key_file: cannot be read: No such", NULL},
	{HERE "cert_file: .\nkey_file: a.key\n", "cert_file: is not a file", NULL},
	{HERE PAIR "ca_file: a.key\n", "nng.yaml:4:10: ca_file: holds no certificate", NULL},
	{HERE PAIR "ca_file: none\n", "ca_file: cannot be read", NULL},
	{HERE "cert_file: a.cert\n", "cert_file: cert_file and key_file belong together", NULL},
	{"listen: tcp://127.0.0.1:5555\n" PAIR, "nng.yaml:2:12: cert_file: is for tls+tcp", NULL},
	{"listen: tcp://127.0.0.1:5555\nca_file: a.ca\n", "ca_file: is for tls+tcp", NULL},
	{"listen: [tls+tcp://127.0.0.1:5555, tcp://*:5556]\n" PAIR, "other machines", NULL},
};

static void has_one(char *const *list, size_t n, const char *want, const char *yaml)
{
	if (n != (want ? 1 : 0) || (want && !strstr(list[0], want)))
		fail_msg("%s: %zu: %s", yaml, n, n ? list[0] : "-");
}

static void certificates_are_checked(void **state)
{
	static const char *const names[] = {"a", "b", "old", "new"};
	static const struct tls_days days[] = {{0, 0}, {0, 0}, {-9, -1}, {1, 9}};
	char *dir = xasprintf("%s/relay-tls-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < 4; i++)
		tls_files_make(dir, names[i], days[i]);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		struct problems p = problems_of(dir, settings[i].yaml);
		has_one(p.v, p.n, settings[i].problem, settings[i].yaml);
		has_one(p.warnings, p.nwarnings, settings[i].warning, settings[i].yaml);
		problems_release(&p);
	}
	char *key = tls_files_path(dir, "a", "key");
	assert_int_equal(chmod(key, 0644), 0);
	struct problems p = problems_of(dir, HERE PAIR);
	has_one(p.warnings, p.nwarnings, "can be read by other users", PAIR);
	problems_release(&p);
	for (size_t i = 0; i < 4; i++)
		tls_files_remove(dir, names[i]);
	assert_int_equal(rmdir(dir), 0);
	free(key);
	free(dir);
}

/* ---- a caller ---- */

static struct nng_world *world_of(bool mutual)
{
	struct nng_world *w = nng_world_new();

	for (size_t i = 0; i < EVENTS; i++)
		nng_world_commit(w, NNG_WORLD_TOPIC, 2200);
	nng_world_refill_on_tls(w, mutual);
	nng_world_open(w, NULL);
	return w;
}

static const char *folder_of(const struct nng_world *w)
{
	return w->folder;
}

static SSL *shake(const struct nng_world *w, SSL_CTX *ctx)
{
	return tls_caller_shake(w->refill, ctx);
}

static bool greet(SSL *ssl)
{
	return tls_caller_greet(ssl, 0x30, 0x31);
}

/* A request as bytes of the stream. */
static void add_request(struct buf *out, const char *request)
{
	size_t len = strlen(request);

	buf_add(out, "\0\0\0\0\0\0\0", 7);
	buf_addc(out, (char)(4 + len));
	buf_add(out, "\x80\1\2\3", 4);
	buf_add(out, request, len);
}

static void put(SSL *ssl, const char *request, size_t times)
{
	struct buf bytes = BUF_INIT(16000); /* of one record */

	for (size_t i = 0; i < times; i++)
		add_request(&bytes, request);
	assert_int_equal(SSL_write(ssl, bytes.data, (int)bytes.len), bytes.len);
	buf_release(&bytes);
}

/* How many events the next reply has; -1: none came. */
static int take(SSL *ssl)
{
	unsigned char head[8];
	uint64_t len = 0;

	if (!tls_caller_receive(ssl, head, sizeof head))
		return -1;
	for (int i = 0; i < 8; i++)
		len = len << 8 | head[i];
	assert_in_range(len, 4, FRAME_REPLY_MAX + 4);
	char *text = xmalloc(len);
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	assert_true(tls_caller_receive(ssl, text, len));
	assert_memory_equal(text, "\x80\1\2\3", 4);
	const struct json *root = json_parse(doc, text + 4, len - 4, JSON_DEPTH + 8, &err);
	assert_non_null(root);
	int n = (int)json_count(json_get(root, "events"));
	json_doc_free(doc);
	free(text);
	return n;
}

static void is_served_at_once(const struct nng_world *w, SSL_CTX *ctx)
{
	int64_t start = clock_now().mono_ms;
	SSL *ssl = shake(w, ctx);

	assert_non_null(ssl);
	assert_true(greet(ssl));
	put(ssl, FEW, 1);
	assert_int_equal(take(ssl), 2);
	tls_caller_hang_up(ssl);
	assert_in_range(clock_now().mono_ms - start, 0, AT_ONCE);
}

/* As before, the next is served and no descriptor is kept. */
static void with_a_relay(void (*test)(struct nng_world *w, SSL_CTX *ctx))
{
	struct nng_world *w = world_of(false);
	SSL_CTX *ctx = tls_caller_context(folder_of(w), NULL);
	size_t before = sp_caller_descriptors();

	test(w, ctx);
	is_served_at_once(w, ctx);
	for (int i = 0; i < 200 && sp_caller_descriptors() > before; i++)
		poll(NULL, 0, 10);
	assert_in_range(sp_caller_descriptors(), 0, before);
	SSL_CTX_free(ctx);
	nng_world_close(w); /* measures itself */
	nng_world_free(w);
}

/* ---- requests ---- */

static void ask_by(struct nng_world *w, SSL_CTX *ctx, int version)
{
	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL *ssl = shake(w, ctx);
	assert_non_null(ssl);
	assert_int_equal(SSL_version(ssl), version);
	assert_true(greet(ssl));
	/* The second to last are in the library's hands when the first is answered, where no poll
	 * sees them. */
	put(ssl, FEW, 200);
	for (int i = 0; i < 200; i++)
		assert_int_equal(take(ssl), 2);
	put(ssl, ALL, 20); /* more than a socket's buffers hold */
	for (int i = 0; i < 20; i++)
		assert_int_equal(take(ssl), EVENTS);
	tls_caller_hang_up(ssl);
}

static void ask_by_both(struct nng_world *w, SSL_CTX *ctx)
{
	ask_by(w, ctx, TLS1_2_VERSION);
	ask_by(w, ctx, TLS1_3_VERSION);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
}

static void requests_are_answered(void **state)
{
	(void)state;
	with_a_relay(ask_by_both);
}

static void change_keys(struct nng_world *w, SSL_CTX *ctx)
{
	SSL *ssl = shake(w, ctx);

	assert_true(ssl && greet(ssl));
	for (int i = 0; i < 50; i++) {
		assert_int_equal(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		put(ssl, i % 2 ? ALL : FEW, 1);
		assert_int_equal(take(ssl), i % 2 ? EVENTS : 2);
	}
	tls_caller_hang_up(ssl);
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	ssl = shake(w, ctx);
	assert_true(ssl && greet(ssl));
	assert_int_equal(SSL_renegotiate(ssl), 1);
	assert_int_not_equal(SSL_do_handshake(ssl), 1); /* it refuses, or ends the connection */
	ERR_clear_error();
	tls_caller_hang_up(ssl);
	SSL_CTX_set_max_proto_version(ctx, 0);
}

static void keys_may_change_but_nothing_is_negotiated_again(void **state)
{
	(void)state;
	with_a_relay(change_keys);
}

/* ---- who is let in ---- */

static bool is_let_in(struct nng_world *w, SSL_CTX *ctx)
{
	SSL *ssl = shake(w, ctx);
	bool in = ssl && greet(ssl);

	if (ssl)
		tls_caller_hang_up(ssl);
	return in;
}

static void offer_what_is_weak(struct nng_world *w, SSL_CTX *ctx)
{
	static const struct {
		int version;
		const char *ciphers;
	} weak[] = {
		{TLS1_VERSION, "ALL"},
		{TLS1_1_VERSION, "ALL"},
		{TLS1_2_VERSION, "AES128-SHA256"},
		{TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA"},
		{TLS1_2_VERSION, "aNULL"},
		{TLS1_2_VERSION, "eNULL"},
	};

	for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
		SSL_CTX *its = tls_caller_context(folder_of(w), NULL);
		char *ciphers = xasprintf("%s:@SECLEVEL=0", weak[i].ciphers);
		SSL_CTX_set_min_proto_version(its, weak[i].version);
		SSL_CTX_set_max_proto_version(its, weak[i].version);
		assert_int_equal(SSL_CTX_set_cipher_list(its, ciphers), 1);
		assert_false(is_let_in(w, its));
		SSL_CTX_free(its);
		free(ciphers);
	}
	assert_true(is_let_in(w, ctx));
}

static void what_is_weak_is_refused(void **state)
{
	(void)state;
	with_a_relay(offer_what_is_weak);
}

static void only_who_shows_a_certificate_is_let_in(void **state)
{
	static const struct {
		const char *shows;
		bool let_in;
	} cases[] = {{"bus", true}, {NULL, false}, {"stranger", false}, {"bus", true}};
	struct nng_world *w = world_of(true);

	(void)state;
	tls_files_make(folder_of(w), "stranger", (struct tls_days){0, 0});
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			SSL_CTX *ctx = tls_caller_context(folder_of(w), cases[i].shows);
			SSL_CTX_set_max_proto_version(ctx, version);
			assert_int_equal(is_let_in(w, ctx), cases[i].let_in);
			SSL_CTX_free(ctx);
		}
	}
	tls_files_remove(folder_of(w), "stranger");
	nng_world_free(w);
}

/* ---- callers that stand still, leave, or speak something else ---- */

/* Until nothing more goes into the buffers of who does not read: from now on it stands still. */
static void until_full(int fd)
{
	int held = 0, before, unchanged = 0;

	while (unchanged < 10) {
		before = held;
		poll(NULL, 0, 30);
		assert_int_equal(ioctl(fd, FIONREAD, &held), 0);
		unchanged = held && held == before ? unchanged + 1 : 0;
	}
}

/* In each place that a call has. All but those that were pushed out are ended in time. */
static void stand_still(struct nng_world *w, SSL_CTX *ctx)
{
	unsigned char hello[2048];
	size_t len = tls_caller_hello(ctx, hello, sizeof hello);
	SSL *shaken = shake(w, ctx), *idle = shake(w, ctx), *unread = shake(w, ctx);
	int fds[SILENT];

	assert_true(greet(idle) && greet(unread));
	put(unread, ALL, 100); /* 25 MB */
	until_full(SSL_get_fd(unread));
	for (size_t i = 0; i < SILENT; i++) {
		fds[i] = sp_caller_connect(w->refill);
		sp_caller_send(fds[i], hello, i % 3 == 0 ? 0 : i % 3 == 1 ? len / 2 : len);
		if (i % 50 == 0)
			is_served_at_once(w, ctx);
	}
	is_served_at_once(w, ctx);
	for (size_t i = 0; i < SILENT; i++)
		sp_caller_is_ended(fds[i], CALLER_MS + AT_ONCE);
	sp_caller_is_ended(SSL_get_fd(shaken), AT_ONCE);
	sp_caller_is_ended(SSL_get_fd(unread), AT_ONCE);
	put(idle, FEW, 1); /* nothing was under way, so it may stay */
	assert_int_equal(take(idle), 2);
	tls_caller_hang_up(idle);
	SSL_free(shaken);
	SSL_free(unread);
}

static void callers_that_stand_still_keep_nobody_out(void **state)
{
	(void)state;
	with_a_relay(stand_still);
}

static void leave_anywhere(struct nng_world *w, SSL_CTX *ctx)
{
	unsigned char hello[2048];
	size_t len = tls_caller_hello(ctx, hello, sizeof hello);

	for (size_t i = 0; i < 300; i++) {
		int fd = sp_caller_connect(w->refill);
		sp_caller_send(fd, hello, i * (len + 1) / 300);
		if (i % 2)
			sp_caller_reset(fd);
		else
			close(fd);
	}
	for (size_t i = 0; i < 100; i++) {
		SSL *ssl = shake(w, ctx);
		char some[4096];
		assert_non_null(ssl);
		if (i % 4 > 0)
			assert_true(greet(ssl));
		if (i % 4 > 1)
			put(ssl, ALL, 5);
		if (i % 4 > 2)
			assert_true(tls_caller_receive(ssl, some, 1 + i * 40));
		if (i % 2)
			sp_caller_reset(SSL_get_fd(ssl));
		else
			close(SSL_get_fd(ssl));
		SSL_free(ssl);
	}
}

static void callers_that_leave_anywhere_hold_up_nobody(void **state)
{
	(void)state;
	with_a_relay(leave_anywhere);
}

static void speak_something_else(struct nng_world *w, SSL_CTX *ctx)
{
	tls_caller_wants_no_tls(w->refill, AT_ONCE);
	/* Behind a whole handshake, too. */
	SSL *ssl = shake(w, ctx);
	assert_int_equal(SSL_write(ssl, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	sp_caller_is_ended(SSL_get_fd(ssl), AT_ONCE);
	SSL_free(ssl);
	ssl = shake(w, ctx);
	assert_true(greet(ssl));
	/* A record that is none of its keys'. */
	sp_caller_send(SSL_get_fd(ssl),
		       "\x17\x03\x03\0\x20"
		       "0123456789abcdef0123456789abcdef",
		       5 + 32);
	sp_caller_is_ended(SSL_get_fd(ssl), AT_ONCE);
	SSL_free(ssl);
}

static void callers_that_speak_something_else_are_ended(void **state)
{
	(void)state;
	with_a_relay(speak_something_else);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_are_checked),
		cmocka_unit_test(requests_are_answered),
		cmocka_unit_test(keys_may_change_but_nothing_is_negotiated_again),
		cmocka_unit_test(what_is_weak_is_refused),
		cmocka_unit_test(only_who_shows_a_certificate_is_let_in),
		cmocka_unit_test(callers_that_stand_still_keep_nobody_out),
		cmocka_unit_test(callers_that_leave_anywhere_hold_up_nobody),
		cmocka_unit_test(callers_that_speak_something_else_are_ended),
	};

	signal(SIGPIPE, SIG_IGN); /* of this client; the relay's thread takes none */
	return cmocka_run_group_tests_name("nng_tls", tests, NULL, NULL);
}
