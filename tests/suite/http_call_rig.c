/* http_call_rig — see the header. */
#include "tests/suite/http_call_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "transports/wire.h"

static void take(void *arg, uint64_t id, const struct outcome *outcome)
{
	struct http_call_rig *c = arg;

	assert_int_equal(id, 7);
	c->answers++;
	c->outcome = *outcome;
	snprintf(c->why, sizeof c->why, "%s", outcome->why ? outcome->why : "");
}

char *http_call_settings(const char *config, void *ret_settings, struct yaml **ret_yaml)
{
	struct problems p = {0};
	char *text = xasprintf("http: %s\n", config), *said;
	const struct node *n;

	*ret_yaml = yaml_parse("t", text, strlen(text), &p);
	n = *ret_yaml ? node_get(yaml_root(*ret_yaml), "http") : NULL;
	if (n) {
		options_read(transport_http.options, n, ret_settings, &p);
		transport_http.check(ret_settings, n, &p);
	}
	said = xstrdup(p.n ? p.v[0] : p.nwarnings ? p.warnings[0] : "");
	for (size_t i = 1; i < p.n; i++) {
		char *more = xasprintf("%s\n%s", said, p.v[i]);

		free(said);
		said = more;
	}
	problems_release(&p);
	free(text);
	return said;
}

char *http_call_said(const char *config)
{
	void *settings = xcalloc(1, transport_http.settings_size);
	struct yaml *y;
	char *said = http_call_settings(config, settings, &y);

	options_release(transport_http.options, settings);
	yaml_free(y);
	free(settings);
	return said;
}

void *http_call_self(const char *config, const struct transport_env *env)
{
	void *settings = xcalloc(1, transport_http.settings_size);
	void *self = xcalloc(1, transport_http.size);
	struct err err = {0};
	struct yaml *y;
	char *said = http_call_settings(config, settings, &y);

	assert_string_equal(said, "");
	if (transport_http.open(self, settings, env, &err) < 0)
		fail_msg("%s", err.msg);
	options_release(transport_http.options, settings);
	yaml_free(y);
	free(settings);
	free(said);
	return self;
}

static void open_self(struct http_call_rig *c, const char *more)
{
	char *config = xasprintf("{url: '%s'%s}", c->url, more);

	c->self = http_call_self(config, &c->env);
	free(config);
}

void http_call_open(struct http_call_rig *c, const char *url, const char *more)
{
	struct err err = {0};

	c->url = xstrdup(url);
	c->loop = mailbox_open(NULL, NULL);
	c->wire = wire_open(c->loop, 8, &err);
	c->env = (struct transport_env){
		.destination = "crm", .loop = c->loop, .wire = c->wire, .done = take, .arg = c};
	open_self(c, more);
}

void http_call_reopen(struct http_call_rig *c, const char *more)
{
	transport_http.close(c->self);
	free(c->self);
	open_self(c, more);
}

void http_call_event(struct http_call_rig *c, const char *data)
{
	struct event_head head = {
		.id = "evt_00112233445566778899aabbccddeeff",
		.type = "recipient.failed",
		.source = "https://api.example.com/orgs/o/broadcasts/b",
		.subject = "r1",
		.partitionkey = "r1",
		.recorded_ms = 1795000000000,
		.time_ms = 1795000000000,
	};

	event_release(&c->event);
	event_make(&c->event, &head, data, strlen(data));
}

void http_call_start(struct http_call_rig *c, const char *reply, const char *more)
{
	http_call_start_at(c, reply, "/hook?a=b", more);
}

void http_call_start_at(struct http_call_rig *c, const char *reply, const char *path,
			const char *more)
{
	char *url;

	*c = (struct http_call_rig){.far = http_receiver_open(reply)};
	url = xasprintf("http://127.0.0.1:%d%s", http_receiver_port(c->far), path);
	http_call_open(c, url, more);
	http_call_event(c, "{\"state\":\"failed\"}");
	free(url);
}

void http_call_make(struct http_call_rig *c)
{
	struct parcel parcel = {.id = 7, .event = &c->event, .attempt = 1, .body = c->body};
	unsigned before = c->answers;

	transport_http.send(c->self, &parcel);
	template_free(c->body);
	c->body = NULL;
	for (int i = 0; i < 100 && c->answers == before; i++) {
		mailbox_wait(c->loop, 100);
		mailbox_run(c->loop);
	}
	assert_int_equal(c->answers, before + 1);
}

void http_call_end(struct http_call_rig *c)
{
	transport_http.close(c->self);
	free(c->self);
	wire_close(c->wire);
	mailbox_close(c->loop);
	if (c->far)
		http_receiver_close(c->far);
	event_release(&c->event);
	free(c->url);
}

const char *http_call_header(struct http_call_rig *c, const char *name)
{
	static char value[1024];

	return received_header(http_receiver_get(c->far, 0), name, value, sizeof value) ? value
											: NULL;
}
