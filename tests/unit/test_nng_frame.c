/* nng_frame, nng_topics: the bytes of a message, what a subscription takes in, what a heartbeat
 * names and when it says that there was more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/event.h"
#include "relay/base/json.h"
#include "transports/nng_frame.h"
#include "transports/nng_topics.h"

static void a_body_gets_its_prevsequence(void **state)
{
	static const struct {
		const char *body, *want;
	} cases[] = {
		{"{\"id\":\"x\",\"sequence\":\"0000000000000012\",\"data\":{}}",
		 "{\"id\":\"x\",\"sequence\":\"0000000000000012\","
		 "\"prevsequence\":\"0000000000000007\",\"data\":{}}"},
		{"{\"sequence\":\"0000000000000012\"}",
		 "{\"sequence\":\"0000000000000012\",\"prevsequence\":\"0000000000000007\"}"},
		{"{\"id\":\"x\"}", "{\"prevsequence\":\"0000000000000007\",\"id\":\"x\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t len = strlen(cases[i].body);
		char *got = calloc(1, len + FRAME_PREVSEQUENCE + 1);

		frame_body(got, cases[i].body, len, event_sequence_at(cases[i].body, len), 7);
		assert_string_equal(got, cases[i].want);
		free(got);
	}
}

static void a_message_is_split_at_its_first_space(void **state)
{
	size_t at = 99;

	(void)state;
	assert_true(frame_split("a.b {\"c\": 1}", 12, &at));
	assert_int_equal(at, 3);
	assert_true(frame_split(" {}", 3, &at));
	assert_int_equal(at, 0);
	assert_false(frame_split("a.b", 3, &at));
	assert_false(frame_split("", 0, &at));
}

static void a_subscription_is_a_byte_prefix(void **state)
{
	static const struct {
		const char *subscription, *topic;
		bool takes;
	} cases[] = {
		{"", "recipient.sent.sms.b", true},
		{"recipient.", "recipient.sent.sms.b", true},
		{"recipient.sent.sms.b", "recipient.sent.sms.b1", true},
		{"recipient.sent.sms.b ", "recipient.sent.sms.b1", false},
		{"recipient.sent.sms.b ", "recipient.sent.sms.b", true},
		{"recipient.sent.sms.b1", "recipient.sent.sms.b", false},
		{"Recipient.", "recipient.sent.sms.b", false},
		{" ", "a", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (frame_topic_matches(cases[i].subscription, cases[i].topic) != cases[i].takes)
			fail_msg("\"%s\" and %s", cases[i].subscription, cases[i].topic);
}

static void sequences_are_digits_below_two_to_the_53rd(void **state)
{
	static const struct {
		const char *digits;
		int64_t want; /* -1: none */
	} cases[] = {
		{"0", 0},
		{"0000000000001234", 1234},
		{"9007199254740991", 9007199254740991},
		{"9007199254740992", -1},
		{"99999999999999999999", -1},
		{"", -1},
		{"-1", -1},
		{"+1", -1},
		{" 1", -1},
		{"1e3", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t got = -1;

		frame_sequence(cases[i].digits, &got);
		if (got != cases[i].want)
			fail_msg("\"%s\": %lld", cases[i].digits, (long long)got);
	}
}

struct heard {
	struct buf text;
	struct json_doc *doc;
	const struct json *data;
};

static void listen_to(struct topics *t, struct heard *h)
{
	struct instant now = {.wall_ms = 1795341600123};
	struct err err = {0};
	size_t at;

	buf_clear(&h->text);
	topics_heartbeat(t, "urn:relay:bus:1", now, &h->text);
	assert_true(frame_split(h->text.data, h->text.len, &at));
	assert_int_equal(strncmp(h->text.data, "relay.heartbeat {", 17), 0);
	const struct json *root =
		json_parse(h->doc, h->text.data + at + 1, h->text.len - at - 1, JSON_DEPTH, &err);
	if (!root)
		fail_msg("%s in %s", err.msg, h->text.data);
	assert_string_equal(json_string(json_get(root, "type")), "relay.heartbeat");
	assert_string_equal(json_string(json_get(root, "source")), "urn:relay:bus:1");
	assert_string_equal(json_string(json_get(root, "time")), "2026-11-22T10:00:00.123Z");
	assert_int_equal(strlen(json_string(json_get(root, "id"))), 36);
	assert_null(json_get(root, "sequence"));
	h->data = json_get(root, "data");
}

static const char *last_of(const struct heard *h, const char *topic)
{
	return json_string(json_get(json_get(h->data, "topics"), topic));
}

