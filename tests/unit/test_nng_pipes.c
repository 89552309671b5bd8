/* nng_pipes: the table alone, with queues that the test makes up; then that of a bus, against
 * subscribers on plain sockets that read when the test says so and lose nothing on their own side,
 * and against nng's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/supplemental/util/platform.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/suite/nng_world.h"
#include "tests/suite/sp_listener.h"
#include "transports/nng_flow.h"
#include "transports/nng_hearer.h"
#include "transports/nng_pipes.h"

#define TOPIC	    "recipient.sent.twilio.b1"
#define BUFFER	    8192
#define DEADLINE_MS 20000
#define READERS	    3

/* ---- the table alone ---- */

static void count_made_up(const void *connection, struct queue_counts *ret)
{
	*ret = *(const struct queue_counts *)connection;
}

static struct pipes_totals tell(struct pipes *p, struct transport_figures *ret)
{
	struct pipes_totals t;

	*ret = (struct transport_figures){0};
	pipes_tell(p, &t, ret);
	return t;
}

static void the_fullest_that_takes_any_is_waited_for(void **state)
{
	struct pipes *p = pipes_new(1000);
	struct queue_counts one = {0}, other = {0};

	(void)state;
	assert_true(pipes_room(p, false) >= 1000); /* nobody is there */
	pipes_enter(p, "one", count_made_up, &one);
	pipes_enter(p, "other", count_made_up, &other);
	assert_int_equal(pipes_room(p, false), 500);
	one = (struct queue_counts){.offered = 900, .left = 200, .dropped = 100};
	assert_int_equal(pipes_room(p, false), 200); /* it holds 600 */
	one.offered = 1200;
	other = (struct queue_counts){.offered = 1200, .left = 1100};
	assert_int_equal(pipes_room(p, false), 0);
	nng_msleep(FLOW_STUCK_US / 1000 + 1);
	other.left = 1200;
	assert_int_equal(pipes_room(p, true), 500); /* `one` has taken nothing meanwhile */
	pipes_leave(p, &one);
	pipes_leave(p, &other);
	assert_true(pipes_room(p, false) >= 1000);
	pipes_free(p);
}

static void who_loses_is_named_until_it_has_caught_up(void **state)
{
	struct pipes *p = pipes_new(1000);
	struct queue_counts one = {0}, other = {0};
	struct transport_figures f;

	(void)state;
	pipes_enter(p, "one", count_made_up, &one);
	pipes_enter(p, "other", count_made_up, &other);
	assert_int_equal(tell(p, &f).slow, 0);
	assert_string_equal(f.trouble, "");
	other = (struct queue_counts){.offered = 1500, .left = 200, .dropped = 300};
	one = (struct queue_counts){.offered = 1500, .left = 1499};
	struct pipes_totals t = tell(p, &f); /* without a look */
	assert_int_equal(t.queued, 1001);
	assert_int_equal(t.queued_max, 1000);
	assert_int_equal(t.dropped, 300);
	assert_int_equal(t.slow, 1);
	assert_string_equal(f.peers[0].address, "other");
	assert_int_equal(f.peers[0].sent, 200);
	assert_string_equal(f.trouble, "subscriber other is too slow; it has lost 300 messages and "
				       "can fetch them");
	other = (struct queue_counts){.offered = 1600, .left = 1200, .dropped = 400};
	pipes_settle(p, false);
	other.left = 1199; /* it has caught up, but that is said with a heartbeat */
	pipes_room(p, false);
	assert_int_equal(tell(p, &f).slow, 1);
	assert_string_equal(f.trouble, "");
	other = (struct queue_counts){.offered = 3000, .left = 1200, .dropped = 800};
	pipes_leave(p, &other);
	t = tell(p, &f);
	assert_int_equal(t.slow, 2);
	assert_int_equal(t.dropped, 800);
	assert_int_equal(t.queued, 1);
	assert_int_equal(t.now, 1);
	assert_int_equal(t.left, 1);
	assert_string_equal(f.trouble, "");
	pipes_free(p);
}

/* ---- a bus ---- */

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

static const struct transport_peer *peer_of(const struct transport_figures *f,
					    const struct sp_listener *l)
{
	char address[sizeof f->peers->address];

	sp_listener_address(l, address, sizeof address);
	for (size_t i = 0; i < f->npeers; i++)
		if (!strcmp(f->peers[i].address, address))
			return &f->peers[i];
	fail_msg("%s is not told of", address);
	return NULL;
}

