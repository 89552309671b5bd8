/* nats: settings that are refused, subjects that events get, what answers mean. What needs a server
 * is in tests/suite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/unit/config_rig.h"
#include "transports/nats_ack.h"
#include "transports/nats_server.h"
#include "transports/nats_settings.h"
#include "transports/nats_subject.h"

/* ---- settings ---- */

static void check_settings(const char *text, struct problems *p)
{
	struct nats_settings s = {0};
	struct yaml *y = yaml_parse("nats.yaml", text, strlen(text), p);

	assert_non_null(y);
	options_read(nats_option_table, yaml_root(y), &s, p);
	if (!p->n)
		nats_settings_check(&s, yaml_root(y), p);
	options_release(nats_option_table, &s);
	yaml_free(y);
}

static void expect_problem(const char *yaml, const char *problem)
{
	struct problems p = {0};

	check_settings(yaml, &p);
	if (!problem && p.n)
		fail_msg("%s: %s", yaml, p.v[0]);
	if (problem && (p.n != 1 || !strstr(p.v[0], problem)))
		fail_msg("%s: %zu: %s", yaml, p.n, p.n ? p.v[0] : "-");
	for (size_t i = 0; i < p.n; i++) {
		assert_null(strstr(p.v[i], "hush"));
		assert_null(p.source[i] ? strstr(p.source[i], "hush") : NULL);
	}
	problems_release(&p);
}

