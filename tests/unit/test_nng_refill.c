/* nng_refill over its sockets, on ipc and tcp: requests and hops as SP has them, and callers that
 * do not read, leave, stand still or speak something else. After each the process holds as many
 * descriptors as before, the next caller is served at once, and the end is in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "tests/suite/nng_world.h"
#include "tests/suite/sp_caller.h"
#include "transports/nng_callers.h"
#include "transports/nng_frame.h"
#include "transports/nng_refill.h"
#include "transports/nng_sp.h"

#define TOPIC	  "recipient.sent.twilio.b1"
#define ALL	  "{\"topic\":\"\"}"
#define FEW	  "{\"topic\":\"\",\"limit\":2}"
#define STATE	  "{\"state\":\"bc_1\"}"
#define CALLERS	  100
#define AT_A_TIME 200
#define AT_ONCE	  3000 /* ms; the sanitizers take their time */

static void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* How many events the reply to a request has; 0: an error. */
static size_t ask(int fd, const char *request)
{
	struct buf text = BUF_INIT(FRAME_REPLY_MAX);
	struct json_doc *doc = json_doc_new();
	struct err err = {0};

	assert_true(sp_caller_ask(fd, request, strlen(request)));
	assert_true(sp_caller_reply(fd, &text));
	const struct json *root = json_parse(doc, text.data, text.len, JSON_DEPTH + 8, &err);
	if (!root)
		fail_msg("%s in %.200s", err.msg, text.data);
	size_t n = json_count(json_get(root, "events"));
	json_doc_free(doc);
	buf_release(&text);
	return n;
}

static void is_served_at_once(const struct nng_world *w)
{
	int64_t start = clock_now().mono_ms;
	int fd = sp_caller_open(w->refill);

	assert_int_equal(ask(fd, FEW), 2);
	close(fd);
	assert_in_range(clock_now().mono_ms - start, 0, AT_ONCE);
}

static struct nng_world *world_of(bool tcp, size_t events, size_t padding)
{
	struct nng_world *w = nng_world_new();

	for (size_t i = 0; i < events; i++)
		nng_world_commit(w, TOPIC, padding);
	if (tcp)
		nng_world_refill_on_tcp(w);
	nng_world_open(w, NULL);
	return w;
}

/* 100 events of 2.4 KB: a reply that no socket's buffer holds. */
static void on_both(void (*test)(struct nng_world *w))
{
	for (int tcp = 0; tcp < 2; tcp++) {
		struct nng_world *w = world_of(tcp, 100, 2200);

		size_t before = sp_caller_descriptors();
		is_served_at_once(w);
		test(w);
		is_served_at_once(w);
		for (int i = 0; i < 200 && sp_caller_descriptors() > before; i++)
			pause_ms(10);
		assert_in_range(sp_caller_descriptors(), 0,
				before); /* fewer: nng lets go of another bus */
		nng_world_close(w);	 /* measures itself */
		nng_world_free(w);
	}
}

/* ---- requests ---- */

static void ask_over_it(struct nng_world *w)
{
	char *longest = xcalloc(1, FRAME_REQUEST_READ + SP_HOP * SP_HOPS_MAX);
	int one = sp_caller_open(w->refill), two = sp_caller_open(w->refill);
	struct buf text = BUF_INIT(FRAME_REPLY_MAX);

	memset(longest, ' ', FRAME_REQUEST_READ + SP_HOP * SP_HOPS_MAX);
	assert_int_equal(ask(one, "{}"), 0);
	assert_int_equal(ask(one, ""), 0);
	assert_int_equal(ask(one, ALL), 100);
	assert_int_equal(ask(two, FEW), 2);
	memcpy(longest, FEW, strlen(FEW));
	assert_true(sp_caller_ask(one, longest, FRAME_REQUEST_MAX + 1));
	assert_true(sp_caller_reply(one, &text));
	assert_string_equal(text.data, "{\"error\":\"the request is longer than 65536 bytes\"}");
	assert_int_equal(ask(one, FEW), 2);
	/* One that is even longer ends its connection, and no other. */
	if (sp_caller_ask(one, longest, FRAME_REQUEST_READ + SP_HOP * SP_HOPS_MAX))
		sp_caller_is_ended(one, AT_ONCE);
	else
		close(one);
	longest[FRAME_REQUEST_MAX] = '\0';
	assert_int_equal(ask(two, longest), 2);
	close(two);
	free(longest);
	buf_release(&text);
}

static void requests_are_answered(void **state)
{
	(void)state;
	on_both(ask_over_it);
}

static void pipeline(int fd, const char *request, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_true(sp_caller_ask(fd, request, strlen(request)));
}

