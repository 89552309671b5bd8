/* The source: section: each mistake is told at its place, each way to name broadcasts works, and
 * what is wanted of the list follows from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/source/source.h"

#define DAY (INT64_C(86400000))

struct read {
	struct yaml *yaml;
	struct problems problems;
	struct source_options o;
};

static void read_text(struct read *r, const char *text)
{
	*r = (struct read){0};
	r->yaml = yaml_parse("relay.yaml", text, strlen(text), &r->problems);
	if (!r->yaml)
		return;
	const struct node *at = node_get(yaml_root(r->yaml), "source");
	options_read(source_option_table, at, &r->o, &r->problems);
	if (!r->problems.n)
		source_options_check(&r->o, at ? at : yaml_root(r->yaml), &r->problems);
}

static void release(struct read *r)
{
	source_options_release(&r->o);
	problems_release(&r->problems);
	yaml_free(r->yaml);
}

static void presets(void **state)
{
	struct read r;

	(void)state;
	read_text(&r, "source:\n  api_key: k\n");
	assert_int_equal(r.problems.n, 0);
	assert_string_equal(r.o.base_url, "https://api.useinvent.com");
	assert_string_equal(r.o.api_key, "k");
	assert_int_equal(r.o.orgs.n, 1);
	assert_string_equal(r.o.orgs.v[0], "c");
	assert_int_equal(r.o.statuses.n, 3);
	assert_string_equal(r.o.statuses.v[0], "SENDING");
	assert_string_equal(r.o.statuses.v[1], "SENT");
	assert_string_equal(r.o.statuses.v[2], "ACTIVE");
	assert_int_equal(r.o.ids.n, 0);
	assert_int_equal(r.o.since_kind, SINCE_NOW);
	assert_true(r.o.rate_limit > 7.49 && r.o.rate_limit < 7.51);
	assert_int_equal(r.o.poll_every_ms, 5000);
	assert_int_equal(r.o.poll_every_max_ms, 300000);
	assert_true(r.o.follow_for_ms == 14 * DAY);
	assert_int_equal(r.o.full_sweep_every_ms, 6 * 3600000);
	assert_int_equal(r.o.timeout_ms, 30000);
	assert_false(r.o.updates || r.o.channels);
	assert_null(r.o.proxy);
	release(&r);
	source_options_release(NULL);
	source_options_release(&(struct source_options){0});
}

static void mistakes_have_a_place(void **state)
{
	static const struct {
		const char *text, *problem; /* NULL: none */
	} cases[] = {
		{"{}", "API key is needed"},
		{"source: {}", "API key is needed"},
		{"source: {base_url: 'http://127.0.0.1:8080'}", NULL},
		{"source: {base_url: 'http://[::1]:8080/api/'}", NULL},
		{"source: {base_url: 'http://localhost'}", NULL},
		{"source: {base_url: 'http://LOCALHOST:1/x'}", NULL},
		{"source:\n  base_url: http://10.0.0.1\n  api_key: k", "relay.yaml:2:13: "},
		{"source: {base_url: 'http://localhost.evil.com', api_key: k}",
		 "https:// is expected"},
		{"source: {base_url: 'http://127.0.0.1.evil.com', api_key: k}",
		 "https:// is expected"},
		{"source: {base_url: 'http://example.com', api_key: k}", "https:// is expected"},
		{"source: {base_url: 'https://h/?a=b', api_key: k}", "without query"},
		{"source: {base_url: 'ftp://127.0.0.1'}", "source.base_url"},
		{"source: {api_key: \"a\\nb\"}", "one line"},
		{"source: {api_key: k, orgs: []}", "organization ids are expected"},
		{"source: {api_key: k, orgs: [a, b, a]}", "named twice"},
		{"source: {api_key: k, orgs: ['']}", "1 to 256 bytes"},
		{"source: {api_key: k, broadcasts: all}", NULL},
		{"source: {api_key: k, broadcasts: [bc_1, bc_2]}", NULL},
		{"source: {api_key: k, broadcasts: {status: SENT}}", NULL},
		{"source: {api_key: k, broadcasts: {status: [SENT]}}", NULL},
		{"source:\n  api_key: k\n  broadcasts: some", "relay.yaml:3:15: "},
		{"source: {api_key: k, broadcasts: []}", "broadcast ids are expected"},
		{"source: {api_key: k, broadcasts: [{a: b}]}", "broadcasts[0]"},
		{"source: {api_key: k, broadcasts: {}}", "status: […] is expected"},
		{"source: {api_key: k, broadcasts: {status: []}}", "at least one status"},
		{"source: {api_key: k, broadcasts: {status: [[]]}}", "such as SENDING"},
		{"source: {api_key: k, broadcasts: {state: [SENT]}}", "unknown key"},
		{"source: {api_key: k, since: yesterday}", "now, all, or a time"},
		{"source: {api_key: k, collect: contact.channels}", NULL},
		{"source: {api_key: k, collect: [contact.name]}", "all that can be collected"},
		{"source: {api_key: k, poll_every: 10m}", "shorter than poll_every"},
		{"source: {api_key: k, poll_every: 1ms}", "poll_every"},
		{"source: {api_key: k, filter: {}}", NULL},
		{"source:\n  api_key: k\n  filter:\n", NULL},
		{"source: {api_key: k, filter: {is_failed: true, is_x9_y: false, status: SENT}}",
		 NULL},
		{"source: {api_key: k, filter: {email: 12, user_id: 'true', contact_id: c}}", NULL},
		{"source: {api_key: k, filter: [is_failed]}", "map of at most"},
		{"source:\n  api_key: k\n  filter:\n    integration_idd: x",
		 "relay.yaml:4:5: source.filter.integration_idd: unknown key; did you mean "
		 "\"integration_id\"?"},
		{"source: {api_key: k, filter: {phone: 1}}", "unknown key"},
		{"source: {api_key: k, filter: {is_A: true}}", "unknown key"},
		{"source: {api_key: k, filter: {is_: true}}", "unknown key"},
		{"source: {api_key: k, filter: {is_abcdefghijklmnopqrstuvwxyz0123456: true}}",
		 "unknown key"},
		{"source:\n  api_key: k\n  filter: {is_failed: yes}",
		 "relay.yaml:3:23: source.filter.is_failed: true or false"},
		{"source: {api_key: k, filter: {is_failed: [true]}}", "true or false"},
		{"source: {api_key: k, filter: {is_failed: }}", "true or false"},
		{"source: {api_key: k, filter: {email: ''}}", "1 to 256 bytes"},
		{"source: {api_key: k, filter: {email: }}", "1 to 256 bytes"},
		{"source: {api_key: k, filter: {email: {a: b}}}", "1 to 256 bytes"},
		{"source: {api_key: k, filter: {status: [SENDING]}}", "such as SENDING"},
		{"source: {api_key: k, rate_limits: 1/s}", "rate_limit"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct read r;
		read_text(&r, cases[i].text);
		if (!cases[i].problem != !r.problems.n ||
		    (cases[i].problem && !strstr(r.problems.v[0], cases[i].problem)))
			fail_msg("%s: %s", cases[i].text,
				 r.problems.n ? r.problems.v[0] : "no problem");
		release(&r);
	}
}