static void settings_are_checked(void **state)
{
	static const struct {
		const char *yaml;
		const char *problem; /* NULL: none */
	} cases[] = {
		{"servers: nats://127.0.0.1:4222", NULL},
		{"servers: nats://127.0.0.1", NULL},
		{"servers: [nats://localhost:4222, 'nats://[::1]:4223', nats://127.8.8.8:1]", NULL},
		{"servers: [tls://a.example.com:4222, tls://10.0.0.1:4222]", NULL},
		{"servers: nats://nats.example.com:4222\ninsecure: true", NULL},
		{"servers: nats://localhost:4222\nuser: u\npassword: p", NULL},
		{"servers: nats://localhost:4222\ntoken: t\nstream: RELAY_1", NULL},
		{"servers: nats://localhost:4222\nsubject: acme.relay", NULL},
		{"servers: nats://localhost:4222\nsubject: 'r.{{type}}.{{data.broadcast_id}}'",
		 NULL},
		{"subject: relay", "servers"},
		{"servers: []", "nats.yaml:1:10: servers: 1 to 64 servers"},
		{"servers: localhost:4222", "nats://HOST:PORT or tls://HOST:PORT is expected"},
		{"servers: ws://localhost:4222", "nats://HOST:PORT or tls://"},
		{"servers: nats://localhost:0", "is expected"},
		{"servers: nats://localhost:65536", "is expected"},
		{"servers: nats://localhost:42x", "is expected"},
		{"servers: nats://localhost:4222/x", "is expected"},
		{"servers: 'nats://'", "is expected"},
		{"servers: 'nats://[::1'", "is expected"},
		{"servers: 'nats://[localhost]:4222'", "is expected"},
		{"servers: 'nats://::1:4222'", "is expected"},
		{"servers: nats://127.1:4222", "is expected"},
		{"servers: nats://2130706433:4222", "is expected"},
		{"servers: 'nats://a b:4222'", "is expected"},
		{"servers: nats://u:hush@localhost:4222",
		 "the settings user and password_file, token_file or credentials_file"},
		{"servers: tls://hush@localhost:4222", "credentials_file"},
		{"servers: [nats://localhost:4222, nats://u:hush@localhost]",
		 "nats.yaml:1:34: servers[1]"},
		{"servers: nats://nats.example.com:4222", "use tls://, or add \"insecure: true\""},
		{"servers: nats://10.0.0.1:4222", "other machines unencrypted"},
		{"servers: nats://169.254.169.254:4222\ninsecure: true", "is not allowed"},
		{"servers: nats://0.0.0.0:4222\ninsecure: true", "is not allowed"},
		{"servers: [tls://localhost:4222, nats://localhost:4223]", "all of a cluster"},
		{"servers: tls://localhost:4222\ninsecure: true", "always verified"},
		{"servers: nats://localhost:4222\nca_file: /etc/hostname", "for tls:// servers"},
		{"servers: tls://localhost:4222\nca_file: /nonexistent",
		 "nats.yaml:2:10: ca_file: /nonexistent cannot be read"},
		{"servers: tls://localhost:4222\ncert_file: /etc/hostname", "belong together"},
		{"servers: tls://localhost:4222\nca_file: /etc/hostname",
		 "ca_file: /etc/hostname holds no certificate (PEM)"},
		{"servers: tls://localhost:4222\ncert_file: /etc/hostname\nkey_file: /etc/hostname",
		 "nats.yaml:2:12: cert_file: /etc/hostname holds no certificate (PEM)"},
		{"servers: nats://localhost:4222\nsubject: ''", "is empty"},
		{"servers: nats://localhost:4222\nsubject: relay.", "has an empty part"},
		{"servers: nats://localhost:4222\nsubject: .relay", "has an empty part"},
		{"servers: nats://localhost:4222\nsubject: a..b", "has an empty part"},
		{"servers: nats://localhost:4222\nsubject: a b", "white space"},
		{"servers: nats://localhost:4222\nsubject: 'relay.>'", "wildcard"},
		{"servers: nats://localhost:4222\nsubject: 'relay.*'", "wildcard"},
		{"servers: nats://localhost:4222\nsubject: $JS.API", "keeps for itself"},
		{"servers: nats://localhost:4222\nsubject: _INBOX.x", "keeps for itself"},
		{"servers: nats://localhost:4222\nsubject: 'a.*.{{type}}'", "wildcard"},
		{"servers: nats://localhost:4222\nsubject: 'a {{type}}'", "white space"},
		{"servers: nats://localhost:4222\nsubject: '$JS.{{type}}'", "begins with $"},
		{"servers: nats://localhost:4222\nsubject: 'a.{{type'",
		 "nats.yaml:2:10: subject: "},
		{"servers: nats://localhost:4222\nstream: a.b", "no stream's name"},
		{"servers: nats://localhost:4222\nstream: 'a b'", "no stream's name"},
		{"servers: nats://localhost:4222\nstream: ''", "no stream's name"},
		{"servers: nats://localhost:4222\nuser: u", "belong together"},
		{"servers: nats://localhost:4222\npassword: hush1", "belong together"},
		{"servers: nats://localhost:4222\nuser: u\npassword: 'hush\"'",
		 "nats.yaml:3:11: password: must not be empty, nor hold quotation marks"},
		{"servers: nats://localhost:4222\ntoken: 'hush\\'", "backslashes"},
		{"servers: nats://localhost:4222\nuser: u\npassword: hush1\ntoken: hush2",
		 "one of user, token and credentials_file"},
		{"servers: nats://localhost:4222\ncredentials_file: /nonexistent",
		 "cannot be read"},
		{"servers: nats://localhost:4222\ncredentials_file: /etc", "is not a file"},
		{"servers: nats://localhost:4222\ntimeout: 50ms", "timeout"},
		{"servers: nats://localhost:4222\nconnect_timeout: 2m", "connect_timeout"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_problem(cases[i].yaml, cases[i].problem);
}

#define JWT                                                                                        \
	"-----BEGIN NATS USER JWT-----\neyJ0eXAi.eyJqdGki.sig-_\n------END NATS USER "             \
	"JWT------\n\n"
#define SEED "SUAHUSHAHUSHAHUSHAHUSHAHUSHAHUSHAHUSHAHUSHAHUSHAHUSHAHUSHU"

static char *write_file(const char *dir, const char *text)
{
	char *path = xasprintf("%s/relay.creds", dir);
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

static void credentials_are_looked_at(void **state)
{
	static const struct {
		const char *text, *problem;
	} cases[] = {
		{JWT "-----BEGIN USER NKEY SEED-----\n" SEED "\n------END USER NKEY SEED------\n",
		 NULL},
		{JWT "---\r\n" SEED "\r\n---\r\n", NULL},
		{"", "holds no user's JWT and no seed"},
		{"hush", "holds no user's JWT and no seed"},
		{"-----BEGIN CERTIFICATE-----\nMIIBhush\n-----END CERTIFICATE-----\n"
		 "-----BEGIN PRIVATE KEY-----\nMIGHhush\n-----END PRIVATE KEY-----\n",
		 "holds no user's JWT and no seed"},
		{JWT, "relay.creds holds no user's seed"},
		{JWT "---\n" SEED "A\n---\n", "holds no user's seed"},
		{JWT "---\nSAAHUSHAHUSHAHUSHAHUSHAHUSHAHUSHAHUSHAHUSHAHUSHAHUSHAHUSHU\n---\n",
		 "holds no user's seed"}, /* an account's */
		{"---\n" SEED "\n---\n", "holds no user's JWT"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *path = write_file(*state, cases[i].text);
		char *yaml =
			xasprintf("servers: nats://localhost:4222\ncredentials_file: %s", path);
		expect_problem(yaml, cases[i].problem);
		free(yaml);
		free(path);
	}
}

static void what_is_allowed_but_unwise_is_told(void **state)
{
	char *path = write_file(*state, JWT "---\n" SEED "\n---\n");
	char *yaml = xasprintf("servers: nats://localhost:4222\ncredentials_file: %s", path);
	struct problems p = {0};

	check_settings(yaml, &p);
	assert_int_equal(p.n + p.nwarnings, 0);
	assert_int_equal(chmod(path, 0644), 0);
	check_settings(yaml, &p);
	assert_int_equal(p.n, 0);
	assert_int_equal(p.nwarnings, 1);
	assert_non_null(strstr(p.warnings[0], "can be read by other users (chmod 600)"));
	problems_release(&p);
	check_settings("servers: nats://10.1.2.3\ninsecure: true\ntoken: hush", &p);
	assert_int_equal(p.nwarnings, 1);
	assert_non_null(strstr(p.warnings[0], "can be read by whoever is in between"));
	problems_release(&p);
	free(yaml);
	free(path);
}

static void servers_are_read(void **state)
{
	static const struct {
		const char *url, *host;
		unsigned port;
		bool tls, wide, literal;
	} cases[] = {
		{"nats://127.0.0.1", "127.0.0.1", 4222, false, false, true},
		{"tls://[fd00::1]:1", "fd00::1", 1, true, true, true},
		{"nats://LocalHost:5000", "LocalHost", 5000, false, false, true},
		{"tls://nats-1.example.com", "nats-1.example.com", 4222, true, true, false},
		{"nats://127.0.0.1.example.com:4222", "127.0.0.1.example.com", 4222, false, true,
		 false},
	};
	char *longest = xasprintf("nats://%0254d.example.com", 0);
	struct nats_server s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_null(nats_server_parse(&s, cases[i].url));
		assert_string_equal(s.host, cases[i].host);
		assert_int_equal(s.port, cases[i].port);
		assert_int_equal(s.tls, cases[i].tls);
		assert_int_equal(s.reach == NATS_WIDE, cases[i].wide);
		assert_int_equal(s.literal, cases[i].literal);
	}
	assert_non_null(nats_server_parse(&s, longest));
	free(longest);
}

/* ---- subjects ---- */

static void event_of(struct event *ret, const char *integration, const char *broadcast)
{
	struct event_head head = {
		.id = "evt_1",
		.type = "recipient.failed",
		.source = "https://api.example.com/",
		.subject = "r",
		.partitionkey = "r",
		.integration_id = integration,
		.broadcast_id = broadcast,
		.time_ms = 1795000000000,
		.recorded_ms = 1795000000000,
	};
	struct buf data = BUF_INIT(4096);

	buf_adds(&data, "{\"broadcast_id\":");
	json_write_string(&data, broadcast);
	buf_adds(&data, "}");
	event_make(ret, &head, data.data, data.len);
	buf_release(&data);
}

static void every_value_is_one_token(void **state)
{
	static const struct {
		const char *setting, *integration, *broadcast, *subject; /* NULL: it has none */
	} cases[] = {
		{"relay", "twilio", "bc_1", "relay.recipient.failed.twilio.bc_1"},
		{"relay", NULL, NULL, "relay.recipient.failed.-.-"},
		{"relay", "a.b", "> *", "relay.recipient.failed.a%2Eb.%3E%20%2A"},
		{"relay", "\r\nPUB x 1", "\t", "relay.recipient.failed.%0D%0APUB%20x%201.%09"},
		{"a.b", "\xc3\xa4", "$JS", "a.b.recipient.failed.%C3%A4.%24JS"},
		{"r.{{data.broadcast_id}}", "x", "a.b> *", "r.a%2Eb%3E%20%2A"},
		{"r.{{data.broadcast_id}}.{{type}}", "x", "1", "r.1.recipient.failed"},
		{"r.{{data.nothing}}", "x", "1", "r.-"},
		{"{{data.broadcast_id}}", "x", "$SYS", "%24SYS"},
		{"r.{{#if data.nothing}}x{{/if}}", "x", "1", NULL},
		{"{{#if data.nothing}}x{{/if}}", "x", "1", NULL},
		{"r..{{type}}", "x", "1", NULL},
	};
	struct json_doc *doc = json_doc_new();
	struct buf out = BUF_INIT(TEMPLATE_OUTPUT_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nats_subject s = {0};
		struct event event;
		struct err err = {0};

		event_of(&event, cases[i].integration, cases[i].broadcast);
		if (nats_subject_read(&s, cases[i].setting, &err) < 0)
			fail_msg("%s: %s", cases[i].setting, err.msg);
		int made = nats_subject_make(&s, &event, doc, &out, &err);
		assert_int_equal(made, cases[i].subject ? 0 : -1);
		if (cases[i].subject)
			assert_string_equal(out.data, cases[i].subject);
		else
			assert_true(strlen(err.msg) > 0);
		nats_subject_release(&s);
		event_release(&event);
	}
	buf_release(&out);
	json_doc_free(doc);
}

/* A rule's template makes the topic; what stands around its places is the configuration's. */
static void a_topic_that_makes_no_subject_is_refused(void **state)
{
	static const struct {
		const char *topic, *why;
	} cases[] = {
		{"a b", "white space"}, {"a\nb", "white space"}, {"a.>", "wildcard"},
		{"a..b", "empty part"}, {"", "empty part"},	 {NULL, "no topic"},
	};
	struct json_doc *doc = json_doc_new();
	struct buf out = BUF_INIT(TEMPLATE_OUTPUT_MAX);
	struct nats_subject s = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(nats_subject_read(&s, "relay", &err), 0);
	for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
		bool last = i == sizeof cases / sizeof *cases;
		char *topic = last ? xasprintf("%02048d", 0) : xstrdup(cases[i].topic);
		struct event event = {.topic = topic};

		assert_int_equal(nats_subject_make(&s, &event, doc, &out, &err), -1);
		assert_non_null(strstr(err.msg, last ? "too long" : cases[i].why));
		free(topic);
	}
	nats_subject_release(&s);
	buf_release(&out);
	json_doc_free(doc);
}

/* ---- answers ---- */

static void answers_are_judged(void **state)
{
	static const struct {
		const char *text;
		enum verdict verdict;
		const char *why;
	} cases[] = {
		{"{\"stream\":\"RELAY\",\"seq\":1}", SENT, ""},
		{"{\"stream\":\"RELAY\",\"seq\":7,\"duplicate\":true,\"domain\":\"d\"}", SENT, ""},
		{"{\"error\":{\"code\":400,\"err_code\":10060,\"description\":\"expected stream "
		 "does not match\"},\"stream\":\"A\",\"seq\":0}",
		 REFUSED, "stream A: expected stream does not match (10060)"},
		{"{\"error\":{\"code\":400,\"err_code\":10054,\"description\":\"message size "
		 "exceeds maximum allowed\"},\"stream\":\"A\",\"seq\":0}",
		 REFUSED, "stream A: message size exceeds maximum allowed (10054)"},
		{"{\"error\":{\"code\":503,\"err_code\":10077,\"description\":\"maximum\\nbytes\"}"
		 "}",
		 TRY_AGAIN, "JetStream: maximum?bytes (10077)"},
		{"{\"error\":{}}", TRY_AGAIN, "JetStream: an error without a description (0)"},
		{"{\"error\":1}", TRY_AGAIN, "JetStream"},
		{"{\"stream\":\"RELAY\",\"seq\":0}", TRY_AGAIN, "no stream's acknowledgement"},
		{"{\"stream\":\"\",\"seq\":1}", TRY_AGAIN, "no stream's acknowledgement"},
		{"{\"stream\":\"RELAY\"}", TRY_AGAIN, "no stream's acknowledgement"},
		{"{\"seq\":1}", TRY_AGAIN, "no stream's acknowledgement"},
		{"[]", TRY_AGAIN, "no stream's acknowledgement"},
		{"+ACK", TRY_AGAIN, "no stream's acknowledgement"},
		{"", TRY_AGAIN, "no stream's acknowledgement"},
		{"{\"stream\":\"RELAY\",\"seq\":1}x", TRY_AGAIN, "no stream's acknowledgement"},
	};
	struct json_doc *doc = json_doc_new();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nats_ack ack;

		nats_ack_read(&ack, doc, cases[i].text, strlen(cases[i].text));
		if (ack.verdict != cases[i].verdict || !strstr(ack.why, cases[i].why))
			fail_msg("%s: %d, %s", cases[i].text, (int)ack.verdict, ack.why);
		assert_int_equal(ack.verdict == SENT, !*ack.why);
	}
	json_doc_free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_checked),
		cmocka_unit_test_setup_teardown(what_is_allowed_but_unwise_is_told, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(credentials_are_looked_at, make_dir, remove_dir),
		cmocka_unit_test(servers_are_read),
		cmocka_unit_test(every_value_is_one_token),
		cmocka_unit_test(a_topic_that_makes_no_subject_is_refused),
		cmocka_unit_test(answers_are_judged),
	};

	return cmocka_run_group_tests_name("nats", tests, NULL, NULL);
}
