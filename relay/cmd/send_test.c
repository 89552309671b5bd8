/*
 * relay send-test — one made-up event to one destination, as the relay would send it, by a
 * transport that is opened in this process for it. No relay need run, and nothing is journaled.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "relay/cmd/cmd.h"
#include "relay/cmd/mask.h"
#include "relay/cmd/screen.h"
#include "relay/cmd/trial_event.h"
#include "transports/wire.h"

#define OUT_MAX	    (8 << 20)
#define PREVIEW_MAX (1 << 20)
#define CONNECTIONS 2
#define LOOK_MS	    100 /* so often a transport that gathers is let go on */

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	FLAG_CONFIG,
	FLAG_JSON,
	{'t', "to", "DESTINATION", "its name in the configuration"},
	{0, "type", "TYPE", "of the event; default: recipient.failed"},
	{0},
};

const struct command cmd_send_test = {
	.name = "send-test",
	.operands = "",
	.summary = "one made-up event to a destination, and what its receiver says",
	.example = "  relay send-test --to crm\n"
		   "  relay send-test --to pager --type alert.firing\n\n"
		   "It is sent as the relay would send it: format, headers, signature, template, "
		   "address\n"
		   "policy. Its data say \"test\": true. No relay need run; nothing is kept.\n"
		   "Exit status: 0 the receiver took it, 1 it did not.",
	.flags = flags,
	.run = run,
};

struct sending {
	const struct settings *settings;
	const struct destination_settings *to;
	struct strings masks;
	struct event event,
		room; /* room: for what it is without what the destination does not get */
	struct transport_preview preview; /* method NULL: the transport makes no calls */

	bool done;
	struct outcome outcome; /* why is the next */
	struct buf why;
};

/* ---- the attempt ---- */

static void on_done(void *arg, uint64_t id, const struct outcome *out)
{
	struct sending *s = arg;
	(void)id;
	s->done = true;
	s->outcome = *out;
	if (out->why)
		mask_text(&s->why, &s->masks, out->why);
	s->outcome.why = out->why ? s->why.data : NULL;
}

static void wait_for_answer(struct sending *s, void *self, struct mailbox *loop)
{
	const struct transport_type *type = s->to->type;
	while (!s->done) {
		if (type->tick)
			type->tick(self, clock_now());
		if (!mailbox_run(loop) && !s->done)
			mailbox_wait(loop, LOOK_MS);
	}
}

static int attempt(struct sending *s, const struct parcel *parcel, struct transport_env *env,
		   struct err *err)
{
	const struct transport_type *type = s->to->type;
	void *self = xcalloc(1, type->size);
	int failed = type->open(self, s->to->settings, env, err);
	if (!failed) {
		type->send(self, parcel);
		wait_for_answer(s, self, env->loop);
	}
	type->close(self);
	mailbox_run(env->loop);
	free(self);
	return failed;
}

static int send_it(struct sending *s, const struct parcel *parcel, struct err *err)
{
	struct mailbox *loop = mailbox_open(NULL, NULL);
	struct transport_env env = {
		.destination = s->to->name,
		.number = 1,
		.loop = loop,
		.wire = wire_open(loop, CONNECTIONS, err),
		.own = s->settings->own,
		.nown = s->settings->nown,
		.done = on_done,
		.arg = s,
	};
	int failed = env.wire ? attempt(s, parcel, &env, err) : -1;
	wire_close(env.wire);
	mailbox_close(loop);
	return failed;
}

/* ---- what is told of it ---- */

static bool is_signed(const struct sending *s)
{
	const struct node *n = node_get(s->to->node, s->to->type->name);
	return node_get(n, "secret") || node_get(n, "secret_file");
}

static const char *verdict_of(const struct outcome *o)
{
	return o->verdict == SENT      ? "sent"
	       : o->verdict == REFUSED ? "refused"
	       : o->disable	       ? "gone"
				       : "try again";
}

static void print_call(const struct sending *s)
{
	struct buf out = BUF_INIT(OUT_MAX);
	buf_addf(&out, "%s ", s->preview.method);
	mask_url(&out, &s->masks, s->preview.url.data);
	buf_addc(&out, '\n');
	mask_text(&out, &s->masks, s->preview.headers.data);
	if (is_signed(s))
		buf_adds(&out, "webhook-id, webhook-timestamp, webhook-signature\n");
	buf_addc(&out, '\n');
	mask_text(&out, &s->masks, s->preview.body.data);
	printf("%s\n\n", out.data);
	buf_release(&out);
}

