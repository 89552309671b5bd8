/* nats_rig — see the header. Invariant: an event lives until the rig is closed. */
#include "tests/suite/nats_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"

#define DEADLINE_MS 20000

static void take(void *arg, uint64_t id, const struct outcome *out)
{
	struct nats_rig *r = arg;
	struct sent *s = &r->v[id];

	assert_non_null(r->self);
	assert_true(s->answers < s->attempts);
	s->answers++;
	s->outcome = *out;
	snprintf(s->why, sizeof s->why, "%s", out->why ? out->why : "");
	s->outcome.why = s->why;
	assert_int_equal(out->verdict == SENT, !out->why);
	assert_int_equal(out->wait_ms, -1);
	r->answered++;
	r->accepted += out->verdict == SENT;
}

struct nats_rig *nats_rig_new(size_t max)
{
	struct nats_rig *r = xcalloc(1, sizeof *r);

	r->loop = mailbox_open(NULL, NULL);
	r->v = xcalloc(max, sizeof *r->v);
	r->max = max;
	r->env = (struct transport_env){
		.destination = "it", .number = 1, .loop = r->loop, .done = take, .arg = r};
	return r;
}

bool nats_rig_try(struct nats_rig *r, char *config, struct err *err)
{
	const struct transport_type *t = &transport_nats;
	void *settings = xcalloc(1, t->settings_size), *self = xcalloc(1, t->size);
	struct problems p = {0};
	struct yaml *y = yaml_parse("rig", config, strlen(config), &p);

	assert_non_null(y);
	options_read(t->options, yaml_root(y), settings, &p);
	if (!p.n)
		t->check(settings, yaml_root(y), &p);
	if (p.n)
		fail_msg("%s", p.v[0]);
	bool opened = t->open(self, settings, &r->env, err) == 0;
	if (opened) {
		r->self = self;
	} else {
		t->close(self);
		free(self);
	}
	options_release(t->options, settings);
	free(settings);
	yaml_free(y);
	problems_release(&p);
	free(config);
	return opened;
}

void nats_rig_open(struct nats_rig *r, char *config)
{
	struct err err = {0};

	if (!nats_rig_try(r, config, &err))
		fail_msg("%s", err.msg);
}

void nats_rig_close(struct nats_rig *r)
{
	int64_t start = clock_now().mono_ms;
	void *self = r->self;

	if (!self)
		return;
	transport_nats.close(self);
	r->self = NULL; /* an answer would fail the test now */
	assert_true(clock_now().mono_ms - start < 2000);
	free(self);
	mailbox_run(r->loop);
}

void nats_rig_free(struct nats_rig *r)
{
	nats_rig_close(r);
	mailbox_close(r->loop);
	for (size_t i = 0; i < r->n; i++)
		event_release(&r->v[i].event);
	free(r->v);
	free(r);
}

size_t nats_rig_send(struct nats_rig *r, size_t padding)
{
	char id[EVENT_ID_SIZE], *data = xasprintf("{\"p\":\"%0*d\"}", (int)padding, 0);
	struct event_head head = {
		.id = id,
		.type = "recipient.failed",
		.source = "https://api.example.com/orgs/o/broadcasts/bc_1",
		.subject = "r",
		.partitionkey = "r",
		.integration_id = "twilio",
		.broadcast_id = "bc_1",
		.time_ms = 1795000000000,
		.recorded_ms = 1795000000000,
	};

	assert_true(r->n < r->max);
	snprintf(id, sizeof id, "evt_%032zx", r->n);
	event_make(&r->v[r->n].event, &head, data, strlen(data));
	event_number(&r->v[r->n].event, (int64_t)r->n + 1);
	free(data);
	nats_rig_again(r, r->n++);
	return r->n - 1;
}

void nats_rig_again(struct nats_rig *r, size_t at)
{
	struct sent *s = &r->v[at];

	s->attempts++;
	s->parcel = (struct parcel){.id = at, .event = &s->event, .attempt = (unsigned)s->attempts};
	transport_nats.send(r->self, &s->parcel);
}

void nats_rig_run(struct nats_rig *r, int ms)
{
	mailbox_wait(r->loop, ms);
	mailbox_run(r->loop);
}

void nats_rig_wait(struct nats_rig *r, size_t answers)
{
	int64_t end = clock_now().mono_ms + DEADLINE_MS;

	while (r->answered < answers && clock_now().mono_ms < end)
		nats_rig_run(r, 100);
	if (r->answered < answers)
		fail_msg("%zu answers came instead of %zu", r->answered, answers);
}

const struct sent *nats_rig_one(struct nats_rig *r, size_t padding)
{
	size_t at = nats_rig_send(r, padding);

	nats_rig_wait(r, r->answered + 1);
	return &r->v[at];
}

const struct sent *nats_rig_repeat(struct nats_rig *r, size_t at)
{
	nats_rig_again(r, at);
	nats_rig_wait(r, r->answered + 1);
	return &r->v[at];
}
