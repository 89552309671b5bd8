/* http with templates: what arrives is what the template says, of its type and signed; values stay
 * in their place; what cannot be said is refused; and what a configuration may not say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/suite/http_call_rig.h"
#include "tests/suite/store_fixture.h"
#include "transports/http_settings.h"
#include "transports/signature.h"

#define OK_204 "HTTP/1.1 204 No Content\r\n\r\n"
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static void body_of(struct http_call_rig *c, const char *expected)
{
	assert_int_equal(c->outcome.verdict, SENT);
	assert_int_equal(http_receiver_count(c->far, c->answers), c->answers);
	assert_string_equal(http_receiver_get(c->far, c->answers - 1)->body, expected);
}

static void the_body_arrives_signed(void **state)
{
	struct http_call_rig c;
	struct err err = {0};
	struct signature_key *k = signature_key_load(SECRET, &err);
	int64_t now_s;

	(void)state;
	http_call_start(&c, OK_204,
			", secret: " SECRET
			", body: '{\"text\":\"{{type}} {{data.state}}\",\"data\":{{json data}}}'");
	http_call_make(&c);
	now_s = clock_now().wall_ms / 1000;
	body_of(&c, "{\"text\":\"recipient.failed failed\",\"data\":{\"state\":\"failed\"}}");
	assert_string_equal(http_call_header(&c, "Content-Type"), "application/json");

	const struct received *q = http_receiver_get(c.far, 0);
	struct signed_text text = {
		.id = c.event.id,
		.timestamp_s = strtoll(http_call_header(&c, "webhook-timestamp"), NULL, 10),
		.body = q->body,
		.len = q->len,
	};

	if (signature_verify(http_call_header(&c, "webhook-signature"), &k, 1, &text, now_s, 300,
			     &err) < 0)
		fail_msg("%s", err.msg);
	signature_key_free(k);
	http_call_end(&c);
}

static void kinds_of_bodies(void **state)
{
	static const struct {
		const char *more, *type, *body;
	} cases[] = {
		{", body: '{{json data.v}}', content_type: application/vnd.x+json",
		 "application/vnd.x+json", "\"a&b=<c>\\n\\\"ü\""},
		{", body: \"v={{data.v}}&n={{type}}\\n\", content_type: "
		 "application/x-www-form-urlencoded",
		 "application/x-www-form-urlencoded",
		 "v=a%26b%3D%3Cc%3E%0A%22%C3%BC&n=recipient.failed"},
		{", body: \"v {{data.v}}\\n\", content_type: 'text/plain; charset=utf-8'",
		 "text/plain; charset=utf-8", "v a&b=<c>\n\"ü\n"},
		{", body: '[1]'", "application/json", "[1]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_call_rig c;

		http_call_start(&c, OK_204, cases[i].more);
		http_call_event(&c, "{\"v\":\"a&b=<c>\\n\\\"ü\"}");
		http_call_make(&c);
		body_of(&c, cases[i].body);
		assert_string_equal(http_call_header(&c, "Content-Type"), cases[i].type);
		http_call_end(&c);
	}
}

/* Without a body the event itself goes, under its own type. */
static void header_values_stay_in_their_line(void **state)
{
	struct http_call_rig c;

	(void)state;
	http_call_start(&c, OK_204,
			", params: {token: t0k3n}, headers: {X-A: 'v {{data.v}}.', X-B: plain,"
			" X-Empty: '{{data.none}}', User-Agent: 'relay {{type}}',"
			" Authorization: 'Token {{params.token}}'}");
	http_call_event(&c, "{\"v\":\"a\\r\\nX-Evil: b\\u0001\\u007f\\u0085ü\"}");
	http_call_make(&c);
	body_of(&c, c.event.body);
	assert_string_equal(http_call_header(&c, "Content-Type"),
			    "application/cloudevents+json; charset=utf-8");
	assert_string_equal(http_call_header(&c, "X-A"), "v a  X-Evil: b   ü.");
	assert_string_equal(http_call_header(&c, "X-B"), "plain");
	assert_string_equal(http_call_header(&c, "X-Empty"), "");
	assert_string_equal(http_call_header(&c, "User-Agent"), "relay recipient.failed");
	assert_string_equal(http_call_header(&c, "Authorization"), "Token t0k3n");
	assert_null(http_call_header(&c, "X-Evil"));
	http_call_end(&c);
}