static void print_text(const struct sending *s)
{
	static const char *const words[] = {[SENT] = "sent",
					    [TRY_AGAIN] = "would be tried again",
					    [REFUSED] = "refused, would be parked"};
	const struct outcome *o = &s->outcome;
	if (s->preview.method)
		print_call(s);
	printf("%s: %s (%" PRId64 " ms)", s->to->name,
	       o->disable ? "gone, would be disabled" : words[o->verdict], o->took_ms);
	if (o->why) {
		fputs(": ", stdout);
		screen_text(o->why);
	}
	putchar('\n');
}

static void add_masked(struct buf *out, const struct sending *s, const char *name, const char *text)
{
	struct buf shown = BUF_INIT(OUT_MAX);
	mask_text(&shown, &s->masks, text);
	json_add_text(out, name, shown.data);
	buf_release(&shown);
}

static void print_json(const struct sending *s)
{
	struct buf out = BUF_INIT(OUT_MAX), url = BUF_INIT(PREVIEW_MAX);
	buf_addc(&out, '{');
	json_add_text(&out, "destination", s->to->name);
	json_add_text(&out, "event", s->event.id);
	json_add_text(&out, "type", s->event.type);
	json_add_text(&out, "verdict", verdict_of(&s->outcome));
	json_add_text(&out, "why", s->outcome.why);
	json_add_int(&out, "took_ms", s->outcome.took_ms);
	if (s->preview.method) {
		mask_url(&url, &s->masks, s->preview.url.data);
		json_add_text(&out, "method", s->preview.method);
		json_add_text(&out, "url", url.data);
		json_add_bool(&out, "signed", is_signed(s));
		add_masked(&out, s, "headers", s->preview.headers.data);
		add_masked(&out, s, "body", s->preview.body.data);
	}
	buf_addc(&out, '}');
	puts(out.data);
	buf_release(&url);
	buf_release(&out);
}

/* ---- all of it ---- */

static int go(struct sending *s, const char *type, struct err *err)
{
	const struct transport_type *t = s->to->type;
	struct parcel parcel = {.id = 1, .attempt = 1};
	if (t->listens)
		return err_set(err, ERR_USAGE,
			       "%s: %s waits for subscribers and calls nobody; `relay subscribe` "
			       "is one",
			       s->to->name, t->name);
	if (trial_event(&s->event, type, clock_now().wall_ms, err) < 0)
		return -1;
	parcel.event = delivery_redact(&s->to->options, &s->event, &s->room);
	if (t->preview && t->preview(s->to->settings, &parcel, &s->preview, err) < 0)
		return err_wrap(err, "%s", s->to->name);
	return send_it(s, &parcel, err) < 0 ? err_wrap(err, "%s", s->to->name) : 0;
}

static int send_to(const struct command *self, const struct args *a, struct sending *s)
{
	const char *type = arg_value(a, "type");
	struct err err = {0};
	buf_init(&s->why, PREVIEW_MAX);
	buf_init(&s->preview.url, PREVIEW_MAX);
	buf_init(&s->preview.headers, PREVIEW_MAX);
	buf_init(&s->preview.body, PREVIEW_MAX);
	mask_collect(&s->masks, s->to->node);
	int failed = go(s, type ? type : "recipient.failed", &err);
	if (!failed && cmd_wants_json(a))
		print_json(s);
	else if (!failed)
		print_text(s);
	int status = failed			  ? cmd_fail(self, &err)
		     : s->outcome.verdict == SENT ? EXIT_OK
						  : EXIT_FOUND;
	mask_release(&s->masks);
	transport_preview_release(&s->preview);
	delivery_redact_release(&s->room);
	event_release(&s->event);
	buf_release(&s->why);
	return status;
}

static const struct destination_settings *find(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->ndestinations; i++)
		if (!strcmp(s->destinations[i].name, name))
			return &s->destinations[i];
	return NULL;
}

static int unknown(const struct command *self, const struct settings *s, const char *name)
{
	const char **names = xcalloc(s->ndestinations + 1, sizeof *names);
	for (size_t i = 0; i < s->ndestinations; i++)
		names[i] = s->destinations[i].name;
	const char *near = problem_nearest(name, names);
	free(names);
	return cmd_usage(self, "%s has no destination \"%s\"%s%s%s", s->path, name,
			 near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static int run(const struct command *self, const struct args *a)
{
	const char *name = arg_value(a, "to");
	struct problems problems = {0};
	int status = EXIT_BAD_CONFIG;
	if (!name)
		return cmd_usage(self, "--to DESTINATION is missing");
	struct settings *settings = cmd_settings_part(a, SETTINGS_DESTINATIONS);
	if (!settings)
		return EXIT_BAD_CONFIG;
	struct sending s = {.settings = settings, .to = find(settings, name)};
	if (!s.to)
		status = unknown(self, settings, name);
	else if (settings_check_destination(s.to, &problems))
		status = send_to(self, a, &s);
	problems_print(&problems, stderr);
	problems_release(&problems);
	settings_free(settings);
	return status;
}
