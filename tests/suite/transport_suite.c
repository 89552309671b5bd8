/* transport_suite — each clause of the contract once. Bodies are freed the moment their verdict is
 * in, so that whoever still reads them is caught by the address sanitizer. */
#include "tests/suite/transport_suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "transports/wire.h"

#define PARCELS	    200
#define DEADLINE_MS 10000

struct bench {
	const struct suite_transport *under;
	void *far;
	char *config;
	struct mailbox *loop;
	struct wire *wire;
	struct transport_env env;
	void *settings, *self;
	void *old; /* that another has replaced; NULL: none */
	struct sent {
		struct event event;
		struct parcel parcel;
		bool answered;
		struct outcome outcome;
	} sent[PARCELS];
	size_t nsent, nanswered;
	int64_t ahead_ms; /* of the clock that ticks tell */
	bool closed;
};

static const struct suite_transport *suite; /* set once by transport_suite_run */

static void take(void *arg, uint64_t id, const struct outcome *outcome)
{
	struct bench *b = arg;
	struct sent *s = &b->sent[id - 1000];

	assert_false(b->closed);
	assert_in_range(id, 1000, 1000 + b->nsent - 1);
	assert_false(s->answered); /* once */
	s->answered = true;
	s->outcome = *outcome;
	s->outcome.why = NULL;
	if (outcome->why) {
		assert_null(strchr(outcome->why, '\n'));
		assert_true(strlen(outcome->why) <= 1024);
	}
	event_release(&s->event);
	memset(&s->parcel, 0xee, sizeof s->parcel);
	b->nanswered++;
}

/* The settings as relay reads them from a file, and gone again once the transport is open. */
static void open_self(struct bench *b, void **ret_self)
{
	const struct transport_type *type = b->under->type;
	struct problems p = {0};
	struct err err = {0};
	struct yaml *y;
	void *settings = xcalloc(1, type->settings_size + 1);
	char *text = xasprintf("it: %s\n", b->config);

	y = yaml_parse("suite", text, strlen(text), &p);
	if (y) {
		options_read(type->options, node_get(yaml_root(y), "it"), settings, &p);
		if (type->check)
			type->check(settings, node_get(yaml_root(y), "it"), &p);
	}
	if (p.n)
		fail_msg("%s", p.v[0]);
	*ret_self = xcalloc(1, type->size);
	if (type->open(*ret_self, settings, &b->env, &err) < 0)
		fail_msg("%s", err.msg);
	options_release(type->options, settings);
	memset(settings, 0xee, type->settings_size);
	free(settings);
	yaml_free(y);
	problems_release(&p);
	free(text);
}

static struct bench *bench_open(bool hangs)
{
	struct bench *b = xcalloc(1, sizeof *b);
	struct err err = {0};

	b->under = suite;
	b->far = suite->far_open(hangs, &b->config);
	b->loop = mailbox_open(NULL, NULL);
	b->wire = wire_open(b->loop, 64, &err);
	assert_non_null(b->wire);
	b->env = (struct transport_env){.destination = "it",
					.number = 1,
					.loop = b->loop,
					.wire = b->wire,
					.done = take,
					.arg = b};
	open_self(b, &b->self);
	if (suite->far_ready)
		suite->far_ready(b->far);
	return b;
}

static void close_self(struct bench *b)
{
	int64_t start = clock_mono_us();

	b->under->type->close(b->self);
	b->closed = true;
	assert_true(clock_mono_us() - start < 2000000); /* a second, and a slow machine's second */
	for (size_t i = 0; i < b->nsent; i++)
		if (!b->sent[i].answered)
			event_release(&b->sent[i].event);
	memset(b->self, 0xee, b->under->type->size);
	free(b->self);
	b->self = NULL;
	mailbox_run(b->loop); /* what is left in the mailbox touches nothing of it */
}

static void bench_close(struct bench *b)
{
	if (b->self)
		close_self(b);
	wire_close(b->wire);
	mailbox_close(b->loop);
	suite->far_close(b->far);
	free(b->config);
	free(b);
}

static void make_event(struct event *ret, size_t number, size_t padding)
{
	char id[EVENT_ID_SIZE], *data = xmalloc(padding + 16);
	struct event_head head = {
		.id = id,
		.type = "recipient.failed",
		.source = "https://api.example.com/orgs/o/broadcasts/b",
		.subject = "r\xc3\xa4",
		.partitionkey = "r",
		.integration_id = "twilio",
		.broadcast_id = "b",
		.time_ms = 1795000000000,
		.recorded_ms = 1795000000000,
	};

	snprintf(id, sizeof id, "evt_%032zx", number);
	memset(data, 'x', padding + 16);
	memcpy(data, "{\"p\":\"", 6);
	memcpy(data + padding + 6, "\"}", 2);
	event_make(ret, &head, data, padding + 8);
	event_number(ret, (int64_t)number + 1);
	free(data);
}

