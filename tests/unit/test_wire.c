/* wire: every call comes back once or is released, whoever ends first. */
#include "transports/wire.h"

#include <errno.h>
#include <netdb.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/suite/http_receiver.h"

#define OK_200 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nRetry-After: 3\r\n\r\nhi"

struct desk {
	struct http_receiver *far;
	struct mailbox *loop;
	struct wire *wire;
	char url[64];
};

struct errand {
	struct desk *desk;
	unsigned done, released;
	atomic_uint prepared;
	bool fails, gone;
	const char *url; /* NULL: the desk's */
	int status;
	enum http_failure failure;
	char said[64];
};

static int prepare(void *arg, struct http_call *call, struct err *err)
{
	struct errand *e = arg;

	assert_false(e->gone);
	atomic_fetch_add(&e->prepared, 1);
	if (e->fails)
		return err_set(err, ERR_FORMAT, "no such template");
	*call = (struct http_call){.method = "POST",
				   .url = e->url ? e->url : e->desk->url,
				   .connect_timeout_ms = 200,
				   .body = "b",
				   .body_len = 1,
				   .max_reply = 100};
	return 0;
}

static void done(void *arg, const struct http_reply *reply)
{
	struct errand *e = arg;

	assert_false(e->gone);
	assert_int_equal(e->released, 0); /* release comes after it */
	e->done++;
	e->status = reply->status;
	e->failure = reply->failure;
	snprintf(e->said, sizeof e->said, "%s", reply->failure ? reply->why : reply->body);
}

static void release(void *arg)
{
	((struct errand *)arg)->released++;
}

static void desk_open(struct desk *d, const char *reply)
{
	struct err err = {0};

	d->far = http_receiver_open(reply);
	d->loop = mailbox_open(NULL, NULL);
	d->wire = wire_open(d->loop, 8, &err);
	if (!d->wire)
		fail_msg("%s", err.msg);
	snprintf(d->url, sizeof d->url, "http://127.0.0.1:%d/", http_receiver_port(d->far));
}

static void desk_close(struct desk *d)
{
	wire_close(d->wire);
	mailbox_close(d->loop);
	http_receiver_close(d->far);
}

static void send_all(struct desk *d, struct errand *v, size_t n, const void *owner)
{
	for (size_t i = 0; i < n; i++) {
		v[i].desk = d;
		wire_send(d->wire, owner, prepare, done, &v[i], release);
	}
}

static void wait_released(struct desk *d, const struct errand *v, size_t n)
{
	size_t back = 0;

	for (int rounds = 0; rounds < 1000 && back < n; rounds++) {
		mailbox_wait(d->loop, 10);
		mailbox_run(d->loop);
		back = 0;
		for (size_t i = 0; i < n; i++)
			back += v[i].released;
	}
	assert_int_equal(back, n);
}

static void test_calls_come_back(void **state)
{
	struct errand v[100] = {0};
	struct desk d;

	(void)state;
	desk_open(&d, OK_200);
	send_all(&d, v, 100, v);
	wait_released(&d, v, 100);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(v[i].done, 1);
		assert_int_equal(v[i].released, 1);
		assert_int_equal(v[i].status, 200);
		assert_string_equal(v[i].said, "hi");
	}
	desk_close(&d);
}

static void test_prepare_fails(void **state)
{
	struct errand e = {.fails = true};
	struct desk d;

	(void)state;
	desk_open(&d, OK_200);
	send_all(&d, &e, 1, &e);
	wait_released(&d, &e, 1);
	assert_int_equal(e.done, 1);
	assert_int_equal(e.failure, HTTP_BROKEN);
	assert_string_equal(e.said, "no such template");
	snprintf(d.url, sizeof d.url, "not a url");
	e = (struct errand){0};
	send_all(&d, &e, 1, &e);
	wait_released(&d, &e, 1);
	assert_int_equal(e.done, 1);
	assert_int_equal(e.failure, HTTP_BROKEN);
	desk_close(&d);
}

