/* nng_hearers over its sockets: who leaves at any moment, speaks something else, says nothing or
 * stands still costs others nothing; what a slow one loses, and how it is counted; the most that
 * are let in; files. */
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/suite/nng_child.h"
#include "tests/suite/nng_world.h"
#include "tests/suite/slow_listener.h"
#include "tests/suite/sp_caller.h"
#include "tests/suite/sp_listener.h"
#include "transports/nng_bus.h"
#include "transports/nng_hearers.h"

#define BUFFER	    8192
#define LONG	    250000 /* what no socket's buffer holds */
#define DEADLINE_MS 20000
#define LEAVERS	    1000

static void await_descriptors(const struct nng_world *w, size_t most)
{
	int64_t end = clock_now().mono_ms + DEADLINE_MS;

	while (sp_caller_descriptors() > most && clock_now().mono_ms < end)
		mailbox_wait(w->loop, 10);
	assert_in_range(sp_caller_descriptors(), 0, most);
}

/* The other side ends the connection, whatever it may send before. */
static void is_ended(int fd)
{
	char some[4096];
	ssize_t n;

	do
		n = recv(fd, some, sizeof some, 0);
	while (n > 0);
	assert_true(n == 0 || errno == ECONNRESET);
	close(fd);
}

/* ---- who leaves ---- */

static const struct {
	const char *bytes;
	size_t len;
	bool listens;  /* to the other's greeting, before it leaves */
	bool is_ended; /* by the other */
} leavers[] = {
	{"", 0, false, false},
	{"", 0, true, false},
	{"\0SP\0", 4, false, false},
	{"\0SP\0", 4, true, false},
	{"\0SP\0\0\x21\0\0", 8, false, false},
	{"\0SP\0\0\x21\0\0", 8, true, false},
	{"\0SP\0\0\x30\0\0", 8, false, false}, /* a REQ */
	{"\0SP\0\0\x30\0\0", 8, true, true},
	{"\0SP\0\0\x20\0\0", 8, true, true}, /* a PUB */
	{"GET / HTTP/1.1\r\n\r\n", 18, true, true},
	{"\0SP\0\0\x21\0\0\1\0\0\0\0\0\0\0\1x", 18, false, false}, /* it sends a message */
	{"\0SP\0\0\x21\0\0\1\0\0\0\0\0\0\0\1x", 18, true, true},
};

static void leave(const char *url, size_t which)
{
	char greeting[8];
	int fd = sp_caller_connect(url);

	sp_caller_send(fd, leavers[which].bytes, leavers[which].len);
	if (leavers[which].listens)
		assert_true(sp_caller_receive(fd, greeting, sizeof greeting));
	if (leavers[which].is_ended)
		is_ended(fd);
	else
		close(fd);
}

static void who_leaves_anywhere_keeps_nobody_out(void **state)
{
	struct nng_world *w = nng_world_new();
	struct sp_listener *stays, *late;

	(void)state;
	nng_world_open(w, NULL);
	stays = sp_listener_open(w->bus);
	sp_listener_beats(stays, 1);
	size_t before = sp_caller_descriptors();
	for (size_t i = 0; i < sizeof leavers / sizeof *leavers; i++) {
		for (int k = 0; k < LEAVERS; k++) {
			leave(w->bus, i);
			if (k % 100 == 50)
				nng_world_publish_new(w, 10, 300);
		}
		sp_listener_events(stays, 100);
		assert_int_equal(stays->gaps, 0);
		assert_int_equal(stays->sequence, w->n);
		late = sp_listener_open(w->bus);
		sp_listener_beats(late, 1);
		nng_world_publish_new(w, 1, 300);
		sp_listener_events(late, 1);
		sp_listener_events(stays, 1);
		sp_listener_close(late);
		await_descriptors(w, before);
	}
	nng_world_await(w, "relay_bus_subscribers_left_total",
			nng_world_figure(w, "relay_bus_subscribers_total") - 1);
	assert_true(nng_world_figure(w, "relay_bus_subscribers") == 1);
	assert_true(nng_world_figure(w, "relay_bus_dropped_messages_total") == 0);
	sp_listener_close(stays);
	nng_world_free(w);
}

/* nng 1.5 keeps such connections, once it has closed them, for good. */
static void who_sends_to_a_busy_bus_is_not_kept(void **state)
{
	static const char bytes[] = "\0SP\0\0\x21\0\0\0\0\0\0\0\0\0\5hello";
	struct nng_world *w = nng_world_new();
	char *tcp = xasprintf("tcp://127.0.0.1:%d", nng_world_port());

	(void)state;
	nng_world_open(w, tcp);
	size_t before = sp_caller_descriptors();
	for (int i = 0; i < 20; i++) {
		int fds[20];

		for (int k = 0; k < 20; k++)
			fds[k] = sp_listener_connect(tcp);
		nng_world_publish_new(w, 500, 300);
		for (int k = 0; k < 20; k++) {
			sp_caller_send(fds[k], bytes + 8, sizeof bytes - 1 - 8);
			close(fds[k]);
		}
	}
	await_descriptors(w, before);
	struct sp_listener *l = sp_listener_open(tcp);
	sp_listener_beats(l, 1);
	sp_listener_close(l);
	nng_world_free(w);
	free(tcp);
}

