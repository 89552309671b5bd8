/*
 * relay receive — an HTTP endpoint for trying things out: verifies each callback's signature and
 * prints it. It can misbehave on request, so that one sees what Relay does then.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/hash.h"
#include "relay/cmd/cmd.h"
#include "relay/cmd/keyring.h"
#include "relay/cmd/receive_print.h"

#define TOLERANCE_S  300  /* as the libraries of Standard Webhooks have it */
#define SEEN_MAX     8192 /* ids remembered; looked through for each call */
#define SEQUENCE_MAX 100
#define WAIT_MAX_MS  600000

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	{'l', "listen", "ADDRESS:PORT", "default: 127.0.0.1:9000; port 0: a free one"},
	FLAG_SECRET_FILE,
	FLAG_SECRET,
	{'n', "count", "N", "end with exit status 0 once N calls were accepted"},
	{0, "envelope", NULL, "JSON of all calls: signature, repeat, answer … and the event"},
	{0, "status", "CODE", "misbehave: answer this instead of 204"},
	{0, "sequence", "CODES", "misbehave: answer these by turn, over and over: 503,503,204"},
	{0, "retry-after", "TEXT", "misbehave: seconds or a date, with what is not 2xx"},
	{0, "delay", "MS", "misbehave: answer so late"},
	{0, "slow", "MS", "misbehave: answer byte by byte, so far apart"},
	{0, "drop", NULL, "misbehave: close the connection instead of answering"},
	{0, "every", "N", "misbehave at every Nth call only"},
	FLAG_JSON,
	{0},
};

const struct command cmd_receive = {
	.name = "receive",
	.operands = "",
	.summary = "an endpoint that verifies and prints callbacks, for trying things out",
	.example = "  relay receive --secret-file crm.secret\n"
		   "  relay receive --status 429 --retry-after 30 --every 3\n"
		   "  relay receive --sequence 503,503,204 --count 10 --json > events.ndjson\n\n"
		   "Without --secret-file and --secret the secret is that of the environment "
		   "variable\n" KEYRING_VARIABLE
		   "; without any, signatures are not checked. Structured and binary\n"
		   "CloudEvents, batches of them, and bodies of templates are understood. A call "
		   "that is\n"
		   "not genuine is answered 401, one that is not what its headers say 400.\n"
		   "--json gives the events of accepted calls, one a line.",
	.flags = flags,
	.run = run,
};

struct receiver {
	struct keyring keys;
	enum print_form form;
	int64_t count;

	/* how it misbehaves */
	int64_t status, delay_ms, slow_ms, every;
	int64_t sequence[SEQUENCE_MAX];
	size_t nsequence;
	const char *retry_after;
	bool drop;

	pthread_mutex_t lock; /* for all that follows, and the output */
	struct json_doc *doc;
	int64_t calls, accepted;
	uint64_t seen[SEEN_MAX]; /* of accepted ids; a ring */
	size_t nseen;
};

/* ---- one call ---- */

static enum call_signature check_signature(const struct receiver *r, const struct server_request *q,
					   int64_t *ret_attempt_ms, struct err *err)
{
	const char *id = server_header(q, "webhook-id");
	const char *stamp = server_header(q, "webhook-timestamp");
	const char *signature = server_header(q, "webhook-signature");
	struct signed_text text = {.id = id, .body = q->body, .len = q->len};
	bool timed = cmd_number(stamp, &text.timestamp_s) && text.timestamp_s < INT64_MAX / 1000;
	if (timed)
		*ret_attempt_ms = text.timestamp_s * 1000;
	if (!r->keys.n)
		return signature ? SIGNATURE_UNCHECKED : SIGNATURE_NONE;
	if (!id || !signature || !timed)
		err_set(err, ERR_DENIED, "the webhook-… headers are missing or no such");
	else if (signature_verify(signature, r->keys.keys, r->keys.n, &text,
				  clock_now().wall_ms / 1000, TOLERANCE_S, err) == 0)
		return SIGNATURE_VALID;
	return SIGNATURE_INVALID;
}

/* Was it accepted before? A batch has an id of its own. */
static bool is_repeat(const struct receiver *r, uint64_t id)
{
	size_t n = r->nseen < SEEN_MAX ? r->nseen : SEEN_MAX;
	for (size_t i = 0; i < n; i++)
		if (r->seen[i] == id)
			return true;
	return false;
}

static uint64_t id_of(const struct server_request *q, const struct call *c)
{
	const char *id = server_header(q, "webhook-id");
	if (!id && c->n && c->v[0].id)
		id = c->v[0].id;
	return id ? hash64(id, strlen(id)) : 0;
}

/* As it was asked to. */
static void misbehave(const struct receiver *r, struct server_reply *reply)
{
	bool turn = r->every < 2 || r->calls % r->every == 0;
	reply->status = 204;
	if (r->nsequence)
		reply->status = (int)r->sequence[(size_t)(r->calls - 1) % r->nsequence];
	else if (turn && r->status)
		reply->status = (int)r->status;
	else if (turn && r->slow_ms)
		reply->status = 200; /* which has a body */
	reply->delay_ms = turn ? (int)r->delay_ms : 0;
	reply->slow_ms = turn ? (int)r->slow_ms : 0;
	reply->drop = turn && r->drop;
	if (r->retry_after && reply->status >= 300)
		server_reply_header(reply, "Retry-After", r->retry_after);
	if (reply->status != 204 && reply->status != 304)
		buf_addf(&reply->body, "relay receive: %d on request", reply->status);
}

