/* client: what is asked becomes the documented URL, every reply one kind of answer, and the key
 * stays in its header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/source/source.h"
#include "tests/unit/fake_api.h"

#define KEY "k3y-abcdef"

static char base_url[] = "https://api.example.com", key[] = KEY;

struct got {
	unsigned times;
	struct answer a;
	char why[1200], body[256], org[64];
};

static void keep(void *arg, const struct request *r, const struct answer *a)
{
	struct got *got = arg;

	got->times++;
	got->a = *a;
	strncpy(got->org, r->org, sizeof got->org - 1);
	if (a->why)
		strncpy(got->why, a->why, sizeof got->why - 1);
	if (a->body)
		memcpy(got->body, a->body, a->len < 255 ? a->len : 255);
}

static struct client *opened(struct fake_api *api, char *with_key)
{
	struct source_options o = {.base_url = base_url, .api_key = with_key, .timeout_ms = 30000};
	struct err err = {0};
	struct client *c = client_open(&o, fake_fetch, api, &err);

	assert_non_null(c);
	return c;
}

static const struct request recipients = {
	.kind = REQUEST_RECIPIENTS, .org = "c", .broadcast = "bc_1", .page = 1, .take = 100};

static void writes_urls(void **state)
{
	static const char *const filter[] = {"is_failed", "true", "email", "a+b@x.org", NULL};
	static const struct {
		struct request r;
		const char *url;
	} cases[] = {
		{{.kind = REQUEST_BROADCASTS, .org = "c", .page = 2, .take = 100},
		 "/orgs/c/broadcasts?page=2&take=100"},
		{{.kind = REQUEST_RECIPIENTS,
		  .org = "c",
		  .broadcast = "bc_1",
		  .page = 1,
		  .take = 100},
		 "/orgs/c/broadcasts/bc_1/recipients?page=1&take=100"},
		{{.kind = REQUEST_RECIPIENTS,
		  .org = "o/../p",
		  .broadcast = "a b?c#d%e\xc3\xa9",
		  .page = 1,
		  .take = 1,
		  .filter = filter},
		 "/orgs/o%2F..%2Fp/broadcasts/a%20b%3Fc%23d%25e%C3%A9/recipients?page=1&take=1"
		 "&is_failed=true&email=a%2Bb%40x.org"},
		{{.kind = REQUEST_BROADCASTS, .org = "c", .page = 2, .take = 100, .next = "a b&c="},
		 "/orgs/c/broadcasts?next=a%20b%26c%3D&take=100"},
		{{.kind = REQUEST_ORGS, .org = "c"}, "/orgs/c/orgs"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fake_api api = {0};
		struct got got = {0};
		struct err err = {0};
		struct client *c = opened(&api, key);
		assert_int_equal(client_ask(c, &cases[i].r, keep, &got, &err), 0);
		assert_int_equal(strncmp(api.v[0].url, base_url, strlen(base_url)), 0);
		assert_string_equal(api.v[0].url + strlen(base_url), cases[i].url);
		assert_true(api.gzip && api.plain_guarded);
		assert_int_equal(api.max_reply, API_BODY_MAX);
		fake_answer(&api, &(struct fake_reply){.status = 200, .body = "[]"});
		assert_int_equal(got.times, 1);
		assert_string_equal(got.org, cases[i].r.org);
		client_close(c);
	}
}

/* What the configuration asks for goes with every request for recipients, and wins. */
static void a_filter_goes_with_recipients(void **state)
{
	static const char *const more[] = {"is_failed", "true", "email", "c@d", NULL};
	static char *filter[] = {(char *)"integration_id", (char *)"twilio", (char *)"email",
				 (char *)"a+b@x.org"};
	struct source_options o = {.base_url = base_url, .filter = {filter, 4}};
	static const struct {
		struct request r;
		const char *query;
	} cases[] = {
		{{.kind = REQUEST_RECIPIENTS, .org = "c", .broadcast = "b", .page = 3},
		 "/recipients?page=3&integration_id=twilio&email=a%2Bb%40x.org"},
		{{.kind = REQUEST_RECIPIENTS, .org = "c", .broadcast = "b", .filter = more},
		 "/recipients?integration_id=twilio&email=a%2Bb%40x.org&is_failed=true"},
		{{.kind = REQUEST_BROADCASTS, .org = "c", .page = 1}, "/broadcasts?page=1"},
		{{.kind = REQUEST_ORGS, .org = "c"}, "/orgs"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fake_api api = {0};
		struct got got = {0};
		struct err err = {0};
		struct client *c = client_open(&o, fake_fetch, &api, &err);
		assert_int_equal(client_ask(c, &cases[i].r, keep, &got, &err), 0);
		assert_string_equal(strrchr(api.v[0].url, '/'), cases[i].query);
		fake_answer(&api, &(struct fake_reply){.status = 200, .body = "[]"});
		client_close(c);
	}
}

static void sends_headers(void **state)
{
	struct fake_api api = {0};
	struct got got = {0};
	struct err err = {0};
	struct client *c = opened(&api, key), *keyless = opened(&api, NULL);

	(void)state;
	assert_int_equal(client_ask(c, &recipients, keep, &got, &err), 0);
	assert_non_null(strstr(api.v[0].headers, "Authorization: Bearer " KEY "\n"));
	assert_non_null(strstr(api.v[0].headers, "Accept: application/json\n"));
	assert_non_null(strstr(api.v[0].headers, "User-Agent: Relay/"));
	assert_null(strstr(api.v[0].url, KEY));
	assert_int_equal(client_ask(keyless, &recipients, keep, &got, &err), 0);
	assert_null(strstr(api.v[1].headers, "Authorization"));
	fake_answer(&api, &(struct fake_reply){.status = 200, .body = "[]"});
	fake_answer(&api, &(struct fake_reply){.status = 200, .body = "[]"});
	client_close(c);
	client_close(keyless);
	client_close(NULL);
}

static void judges_replies(void **state)
{
	static const struct {
		struct fake_reply reply;
		enum answer_kind kind;
		const char *why; /* in it; NULL: none is given */
		int64_t wait_ms;
	} cases[] = {
		{{.status = 200, .body = "[]"}, ANSWER_PAGE, NULL, -1},
		{{.status = 200, .body = " \n\t[{}]"}, ANSWER_PAGE, NULL, -1},
		{{.status = 200, .body = "[1", .headers = "Content-Type: application/json\n"},
		 ANSWER_PAGE,
		 NULL,
		 -1},
		{{.status = 200, .body = "<!doctype html>"},
		 ANSWER_BROKEN,
		 "HTML instead of JSON",
		 -1},
		{{.status = 200,
		  .body = "[]",
		  .headers = "content-type: Text/HTML; charset=utf-8\n"},
		 ANSWER_BROKEN,
		 "HTML instead of JSON",
		 -1},
		{{.status = 200, .body = ""}, ANSWER_BROKEN, "empty body", -1},
		{{.status = 200, .body = "  "}, ANSWER_BROKEN, "empty body", -1},
		{{.status = 200, .body = "{\"a\":[]}"}, ANSWER_BROKEN, "no JSON array", -1},
		{{.status = 204}, ANSWER_BROKEN, "HTTP 204", -1},
		{{.status = 302, .body = "moved"}, ANSWER_BROKEN, "HTTP 302: moved", -1},
		{{.status = 400, .body = "bad take"}, ANSWER_REFUSED, "HTTP 400: bad take", -1},
		{{.status = 401, .body = "no"}, ANSWER_NO_KEY, "HTTP 401: no", -1},
		{{.status = 403}, ANSWER_NO_KEY, "HTTP 403", -1},
		{{.status = 404, .body = "none"}, ANSWER_MISSING, "HTTP 404: none", -1},
		{{.status = 408}, ANSWER_BROKEN, "HTTP 408", -1},
		{{.status = 422}, ANSWER_REFUSED, "HTTP 422", -1},
		{{.status = 425}, ANSWER_BROKEN, "HTTP 425", -1},
		{{.status = 429, .retry_after_ms = 7000}, ANSWER_LATER, "HTTP 429", 7000},
		{{.status = 429, .retry_after_ms = -1}, ANSWER_LATER, "HTTP 429", -1},
		{{.status = 500, .body = "oops"}, ANSWER_BROKEN, "HTTP 500: oops", -1},
		{{.status = 503, .retry_after_ms = -1}, ANSWER_BROKEN, "HTTP 503", -1},
		{{.status = 503, .retry_after_ms = 2000}, ANSWER_LATER, "HTTP 503", 2000},
		{{.failure = HTTP_UNREACHABLE}, ANSWER_BROKEN, "could not connect", -1},
		{{.failure = HTTP_TIMEOUT, .status = 200, .body = "[]"},
		 ANSWER_BROKEN,
		 "could",
		 -1},
		{{.failure = HTTP_TOO_LONG, .status = 200, .body = "[]"},
		 ANSWER_BROKEN,
		 "could",
		 -1},
		{{.failure = HTTP_ABORTED}, ANSWER_ABORTED, "could", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fake_api api = {0};
		struct got got = {0};
		struct err err = {0};
		struct client *c = opened(&api, key);
		assert_int_equal(client_ask(c, &recipients, keep, &got, &err), 0);
		fake_answer(&api, &cases[i].reply);
		if (got.a.kind != cases[i].kind || got.a.wait_ms != cases[i].wait_ms ||
		    !got.a.why != !cases[i].why || got.a.status != cases[i].reply.status ||
		    (cases[i].why && !strstr(got.why, cases[i].why)))
			fail_msg("case %zu: kind %d, wait %lld, why %s", i, got.a.kind,
				 (long long)got.a.wait_ms, got.why);
		if (cases[i].kind == ANSWER_PAGE)
			assert_string_equal(got.body, cases[i].reply.body);
		client_close(c);
	}
}

static void excerpts_are_short_escaped_and_without_the_key(void **state)
{
	struct fake_api api = {0};
	struct got got = {0};
	struct err err = {0};
	struct client *c = opened(&api, key);
	char body[600] = "key " KEY " of\n\x1b[31mred\xff " KEY;

	(void)state;
	memset(body + strlen(body), 'x', 300);
	assert_int_equal(client_ask(c, &recipients, keep, &got, &err), 0);
	fake_answer(&api, &(struct fake_reply){.status = 401, .body = body});
	assert_null(strstr(got.why, KEY));
	assert_non_null(strstr(got.why, "HTTP 401: key [key] of \\x1b[31mred\\xff [key]xxx"));
	assert_in_range(strlen(got.why), 100, 200);
	client_close(c);
}

static void reads_headers(void **state)
{
	static const struct {
		const char *headers;
		int64_t count;
	} cases[] = {
		{"pagination-count: 250\n", 250},
		{"Pagination-Count:  0\n", 0},
		{NULL, -1},
		{"pagination-count:\n", -1},
		{"pagination-count: -3\n", -1},
		{"pagination-count: 12a\n", -1},
		{"pagination-count: 1e3\n", -1},
		{"pagination-counted: 5\n", -1},
		{"pagination-count: 99999999999999\n", -1},
		{"x: 1\npagination-count: 7\n", 7},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fake_api api = {0};
		struct got got = {0};
		struct err err = {0};
		struct client *c = opened(&api, key);
		assert_int_equal(client_ask(c, &recipients, keep, &got, &err), 0);
		fake_answer(&api, &(struct fake_reply){.status = 200,
						       .body = "[]",
						       .headers = cases[i].headers,
						       .date_ms = 1234,
						       .took_ms = 56});
		if (got.a.count != cases[i].count)
			fail_msg("%s: %lld", cases[i].headers, (long long)got.a.count);
		assert_int_equal(got.a.date_ms, 1234);
		assert_int_equal(got.a.took_ms, 56);
		client_close(c);
	}
}

static void says_when_it_cannot_ask(void **state)
{
	struct fake_api api = {.unable = true};
	struct got got = {0};
	struct err err = {0};
	struct client *c = opened(&api, key);
	char *long_id = calloc(1, 20000);
	struct request r = recipients;

	(void)state;
	assert_int_equal(client_ask(c, &r, keep, &got, &err), -1);
	assert_string_equal(err.msg, "no such URL");
	memset(long_id, 'a', 19999);
	r.broadcast = long_id;
	assert_int_equal(client_ask(c, &r, keep, &got, &err), -1);
	assert_int_equal(got.times, 0);
	client_close(c);
	free(long_id);

	struct source_options o = {.base_url = (char *)"ftp://x"};
	assert_null(client_open(&o, fake_fetch, &api, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_urls),
		cmocka_unit_test(a_filter_goes_with_recipients),
		cmocka_unit_test(sends_headers),
		cmocka_unit_test(judges_replies),
		cmocka_unit_test(excerpts_are_short_escaped_and_without_the_key),
		cmocka_unit_test(reads_headers),
		cmocka_unit_test(says_when_it_cannot_ask),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