static void send_one(struct bench *b, size_t padding)
{
	struct sent *s = &b->sent[b->nsent];

	make_event(&s->event, b->nsent, padding);
	s->parcel = (struct parcel){.id = 1000 + b->nsent, .event = &s->event, .attempt = 1};
	b->nsent++;
	b->under->type->send(b->self, &s->parcel);
}

/* As right behind the last send of a turn. What gathers need not be waited for: a second passes. */
static void tick(struct bench *b)
{
	struct instant now = clock_now();

	if (b->under->type->per_call)
		b->ahead_ms += 1000;
	now.mono_ms += b->ahead_ms;
	for (int i = 0; b->under->type->tick && i < 2; i++)
		if (i ? b->old : b->self)
			b->under->type->tick(i ? b->old : b->self, now);
}

static void wait_answers(struct bench *b, size_t n)
{
	int64_t end = clock_mono_us() / 1000 + DEADLINE_MS, left = DEADLINE_MS;

	while (b->nanswered < n && left > 0) {
		tick(b);
		mailbox_wait(b->loop, (int)left < 100 ? (int)left : 100);
		mailbox_run(b->loop);
		left = end - clock_mono_us() / 1000;
	}
	assert_int_equal(b->nanswered, n);
}

/* --- the clauses --- */

static void test_table(void **state)
{
	const struct transport_type *t = suite->type;

	(void)state;
	assert_true(t->size > 0);
	for (const struct option *row = t->options; row->name; row++) {
		assert_non_null(row->help);
		assert_true(row->offset < t->settings_size);
	}
	assert_true(t->open && t->send && t->close);
}

static void test_all_arrive_and_are_answered_once(void **state)
{
	struct bench *b = bench_open(false);

	(void)state;
	for (size_t at = 0; at < PARCELS; at += 50) {
		for (size_t i = 0; i < 50; i++)
			send_one(b, i);
		wait_answers(b, at + 50);
	}
	assert_int_equal(b->under->far_count(b->far, PARCELS), PARCELS);
	for (size_t i = 0; i < PARCELS; i++) {
		assert_int_equal(b->sent[i].outcome.verdict, SENT);
		assert_true(b->sent[i].outcome.took_ms >= 0);
	}
	bench_close(b);
}

static void test_bytes_are_the_event(void **state)
{
	struct bench *b = bench_open(false);
	struct event same;

	(void)state;
	for (size_t i = 0; i < 5; i++) { /* one after the other: in order */
		size_t padding = i == 4 ? EVENT_BODY_MAX - 1000 : i * 777;

		send_one(b, padding);
		wait_answers(b, i + 1);
		assert_int_equal(b->under->far_count(b->far, i + 1), i + 1);
		make_event(&same, i, padding);
		if (b->under->adds_to_body)
			assert_non_null(strstr(b->under->far_body(b->far, i), same.id));
		else
			assert_string_equal(b->under->far_body(b->far, i), same.body);
		event_release(&same);
	}
	bench_close(b);
}

static void test_closed_before_use(void **state)
{
	struct bench *b = bench_open(false);
	void *untouched = xcalloc(1, suite->type->size);

	(void)state;
	suite->type->close(untouched); /* as after an open that failed at once */
	free(untouched);
	bench_close(b);
}

static void test_close_with_parcels_out(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 64; n *= 8) {
		struct bench *b = bench_open(false);

		for (size_t i = 0; i < n; i++)
			send_one(b, 100);
		bench_close(b); /* `take` fails the test when it is called now */
	}
}

static void test_close_while_the_other_side_hangs(void **state)
{
	struct bench *b;

	(void)state;
	if (!suite->can_hang)
		skip();
	b = bench_open(true);
	for (size_t i = 0; i < 32; i++)
		send_one(b, 20000);
	mailbox_wait(b->loop, 50); /* whatever it may have to say so soon */
	mailbox_run(b->loop);
	assert_true(b->nanswered < 32);
	bench_close(b);
}

/* A reload opens the new self before the old one is closed. */
static void test_two_at_a_time(void **state)
{
	struct bench *b;

	(void)state;
	if (suite->type->listens)
		skip(); /* it keeps its self */
	b = bench_open(false);
	for (size_t i = 0; i < 20; i++)
		send_one(b, 10);
	b->old = b->self;
	open_self(b, &b->self);
	for (size_t i = 0; i < 20; i++)
		send_one(b, 10);
	wait_answers(b, 40);
	suite->type->close(b->old);
	free(b->old);
	b->old = NULL;
	send_one(b, 10);
	wait_answers(b, 41);
	assert_int_equal(b->under->far_count(b->far, 41), 41);
	bench_close(b);
}

int transport_suite_run(const struct suite_transport *under)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_all_arrive_and_are_answered_once),
		cmocka_unit_test(test_bytes_are_the_event),
		cmocka_unit_test(test_closed_before_use),
		cmocka_unit_test(test_close_with_parcels_out),
		cmocka_unit_test(test_close_while_the_other_side_hangs),
		cmocka_unit_test(test_two_at_a_time),
	};

	suite = under;
	return cmocka_run_group_tests_name(under->name ? under->name : under->type->name, tests,
					   NULL, NULL);
}