static void url_values_stay_in_their_part(void **state)
{
	static const struct {
		const char *data, *line;
	} cases[] = {
		{"{\"v\":\"a\"}", "POST /x/a/y?q=a HTTP/1.1\r\n"},
		{"{\"v\":\"a/../b?c&d=e#f g\\r\\n\"}",
		 "POST "
		 "/x/a%2F..%2Fb%3Fc%26d%3De%23f%20g%0D%0A/y?q=a%2F..%2Fb%3Fc%26d%3De%23f%20g%0D%0A "
		 "HTTP/1.1\r\n"},
		{"{\"v\":\"...\"}", "POST /x/.../y?q=... HTTP/1.1\r\n"},
		{"{\"v\":\"%2e\"}", "POST /x/%252e/y?q=%252e HTTP/1.1\r\n"},
		{"{\"v\":\".\"}", NULL},
		{"{\"v\":\"..\"}", NULL},
	};
	struct http_call_rig c;
	size_t arrived = 0;

	(void)state;
	http_call_start_at(&c, OK_204, "/x/{{data.v}}/y?q={{data.v}}",
			   ", network: {allow: [127.0.0.0/8]}");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		http_call_event(&c, cases[i].data);
		http_call_make(&c);
		if (!cases[i].line) {
			assert_int_equal(c.outcome.verdict, REFUSED);
			assert_string_equal(c.why, "url: a part of the path would be only dots");
			continue;
		}
		assert_int_equal(c.outcome.verdict, SENT);
		arrived++;
		assert_int_equal(http_receiver_count(c.far, arrived), arrived);
		const char *head = http_receiver_get(c.far, arrived - 1)->head;
		if (strncmp(head, cases[i].line, strlen(cases[i].line)) != 0)
			fail_msg("%s: %.200s", cases[i].data, head);
	}
	http_call_end(&c);
}

