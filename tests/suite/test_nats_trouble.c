/* nats with a real server that is away, killed, stopped or of another mind: nothing is lost, no
 * event is in the stream twice, and each reason is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/socket.h>

#include "relay/base/mem.h"
#include "tests/suite/nats_far.h"
#include "tests/suite/nats_rig.h"

#define LOAD   2000
#define WINDOW 64

static struct nats_far *far_with_stream(const char *extra)
{
	struct nats_far *f = nats_far_new();

	nats_far_start(f, extra);
	nats_far_stream(f, "RELAY", "relay.>", 0);
	return f;
}

static char *config_of(const struct nats_far *f, const char *more)
{
	return xasprintf("servers: \"%s\"\n%s", f->url, more);
}

static struct nats_rig *rig_to(const struct nats_far *f, const char *more, size_t max)
{
	struct nats_rig *r = nats_rig_new(max);

	nats_rig_open(r, config_of(f, more));
	return r;
}

static void expect(const struct sent *s, enum verdict verdict, bool no_connection, const char *why)
{
	if (s->outcome.verdict != verdict || s->outcome.no_connection != no_connection ||
	    !strstr(s->why, why))
		fail_msg("verdict %d, no_connection %d: %s; expected %d, %d: %s",
			 (int)s->outcome.verdict, s->outcome.no_connection, s->why, (int)verdict,
			 no_connection, why);
}

/* ---- what a message is ---- */

static void a_message_is_a_cloudevent_and_kept_once(void **state)
{
	struct nats_far *f = far_with_stream(NULL);
	struct nats_rig *r = rig_to(f, "stream: RELAY", 1);
	const char *value;

	(void)state;
	expect(nats_rig_one(r, 10), SENT, false, "");
	expect(nats_rig_repeat(r, 0), SENT, false, ""); /* the stream had it */
	nats_rig_close(r);
	nats_rig_open(r, config_of(f, ""));
	expect(nats_rig_repeat(r, 0), SENT, false, "");
	assert_int_equal(nats_far_count(f, "RELAY", 1), 1);
	natsMsg *msg = nats_far_message(f, "RELAY", 1);
	assert_string_equal(natsMsg_GetSubject(msg), NATS_RIG_SUBJECT);
	assert_int_equal(natsMsgHeader_Get(msg, "Nats-Msg-Id", &value), NATS_OK);
	assert_string_equal(value, r->v[0].event.id);
	assert_int_equal(natsMsgHeader_Get(msg, "content-type", &value), NATS_OK);
	assert_string_equal(value, "application/cloudevents+json");
	nats_rig_free(r);
	nats_far_free(f);
}

/* ---- what a server refuses ---- */

static void without_a_stream_it_is_tried_again(void **state)
{
	struct nats_far *f = nats_far_new();
	struct nats_rig *r;

	(void)state;
	nats_far_start(f, NULL);
	r = rig_to(f, "timeout: 600ms", 3);
	expect(nats_rig_one(r, 0), TRY_AGAIN, true,
	       "no stream takes the subject " NATS_RIG_SUBJECT);
	nats_far_stream(f, "RELAY", "relay.>", 0);
	expect(nats_rig_repeat(r, 0), SENT, false, "");
	nats_rig_close(r);
	nats_rig_open(r, config_of(f, "timeout: 10s"));
	nats_far_no_stream(f, "RELAY"); /* for a moment: it is waited for, and order is kept */
	nats_rig_send(r, 0);
	nats_rig_run(r, 100);
	nats_rig_send(r, 0);
	nats_rig_run(r, 100);
	nats_far_stream(f, "RELAY", "relay.>", 0);
	nats_rig_wait(r, 4);
	expect(&r->v[1], SENT, false, "");
	expect(&r->v[2], SENT, false, "");
	assert_int_equal(nats_far_count(f, "RELAY", 2), 2);
	nats_rig_free(r);
	nats_far_free(f);
}

static void another_stream_than_the_expected_is_refused(void **state)
{
	struct nats_far *f = far_with_stream(NULL);
	struct nats_rig *r = rig_to(f, "stream: OTHER", 1);

	(void)state;
	expect(nats_rig_one(r, 0), REFUSED, false, "expected stream does not match (10060)");
	nats_rig_free(r);
	nats_far_free(f);
}

