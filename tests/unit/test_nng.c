/* nng: messages on tcp and ipc as docs/bus.md says, heartbeats, what a refill gives and what a bad
 * request gets, settings that are refused, an end within a second. Refills over their sockets are
 * in test_nng_refill.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "tests/suite/nng_child.h"
#include "tests/suite/nng_world.h"
#include "transports/nng_bus.h"
#include "transports/nng_frame.h"
#include "transports/nng_refill.h"

#define A "recipient.sent.twilio.b1"
#define B "recipient.failed.twilio.b1"

/* ---- publishing ---- */

static void a_subscriber_gets_its_topics(void **state)
{
	struct nng_world *w = nng_world_new();
	char *tcp = xasprintf("tcp://127.0.0.1:%d", nng_world_port());
	const char *urls[2] = {w->bus, tcp};
	struct nng_child *child[2];

	(void)state;
	nng_world_open(w, tcp);
	for (int i = 0; i < 2; i++) {
		child[i] = nng_child_start((const char *const[]){
			"listen", urls[i], "recipient.failed.", "relay.heartbeat ", NULL});
		nng_child_says(child[i], "relay.heartbeat {\"specversion\":\"1.0\"");
	}
	nng_world_commit(w, A, 10);
	nng_world_commit(w, B, 10);
	nng_world_commit(w, A, 10);
	nng_world_commit(w, B, 10);
	nng_world_publish_all(w, 1, 4);
	assert_int_equal(w->sent, 4);
	for (int i = 0; i < 2; i++) {
		size_t first = nng_child_says(child[i], "\"sequence\":\"0000000000000002\"");
		size_t second = nng_child_says(child[i], "\"sequence\":\"0000000000000004\"");
		assert_true(first < second);
		char *want = xcalloc(1, w->v[3].event.len + FRAME_PREVSEQUENCE + 1);
		frame_body(want, w->v[3].event.body, w->v[3].event.len, w->v[3].event.sequence_at,
			   2);
		const char *line = child[i]->out.v[second];
		assert_int_equal(strncmp(line, B " {", strlen(B) + 2), 0);
		assert_string_equal(line + strlen(B) + 1, want);
		assert_non_null(
			strstr(child[i]->out.v[first], "\"prevsequence\":\"0000000000000000\""));
		free(want);
		nng_child_says(child[i], "\"latest\":\"0000000000000004\"");
		for (size_t k = 0; k < child[i]->out.n; k++)
			assert_int_not_equal(strncmp(child[i]->out.v[k], A " ", strlen(A) + 1), 0);
		nng_child_free(child[i]);
	}
	nng_world_free(w);
	free(tcp);
}

static void a_heartbeat_tells_how_far_the_bus_is(void **state)
{
	struct nng_world *w = nng_world_new();
	struct nng_child *child;

	(void)state;
	nng_world_commit(w, A, 0); /* published by the run before this one */
	nng_world_commit(w, A, 0);
	nng_world_open(w, NULL);
	child = nng_child_start((const char *const[]){"listen", w->bus, "relay.heartbeat ", NULL});
	nng_child_says(child, "\"latest\":\"0000000000000002\",\"topics\":{}}}");
	nng_world_commit(w, B, 0);
	nng_world_publish(w, 3);
	nng_child_says(child, "\"latest\":\"0000000000000003\",\"topics\":{\"" B
			      "\":\"0000000000000003\"}}}");
	nng_child_free(child);
	nng_world_free(w);
}

static void a_topic_that_cannot_be_framed_is_refused(void **state)
{
	struct nng_world *w = nng_world_new();
	char *longest = xcalloc(1, FRAME_TOPIC_MAX + 2);

	(void)state;
	memset(longest, 'x', FRAME_TOPIC_MAX + 1);
	nng_world_open(w, NULL);
	nng_world_commit(w, "has space", 0);
	nng_world_commit(w, "", 0);
	nng_world_commit(w, longest, 0);
	longest[FRAME_TOPIC_MAX] = '\0';
	nng_world_commit(w, longest, 0);
	nng_world_commit(w, "\xff", 0);
	nng_world_publish_all(w, 1, 5);
	assert_int_equal(w->refused, 4);
	assert_int_equal(w->sent, 1);
	nng_world_free(w);
	free(longest);
}

