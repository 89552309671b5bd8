/*
 * Virtual time moves from one event to the next: the earliest reply that is due, or what the relay
 * says it waits for. Requests are answered by the model when the latency has passed; a reply that
 * takes longer lies there until it is due, or until the call's time is up.
 */
#include "tests/sim/drive.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/verify.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "tests/sim/drive_store.h"

#define HOST	   "http://127.0.0.1:1"
#define LATENCY_MS 50
#define PENDING	   64
#define TIMEOUT_MS 15000 /* of a call that names none */
#define PATIENCE_S 60	 /* real seconds for the journal's threads to answer */

struct pending {
	int64_t due_ms, deadline_ms;
	char *path, *query, *authorization; /* query NULL: none */
	size_t max_reply;
	bool answered; /* the reply is made, and waits for due_ms */
	struct sim_reply reply;
	http_done *done;
	void *arg;
};

struct drive {
	struct drive_options options;
	char *config, *events, *ledger;
	struct model *model;
	struct relay *relay;
	int64_t epoch_ms, now_ms;
	_Atomic int64_t wall_ms; /* the same, for the journal's thread */
	_Atomic int failing;	 /* how commits fail; 0: they do not */
	struct pending v[PENDING];
	size_t n;
	int64_t *begun; /* when each request was begun */
	size_t nbegun, begun_cap;
};

__attribute__((format(printf, 2, 3))) static _Noreturn void fail(const struct drive *d,
								 const char *fmt, ...)
{
	char why[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof why, fmt, args);
	va_end(args);
	if (d->options.fail)
		d->options.fail(why);
	fprintf(stderr, "drive: %s\n", why);
	abort();
}

static struct instant clock_of(void *arg)
{
	struct drive *d = arg;
	atomic_store(&d->wall_ms, d->now_ms);
	return (struct instant){d->now_ms, d->now_ms - d->epoch_ms};
}

static int fetch(void *arg, const struct http_call *call, http_done *done, void *done_arg,
		 struct err *err)
{
	struct drive *d = arg;
	if (d->n == PENDING)
		return err_set(err, ERR_LIMIT, "more than %d requests at once", PENDING);
	struct pending *p = &d->v[d->n++];
	*p = (struct pending){
		.due_ms = d->now_ms + (d->options.latency_ms ? d->options.latency_ms : LATENCY_MS),
		.deadline_ms = d->now_ms + (call->timeout_ms ? call->timeout_ms : TIMEOUT_MS),
		.path = xstrdup(call->url + strlen(HOST)),
		.max_reply = call->max_reply,
		.done = done,
		.arg = done_arg,
	};
	if (p->due_ms > p->deadline_ms)
		p->due_ms = p->deadline_ms;
	for (size_t i = 0; call->headers && call->headers[i]; i++)
		if (!strncasecmp(call->headers[i], "Authorization: ", 15))
			p->authorization = xstrdup(call->headers[i] + 15);
	p->query = strchr(p->path, '?');
	if (p->query)
		*p->query++ = '\0';
	if (d->options.asked)
		d->options.asked(d->options.arg, p->path, p->query);
	d->begun = mem_grow(d->begun, d->nbegun, &d->begun_cap, sizeof *d->begun);
	d->begun[d->nbegun++] = d->now_ms;
	return 0;
}

static struct pending take(struct drive *d, size_t i)
{
	struct pending p = d->v[i];
	d->v[i] = d->v[--d->n];
	return p;
}

static void release(struct pending *p)
{
	sim_reply_release(&p->reply);
	free(p->path);
	free(p->authorization);
}

static void finish(struct pending *p, const struct http_reply *reply)
{
	p->done(p->arg, reply);
	release(p);
}

static void fail_call(struct pending *p, enum http_failure failure, const char *why)
{
	finish(p, &(struct http_reply){.failure = failure,
				       .why = why,
				       .body = "",
				       .retry_after_ms = -1,
				       .date_ms = DATE_NONE});
}

static void abort_all(struct drive *d)
{
	while (d->n) {
		struct pending p = take(d, 0);
		fail_call(&p, HTTP_ABORTED, "aborted");
	}
}

static void deliver(struct drive *d, struct pending *p)
{
	struct sim_reply *reply = &p->reply;
	struct buf headers = BUF_INIT(1 << 16);
	for (size_t k = 0; k < reply->nheaders; k++) {
		buf_addf(&headers, "%s: %s", reply->headers[k].name, reply->headers[k].value);
		buf_addc(&headers, '\0');
	}
	const char *retry = sim_reply_header(reply, "Retry-After");
	model_served(d->model, reply);
	finish(p, &(struct http_reply){
			  .status = reply->ending == SIM_RESET ? 0 : reply->status,
			  .body = reply->body.data,
			  .len = reply->body.len,
			  .retry_after_ms = retry ? http_retry_after(retry, d->now_ms) : -1,
			  .date_ms = d->now_ms,
			  .headers = &headers,
		  });
	buf_release(&headers);
}

