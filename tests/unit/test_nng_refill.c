/* nng_refill over its sockets, on ipc and tcp: requests and hops as SP has them, whose turn it is
 * to be answered, the end, and addresses. Callers that do harm are in test_nng_callers.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/suite/refill_rig.h"
#include "tests/suite/sp_caller.h"
#include "transports/nng_callers.h"
#include "transports/nng_frame.h"
#include "transports/nng_refill.h"
#include "transports/nng_sp.h"

#define STATE	  "{\"state\":\"bc_1\"}"
#define AT_A_TIME 200
#define READS	  20

/* ---- requests ---- */

static void ask_over_it(struct nng_world *w)
{
	char *longest = xcalloc(1, FRAME_REQUEST_READ + SP_HOP * SP_HOPS_MAX);
	int one = sp_caller_open(w->refill), two = sp_caller_open(w->refill);
	struct buf text = BUF_INIT(FRAME_REPLY_MAX);

	memset(longest, ' ', FRAME_REQUEST_READ + SP_HOP * SP_HOPS_MAX);
	assert_int_equal(refill_rig_ask(one, "{}"), 0);
	assert_int_equal(refill_rig_ask(one, ""), 0);
	assert_int_equal(refill_rig_ask(one, REFILL_ALL), 100);
	assert_int_equal(refill_rig_ask(two, REFILL_FEW), 2);
	memcpy(longest, REFILL_FEW, strlen(REFILL_FEW));
	assert_true(sp_caller_ask(one, longest, FRAME_REQUEST_MAX + 1));
	assert_true(sp_caller_reply(one, &text));
	assert_string_equal(text.data, "{\"error\":\"the request is longer than 65536 bytes\"}");
	assert_int_equal(refill_rig_ask(one, REFILL_FEW), 2);
	/* One that is even longer ends its connection, and no other. */
	if (sp_caller_ask(one, longest, FRAME_REQUEST_READ + SP_HOP * SP_HOPS_MAX))
		sp_caller_is_ended(one, REFILL_AT_ONCE);
	else
		close(one);
	longest[FRAME_REQUEST_MAX] = '\0';
	assert_int_equal(refill_rig_ask(two, longest), 2);
	close(two);
	free(longest);
	buf_release(&text);
}

static void requests_are_answered(void **state)
{
	(void)state;
	refill_rig_on_both(ask_over_it);
}

static void ask_many_at_a_time(struct nng_world *w)
{
	struct buf text = BUF_INIT(FRAME_REPLY_MAX);
	int fd = sp_caller_open(w->refill);

	for (int i = 0; i < 50; i++) {
		char *request = xasprintf("{\"topic\":\"\",\"after\":%d,\"limit\":%d}", i, i + 1);
		refill_rig_pipeline(fd, request, 1);
		free(request);
	}
	for (int i = 0; i < 50; i++) {
		char *first = xasprintf("\"sequence\":\"%016d\"", i + 1);
		assert_true(sp_caller_reply(fd, &text));
		assert_non_null(strstr(text.data, first));
		assert_ptr_equal(strstr(text.data, "\"sequence\":"), strstr(text.data, first));
		free(first);
	}
	/* One that sends no more still gets its replies. */
	refill_rig_pipeline(fd, REFILL_ALL, 5);
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 5; i++)
		assert_true(sp_caller_reply(fd, &text));
	sp_caller_is_ended(fd, REFILL_AT_ONCE);
	buf_release(&text);
}

static void requests_that_come_together_are_answered_in_turn(void **state)
{
	(void)state;
	refill_rig_on_both(ask_many_at_a_time);
}
/* ---- hops ---- */

