/*
 * relay probe — asks the account of the configuration what its API's documentation leaves open, and
 * leaves the answers where the next start of a relay finds them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "relay/cmd/cmd.h"
#include "relay/cmd/screen.h"
#include "relay/cmd/statefile.h"
#include "relay/seedfile.h"
#include "relay/source/budget.h"
#include "relay/source/client.h"
#include "relay/source/probe.h"
#include "relay/source/recording.h"

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	FLAG_CONFIG,
	FLAG_JSON,
	{0, "record", "FILE",
	 "write requests and replies, with nothing personal in them, as NDJSON"},
	{0},
};

const struct command cmd_probe = {
	.name = "probe",
	.operands = "",
	.summary = "ask the API what its documentation leaves open, with 40 requests at most",
	.example =
		"  relay probe -c relay.yaml --record pages.ndjson\n"
		"  invent-sim --listen 127.0.0.1:8099 --replay pages.ndjson\n\n"
		"It reads only. What it learns is kept beside the journal as FILE.probe.json, and\n"
		"`relay run` starts from it. Its requests keep within source.rate_limit; beside a\n"
		"running relay they come on top of that relay's.",
	.flags = flags,
	.run = run,
};

/* ---- requests, one at a time ---- */

struct caller {
	struct http *http;
	struct client *client;
	struct budget budget;
	struct recording *recording; /* NULL: none */
	bool shows, done;	     /* progress on stderr */
	unsigned requests;
	struct http_reply reply; /* the last; its texts are below */
	struct buf body, headers, why;
};

static void pass(void *arg, int64_t ms)
{
	struct caller *c = arg;
	struct err unlikely = {0};
	int64_t end = clock_now().mono_ms + ms, left;

	while ((left = end - clock_now().mono_ms) > 0)
		http_wait(c->http, left > 1000 ? 1000 : (int)left, -1, &unlikely);
}

static int64_t now_ms(void *arg)
{
	(void)arg;
	return clock_now().wall_ms;
}

static void keep(struct buf *to, const char *text, size_t len)
{
	buf_clear(to);
	buf_add(to, text, len);
}

static void on_reply(void *arg, const struct http_reply *reply)
{
	struct caller *c = arg;

	c->done = true;
	c->reply = *reply;
	keep(&c->body, reply->body ? reply->body : "", reply->body ? reply->len : 0);
	keep(&c->headers, reply->headers ? reply->headers->data : "",
	     reply->headers ? reply->headers->len : 0);
	keep(&c->why, reply->why ? reply->why : "", reply->why ? strlen(reply->why) : 0);
	c->reply.body = c->body.data;
	c->reply.headers = &c->headers;
	c->reply.why = reply->why ? c->why.data : NULL;
}

static int fetch(void *arg, const struct http_call *call, http_done *done, void *done_arg,
		 struct err *err)
{
	struct caller *c = arg;

	return http_start(c->http, call, done, done_arg, NULL, err);
}

static int get(void *arg, const char *path, const struct http_reply **ret, struct err *err)
{
	struct caller *c = arg;
	int64_t wait;

	while ((wait = budget_wait_ms(&c->budget, clock_now().mono_ms)) > 0)
		pass(c, wait);
	budget_take(&c->budget, clock_now().mono_ms);
	if (c->shows)
		fprintf(stderr, "\rrequest %u of at most %d ", ++c->requests, PROBE_REQUESTS);
	c->done = false;
	if (client_get(c->client, path, on_reply, c, err) < 0)
		return -1;
	while (!c->done)
		if (http_wait(c->http, 1000, -1, err) < 0)
			return -1;
	if (c->recording)
		recording_add(c->recording, path, &c->reply);
	*ret = &c->reply;
	return 0;
}

static int open_caller(struct caller *c, const struct source_options *o, bool records,
		       struct err *err)
{
	*c = (struct caller){.body = BUF_INIT(API_BODY_MAX),
			     .headers = BUF_INIT(1 << 20),
			     .why = BUF_INIT(1024),
			     .shows = isatty(STDERR_FILENO)};
	c->http = http_open(1, err);
	if (!c->http)
		return -1;
	c->client = client_open(o, fetch, c, err);
	if (!c->client)
		return -1;
	budget_init(&c->budget, o->rate_limit, clock_now().mono_ms);
	c->recording = records ? recording_new() : NULL;
	return 0;
}