/* ---- refills ---- */

struct reply {
	struct json_doc *doc;
	struct buf text;
	const struct json *root;
};

static void reply_begin(struct reply *r)
{
	*r = (struct reply){json_doc_new(), BUF_INIT(FRAME_REPLY_MAX), NULL};
}

static void reply_end(struct reply *r)
{
	json_doc_free(r->doc);
	buf_release(&r->text);
}

static void read_reply(struct reply *r)
{
	struct err err = {0};

	assert_false(r->text.full);
	r->root = json_parse(r->doc, r->text.data, r->text.len, JSON_DEPTH + 8, &err);
	if (!r->root)
		fail_msg("%s in %.200s", err.msg, r->text.data);
}

static void ask(struct reply *r, const struct nng_world *w, const char *request)
{
	buf_clear(&r->text);
	refill_answer(&w->history, 7, request, strlen(request), &r->text);
	read_reply(r);
}

static int64_t number(const struct reply *r, const char *name)
{
	int64_t n = -1;

	json_int(json_get(r->root, name), &n);
	return n;
}

static void a_refill_gives_what_came_after(void **state)
{
	struct nng_world *w = nng_world_new();
	struct reply r;

	(void)state;
	for (int i = 0; i < 10; i++)
		nng_world_commit(w, i % 2 ? B : A, 5);
	reply_begin(&r);
	ask(&r, w, "{\"topic\": \"recipient.failed\", \"after\": 4, \"limit\": 2}");
	const struct json *ev = json_first(json_get(r.root, "events"));
	assert_int_equal(json_count(json_get(r.root, "events")), 2);
	assert_string_equal(json_string(json_get(ev, "sequence")), "0000000000000006");
	assert_string_equal(json_string(json_get(ev, "prevsequence")), "0000000000000004");
	ev = json_next(ev);
	assert_string_equal(json_string(json_get(ev, "sequence")), "0000000000000008");
	assert_string_equal(json_string(json_first(json_get(r.root, "topics"))), B);
	assert_true(json_bool(json_get(r.root, "more"), false));
	assert_int_equal(number(&r, "next"), 8);
	assert_int_equal(number(&r, "oldest"), 1);
	assert_int_equal(number(&r, "latest"), 10);
	ask(&r, w, "{\"topic\":\"\",\"after\":\"0000000000000008\"}");
	assert_int_equal(json_count(json_get(r.root, "events")), 2);
	assert_false(json_bool(json_get(r.root, "more"), true));
	assert_int_equal(number(&r, "next"), 10);
	ask(&r, w, "{\"topic\":\"no.such\"}");
	assert_int_equal(json_count(json_get(r.root, "events")), 0);
	assert_int_equal(json_count(json_get(r.root, "topics")), 0);
	assert_int_equal(number(&r, "next"), 10);
	reply_end(&r);
	nng_world_free(w);
}

static void a_space_at_the_end_makes_a_topic_exact(void **state)
{
	struct nng_world *w = nng_world_new();
	struct reply r;

	(void)state;
	nng_world_commit(w, "t.b1", 0);
	nng_world_commit(w, "t.b10", 0);
	nng_world_commit(w, "t.b1", 0);
	reply_begin(&r);
	ask(&r, w, "{\"topic\":\"t.b1 \"}");
	assert_int_equal(json_count(json_get(r.root, "events")), 2);
	ask(&r, w, "{\"topic\":\"t.b1\"}");
	assert_int_equal(json_count(json_get(r.root, "events")), 3);
	reply_end(&r);
	nng_world_free(w);
}