/* The end of a call whose reply is due. */
static void end_call(struct drive *d, struct pending *p)
{
	const struct sim_reply *reply = &p->reply;
	if (d->now_ms >= p->deadline_ms)
		fail_call(p, HTTP_TIMEOUT, "the time is up");
	else if (reply->ending == SIM_FLOOD || reply->body.len > p->max_reply)
		fail_call(p, HTTP_TOO_LONG, "the reply is too long");
	else if (reply->ending != SIM_WHOLE)
		fail_call(p, HTTP_BROKEN, "the connection broke");
	else
		deliver(d, p);
}

static void answer(struct drive *d, size_t i)
{
	struct pending *p = &d->v[i];
	struct sim_request rq = {"GET", p->path, p->query, p->authorization, "relay", d->now_ms};
	if (d->options.serve) {
		struct pending due = take(d, i);
		d->options.serve(d->options.arg, d->now_ms, &rq, due.done, due.arg);
		release(&due);
		return;
	}
	if (!p->answered) {
		model_request(d->model, d->now_ms, &rq, &p->reply);
		p->answered = true;
		p->due_ms += p->reply.delay_ms;
		if (p->reply.ending == SIM_HANG || p->due_ms > p->deadline_ms)
			p->due_ms = p->deadline_ms;
	}
	if (p->due_ms > d->now_ms)
		return;
	struct pending due = take(d, i);
	end_call(d, &due);
}

/* The relay does all it can do now. Returns how long it would wait. */
static int settle(struct drive *d)
{
	int64_t patience = clock_now().mono_ms + PATIENCE_S * 1000;
	int wait;
	while ((wait = relay_tick(d->relay, clock_of(d))), relay_settling(d->relay)) {
		relay_wait(d->relay, 100);
		if (clock_now().mono_ms > patience)
			fail(d, "the journal does not answer");
	}
	return wait;
}

static size_t earliest(const struct drive *d)
{
	size_t best = 0;
	for (size_t i = 1; i < d->n; i++)
		if (d->v[i].due_ms < d->v[best].due_ms)
			best = i;
	return best;
}

bool drive_run_until(struct drive *d, int64_t ms, bool (*done)(void *arg), void *arg)
{
	int64_t end = d->now_ms + ms;
	for (;;) {
		int64_t next = d->now_ms + settle(d);
		if (done && done(arg))
			return true;
		bool reply = d->n && d->v[earliest(d)].due_ms <= next;
		if (reply)
			next = d->v[earliest(d)].due_ms;
		if (next > end)
			break;
		d->now_ms = next > d->now_ms ? next : d->now_ms + !reply;
		if (reply)
			answer(d, earliest(d));
	}
	d->now_ms = end;
	model_advance(d->model, d->now_ms);
	return false;
}

void drive_run(struct drive *d, int64_t ms)
{
	drive_run_until(d, ms, NULL, NULL);
}

static void open_relay(struct drive *d)
{
	struct problems problems = {0};
	struct err err = {0};
	struct relay_env env = {fetch, d, clock_of, d, d->options.model.seed};
	struct settings *s = settings_load(d->config, &problems);
	if (!s) {
		problems_print(&problems, stderr);
		fail(d, "the drive's configuration is wrong");
	}
	problems_release(&problems);
	drive_store_watch(&s->journal, &(struct drive_watch){.told = d->options.event,
							     .arg = d->options.arg,
							     .wall_ms = &d->wall_ms,
							     .committed = d->options.committed,
							     .failing = &d->failing,
							     .forget = d->options.forget_events});
	d->relay = relay_open(s, &env, &err);
	if (!d->relay)
		fail(d, "%s", err.msg);
}

static void write_config(struct drive *d)
{
	static const char everything[] =
		"destinations:\n  file: { stdout: { path: events.ndjson } }\n"
		"rules: [{ name: all, to: [file] }]\n";
	const char *key = d->options.model.key;
	FILE *f = fopen(d->config, "we");
	if (!f)
		fail(d, "%s: %s", d->config, strerror(errno));
	fprintf(f,
		"source:\n  base_url: " HOST
		"\n%s%s%s%sjournal: { sqlite: { path: relay.db%s } }\n%s",
		key ? "  api_key: " : "", key ? key : "", key ? "\n" : "", d->options.source,
		d->options.journal ? d->options.journal : "",
		d->options.rest ? d->options.rest : everything);
	if (fclose(f) != 0)
		fail(d, "%s: %s", d->config, strerror(errno));
}

