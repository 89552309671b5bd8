/* Batches under the transports' contract; and what is their own: when they go, what they say, and
 * that those that failed together go together again. */
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
#include "transports/signature.h"
#include "transports/wire.h"

#define OK_204	 "HTTP/1.1 204 No Content\r\n\r\n"
#define BUSY_503 "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
#define SECRET	 "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define EVENTS	 600
#define FIRST_ID 5000 /* of attempts */

/* --- the events in batches, one by one --- */

struct far {
	struct http_receiver *receiver;
	size_t looked, n; /* requests looked at, events in them */
	char *bodies[EVENTS];
};

static void look(struct far *f, const struct received *q)
{
	struct json_doc *doc = json_doc_new();
	const struct json_span *spans;
	struct err err = {0};

	if (!json_parse(doc, q->body, q->len, JSON_DEPTH + 1, &err))
		fail_msg("%s", err.msg);
	size_t n = json_elements(doc, &spans);

	assert_in_range(n, 1, 100);
	for (size_t i = 0; i < n; i++)
		f->bodies[f->n++] = xstrndup(q->body + spans[i].at, spans[i].len);
	json_doc_free(doc);
}

static void *far_open(bool hangs, char **ret_config)
{
	struct far *f = xcalloc(1, sizeof *f);

	f->receiver = http_receiver_open(hangs ? NULL : OK_204);
	*ret_config = xasprintf("{url: 'http://127.0.0.1:%d/', format: cloudevents-batch, "
				"secret: [%s]}",
				http_receiver_port(f->receiver), SECRET);
	return f;
}

static size_t far_count(void *far, size_t n)
{
	struct far *f = far;

	do {
		size_t there = http_receiver_count(f->receiver, f->looked + (f->n < n));

		if (there == f->looked)
			break;
		while (f->looked < there)
			look(f, http_receiver_get(f->receiver, f->looked++));
	} while (f->n < n);
	return f->n;
}

static const char *far_body(void *far, size_t i)
{
	return ((struct far *)far)->bodies[i];
}

static void far_close(void *far)
{
	struct far *f = far;

	for (size_t i = 0; i < f->n; i++)
		free(f->bodies[i]);
	http_receiver_close(f->receiver);
	free(f);
}

static const struct suite_transport batches = {
	.name = "http, batches",
	.type = &transport_http,
	.far_open = far_open,
	.far_count = far_count,
	.far_body = far_body,
	.far_close = far_close,
	.can_hang = true,
};

/* --- many parcels by hand --- */

struct desk {
	struct http_receiver *far;
	struct mailbox *loop;
	struct wire *wire;
	struct transport_env env;
	void *self;
	struct event events[EVENTS];
	struct parcel parcels[EVENTS];
	struct outcome outcomes[EVENTS];
	size_t n, answers;
	struct instant now;
};

static void take(void *arg, uint64_t id, const struct outcome *outcome)
{
	struct desk *d = arg;

	d->outcomes[id - FIRST_ID] = *outcome;
	d->answers++;
}

static struct desk *desk_open(const char *reply)
{
	struct desk *d = xcalloc(1, sizeof *d);
	struct err err = {0};

	d->far = http_receiver_open(reply);
	d->loop = mailbox_open(NULL, NULL);
	d->wire = wire_open(d->loop, 8, &err);
	d->env = (struct transport_env){.loop = d->loop, .wire = d->wire, .done = take, .arg = d};
	char *config = xasprintf("{url: 'http://127.0.0.1:%d/', format: cloudevents-batch, "
				 "secret: [%s]}",
				 http_receiver_port(d->far), SECRET);

	d->self = http_call_self(config, &d->env);
	free(config);
	return d;
}

static void desk_close(struct desk *d)
{
	transport_http.close(d->self);
	free(d->self);
	wire_close(d->wire);
	mailbox_close(d->loop);
	http_receiver_close(d->far);
	for (size_t i = 0; i < d->n; i++)
		event_release(&d->events[i]);
	free(d);
}

