/* http: dates, Retry-After and URLs, by tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/base/buf.h"
#include "relay/base/http.h"

static void dates_are_read_strictly(void **state)
{
	static const int64_t now = 784111777000; /* Sun, 06 Nov 1994 08:49:37 GMT */
	static const struct {
		const char *text;
		int64_t delay;
	} cases[] = {
		{"0", 0},
		{"120", 120000},
		{" 120 ", 120000},
		{"Sun, 06 Nov 1994 08:49:37 GMT", 0},
		{"Sun, 06 Nov 1994 08:50:37 GMT", 60000},
		{"Sunday, 06-Nov-94 08:50:37 GMT", 60000},
		{"Sun Nov  6 08:50:37 1994", 60000},
		{"Sun, 06 Nov 1994 08:00:00 GMT", 0}, /* past */
		{"Mon, 07 Nov 1994 08:49:37 GMT", 86400000},
		{"", -1},
		{"soon", -1},
		{"-1", -1},
		{"+1", -1},
		{"1.5", -1},
		{"12 seconds", -1},
		{"0x10", -1},
		{"Sun, 06 Nov 1994 08:50:37", -1},
		{"Sun, 06 Nov 1994 08:50:37 CET", -1},
		{"Sun, 06 Nov 1994 08:50:37 GMT tomorrow", -1},
		{"Sun, 31 Feb 1994 08:50:37 GMT", -1},
		{"Sun, 06 Now 1994 08:50:37 GMT", -1},
		{"Sun, 06 anF 1994 08:50:37 GMT", -1},
		{"Sun, 06 Nov 1994 25:50:37 GMT", -1},
		{"1994-11-06T08:50:37Z", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (http_retry_after(cases[i].text, now) != cases[i].delay)
			fail_msg("%s: %lld", cases[i].text,
				 (long long)http_retry_after(cases[i].text, now));
	assert_true(http_retry_after("99999999999999999999999999999", now) > 1000000000000);
}

static void urls_are_judged(void **state)
{
	static const struct {
		const char *url;
		int plain; /* -1: refused */
	} cases[] = {
		{"http://a", 1},	   {"https://a.example:8443/x?y=z", 0},
		{"HTTPS://a/", 0},	   {"http://[::1]:80/", 1},
		{"http://2130706433/", 1}, {"", -1},
		{"a.example", -1},	   {"//a.example/", -1},
		{"http://", -1},	   {"http:///x", -1},
		{"ftp://a/", -1},	   {"file:///etc/passwd", -1},
		{"gopher://a/", -1},	   {"http://u@a/", -1},
		{"http://u:p@a/", -1},	   {"http://:p@a/", -1},
		{"http://a b/", -1},	   {"http://a/ b", -1},
		{"http://a/\r\nX: y", -1}, {"http://a:99999/", -1},
		{"http://a:x/", -1},	   {"javascript:alert(1)", -1},
		{"http:/a/", -1},	   {"http:a", -1},
		{"http://@a/", -1},	   {"http://?x", -1},
		{"http://a\\@b/", -1},	   {"http://a/@b?c@d", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool plain = false, ok = http_url_ok(cases[i].url, &plain);

		if (ok != (cases[i].plain >= 0) || (ok && plain != cases[i].plain))
			fail_msg("%s: %d %d", cases[i].url, ok, plain);
	}

	struct buf out = BUF_INIT(100);
	http_escape(&out, "aZ09-._~ /?&=%\xc3\xa9+");
	assert_string_equal(out.data, "aZ09-._~%20%2F%3F%26%3D%25%C3%A9%2B");
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_read_strictly),
		cmocka_unit_test(urls_are_judged),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