static void end_progress(struct caller *c)
{
	if (c->shows && c->requests)
		fputs("\r\033[K", stderr);
	c->shows = false;
}

static void close_caller(struct caller *c)
{
	end_progress(c);
	http_close(c->http);
	client_close(c->client);
	recording_free(c->recording);
	buf_release(&c->body);
	buf_release(&c->headers);
	buf_release(&c->why);
}

/* ---- the report ---- */

static void print_report(const struct probe_report *r, const char *base_url)
{
	printf("%s: %u requests", base_url, r->requests);
	if (r->broadcast) {
		fputs(", of broadcast ", stdout);
		screen_text(r->broadcast);
		fputs(" (", stdout);
		screen_text(r->status);
		if (r->rows >= 0)
			printf(", %" PRId64 " recipients", r->rows);
		putchar(')');
	}
	putchar('\n');
	for (unsigned q = 0; q < QUESTIONS; q++) {
		const struct finding *f = &r->v[q];
		printf("\n%s\n  ", question_texts[q]);
		screen_text(*f->answer ? f->answer : "not answered");
		if (*f->evidence) {
			fputs("\n  (", stdout);
			screen_text(f->evidence);
			putchar(')');
		}
		putchar('\n');
	}
}

static void print_json(const struct probe_report *r, const char *base_url)
{
	struct buf out = BUF_INIT(1 << 20);

	buf_addc(&out, '{');
	json_add_text(&out, "base_url", base_url);
	json_add_int(&out, "requests", r->requests);
	json_add_text(&out, "org", r->org);
	json_add_text(&out, "broadcast", r->broadcast);
	json_add_text(&out, "status", r->status);
	json_add_int(&out, "recipients", r->rows);
	json_add_name(&out, "findings");
	buf_addc(&out, '[');
	for (unsigned q = 0; q < QUESTIONS; q++) {
		json_add_element(&out);
		json_add_text(&out, "question", question_keys[q]);
		json_add_text(&out, "answer", *r->v[q].answer ? r->v[q].answer : NULL);
		json_add_text(&out, "evidence", r->v[q].evidence);
		buf_addc(&out, '}');
	}
	buf_adds(&out, "]}");
	puts(out.data);
	buf_release(&out);
}

/* ---- what it leaves ---- */

static int leave_seed(const struct settings *s, const struct probe_report *r, struct err *err)
{
	char *path = seedfile_path(journal_file(&s->journal));
	struct buf text = BUF_INIT(4096);
	int failed = 0;

	if (path && r->broadcast) {
		seed_write(&text, &r->seed, s->source.base_url, clock_now().wall_ms);
		failed = statefile_write(path, text.data, text.len, err);
	}
	buf_release(&text);
	free(path);
	return failed;
}

static int leave_recording(const struct caller *c, const char *path, struct err *err)
{
	struct buf text = BUF_INIT(RECORDING_MAX);
	int failed = 0;

	if (!c->recording)
		return 0;
	recording_write(c->recording, &text);
	if (text.full)
		failed = err_set(err, ERR_LIMIT, "%s: longer than %d bytes", path, RECORDING_MAX);
	else
		failed = statefile_write(path, text.data, text.len, err);
	buf_release(&text);
	return failed;
}

static int probe(const struct settings *s, const struct args *a, struct caller *c, struct err *err)
{
	struct probe_env env = {get, pass, now_ms, c};
	struct probe_report r;

	if (probe_run(&env, &s->source.orgs, &r, err) < 0)
		return -1;
	end_progress(c);
	if (cmd_wants_json(a))
		print_json(&r, s->source.base_url);
	else
		print_report(&r, s->source.base_url);
	int failed = leave_seed(s, &r, err);
	probe_report_release(&r);
	return failed;
}

static int run(const struct command *self, const struct args *a)
{
	const char *record = arg_value(a, "record");
	struct caller c;
	struct err err = {0};
	struct settings *s = cmd_settings(a);
	if (!s)
		return EXIT_BAD_CONFIG;
	/* Counters count all rows, so all are asked for. */
	struct source_options whole = s->source;
	whole.filter = (struct strings){0};
	int failed = open_caller(&c, &whole, record != NULL, &err);
	if (!failed)
		failed = probe(s, a, &c, &err);
	if (!failed)
		failed = leave_recording(&c, record, &err);
	close_caller(&c);
	settings_free(s);
	return failed ? cmd_fail(self, &err) : EXIT_OK;
}
