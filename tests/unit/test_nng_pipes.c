/* Who is connected to the bus and what it has lost, against a subscriber on a plain socket that
 * reads when the test says so, and loses nothing on its own side; what a burst costs others; the
 * most that are let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/suite/nng_child.h"
#include "tests/suite/nng_world.h"
#include "tests/suite/sp_listener.h"
#include "transports/nng_pipes.h"

#define TOPIC	    "recipient.sent.twilio.b1"
#define BUFFER	    8192
#define DEADLINE_MS 20000

/* ---- what the transport tells ---- */

static double figure(const struct transport_figures *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->v[i].name, name))
			return f->v[i].value;
	fail_msg("there is no %s", name);
	return 0;
}

static struct transport_figures *figures(const struct nng_world *w)
{
	static struct transport_figures f;

	f = (struct transport_figures){0};
	transport_nng.figures(w->self, &f);
	return &f;
}

static void await_figure(const struct nng_world *w, const char *name, double least)
{
	int64_t end = clock_now().mono_ms + DEADLINE_MS;

	while (figure(figures(w), name) < least) {
		if (clock_now().mono_ms > end)
			fail_msg("%s is %.0f", name, figure(figures(w), name));
		mailbox_wait(w->loop, 10);
		mailbox_run(w->loop);
	}
}

/* Returns its address, yours. */
static char *open_on_tcp(struct nng_world *w)
{
	char *url = xasprintf("tcp://127.0.0.1:%d", nng_world_port());

	nng_world_open(w, url);
	return url;
}

static void commit_many(struct nng_world *w, size_t n, size_t padding)
{
	for (size_t i = 0; i < n; i++)
		nng_world_commit(w, TOPIC, padding);
}

/* ---- tests ---- */

static void who_does_not_read_is_told_of(void **state)
{
	struct nng_world *w = nng_world_new();
	struct sp_listener *p;
	size_t n = 40000;

	(void)state;
	commit_many(w, n, 600);
	char *url = open_on_tcp(w);
	p = sp_listener_open(url);
	await_figure(w, "relay_bus_subscribers", 1);
	assert_string_equal(figures(w)->trouble, "");
	nng_world_publish_all(w, 1, (int64_t)n);
	await_figure(w, "relay_bus_dropped_messages_total", 1000);
	struct transport_figures *f = figures(w);
	assert_int_equal(f->npeers, 1);
	assert_true(f->peers[0].queued >= BUFFER && f->peers[0].queued <= BUFFER + 1);
	assert_int_equal(strncmp(f->peers[0].address, "127.0.0.1:", 10), 0);
	assert_non_null(strstr(f->trouble, f->peers[0].address));
	assert_true(figure(f, "relay_bus_queued_messages_max") == (double)f->peers[0].queued);
	assert_true(figure(f, "relay_bus_slow_subscribers_total") == 1);
	assert_true(figure(f, "relay_bus_waited_seconds_total") < 1);
	sp_listener_beats(p, 1);
	sp_listener_beats(p, 3); /* now a look has found the queue empty */
	f = figures(w);
	assert_int_equal(f->peers[0].dropped, n - p->events);
	assert_int_equal(f->peers[0].queued, 0);
	assert_string_equal(f->trouble, "");
	sp_listener_close(p);
	await_figure(w, "relay_bus_subscribers_left_total", 1);
	f = figures(w);
	assert_int_equal(f->npeers, 0);
	assert_true(figure(f, "relay_bus_subscribers") == 0);
	assert_true(figure(f, "relay_bus_subscribers_total") == 1);
	assert_true(figure(f, "relay_bus_dropped_messages_total") >= 1000); /* it stays counted */
	assert_true(figure(f, "relay_bus_published_messages_total") == (double)n);
	nng_world_free(w);
	free(url);
}