/* A request that came over so many hops; 0: its ids have no end. */
static bool ask_over_hops(int fd, size_t hops, struct buf *ret)
{
	unsigned char message[(SP_HOPS_MAX + 1) * SP_HOP + sizeof REFILL_FEW] = {0};
	size_t at = 0;

	for (size_t i = 1; i <= hops; i++, at += SP_HOP) {
		memset(message + at, (int)i, SP_HOP);
		message[at] = i == hops ? 0x81 : 0x7f;
	}
	if (hops) {
		memcpy(message + at, REFILL_FEW, strlen(REFILL_FEW));
		at += strlen(REFILL_FEW);
	} else {
		at = 7; /* not even two ids */
	}
	assert_true(sp_caller_put(fd, message, at));
	if (!ret)
		return true;
	bool replied = sp_caller_take(fd, ret);
	if (replied)
		assert_memory_equal(ret->data, message, hops * SP_HOP);
	return replied && !strncmp(ret->data + hops * SP_HOP, "{\"events\":[{", 12);
}

static void come_over_hops(struct nng_world *w)
{
	struct buf text = BUF_INIT(FRAME_REPLY_MAX);
	int fd = sp_caller_open(w->refill);

	for (size_t hops = 1; hops <= SP_HOPS_MAX; hops++)
		assert_true(ask_over_hops(fd, hops, &text));
	/* It went in a circle: it is dropped, and the next one answered. */
	ask_over_hops(fd, SP_HOPS_MAX + 1, NULL);
	assert_true(ask_over_hops(fd, 1, &text));
	ask_over_hops(fd, 0, NULL);
	sp_caller_is_ended(fd, REFILL_AT_ONCE);
	fd = sp_caller_open(w->refill);
	assert_true(sp_caller_announce(fd, 0));
	sp_caller_is_ended(fd, REFILL_AT_ONCE);
	buf_release(&text);
}

static void a_reply_goes_back_over_the_hops_of_its_request(void **state)
{
	(void)state;
	refill_rig_on_both(come_over_hops);
}
/* ---- turns ---- */

/* A journal that reads when it is told to, and notes who asked. */
struct held_reads {
	sem_t begun, allowed;
	int64_t after[2 * READS]; /* of each read */
	atomic_size_t n;
};

static int read_when_allowed(void *arg, const struct history_query *q, history_each *each,
			     void *each_arg, struct history_end *ret, struct err *err)
{
	struct held_reads *h = arg;

	(void)each, (void)each_arg, (void)err;
	h->after[h->n++] = q->after;
	sem_post(&h->begun);
	sem_wait(&h->allowed);
	*ret = (struct history_end){.latest = 2};
	return 0;
}

/* While one of its requests is read, who has more of them in the socket is joined by another. */
static void who_asks_without_pause_holds_up_another_for_two_reads(void **state)
{
	struct nng_world *w = nng_world_new();
	struct held_reads held = {.n = 0};
	struct transport_history history = {.arg = &held, .routes = read_when_allowed};
	struct transport_env env = {.history = &history};
	struct err err = {0};
	size_t before = 0;

	(void)state;
	sem_init(&held.begun, 0, 0);
	sem_init(&held.allowed, 0, 0);
	struct refill *r = refill_open(w->refill, NULL, &env, &err);
	assert_non_null(r);
	int greedy = sp_caller_open(w->refill), modest = sp_caller_open(w->refill);
	refill_rig_pipeline(greedy, "{\"topic\":\"\",\"after\":1}", READS);
	sem_wait(&held.begun);
	refill_rig_pipeline(modest, "{\"topic\":\"\",\"after\":2}", 1);
	for (; held.after[before] != 2 && before < READS; before++) {
		sem_post(&held.allowed);
		sem_wait(&held.begun);
	}
	assert_in_range(before, 1, 2);
	for (size_t i = 0; i < READS; i++)
		sem_post(&held.allowed);
	refill_stop(r);
	refill_close(r);
	close(greedy);
	close(modest);
	sem_destroy(&held.begun);
	sem_destroy(&held.allowed);
	nng_world_free(w);
}

/* As many as may be connected ask at the same moment, every other for rows. */
static void ask_at_once(struct nng_world *w)
{
	static const char *const requests[] = {REFILL_FEW, STATE};
	static const char *const answers[] = {"{\"events\":[{", "{\"state\":\"bc_1\",\"rows\":[{"};
	struct buf text = BUF_INIT(FRAME_REPLY_MAX);
	int fds[AT_A_TIME];

	w->nrows = 100;
	for (size_t i = 0; i < AT_A_TIME; i++)
		fds[i] = sp_caller_open(w->refill);
	for (size_t i = 0; i < AT_A_TIME; i++)
		assert_true(sp_caller_ask(fds[i], requests[i % 2], strlen(requests[i % 2])));
	for (size_t i = 0; i < AT_A_TIME; i++) {
		assert_true(sp_caller_reply(fds[i], &text));
		assert_ptr_equal(strstr(text.data, answers[i % 2]), text.data);
		close(fds[i]);
	}
	buf_release(&text);
}

