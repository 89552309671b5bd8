/* nng_callers, on ipc and tcp: callers that do not read, leave, stand still, speak something else
 * or are too many. After each the process holds as many descriptors as before, the next caller is
 * served at once, and the end is in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/suite/refill_rig.h"
#include "tests/suite/sp_caller.h"
#include "transports/nng_callers.h"
#include "transports/nng_frame.h"
#include "transports/nng_sp.h"

#define CALLERS 100

/* ---- callers that do not read ---- */

static void ask_and_leave(struct nng_world *w)
{
	int fds[CALLERS];

	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < CALLERS; i++) {
			fds[i] = sp_caller_open(w->refill);
			refill_rig_pipeline(fds[i], REFILL_ALL, 20);
		}
		refill_rig_is_served(w);
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
	refill_rig_on_both(ask_and_leave);
}

/* They read some of a reply, so that each leaves in the middle of one. */
static void leave_while_reading(struct nng_world *w)
{
	static char some[1 << 20];

	for (size_t i = 0; i < 3 * CALLERS; i++) {
		int fd = sp_caller_open(w->refill);
		refill_rig_pipeline(fd, REFILL_ALL, 3);
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
	refill_rig_on_both(leave_while_reading);
}

static void the_end_does_not_wait_for_callers(void **state)
{
	int fds[CALLERS];

	(void)state;
	for (int tcp = 0; tcp < 2; tcp++) {
		struct nng_world *w = refill_rig_world(tcp, 100, 2200);
		for (size_t i = 0; i < CALLERS; i++) {
			fds[i] = sp_caller_open(w->refill);
			refill_rig_pipeline(fds[i], REFILL_ALL, 20);
		}
		nng_world_close(w); /* measures itself */
		for (size_t i = 0; i < CALLERS; i++)
			sp_caller_is_ended(fds[i], REFILL_AT_ONCE);
		nng_world_free(w);
	}
}

/* Replies of 4 MB: these callers ask for more than replies may take together. */
static void replies_that_nobody_reads_take_no_more_than_their_share(void **state)
{
	struct nng_world *w = refill_rig_world(false, 100, 100000);
	struct pollfd fds[CALLERS_UNREAD_MAX / (4 << 20) * 3 / 2];
	size_t n = sizeof fds / sizeof *fds, ended = 0;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		fds[i] = (struct pollfd){.fd = sp_caller_open(w->refill), .events = POLLIN};
		refill_rig_pipeline(fds[i].fd, REFILL_ALL, 1);
	}
	int fd = sp_caller_open(w->refill);
	assert_int_equal(refill_rig_ask(fd, REFILL_FEW), 2);
	close(fd);
	poll(fds, n, 0);
	for (size_t i = 0; i < n; i++) {
		assert_true(fds[i].revents & POLLIN); /* who came before has been answered */
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
		assert_true(sp_caller_announce(fd, 100) &&
			    sp_caller_send(fd, "\x80" REFILL_ALL, 8));
	if (how == UNREAD) /* more than the buffers of any socket */
		refill_rig_pipeline(fd, REFILL_ALL, 20);
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
	struct nng_world *w[2] = {refill_rig_world(false, 100, 40000),
				  refill_rig_world(true, 100, 40000)};
	int fds[2][STILL], slow = sp_caller_open(w[0]->refill);

	(void)state;
	refill_rig_pipeline(slow, REFILL_ALL, 1);
	for (int tcp = 0; tcp < 2; tcp++)
		for (int how = 0; how < STILL; how++)
			fds[tcp][how] = stand_still(w[tcp]->refill, (enum still)how);
	for (int i = 0; i < 7; i++) {
		refill_rig_pause(CALLER_MS / 6);
		assert_true(sp_caller_receive(slow, part, sizeof part));
		for (int tcp = 0; tcp < 2 && i == 2; tcp++)
			nobody_is_ended(fds[tcp]);
	}
	close(slow);
	for (int tcp = 0; tcp < 2; tcp++) {
		for (int how = 0; how < IDLE; how++)
			sp_caller_is_ended(fds[tcp][how], REFILL_AT_ONCE);
		assert_int_equal(refill_rig_ask(fds[tcp][IDLE], REFILL_FEW), 2);
		close(fds[tcp][IDLE]);
		refill_rig_is_served(w[tcp]);
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
		sp_caller_is_ended(fd, REFILL_AT_ONCE);
	}
	for (int bits = 18; bits <= 64; bits++) { /* messages without end */
		int fd = sp_caller_open(w->refill);
		assert_true(sp_caller_announce(fd, UINT64_MAX >> (64 - bits)));
		sp_caller_is_ended(fd, REFILL_AT_ONCE);
	}
	if (strncmp(w->refill, "ipc://", 6) != 0)
		return;
	int fd = sp_caller_open(w->refill); /* another kind of message */
	assert_true(sp_caller_send(fd, "\2\0\0\0\0\0\0\0\4\x80", 10));
	sp_caller_is_ended(fd, REFILL_AT_ONCE);
}

static void callers_that_speak_something_else_are_ended(void **state)
{
	(void)state;
	refill_rig_on_both(speak_something_else);
}

/* Leaves at every place of a call, half of the times with a reset. */
static void leave_anywhere(struct nng_world *w)
{
	static const char greeting[] = "\0SP\0\0\x30\0";

	for (size_t i = 0; i < 600; i++) {
		size_t at = i / 2 % (SP_GREETING + SP_HOP + sizeof REFILL_FEW);
		int fd;
		if (at <= sizeof greeting) {
			fd = sp_caller_connect(w->refill);
			sp_caller_send(fd, greeting, at);
		} else {
			fd = sp_caller_open(w->refill);
			if (i % 3)
				sp_caller_ask(fd, REFILL_FEW, strlen(REFILL_FEW));
			sp_caller_announce(fd, SP_HOP + strlen(REFILL_FEW));
			sp_caller_send(fd, "\x80\0\0\0" REFILL_FEW, at - sizeof greeting);
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
	refill_rig_on_both(leave_anywhere);
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
	refill_rig_is_served(w);
	for (size_t i = 0; i < 300; i++) {
		if (!sp_caller_send(fds[i], req, sizeof req) ||
		    (i < 299 && !sp_caller_receive(fds[i], greeting, sizeof greeting)) ||
		    !sp_caller_ask(fds[i], REFILL_FEW, strlen(REFILL_FEW)))
			continue;
		served += sp_caller_reply(fds[i], &text);
	}
	assert_int_equal(served, CALLERS_MAX - 1); /* one more gave way to the one in between */
	buf_release(&text);
	for (size_t i = 0; i < 300; i++)
		close(fds[i]);
}

/* Those that have shown what they are keep their place. */
static void all_places_are_taken(struct nng_world *w)
{
	int fds[CALLERS_MAX];

	for (size_t i = 0; i < CALLERS_MAX; i++) {
		fds[i] = sp_caller_open(w->refill);
		assert_int_equal(refill_rig_ask(fds[i], REFILL_FEW), 2);
	}
	sp_caller_is_ended(sp_caller_connect(w->refill), REFILL_AT_ONCE);
	for (size_t i = 0; i < CALLERS_MAX; i++) {
		assert_int_equal(refill_rig_ask(fds[i], REFILL_FEW), 2);
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
		refill_rig_pause(10);
	}
	fail_msg("the connections are not given back");
}

static void more_callers_than_are_served(struct nng_world *w)
{
	for (int round = 0; round < 3; round++) {
		come_at_once(w);
		all_are_gone(w);
		refill_rig_pause(50);
	}
	all_places_are_taken(w);
	all_are_gone(w);
	refill_rig_pause(50);
}

static void callers_beyond_the_limit_take_the_place_of_silent_ones(void **state)
{
	(void)state;
	refill_rig_on_both(more_callers_than_are_served);
}

static void callers_beyond_the_files_are_told(void **state)
{
	struct nng_world *w = refill_rig_world(false, 2, 100);
	struct rlimit files, few;
	int lowest = dup(0); /* that is free */

	(void)state;
	assert_in_range(lowest, 5, 1000); /* the other end gets the next: in the last quarter */
	assert_int_equal(close(lowest), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	few = files;
	few.rlim_cur = (rlim_t)lowest + 4;
	assert_false(nng_world_figures(w)->short_of_files);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	sp_caller_is_ended(sp_caller_connect(w->refill), REFILL_AT_ONCE);
	for (int i = 0; i < 200 && !nng_world_figures(w)->short_of_files; i++)
		refill_rig_pause(10);
	assert_true(w->figures.short_of_files);
	assert_non_null(strstr(w->figures.trouble, "who connects is turned away"));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	refill_rig_is_served(w);
	nng_world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(callers_that_ask_much_and_leave_hold_up_nobody),
		cmocka_unit_test(callers_that_leave_in_a_reply_hold_up_nobody),
		cmocka_unit_test(the_end_does_not_wait_for_callers),
		cmocka_unit_test(replies_that_nobody_reads_take_no_more_than_their_share),
		cmocka_unit_test(callers_that_stand_still_are_ended),
		cmocka_unit_test(callers_that_speak_something_else_are_ended),
		cmocka_unit_test(callers_that_leave_anywhere_hold_up_nobody),
		cmocka_unit_test(callers_beyond_the_limit_take_the_place_of_silent_ones),
		cmocka_unit_test(callers_beyond_the_files_are_told),
	};

	return cmocka_run_group_tests_name("nng_callers", tests, NULL, NULL);
}
