/* http under the transports' contract, and what is its own: what a request says, what each answer
 * means, what a configuration may not say, and that no secret comes out anywhere. */
#include "tests/suite/transport_suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/suite/http_call_rig.h"
#include "tests/suite/tls_files.h"
#include "transports/signature.h"

#define OK_204	"HTTP/1.1 204 No Content\r\n\r\n"
#define SECRET	"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SECRET2 "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

static void *far_open(bool hangs, char **ret_config)
{
	struct http_receiver *r = http_receiver_open(hangs ? NULL : OK_204);

	*ret_config = xasprintf("{url: 'http://127.0.0.1:%d/hook', secret: [%s]}",
				http_receiver_port(r), SECRET);
	return r;
}

static size_t far_count(void *far, size_t n)
{
	return http_receiver_count(far, n);
}

static const char *far_body(void *far, size_t i)
{
	return http_receiver_get(far, i)->body;
}

static void far_close(void *far)
{
	http_receiver_close(far);
}

static const struct suite_transport under = {
	.type = &transport_http,
	.far_open = far_open,
	.far_count = far_count,
	.far_body = far_body,
	.far_close = far_close,
	.can_hang = true,
};

static void test_request(void **state)
{
	struct http_call_rig c;
	const struct received *q;

	(void)state;
	http_call_start(&c, OK_204, ", headers: {X-Team: crm, X-Empty: ''}");
	http_call_make(&c);
	assert_int_equal(c.outcome.verdict, SENT);
	assert_int_equal(http_receiver_count(c.far, 1), 1);
	q = http_receiver_get(c.far, 0);
	assert_memory_equal(q->head, "POST /hook?a=b HTTP/1.1\r\n", 25);
	assert_int_equal(q->len, c.event.len);
	assert_string_equal(q->body, c.event.body);
	assert_string_equal(http_call_header(&c, "Content-Type"),
			    "application/cloudevents+json; charset=utf-8");
	assert_string_equal(http_call_header(&c, "User-Agent"), "Relay/" RELAY_VERSION);
	assert_string_equal(http_call_header(&c, "X-Team"), "crm");
	assert_string_equal(http_call_header(&c, "X-Empty"), "");
	assert_null(http_call_header(&c, "Expect"));
	assert_null(http_call_header(&c, "webhook-id"));
	assert_null(http_call_header(&c, "Authorization"));
	http_call_end(&c);
}

