/* Events in binary mode under the transports' contract; what each format says in headers and body,
 * in the call and in its preview; what cannot stand beside a format. */
#include "tests/suite/transport_suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "tests/suite/http_call_rig.h"
#include "tests/unit/random_rules.h"
#include "transports/http_format.h"

#define OK_204 "HTTP/1.1 204 No Content\r\n\r\n"
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

/* --- binary, as an event again --- */

static void add_decoded(struct buf *out, const char *value)
{
	struct buf plain = BUF_INIT(1 << 16);

	for (; *value; value++) {
		unsigned byte = (unsigned char)*value;

		assert_in_range(byte, 0x21, 0x7e);
		assert_int_not_equal(byte, '"');
		if (byte == '%') {
			assert_int_equal(sscanf(value + 1, "%2X", &byte), 1);
			value += 2;
		}
		buf_addc(&plain, (char)byte);
	}
	json_write_string(out, plain.data);
	buf_release(&plain);
}

/* The event that a call in binary mode carries, as Relay itself writes it. */
static char *structured(const struct received *q)
{
	static const char *const names[] = {"specversion",  "id",	"type",
					    "source",	    "subject",	"time",
					    "recordedtime", "sequence", "partitionkey"};
	struct buf out = BUF_INIT(EVENT_BODY_MAX * 2);
	char header[64], value[4096];

	assert_true(received_header(q, "Content-Type", value, sizeof value));
	assert_string_equal(value, "application/json");
	buf_addc(&out, '{');
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(header, sizeof header, "ce-%s", names[i]);
		assert_true(received_header(q, header, value, sizeof value));
		buf_addf(&out, "\"%s\":", names[i]);
		add_decoded(&out, value);
		buf_addc(&out, ',');
	}
	assert_false(received_header(q, "ce-datacontenttype", value, sizeof value));
	assert_false(received_header(q, "ce-data", value, sizeof value));
	buf_addf(&out, "\"datacontenttype\":\"application/json\",\"data\":%s}", q->body);
	return buf_detach(&out);
}

struct far {
	struct http_receiver *receiver;
	char *bodies[512]; /* owned; as structured, once asked for */
};

static void *far_open(bool hangs, char **ret_config)
{
	struct far *f = xcalloc(1, sizeof *f);

	f->receiver = http_receiver_open(hangs ? NULL : OK_204);
	*ret_config = xasprintf("{url: 'http://127.0.0.1:%d/', format: cloudevents-binary, "
				"secret: [%s], headers: {X-Type: '{{type}}'}}",
				http_receiver_port(f->receiver), SECRET);
	return f;
}

static size_t far_count(void *far, size_t n)
{
	return http_receiver_count(((struct far *)far)->receiver, n);
}

static const char *far_body(void *far, size_t i)
{
	struct far *f = far;

	if (!f->bodies[i])
		f->bodies[i] = structured(http_receiver_get(f->receiver, i));
	return f->bodies[i];
}

static void far_close(void *far)
{
	struct far *f = far;

	for (size_t i = 0; i < sizeof f->bodies / sizeof *f->bodies; i++)
		free(f->bodies[i]);
	http_receiver_close(f->receiver);
	free(f);
}

static const struct suite_transport binary = {
	.name = "http, binary",
	.type = &transport_http,
	.far_open = far_open,
	.far_count = far_count,
	.far_body = far_body,
	.far_close = far_close,
	.can_hang = true,
};

/* --- attributes --- */

static void test_escaping(void **state)
{
	static const char *const cases[][2] = {
		{"plain!#$&'()*+,-./:;<=>?@[]^_`{|}~\\", "plain!#$&'()*+,-./:;<=>?@[]^_`{|}~\\"},
		{"Euro \xe2\x82\xac \xf0\x9f\x98\x80", "Euro%20%E2%82%AC%20%F0%9F%98%80"},
		{"100% \"x\"", "100%25%20%22x%22"},
		{"a\r\nb: c\t\x7f", "a%0D%0Ab:%20c%09%7F"},
		{"", ""},
	};
	struct buf out = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_clear(&out);
		http_attribute_escape(&out, cases[i][0], strlen(cases[i][0]));
		assert_string_equal(out.data, cases[i][1]);
	}
	buf_release(&out);
}

static void check_lines(const struct http_binary *b, const char *lines)
{
	struct buf out = BUF_INIT(b->lines.max);
	const char *line = b->lines.data;

	for (size_t i = 0; i < b->n; i++, line += strlen(line) + 1)
		buf_addf(&out, "%s\n", line);
	assert_string_equal(out.data, lines);
	buf_release(&out);
}

