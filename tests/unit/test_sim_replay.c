/* sim replay: recorded replies are found by path and parameters and served in turn, as recorded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "examples/invent-sim/control.h"
#include "relay/base/mem.h"

static const char recording[] =
	"{\"request\":\"/orgs/c/broadcasts?page=1&take=100\",\"status\":200,\"headers\":"
	"{\"pagination-count\":\"3\",\"Content-Length\":\"99\",\"content-type\":\"text/x\"},"
	"\"body\":[{\"id\":\"bc_1\",\"n\":12345678901234567890, \"body\":{\"request\":1}}]}\n"
	"\n"
	"{\"took_ms\":3,\"body\":\"<html>no \\\"JSON\\\"\",\"status\":503,\"request\":"
	"\"/orgs/c/broadcasts/b%20c/recipients?is_failed=true\"}\n"
	"{\"request\":\"/orgs/c/broadcasts?take=100&page=1\",\"status\":200,\"body\":[]}\n"
	"{\"request\":\"/orgs/c/orgs\",\"status\":204}\n";

static char *write_file(const char *text)
{
	const char *tmp = getenv("TMPDIR");
	char *path = xasprintf("%s/sim-replay-XXXXXX", tmp ? tmp : "/tmp");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
	return path;
}

static struct replay *open_text(const char *text, struct err *err)
{
	char *path = write_file(text);
	struct replay *r = replay_open(path, err);

	unlink(path);
	free(path);
	return r;
}

static void served_in_turn(void **state)
{
	static const struct {
		const char *method, *path, *query;
		int status;
		const char *body, *count, *type; /* headers; NULL: not there */
	} cases[] = {
		{"GET", "/orgs/c/broadcasts", "take=100&page=1", 200,
		 "[{\"id\":\"bc_1\",\"n\":12345678901234567890,\"body\":{\"request\":1}}]", "3",
		 "text/x"},
		{"GET", "/orgs/c/broadcasts", "page=1&take=100", 200, "[]", NULL,
		 "application/json"},
		{"GET", "/orgs/c/broadcasts", "p%61ge=1&take=100", 200, "[]", NULL,
		 "application/json"},
		{"GET", "/orgs/c/broadcasts/b%20c/recipients", "is_failed=true", 503,
		 "<html>no \"JSON\"", NULL, "application/json"},
		{"GET", "/orgs/c/orgs", NULL, 204, "", NULL, "application/json"},
		{"GET", "/orgs/c/orgs", "", 204, "", NULL, "application/json"},
		{"GET", "/orgs/c/broadcasts", "page=1", 404, NULL, NULL, "application/json"},
		{"GET", "/orgs/c/broadcasts", NULL, 404, NULL, NULL, "application/json"},
		{"GET", "/orgs/c/broadcasts", "page=1&take=100&x=1", 404, NULL, NULL,
		 "application/json"},
		{"GET", "/sim/status", NULL, 404, NULL, NULL, "application/json"},
		{"GET", "/sim/ledger", NULL, 404, NULL, NULL, "application/json"},
		{"POST", "/orgs/c/orgs", NULL, 404, NULL, NULL, "application/json"},
	};
	struct err err = {0};
	struct sim sim = {.replay = open_text(recording, &err)};

	(void)state;
	if (!sim.replay)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sim_request rq = {
			.method = cases[i].method, .path = cases[i].path, .query = cases[i].query};
		struct sim_reply reply;
		assert_false(control_ledger(&sim, &rq));
		control_request(&sim, &rq, NULL, 0, &reply);
		const char *count = sim_reply_header(&reply, "pagination-count");
		if (reply.status != cases[i].status || !count != !cases[i].count ||
		    (count && strcmp(count, cases[i].count)) ||
		    (cases[i].body && strcmp(reply.body.data, cases[i].body)))
			fail_msg("case %zu: %d %s", i, reply.status, reply.body.data);
		assert_string_equal(sim_reply_header(&reply, "content-type"), cases[i].type);
		assert_null(sim_reply_header(&reply, "content-length"));
		sim_reply_release(&reply);
	}
	replay_free(sim.replay);
	replay_free(NULL);
}

static void what_is_no_recording(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"{\"request\":\"/x\",\"status\":200}\nnonsense\n", "line 2: not JSON"},
		{"[]\n", "line 1: request: a path is expected"},
		{"{\"request\":\"x\",\"status\":200}\n", "line 1: request: a path is expected"},
		{"{\"request\":\"/x\"}\n", "line 1: status: a number from 200 to 599 is expected"},
		{"{\"request\":\"/x\",\"status\":\"200\"}\n",
		 "line 1: status: a number from 200 to 599 is expected"},
		{"{\"request\":\"/x\",\"status\":100}\n",
		 "line 1: status: a number from 200 to 599 is expected"},
		{"{\"request\":\"/x\",\"status\":200,\"b\\u006fdy\":[]}\n", "line 1: body: "},
	};
	struct err err = {0};

	(void)state;
	assert_null(replay_open("/nowhere/at/all", &err));
	assert_string_equal(err.msg, "/nowhere/at/all: cannot be opened");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		err = (struct err){0};
		assert_null(open_text(cases[i].text, &err));
		if (!strstr(err.msg, cases[i].says))
			fail_msg("%s", err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(served_in_turn),
		cmocka_unit_test(what_is_no_recording),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