static void test_method_and_authorization(void **state)
{
	static const struct {
		const char *more, *start, *authorization;
	} cases[] = {
		{", method: PUT", "PUT /", NULL},
		{", bearer: tok-123", "POST /", "Bearer tok-123"},
		{", basic: 'Aladdin:open sesame'", "POST /", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
		{", basic: 'a:b'", "POST /", "Basic YTpi"},
		{", basic: 'a:bc'", "POST /", "Basic YTpiYw=="},
		{", headers: {authorization: Token x, user-agent: me}", "POST /", "Token x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_call_rig c;

		http_call_start(&c, OK_204, cases[i].more);
		http_call_make(&c);
		assert_memory_equal(http_receiver_get(c.far, 0)->head, cases[i].start,
				    strlen(cases[i].start));
		if (cases[i].authorization)
			assert_string_equal(http_call_header(&c, "Authorization"),
					    cases[i].authorization);
		http_call_end(&c);
	}
}

static void test_signatures(void **state)
{
	static const char *const secrets[] = {SECRET, SECRET2};
	struct http_call_rig c;

	(void)state;
	http_call_start(&c, OK_204, ", secret: [" SECRET ", " SECRET2 "]");
	http_call_make(&c);
	int64_t now_s = clock_now().wall_ms / 1000;

	assert_string_equal(http_call_header(&c, "webhook-id"), c.event.id);
	struct signed_text text = {
		.id = c.event.id,
		.timestamp_s = strtoll(http_call_header(&c, "webhook-timestamp"), NULL, 10),
		.body = http_receiver_get(c.far, 0)->body,
		.len = c.event.len,
	};

	assert_in_range(text.timestamp_s, now_s - 20, now_s);
	for (int i = 0; i < 2; i++) { /* the receiver knows one of the two */
		struct err err = {0};
		struct signature_key *k = signature_key_load(secrets[i], &err);

		if (signature_verify(http_call_header(&c, "webhook-signature"), &k, 1, &text, now_s,
				     300, &err) < 0)
			fail_msg("%s", err.msg);
		signature_key_free(k);
	}
	http_call_end(&c);
}

#define REPLY(line, headers, body) "HTTP/1.1 " line "\r\nContent-Length: 5\r\n" headers "\r\n" body

static const struct {
	const char *reply;
	enum verdict verdict;
	bool disable;
	int64_t wait_ms;
	const char *why;
} answers[] = {
	{REPLY("200 OK", "", "hello"), SENT, false, -1, ""},
	{REPLY("202 Accepted", "", "hello"), SENT, false, -1, ""},
	{OK_204, SENT, false, -1, ""},
	{REPLY("301 Moved", "Location: http://127.0.0.1:1/\r\n", "there"), REFUSED, false, -1,
	 "301 (redirects are not followed): there"},
	{REPLY("400 Bad", "", "what?"), REFUSED, false, -1, "400: what?"},
	{REPLY("401 No", "Retry-After: 5\r\n", "who??"), REFUSED, false, -1, "401: who??"},
	{REPLY("404 Not Found", "", "a\nb\x01\xff"), REFUSED, false, -1, "404: a\\nb\\x01\\xff"},
	{REPLY("404 Not Found", "", "why\r\n"), REFUSED, false, -1, "404: why"},
	{REPLY("404 Not Found", "", "\n \t\r\n"), REFUSED, false, -1, "404"},
	{REPLY("408 Timeout", "", "12345"), TRY_AGAIN, false, -1, "408: 12345"},
	{REPLY("410 Gone", "", "12345"), TRY_AGAIN, true, -1, "410: 12345"},
	{REPLY("425 Too Early", "", "12345"), TRY_AGAIN, false, -1, "425: 12345"},
	{REPLY("429 Slow", "Retry-After: 7\r\n", "12345"), TRY_AGAIN, false, 7000, "429: 12345"},
	{REPLY("503 Busy", "Retry-After: 999999\r\n", "12345"), TRY_AGAIN, false, 86400000,
	 "503: 12345"},
	{REPLY("500 Oops", "Retry-After: soon\r\n", "12345"), TRY_AGAIN, false, -1, "500: 12345"},
	{"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", TRY_AGAIN, false, -1, "502"},
	{"", TRY_AGAIN, false, -1, "no answer: the connection ended before an answer"},
};

static void test_answers(void **state)
{
	struct http_call_rig c;

	(void)state;
	http_call_start(&c, OK_204, "");
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		http_receiver_answer(c.far, answers[i].reply);
		http_call_make(&c);
		if (c.outcome.verdict != answers[i].verdict ||
		    c.outcome.disable != answers[i].disable ||
		    c.outcome.wait_ms != answers[i].wait_ms || strcmp(c.why, answers[i].why) != 0)
			fail_msg("%.20s: verdict %d, wait %lld, %s", answers[i].reply,
				 c.outcome.verdict, (long long)c.outcome.wait_ms, c.why);
	}
	http_call_end(&c);
}

static void test_no_answer(void **state)
{
	static const struct {
		const char *url, *more, *why;
	} cases[] = {
		{"http://127.0.0.1:1/", "", "no answer: the connection was refused"},
		{"http://169.254.169.254/latest", "", "address not allowed: "},
		{"http://127.0.0.1:1/", ", network: {deny: [127.0.0.0/8]}",
		 "address not allowed: "},
		{"https://127.0.0.1:1/", ", network: public", "address not allowed: "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_call_rig c = {0};

		http_call_open(&c, cases[i].url, cases[i].more);
		c.event.body = xstrdup("{}");
		c.event.len = 2;
		http_call_make(&c);
		assert_int_equal(c.outcome.verdict, TRY_AGAIN);
		assert_true(c.outcome.no_connection);
		if (strncmp(c.why, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("%s: %s", cases[i].url, c.why);
		http_call_end(&c);
	}
}

static void test_timeout(void **state)
{
	struct http_call_rig c;

	(void)state;
	http_call_start(&c, NULL, ", timeout: 100ms");
	http_call_make(&c);
	assert_int_equal(c.outcome.verdict, TRY_AGAIN);
	assert_string_equal(c.why, "no answer: no complete answer in time");
	assert_in_range(c.outcome.took_ms, 90, 5000);
	http_call_end(&c);
}

/* A receiver that sends everything back, and far too much of it. */
static void test_secrets_do_not_come_back(void **state)
{
	char *reply = xmalloc(200000);
	struct http_call_rig c;
	int n;

	(void)state;
	n = snprintf(reply, 200000,
		     "HTTP/1.1 500 Echo\r\nContent-Length: 100000\r\n\r\n%s Bearer tok-123 x-456 ",
		     SECRET);
	memset(reply + n, 'z', 100000);
	reply[n + 100000] = '\0';
	setenv("RELAY_TEST_HEADER", "x-456", 1);
	http_call_start(&c, reply,
			", secret: " SECRET
			", bearer: tok-123, headers: {X-Key: '${RELAY_TEST_HEADER}',"
			" X-Other: \"${RELAY_TEST_HEADER}\"}");
	http_call_make(&c);
	assert_int_equal(c.outcome.verdict, TRY_AGAIN);
	assert_memory_equal(c.why, "500: *** Bearer *** *** zzz", 27);
	assert_in_range(strlen(c.why), 1000, 1024);
	http_call_end(&c);
	free(reply);
}

static void test_configuration(void **state)
{
	static const struct {
		const char *config, *says;
	} cases[] = {
		{"{}", "url is missing"},
		{"{url: 'http://a/', secret: abc}", "whsec_"},
		{"{url: 'http://a/', secret: [" SECRET ", whsec_AAAA]}", "secret[1]"},
		{"{url: 'http://a/', secret: whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=}",
		 "public key"},
		{"{url: 'http://a/', secret: []}", "secret: is an empty list"},
		{"{url: 'http://a/', secret_file: []}", "secret_file: is an empty list"},
		{"{url: 'http://a/', bearer: x, basic: 'a:b'}", "either bearer or basic"},
		{"{url: 'http://a/', basic: ab}", "user:password"},
		{"{url: 'http://a/', headers: {'a b': c}}", "no header name"},
		{"{url: 'http://a/', headers: {webhook-id: c}}", "set by Relay"},
		{"{url: 'http://a/', headers: {a: \"b\\r\\nc: d\"}}", "control characters"},
		{"{url: 'http://a/', headers: {a: [b]}}", "must be one value"},
		{"{url: 'http://a/', headers: [a]}", "must be a map"},
		{"{url: 'http://a/', bearer: x, headers: {Authorization: b}}", "bearer or basic"},
		{"{url: 'http://a/', network: open}", "private, public"},
		{"{url: 'http://a/', network: {allow: [10.0.0.0/33]}}", "network.allow[0]"},
		{"{url: 'http://a/', network: {allows: []}}", "allow and deny"},
		{"{url: 'http://a/', network: public}", "https"},
		{"{url: 'https://a/', cert_file: /dev/null}", "belong together"},
		{"{url: 'https://a/', ca_file: /nonexistent.pem}", "ca_file: cannot be read"},
		{"{url: 'https://a/', method: GET}", "method"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *said = http_call_said(cases[i].config);

		if (!strstr(said, cases[i].says))
			fail_msg("%s: %s", cases[i].config, said);
		assert_null(strstr(said, "MfKQ9r8"));
		assert_null(strstr(said, "AAAA"));
		free(said);
	}
}

static void test_certificates(void **state)
{
	static const struct {
		const char *config, *says; /* "": nothing */
	} cases[] = {
		{"cert_file: %1$s/a.cert, key_file: %1$s/a.key, ca_file: %1$s/b.ca", ""},
		{"ca_file: %1$s/a.key", "t:1:36: http.ca_file: holds no certificate (PEM)"},
		{"ca_file: %1$s", "ca_file: is not a file"},
		{"ca_file: %1$s/a.ca, cert_file: %1$s/a.key, key_file: %1$s/a.key",
		 "cert_file: holds no certificate (PEM)"},
		{"cert_file: %1$s/a.cert, key_file: %1$s/a.ca",
		 "key_file: holds no key (PEM, without a password)"},
		{"cert_file: %1$s/a.cert, key_file: %1$s/none",
		 "key_file: cannot be read: No such"},
		{"cert_file: %1$s/a.cert, key_file: %1$s/b.key", "key_file: is not the key of /"},
	};
	char dir[] = "/tmp/relay-http-tls-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	tls_files_make(dir, "a", (struct tls_days){0, 0});
	tls_files_make(dir, "b", (struct tls_days){0, 0});
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf config = BUF_INIT(1000);
		buf_adds(&config, "{url: 'https://a/', ");
		for (const char *at = cases[i].config; *at; at++)
			if (strncmp(at, "%1$s", 4) == 0)
				buf_adds(&config, dir), at += 3;
			else
				buf_addc(&config, *at);
		buf_addc(&config, '}');
		char *said = http_call_said(config.data);
		if (*cases[i].says ? !strstr(said, cases[i].says) || strchr(said, '\n') : *said)
			fail_msg("%s: %s", config.data, said);
		free(said);
		buf_release(&config);
	}
	tls_files_remove(dir, "a");
	tls_files_remove(dir, "b");
	assert_int_equal(rmdir(dir), 0);
}

static void test_unencrypted_secrets_are_warned_of(void **state)
{
	static const struct {
		const char *config, *says; /* "": nothing */
	} cases[] = {
		{"{url: 'http://10.0.0.1/x', bearer: t}", "url: calls go to another machine unenc"},
		{"{url: 'http://crm:8080', basic: 'u:p'}", "the password or token with them"},
		{"{url: 'http://[fd00::1]:8080/', secret: " SECRET "}", "can read them; https://"},
		{"{url: 'http://127.0.0.1.example.com/', bearer: t}", "another machine"},
		{"{url: 'http://10.0.0.1/x'}", ""},
		{"{url: 'https://10.0.0.1/x', bearer: t}", ""},
		{"{url: 'http://127.8.8.8:1/x', bearer: t}", ""},
		{"{url: 'http://[::1]:1/x', secret: " SECRET "}", ""},
		{"{url: 'http://localhost', bearer: t}", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *said = http_call_said(cases[i].config);
		if (*cases[i].says ? !strstr(said, cases[i].says) : *said)
			fail_msg("%s: %s", cases[i].config, said);
		free(said);
	}
}

/* Of files with several: which of all it is, and not what it says. */
static void test_secrets_one_a_line(void **state)
{
	static const char text[] = "\n  " SECRET "\r\n\nwhsec_AAAA \n";
	static const struct {
		size_t files; /* each with those two */
		const char *says;
	} cases[] = {
		{1, "secret_file: secret 2 of 2: the secret behind whsec_ has 3 bytes"},
		{2, "secret_file: secret 4 of 4: the secret behind whsec_ has 3 bytes"},
		{6, "secret_file: has more than 10 secrets"},
	};
	char path[] = "/tmp/relay-secrets-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf config = BUF_INIT(1000);

		buf_adds(&config, "{url: 'http://a/', secret_file: [");
		for (size_t k = 0; k < cases[i].files; k++)
			buf_addf(&config, "%s%s", k ? ", " : "", path);
		buf_adds(&config, "]}");
		char *said = http_call_said(config.data);
		if (!strstr(said, cases[i].says))
			fail_msg("%zu files: %s", cases[i].files, said);
		assert_null(strstr(said, "AAAA"));
		free(said);
		buf_release(&config);
	}
	close(fd);
	unlink(path);
}

/* The place is that of the file's name. */
static void test_credentials_in_files(void **state)
{
	static const struct {
		const char *key, *text, *says;
	} cases[] = {
		{"bearer_file", "AAAA\nAAAA\n", "bearer_file: must not hold control characters"},
		{"basic_file", "AAAA\n", "basic_file: must be user:password"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char path[] = "/tmp/relay-secrets-XXXXXX";
		int fd = mkstemp(path);
		size_t len = strlen(cases[i].text);

		assert_int_equal(write(fd, cases[i].text, len), len);
		char *config = xasprintf("{url: 'http://a/', %s: %s}", cases[i].key, path);
		char *said = http_call_said(config);
		if (!strstr(said, cases[i].says))
			fail_msg("%s", said);
		assert_null(strstr(said, "AAAA"));
		free(said);
		free(config);
		close(fd);
		unlink(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_method_and_authorization),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_secrets_do_not_come_back),
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_unencrypted_secrets_are_warned_of),
		cmocka_unit_test(test_secrets_one_a_line),
		cmocka_unit_test(test_credentials_in_files),
	};

	return transport_suite_run(&under) + cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