static void ask_many_at_a_time(struct nng_world *w)
{
	struct buf text = BUF_INIT(FRAME_REPLY_MAX);
	int fd = sp_caller_open(w->refill);

	for (int i = 0; i < 50; i++) {
		char *request = xasprintf("{\"topic\":\"\",\"after\":%d,\"limit\":%d}", i, i + 1);
		pipeline(fd, request, 1);
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
	pipeline(fd, ALL, 5);
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 5; i++)
		assert_true(sp_caller_reply(fd, &text));
	sp_caller_is_ended(fd, AT_ONCE);
	buf_release(&text);
}

static void requests_that_come_together_are_answered_in_turn(void **state)
{
	(void)state;
	on_both(ask_many_at_a_time);
}

/* ---- hops ---- */

/* A request that came over so many hops; 0: its ids have no end. */
static bool ask_over_hops(int fd, size_t hops, struct buf *ret)
{
	unsigned char message[(SP_HOPS_MAX + 1) * SP_HOP + sizeof FEW] = {0};
	size_t at = 0;

	for (size_t i = 1; i <= hops; i++, at += SP_HOP) {
		memset(message + at, (int)i, SP_HOP);
		message[at] = i == hops ? 0x81 : 0x7f;
	}
	if (hops) {
		memcpy(message + at, FEW, strlen(FEW));
		at += strlen(FEW);
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
	sp_caller_is_ended(fd, AT_ONCE);
	fd = sp_caller_open(w->refill);
	assert_true(sp_caller_announce(fd, 0));
	sp_caller_is_ended(fd, AT_ONCE);
	buf_release(&text);
}

static void a_reply_goes_back_over_the_hops_of_its_request(void **state)
{
	(void)state;
	on_both(come_over_hops);
}

/* ---- callers that do not read ---- */

static void ask_and_leave(struct nng_world *w)
{
	int fds[CALLERS];

	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < CALLERS; i++) {
			fds[i] = sp_caller_open(w->refill);
			pipeline(fds[i], ALL, 20);
		}
		is_served_at_once(w);
		for (size_t i = 0; i < CALLERS; i++)
			if (round % 2)
				sp_caller_reset(fds[i]);
			else
				close(fds[i]);
	}
}

static void callers_that_ask_much_and_leave_hold_up_nobody(void **state)
{
	(void)state;
	on_both(ask_and_leave);
}

/* They read some of a reply, so that each leaves in the middle of one. */
static void leave_while_reading(struct nng_world *w)
{
	static char some[1 << 20];

	for (size_t i = 0; i < 3 * CALLERS; i++) {
		int fd = sp_caller_open(w->refill);
		pipeline(fd, ALL, 3);
		assert_true(sp_caller_receive(fd, some, 1 + i * 2000));
		if (i % 2)
			sp_caller_reset(fd);
		else
			close(fd);
	}
}

static void callers_that_leave_in_a_reply_hold_up_nobody(void **state)
{
	(void)state;
	on_both(leave_while_reading);
}

static void the_end_does_not_wait_for_callers(void **state)
{
	int fds[CALLERS];

	(void)state;
	for (int tcp = 0; tcp < 2; tcp++) {
		struct nng_world *w = world_of(tcp, 100, 2200);
		for (size_t i = 0; i < CALLERS; i++) {
			fds[i] = sp_caller_open(w->refill);
			pipeline(fds[i], ALL, 20);
		}
		nng_world_close(w); /* measures itself */
		for (size_t i = 0; i < CALLERS; i++)
			sp_caller_is_ended(fds[i], AT_ONCE);
		nng_world_free(w);
	}
}

/* Replies of 4 MB: these callers ask for more than replies may take together. */
static void replies_that_nobody_reads_take_no_more_than_their_share(void **state)
{
	struct nng_world *w = world_of(false, 100, 100000);
	struct pollfd fds[CALLERS_UNREAD_MAX / (4 << 20) * 3 / 2];
	size_t n = sizeof fds / sizeof *fds, ended = 0;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		fds[i] = (struct pollfd){.fd = sp_caller_open(w->refill)};
		pipeline(fds[i].fd, ALL, 1);
	}
	int fd = sp_caller_open(w->refill);
	assert_int_equal(ask(fd, FEW), 2); /* it came last, so the others have been answered */
	close(fd);
	poll(fds, n, 0);
	for (size_t i = 0; i < n; i++) {
		ended += fds[i].revents & POLLHUP ? 1 : 0;
		close(fds[i].fd);
	}
	assert_in_range(ended, n / 3, n);
	nng_world_free(w);
}

/* ---- callers that stand still ---- */

enum still { NOTHING, HALF_GREETING, HALF_HEAD, HALF_REQUEST, UNREAD, IDLE, STILL };

