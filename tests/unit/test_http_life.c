/* http: pooled connections, and the calls' lives: abort, close, wake, restart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "tests/unit/fetch.h"

static sem_t gate; /* what /gate waits for */

static bool answer(const struct raw_request *rq)
{
	if (strcmp(rq->path, "/last") == 0) {
		raw_send_text(rq->fd, "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
		return false;
	}
	if (strcmp(rq->path, "/gate") == 0)
		sem_wait(&gate);
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

static void start(struct stage *s, struct fetched *f, uint64_t *ret_id)
{
	struct err err = {0};

	if (http_start(s->http, &s->call, fetch_done, f, ret_id, &err) < 0)
		fail_msg("%s", err.msg);
}

/* --- connections --- */

static void connections_are_kept_until_forgotten(void **state)
{
	struct stage *s = *state;
	struct fetched f = {0};

	for (int i = 0; i < 3; i++)
		fetch(s->http, &s->call, HTTP_OK, &f);
	assert_int_equal(raw_server_connections(s->server), 1);
	http_forget_connections(s->http);
	for (int i = 0; i < 3; i++)
		fetch(s->http, &s->call, HTTP_OK, &f);
	assert_int_equal(raw_server_connections(s->server), 2);
}

static void busy_connections_are_not_cut_but_not_kept(void **state)
{
	struct stage *s = *state;
	struct fetched idle = {0}, busy = {0};

	sem_init(&gate, 0, 0);
	fetch(s->http, &s->call, HTTP_OK, &idle);
	s->call.url = local_url(raw_server_port(s->server), "/gate");
	start(s, &busy, NULL); /* over the connection that was idle */
	while (raw_server_requests(s->server) < 2)
		assert_int_equal(http_wait(s->http, 10, -1, &(struct err){0}), 0);
	http_forget_connections(s->http);
	sem_post(&gate);
	sem_post(&gate); /* were the request sent twice, the test is to fail, not to hang */
	wait_until(s->http, &busy.times, 1);
	assert_int_equal(busy.failure, HTTP_OK);
	assert_int_equal(raw_server_connections(s->server), 1);
	s->call.url = s->url;
	for (int i = 0; i < 2; i++)
		fetch(s->http, &s->call, HTTP_OK, &idle);
	assert_int_equal(raw_server_connections(s->server), 2);
	sem_destroy(&gate);
}

static void forgetting_touches_no_socket_of_others(void **state)
{
	struct stage *s = *state;
	struct fetched f = {0};
	int pair[16][2];

	s->call.url = local_url(raw_server_port(s->server), "/last");
	fetch(s->http, &s->call, HTTP_OK, &f);
	for (int i = 0; i < 16; i++) /* one of them gets the number that libcurl's had */
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair[i]), 0);
	http_forget_connections(s->http);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(send(pair[i][0], "x", 1, MSG_NOSIGNAL), 1);
		assert_int_equal(send(pair[i][1], "x", 1, MSG_NOSIGNAL), 1);
		close(pair[i][0]);
		close(pair[i][1]);
	}
}

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void nothing_stays_open_behind_a_close(void **state)
{
	struct stage *s = *state;
	unsigned before;
	struct err err = {0};

	http_close(s->http);
	before = open_files();
	s->http = http_open(4, &err);
	for (int round = 0; round < 3; round++) {
		struct fetched f[8] = {{0}};

		for (int i = 0; i < 8; i++) {
			s->call.url = i % 2 ? s->url : "http://localhost:1/";
			start(s, &f[i], NULL);
		}
		for (int i = 0; i < 8; i++)
			wait_until(s->http, &f[i].times, 1);
	}
	http_close(s->http);
	s->http = NULL;
	/* The server closes its ends on threads of its own. */
	for (int64_t end = clock_now().mono_ms + 10000; open_files() > before;)
		assert_true(clock_now().mono_ms < end);
}

/* --- lives --- */

static void calls_can_be_aborted(void **state)
{
	struct stage *s = *state;
	struct fetched f[3] = {{0}};
	uint64_t id[3];

	s->call.url = local_url(raw_server_port(s->server), "/hang");
	for (int i = 0; i < 3; i++)
		start(s, &f[i], &id[i]);
	assert_int_equal(http_open_calls(s->http), 3);
	http_abort(s->http, id[1]); /* before libcurl saw it */
	assert_int_equal(f[1].times, 1);
	assert_int_equal(f[1].failure, HTTP_ABORTED);
	while (raw_server_requests(s->server) < 2)
		assert_int_equal(http_wait(s->http, 10, -1, &(struct err){0}), 0);
	http_abort(s->http, id[0]);
	http_abort(s->http, id[0]);
	http_abort(s->http, 12345);
	assert_int_equal(f[0].times, 1);
	assert_int_equal(http_open_calls(s->http), 1);
	assert_int_equal(f[2].times, 0);
	http_abort(s->http, id[2]);
}

struct chain {
	struct stage *stage;
	unsigned times, most;
	int refused;
};