static void what_is_too_large_is_refused_and_the_rest_goes_on(void **state)
{
	struct nats_far *f = nats_far_new();
	struct nats_rig *r;

	(void)state;
	nats_far_start(f, "max_payload: 8192");
	nats_far_stream(f, "RELAY", "relay.>", 4096);
	r = rig_to(f, "", 3);
	expect(nats_rig_one(r, 5000), REFUSED, false, "message size exceeds maximum");
	expect(nats_rig_one(r, 9000), REFUSED, false, "greater than maximum allowed: 8192");
	expect(nats_rig_one(r, 2000), SENT, false, "");
	nats_rig_free(r);
	nats_far_free(f);
}

static void what_is_not_permitted_is_told(void **state)
{
	struct nats_far *f = far_with_stream(NULL);
	struct nats_rig *r;

	(void)state;
	nats_far_kill(f, SIGTERM);
	nats_far_start(f, "authorization { users = [ { user: u, password: p, permissions: {"
			  "publish: { deny: \"relay.>\" } } } ] }");
	r = rig_to(f, "user: u\npassword: p\ntimeout: 300ms", 1);
	expect(nats_rig_one(r, 0), TRY_AGAIN, true,
	       "no acknowledgement within 300 ms; the server said: Permissions Violation for "
	       "Publish to");
	nats_rig_free(r);
	nats_far_free(f);
}

/* ---- a server that is away ---- */

static void a_server_that_comes_up_later_gets_what_waited(void **state)
{
	struct nats_far *f = far_with_stream(NULL);
	struct nats_rig *r;

	(void)state;
	nats_far_kill(f, SIGTERM);
	r = rig_to(f, "", 1);
	expect(nats_rig_one(r, 0), TRY_AGAIN, true, "127.0.0.1:");
	nats_far_start(f, NULL);
	while (nats_rig_repeat(r, 0)->outcome.verdict != SENT)
		expect(&r->v[0], TRY_AGAIN, true, "127.0.0.1:");
	assert_int_equal(nats_far_count(f, "RELAY", 1), 1);
	nats_rig_free(r);
	nats_far_free(f);
}

/* The whole load, at most WINDOW at a time, each as often as it takes. `half`: run at half of it.
 */
static void carry(struct nats_rig *r, void (*half)(void *), void *arg)
{
	int64_t end = clock_now().mono_ms + 30000;
	size_t seen = 0;

	while (r->accepted < LOAD) {
		if (half && r->accepted >= LOAD / 2) {
			half(arg);
			half = NULL;
		}
		for (size_t i = seen; i < r->n; i++)
			if (r->v[i].answers == r->v[i].attempts && r->v[i].outcome.verdict != SENT)
				nats_rig_again(r, i);
		while (seen < r->n && r->v[seen].outcome.verdict == SENT && r->v[seen].answers)
			seen++;
		while (r->n < LOAD && r->n - r->accepted < WINDOW)
			nats_rig_send(r, r->n % 300);
		nats_rig_run(r, 20);
		if (clock_now().mono_ms > end)
			fail_msg("%zu of %d accepted", r->accepted, LOAD);
	}
	assert_null(half);
}

/* The stream holds each event, and each once. */
static void expect_all_once(struct nats_far *f, const struct nats_rig *r)
{
	bool *seen = xcalloc(r->n, sizeof *seen);

	assert_int_equal(nats_far_count(f, "RELAY", r->n), r->n);
	for (size_t i = 1; i <= r->n; i++) {
		natsMsg *msg = nats_far_message(f, "RELAY", i);
		const char *id = NULL;
		assert_int_equal(natsMsgHeader_Get(msg, "Nats-Msg-Id", &id), NATS_OK);
		size_t at = strtoul(id + 4, NULL, 16);
		assert_true(at < r->n && !seen[at]);
		seen[at] = true;
		assert_int_equal(natsMsg_GetDataLength(msg), r->v[at].event.len);
		assert_memory_equal(natsMsg_GetData(msg), r->v[at].event.body, r->v[at].event.len);
	}
	free(seen);
}

static void kill_and_start(void *arg)
{
	nats_far_kill(arg, SIGKILL);
	nats_far_start(arg, NULL);
}