static int stand_still(const char *url, enum still how)
{
	int fd = how < HALF_HEAD ? sp_caller_connect(url) : sp_caller_open(url);

	if (how == HALF_GREETING)
		assert_true(sp_caller_send(fd, "\0SP", 4));
	if (how == HALF_HEAD)
		assert_true(sp_caller_send(fd, "\1", 1));
	if (how == HALF_REQUEST)
		assert_true(sp_caller_announce(fd, 100) && sp_caller_send(fd, "\x80" ALL, 8));
	if (how == UNREAD) /* more than the buffers of any socket */
		pipeline(fd, ALL, 20);
	return fd;
}

static void nobody_is_ended(const int fds[STILL])
{
	for (int how = 0; how < STILL; how++) {
		struct pollfd gone = {.fd = fds[how], .events = POLLRDHUP};
		assert_int_equal(poll(&gone, 1, 0), 0);
	}
}

/* Meanwhile another takes a part of its reply of 4 MB now and then. */
static void callers_that_stand_still_are_ended(void **state)
{
	static char part[1 << 19];
	struct nng_world *w[2] = {world_of(false, 100, 40000), world_of(true, 100, 40000)};
	int fds[2][STILL], slow = sp_caller_open(w[0]->refill);

	(void)state;
	pipeline(slow, ALL, 1);
	for (int tcp = 0; tcp < 2; tcp++)
		for (int how = 0; how < STILL; how++)
			fds[tcp][how] = stand_still(w[tcp]->refill, (enum still)how);
	for (int i = 0; i < 7; i++) {
		pause_ms(CALLER_MS / 6);
		assert_true(sp_caller_receive(slow, part, sizeof part));
		for (int tcp = 0; tcp < 2 && i == 2; tcp++)
			nobody_is_ended(fds[tcp]);
	}
	close(slow);
	for (int tcp = 0; tcp < 2; tcp++) {
		for (int how = 0; how < IDLE; how++)
			sp_caller_is_ended(fds[tcp][how], AT_ONCE);
		assert_int_equal(ask(fds[tcp][IDLE], FEW), 2);
		close(fds[tcp][IDLE]);
		is_served_at_once(w[tcp]);
		nng_world_free(w[tcp]);
	}
}

/* ---- callers that speak something else ---- */

static const struct {
	const char *bytes;
	size_t len;
} greetings[] = {
	{"\0SP\0\0\x31\0\0", 8}, /* REP */
	{"\0SP\0\0\x21\0\0", 8}, /* SUB */
	{"\0SP\0\1\x30\0\0", 8},	  {"\0SP\1\0\x30\0\0", 8},
	{"\0SP\0\0\x30\0\1", 8},	  {"\0XP\0\0\x30\0\0", 8},
	{"GET / HTTP/1.1\r\n\r\n", 18},	  {"\x16\x03\x01\x02\0\x01\0\0\0\0\0", 11},
	{"\0\0\0\0\0\0\0\0\0\0\0\0", 12},
};

static void speak_something_else(struct nng_world *w)
{
	for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
		int fd = sp_caller_connect(w->refill);
		assert_true(sp_caller_send(fd, greetings[i].bytes, greetings[i].len));
		sp_caller_is_ended(fd, AT_ONCE);
	}
	for (int bits = 18; bits <= 64; bits++) { /* messages without end */
		int fd = sp_caller_open(w->refill);
		assert_true(sp_caller_announce(fd, UINT64_MAX >> (64 - bits)));
		sp_caller_is_ended(fd, AT_ONCE);
	}
	if (strncmp(w->refill, "ipc://", 6) != 0)
		return;
	int fd = sp_caller_open(w->refill); /* another kind of message */
	assert_true(sp_caller_send(fd, "\2\0\0\0\0\0\0\0\4\x80", 10));
	sp_caller_is_ended(fd, AT_ONCE);
}

static void callers_that_speak_something_else_are_ended(void **state)
{
	(void)state;
	on_both(speak_something_else);
}

/* Leaves at every place of a call, half of the times with a reset. */
static void leave_anywhere(struct nng_world *w)
{
	static const char greeting[] = "\0SP\0\0\x30\0";

	for (size_t i = 0; i < 600; i++) {
		size_t at = i / 2 % (SP_GREETING + SP_HOP + sizeof FEW);
		int fd;
		if (at <= sizeof greeting) {
			fd = sp_caller_connect(w->refill);
			sp_caller_send(fd, greeting, at);
		} else {
			fd = sp_caller_open(w->refill);
			if (i % 3)
				sp_caller_ask(fd, FEW, strlen(FEW));
			sp_caller_announce(fd, SP_HOP + strlen(FEW));
			sp_caller_send(fd, "\x80\0\0\0" FEW, at - sizeof greeting);
		}
		if (i % 2)
			sp_caller_reset(fd);
		else
			close(fd);
	}
}

static void callers_that_leave_anywhere_hold_up_nobody(void **state)
{
	(void)state;
	on_both(leave_anywhere);
}