/* 400 events of 100 KB: what does not fit into one reply is in the next. */
static void a_reply_is_bounded(void **state)
{
	struct nng_world *w = nng_world_new();
	int64_t after = 0, seen = 0;
	struct reply r;
	bool more;

	(void)state;
	for (int i = 0; i < 400; i++)
		nng_world_commit(w, A, 100000);
	reply_begin(&r);
	do {
		char *request = xasprintf("{\"topic\":\"\",\"after\":%lld}", (long long)after);
		ask(&r, w, request);
		free(request);
		assert_true(r.text.len <= FRAME_REPLY_MAX);
		seen += (int64_t)json_count(json_get(r.root, "events"));
		assert_true(number(&r, "next") > after);
		after = number(&r, "next");
		assert_int_equal(after, seen); /* nothing is left out between two replies */
		more = json_bool(json_get(r.root, "more"), false);
	} while (more);
	assert_int_equal(seen, 400);
	reply_end(&r);
	nng_world_free(w);
}

static void long_topics_do_not_pass_the_bound(void **state)
{
	struct nng_world *w = nng_world_new();
	char *topic = xcalloc(1, FRAME_TOPIC_MAX + 1);
	struct reply r;

	(void)state;
	memset(topic, 1, FRAME_TOPIC_MAX); /* each of its bytes is six in JSON */
	for (int i = 0; i < 1000; i++)
		nng_world_commit(w, topic, 0);
	reply_begin(&r);
	ask(&r, w, "{\"topic\":\"\"}");
	int64_t n = (int64_t)json_count(json_get(r.root, "events"));
	assert_true(n > 100 && n < 1000);
	assert_int_equal(json_count(json_get(r.root, "topics")), n);
	assert_int_equal(number(&r, "next"), n);
	assert_true(json_bool(json_get(r.root, "more"), false));
	reply_end(&r);
	nng_world_free(w);
	free(topic);
}

static const struct {
	const char *request, *why; /* in the error */
} bad[] = {
	{"", "JSON"},
	{"x", "JSON"},
	{"[]", "object"},
	{"\"topic\"", "object"},
	{"{}", "topic"},
	{"{\"after\":1}", "topic"},
	{"{\"topic\":1}", "topic"},
	{"{\"topic\":null}", "topic"},
	{"{\"topic\":\"\",\"topic\":\"\"}", "JSON"},
	{"{\"topic\":\"\xff\"}", "JSON"},
	{"{\"topic\":\"a\\u0000b\"}", "JSON"},
	{"{\"topic\":\"\",\"after\":-1}", "after"},
	{"{\"topic\":\"\",\"after\":1.5}", "after"},
	{"{\"topic\":\"\",\"after\":9007199254740992}", "after"},
	{"{\"topic\":\"\",\"after\":\"9007199254740992\"}", "after"},
	{"{\"topic\":\"\",\"after\":\"1x\"}", "after"},
	{"{\"topic\":\"\",\"after\":\"\"}", "after"},
	{"{\"topic\":\"\",\"after\":[1]}", "after"},
	{"{\"topic\":\"\",\"limit\":0}", "limit"},
	{"{\"topic\":\"\",\"limit\":1001}", "limit"},
	{"{\"topic\":\"\",\"limit\":\"5\"}", "limit"},
	{"{\"topic\":\"\",\"limt\":5}", "known"},
	{"{\"topic\":\"\"} x", "JSON"},
	{"{\"topic\":[[[[[[[[[[[[]]]]]]]]]]]]}", "JSON"},
};

static void a_bad_request_is_told_why(void **state)
{
	struct nng_world *w = nng_world_new();
	struct reply r;

	(void)state;
	reply_begin(&r);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ask(&r, w, bad[i].request);
		const char *why = json_string(json_get(r.root, "error"));
		if (!why || !strstr(why, bad[i].why))
			fail_msg("%s: %s", bad[i].request, r.text.data);
	}
	w->broken = true;
	ask(&r, w, "{\"topic\":\"\"}");
	assert_non_null(json_get(r.root, "error"));
	assert_null(strstr(r.text.data, "secret")); /* names of files are the relay's affair */
	buf_clear(&r.text);
	refill_answer(NULL, 7, "{\"topic\":\"\"}", 12, &r.text);
	read_reply(&r);
	assert_non_null(json_get(r.root, "error"));
	reply_end(&r);
	nng_world_free(w);
}

/* ---- settings ---- */

