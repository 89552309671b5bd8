/* http: what is sent, what comes of good, broken and hostile answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "tests/unit/fetch.h"

/* gzip of {"ok":"yyyyyyyyyyyyyyyyyyyy"}, and of 100,000 times "z". */
static const unsigned char small_gzip[31] =
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\xca\xcf\x56\xb2\x52\xaa\xc4\x02\x94\x6a"
	"\x01\x32\x54\x89\x71\x1d\x00\x00";
static const unsigned char large_gzip_head[] =
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xde\x4b\x6f"
	"\x0d\x0f\xa0";
static const unsigned char large_gzip_tail[] = "\x80\x57\x03\x24\x97\xe1\xff\xa0\x86\x01";

static bool send_large_gzip(int fd)
{
	unsigned char zip[132] = {0}; /* what lies between head and tail is zero */

	memcpy(zip, large_gzip_head, sizeof large_gzip_head - 1);
	memcpy(zip + sizeof zip - sizeof large_gzip_tail, large_gzip_tail,
	       sizeof large_gzip_tail - 1);
	raw_send_text(fd,
		      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 132\r\n\r\n");
	return raw_send(fd, zip, sizeof zip);
}

static bool send_many_headers(int fd)
{
	char line[1024];

	memset(line, 'h', sizeof line);
	memcpy(line, "X-Long: ", 8);
	memcpy(line + sizeof line - 2, "\r\n", 2);
	raw_send_text(fd, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 1024; i++)
		if (!raw_send(fd, line, sizeof line))
			return false;
	raw_send_text(fd, "\r\n");
	return false;
}

static bool send_one_huge_header(int fd)
{
	static char line[1 << 20];

	memset(line, 'h', sizeof line);
	raw_send_text(fd, "HTTP/1.1 200 OK\r\nX-Huge: ");
	raw_send(fd, line, sizeof line);
	raw_send_text(fd, "\r\n\r\n");
	return false;
}

static bool send_for_ever(int fd, const char *head, const char *piece)
{
	raw_send_text(fd, head);
	while (raw_send_text(fd, piece))
		;
	return false;
}

static bool cut_short(int fd, const char *text)
{
	raw_send_text(fd, text);
	return false;
}

static bool answer_body(const struct raw_request *rq)
{
	int fd = rq->fd;
	const char *p = rq->path;

	if (strcmp(p, "/chunked") == 0)
		return raw_send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
					 "5\r\nhello\r\n7\r\n, world\r\n0\r\nX-Trailer: t\r\n\r\n");
	if (strcmp(p, "/gzip") == 0) {
		raw_send_text(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
				  "Content-Length: 31\r\n\r\n");
		return raw_send(fd, small_gzip, 31);
	}
	if (strcmp(p, "/bomb") == 0)
		return send_large_gzip(fd);
	if (strcmp(p, "/endless") == 0)
		return send_for_ever(fd, "HTTP/1.1 200 OK\r\n\r\n", "0123456789abcdef");
	if (strcmp(p, "/endless-chunks") == 0)
		return send_for_ever(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
				     "10\r\n0123456789abcdef\r\n");
	return raw_send_text(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

static bool answer_broken(const struct raw_request *rq)
{
	int fd = rq->fd;
	const char *p = rq->path;

	if (strcmp(p, "/hang") == 0) {
		raw_wait_for_end(fd);
		return false;
	}
	if (strcmp(p, "/silence") == 0)
		return false;
	if (strcmp(p, "/half") == 0)
		return cut_short(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	if (strcmp(p, "/half-chunk") == 0)
		return cut_short(fd,
				 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nx");
	if (strcmp(p, "/reset") == 0) {
		raw_reset(fd);
		return cut_short(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	}
	if (strcmp(p, "/garbage") == 0)
		return cut_short(fd, "SSH-2.0-OpenSSH_9.2\r\n");
	if (strcmp(p, "/http09") == 0)
		return cut_short(fd, "<html>hello</html>");
	if (strcmp(p, "/bad-gzip") == 0)
		return cut_short(
			fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip at all");
	if (strcmp(p, "/many-headers") == 0)
		return send_many_headers(fd);
	if (strcmp(p, "/huge-header") == 0)
		return send_one_huge_header(fd);
	if (strcmp(p, "/interim") == 0)
		return send_for_ever(fd, "", "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n");
	return answer_body(rq);
}

static bool answer(const struct raw_request *rq)
{
	int fd = rq->fd;
	const char *p = rq->path;

	if (strcmp(p, "/ok") == 0)
		return raw_send_text(
			fd, "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n"
			    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
			    "Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n"
			    "Pagination-Count:  1234 \t\r\nX-Two: first\r\nx-two: second\r\n"
			    "\r\nhello");
	if (strcmp(p, "/204") == 0)
		return raw_send_text(fd, "HTTP/1.1 204 No Content\r\n\r\n");
	if (strcmp(p, "/head") == 0)
		return raw_send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	if (strcmp(p, "/redirect") == 0)
		return raw_send_text(fd, "HTTP/1.1 302 Found\r\nLocation: /ok\r\n"
					 "Content-Length: 0\r\n\r\n");
	if (strcmp(p, "/later") == 0)
		return raw_send_text(fd, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 17\r\n"
					 "Content-Length: 0\r\n\r\n");
	if (strcmp(p, "/never") == 0)
		return raw_send_text(fd, "HTTP/1.1 503 No\r\nRetry-After: soon\r\n"
					 "Date: today\r\nContent-Length: 0\r\n\r\n");
	return answer_broken(rq);
}

static int set_up(void **state)
{
	return stage_open(state, answer, "/ok");
}

static void get(struct stage *s, const char *path, enum http_failure expected, struct fetched *ret)
{
	s->call.url = local_url(raw_server_port(s->server), path);
	fetch(s->http, &s->call, expected, ret);
}

static void replies_are_read(void **state)
{
	struct stage *s = *state;
	struct fetched f = {.wanted = "pagination-COUNT"};
	int64_t date;

	get(s, "/ok", HTTP_OK, &f);
	assert_int_equal(f.status, 200);
	assert_string_equal(f.body, "hello");
	assert_int_equal(f.len, 5);
	assert_string_equal(f.header, "1234");
	assert_true(date_parse("2026-11-22T10:00:00Z", 20, &date));
	assert_true(f.date_ms == date);
	assert_true(f.retry_after_ms == -1);
	assert_true(f.took_us > 0 && f.took_us < 10000000);

	f.wanted = "X-Two";
	get(s, "/ok", HTTP_OK, &f);
	assert_string_equal(f.header, "first");
	f.wanted = "X-Interim";
	get(s, "/ok", HTTP_OK, &f);
	assert_string_equal(f.header, "(none)");
	f.wanted = "Pagination";
	get(s, "/ok", HTTP_OK, &f);
	assert_string_equal(f.header, "(none)");

	get(s, "/204", HTTP_OK, &f);
	assert_int_equal(f.status, 204);
	assert_int_equal(f.len, 0);
	assert_true(f.date_ms == DATE_NONE);
	get(s, "/chunked", HTTP_OK, &f);
	assert_string_equal(f.body, "hello, world");
	assert_int_equal(raw_server_connections(s->server), 1);

	s->call.method = "HEAD";
	get(s, "/head", HTTP_OK, &f);
	assert_int_equal(f.len, 0);
	s->call.method = "GET";
	get(s, "/ok", HTTP_OK, &f);
	assert_int_equal(f.len, 5);
}

static void requests_are_as_asked(void **state)
{
	static const char *const headers[] = {"X-One: 1", "content-type: application/json", NULL};
	struct stage *s = *state;
	struct raw_request rq;
	struct fetched f = {0};

	s->call.method = "PUT";
	s->call.headers = headers;
	s->call.body = "{\"a\":1}";
	s->call.body_len = 7;
	s->call.userpwd = "user:pass";
	get(s, "/204", HTTP_OK, &f);
	raw_server_last(s->server, &rq);
	assert_memory_equal(rq.head, "PUT /204 HTTP/1.1\r\n", 19);
	assert_non_null(strstr(rq.head, "X-One: 1\r\n"));
	assert_non_null(strstr(rq.head, "content-type: application/json\r\n"));
	assert_non_null(strstr(rq.head, "Content-Length: 7\r\n"));
	assert_non_null(strstr(rq.head, "Authorization: Basic dXNlcjpwYXNz\r\n"));
	assert_null(strcasestr(rq.head, "expect:"));
	assert_null(strcasestr(rq.head, "x-www-form"));
	assert_string_equal(rq.body, "{\"a\":1}");

	/* Nothing of it is left to the next call. */
	s->call = (struct http_call){.method = "POST", .max_reply = 10};
	get(s, "/204", HTTP_OK, &f);
	raw_server_last(s->server, &rq);
	assert_memory_equal(rq.head, "POST /204 HTTP/1.1\r\n", 20);
	assert_non_null(strstr(rq.head, "Content-Length: 0\r\n"));
	assert_null(strcasestr(rq.head, "authorization"));
	assert_null(strcasestr(rq.head, "content-type"));
	assert_null(strcasestr(rq.head, "x-one"));
	assert_null(strcasestr(rq.head, "accept-encoding"));

	char large[8192];
	memset(large, 'b', sizeof large);
	s->call.body = large;
	s->call.body_len = sizeof large;
	get(s, "/204", HTTP_OK, &f);
	raw_server_last(s->server, &rq);
	assert_int_equal(rq.body_len, sizeof large);
	assert_null(strcasestr(rq.head, "expect:"));

	s->call = (struct http_call){.method = "DELETE", .max_reply = 10, .gzip = true};
	get(s, "/204", HTTP_OK, &f);
	raw_server_last(s->server, &rq);
	assert_memory_equal(rq.head, "DELETE /204 HTTP/1.1\r\n", 22);
	assert_non_null(strstr(rq.head, "Accept-Encoding: gzip\r\n"));
}

static void compressed_replies_are_counted_decoded(void **state)
{
	struct stage *s = *state;
	struct fetched f = {0};

	s->call.gzip = true;
	s->call.cut_is_failure = true;
	get(s, "/gzip", HTTP_OK, &f);
	assert_string_equal(f.body, "{\"ok\":\"yyyyyyyyyyyyyyyyyyyy\"}");
	get(s, "/bomb", HTTP_TOO_LONG, &f);
	assert_true(f.len <= 1000);
	s->call.max_reply = 100000;
	get(s, "/bomb", HTTP_OK, &f);
	assert_int_equal(f.len, 100000);
	s->call.max_reply = 99999;
	get(s, "/bomb", HTTP_TOO_LONG, &f);
	get(s, "/bad-gzip", HTTP_BROKEN, &f);
}

static void broken_answers_are_failures(void **state)
{
	static const struct {
		const char *path;
		enum http_failure failure;
		int status;
	} cases[] = {
		{"/silence", HTTP_BROKEN, 0},
		{"/half", HTTP_BROKEN, 200},
		{"/half-chunk", HTTP_BROKEN, 200},
		{"/reset", HTTP_BROKEN, -1}, /* the reset may overtake the status line */
		{"/garbage", HTTP_BROKEN, 0},
		{"/http09", HTTP_BROKEN, 0},
		{"/many-headers", HTTP_TOO_LONG, 200},
		{"/huge-header", HTTP_TOO_LONG, 200},
		{"/interim", HTTP_TOO_LONG, 103},
	};
	struct stage *s = *state;
	struct fetched f = {0};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		get(s, cases[i].path, cases[i].failure, &f);
		if (cases[i].status >= 0 && f.status != cases[i].status)
			fail_msg("%s: status %d", cases[i].path, f.status);
		get(s, "/ok", HTTP_OK, &f);
	}
}

static void endless_answers_are_cut(void **state)
{
	static const char *const paths[] = {"/endless", "/endless-chunks"};
	struct stage *s = *state;
	struct fetched f = {0};

	for (size_t i = 0; i < 2; i++) {
		s->call.cut_is_failure = true;
		get(s, paths[i], HTTP_TOO_LONG, &f);
		assert_int_equal(f.len, 1000);
		s->call.cut_is_failure = false;
		get(s, paths[i], HTTP_OK, &f);
		assert_int_equal(f.status, 200);
		assert_int_equal(f.len, 1000);
		assert_memory_equal(f.body + 992, "01234567", 9);
	}
	s->call.max_reply = 3;
	get(s, "/ok", HTTP_OK, &f);
	assert_string_equal(f.body, "hel");
	s->call.cut_is_failure = true;
	get(s, "/ok", HTTP_TOO_LONG, &f);
	s->call.max_reply = 5;
	get(s, "/ok", HTTP_OK, &f);
	s->call.max_reply = 0;
	get(s, "/204", HTTP_OK, &f);
}

static void silence_times_out(void **state)
{
	struct stage *s = *state;
	struct fetched f = {0};

	s->call.timeout_ms = 50;
	get(s, "/hang", HTTP_TIMEOUT, &f);
	assert_int_equal(f.status, 0);
	assert_string_equal(f.why, "no complete answer in time");
	assert_true(f.took_us >= 45000);
}

static void redirects_are_not_followed(void **state)
{
	struct stage *s = *state;
	struct fetched f = {.wanted = "location"};

	get(s, "/redirect", HTTP_OK, &f);
	assert_int_equal(f.status, 302);
	assert_string_equal(f.header, "/ok");
	assert_int_equal(raw_server_requests(s->server), 1);
}

static void waits_asked_for_are_told(void **state)
{
	struct stage *s = *state;
	struct fetched f = {0};

	get(s, "/later", HTTP_OK, &f);
	assert_int_equal(f.status, 429);
	assert_true(f.retry_after_ms == 17000);
	get(s, "/never", HTTP_OK, &f);
	assert_int_equal(f.status, 503);
	assert_true(f.retry_after_ms == -1);
	assert_true(f.date_ms == DATE_NONE);
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, stage_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(replies_are_read),
		STAGED(requests_are_as_asked),
		STAGED(compressed_replies_are_counted_decoded),
		STAGED(broken_answers_are_failures),
		STAGED(endless_answers_are_cut),
		STAGED(silence_times_out),
		STAGED(redirects_are_not_followed),
		STAGED(waits_asked_for_are_told),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