/* A new event of that sequence, with so much data. */
static struct parcel *add(struct desk *d, int64_t sequence, size_t padding)
{
	struct event *ev = &d->events[d->n];
	char id[EVENT_ID_SIZE], *data = xasprintf("{\"p\":\"%*s\"}", (int)padding, "");
	struct event_head head = {.id = id,
				  .type = "recipient.sent",
				  .source = "s",
				  .subject = "r",
				  .partitionkey = "r",
				  .time_ms = 1795000000000,
				  .recorded_ms = 1795000000000};

	snprintf(id, sizeof id, "evt_%032llx", (unsigned long long)sequence);
	event_make(ev, &head, data, strlen(data));
	event_number(ev, sequence);
	free(data);
	d->parcels[d->n] = (struct parcel){.id = FIRST_ID + d->n, .event = ev, .attempt = 1};
	return &d->parcels[d->n++];
}

static void send_some(struct desk *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		transport_http.send(d->self, add(d, (int64_t)d->n + 1, 10));
}

static void tick(struct desk *d, int64_t ms)
{
	d->now.mono_ms += ms;
	transport_http.tick(d->self, d->now);
}

/* Waits until that many verdicts are in; there are no more. */
static void answers(struct desk *d, size_t n)
{
	for (int i = 0; i < 100 && d->answers < n; i++) {
		mailbox_wait(d->loop, 100);
		mailbox_run(d->loop);
	}
	assert_int_equal(d->answers, n);
}

static const char *header(struct desk *d, size_t i, const char *name)
{
	static char value[64];

	return received_header(http_receiver_get(d->far, i), name, value, sizeof value) ? value
											: NULL;
}

/* Request i is the events from `first` on, in that order. */
static void is_batch_of(struct desk *d, size_t i, size_t first, size_t n)
{
	const struct received *q = http_receiver_get(d->far, i);
	struct buf want = BUF_INIT(2 << 20);
	struct id_part ids[100];
	char id[EVENT_ID_SIZE];

	for (size_t k = 0; k < n; k++) {
		ids[k] = (struct id_part){d->events[first + k].id, EVENT_ID_SIZE - 1};
		buf_addf(&want, "%s%s", k ? "," : "[", d->events[first + k].body);
	}
	buf_addc(&want, ']');
	assert_string_equal(q->body, want.data);
	event_id(id, ids, n);
	assert_string_equal(header(d, i, "webhook-id"), id);
	assert_string_equal(header(d, i, "Content-Type"),
			    "application/cloudevents-batch+json; charset=utf-8");
	buf_release(&want);
}

/* --- when they go --- */

static void test_a_full_one_goes_at_once_and_others_after_a_second(void **state)
{
	struct desk *d = desk_open(OK_204);

	(void)state;
	send_some(d, 230);
	answers(d, 200);
	tick(d, 1);
	tick(d, 500);
	send_some(d, 5); /* does not put it off */
	tick(d, 499);
	assert_int_equal(http_receiver_count(d->far, 2), 2);
	tick(d, 1);
	answers(d, 235);
	for (size_t i = 0; i < 3; i++)
		is_batch_of(d, i, i * 100, i < 2 ? 100 : 35);
	for (size_t i = 0; i < 235; i++) {
		assert_int_equal(d->outcomes[i].verdict, SENT);
		assert_int_equal(d->outcomes[i].group, d->outcomes[i / 100 * 100].group);
	}
	assert_int_not_equal(d->outcomes[0].group, 0);
	assert_int_not_equal(d->outcomes[0].group, d->outcomes[100].group);
	tick(d, 5000); /* nothing is left */
	assert_int_equal(http_receiver_count(d->far, 3), 3);
	desk_close(d);
}

