/* event: ids against vectors made with xxhsum -H128, the envelope's bytes, topics, ceilings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/event.h"
#include "relay/base/hash.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"

#define AT 1795341600123 /* 2026-11-22T10:00:00.123Z */

/* Tests run from the repository's top, as make starts them. */
static void read_file(struct buf *ret, const char *path)
{
	FILE *f = fopen(path, "r");
	char part[4096];
	size_t n;

	if (!f)
		fail_msg("%s cannot be opened; run from the repository's top", path);
	while ((n = fread(part, 1, sizeof part, f)) > 0)
		buf_add(ret, part, n);
	fclose(f);
}

static void ids_are_as_the_vectors_say(void **state)
{
	struct json_doc *doc = json_doc_new();
	struct buf text = BUF_INIT(1 << 20);
	const struct json *vector;
	struct err err = {0};
	size_t n = 0;

	(void)state;
	read_file(&text, "tests/data/ids.json");
	vector = json_parse(doc, text.data, text.len, JSON_DEPTH, &err);
	if (!vector)
		fail_msg("ids.json: %s", err.msg);
	for (vector = json_first(vector); vector; vector = json_next(vector), n++) {
		const struct json *part = json_first(json_get(vector, "parts"));
		struct id_part parts[8];
		char id[EVENT_ID_SIZE];
		size_t nparts = 0;

		for (; part; part = json_next(part))
			parts[nparts++] = ID_PART(json_string(part));
		event_id(id, parts, nparts);
		if (strcmp(id, json_string(json_get(vector, "id"))) != 0)
			fail_msg("%s: %s", json_string(json_get(vector, "what")), id);
	}
	assert_true(n >= 20);
	buf_release(&text);
	json_doc_free(doc);
}

static const struct event_head failed = {
	.id = "evt_0123456789abcdef0123456789abcdef",
	.type = "recipient.failed",
	.source = "https://api.example.com/orgs/o/broadcasts/bc_1",
	.subject = "r\"1",
	.partitionkey = "r\"1",
	.integration_id = "twilio",
	.broadcast_id = "bc_1",
	.time_ms = AT,
	.recorded_ms = AT + 3878,
};

static void body_has_its_members_in_order(void **state)
{
	static const char data[] = "{ \"state\": \"failed\", \"n\": 1.50 }";
	struct event ev;

	(void)state;
	event_make(&ev, &failed, data, sizeof data - 1);
	assert_string_equal(
		ev.body, "{\"specversion\":\"1.0\",\"id\":\"evt_0123456789abcdef0123456789abcdef\","
			 "\"type\":\"recipient.failed\","
			 "\"source\":\"https://api.example.com/orgs/o/broadcasts/bc_1\","
			 "\"subject\":\"r\\\"1\",\"time\":\"2026-11-22T10:00:00.123Z\","
			 "\"recordedtime\":\"2026-11-22T10:00:04.001Z\","
			 "\"sequence\":\"0000000000000000\",\"partitionkey\":\"r\\\"1\","
			 "\"datacontenttype\":\"application/json\","
			 "\"data\":{\"state\":\"failed\",\"n\":1.50}}");
	assert_int_equal(ev.len, strlen(ev.body));
	assert_string_equal(ev.id, failed.id);
	assert_string_equal(ev.type, failed.type);
	assert_string_equal(ev.topic, "recipient.failed.twilio.bc_1");
	assert_true(ev.time_ms == AT);
	assert_true(ev.order_key == hash64("r\"1", 3));
	assert_true(ev.sequence == 0);
	event_release(&ev);
	assert_null(ev.body);
}

static void times_fall_back_to_when_it_was_seen(void **state)
{
	static const struct {
		int64_t at, expected;
		const char *text;
	} cases[] = {
		{DATE_NONE, AT + 3878, "\"time\":\"2026-11-22T10:00:04.001Z\""},
		{AT, AT, "\"time\":\"2026-11-22T10:00:00.123Z\""},
		/* A clock that runs ahead: the body keeps what the API said, windows do not. */
		{AT + 60000, AT + 3878, "\"time\":\"2026-11-22T10:01:00.123Z\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct event_head head = failed;
		struct event ev;

		head.time_ms = cases[i].at;
		head.subject = NULL;
		event_make(&ev, &head, "{}", 2);
		assert_true(ev.time_ms == cases[i].expected);
		assert_non_null(strstr(ev.body, cases[i].text));
		assert_null(strstr(ev.body, "subject"));
		event_release(&ev);
	}
}

static void sequence_is_written_and_found(void **state)
{
	static const int64_t numbers[] = {1, 1234, 9007199254740991};
	struct event_head head = failed;
	struct event ev;

	(void)state;
	head.subject = "\"sequence\":\"1111111111111111\"";
	event_make(&ev, &head, "{\"sequence\":\"2222222222222222\"}", 31);
	assert_memory_equal(ev.body + ev.sequence_at, "0000000000000000\"", 17);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		size_t len = strlen(ev.body);

		event_number(&ev, numbers[i]);
		assert_true(ev.sequence == numbers[i]);
		assert_int_equal(strlen(ev.body), len);
		assert_int_equal(event_sequence_at(ev.body, ev.len), ev.sequence_at);
		assert_true(strtoll(ev.body + ev.sequence_at, NULL, 10) == numbers[i]);
		assert_int_equal(ev.body[ev.sequence_at + 16], '"');
	}
	assert_int_equal(event_recorded_ms(ev.body, ev.len), failed.recorded_ms);
	for (size_t len = 0; len < ev.sequence_at - 16; len++)
		assert_true(event_recorded_ms(ev.body, len) == DATE_NONE ||
			    event_recorded_ms(ev.body, len) == failed.recorded_ms);
	event_release(&ev);

	assert_true(event_recorded_ms("{\"recordedtime\":\"now\"}", 22) == DATE_NONE);
	assert_int_equal(event_sequence_at("", 0), 0);
	assert_int_equal(event_sequence_at("{\"sequence\":\"123\"}", 18), 0);
	assert_int_equal(event_sequence_at("{\"sequence\":\"12345678", 21), 0);
}

