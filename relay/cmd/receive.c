/*
 * relay receive — an HTTP endpoint for trying things out: verifies each callback's signature and
 * prints it. It can misbehave on request, so that one sees what Relay does then.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/admin/server.h"
#include "relay/base/clock.h"
#include "relay/base/json.h"
#include "relay/cmd/cmd.h"
#include "transports/signature.h"

#define BODY_MAX    (1 << 20)
#define TOLERANCE_S 300 /* as the libraries of Standard Webhooks have it */

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	{'l', "listen", "ADDRESS:PORT", "default: 127.0.0.1:9000; port 0: a free one"},
	{0, "secret", "SECRET", "whsec_… or whpk_…; may be given several times"},
	{0, "status", "CODE", "answer this instead of 204"},
	{0, "every", "N", "answer --status to every Nth call only"},
	{0, "delay", "MS", "answer so late"},
	{0, "drop", NULL, "close the connection instead of answering"},
	FLAG_JSON,
	{0},
};

const struct command cmd_receive = {
	.name = "receive",
	.operands = "",
	.summary = "an endpoint that verifies and prints callbacks, for trying things out",
	.example = "  relay receive --listen 127.0.0.1:9000 --secret whsec_…",
	.flags = flags,
	.run = run,
};

struct receiver {
	struct signature_key *keys[ARGS_VALUES];
	size_t nkeys;
	int status, delay_ms;
	int64_t every, calls;
	bool drop, json;
	struct json_doc *doc;
};

static bool is_signed(const struct receiver *r, const struct server_request *q, struct err *err)
{
	const char *id = server_header(q, "webhook-id");
	const char *stamp = server_header(q, "webhook-timestamp");
	const char *signature = server_header(q, "webhook-signature");
	if (!r->nkeys)
		return true;
	if (!id || !stamp || !signature)
		return err_set(err, ERR_DENIED, "the webhook-… headers are missing") == 0;
	struct signed_text text = {id, strtoll(stamp, NULL, 10), q->body, q->len};
	return signature_verify(signature, (struct signature_key *const *)r->keys, r->nkeys, &text,
				clock_now().wall_ms / 1000, TOLERANCE_S, err) == 0;
}

static const char *text_of(const struct json *o, const char *key)
{
	const char *s = o ? json_string(json_get(o, key)) : NULL;
	return s ? s : "-";
}

static void print_call(struct receiver *r, const struct server_request *q, int status)
{
	struct err err = {0};
	const struct json *event = json_parse(r->doc, q->body, q->len, JSON_DEPTH, &err);
	if (r->json) {
		struct buf line = BUF_INIT(BODY_MAX);
		if (event)
			json_copy(&line, q->body, q->len, NULL);
		else
			json_write_bytes(&line, q->body, q->len);
		puts(line.data);
		buf_release(&line);
	} else if (event) {
		const struct json *data = json_get(event, "data");
		printf("%s  %-22s %s  %s  answered %d\n", text_of(event, "time"),
		       text_of(event, "type"), text_of(data, "recipient_id"),
		       text_of(data, "error_message"), status);
	} else {
		printf("not JSON (%s), %zu bytes, answered %d\n", err.msg, q->len, status);
	}
	fflush(stdout);
}

static void answer(void *arg, const struct server_request *q, struct server_reply *reply)
{
	struct receiver *r = arg;
	struct err err = {0};
	if (!strcmp(q->method, "GET") || !strcmp(q->method, "HEAD")) {
		buf_adds(&reply->body, "relay receive: send callbacks here by POST\n");
		return;
	}
	r->calls++;
	bool misbehave = r->every < 2 || r->calls % r->every == 0;
	if (!is_signed(r, q, &err)) {
		reply->status = 401;
		buf_addf(&reply->body, "%s\n", err.msg);
		fprintf(stderr, "relay receive: refused: %s\n", err.msg);
		return;
	}
	reply->status = misbehave && r->status ? r->status : 204;
	reply->delay_ms = misbehave ? r->delay_ms : 0;
	reply->drop = misbehave && r->drop;
	if (reply->status < 300 && !reply->drop)
		print_call(r, q, reply->status);
	else
		fprintf(stderr, "relay receive: misbehaved on request: %s\n",
			reply->drop ? "no answer" : "see --status");
}

static bool number(const struct args *a, const char *flag, int64_t most, int64_t *ret)
{
	const char *text = arg_value(a, flag);
	if (!text)
		return true;
	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)
		return false;
	*ret = strtoll(text, NULL, 10);
	return *ret <= most;
}

static int load_keys(struct receiver *r, const struct args *a, struct err *err)
{
	for (size_t i = 0; i < arg_count(a, "secret"); i++) {
		r->keys[r->nkeys] = signature_key_load(arg_nth(a, "secret", i), err);
		if (!r->keys[r->nkeys]) {
			err->code = ERR_USAGE;
			return -1;
		}
		r->nkeys++;
	}
	return 0;
}

static void wait_for_signal(void)
{
	sigset_t set;
	int got;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigwait(&set, &got);
}

static int serve(struct receiver *r, const char *listen, struct err *err)
{
	struct server_options o = {
		.listen = listen, .body_max = BODY_MAX, .handler = answer, .arg = r};
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL); /* the server's thread inherits it */
	struct server *s = server_open(&o, err);
	if (!s)
		return -1;
	const char *colon = strrchr(listen, ':');
	fprintf(stderr, "relay receive: listening on http://%.*s:%u/\n", (int)(colon - listen),
		listen, server_port(s));
	wait_for_signal();
	server_close(s);
	return 0;
}

static int run(const struct command *self, const struct args *a)
{
	struct receiver r = {.drop = arg_given(a, "drop"), .json = cmd_wants_json(a)};
	struct err err = {0};
	int64_t status = 0, delay = 0;
	const char *listen = arg_value(a, "listen");
	if (!number(a, "status", 599, &status) || (status && status < 200))
		return cmd_usage(self, "--status is an HTTP status from 200 to 599");
	if (!number(a, "delay", 600000, &delay) || !number(a, "every", 1000000, &r.every))
		return cmd_usage(self, "--delay and --every are numbers");
	r.status = (int)status;
	r.delay_ms = (int)delay;
	r.doc = json_doc_new();
	int failed = load_keys(&r, a, &err);
	if (!failed)
		failed = serve(&r, listen ? listen : "127.0.0.1:9000", &err);
	for (size_t i = 0; i < r.nkeys; i++)
		signature_key_free(r.keys[i]);
	json_doc_free(r.doc);
	return failed ? cmd_fail(self, &err) : EXIT_OK;
}