/* Also while they say nothing a subscriber gets in; and in the end they are ended. */
static void who_does_not_greet_keeps_nobody_out(void **state)
{
	static int fds[HEARERS_NEW + 50];
	struct nng_world *w = nng_world_new();
	char greeting[8];

	(void)state;
	nng_world_open(w, NULL);
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
		fds[i] = sp_caller_connect(w->bus);
		assert_true(sp_caller_receive(fds[i], greeting, sizeof greeting));
		if (i % 2)
			assert_true(sp_caller_send(fds[i], "\0SP", 3));
	}
	struct sp_listener *l = sp_listener_open(w->bus);
	for (size_t i = 0; i < 50; i++)
		is_ended(fds[i]); /* their place was wanted */
	nng_world_publish_new(w, 10, 300);
	sp_listener_events(l, 10);
	for (size_t i = 50; i < sizeof fds / sizeof *fds; i++)
		is_ended(fds[i]);
	nng_world_publish_new(w, 10, 300);
	sp_listener_events(l, 10);
	sp_listener_close(l);
	nng_world_free(w);
}

/* ---- who is slow ---- */

/* One that a socket's buffer cannot hold: the connection of who does not read is stuck in the midst
 * of it. Else it would be a matter of chance whether the last write ended with a message. */
static void publish_long(struct nng_world *w, const struct sp_listener *l)
{
	int buffer;
	socklen_t len = sizeof buffer;

	assert_int_equal(getsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &buffer, &len), 0);
	assert_in_range(buffer, 1, LONG - 1);
	nng_world_publish_new(w, 1, LONG);
}

static void who_stands_still_loses_the_oldest(void **state)
{
	struct nng_world *w = nng_world_new();
	char peer[72];
	size_t n = 30000;

	(void)state;
	nng_world_open(w, NULL);
	struct sp_listener *l = sp_listener_open(w->bus);
	sp_listener_beats(l, 1);
	struct nng_child *child = nng_child_start((const char *const[]){"count", w->bus, NULL});
	nng_child_says(child, "got 0");
	publish_long(w, l);
	nng_world_publish_new(w, 99, 600);
	while (w->n < n) {
		nng_world_publish_new(w, 100, 600);
		if (w->n % NNG_CHILD_HOLDS == 0)
			nng_child_got(child, w->n);
	}
	assert_true(nng_world_figure(w, "relay_bus_dropped_messages_total") > 10000);
	assert_true(nng_world_figure(w, "relay_bus_slow_subscribers_total") == 1);
	/* A full queue, and the long one, which was written in part. */
	assert_true(nng_world_figure(w, "relay_bus_queued_messages_max") == BUFFER + 1);
	const struct transport_figures *f = nng_world_figures(w);
	snprintf(peer, sizeof peer, "process %d", (int)getpid());
	assert_int_equal(f->npeers, 2);
	assert_string_equal(f->peers[0].address, peer);
	assert_int_equal(f->peers[0].queued, BUFFER + 1);
	assert_int_equal(f->peers[1].dropped, 0);
	assert_non_null(strstr(f->trouble, peer));
	slow_listener_catches_up(w, l, 0);
	f = nng_world_figures(w);
	assert_string_equal(f->trouble, "");
	uint64_t dropped = f->peers[0].dropped;
	sp_listener_close(l);
	nng_world_await(w, "relay_bus_subscribers_left_total", 1);
	assert_true(nng_world_figure(w, "relay_bus_dropped_messages_total") == (double)dropped);
	nng_child_free(child);
	nng_world_free(w);
}

/* Messages that no socket's buffer holds, to one who takes them in its time. */
static void long_messages_come_whole(void **state)
{
	struct nng_world *w = nng_world_new();

	(void)state;
	nng_world_open(w, NULL);
	struct sp_listener *one = sp_listener_open(w->bus), *other = sp_listener_open(w->bus);
	nng_world_await(w, "relay_bus_subscribers", 2);
	for (int i = 0; i < 10; i++) {
		nng_world_publish_new(w, 20, 10);
		nng_world_publish_new(w, 2, LONG);
		nng_world_publish_new(w, 20, 2000);
		sp_listener_events(one, 42);
	}
	sp_listener_events(other, 420);
	assert_int_equal(one->gaps + other->gaps, 0);
	assert_int_equal(other->sequence, 420);
	sp_listener_close(one);
	sp_listener_close(other);
	nng_world_free(w);
}

static void the_end_does_not_wait_for_who_stands_still(void **state)
{
	struct nng_world *w = nng_world_new();
	int fds[20];

	(void)state;
	nng_world_open(w, NULL);
	for (int i = 0; i < 20; i++)
		fds[i] = sp_listener_connect(w->bus);
	nng_world_await(w, "relay_bus_subscribers", 20);
	nng_world_publish_new(w, 3000, 1000);
	nng_world_close(w); /* measures itself */
	assert_int_equal(access(w->bus + strlen("ipc://"), F_OK), -1);
	for (int i = 0; i < 20; i++)
		is_ended(fds[i]);
	nng_world_free(w);
}