/* Refused with its reason, so that it is parked; what comes after is sent all the same. */
static void what_is_too_large_is_refused(void **state)
{
	static const struct {
		const char *more, *why;
	} cases[] = {
		{", body: '[{{#each data.l}}{{json @root.data.l}}{{/each}}]'",
		 "body: comes to more than 262144 bytes"},
		{", body: '{{#each data.l}}{{#each ../data.l}}{{#each "
		 "../../data.l}}{{/each}}{{/each}}"
		 "{{/each}}', content_type: text/plain",
		 "body: takes more than 1000000 steps"},
		{", headers: {X-A: '{{data.l}}', X-B: '{{data.l}}'}",
		 "headers.X-B: comes to more than "},
	};
	struct buf large = BUF_INIT(1 << 20);

	(void)state;
	buf_adds(&large, "{\"l\":[\"0123456789\"");
	for (int i = 0; i < 1000; i++)
		buf_adds(&large, ",\"01234567\"");
	buf_adds(&large, "]}");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_call_rig c;

		http_call_start(&c, OK_204, cases[i].more);
		http_call_event(&c, large.data);
		http_call_make(&c);
		assert_int_equal(c.outcome.verdict, REFUSED);
		if (strncmp(c.why, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("%s: %s", cases[i].more, c.why);
		http_call_event(&c, "{}");
		http_call_make(&c);
		assert_int_equal(c.outcome.verdict, SENT);
		assert_string_equal(c.why, "");
		http_call_end(&c);
	}
	buf_release(&large);
}

/* The same event under the settings after a reload: it says what the mended template says. */
static void a_mended_template_cures(void **state)
{
	struct http_call_rig c;

	(void)state;
	http_call_start(&c, OK_204,
			", body: '[{{#each data.l}}\"{{../data}}{{../data}}\"{{/each}}]'");
	char *list = xmalloc(100000);
	memcpy(list, "{\"l\":[1", 7);
	for (size_t i = 7; i < 90007; i += 2)
		memcpy(list + i, ",1", 2);
	memcpy(list + 90007, "]}", 3);
	http_call_event(&c, list);
	http_call_make(&c);
	assert_int_equal(c.outcome.verdict, REFUSED);
	http_call_reopen(&c, ", body: '{{json data.l.0}}'");
	http_call_make(&c);
	assert_int_equal(c.outcome.verdict, SENT);
	assert_string_equal(http_receiver_get(c.far, 0)->body, "1");
	http_call_end(&c);
	free(list);
}

static char *write_file(const char *folder, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", folder, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fputs(text, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
	return path;
}

/* Params come into the body; a receiver that sends them back does not get them into a message. */
static void params_and_files(void **state)
{
	char *folder = fixture_folder();
	char *file = write_file(folder, "body",
				"{\n\"k\": \"{{params.key}}\", \"c\": {{json params.ch}}}\n");
	char *key = write_file(folder, "key", "the key from a file\n");
	char *more = xasprintf(", body_file: '%s', params: {key_file: '%s', ch: ops}", file, key);
	struct http_call_rig c;

	(void)state;
	http_call_start(&c,
			"HTTP/1.1 400 Bad\r\nContent-Length: 25\r\n\r\nno the key from a file ops",
			more);
	http_call_make(&c);
	assert_int_equal(c.outcome.verdict, REFUSED);
	assert_string_equal(c.why, "400: no *** op");
	assert_string_equal(http_receiver_get(c.far, 0)->body,
			    "{\n\"k\": \"the key from a file\", \"c\": \"ops\"}\n");
	http_call_end(&c);
	fixture_remove(folder);
	free(more);
	free(file);
	free(key);
}

/* A rule's body stands in place of the destination's, and may be gone when the call is made. */
static void a_rule_may_say_the_body(void **state)
{
	static const char text[] = "{\"rule\": \"{{type}} {{params.who}}\"}";
	static const char large[] = "[{{#each data.l}}{{json @root.data.l}}{{/each}}]";
	struct http_call_rig c;
	struct err err = {0};
	struct buf list = BUF_INIT(1 << 20);

	(void)state;
	http_call_start(&c, OK_204,
			", params: {who: me}, body: 'x {{params.who}}', content_type: text/plain,"
			" headers: {X-A: '{{type}}'}");
	c.body = template_compile(TEMPLATE_JSON, text, strlen(text), &err);
	assert_non_null(c.body);
	http_call_make(&c);
	body_of(&c, "{\"rule\": \"recipient.failed me\"}");
	assert_string_equal(http_call_header(&c, "Content-Type"), "application/json");
	assert_string_equal(http_call_header(&c, "X-A"), "recipient.failed");

	buf_adds(&list, "{\"l\":[1");
	for (int i = 0; i < 2000; i++)
		buf_adds(&list, ",2");
	buf_adds(&list, "]}");
	http_call_event(&c, list.data);
	c.body = template_compile(TEMPLATE_JSON, large, strlen(large), &err);
	assert_non_null(c.body);
	http_call_make(&c);
	assert_int_equal(c.outcome.verdict, REFUSED);
	assert_string_equal(c.why, "body: comes to more than 262144 bytes");

	http_call_make(&c); /* without a rule's, and after both */
	assert_int_equal(c.outcome.verdict, SENT);
	assert_string_equal(http_receiver_get(c.far, 1)->body, "x me");
	assert_non_null(strstr(http_receiver_get(c.far, 1)->head, "Content-Type: text/plain\r\n"));
	http_call_end(&c);
	buf_release(&list);
}

static void alertmanager_wants_repeats(void **state)
{
	struct http_settings s = {.preset = (char *)"alertmanager"};

	(void)state;
	assert_int_equal(transport_http.repeat_ms(&s), 60000);
	s.preset = (char *)"slack";
	assert_int_equal(transport_http.repeat_ms(&s), 0);
	s.preset = NULL;
	assert_int_equal(transport_http.repeat_ms(&s), 0);
}

static void presets_are_sent(void **state)
{
	struct http_call_rig c;

	(void)state;
	http_call_start(&c, OK_204, ", preset: pagerduty, params: {routing_key: R0123456789}");
	http_call_make(&c);
	assert_int_equal(c.outcome.verdict, SENT);
	assert_non_null(
		strstr(http_receiver_get(c.far, 0)->body, "\"routing_key\": \"R0123456789\""));
	assert_string_equal(http_call_header(&c, "Content-Type"), "application/json");
	http_call_end(&c);
}

#define PUBLIC "network: public, url: "

static void what_a_configuration_may_not_say(void **state)
{
	static const struct {
		const char *config, *says;
	} cases[] = {
		{"{url: 'http://a/', body: '{', preset: slack}",
		 "give one of body, body_file and preset"},
		{"{url: 'http://a/', body: '{'}",
		 "http.body: line 1, column 1: this { is not closed"},
		{"{url: 'http://a/', body: {a: b}}", "must be one value"},
		{"{url: 'http://a/', preset: slak}", "did you mean \"slack\"?"},
		{"{url: 'http://a/', body_file: /nonexistent/x}", "/nonexistent/x cannot be read"},
		{"{url: 'http://a/', body_file: /dev/null}", "it is not a file"},
		{"{url: 'http://a/', body_file: tests/data/templates/bad.json}",
		 "bad.json: line 2, column 8: "},
		{"{url: 'http://a/', content_type: text/plain}", "goes with body"},
		{"{url: 'http://a/', content_type: text/plain, preset: slack}", "goes with body"},
		{"{url: 'http://a/', content_type: text/html, body: x}", "must be JSON"},
		{"{url: 'http://a/', content_type: application/soap+xml, body: x}", "must be JSON"},
		{"{url: 'http://a/', content_type: text/xml, body: x}", "must be JSON"},
		{"{url: 'http://a/', content_type: image/png, body: x}", "must be JSON"},
		{"{url: 'http://a/', content_type: \"text/plain\\r\\na: b\", body: x}",
		 "must be JSON"},
		{"{url: 'http://a/', headers: {a: '{{b'}}",
		 "headers.a: line 1, column 1: {{ without }}"},
		{"{url: 'http://a/', headers: {webhook-id: '{{b}}'}}", "set by Relay"},
		{"{url: 'http://a/', headers: {'a{{b}}': c}}", "no header name"},
		{"{url: 'http://a/', headers: {X: \"${RELAY_TEST_SECRET} {{type}}\"}}",
		 "headers.X: has a value of the environment"},
		{"{url: 'http://a/{{type}}'}", "wants network: public"},
		{"{url: 'http://a/{{type}}', network: private}", "wants network: public"},
		{"{url: 'http://a/{{type}}', network: {deny: [10.0.0.0/8]}}",
		 "wants network: public"},
		{"{url: 'http://a/{{type}}', network: public}", "must be https"},
		{"{" PUBLIC "'https://{{data.x}}/a'}", "the host is fixed"},
		{"{" PUBLIC "'https://a{{data.x}}'}", "the host is fixed"},
		{"{" PUBLIC "'https://a:1{{../x}}/'}", "the host is fixed"},
		{"{" PUBLIC "'https://a/{{x'}", "url"},
		{"{" PUBLIC "'https://a/{{#if x}}b'}",
		 "url: line 1, column 11: this block has no {{/if}}"},
		{"{url: 'http://a/', preset: pagerduty}", "preset: params.routing_key is missing"},
		{"{url: 'http://a/', preset: pagerduty, params: {routingkey: x}}",
		 "preset: params.routing_key is missing"},
		{"{url: 'http://a/', preset: pagerduty, params: {routing_key: x, severty: y}}",
		 "params.severty: no template here says {{params.severty}}; did you mean "
		 "\"severity\"?"},
		{"{url: 'http://a/', params: {a: b}}", "no template here says {{params.a}}"},
		{"{url: 'http://a/', params: [a]}", "must be a map"},
		{"{url: 'http://a/', params: {'a b': c}}", "a name is 1 to 64"},
		{"{url: 'http://a/', params: {a: [b]}}", "must be one value"},
		{"{url: 'http://a/', params: {a: ''}}", "is empty"},
		{"{url: 'http://a/', params: {a_file: /nonexistent}}", "cannot be read"},
		{"{url: 'http://a/', params: {a: b, a_file: c}}", "give either a or a_file"},
	};

	(void)state;
	setenv("RELAY_TEST_SECRET", "s3cr3t", 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *said = http_call_said(cases[i].config);

		if (!strstr(said, cases[i].says))
			fail_msg("%s: %s", cases[i].config, said);
		assert_null(strstr(said, "s3cr3t"));
		free(said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_body_arrives_signed),
		cmocka_unit_test(kinds_of_bodies),
		cmocka_unit_test(header_values_stay_in_their_line),
		cmocka_unit_test(url_values_stay_in_their_part),
		cmocka_unit_test(what_is_too_large_is_refused),
		cmocka_unit_test(a_mended_template_cures),
		cmocka_unit_test(params_and_files),
		cmocka_unit_test(a_rule_may_say_the_body),
		cmocka_unit_test(alertmanager_wants_repeats),
		cmocka_unit_test(presets_are_sent),
		cmocka_unit_test(what_a_configuration_may_not_say),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