/* ---- many callers ---- */

static void come_at_once(struct nng_world *w)
{
	static const char req[] = "\0SP\0\0\x30\0";
	struct buf text = BUF_INIT(FRAME_REPLY_MAX);
	int fds[300];
	size_t served = 0;
	char greeting[SP_GREETING];

	for (size_t i = 0; i < 300; i++)
		fds[i] = sp_caller_connect(w->refill);
	/* The last one is in, so the first have had to go. */
	assert_true(sp_caller_receive(fds[299], greeting, sizeof greeting));
	is_served_at_once(w);
	for (size_t i = 0; i < 300; i++) {
		if (!sp_caller_send(fds[i], req, sizeof req) ||
		    (i < 299 && !sp_caller_receive(fds[i], greeting, sizeof greeting)) ||
		    !sp_caller_ask(fds[i], FEW, strlen(FEW)))
			continue;
		served += sp_caller_reply(fds[i], &text);
	}
	assert_int_equal(served, CALLERS_MAX - 1); /* one more gave way to the one in between */
	buf_release(&text);
	for (size_t i = 0; i < 300; i++)
		close(fds[i]);
}

/* As many as may be connected ask at the same moment, every other for rows. */
static void ask_at_once(struct nng_world *w)
{
	static const char *const requests[] = {FEW, STATE};
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
	on_both(ask_at_once);
}

/* Those that have shown what they are keep their place. */
static void all_places_are_taken(struct nng_world *w)
{
	int fds[CALLERS_MAX];

	for (size_t i = 0; i < CALLERS_MAX; i++) {
		fds[i] = sp_caller_open(w->refill);
		assert_int_equal(ask(fds[i], FEW), 2);
	}
	sp_caller_is_ended(sp_caller_connect(w->refill), AT_ONCE);
	for (size_t i = 0; i < CALLERS_MAX; i++) {
		assert_int_equal(ask(fds[i], FEW), 2);
		close(fds[i]);
	}
}

/* Those that were just closed count until the thread has seen it. */
static void all_are_gone(struct nng_world *w)
{
	char byte;

	for (int i = 0; i < 200; i++) {
		int fd = sp_caller_connect(w->refill);
		bool taken = recv(fd, &byte, 1, 0) == 1;
		close(fd);
		if (taken)
			return;
		pause_ms(10);
	}
	fail_msg("the connections are not given back");
}

static void more_callers_than_are_served(struct nng_world *w)
{
	for (int round = 0; round < 3; round++) {
		come_at_once(w);
		all_are_gone(w);
		pause_ms(50);
	}
	all_places_are_taken(w);
	all_are_gone(w);
	pause_ms(50);
}

static void callers_beyond_the_limit_take_the_place_of_silent_ones(void **state)
{
	(void)state;
	on_both(more_callers_than_are_served);
}

/* ---- addresses ---- */

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
	pause_ms(300);
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
	assert_true(sp_caller_ask(one, ALL, strlen(ALL)));
	assert_true(sp_caller_ask(two, ALL, strlen(ALL)));
	for (int i = 0; i < 1000 && !slow.reads_begun; i++)
		pause_ms(5);
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
	struct nng_world *w = world_of(false, 2, 10), *other = nng_world_new();
	struct err err = {0};

	(void)state;
	assert_null(callers_open(w->refill, NULL, NULL, NULL, &err)); /* somebody listens there */
	assert_non_null(strstr(err.msg, w->refill));
	is_served_at_once(w);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	strncpy(at.sun_path, other->refill + strlen("ipc://"), sizeof at.sun_path - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	close(fd); /* as a killed relay leaves it */
	nng_world_commit(other, TOPIC, 0);
	nng_world_commit(other, TOPIC, 0);
	nng_world_open(other, NULL);
	is_served_at_once(other);
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
		cmocka_unit_test(callers_that_ask_much_and_leave_hold_up_nobody),
		cmocka_unit_test(callers_that_leave_in_a_reply_hold_up_nobody),
		cmocka_unit_test(the_end_does_not_wait_for_callers),
		cmocka_unit_test(the_end_waits_for_what_is_being_read),
		cmocka_unit_test(replies_that_nobody_reads_take_no_more_than_their_share),
		cmocka_unit_test(callers_that_stand_still_are_ended),
		cmocka_unit_test(callers_that_speak_something_else_are_ended),
		cmocka_unit_test(callers_that_leave_anywhere_hold_up_nobody),
		cmocka_unit_test(all_who_ask_at_once_are_answered),
		cmocka_unit_test(callers_beyond_the_limit_take_the_place_of_silent_ones),
		cmocka_unit_test(an_address_that_is_left_over_is_taken),
	};

	return cmocka_run_group_tests_name("nng_refill", tests, NULL, NULL);
}