static void test_attributes(void **state)
{
	static const struct {
		const char *event, *lines, *data;
	} cases[] = {
		{"{\"id\":\"a\",\"data\":{\"id\":\"b\"}}", "ce-id: a\n", "{\"id\":\"b\"}"},
		{"{\"subject\":\"\\u00e9\\n\\\"\",\"x1\":true,\"n\":-17,\"none\":null}",
		 "ce-subject: %C3%A9%0A%22\nce-x1: true\nce-n: -17\n", ""},
		{" { \"data\" : [ 1 , 2 ] , \"traceparent\" : \"00-1\" } ",
		 "ce-traceparent: 00-1\n", "[ 1 , 2 ]"},
		{"{\"Big\":\"a\",\"a-b\":\"c\",\"\\u0061\":\"d\",\"\":\"e\",\"o\":{},\"l\":[],"
		 "\"datacontenttype\":\"application/json\",\"empty\":\"\",\"data\":\"text\"}",
		 "ce-empty;\n", "\"text\""},
		{"{}", "", ""},
	};
	struct http_binary b = HTTP_BINARY_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = {0};

		if (http_binary_read(&b, cases[i].event, strlen(cases[i].event), &err) < 0)
			fail_msg("%s", err.msg);
		check_lines(&b, cases[i].lines);
		assert_int_equal(b.len, strlen(cases[i].data));
		assert_memory_equal(b.data, cases[i].data, b.len);
	}
	buf_release(&b.lines);
}

/* n attributes of a value of that length each */
static int read_many(int n, size_t len, struct err *err)
{
	struct http_binary b = HTTP_BINARY_INIT;
	struct buf text = BUF_INIT(1 << 20);
	char *value = xcalloc(1, len + 1);

	memset(value, 'v', len);
	for (int i = 0; i < n; i++)
		buf_addf(&text, "%s\"a%d\":\"%s\"", i ? "," : "{", i, value);
	buf_adds(&text, ",\"data\":{}}");
	int failed = http_binary_read(&b, text.data, text.len, err);

	free(value);
	buf_release(&text);
	buf_release(&b.lines);
	return failed;
}

static void test_attributes_have_ceilings(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(read_many(32, 100, &err), 0);
	assert_int_equal(read_many(33, 1, &err), -1);
	assert_non_null(strstr(err.msg, "more than 32 attributes"));
	assert_int_equal(read_many(2, 9000, &err), -1);
	assert_non_null(strstr(err.msg, "16384 bytes of headers"));
	assert_int_equal(read_many(1, 20000, &err), -1);
}

/* Cut anywhere, or with a byte changed, an event is still read within its bounds (asan looks on),
 * and every line is one of printable ASCII. */
static void test_broken_events(void **state)
{
	struct http_binary b = HTTP_BINARY_INIT;
	struct buf text = BUF_INIT(1 << 20);
	struct prng random = {5};

	(void)state;
	for (size_t i = 0; i < 300; i++) {
		buf_clear(&text);
		random_event(&text, &random);
		for (size_t len = 0; len < text.len; len++) {
			char *cut = xmalloc(len);
			struct err err = {0};

			if (len)
				memcpy(cut, text.data, len);
			if (len && i % 2)
				cut[prng_next(&random) % len] = "\"\\[]{}:,\0u"[i / 2 % 10];
			if (http_binary_read(&b, cut, len, &err) == 0) {
				assert_true(b.data + b.len <= cut + len || !b.len);
				for (size_t k = 0; k < b.lines.len; k++)
					assert_in_range(b.lines.data[k] ? b.lines.data[k] : ' ',
							' ', 0x7e);
			}
			free(cut);
		}
	}
	buf_release(&text);
	buf_release(&b.lines);
}

/* --- calls --- */

static const char hostile[] = "{\"state\":\"failed\",\"recipient\":{\"name\":"
			      "\"J\\u00fcrgen \\\"100 %\\\" \xf0\x9f\x98\x80\\r\\nce-id: x\"}}";

static void test_a_call_in_binary_mode(void **state)
{
	struct http_call_rig c;
	const struct received *q;

	(void)state;
	http_call_start(&c, OK_204,
			", format: cloudevents-binary, method: PATCH, headers: {X-A: b}");
	http_call_event(&c, hostile);
	event_number(&c.event, 42);
	http_call_make(&c);
	assert_int_equal(c.outcome.verdict, SENT);
	assert_int_equal(c.outcome.group, 0);
	q = http_receiver_get(c.far, 0);
	assert_memory_equal(q->head, "PATCH /hook?a=b HTTP/1.1\r\n", 26);
	assert_string_equal(q->body, hostile);
	assert_string_equal(http_call_header(&c, "ce-sequence"), "0000000000000042");
	assert_string_equal(http_call_header(&c, "X-A"), "b");
	char *same = structured(q);

	assert_string_equal(same, c.event.body);
	free(same);
	http_call_end(&c);
}