struct drive *drive_open(const struct drive_options *o)
{
	struct drive *d = xcalloc(1, sizeof *d);
	struct err err = {0};
	log_set_level(getenv("DRIVE_LOG") ? LOG_DEBUG : LOG_ERROR);
	d->options = *o;
	d->epoch_ms = o->model.epoch_ms;
	d->now_ms = d->epoch_ms + o->start_ms;
	d->config = xasprintf("%s/relay.yaml", o->dir);
	d->events = xasprintf("%s/events.ndjson", o->dir);
	d->ledger = xasprintf("%s/ledger.ndjson", o->dir);
	d->model = model_new(&o->model, &err);
	if (!d->model)
		fail(d, "%s", err.msg);
	write_config(d);
	open_relay(d);
	return d;
}

static void close_relay(struct drive *d)
{
	abort_all(d);
	relay_close(d->relay);
	d->relay = NULL;
}

void drive_restart(struct drive *d)
{
	close_relay(d);
	open_relay(d);
}

void drive_fail_commits(struct drive *d, int code)
{
	atomic_store(&d->failing, code);
}

void drive_kill(struct drive *d)
{
	drive_fail_commits(d, ERR_IO);
	close_relay(d);
	drive_fail_commits(d, 0);
	open_relay(d);
}

static void reload(struct drive *d)
{
	struct problems problems = {0};
	struct err err = {0};
	write_config(d);
	struct settings *s = settings_load(d->config, &problems);
	if (!s || relay_reload(d->relay, s, &err) < 0)
		fail(d, "the drive's new configuration is refused: %s", err.msg);
	problems_release(&problems);
}

void drive_reload(struct drive *d, const char *source)
{
	d->options.source = source;
	reload(d);
}

void drive_reload_rules(struct drive *d, const char *rest)
{
	d->options.rest = rest;
	reload(d);
}

void drive_cut(struct drive *d)
{
	for (int patience = 0; patience < 1000 && !relay_settling(d->relay); patience++) {
		int wait = relay_tick(d->relay, clock_of(d));
		if (d->n) {
			size_t i = earliest(d);
			d->now_ms = d->v[i].due_ms > d->now_ms ? d->v[i].due_ms : d->now_ms;
			answer(d, i);
		} else {
			d->now_ms += wait;
		}
	}
	drive_restart(d);
}

void drive_close(struct drive *d)
{
	if (!d)
		return;
	close_relay(d);
	model_free(d->model);
	free(d->config);
	free(d->events);
	free(d->ledger);
	free(d->begun);
	free(d);
}

struct model *drive_model(const struct drive *d)
{
	return d->model;
}

struct relay *drive_relay(const struct drive *d)
{
	return d->relay;
}

int64_t drive_now_ms(const struct drive *d)
{
	return d->now_ms;
}

unsigned drive_peak_requests(const struct drive *d)
{
	size_t first = 0, peak = 0;
	for (size_t i = 0; i < d->nbegun; i++) {
		while (d->begun[i] - d->begun[first] >= 60000)
			first++;
		if (i - first + 1 > peak)
			peak = i - first + 1;
	}
	return (unsigned)peak;
}

static FILE *write_ledger(struct drive *d)
{
	struct ledger l;
	struct buf out = BUF_INIT(16 << 20);
	bool more = true;
	FILE *f = fopen(d->ledger, "w+e");
	if (!f)
		fail(d, "%s: %s", d->ledger, strerror(errno));
	ledger_start(&l, d->model);
	while (more) {
		buf_clear(&out);
		more = ledger_read(&l, &out, 1 << 20);
		if (fwrite(out.data, 1, out.len, f) != out.len)
			fail(d, "%s: %s", d->ledger, strerror(errno));
	}
	buf_release(&out);
	rewind(f);
	return f;
}

void drive_drain(struct drive *d)
{
	int64_t patience = clock_now().mono_ms + PATIENCE_S * 1000;
	while (!relay_delivered(d->relay)) {
		settle(d);
		relay_wait(d->relay, 10);
		if (clock_now().mono_ms > patience)
			fail(d, "the deliveries do not end");
	}
}

bool drive_agrees(struct drive *d, const char *events, FILE *out)
{
	struct err err = {0};
	drive_drain(d);
	struct verify *v = verify_new(NULL);
	FILE *ledger = write_ledger(d);
	if (verify_events(v, events ? events : d->events, &err) < 0 ||
	    verify_ledger(v, ledger, d->ledger, &err) < 0)
		fail(d, "%s", err.msg);
	fclose(ledger);
	bool holds = verify_holds(v);
	if (!holds && out)
		verify_print(v, "drive", out);
	verify_free(v);
	return holds;
}

void drive_verify(struct drive *d)
{
	if (!drive_agrees(d, NULL, stderr))
		fail(d, "the events are not those of the ledger");
}