/* What comes while as many calls are out as may be goes in one, when one of them has ended. */
static void test_calls_wait_for_each_other(void **state)
{
	struct desk *d = desk_open(OK_204);

	(void)state;
	d->env.calls = 2;
	for (int i = 0; i < 2; i++) {
		send_some(d, 1);
		tick(d, 1);
		tick(d, 1000);
	}
	send_some(d, 3);
	tick(d, 1);
	tick(d, 5000);
	send_some(d, 2);
	tick(d, 1000);
	assert_int_equal(http_receiver_count(d->far, 2), 2);
	answers(d, 2);
	tick(d, 1);
	answers(d, 7);
	is_batch_of(d, 0, 0, 1);
	is_batch_of(d, 1, 1, 1);
	is_batch_of(d, 2, 2, 5);
	d->env.calls = 1;
	send_some(d, 310); /* full ones wait, too */
	assert_int_equal(http_receiver_count(d->far, 4), 4);
	answers(d, 307);
	for (size_t i = 0; i < 3; i++)
		is_batch_of(d, 3 + i, 7 + 100 * i, 100);
	desk_close(d);
}

/* And who waits at the end has no verdict. */
static void test_closed_while_calls_wait(void **state)
{
	struct desk *d = desk_open(NULL);

	(void)state;
	d->env.calls = 1;
	send_some(d, 350);
	assert_int_equal(http_receiver_count(d->far, 1), 1);
	transport_http.close(d->self);
	memset(d->self, 0, transport_http.size);
	mailbox_run(d->loop);
	assert_int_equal(d->answers, 0);
	desk_close(d);
}

static void test_events_stand_in_sequence_order(void **state)
{
	static const int64_t order[] = {7, 2, 9, 4, 1};
	static const size_t sorted[] = {4, 1, 3, 0, 2};
	struct desk *d = desk_open(OK_204);
	const char *at;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		transport_http.send(d->self, add(d, order[i], 10));
	tick(d, 1);
	tick(d, 1000);
	answers(d, 5);
	at = http_receiver_get(d->far, 0)->body;
	for (size_t i = 0; i < 5; i++) {
		at = strstr(at, d->events[sorted[i]].id);
		assert_non_null(at);
	}
	desk_close(d);
}

static void test_a_body_has_a_ceiling(void **state)
{
	struct desk *d = desk_open(OK_204);

	(void)state;
	for (size_t i = 0; i < 9; i++)
		transport_http.send(d->self, add(d, (int64_t)i + 1, 250000));
	answers(d, 8);
	for (size_t i = 0; i < 2; i++) {
		is_batch_of(d, i, i * 4, 4);
		assert_in_range(http_receiver_get(d->far, i)->len, 1000000, 1 << 20);
	}
	desk_close(d);
}

/* --- again --- */

static void hand_again(struct desk *d, size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++) {
		d->parcels[i].group = d->outcomes[i].group;
		d->parcels[i].attempt++;
		transport_http.send(d->self, &d->parcels[i]);
	}
}

static void verify(struct desk *d, size_t i)
{
	const struct received *q = http_receiver_get(d->far, i);
	char id[64], time[64];
	struct err err = {0};
	struct signature_key *k = signature_key_load(SECRET, &err);
	int64_t now_s = clock_now().wall_ms / 1000;

	snprintf(id, sizeof id, "%s", header(d, i, "webhook-id"));
	snprintf(time, sizeof time, "%s", header(d, i, "webhook-timestamp"));
	struct signed_text text = {
		.id = id,
		.timestamp_s = strtoll(time, NULL, 10),
		.body = q->body,
		.len = q->len,
	};

	if (signature_verify(header(d, i, "webhook-signature"), &k, 1, &text, now_s, 300, &err) < 0)
		fail_msg("%s", err.msg);
	signature_key_free(k);
}