static void test_a_rules_body_wins(void **state)
{
	static const char *const formats[] = {"cloudevents", "cloudevents-binary",
					      "cloudevents-batch"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct http_call_rig c;
		struct err err = {0};
		char *more = xasprintf(", format: %s, secret: " SECRET, formats[i]);

		http_call_start(&c, OK_204, more);
		c.body = template_compile(TEMPLATE_JSON, "{\"t\":\"{{type}}\"}", 16, &err);
		assert_non_null(c.body);
		http_call_make(&c);
		assert_string_equal(http_receiver_get(c.far, 0)->body,
				    "{\"t\":\"recipient.failed\"}");
		assert_string_equal(http_call_header(&c, "Content-Type"), "application/json");
		assert_string_equal(http_call_header(&c, "webhook-id"), c.event.id);
		assert_null(http_call_header(&c, "ce-id"));
		assert_int_equal(c.outcome.group, 0);
		http_call_end(&c);
		free(more);
	}
}

static void test_previews(void **state)
{
	static const struct {
		const char *format, *headers, *body;
	} cases[] = {
		{"cloudevents", "Content-Type: application/cloudevents+json; charset=utf-8\n",
		 "{\"specversion\":\"1.0\","},
		{"cloudevents-binary",
		 "Content-Type: application/json\nX-T: recipient.failed\nce-specversion: 1.0\n"
		 "ce-id: evt_00112233445566778899aabbccddeeff\n",
		 "{\"state\":\"failed\"}"},
		{"cloudevents-batch",
		 "Content-Type: application/cloudevents-batch+json; charset=utf-8\n",
		 "[{\"specversion\":\"1.0\","},
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		void *settings = xcalloc(1, transport_http.settings_size);
		struct transport_preview v = {
			.url = BUF_INIT(1000), .headers = BUF_INIT(10000), .body = BUF_INIT(10000)};
		struct http_call_rig c = {0};
		struct parcel parcel = {.id = 1, .event = &c.event, .attempt = 1};
		struct err err = {0};
		struct yaml *y;
		char *config = xasprintf("{url: 'http://a/', format: %s%s}", cases[i].format,
					 i == 1 ? ", headers: {X-T: '{{type}}'}" : "");
		char *said = http_call_settings(config, settings, &y);

		assert_string_equal(said, "");
		http_call_event(&c, "{\"state\":\"failed\"}");
		assert_int_equal(transport_http.preview(settings, &parcel, &v, &err), 0);
		assert_memory_equal(v.headers.data, cases[i].headers, strlen(cases[i].headers));
		assert_memory_equal(v.body.data, cases[i].body, strlen(cases[i].body));
		assert_int_equal(v.body.data[0] == '[', v.body.data[v.body.len - 1] == ']');
		transport_preview_release(&v);
		options_release(transport_http.options, settings);
		event_release(&c.event);
		yaml_free(y);
		free(settings);
		free(config);
		free(said);
	}
}

/* --- what does not go together --- */

static void test_configuration(void **state)
{
	static const struct {
		const char *config, *says;
	} cases[] = {
		{"format: cloudevent", "http.format: "},
		{"format: cloudevents-binary, body: '{}'",
		 "http.format: goes with none of body, body_file and preset"},
		{"format: cloudevents, preset: slack", "http.format: goes with none"},
		{"format: cloudevents-binary, headers: {CE-Id: x}", "headers.CE-Id: is set by"},
		{"format: cloudevents-batch, headers: {X-Type: '{{type}}'}",
		 "headers.X-Type: a batch is of many events"},
		{"format: cloudevents-batch, url: 'http://a/{{type}}', network: {allow: ['::/0']}",
		 "http.url: a batch is of many events"},
		{"insecure: true, ca_file: /dev/null", "http.insecure: give either"},
		{"insecure: true", "http.insecure: the receiver's certificate is not verified"},
		{"format: cloudevents-batch, headers: {X-A: '{{params.a}}'}, params: {a: b}", ""},
		{"format: cloudevents-binary, headers: {X-T: '{{type}}', cent-id: x}", ""},
		{"format: cloudevents, headers: {ce-id: x}", ""},
		{"insecure: false", ""},
		{"body: '{}'", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool url = strstr(cases[i].config, "url:") != NULL;
		char *config =
			xasprintf("{%s%s}", url ? "" : "url: 'https://a/', ", cases[i].config);
		char *said = http_call_said(config);

		if (*cases[i].says ? !strstr(said, cases[i].says) : *said)
			fail_msg("%s: %s", cases[i].config, said);
		free(config);
		free(said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escaping),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_attributes_have_ceilings),
		cmocka_unit_test(test_broken_events),
		cmocka_unit_test(test_a_call_in_binary_mode),
		cmocka_unit_test(test_a_rules_body_wins),
		cmocka_unit_test(test_previews),
		cmocka_unit_test(test_configuration),
	};

	return transport_suite_run(&binary) +
	       cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