/* ---- how many, and where ---- */

static void those_of_all_addresses_count_together(void **state)
{
	static int fds[PIPES_MAX];
	struct nng_world *w = nng_world_new();
	char *tcp = xasprintf("tcp://127.0.0.1:%d", nng_world_port());
	struct rlimit files;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_cur / 4 * 3 < 2 * PIPES_MAX + 64)
		skip();
	nng_world_open(w, tcp);
	fds[0] = sp_listener_connect(tcp);
	nng_world_await(w, "relay_bus_subscribers", 1);
	for (int i = 1; i < PIPES_MAX; i++) {
		fds[i] = sp_listener_connect(w->bus);
		if (i % 50 == 0) /* the kernel holds no more before they are accepted */
			nng_world_await(w, "relay_bus_subscribers", i + 1);
	}
	nng_world_await(w, "relay_bus_subscribers", PIPES_MAX);
	is_ended(sp_listener_connect(w->bus));
	nng_world_await(w, "relay_bus_subscribers_refused_total", 1);
	is_ended(sp_listener_connect(tcp));
	nng_world_await(w, "relay_bus_subscribers_refused_total", 2);
	close(fds[1]);
	nng_world_await(w, "relay_bus_subscribers_left_total", 1);
	fds[1] = sp_listener_connect(w->bus);
	nng_world_await(w, "relay_bus_subscribers_total", PIPES_MAX + 1);
	for (int i = 0; i < PIPES_MAX; i++)
		close(fds[i]);
	nng_world_free(w);
	free(tcp);
}

static void a_quarter_of_the_files_stays_free(void **state)
{
	enum { FILES = 160 };
	struct nng_world *w = nng_world_new();
	struct rlimit files, few;
	int taken[FILES], n = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	few = files;
	few.rlim_cur = FILES;
	nng_world_open(w, NULL);
	size_t before = sp_caller_descriptors();
	int silent = sp_caller_connect(w->bus);
	while (sp_caller_descriptors() < before + 2)
		mailbox_wait(w->loop, 10);
	do
		taken[n] = fcntl(0, F_DUPFD_CLOEXEC, 0);
	while (taken[n++] < FILES / 4 * 3 - 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	int refused = sp_caller_connect(w->bus);
	is_ended(refused);
	nng_world_await(w, "relay_bus_subscribers_refused_total", 1);
	assert_true(nng_world_figures(w)->short_of_files);
	assert_non_null(strstr(w->figures.trouble, " 160 files "));
	is_ended(silent); /* who has not greeted makes room for the next */
	struct sp_listener *l = sp_listener_open(w->bus);
	sp_listener_beats(l, 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	sp_listener_close(l);
	while (n > 0)
		close(taken[--n]);
	nng_world_free(w);
}

static void a_file_that_is_left_over_is_replaced(void **state)
{
	struct nng_world *w = nng_world_new(), *other = nng_world_new();
	struct nng_settings settings = {.listen = {(char *[]){w->bus}, 1}, .send_buffer = 16};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const char *path = w->bus + strlen("ipc://");
	struct err err = {0};
	struct stat st;

	(void)state;
	strncpy(at.sun_path, path, sizeof at.sun_path - 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	close(fd); /* as a killed relay leaves it */
	mode_t mask = umask(027);
	nng_world_open(w, NULL);
	umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	other->self = xcalloc(1, transport_nng.size);
	assert_int_equal(transport_nng.open(other->self, &settings, &other->env, &err), -1);
	assert_non_null(strstr(err.msg, w->bus));
	transport_nng.close(other->self);
	struct sp_listener *l = sp_listener_open(w->bus); /* it is still there */
	sp_listener_beats(l, 1);
	sp_listener_close(l);
	nng_world_close(w);
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	assert_int_equal(transport_nng.open(other->self, &settings, &other->env, &err), -1);
	assert_int_equal(unlink(path), 0); /* no socket: it was left alone */
	transport_nng.close(other->self);
	nng_world_free(other);
	nng_world_free(w);
	hearers_close(NULL, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_leaves_anywhere_keeps_nobody_out),
		cmocka_unit_test(who_sends_to_a_busy_bus_is_not_kept),
		cmocka_unit_test(who_does_not_greet_keeps_nobody_out),
		cmocka_unit_test(who_stands_still_loses_the_oldest),
		cmocka_unit_test(long_messages_come_whole),
		cmocka_unit_test(the_end_does_not_wait_for_who_stands_still),
		cmocka_unit_test(those_of_all_addresses_count_together),
		cmocka_unit_test(a_quarter_of_the_files_stays_free),
		cmocka_unit_test(a_file_that_is_left_over_is_replaced),
	};

	nng_child_main(argc, argv);
	return cmocka_run_group_tests_name("nng_hearers", tests, NULL, NULL);
}
