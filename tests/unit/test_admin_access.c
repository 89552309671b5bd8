/* Who may ask the admin API: tokens and Host headers as tables, and the `admin:` section. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/admin/access.h"
#include "relay/admin/admin.h"
#include "relay/admin/listen.h"
#include "relay/base/clock.h"
#include "tests/unit/config_rig.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static void only_the_token_is_the_token(void **state)
{
	static const struct {
		const char *authorization;
		bool ok;
	} cases[] = {
		{"Bearer " TOKEN, true},
		{"bearer " TOKEN, true},
		{NULL, false},
		{"", false},
		{TOKEN, false},
		{"Bearer ", false},
		{"Bearer", false},
		{"Basic " TOKEN, false},
		{"Bearer  " TOKEN, false},
		{"Bearer " TOKEN " ", false},
		{"Bearer " TOKEN TOKEN, false},
		{"Bearer 0123456789abcdef0123456789abcde", false},
		{"Bearer 0123456789abcdef0123456789abcdeF", false},
		{"Bearer 1123456789abcdef0123456789abcdef", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (access_token_ok(cases[i].authorization, TOKEN) != cases[i].ok)
			fail_msg("%s", cases[i].authorization ? cases[i].authorization : "NULL");
	assert_false(access_token_ok("Bearer ", ""));
	assert_false(access_token_ok("Bearer x", ""));
}

static void only_our_names_are_let_in(void **state)
{
	static char name[] = "relay.internal";
	static char *names[] = {name};
	static const struct strings none = {0}, one = {names, 1};
	static const struct {
		const char *listen;
		const struct strings *hosts;
		const char *host;
		bool ok;
	} cases[] = {
		{"127.0.0.1:8077", &none, "127.0.0.1:8077", true},
		{"127.0.0.1:8077", &none, "127.0.0.1", true},
		{"127.0.0.1:8077", &none, "localhost:8077", true},
		{"127.0.0.1:8077", &none, "LocalHost.", true},
		{"127.0.0.1:8077", &none, "[::1]:8077", true},
		{"127.0.0.1:8077", &none, "127.0.0.2:1", true},
		{"127.0.0.1:8077", &none, NULL, true},
		{"127.0.0.1:8077", &none, "", false},
		{"127.0.0.1:8077", &none, "evil.example", false},
		{"127.0.0.1:8077", &none, "evil.example:8077", false},
		{"127.0.0.1:8077", &none, "localhost.evil.example", false},
		{"127.0.0.1:8077", &none, "127.0.0.1.evil.example", false},
		{"127.0.0.1:8077", &none, "localhost:8077@evil.example", false},
		{"127.0.0.1:8077", &none, "[::1", false},
		{"127.0.0.1:8077", &none, "[::1]x", false},
		{"127.0.0.1:8077", &none, "10.0.0.5", false},
		{"127.0.0.1:8077", &none, "relay.internal", false},
		{"127.0.0.1:8077", &one, "Relay.Internal:8077", true},
		{"127.0.0.1:8077", &one, "xrelay.internal", false},
		{"10.0.0.5:8077", &none, "10.0.0.5:8077", true},
		{"10.0.0.5:8077", &none, "10.0.0.6:8077", false},
		{"0.0.0.0:8077", &none, "10.0.0.6:8077", true},
		{"0.0.0.0:8077", &none, "evil.example", false},
		{"[::]:8077", &none, "[2001:db8::1]:8077", true},
		{"[2001:db8::1]:8077", &none, "[2001:DB8:0::1]", true},
		{"[2001:db8::1]:8077", &none, "[2001:db8::2]", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sockaddr_storage address;
		struct err err = {0};
		assert_int_equal(listen_parse(cases[i].listen, &address, &err), 0);
		if (access_host_ok(cases[i].host, &address, cases[i].hosts) != cases[i].ok)
			fail_msg("case %zu: %s", i, cases[i].host ? cases[i].host : "NULL");
	}
}

static void a_section_opens_and_its_absence_does_not(void **state)
{
	static const struct {
		const char *text, *problem; /* NULL: none */
		bool on;
	} cases[] = {
		{"source: {}", NULL, false},
		{"admin: false", NULL, false},
		{"admin: true", NULL, true},
		{"admin:", NULL, true},
		{"admin: {}", NULL, true},
		{"admin: { listen: \"[::1]:9\" }", NULL, true},
		{"admin: { listen: 0.0.0.0:9, insecure: true }", NULL, true},
		{"admin: { listen: 0.0.0.0:9 }", "insecure", true},
		{"admin: { listen: localhost:9 }", "IP address", false},
		{"admin: { listen: 127.0.0.1 }", "ADDRESS:PORT", false},
		{"admin: { lisen: 127.0.0.1:9 }", "listen", false},
		{"admin: no", "admin", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct problems p = {0};
		struct yaml *y = parse_text(cases[i].text, &p);
		struct admin_options o = {0};
		admin_options_read(&o, node_get(yaml_root(y), "admin"), &p);
		if (o.on != cases[i].on || (p.n > 0) != (cases[i].problem != NULL))
			fail_msg("%s: on %d, %s", cases[i].text, o.on, p.n ? p.v[0] : "no problem");
		if (cases[i].problem)
			assert_non_null(strstr(p.v[0], cases[i].problem));
		admin_options_release(&o);
		problems_release(&p);
		yaml_free(y);
	}
}

static void the_preset_is_loopback(void **state)
{
	struct problems p = {0};
	struct yaml *y = good("admin:");
	struct admin_options o = {0};

	(void)state;
	admin_options_read(&o, node_get(yaml_root(y), "admin"), &p);
	assert_string_equal(o.listen, "127.0.0.1:8077");
	assert_null(o.token_file);
	admin_options_release(&o);
	yaml_free(y);
}

static void pages_of_other_sites_do_not_act(void **state)
{
	static const struct {
		const char *origin, *site, *host;
		bool ok;
	} cases[] = {
		{NULL, NULL, "localhost", true},
		{NULL, "none", "localhost", true},
		{NULL, "cross-site", "localhost", false},
		{NULL, "same-site", "localhost", false},
		{"http://localhost:8077", "same-origin", "localhost:8077", true},
		{"HTTP://LOCALHOST:8077", NULL, "localhost:8077", true},
		{"https://relay.internal", NULL, "relay.internal", true},
		{"http://localhost:8078", NULL, "localhost:8077", false},
		{"http://localhost.evil.example", NULL, "localhost", false},
		{"http://evil.example", "same-origin", "localhost", false},
		{"null", NULL, "localhost", false},
		{"", NULL, "localhost", false},
		{"http://localhost", NULL, NULL, false},
		{"file://localhost", NULL, "localhost", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (access_origin_ok(cases[i].origin, cases[i].site, cases[i].host) != cases[i].ok)
			fail_msg("case %zu", i);
}

static void a_body_is_json(void **state)
{
	static const struct {
		const char *type;
		bool ok;
	} cases[] = {{NULL, true},
		     {"application/json", true},
		     {"Application/JSON; charset=utf-8", true},
		     {"application/json ;charset=utf-8", true},
		     {"application/jsonp", false},
		     {"text/plain", false},
		     {"application/x-www-form-urlencoded", false},
		     {"", false}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (access_is_json(cases[i].type) != cases[i].ok)
			fail_msg("case %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_of_other_sites_do_not_act),
		cmocka_unit_test(a_body_is_json),
		cmocka_unit_test(only_the_token_is_the_token),
		cmocka_unit_test(only_our_names_are_let_in),
		cmocka_unit_test(a_section_opens_and_its_absence_does_not),
		cmocka_unit_test(the_preset_is_loopback),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