static void warnings_are_given(void **state)
{
	static const char *const texts[] = {
		"source: {api_key: k, rate_limit: 600/min}",
		"source: {api_key: k, broadcasts: {status: [sent]}}",
		"source: {api_key: k, filter: {is_failed: true, email: a}}", /* not all is told */
	};
	static const char *const silent[] = {
		"source: {api_key: k, filter: {status: ALL, integration_id: twilio}}"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct read r;
		read_text(&r, texts[i]);
		assert_int_equal(r.problems.n, 0);
		assert_int_equal(r.problems.nwarnings, 1);
		release(&r);
	}
	for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
		struct read r;
		read_text(&r, silent[i]);
		assert_int_equal(r.problems.n + r.problems.nwarnings, 0);
		release(&r);
	}
}

static void derived_members(void **state)
{
	struct read r;

	(void)state;
	read_text(&r,
		  "source: {base_url: 'https://h/v1//', api_key: k, since: 2026-11-22T10:00:00Z, "
		  "collect: [contact.channels], orgs: [c, org_2]}");
	assert_int_equal(r.problems.n, 0);
	assert_string_equal(r.o.base_url, "https://h/v1");
	assert_int_equal(r.o.since_kind, SINCE_TIME);
	assert_true(r.o.since_ms == INT64_C(1795341600000));
	assert_true(r.o.channels);
	assert_int_equal(r.o.orgs.n, 2);
	release(&r);
	read_text(&r, "source: {api_key: k, since: all, broadcasts: all}");
	assert_int_equal(r.o.since_kind, SINCE_ALL);
	assert_int_equal(r.o.statuses.n + r.o.ids.n, 0);
	release(&r);
}

