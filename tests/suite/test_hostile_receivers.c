/* http against receivers that break, lie and flood: what each is taken for, that a flood is cut and
 * takes no memory, and that the next call, to the same host and over the same wire, is itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "tests/suite/hostile_receiver.h"
#include "tests/suite/http_call_rig.h"

#define SECRET	   "tok-secret-123"
#define GROWTH_MAX (32L << 20) /* bytes of memory while a flood lasts */
#define SENT_MAX   (16U << 20) /* and of the flood; most of it lies in the kernel's buffers */

/* One of a time: what the server's threads play. */
static const struct script *_Atomic script;
static _Atomic size_t sent;
static atomic_uint played, trapped;

static bool answer(const struct raw_request *rq)
{
	bool more = true;

	if (strcmp(rq->path, "/trap") == 0)
		atomic_fetch_add(&trapped, 1);
	if (strcmp(rq->path, "/hostile") == 0) {
		more = hostile_play(atomic_load(&script), rq->fd, &sent);
		atomic_fetch_add(&played, 1);
		return more;
	}
	return raw_send_text(rq->fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
}

struct scene {
	struct raw_server *server;
	struct http_call_rig call;
};

static void go_to(struct scene *s, const char *path, const char *timeout)
{
	char *more = xasprintf(", bearer: " SECRET ", timeout: %s", timeout ? timeout : "5s");

	free(s->call.url);
	s->call.url = xasprintf("http://127.0.0.1:%d%s", raw_server_port(s->server), path);
	http_call_reopen(&s->call, more);
	free(more);
}

static int scene_open(void **state)
{
	struct scene *s = xcalloc(1, sizeof *s);
	char url[64];

	s->server = raw_server_open(answer);
	snprintf(url, sizeof url, "http://127.0.0.1:%d/good", raw_server_port(s->server));
	http_call_open(&s->call, url, "");
	http_call_event(&s->call, "{\"state\":\"failed\"}");
	atomic_store(&trapped, 0);
	*state = s;
	return 0;
}

static int scene_close(void **state)
{
	struct scene *s = *state;

	http_call_end(&s->call);
	raw_server_close(s->server);
	free(s);
	return 0;
}

/* One line of a thousand clean bytes, and nothing of ours in it. */
static void expect_presentable(const char *name, const char *why)
{
	if (strlen(why) > 1024 || !utf8_valid(why, strlen(why)) || strstr(why, SECRET))
		fail_msg("%s: says %s", name, why);
	for (const char *p = why; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			fail_msg("%s: says 0x%02x", name, (unsigned char)*p);
	if (strstr(why, "\u202e") || strstr(why, "\u2028") || strstr(why, "\xc2\x85") ||
	    strstr(why, "\xc2\x9b"))
		fail_msg("%s: says a character that is not seen", name);
}

static void expect_outcome(const struct script *c, const struct http_call_rig *call)
{
	const struct outcome *o = &call->outcome;
	int64_t wait_ms = c->wait_ms == WAIT_NOW ? 0 : c->wait_ms ? c->wait_ms : -1;
	const char *why = c->why ? c->why : "";

	if (o->verdict != c->verdict || o->wait_ms != wait_ms || o->throttled != c->throttled ||
	    o->disable != c->disable)
		fail_msg("%s: verdict %d, wait %lld, throttled %d, disable %d: %s", c->name,
			 o->verdict, (long long)o->wait_ms, o->throttled, o->disable, call->why);
	if (c->why ? strncmp(call->why, why, strlen(why)) != 0 : call->why[0] != '\0')
		fail_msg("%s: says \"%s\", not \"%s\"", c->name, call->why, why);
	if (o->no_connection != (strncmp(call->why, "no answer", 9) == 0))
		fail_msg("%s: no_connection is %d: %s", c->name, o->no_connection, call->why);
	expect_presentable(c->name, call->why);
}

static void wait_played(const char *name, unsigned times)
{
	for (int i = 0; i < 10000 && atomic_load(&played) < times; i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	if (atomic_load(&played) < times)
		fail_msg("%s: the server still talks", name);
}

/* What came behind a call's end must not be taken for the next one's answer. */
static void expect_next_call(struct scene *s, const struct script *c)
{
	unsigned before = raw_server_connections(s->server);
	struct raw_request rq;

	go_to(s, "/good", NULL);
	http_call_make(&s->call);
	if (s->call.outcome.verdict != SENT)
		fail_msg("%s: the next call failed: %s", c->name, s->call.why);
	raw_server_last(s->server, &rq);
	assert_string_equal(rq.path, "/good");
	assert_null(strcasestr(rq.head, "\r\ncookie:"));
	if ((raw_server_connections(s->server) == before) != c->kept)
		fail_msg("%s: the connection is %s", c->name, c->kept ? "not kept" : "kept");
}

static void play(struct scene *s, const struct script *c)
{
	unsigned times = atomic_load(&played) + 1;

	atomic_store(&script, c);
	atomic_store(&sent, 0);
	go_to(s, "/hostile", c->timeout);
	http_call_make(&s->call);
	expect_outcome(c, &s->call);
	wait_played(c->name, times);
	expect_next_call(s, c);
}

static void answers_are_judged(void **state)
{
	struct scene *s = *state;

	for (size_t i = 0; i < hostile_nanswers; i++)
		play(s, &hostile_answers[i]);
	assert_int_equal(atomic_load(&trapped), 0);
}

/* Bytes that were resident at most since peak_reset. */
static long peak(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kib = -1;

	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "VmHWM: %ld kB", &kib) == 1)
			break;
	fclose(f);
	assert_true(kib > 0);
	return kib * 1024;
}

static void peak_reset(void)
{
	FILE *f = fopen("/proc/self/clear_refs", "we");

	assert_non_null(f);
	fputs("5", f);
	assert_int_equal(fclose(f), 0);
}

static void floods_are_cut(void **state)
{
	struct scene *s = *state;

	for (size_t i = 0; i < hostile_nfloods; i++) {
		const struct script *c = &hostile_floods[i];
		long before;

		peak_reset();
		before = peak();
		play(s, c);
		if (peak() - before > GROWTH_MAX)
			fail_msg("%s: %ld bytes of memory", c->name, peak() - before);
		if (!c->timeout && atomic_load(&sent) > SENT_MAX)
			fail_msg("%s: %zu bytes were taken", c->name, atomic_load(&sent));
	}
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, scene_open, scene_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(answers_are_judged),
		STAGED(floods_are_cut),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
