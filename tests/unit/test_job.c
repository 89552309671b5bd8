/* Jobs as texts: what is taken, what is refused and how that is said, and the way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/job.h"

#define ID "evt_0123456789abcdef0123456789abcdef"
#define WHOLE                                                                                      \
	"{\"kind\":\"replay\",\"destination\":\"crm\",\"since\":\"2026-11-20T00:00:00.000Z\","     \
	"\"until\":\"2026-11-21T00:00:00.000Z\",\"type\":\"recipient.\",\"status\":null,"          \
	"\"ids\":[\"" ID "\",\"0000000000001234\"],\"reroute\":true,\"id\":3,"                     \
	"\"state\":\"failed\",\"looked\":1200,\"taken\":800,\"why\":\"say \\\"hi\\\"\","           \
	"\"after_destination\":2,\"after\":7100,\"last\":90000}"
#define EMPTY                                                                                      \
	"{\"kind\":\"drop\",\"destination\":null,\"since\":null,\"until\":null,\"type\":null,"     \
	"\"status\":null,\"ids\":[],\"reroute\":false,\"id\":0,\"state\":\"queued\",\"looked\":0," \
	"\"taken\":0,\"why\":null,\"after_destination\":0,\"after\":0,\"last\":0}"

static void what_was_written_is_read(void **state)
{
	static const struct {
		const char *text, *again;
	} cases[] = {{WHOLE, WHOLE}, {EMPTY, EMPTY}, {"{\"kind\":\"drop\"}", EMPTY}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(JOB_TEXT_MAX);
		struct job j = {0};
		struct err err = {0};
		if (job_read(&j, cases[i].text, strlen(cases[i].text), &err) < 0)
			fail_msg("%s", err.msg);
		job_write(&out, &j);
		assert_string_equal(out.data, cases[i].again);
		job_release(&j);
		buf_release(&out);
	}
}

static void a_request_says_what_it_wants(void **state)
{
	static const char text[] = "{\"destination\":\"crm\",\"status\":\"404\",\"since\":"
				   "\"2026-11-20\",\"kind\":\"retry\"}";
	struct job j = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(job_read_request(&j, JOB_RETRY, text, strlen(text), &err), 0);
	assert_int_equal(j.kind, JOB_RETRY);
	assert_string_equal(j.destination, "crm");
	assert_string_equal(j.status, "404");
	assert_true(j.since_ms > 0 && !j.until_ms && !j.id && job_is_open(&j));
	job_release(&j);
	assert_int_equal(job_read_request(&j, JOB_DROP, "", 0, &err), 0);
	assert_true(j.kind == JOB_DROP && !j.destination && !j.ids.n);
	job_release(&j);
	job_release(&j);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		enum job_kind kind;
		const char *text, *why;
	} cases[] = {
		{JOB_RETRY, "{", "not JSON"},
		{JOB_RETRY, "[]", "a JSON object is expected"},
		{JOB_RETRY, "{\"destinations\":[]}", "destinations: there is no such member"},
		{JOB_RETRY, "{\"destination\":7}", "destination: a text"},
		{JOB_RETRY, "{\"destination\":\"\"}", "destination: a text"},
		{JOB_RETRY, "{\"since\":\"yesterday\"}", "since: a date"},
		{JOB_RETRY, "{\"until\":1}", "until: a date"},
		{JOB_RETRY, "{\"since\":\"2026-11-21\",\"until\":\"2026-11-20\"}", "until: must"},
		{JOB_RETRY, "{\"type\":{}}", "type: a text"},
		{JOB_RETRY, "{\"ids\":\"7\"}", "ids: a list"},
		{JOB_RETRY, "{\"ids\":[7]}", "ids: event ids"},
		{JOB_RETRY, "{\"ids\":[\"evt_1\"]}", "ids: event ids"},
		{JOB_RETRY, "{\"ids\":[\"0\"]}", "ids: event ids"},
		{JOB_RETRY, "{\"ids\":[\"12345678901234567\"]}", "ids: event ids"},
		{JOB_RETRY, "{\"ids\":[\"-1\"]}", "ids: event ids"},
		{JOB_RETRY, "{\"reroute\":1}", "reroute: true or false"},
		{JOB_RETRY, "{\"reroute\":true}", "reroute: only a replay"},
		{JOB_RETRY, "{\"kind\":\"drop\"}", "kind: retry is expected here"},
		{JOB_RETRY, "{\"kind\":\"lose\"}", "kind: retry, drop or replay"},
		{JOB_RETRY, "{\"id\":3}", "id: there is no such member"},
		{JOB_RETRY, "{\"last\":3}", "last: there is no such member"},
		{JOB_RETRY, "{\"status\":\"4\",\"status\":\"5\"}", "already has"},
		{JOB_REPLAY, "{}", "destination: a replay needs one"},
		{JOB_REPLAY, "{\"destination\":\"a\",\"status\":\"404\"}", "status: only"},
	};
	static const char *const written[][2] = {
		{"{}", "kind: is missing"},
		{"{\"kind\":\"drop\",\"state\":\"asleep\"}", "state: the name of a state"},
		{"{\"kind\":\"drop\",\"looked\":-1}", "looked: a number"},
	};
	struct job j = {.id = 7};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = {0};
		size_t len = strlen(cases[i].text);
		assert_int_equal(job_read_request(&j, cases[i].kind, cases[i].text, len, &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
		if (!strstr(err.msg, cases[i].why))
			fail_msg("case %zu: %s", i, err.msg);
	}
	for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
		struct err err = {0};
		assert_int_equal(job_read(&j, written[i][0], strlen(written[i][0]), &err), -1);
		if (!strstr(err.msg, written[i][1]))
			fail_msg("written %zu: %s", i, err.msg);
	}
	assert_int_equal(j.id, 7); /* untouched */
}

static void a_list_has_a_ceiling(void **state)
{
	(void)state;
	for (int n = JOB_IDS_MAX; n <= JOB_IDS_MAX + 1; n++) {
		struct buf text = BUF_INIT(2 * JOB_TEXT_MAX), out = BUF_INIT(JOB_TEXT_MAX);
		struct job j = {0};
		struct err err = {0};
		buf_adds(&text, "{\"kind\":\"retry\",\"ids\":[");
		for (int i = 0; i < n; i++)
			buf_adds(&text, i ? ",\"" ID "\"" : "\"" ID "\"");
		buf_adds(&text, "]}");
		int failed = job_read(&j, text.data, text.len, &err);
		assert_int_equal(failed, n > JOB_IDS_MAX ? -1 : 0);
		if (!failed)
			job_write(&out, &j);
		assert_false(out.full); /* the largest one fits where it is kept */
		job_release(&j);
		buf_release(&text);
		buf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(a_request_says_what_it_wants),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(a_list_has_a_ceiling),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