/* What is forgotten is released before wire_forget returns, and never touched again. */
static void test_forget(void **state)
{
	struct errand mine[20] = {0}, other[20] = {0};
	struct desk d;

	(void)state;
	desk_open(&d, NULL); /* never answers */
	send_all(&d, mine, 20, mine);
	send_all(&d, other, 20, other);
	http_receiver_count(d.far, 5); /* some are out, some not */
	wire_forget(d.wire, mine);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(mine[i].released, 1);
		assert_int_equal(mine[i].done, 0);
		mine[i].gone = true;
		assert_int_equal(other[i].released, 0);
	}
	wire_forget(d.wire, mine); /* nothing is left of it */
	mailbox_run(d.loop);
	desk_close(&d);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(mine[i].released, 1);
		assert_int_equal(other[i].released, 1); /* by the close */
		assert_int_equal(other[i].done, 0);
	}
}

static void test_forget_what_is_already_back(void **state)
{
	struct errand v[10] = {0};
	struct desk d;

	(void)state;
	desk_open(&d, OK_200);
	send_all(&d, v, 10, v);
	http_receiver_count(d.far, 10);
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* so that some most likely are */
	wire_forget(d.wire, v);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(v[i].released, 1);
		v[i].gone = true;
	}
	mailbox_run(d.loop);
	for (int i = 0; i < 10; i++)
		assert_int_equal(v[i].done, 0);
	desk_close(&d);
}

static void test_close_at_once(void **state)
{
	(void)state;
	for (size_t n = 0; n <= 30; n += 15) {
		struct errand v[30] = {0};
		struct desk d;

		desk_open(&d, OK_200);
		send_all(&d, v, n, v);
		desk_close(&d);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(v[i].released, 1);
			assert_int_equal(v[i].done, 0);
		}
	}
	wire_close(NULL);
}

static void test_renew(void **state)
{
	struct errand a = {0}, b = {0};
	struct desk d;

	(void)state;
	desk_open(&d, OK_200);
	send_all(&d, &a, 1, &a);
	wait_released(&d, &a, 1);
	wire_renew(d.wire);
	send_all(&d, &b, 1, &b);
	wait_released(&d, &b, 1);
	assert_int_equal(b.status, 200);
	desk_close(&d);
}

/* --- a name server that does not answer --- */

#define SILENCE_S 10

static sem_t answers;
static atomic_bool asked, answered;

/* Takes the C library's place, also for libcurl. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	struct timespec until;

	(void)name;
	(void)service;
	(void)hints;
	(void)ret;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SILENCE_S;
	atomic_store(&asked, true);
	while (sem_timedwait(&answers, &until) != 0 && errno == EINTR) {
	}
	atomic_store(&answered, true);
	return EAI_AGAIN;
}

/* It holds up who needs it, and nobody else: neither calls nor the end. */
static void test_silent_name_server(void **state)
{
	struct errand slow[2] = {{.url = "http://slow.test/"}, {.url = "http://slow.test/"}};
	struct errand quick[8] = {0};
	struct desk d;

	(void)state;
	sem_init(&answers, 0, 0);
	desk_open(&d, OK_200);
	send_all(&d, slow, 1, slow);
	wait_released(&d, slow, 1);
	assert_true(atomic_load(&asked));
	assert_int_equal(slow[0].failure, HTTP_TIMEOUT);
	send_all(&d, quick, 8, quick);
	wait_released(&d, quick, 8);
	assert_int_equal(quick[7].status, 200);
	atomic_store(&asked, false);
	send_all(&d, &slow[1], 1, &slow[1]);
	while (!atomic_load(&asked))
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	wire_forget(d.wire, &slow[1]);
	assert_int_equal(slow[1].released, 1);
	desk_close(&d);
	assert_false(atomic_load(&answered));
	sem_post(&answers);
	sem_post(&answers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_come_back),
		cmocka_unit_test(test_prepare_fails),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_forget_what_is_already_back),
		cmocka_unit_test(test_close_at_once),
		cmocka_unit_test(test_renew),
		cmocka_unit_test(test_silent_name_server),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
