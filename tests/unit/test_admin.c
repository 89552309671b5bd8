/* The admin API over real sockets: who is let in, what the loop answers, and what becomes of a
 * question when the loop does not. The test's own thread is the loop. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/admin/admin.h"
#include "relay/base/mem.h"
#include "tests/unit/config_rig.h"
#include "tests/unit/raw_server.h"

#define TOKEN "0123456789abcdef0123456789abcdef"
#define AUTH  "Authorization: Bearer " TOKEN "\r\n"

static unsigned answers, views; /* of the loop's thread */

static void say_hello(const struct admin_view *v, const struct admin_request *q,
		      struct admin_reply *ret)
{
	(void)q;
	answers++;
	buf_addf(&ret->body, "{\"version\":\"%s\"}", v->version);
}

static void fail_loudly(const struct admin_view *v, const struct admin_request *q,
			struct admin_reply *ret)
{
	(void)q;
	(void)v;
	buf_adds(&ret->body, "half an answer");
	admin_error(ret, 503, "no \"%s\"", "luck");
}

static void say_too_much(const struct admin_view *v, const struct admin_request *q,
			 struct admin_reply *ret)
{
	(void)q;
	(void)v;
	while (!ret->body.full)
		buf_adds(&ret->body, "0123456789abcdef0123456789abcdef0123456789abcdef01234567");
}

static void say_it_back(const struct admin_view *v, const struct admin_request *q,
			struct admin_reply *ret)
{
	(void)v;
	buf_addf(&ret->body, "<%s><%s><%zu>", q->part ? q->part : "-", q->body, q->len);
}

static const struct admin_endpoint endpoints[] = {
	{"POST", "/things/*/act", false, say_it_back},
	{"POST", "/things/*", false, say_it_back},
	{"GET", "/open", true, say_hello},
	{"GET", "/closed", false, say_hello},
	{"POST", "/act", false, say_hello},
	{"GET", "/fail", true, fail_loudly},
	{"GET", "/long", true, say_too_much},
	{0},
};

static void show(void *arg, struct admin_view *ret)
{
	(void)arg;
	views++;
	*ret = (struct admin_view){.version = "9"};
}

struct rig {
	struct mailbox *loop;
	struct admin *admin;
};

static struct rig opened(int patience_ms)
{
	struct rig r = {.loop = mailbox_open(NULL, NULL)};
	struct problems p = {0};
	struct yaml *y = good("admin: { listen: 127.0.0.1:0, hosts: [relay.internal] }");
	struct admin_options o = {0};
	struct err err = {0};

	answers = views = 0;
	admin_options_read(&o, node_get(yaml_root(y), "admin"), &p);
	struct admin_env env = {.loop = r.loop,
				.view = show,
				.token = TOKEN,
				.endpoints = endpoints,
				.patience_ms = patience_ms};
	r.admin = admin_open(&o, &env, &err);
	if (!r.admin)
		fail_msg("%s", err.msg);
	admin_options_release(&o); /* borrowed for the call only */
	yaml_free(y);
	return r;
}

static void closed(struct rig *r)
{
	admin_close(r->admin);
	mailbox_close(r->loop);
}

/* ---- a client on a thread of its own ---- */

struct client {
	struct mailbox *loop;
	uint16_t port;
	const char *request;
	struct buf reply;
	atomic_bool done;
	pthread_t thread;
};

static void wake(void *arg)
{
	(void)arg;
}

static void *call(void *arg)
{
	struct client *c = arg;
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(c->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char part[4096];
	ssize_t n;

	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 && raw_send_text(fd, c->request))
		while ((n = recv(fd, part, sizeof part, 0)) > 0)
			buf_add(&c->reply, part, (size_t)n);
	close(fd);
	atomic_store(&c->done, true);
	mailbox_post(c->loop, wake, NULL);
	return NULL;
}

static void start(struct client *c, const struct rig *r, const char *request)
{
	*c = (struct client){.loop = r->loop, .port = admin_port(r->admin), .request = request};
	buf_init(&c->reply, 16 << 20);
	assert_int_equal(pthread_create(&c->thread, NULL, call, c), 0);
}

/* Asks, with this thread as the loop. The status; the reply is the caller's. */
static int ask(const struct rig *r, const char *request, struct buf *ret)
{
	struct client c;

	start(&c, r, request);
	while (!atomic_load(&c.done)) {
		mailbox_wait(r->loop, -1);
		mailbox_run(r->loop);
	}
	pthread_join(c.thread, NULL);
	*ret = c.reply;
	return ret->len > 12 ? (int)strtol(ret->data + 9, NULL, 10) : 0;
}