static void filters(void **state)
{
	static const struct {
		const char *text;
		const char *names[7];
		bool scope, state;
		unsigned warnings;
	} cases[] = {
		{"{}", {NULL}, false, false, 0},
		{"{status: ALL}", {"status", "ALL"}, false, false, 0},
		{"{status: PROCESSED}", {"status", "PROCESSED"}, false, true, 1},
		{"{status: HELD}", {"status", "HELD"}, false, true, 2},
		{"{is_failed: true}", {"is_failed", "true"}, false, true, 1},
		{"{is_bounced: 'false'}", {"is_bounced", "false"}, false, true, 2},
		{"{email: a@b}", {"email", "a@b"}, true, false, 0},
		{"{is_sent: false, contact_id: 5, username: u}",
		 {"is_sent", "false", "contact_id", "5", "username", "u"},
		 true,
		 true,
		 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct read r;
		char text[256];
		size_t n = 0;
		snprintf(text, sizeof text, "source: {api_key: k, filter: %s}", cases[i].text);
		read_text(&r, text);
		assert_int_equal(r.problems.n, 0);
		for (; cases[i].names[n]; n++) {
			assert_true(n < r.o.filter.n);
			assert_string_equal(r.o.filter.v[n], cases[i].names[n]);
		}
		assert_int_equal(r.o.filter.n, n);
		assert_int_equal(r.o.scope_filter, cases[i].scope);
		assert_int_equal(r.o.state_filter, cases[i].state);
		assert_int_equal(r.problems.nwarnings, cases[i].warnings);
		release(&r);
	}
}

static void wants(void **state)
{
	const int64_t now = 100 * DAY;
	static const struct {
		const char *broadcasts, *id, *status;
		int64_t created_days_ago, updated_days_ago; /* -1: not given */
		bool wanted;
	} cases[] = {
		{"{status: [SENT]}", "a", "SENT", 1, 1, true},
		{"{status: [SENT]}", "a", "FAILED", 1, 1, false},
		{"{status: [SENT]}", "a", "SENT", 20, 15, false},
		{"{status: [SENT]}", "a", "SENT", 20, 13, true},
		{"{status: [SENT]}", "a", "SENT", 13, -1, true},
		{"{status: [SENT]}", "a", "SENT", -1, -1, true},
		{"{status: [SENDING]}", "a", "SENDING", 50, 50, true},
		{"{status: [ACTIVE]}", "a", "ACTIVE", 50, 50, true},
		{"[b, a]", "a", "FAILED", 50, 50, true},
		{"[b, a]", "c", "SENDING", 1, 1, false},
		{"all", "a", "DRAFT", 1, 1, true},
		{"all", "a", "DRAFT", 15, 15, false},
		{"all", "a", "SOMETHING", 15, 15, true},
		{"all", "a", "", 1, 1, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t created = cases[i].created_days_ago, updated = cases[i].updated_days_ago;
		char text[128] = "source: {api_key: k, broadcasts: ";
		struct read r;
		strcat(strcat(text, cases[i].broadcasts), "}");
		read_text(&r, text);
		assert_int_equal(r.problems.n, 0);
		struct listing_row row = {
			.id = cases[i].id,
			.status = cases[i].status,
			.created_ms = created < 0 ? DATE_NONE : now - created * DAY,
			.updated_ms = updated < 0 ? DATE_NONE : now - updated * DAY,
		};
		if (source_wants(&r.o, &row, 0, now) != cases[i].wanted)
			fail_msg("case %zu: %s %s", i, cases[i].broadcasts, cases[i].status);
		if (cases[i].wanted && !source_wants(&r.o, &row, now - DAY, now))
			fail_msg("case %zu: moved", i);
		release(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presets),
		cmocka_unit_test(mistakes_have_a_place),
		cmocka_unit_test(warnings_are_given),
		cmocka_unit_test(derived_members),
		cmocka_unit_test(filters),
		cmocka_unit_test(wants),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