static void next_link(void *arg, const struct http_reply *reply)
{
	struct chain *c = arg;
	struct err err = {0};

	(void)reply;
	if (++c->times < c->most &&
	    http_start(c->stage->http, &c->stage->call, next_link, c, NULL, &err) < 0)
		c->refused++;
}

static void done_functions_may_start_calls(void **state)
{
	struct stage *s = *state;
	struct chain c = {s, 0, 200, 0};

	next_link(&c, NULL);
	wait_until(s->http, &c.times, 200);
	assert_int_equal(raw_server_connections(s->server), 1);

	/* Calls that end at once must not keep http_wait from returning. */
	c = (struct chain){s, 0, 1000000, 0};
	s->call.network = &(struct network_policy){.kind = NETWORK_PUBLIC};
	next_link(&c, NULL);
	wait_until(s->http, &c.times, 100);
	http_close(s->http);
	s->http = NULL;
}

static void close_ends_what_is_open(void **state)
{
	struct stage *s = *state;
	struct fetched f[4] = {{0}};
	struct chain c = {s, 0, 1000, 0};

	s->call.url = local_url(raw_server_port(s->server), "/hang");
	for (int i = 0; i < 4; i++)
		start(s, &f[i], NULL);
	next_link(&c, NULL);
	while (raw_server_requests(s->server) < 5)
		assert_int_equal(http_wait(s->http, 10, -1, &(struct err){0}), 0);
	http_close(s->http);
	s->http = NULL;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(f[i].times, 1);
		assert_int_equal(f[i].failure, HTTP_ABORTED);
	}
	assert_int_equal(c.times, 2);
	assert_int_equal(c.refused, 1);
	http_close(NULL);
}

static void what_cannot_be_sent_is_refused_at_once(void **state)
{
	static const char *const split[] = {"X: a\r\nY: b", NULL};
	static const struct http_call cases[] = {
		{.method = "GET", .url = "ftp://127.0.0.1/"},
		{.method = "GET", .url = "http://key@127.0.0.1/"},
		{.method = "GET", .url = "http://127.0.0.1/", .headers = split},
		{.method = "GET / HTTP/1.1\r\nX:", .url = "http://127.0.0.1/"},
	};
	struct stage *s = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fetched f = {0};
		struct err err = {0};
		uint64_t id = 77;

		assert_int_equal(http_start(s->http, &cases[i], fetch_done, &f, &id, &err), -1);
		assert_int_equal(err.code, ERR_FORMAT);
		assert_null(strstr(err.msg, "key"));
		assert_int_equal(id, 77);
		assert_int_equal(f.times, 0);
		assert_int_equal(http_open_calls(s->http), 0);
	}
}

/* --- waiting --- */

static int64_t timed_wait(struct http *h, int timeout_ms, int fd, int expected)
{
	int64_t start_ms = clock_now().mono_ms;
	struct err err = {0};

	assert_int_equal(http_wait(h, timeout_ms, fd, &err), expected);
	return clock_now().mono_ms - start_ms;
}

static void *wake(void *http)
{
	usleep(20000); /* only so that the waiter most likely waits already; either order must do */
	http_wake(http);
	return NULL;
}

static void wait_ends_for_its_reasons(void **state)
{
	struct stage *s = *state;
	struct fetched f = {0};
	pthread_t thread;
	int pipe_fd[2];

	assert_true(timed_wait(s->http, 30, -1, 0) >= 29);
	assert_true(timed_wait(s->http, 0, -1, 0) < 5000);
	http_wake(s->http);
	assert_true(timed_wait(s->http, 60000, -1, 0) < 5000);
	pthread_create(&thread, NULL, wake, s->http);
	assert_true(timed_wait(s->http, 60000, -1, 0) < 5000);
	pthread_join(thread, NULL);

	assert_int_equal(pipe(pipe_fd), 0);
	assert_true(timed_wait(s->http, 1, pipe_fd[0], 0) < 5000);
	assert_int_equal(write(pipe_fd[1], "x", 1), 1);
	assert_true(timed_wait(s->http, 60000, pipe_fd[0], 1) < 5000);
	assert_int_equal(read(pipe_fd[0], &(char){0}, 1), 1);
	start(s, &f, NULL);
	while (!f.times)
		assert_true(timed_wait(s->http, 60000, pipe_fd[0], 0) < 5000);
	close(pipe_fd[1]);
	assert_true(timed_wait(s->http, 60000, pipe_fd[0], 1) < 5000); /* its end */
	close(pipe_fd[0]);
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, stage_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(connections_are_kept_until_forgotten),
		STAGED(busy_connections_are_not_cut_but_not_kept),
		STAGED(forgetting_touches_no_socket_of_others),
		STAGED(nothing_stays_open_behind_a_close),
		STAGED(calls_can_be_aborted),
		STAGED(done_functions_may_start_calls),
		STAGED(close_ends_what_is_open),
		STAGED(what_cannot_be_sent_is_refused_at_once),
		STAGED(wait_ends_for_its_reasons),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