static void killed_under_load_nothing_is_lost_or_doubled(void **state)
{
	struct nats_far *f = far_with_stream(NULL);
	struct nats_rig *r = rig_to(f, "", LOAD);

	(void)state;
	carry(r, kill_and_start, f);
	expect_all_once(f, r);
	nats_rig_free(r);
	nats_far_free(f);
}

struct pause {
	struct nats_far *far;
	struct nats_rig *rig;
	size_t late;
};

/* Until it is told of the first that its time is over. */
static void stop_for_a_while(void *arg)
{
	struct pause *p = arg;

	nats_far_stop(p->far);
	nats_rig_send(p->rig, 10);
	while (!strstr(p->rig->v[p->rig->n - 1].why, "no acknowledgement within 500 ms"))
		nats_rig_run(p->rig, 20);
	for (size_t i = 0; i < p->rig->n; i++)
		p->late += p->rig->v[i].outcome.verdict == TRY_AGAIN;
	kill(p->far->pid, SIGCONT);
}

static void stopped_under_load_nothing_is_lost_or_doubled(void **state)
{
	struct pause p = {.far = far_with_stream(NULL)};

	(void)state;
	p.rig = rig_to(p.far, "timeout: 500ms", LOAD);
	carry(p.rig, stop_for_a_while, &p);
	assert_true(p.late > 0);
	expect_all_once(p.far, p.rig);
	nats_rig_free(p.rig);
	nats_far_free(p.far);
}

/* The second server is of another cluster: what is published there is not in the first's stream. */
static void when_one_server_dies_the_next_gets_what_was_not_acknowledged(void **state)
{
	struct nats_far *f[2] = {far_with_stream(NULL), far_with_stream(NULL)};
	struct nats_rig *r = nats_rig_new(60);

	(void)state;
	nats_rig_open(r,
		      xasprintf("servers: [\"%s\", \"%s\"]\ntimeout: 10s", f[0]->url, f[1]->url));
	expect(nats_rig_one(r, 0), SENT, false, "");
	size_t first = nats_far_count(f[0], "RELAY", 0) ? 0 : 1;
	nats_far_stop(f[first]);
	while (r->n < 60)
		nats_rig_send(r, 0);
	nats_rig_run(r, 100);
	nats_far_kill(f[first], SIGKILL);
	nats_rig_wait(r, 60);
	for (size_t i = 0; i < 60; i++)
		expect(&r->v[i], SENT, false, "");
	assert_int_equal(nats_far_count(f[!first], "RELAY", 59), 59);
	for (size_t i = 1; i < 60; i++) { /* and in the order in which they were sent */
		const char *id = NULL;
		natsMsg *msg = nats_far_message(f[!first], "RELAY", i);
		assert_int_equal(natsMsgHeader_Get(msg, "Nats-Msg-Id", &id), NATS_OK);
		assert_string_equal(id, r->v[i].event.id);
	}
	nats_rig_free(r);
	nats_far_free(f[0]);
	nats_far_free(f[1]);
}

/* ---- what is no server ---- */

static void relays_own_address_is_no_server(void **state)
{
	struct sockaddr_storage own = {0};
	struct sockaddr_in *at = (void *)&own;
	struct nats_rig *r = nats_rig_new(1);
	struct err err = {0};

	(void)state;
	at->sin_family = AF_INET;
	at->sin_port = htons(4222);
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r->env.own = &own;
	r->env.nown = 1;
	assert_false(nats_rig_try(r, xasprintf("servers: nats://localhost"), &err));
	assert_non_null(strstr(err.msg, "localhost:4222: this address is not allowed"));
	nats_rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_a_cloudevent_and_kept_once),
		cmocka_unit_test(without_a_stream_it_is_tried_again),
		cmocka_unit_test(another_stream_than_the_expected_is_refused),
		cmocka_unit_test(what_is_too_large_is_refused_and_the_rest_goes_on),
		cmocka_unit_test(what_is_not_permitted_is_told),
		cmocka_unit_test(a_server_that_comes_up_later_gets_what_waited),
		cmocka_unit_test(killed_under_load_nothing_is_lost_or_doubled),
		cmocka_unit_test(stopped_under_load_nothing_is_lost_or_doubled),
		cmocka_unit_test(when_one_server_dies_the_next_gets_what_was_not_acknowledged),
		cmocka_unit_test(relays_own_address_is_no_server),
	};

	return cmocka_run_group_tests_name("nats in trouble", tests, NULL, NULL);
}