static void topics_are_encoded(void **state)
{
	static const struct {
		const char *type, *integration, *broadcast, *expected;
	} cases[] = {
		{"recipient.failed", "twilio", "bc_1", "recipient.failed.twilio.bc_1"},
		{"recipient.failed", NULL, "bc_1", "recipient.failed.-.bc_1"},
		{"relay.parked", NULL, NULL, "relay.parked.-.-"},
		{"relay.parked", "", "", "relay.parked.-.-"},
		{"recipient.sent", "a.b c", "x/\xc3\xa9%\n",
		 "recipient.sent.a%2Eb%20c.x%2F%C3%A9%25%0A"},
		{"broadcast.odd status", "AZ-az_09", "-", "broadcast.odd%20status.AZ-az_09.-"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(1000);

		event_topic(&out, cases[i].type, cases[i].integration, cases[i].broadcast);
		assert_string_equal(out.data, cases[i].expected);
		buf_release(&out);
	}
}

/* Appends ,"name":"xxx…" of n bytes. */
static void add_long(struct buf *out, const char *name, size_t n)
{
	buf_addf(out, ",\"%s\":\"", name);
	for (size_t i = 0; i < n; i++)
		buf_addc(out, 'x');
	buf_addc(out, '"');
}

static void large_events_are_cut_down(void **state)
{
	static const struct {
		size_t recipient, error, other;
		const char *kept, *gone;
	} cases[] = {
		{1000, 1000, 0, "\"recipient\"", NULL},
		{EVENT_BODY_MAX, 1000, 0, "\"error_message\"", "\"recipient\""},
		{1000, EVENT_BODY_MAX, 0, "\"state\"", "\"error_message\""},
		{0, 0, EVENT_BODY_MAX, "\"data\":{}}", "\"state\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf data = BUF_INIT(4 << 20);
		struct err err = {0};
		struct event ev;

		buf_adds(&data, "{\"state\":\"failed\"");
		add_long(&data, "recipient", cases[i].recipient);
		add_long(&data, "error_message", cases[i].error);
		add_long(&data, "other", cases[i].other);
		buf_addc(&data, '}');
		event_make(&ev, &failed, data.data, data.len);
		assert_true(ev.len <= EVENT_BODY_MAX);
		if (json_check(ev.body, ev.len, JSON_DEPTH, &err) < 0)
			fail_msg("case %zu: %s", i, err.msg);
		assert_non_null(strstr(ev.body, cases[i].kept));
		if (cases[i].gone)
			assert_null(strstr(ev.body, cases[i].gone));
		event_release(&ev);
		buf_release(&data);
	}
}

static void largest_event_fits_to_the_byte(void **state)
{
	struct buf data = BUF_INIT(4 << 20);
	struct event ev;
	size_t frame;

	(void)state;
	event_make(&ev, &failed, "{}", 2);
	frame = ev.len - 2;
	event_release(&ev);
	for (size_t more = 0; more < 2; more++) {
		size_t quotes = strlen("{\"recipient\":\"\"}");

		buf_clear(&data);
		buf_addc(&data, '{');
		add_long(&data, "recipient", EVENT_BODY_MAX - frame - quotes + more);
		buf_addc(&data, '}');
		memmove(data.data + 1, data.data + 2, data.len - 1); /* the comma */
		data.len--;
		event_make(&ev, &failed, data.data, data.len);
		assert_int_equal(ev.len, more ? frame + 2 : EVENT_BODY_MAX);
		event_release(&ev);
	}
	buf_release(&data);
}

static void some_are_about_a_destination(void **state)
{
	static const struct {
		const char *type, *subject, *about;
	} cases[] = {
		{"relay.parked", "crm", "crm"},		  {"relay.dropped", "a \"b\"", "a \"b\""},
		{"relay.destination.down", "crm", "crm"}, {"relay.destination.up", NULL, NULL},
		{"relay.source.down", "crm", NULL},	  {"relay.audit", "crm", NULL},
		{"recipient.failed", "crm", NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct event ev;
		const struct event_head head = {.id = "evt_1",
						.type = cases[i].type,
						.source = "urn:x",
						.subject = cases[i].subject,
						.partitionkey = "k",
						.time_ms = DATE_NONE};
		event_make(&ev, &head, "{}", 2);
		char *about = event_about(&ev);
		if (cases[i].about)
			assert_string_equal(about, cases[i].about);
		else
			assert_null(about);
		free(about);
		event_release(&ev);
	}
}

static void lists_are_released(void **state)
{
	struct events list = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		list.v = mem_grow(list.v, list.n, &list.cap, sizeof *list.v);
		event_make(&list.v[list.n++], &failed, "{}", 2);
	}
	events_release(&list);
	assert_null(list.v);
	assert_int_equal(list.n, 0);
	events_release(&list);
	events_release(NULL);
	event_release(&(struct event){0});
	event_release(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_as_the_vectors_say),
		cmocka_unit_test(body_has_its_members_in_order),
		cmocka_unit_test(times_fall_back_to_when_it_was_seen),
		cmocka_unit_test(sequence_is_written_and_found),
		cmocka_unit_test(topics_are_encoded),
		cmocka_unit_test(large_events_are_cut_down),
		cmocka_unit_test(largest_event_fits_to_the_byte),
		cmocka_unit_test(some_are_about_a_destination),
		cmocka_unit_test(lists_are_released),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