/* ---- the cases ---- */

static void each_request_gets_its_answer(void **state)
{
#define END "Connection: close\r\n\r\n"
	static const struct {
		const char *request;
		int status;
		const char *say[3];
	} cases[] = {
		{"GET /open HTTP/1.1\r\nHost: localhost\r\n" END,
		 200,
		 {"Content-Type: application/json\r\n", "Cache-Control: no-store\r\n",
		  "\r\n\r\n{\"version\":\"9\"}"}},
		{"HEAD /open HTTP/1.1\r\nHost: localhost\r\n" END, 200, {"Content-Length: 15"}},
		{"GET /closed HTTP/1.1\r\nHost: localhost\r\n" AUTH END, 200, {"\"9\""}},
		{"POST /act HTTP/1.1\r\nHost: relay.internal:80\r\nContent-Length: 2\r\n" AUTH END
		 "{}",
		 200,
		 {"\"9\""}},
		{"GET /closed HTTP/1.1\r\nHost: localhost\r\n" END,
		 401,
		 {"WWW-Authenticate: Bearer\r\n", "X-Content-Type-Options: nosniff\r\n",
		  "{\"error\":\""}},
		{"GET /closed HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n" END,
		 401,
		 {"{\"error\":\""}},
		{"GET /none HTTP/1.1\r\nHost: localhost\r\n" END, 401, {"{\"error\":\""}},
		{"GET /none HTTP/1.1\r\nHost: localhost\r\n" AUTH END, 404, {"{\"error\":\""}},
		{"POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" END,
		 405,
		 {"Allow: GET, HEAD\r\n", "{\"error\":\""}},
		{"GET /act HTTP/1.1\r\nHost: localhost\r\n" AUTH END, 405, {"Allow: POST\r\n"}},
		{"GET /act HTTP/1.1\r\nHost: localhost\r\n" END, 401, {"{\"error\":\""}},
		{"DELETE /open HTTP/1.1\r\nHost: localhost\r\n" END, 405, {"Allow: GET, HEAD"}},
		{"GET /open HTTP/1.1\r\nHost: evil.example\r\n" END, 403, {"{\"error\":\""}},
		{"GET /closed HTTP/1.1\r\nHost: evil.example\r\n" AUTH END, 403, {"{\"error\":\""}},
		{"GET /fail HTTP/1.1\r\nHost: localhost\r\n" END,
		 503,
		 {"\r\n\r\n{\"error\":\"no \\\"luck\\\"\"}\n"}},
		{"GET /long HTTP/1.1\r\nHost: localhost\r\n" END, 500, {"too long"}},
		{"POST /things/a%20b/act HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n" AUTH
		 "Content-Type: application/json; charset=utf-8\r\n" END "{}",
		 200,
		 {"<a b><{}><2>"}},
		{"POST /things/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" AUTH END,
		 200,
		 {"<x><><0>"}},
		{"POST /act HTTP/1.1\r\nHost: localhost:80\r\nContent-Length: 0\r\n" AUTH
		 "Origin: http://localhost:80\r\nSec-Fetch-Site: same-origin\r\n" END,
		 200,
		 {"\"9\""}},
		{"POST /things//act HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" AUTH END,
		 404,
		 {"no such path"}},
		{"POST /things/x/y/act HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" AUTH
			 END,
		 404,
		 {"no such path"}},
		{"GET /things/x/act HTTP/1.1\r\nHost: localhost\r\n" AUTH END,
		 405,
		 {"Allow: POST\r\n"}},
		{"POST /things/x/act HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" END,
		 401,
		 {"{\"error\":\""}},
		{"POST /act HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" AUTH
		 "Origin: http://evil.example\r\n" END,
		 403,
		 {"pages of other sites"}},
		{"POST /act HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" AUTH
		 "Sec-Fetch-Site: cross-site\r\n" END,
		 403,
		 {"pages of other sites"}},
		{"POST /act HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n" AUTH
		 "Content-Type: text/plain\r\n" END "{}",
		 415,
		 {"application/json"}},
		{"POST /act HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: "
		 "2\r\n" AUTH END "{}",
		 400,
		 {"{\"error\":\"the body's length is ambiguous\"}"}},
	};
	struct rig r = opened(0);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf reply;
		int status = ask(&r, cases[i].request, &reply);
		if (status != cases[i].status)
			fail_msg("case %zu: %d\n%s", i, status, reply.data);
		for (size_t k = 0; k < 3 && cases[i].say[k]; k++)
			if (!strstr(reply.data, cases[i].say[k]))
				fail_msg("case %zu: no %s in\n%s", i, cases[i].say[k], reply.data);
		assert_null(strstr(reply.data, TOKEN));
		buf_release(&reply);
	}
	assert_int_equal(answers, 5);
	assert_int_equal(views, 9);
	closed(&r);
}

