/* What is told of a failed delivery: of a reply its status alone, everything else as it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/relay_state.h"

static void only_a_reply_is_cut_to_its_status(void **state)
{
	static const struct {
		const char *why, *told;
	} cases[] = {
		{"503", "HTTP 503"},
		{"422: invalid phone +15550001", "HTTP 422"},
		{"301 (redirects are not followed): see there", "HTTP 301"},
		{"127.0.0.1:4222: No server available for connection",
		 "127.0.0.1:4222: No server available for connection"},
		{"no answer: timeout", "no answer: timeout"},
		{"42", "42"},
		{"5031", "5031"},
		{"", ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char status[16];
		assert_string_equal(relay_without_reply(cases[i].why, status), cases[i].told);
	}
	assert_null(relay_without_reply(NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_reply_is_cut_to_its_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