static void test_those_that_failed_together_go_together(void **state)
{
	struct desk *d = desk_open(BUSY_503);

	(void)state;
	send_some(d, 130);
	tick(d, 1);
	tick(d, 1000);
	answers(d, 130);
	for (size_t i = 0; i < 130; i++)
		assert_int_equal(d->outcomes[i].verdict, TRY_AGAIN);
	uint64_t first = d->outcomes[0].group, second = d->outcomes[100].group;

	assert_true(first && second && first != second);
	send_some(d, 3); /* these do not join them */
	hand_again(d, 100, 30);
	hand_again(d, 0, 100);
	send_some(d, 2);
	tick(d, 1);
	assert_int_equal(http_receiver_count(d->far, 5), 5);
	answers(d, 130 + 3 + 130);
	assert_int_equal(d->outcomes[0].group, first);
	assert_int_equal(d->outcomes[100].group, second);
	http_receiver_answer(d->far, OK_204);
	hand_again(d, 100, 30);
	tick(d, 0); /* at once: nobody else is coming */
	answers(d, 130 + 3 + 130 + 2 + 30);
	is_batch_of(d, 0, 0, 100);
	is_batch_of(d, 1, 100, 30);
	for (size_t i = 2; i < http_receiver_count(d->far, 7); i++) {
		const char *body = http_receiver_get(d->far, i)->body;
		bool of_second = !strcmp(body, http_receiver_get(d->far, 1)->body);
		bool of_first = !strcmp(body, http_receiver_get(d->far, 0)->body);
		char id[64];

		snprintf(id, sizeof id, "%s", header(d, i, "webhook-id"));
		assert_int_equal(of_first, !strcmp(id, header(d, 0, "webhook-id")));
		assert_int_equal(of_second, !strcmp(id, header(d, 1, "webhook-id")));
		verify(d, i);
	}
	assert_int_equal(d->outcomes[100].verdict, SENT);
	desk_close(d);
}

static void test_a_refusal_is_of_all(void **state)
{
	struct desk *d = desk_open("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");

	(void)state;
	send_some(d, 100);
	answers(d, 100);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(d->outcomes[i].verdict, REFUSED);
	desk_close(d);
}

/* --- beside them --- */

static void test_a_rules_body_goes_alone_and_behind(void **state)
{
	struct desk *d = desk_open(OK_204);
	struct err err = {0};
	struct template *body =
		template_compile(TEMPLATE_JSON, "{\"s\":\"{{subject}}\"}", 19, &err);
	struct parcel *ruled;

	(void)state;
	send_some(d, 3);
	ruled = add(d, 4, 10);
	ruled->body = body;
	transport_http.send(d->self, ruled);
	template_free(body);
	answers(d, 4);
	is_batch_of(d, 0, 0, 3);
	assert_string_equal(http_receiver_get(d->far, 1)->body, "{\"s\":\"r\"}");
	assert_string_equal(header(d, 1, "webhook-id"), d->events[3].id);
	assert_int_equal(d->outcomes[3].group, 0);
	desk_close(d);
}

static void test_what_is_gathered_at_the_end_has_no_verdict(void **state)
{
	struct desk *d = desk_open(OK_204);

	(void)state;
	send_some(d, 99);
	tick(d, 1);
	transport_http.close(d->self);
	memset(d->self, 0, transport_http.size);
	mailbox_run(d->loop);
	assert_int_equal(d->answers, 0);
	assert_int_equal(http_receiver_count(d->far, 0), 0);
	desk_close(d);
}

static void test_as_many_go_in_one_call(void **state)
{
	static const struct {
		const char *config;
		size_t per_call;
	} cases[] = {
		{"{url: 'http://a/', format: cloudevents-batch}", 100},
		{"{url: 'http://a/', format: cloudevents-binary}", 1},
		{"{url: 'http://a/'}", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		void *settings = xcalloc(1, transport_http.settings_size);
		struct yaml *y;

		free(http_call_settings(cases[i].config, settings, &y));
		assert_int_equal(transport_http.per_call(settings), cases[i].per_call);
		options_release(transport_http.options, settings);
		yaml_free(y);
		free(settings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_many_go_in_one_call),
		cmocka_unit_test(test_a_full_one_goes_at_once_and_others_after_a_second),
		cmocka_unit_test(test_calls_wait_for_each_other),
		cmocka_unit_test(test_closed_while_calls_wait),
		cmocka_unit_test(test_events_stand_in_sequence_order),
		cmocka_unit_test(test_a_body_has_a_ceiling),
		cmocka_unit_test(test_those_that_failed_together_go_together),
		cmocka_unit_test(test_a_refusal_is_of_all),
		cmocka_unit_test(test_a_rules_body_goes_alone_and_behind),
		cmocka_unit_test(test_what_is_gathered_at_the_end_has_no_verdict),
	};

	return transport_suite_run(&batches) +
	       cmocka_run_group_tests_name("batches", tests, NULL, NULL);
}