static void a_loop_that_does_not_answer_is_answered_for(void **state)
{
	struct rig r = opened(20);
	struct client c;
	struct buf reply;

	(void)state;
	start(&c, &r, "GET /open HTTP/1.1\r\nHost: localhost\r\n" END);
	pthread_join(c.thread, NULL); /* the loop did not turn */
	assert_non_null(strstr(c.reply.data, " 503 "));
	assert_non_null(strstr(c.reply.data, "the relay's loop does not answer"));
	buf_release(&c.reply);
	mailbox_run(r.loop); /* now it does: nobody waits for that any more */
	assert_int_equal(answers, 0);
	closed(&r);

	r = opened(0);
	assert_int_equal(ask(&r, "GET /open HTTP/1.1\r\nHost: localhost\r\n" END, &reply), 200);
	buf_release(&reply);
	closed(&r);
}

static void an_end_waits_for_no_question(void **state)
{
	struct rig r = opened(86400000);
	struct client c;

	(void)state;
	start(&c, &r, "GET /open HTTP/1.1\r\nHost: localhost\r\n" END);
	mailbox_wait(r.loop, -1); /* it is asked */
	admin_close(r.admin);
	pthread_join(c.thread, NULL);
	assert_null(strstr(c.reply.data, " 200 "));
	assert_int_equal(answers, 0);
	buf_release(&c.reply);
	mailbox_close(r.loop);
}

static void an_address_that_is_taken_is_told(void **state)
{
	struct rig r = opened(0);
	struct admin_options o = {.on = true};
	struct admin_env env = {
		.loop = r.loop, .view = show, .token = TOKEN, .endpoints = endpoints};
	struct err err = {0};

	(void)state;
	o.listen = xasprintf("127.0.0.1:%u", admin_port(r.admin));
	assert_null(admin_open(&o, &env, &err));
	assert_non_null(strstr(err.msg, "admin.listen: 127.0.0.1:"));
	assert_non_null(strstr(err.msg, "in use"));
	free(o.listen);
	closed(&r);
	admin_close(NULL);
}

static void health_and_readiness_say_why(void **state)
{
	static const struct {
		admin_answer *answer;
		struct admin_view view;
		int status;
		const char *body;
	} cases[] = {
		{admin_healthz, {.answered = false}, 0, "{\"status\":\"ok\"}\n"},
		{admin_healthz, {.journal_full = true}, 0, "{\"status\":\"journal full\"}\n"},
		{admin_healthz, {.down_why = "x"}, 0, "{\"status\":\"ok\"}\n"},
		{admin_readyz, {.answered = true}, 0, "{\"status\":\"ready\"}\n"},
		{admin_readyz,
		 {.answered = false},
		 503,
		 "{\"error\":\"starting: the API has not answered yet\"}\n"},
		{admin_readyz,
		 {.answered = true, .down_why = "no \"key\""},
		 503,
		 "{\"error\":\"the source is down: no \\\"key\\\"\"}\n"},
		{admin_readyz,
		 {.answered = true, .stopping = true},
		 503,
		 "{\"error\":\"the relay is stopping\"}\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct admin_reply r = {.body = BUF_INIT(1000)};
		cases[i].answer(&cases[i].view, &(struct admin_request){0}, &r);
		assert_int_equal(r.status, cases[i].status);
		assert_string_equal(r.body.data, cases[i].body);
		buf_release(&r.body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_gets_its_answer),
		cmocka_unit_test(a_loop_that_does_not_answer_is_answered_for),
		cmocka_unit_test(an_end_waits_for_no_question),
		cmocka_unit_test(an_address_that_is_taken_is_told),
		cmocka_unit_test(health_and_readiness_say_why),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