static void refuse(struct server_reply *reply, int status, const char *why)
{
	reply->status = status;
	buf_addf(&reply->body, "%s\n", why);
}

static void judge(struct receiver *r, const struct server_request *q, struct server_reply *reply)
{
	struct call call = {0};
	struct err err = {0};
	struct answered a = {.call = &call, .attempt_ms = DATE_NONE};
	r->calls++;
	a.signature = check_signature(r, q, &a.attempt_ms, &err);
	bool genuine = a.signature != SIGNATURE_INVALID;
	if (call_read(&call, q, r->doc, genuine ? &err : &(struct err){0}) < 0 && genuine)
		refuse(reply, 400, err.msg);
	else if (!genuine)
		refuse(reply, 401, err.msg);
	else
		misbehave(r, reply);
	uint64_t id = id_of(q, &call);
	a.repeat = genuine && id && is_repeat(r, id);
	a.status = reply->status;
	a.dropped = reply->drop;
	a.why = err.code != ERR_NONE ? err.msg : NULL;
	if (a.status < 300 && !a.dropped) {
		r->accepted++;
		if (id && !a.repeat)
			r->seen[r->nseen++ % SEEN_MAX] = id;
	}
	answered_print(&a, r->form);
	if (a.why && r->form == PRINT_EVENTS)
		fprintf(stderr, "relay receive: refused: %s\n", a.why);
	call_release(&call);
}

static void answer(void *arg, const struct server_request *q, struct server_reply *reply)
{
	struct receiver *r = arg;
	if (!strcmp(q->method, "GET") || !strcmp(q->method, "HEAD")) {
		buf_adds(&reply->body, "relay receive: send callbacks here by POST\n");
		return;
	}
	pthread_mutex_lock(&r->lock);
	judge(r, q, reply);
	bool last = r->count && r->accepted == r->count;
	pthread_mutex_unlock(&r->lock);
	if (last)
		kill(getpid(), SIGTERM); /* which wait_for_signal takes */
}

/* ---- flags ---- */

static bool number(const struct args *a, const char *flag, int64_t most, int64_t *ret)
{
	const char *text = arg_value(a, flag);
	int64_t n;
	if (!text)
		return true;
	if (!cmd_number(text, &n) || n > most)
		return false;
	*ret = n;
	return true;
}

static bool is_status(int64_t n)
{
	return n >= 200 && n <= 599;
}

static bool read_sequence(struct receiver *r, const char *text)
{
	while (text && *text) {
		char code[8];
		size_t len = strcspn(text, ",");
		int64_t *next = &r->sequence[r->nsequence];
		if (len >= sizeof code || r->nsequence == SEQUENCE_MAX)
			return false;
		memcpy(code, text, len);
		code[len] = '\0';
		if (!cmd_number(code, next) || !is_status(*next))
			return false;
		r->nsequence++;
		text += len + (text[len] == ',');
	}
	return true;
}

static int read_flags(struct receiver *r, const struct command *self, const struct args *a)
{
	r->drop = arg_given(a, "drop");
	r->retry_after = arg_value(a, "retry-after");
	r->form = arg_given(a, "envelope") ? PRINT_ENVELOPE
		  : cmd_wants_json(a)	   ? PRINT_EVENTS
					   : PRINT_TEXT;
	if (!number(a, "status", 599, &r->status) || (r->status && !is_status(r->status)))
		return cmd_usage(self, "--status is an HTTP status from 200 to 599");
	if (!read_sequence(r, arg_value(a, "sequence")))
		return cmd_usage(self, "--sequence is up to %d statuses: 503,503,204",
				 SEQUENCE_MAX);
	if (r->nsequence && r->status)
		return cmd_usage(self, "--status and --sequence exclude each other");
	if (!number(a, "delay", WAIT_MAX_MS, &r->delay_ms) ||
	    !number(a, "slow", WAIT_MAX_MS, &r->slow_ms))
		return cmd_usage(self, "--delay and --slow are milliseconds, at most %d",
				 WAIT_MAX_MS);
	if (!number(a, "every", INT64_MAX, &r->every) || !number(a, "count", INT64_MAX, &r->count))
		return cmd_usage(self, "--every and --count are numbers");
	return EXIT_OK;
}

/* ---- serving ---- */

static void block_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGINT);
	sigprocmask(SIG_BLOCK, ret, NULL); /* the server's threads inherit it */
}

static int serve(struct receiver *r, const char *listen, struct err *err)
{
	struct server_options o = {.listen = listen,
				   .body_max = CALL_BODY_MAX,
				   .threads = true,
				   .handler = answer,
				   .arg = r};
	sigset_t set;
	int got;
	block_signals(&set);
	struct server *s = server_open(&o, err);
	if (!s)
		return -1;
	const char *colon = strrchr(listen, ':');
	fprintf(stderr, "relay receive: listening on http://%.*s:%u/\n", (int)(colon - listen),
		listen, server_port(s));
	sigwait(&set, &got);
	server_close(s);
	return 0;
}

static int run(const struct command *self, const struct args *a)
{
	struct receiver r = {.lock = PTHREAD_MUTEX_INITIALIZER};
	const char *listen = arg_value(a, "listen");
	struct err err = {0};
	int status = read_flags(&r, self, a);
	if (status != EXIT_OK)
		return status;
	r.doc = json_doc_new();
	int failed = keyring_load(&r.keys, a, &err);
	if (!failed)
		failed = serve(&r, listen ? listen : "127.0.0.1:9000", &err);
	keyring_release(&r.keys);
	json_doc_free(r.doc);
	return failed ? cmd_fail(self, &err) : EXIT_OK;
}