static void all_who_ask_at_once_are_answered(void **state)
{
	(void)state;
	refill_rig_on_both(ask_at_once);
}

/* ---- the end, and addresses ---- */

/* A journal on a slow disk. */
struct slow {
	atomic_bool reads;
	atomic_int reads_begun;
};

static int read_slowly(void *arg, const struct history_query *q, history_each *each, void *each_arg,
		       struct history_end *ret, struct err *err)
{
	struct slow *s = arg;

	(void)q, (void)each, (void)each_arg, (void)err;
	s->reads = true;
	s->reads_begun++;
	refill_rig_pause(300);
	*ret = (struct history_end){0};
	s->reads = false;
	return 0;
}

/* Behind the end the relay closes the journal. */
static void the_end_waits_for_what_is_being_read(void **state)
{
	struct nng_world *w = nng_world_new();
	struct slow slow = {0};
	struct transport_history history = {.arg = &slow, .routes = read_slowly};
	struct transport_env env = {.history = &history};
	struct err err = {0};
	struct refill *r = refill_open(w->refill, NULL, &env, &err);
	int one = sp_caller_open(w->refill), two = sp_caller_open(w->refill);

	(void)state;
	assert_non_null(r);
	assert_true(sp_caller_ask(one, REFILL_ALL, strlen(REFILL_ALL)));
	assert_true(sp_caller_ask(two, REFILL_ALL, strlen(REFILL_ALL)));
	for (int i = 0; i < 1000 && !slow.reads_begun; i++)
		refill_rig_pause(5);
	assert_int_equal(slow.reads_begun, 1);
	refill_stop(r);
	assert_false(slow.reads);
	refill_close(r);
	assert_int_equal(slow.reads_begun, 1);
	close(one);
	close(two);
	nng_world_free(w);
}

static void an_address_that_is_left_over_is_taken(void **state)
{
	struct nng_world *w = refill_rig_world(false, 2, 10), *other = nng_world_new();
	struct err err = {0};

	(void)state;
	assert_null(callers_open(w->refill, NULL, NULL, NULL, &err)); /* somebody listens there */
	assert_non_null(strstr(err.msg, w->refill));
	refill_rig_is_served(w);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	strncpy(at.sun_path, other->refill + strlen("ipc://"), sizeof at.sun_path - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	close(fd); /* as a killed relay leaves it */
	nng_world_commit(other, REFILL_TOPIC, 0);
	nng_world_commit(other, REFILL_TOPIC, 0);
	nng_world_open(other, NULL);
	refill_rig_is_served(other);
	nng_world_free(other);
	nng_world_free(w);
	other = nng_world_new();
	const char *path = other->refill + strlen("ipc://");
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	assert_null(callers_open(other->refill, NULL, NULL, NULL, &err));
	assert_int_equal(unlink(path), 0); /* no socket: it was left alone */
	nng_world_free(other);
	assert_null(callers_open("ws://127.0.0.1:1/x", NULL, NULL, NULL, &err));
	assert_null(callers_open("tcp://nowhere:1", NULL, NULL, NULL, &err));
	callers_close(NULL);
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_answered),
		cmocka_unit_test(requests_that_come_together_are_answered_in_turn),
		cmocka_unit_test(a_reply_goes_back_over_the_hops_of_its_request),
		cmocka_unit_test(who_asks_without_pause_holds_up_another_for_two_reads),
		cmocka_unit_test(the_end_waits_for_what_is_being_read),
		cmocka_unit_test(all_who_ask_at_once_are_answered),
		cmocka_unit_test(an_address_that_is_left_over_is_taken),
	};

	return cmocka_run_group_tests_name("nng_refill", tests, NULL, NULL);
}