static void a_burst_costs_only_who_stands_still(void **state)
{
	struct nng_world *w = nng_world_new();
	struct nng_child *child[4];
	size_t n = 50000;

	(void)state;
	commit_many(w, n, 300);
	char *url = open_on_tcp(w);
	for (int i = 0; i < 4; i++) {
		child[i] = nng_child_start((const char *const[]){"count", url, NULL});
		nng_child_says(child[i], "got 0");
	}
	nng_child_kill(child[3], SIGSTOP);
	nng_world_publish_all(w, 1, (int64_t)n);
	for (int i = 0; i < 3; i++)
		nng_child_got(child[i], n);
	struct transport_figures *f = figures(w);
	assert_int_equal(f->npeers, 4);
	assert_true(f->peers[0].dropped > 10000);
	assert_int_equal(f->peers[1].dropped, 0);
	nng_child_kill(child[3], SIGCONT);
	for (int i = 0; i < 4; i++)
		nng_child_free(child[i]);
	nng_world_free(w);
	free(url);
}

/* nng keeps no count of what leaves over such a connection, and nothing is made up. */
static void of_who_is_not_counted_nothing_is_told(void **state)
{
	struct nng_world *w = nng_world_new();
	int port = nng_world_port();
	char *url = xasprintf("ws://127.0.0.1:%d/bus", port);
	struct nng_child *child;
	size_t n = 20000;

	(void)state;
	commit_many(w, n, 300);
	nng_world_open(w, url);
	child = nng_child_start((const char *const[]){"count", url, NULL});
	nng_child_says(child, "got 0");
	nng_world_publish_all(w, 1, (int64_t)n);
	await_figure(w, "relay_bus_published_messages_total", (double)n);
	nng_child_says(child, "got");
	struct transport_figures *f = figures(w);
	assert_int_equal(f->npeers, 1);
	assert_int_equal(f->peers[0].queued + f->peers[0].dropped, 0);
	assert_true(figure(f, "relay_bus_dropped_messages_total") == 0);
	nng_child_free(child);
	nng_world_free(w);
	free(url);
}

static void one_too_many_is_closed(void **state)
{
	struct nng_world *w = nng_world_new();
	struct rlimit files;
	static int fds[PIPES_MAX + 1];
	char byte[9];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_cur < 2 * PIPES_MAX + 64)
		skip();
	char *url = open_on_tcp(w);
	for (int i = 0; i < PIPES_MAX; i++)
		fds[i] = sp_listener_connect(url);
	await_figure(w, "relay_bus_subscribers", PIPES_MAX);
	fds[PIPES_MAX] = sp_listener_connect(url);
	ssize_t got = recv(fds[PIPES_MAX], byte, sizeof byte, MSG_WAITALL);
	assert_true(got <= 8); /* a greeting at most, then the end */
	await_figure(w, "relay_bus_subscribers_refused_total", 1);
	struct transport_figures *f = figures(w);
	assert_int_equal(f->npeers, TRANSPORT_PEERS);
	assert_int_equal(f->peers_left_out, PIPES_MAX - TRANSPORT_PEERS);
	assert_true(figure(f, "relay_bus_subscribers") == PIPES_MAX);
	close(fds[0]);
	await_figure(w, "relay_bus_subscribers_left_total", 1);
	close(fds[PIPES_MAX]);
	fds[0] = sp_listener_connect(url);
	await_figure(w, "relay_bus_subscribers_total", PIPES_MAX + 1);
	for (int i = 0; i < PIPES_MAX; i++)
		close(fds[i]);
	nng_world_free(w);
	free(url);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_does_not_read_is_told_of),
		cmocka_unit_test(a_burst_costs_only_who_stands_still),
		cmocka_unit_test(of_who_is_not_counted_nothing_is_told),
		cmocka_unit_test(one_too_many_is_closed),
	};

	nng_child_main(argc, argv);
	return cmocka_run_group_tests_name("nng_pipes", tests, NULL, NULL);
}