/* Of events 1 to n, all of which were published since it read the first heartbeat. */
static size_t lost(const struct sp_listener *l, size_t n)
{
	return n - l->events + l->lost_beats;
}

/* Nothing is unaccounted for, and at most a heartbeat is under way. */
static void is_whole(struct nng_world *w, const struct sp_listener *l, int64_t first_beat)
{
	size_t beats = (size_t)nng_world_figure(w, "relay_bus_heartbeats_total");
	const struct transport_peer *peer = peer_of(&w->figures, l);
	size_t offered = w->n + beats - (size_t)first_beat + 1;

	assert_in_range(peer->sent + peer->queued + peer->dropped, offered, offered + 1);
}

static void who_does_not_read_is_told_of(void **state)
{
	struct nng_world *w = nng_world_new();
	struct sp_listener *l;
	size_t n = 40000;

	(void)state;
	commit_many(w, n, 600);
	char *url = open_on_tcp(w);
	l = sp_listener_open(url);
	sp_listener_beats(l, 1);
	int64_t first_beat = l->beat;
	assert_string_equal(nng_world_figures(w)->trouble, "");
	nng_world_publish_all(w, 1, (int64_t)n);
	const struct transport_figures *f = nng_world_figures(w);
	const struct transport_peer *peer = peer_of(f, l);
	assert_int_equal(f->npeers, 1);
	assert_in_range(peer->queued, 1, BUFFER + HEARER_BATCH);
	assert_true(peer->dropped > 1000);
	assert_non_null(strstr(f->trouble, peer->address));
	assert_true(nng_world_figure(w, "relay_bus_slow_subscribers_total") == 1);
	is_whole(w, l, first_beat);
	while (l->sequence < (int64_t)n)
		sp_listener_events(l, 1);
	for (int i = 0; i < 20 && *nng_world_figures(w)->trouble; i++)
		sp_listener_beats(l, 1); /* until one is sent when the queue is empty */
	is_whole(w, l, first_beat);
	f = nng_world_figures(w);
	size_t dropped = peer_of(f, l)->dropped;
	assert_int_equal(dropped, lost(l, n));
	assert_string_equal(f->trouble, "");
	sp_listener_close(l);
	nng_world_await(w, "relay_bus_subscribers_left_total", 1);
	assert_int_equal(nng_world_figures(w)->npeers, 0);
	assert_true(nng_world_figure(w, "relay_bus_subscribers") == 0);
	assert_true(nng_world_figure(w, "relay_bus_subscribers_total") == 1);
	assert_true(nng_world_figure(w, "relay_bus_dropped_messages_total") == (double)dropped);
	assert_true(nng_world_figure(w, "relay_bus_published_messages_total") == (double)n);
	nng_world_free(w);
	free(url);
}

/* Who reads loses nothing that is not counted: on a busy machine it may have to wait for longer
 * than the bus waits for it. */
static void in_a_burst_every_loss_is_counted(void **state)
{
	struct nng_world *w = nng_world_new();
	struct sp_listener *reader[READERS], *still;
	size_t n = 50000;

	(void)state;
	commit_many(w, n, 300);
	char *url = open_on_tcp(w);
	still = sp_listener_open(url);
	for (int i = 0; i < READERS; i++)
		reader[i] = sp_listener_open(url);
	for (int i = 0; i < READERS; i++)
		sp_listener_beats(reader[i], 1);
	nng_world_give(w, 1, (int64_t)n);
	for (bool all = false; !all;) {
		all = true;
		for (int i = 0; i < READERS; i++)
			if (reader[i]->sequence < (int64_t)n) {
				sp_listener_events(reader[i], 1);
				all = false;
			}
	}
	const struct transport_figures *f = nng_world_figures(w);
	assert_int_equal(f->npeers, READERS + 1);
	assert_true(peer_of(f, still)->dropped > 10000);
	for (int i = 0; i < READERS; i++) {
		assert_int_equal(peer_of(f, reader[i])->dropped, lost(reader[i], n));
		sp_listener_close(reader[i]);
	}
	sp_listener_close(still);
	nng_world_free(w);
	free(url);
}