static void check_settings(const char *text, struct problems *p, struct sockaddr_storage *ret,
			   size_t *ret_n)
{
	struct nng_settings s = {0};
	struct yaml *y = yaml_parse("nng.yaml", text, strlen(text), p);

	assert_non_null(y);
	options_read(transport_nng.options, yaml_root(y), &s, p);
	if (!p->n)
		transport_nng.check(&s, yaml_root(y), p);
	*ret_n = transport_nng.listens(&s, ret, 4);
	options_release(transport_nng.options, &s);
	yaml_free(y);
}

static void settings_are_checked(void **state)
{
	static const struct {
		const char *yaml;
		const char *problem; /* NULL: none */
	} cases[] = {
		{"listen: tcp://127.0.0.1:5555", NULL},
		{"listen: [tcp://127.0.0.1:5555, 'tcp://[::1]:5555', ipc:///run/x, inproc://x]",
		 NULL},
		{"listen: tcp://localhost:5555\nrefill: tcp://localhost:5556", NULL},
		{"listen: ws://127.0.0.1:5555/bus", NULL},
		{"listen: tcp://0.0.0.0:5555\ninsecure: true", NULL},
		{"listen: tcp://*:5555\ninsecure: true", NULL},
		{"refill: tcp://127.0.0.1:5556", "listen"},
		{"listen: []", "nng.yaml:1:9: listen: at least one address"},
		{"listen: tcp://0.0.0.0:5555", "other machines"},
		{"listen: tcp://*:5555", "other machines"},
		{"listen: tcp://:5555", "other machines"},
		{"listen: 'tcp://[::]:5555'", "other machines"},
		{"listen: ws://10.0.0.1:5555/bus", "other machines"},
		{"listen: tcp://127.0.0.1:5555\nrefill: tcp://10.0.0.1:5556",
		 "nng.yaml:2:9: refill: \"tcp://10.0.0.1:5556\" can be reached"},
		{"listen: [ipc:///run/x, tcp://10.0.0.1:5555]", "nng.yaml:1:24: listen[1]"},
		{"listen: tcp://127.0.0.1", "is expected"},
		{"listen: tcp://127.0.0.1:0", "is expected"},
		{"listen: tcp://127.0.0.1:65536", "is expected"},
		{"listen: tcp://127.0.0.1:5555/x", "is expected"},
		{"listen: tcp://example.com:5555", "is expected"},
		{"listen: 'tcp://[127.0.0.1]:5555'", "is expected"},
		{"listen: 'tcp://::1:5555'", "is expected"},
		{"listen: ipc://run/x", "is expected"},
		{"listen: 'inproc://'", "is expected"},
		{"listen: udp://127.0.0.1:5555", "is expected"},
		{"listen: 127.0.0.1:5555", "is expected"},
		{"listen: [ipc:///run/x, ipc:///run/x]", "twice"},
		{"listen: [ipc:///run/x, ipc:///run/y, ipc:///run/y]",
		 "nng.yaml:1:38: listen[2]: an"},
		{"listen: [tcp://0.0.0.0:5555, tcp://*:5555]\ninsecure: true", "named twice"},
		{"listen: tcp://0.0.0.0:5555\nrefill: tcp://*:5555\ninsecure: true",
		 "nng.yaml:2:9: refill: an"},
		{"listen: ipc:///run/x\nrefill: ipc:///run/x", "nng.yaml:2:9: refill"},
		{"listen: [ipc:///run/x, ipc:////run/x]", "named twice"},
		{"listen: ipc:///run/x\nrefill: ipc:///run/././/x", "nng.yaml:2:9: refill"},
		{"listen: ipc:///tmp", "nng.yaml:1:9: listen: /tmp is there already, and no sock"},
		{"listen: ipc:///run/x\nrefill: ipc:///etc/passwd", "2:9: refill: /etc/passwd is"},
		{"listen: [tcp://127.0.0.1:5555, tcp://*:5555]\ninsecure: true", "named twice"},
		{"listen: tcp://*:5555\nrefill: tcp://127.0.0.1:5555\ninsecure: true",
		 "nng.yaml:2:9: refill: an"},
		{"listen: 'tcp://[::]:5555'\nrefill: tcp://127.0.0.1:5555\ninsecure: true",
		 "nng.yaml:2:9: refill: an"},
		{"listen: [tcp://*:5555, 'tcp://[::1]:5555', tcp://127.0.0.1:5556]\ninsecure: true",
		 NULL},
		{"listen: ipc:///run/x\nrefill: ws://127.0.0.1:5556/x",
		 "nng.yaml:2:9: refill: \"ws://127.0.0.1:5556/x\": tcp://ADDRESS:PORT, tls"},
		{"listen: ipc:///run/x\nrefill: inproc://x",
		 "tls+tcp://ADDRESS:PORT or ipc:///PATH"},
		{"listen: ipc:///run/x\nrefill: tcp://127.0.0.1:5556/x", "is expected"},
		{"listen: ipc:///run/x\nrefill: ipc://x", "is expected"},
		{"listen: tls+tcp://127.0.0.1:5555",
		 "nng.yaml:1:9: listen: \"tls+tcp://127.0.0.1:5555\" needs cert_file"},
		{"listen: [ipc:///run/x, wss://127.0.0.1:5555/bus]", "listen[1]: \"wss://"},
		{"listen: ipc:///run/x\nrefill: tls+tcp://127.0.0.1:5556",
		 "nng.yaml:2:9: refill: \"tls+tcp://127.0.0.1:5556\" needs cert_file"},
		{"listen: ipc:///run/x\nrefill: wss://127.0.0.1:5556/x", "is expected"},
		{"listen: tls+tcp://127.0.0.1", "is expected"},
		{"listen: tls+tcp://127.0.0.1:5555/x", "is expected"},
		{"listen: tls+tcp://example.com:5555", "is expected"},
		{"listen: tls://127.0.0.1:5555", "is expected"},
		{"listen: ipc:///run/x\nsend_buffer: 8193", "send_buffer"},
		{"listen: ipc:///run/x\nsend_buffer: 0", "send_buffer"},
		{"listen: ipc:///0123456789012345678901234567890123456789012345678901234567890123"
		 "456789012345678901234567890123456789012345678901",
		 "the path has 113 bytes; a socket's may have 107 at most"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sockaddr_storage own[4];
		struct problems p = {0};
		size_t n;

		check_settings(cases[i].yaml, &p, own, &n);
		if (!cases[i].problem && p.n)
			fail_msg("%s: %s", cases[i].yaml, p.v[0]);
		if (cases[i].problem && (p.n != 1 || !strstr(p.v[0], cases[i].problem)))
			fail_msg("%s: %zu: %s", cases[i].yaml, p.n, p.n ? p.v[0] : "-");
		problems_release(&p);
	}
}

static void a_folder_that_is_missing_is_told(void **state)
{
	static const struct {
		const char *yaml, *warning; /* NULL: none */
	} cases[] = {
		{"listen: ipc:///tmp/no-such-relay", NULL},
		{"listen: ipc:///x", NULL},
		{"listen: [ipc:///tmp/no-such-relay, ipc:///nosuchdir/x]",
		 "nng.yaml:1:36: listen[1]: the folder /nosuchdir: No such"},
		{"listen: ipc:///tmp/no-such-relay\nrefill: ipc:///etc/passwd/x",
		 "nng.yaml:2:9: refill: /etc/passwd is no folder"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sockaddr_storage own[4];
		struct problems p = {0};
		size_t n;

		check_settings(cases[i].yaml, &p, own, &n);
		assert_int_equal(p.n, 0);
		assert_int_equal(p.nwarnings, cases[i].warning != NULL);
		if (cases[i].warning)
			assert_non_null(strstr(p.warnings[0], cases[i].warning));
		problems_release(&p);
	}
}

static void its_addresses_are_named(void **state)
{
	struct sockaddr_storage own[4];
	struct problems p = {0};
	size_t n;

	(void)state;
	check_settings("listen: [tcp://127.0.0.1:5555, ipc:///run/.//x, 'ws://[::1]:80/x']\n"
		       "refill: tcp://*:5556\ninsecure: true",
		       &p, own, &n);
	assert_int_equal(p.n, 0);
	assert_int_equal(n, 4);
	const struct sockaddr_in *v4 = (const void *)&own[0], *any = (const void *)&own[3];
	const struct sockaddr_in6 *v6 = (const void *)&own[2];
	assert_int_equal(own[1].ss_family, AF_UNIX);
	assert_string_equal(((const struct sockaddr_un *)(const void *)&own[1])->sun_path,
			    "/run/x");
	assert_int_equal(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(ntohs(v4->sin_port), 5555);
	assert_int_equal(v6->sin6_family, AF_INET6);
	assert_int_equal(ntohs(v6->sin6_port), 80);
	assert_int_equal(ntohl(any->sin_addr.s_addr), INADDR_ANY);
	assert_int_equal(ntohs(any->sin_port), 5556);
}

/* ---- start and end ---- */

static void an_address_in_use_is_named(void **state)
{
	struct nng_world *w = nng_world_new(), *other = nng_world_new();
	char *tcp = xasprintf("tcp://127.0.0.1:%d", nng_world_port());
	struct nng_settings settings = {.listen = {(char *[]){tcp}, 1}, .send_buffer = 16};
	struct err err = {0};

	(void)state;
	nng_world_open(w, tcp);
	other->self = xcalloc(1, transport_nng.size);
	assert_int_equal(transport_nng.open(other->self, &settings, &other->env, &err), -1);
	assert_non_null(strstr(err.msg, tcp));
	transport_nng.close(other->self);
	settings.listen.v[0] = other->bus;
	settings.refill = tcp;
	assert_int_equal(transport_nng.open(other->self, &settings, &other->env, &err), -1);
	transport_nng.close(other->self);
	free(other->self);
	other->self = NULL;
	nng_world_free(other);
	nng_world_free(w);
	free(tcp);
}

static void close_is_bounded_while_subscribers_stand_still(void **state)
{
	struct nng_world *w = nng_world_new();
	struct nng_child *child[4];

	(void)state;
	nng_world_open(w, NULL);
	for (int i = 0; i < 4; i++) {
		child[i] = nng_child_start((const char *const[]){"listen", w->bus, "", NULL});
		nng_child_says(child[i], "relay.heartbeat {");
	}
	nng_child_kill(child[0], SIGSTOP);
	for (int i = 0; i < 3000; i++)
		nng_world_commit(w, A, 1000);
	nng_world_publish_all(w, 1, 3000);
	nng_world_close(w); /* measures itself */
	for (int i = 0; i < 4; i++)
		nng_child_free(child[i]);
	nng_world_free(w);
}

static void the_last_messages_leave_before_the_end(void **state)
{
	struct nng_world *w = nng_world_new();
	struct nng_child *child;

	(void)state;
	nng_world_open(w, NULL);
	child = nng_child_start(
		(const char *const[]){"listen", w->bus, "recipient.", "relay.heartbeat ", NULL});
	nng_child_says(child, "relay.heartbeat {");
	for (int i = 0; i < 200; i++)
		nng_world_commit(w, A, 500);
	nng_world_publish_all(w, 1, 200);
	nng_world_close(w);
	nng_child_says(child, "\"sequence\":\"0000000000000200\"");
	nng_child_free(child);
	nng_world_free(w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_subscriber_gets_its_topics),
		cmocka_unit_test(a_heartbeat_tells_how_far_the_bus_is),
		cmocka_unit_test(a_topic_that_cannot_be_framed_is_refused),
		cmocka_unit_test(a_refill_gives_what_came_after),
		cmocka_unit_test(a_space_at_the_end_makes_a_topic_exact),
		cmocka_unit_test(a_reply_is_bounded),
		cmocka_unit_test(long_topics_do_not_pass_the_bound),
		cmocka_unit_test(a_bad_request_is_told_why),
		cmocka_unit_test(settings_are_checked),
		cmocka_unit_test(a_folder_that_is_missing_is_told),
		cmocka_unit_test(its_addresses_are_named),
		cmocka_unit_test(an_address_in_use_is_named),
		cmocka_unit_test(close_is_bounded_while_subscribers_stand_still),
		cmocka_unit_test(the_last_messages_leave_before_the_end),
	};

	nng_child_main(argc, argv);
	return cmocka_run_group_tests_name("nng", tests, NULL, NULL);
}