static void heard_begin(struct heard *h)
{
	*h = (struct heard){BUF_INIT(FRAME_MESSAGE_MAX), json_doc_new(), NULL};
}

static void heard_end(struct heard *h)
{
	buf_release(&h->text);
	json_doc_free(h->doc);
}

static void a_heartbeat_names_what_was_used_lately(void **state)
{
	struct topics *t = topics_new();
	struct heard h;
	int64_t beat;

	(void)state;
	heard_begin(&h);
	topics_latest(t, 40);
	listen_to(t, &h);
	assert_string_equal(json_string(json_get(h.data, "latest")), "0000000000000040");
	assert_int_equal(json_count(json_get(h.data, "topics")), 0);
	assert_null(json_get(h.data, "more"));
	topics_note(t, "a", 41);
	topics_note(t, "b", 42);
	topics_note(t, "a", 43);
	topics_note(t, "b", 7); /* a repeat */
	listen_to(t, &h);
	assert_string_equal(json_string(json_get(h.data, "latest")), "0000000000000043");
	assert_string_equal(last_of(&h, "a"), "0000000000000043");
	assert_string_equal(last_of(&h, "b"), "0000000000000042");
	assert_true(json_int(json_get(h.data, "beat"), &beat));
	assert_int_equal(beat, 2);
	/* The heartbeat this many after the one before the use still names it, the next does not.
	 */
	for (int i = 2; i <= FRAME_HEARTBEAT_GAP; i++)
		listen_to(t, &h);
	assert_non_null(last_of(&h, "a"));
	listen_to(t, &h);
	assert_null(last_of(&h, "a"));
	assert_string_equal(json_string(json_get(h.data, "latest")), "0000000000000043");
	heard_end(&h);
	topics_free(t);
}

static void a_heartbeat_says_when_there_were_more(void **state)
{
	struct topics *t = topics_new();
	struct heard h;
	char topic[32];

	(void)state;
	heard_begin(&h);
	for (int i = 0; i < FRAME_TOPICS_MAX; i++) {
		snprintf(topic, sizeof topic, "topic.%d", i);
		topics_note(t, topic, i + 1);
	}
	listen_to(t, &h);
	assert_int_equal(json_count(json_get(h.data, "topics")), FRAME_TOPICS_MAX);
	assert_null(json_get(h.data, "more"));
	topics_note(t, "one.too.many", 9000);
	for (int i = 1; i <= FRAME_HEARTBEAT_GAP; i++) {
		listen_to(t, &h);
		assert_true(json_bool(json_get(h.data, "more"), false));
	}
	assert_string_equal(json_string(json_get(h.data, "latest")), "0000000000009000");
	listen_to(t, &h);
	assert_null(json_get(h.data, "more"));
	assert_int_equal(json_count(json_get(h.data, "topics")), 0);
	topics_note(t, "one.too.many", 9001); /* now there is room */
	listen_to(t, &h);
	assert_non_null(last_of(&h, "one.too.many"));
	heard_end(&h);
	topics_free(t);
}

static void a_heartbeat_of_long_topics_stays_a_message(void **state)
{
	struct topics *t = topics_new();
	struct heard h;
	char *topic = malloc(FRAME_TOPIC_MAX + 1);

	(void)state;
	heard_begin(&h);
	for (int i = 0; i < FRAME_TOPICS_MAX; i++) {
		memset(topic, 'x', FRAME_TOPIC_MAX);
		topic[FRAME_TOPIC_MAX] = '\0';
		topic[snprintf(topic, 16, "%d", i)] = '.';
		topics_note(t, topic, i + 1);
	}
	listen_to(t, &h);
	assert_false(h.text.full);
	assert_true(json_bool(json_get(h.data, "more"), false));
	assert_true(json_count(json_get(h.data, "topics")) > 100);
	heard_end(&h);
	free(topic);
	topics_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_gets_its_prevsequence),
		cmocka_unit_test(a_message_is_split_at_its_first_space),
		cmocka_unit_test(a_subscription_is_a_byte_prefix),
		cmocka_unit_test(sequences_are_digits_below_two_to_the_53rd),
		cmocka_unit_test(a_heartbeat_names_what_was_used_lately),
		cmocka_unit_test(a_heartbeat_says_when_there_were_more),
		cmocka_unit_test(a_heartbeat_of_long_topics_stays_a_message),
	};

	return cmocka_run_group_tests_name("nng_frame", tests, NULL, NULL);
}