/* ---- nng's own ---- */

/* Until a heartbeat has come with a higher number than that. */
static void await_beat(nng_socket socket, double after)
{
	double beat = 0;
	nng_msg *msg;

	while (beat <= after) {
		assert_int_equal(nng_recvmsg(socket, &msg, 0), 0);
		char *text = xstrndup(nng_msg_body(msg), nng_msg_len(msg));
		const char *number = strstr(text, "\"beat\":");
		assert_non_null(number);
		beat = strtod(number + strlen("\"beat\":"), NULL);
		free(text);
		nng_msg_free(msg);
	}
}

/* In this process, and left open: nng 1.5 may hang when it is closed. */
static nng_socket listen_by_nng(const char *url)
{
	static const char topic[] = "relay.heartbeat ";
	nng_socket socket;

	assert_int_equal(nng_sub0_open(&socket), 0);
	assert_int_equal(nng_socket_set(socket, NNG_OPT_SUB_SUBSCRIBE, topic, strlen(topic)), 0);
	assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, DEADLINE_MS), 0);
	assert_int_equal(nng_dial(socket, url, NULL, 0), 0);
	await_beat(socket, 0);
	return socket;
}

static void of_nngs_only_their_presence_is_told(void **state)
{
	char *ws = xasprintf("ws://127.0.0.1:%d/bus", nng_world_port());
	const struct {
		const char *url, *address;
	} cases[] = {{ws, "127.0.0.1:"}, {"inproc://test_nng_pipes", "inproc"}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nng_world *w = nng_world_new();

		nng_world_open(w, cases[i].url);
		int64_t now_ms = clock_now().wall_ms;
		nng_socket socket = listen_by_nng(cases[i].url);
		nng_world_publish_new(w, 20000, 300);
		const struct transport_figures *f = nng_world_figures(w);
		assert_int_equal(f->npeers, 1);
		const struct transport_peer *peer = &f->peers[0];
		assert_int_equal(strncmp(peer->address, cases[i].address, strlen(cases[i].address)),
				 0);
		assert_true(peer->since_ms >= now_ms);
		assert_int_equal(peer->sent + peer->queued + peer->dropped, 0);
		assert_string_equal(f->trouble, "");
		assert_true(nng_world_figure(w, "relay_bus_subscribers") == 1);
		assert_true(nng_world_figure(w, "relay_bus_waited_seconds_total") == 0);
		/* nng 1.5 loses the memory of what is on its way when the other side closes. */
		await_beat(socket, nng_world_figure(w, "relay_bus_heartbeats_total"));
		nng_world_free(w);
	}
	free(ws);
}

/* ---- too many ---- */

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
	nng_world_await(w, "relay_bus_subscribers", PIPES_MAX);
	fds[PIPES_MAX] = sp_listener_connect(url);
	ssize_t got = recv(fds[PIPES_MAX], byte, sizeof byte, MSG_WAITALL);
	assert_true(got <= 8); /* a greeting at most, then the end */
	nng_world_await(w, "relay_bus_subscribers_refused_total", 1);
	const struct transport_figures *f = nng_world_figures(w);
	assert_int_equal(f->npeers, TRANSPORT_PEERS);
	assert_int_equal(f->peers_left_out, PIPES_MAX - TRANSPORT_PEERS);
	assert_true(nng_world_figure(w, "relay_bus_subscribers") == PIPES_MAX);
	close(fds[0]);
	nng_world_await(w, "relay_bus_subscribers_left_total", 1);
	close(fds[PIPES_MAX]);
	fds[0] = sp_listener_connect(url);
	nng_world_await(w, "relay_bus_subscribers_total", PIPES_MAX + 1);
	for (int i = 0; i < PIPES_MAX; i++)
		close(fds[i]);
	nng_world_free(w);
	free(url);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fullest_that_takes_any_is_waited_for),
		cmocka_unit_test(who_loses_is_named_until_it_has_caught_up),
		cmocka_unit_test(who_does_not_read_is_told_of),
		cmocka_unit_test(in_a_burst_every_loss_is_counted),
		cmocka_unit_test(of_nngs_only_their_presence_is_told),
		cmocka_unit_test(one_too_many_is_closed),
	};

	return cmocka_run_group_tests_name("nng_pipes", tests, NULL, NULL);
}
