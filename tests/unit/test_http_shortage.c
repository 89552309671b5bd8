/* http when there are no more files to open: calls fail, and are well again when there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/fetch.h"

#define CALLS 100

static bool answer(const struct raw_request *rq)
{
	if (strcmp(rq->path, "/hang") == 0) {
		raw_wait_for_end(rq->fd);
		return false;
	}
	return raw_send_text(rq->fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static struct rlimit before;

static rlim_t highest_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	rlim_t most = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		unsigned long fd = strtoul(e->d_name, NULL, 10);

		most = fd > most ? fd : most;
	}
	closedir(d);
	return most;
}

static void limit_files(rlim_t n)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE,
				   &(struct rlimit){.rlim_cur = n, .rlim_max = before.rlim_max}),
			 0);
}

static int set_up(void **state)
{
	getrlimit(RLIMIT_NOFILE, &before);
	limit_files(64); /* a ceiling of 48 sockets for the client opened next */
	stage_open(state, answer, "/ok");
	limit_files(before.rlim_cur); /* the server in this process needs some, too */
	return 0;
}

static int tear_down(void **state)
{
	limit_files(before.rlim_cur);
	return stage_close(state);
}

static void a_part_is_left_to_others(void **state)
{
	struct stage *s = *state;
	struct fetched hung[CALLS] = {{0}}, f = {0};
	uint64_t ids[CALLS];
	unsigned refused = 0;

	s->call.url = local_url(raw_server_port(s->server), "/hang");
	for (int i = 0; i < CALLS; i++)
		assert_int_equal(http_start(s->http, &s->call, fetch_done, &hung[i], &ids[i],
					    &(struct err){0}),
				 0);
	while (raw_server_requests(s->server) < 48)
		assert_int_equal(http_wait(s->http, 10, -1, &(struct err){0}), 0);
	for (int i = 0; i < CALLS; i++) {
		if (!hung[i].times)
			continue;
		refused++;
		assert_int_equal(hung[i].failure, HTTP_UNREACHABLE);
		assert_string_equal(hung[i].why, "too many connections are open");
	}
	assert_int_equal(refused, CALLS - 48);
	assert_int_equal(raw_server_connections(s->server), 48);
	for (int i = 0; i < CALLS; i++)
		http_abort(s->http, ids[i]);
	s->call.url = s->url;
	fetch(s->http, &s->call, HTTP_OK, &f);
}

static void no_file_at_all_is_a_failure(void **state)
{
	struct stage *s = *state;
	struct fetched f = {0};

	limit_files(highest_open() + 1);
	while (dup(0) >= 0) /* what was free below */
		;
	fetch(s->http, &s->call, HTTP_UNREACHABLE, &f);
	assert_string_equal(f.why, "too many connections are open");
	s->call.url = "http://localhost:1/";
	fetch(s->http, &s->call, HTTP_UNREACHABLE, &f);
	limit_files(before.rlim_cur);
	s->call.url = s->url;
	fetch(s->http, &s->call, HTTP_OK, &f);
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(a_part_is_left_to_others),
		STAGED(no_file_at_all_is_a_failure),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
