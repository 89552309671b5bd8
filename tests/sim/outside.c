/* A receiver keeps every request, so tests count what came, not what was meant to. */
#include "tests/sim/outside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"

static char *config(const struct outside *o, const char *options, const char *rule)
{
	char *crm = options ? xasprintf("  crm: { %shttp: { url: \"http://127.0.0.1:%d/\" } }\n",
					options, http_receiver_port(o->receiver))
			    : xstrdup("");
	char *ret = xasprintf("destinations:\n%s  file: { stdout: { path: events.ndjson } }\n"
			      "rules:\n%s%s%s  - { name: all, to: [file] }\n",
			      crm, options ? "  - { name: out, " : "", options ? rule : "",
			      options ? "to: [crm] }\n" : "");
	free(crm);
	return ret;
}

void outside_new(struct outside *o, uint32_t recipients, const char *answer, const char *options,
		 const char *rule)
{
	o->receiver = http_receiver_open(answer);
	o->s = scene_new(recipients);
	o->rest = config(o, options, rule);
	o->s.o.rest = o->rest;
}

struct drive *outside_begin(struct outside *o)
{
	return scene_begin(&o->s);
}

void outside_finish(struct outside *o)
{
	scene_finish(&o->s);
	http_receiver_close(o->receiver);
	free(o->rest);
}

void outside_reload(struct outside *o, const char *options, const char *rule)
{
	char *old = o->rest;
	o->rest = config(o, options, rule);
	drive_reload_rules(o->s.d, o->rest);
	drive_run(o->s.d, 1000);
	free(old);
}

struct relay *outside_relay(const struct outside *o)
{
	return drive_relay(o->s.d);
}

struct delivery_status outside_status(const struct outside *o, const char *destination)
{
	struct delivery_status s[8];
	size_t n = delivery_status(outside_relay(o)->delivery, s, 8);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(s[i].name, destination))
			return s[i];
	return (struct delivery_status){.name = NULL};
}

void outside_rest(struct outside *o)
{
	for (int i = 0; i < 3; i++) { /* what is told of it is delivered, too */
		drive_drain(o->s.d);
		drive_run(o->s.d, 2000);
	}
	drive_drain(o->s.d);
}

static void read_last(struct outside *o, struct job_ended *ret)
{
	struct buf text = BUF_INIT(8 << 20);
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	const struct json *last = NULL;
	relay_list_jobs(outside_relay(o), &text);
	const struct json *list = json_parse(doc, text.data, text.len, JSON_DEPTH, &err);
	for (const struct json *v = json_first(list); v; v = json_next(v))
		last = v;
	assert_non_null(last);
	snprintf(ret->state, sizeof ret->state, "%s", json_string(json_get(last, "state")));
	json_int(json_get(last, "looked"), &ret->looked);
	json_int(json_get(last, "taken"), &ret->taken);
	json_doc_free(doc);
	buf_release(&text);
}

struct job_ended outside_wait(struct outside *o)
{
	struct job_ended ret = {0};
	for (int i = 0; i < 1000 && relay_count_jobs(outside_relay(o)); i++) {
		drive_run(o->s.d, 100);
		drive_drain(o->s.d);
	}
	read_last(o, &ret);
	return ret;
}

struct job_ended outside_job(struct outside *o, const char *kind, const char *body)
{
	const struct admin_request q = {.body = body, .len = strlen(body)};
	struct buf text = BUF_INIT(1 << 20);
	struct err err = {0};
	if (relay_take_job(outside_relay(o), kind, &q, &text, &err) < 0)
		fail_msg("%s", err.msg);
	buf_release(&text);
	return outside_wait(o);
}

size_t outside_calls(const struct outside *o, const char *a, const char *b)
{
	size_t all = http_receiver_count(o->receiver, 0), n = 0;
	for (size_t i = 0; i < all; i++) {
		const struct received *q = http_receiver_get(o->receiver, i);
		n += strstr(q->body, a) && strstr(q->body, b);
	}
	return n;
}
