/* control — the clock and the endpoints that steer it. Invariant: virtual time never goes back. */
#include "examples/invent-sim/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/query.h"
#include "examples/invent-sim/state.h"
#include "relay/base/clock.h"
#include "relay/base/json.h"

int64_t sim_clock_now(const struct sim_clock *c, int64_t real_ms)
{
	int64_t now = c->epoch_ms + c->moved_ms;

	if (!c->held && !c->ended && real_ms > c->since_ms)
		now += (int64_t)((double)(real_ms - c->since_ms) * c->speed);
	return now;
}

/* What ran so far is put by; it runs, or not, from here. */
static void settle(struct sim_clock *c, int64_t real_ms)
{
	c->moved_ms = sim_clock_now(c, real_ms) - c->epoch_ms;
	c->since_ms = real_ms;
}

void sim_clock_start(struct sim_clock *c, int64_t real_ms)
{
	settle(c, real_ms);
	c->held = false;
}

/* ---- status */

static void put_broadcast(struct buf *out, const struct broadcast *b)
{
	buf_adds(out, "{\"id\":");
	json_write_string(out, b->id);
	buf_addf(out, ",\"status\":\"%s\",\"recipients\":%u,\"counts\":{",
		 status_names[b->statuses[b->nstatuses - 1].status], b->campaign.recipients);
	for (int i = 0; i < SIM_WHATS; i++)
		buf_addf(out, "%s\"%s\":%llu", i ? "," : "", sim_what_names[i],
			 (unsigned long long)b->counts[i]);
	buf_adds(out, "}}");
}

static void put_faults(struct buf *out, const struct faults *faults)
{
	buf_addc(out, '[');
	for (size_t i = 0; i < faults->n; i++) {
		buf_adds(out, i ? ",{\"spec\":" : "{\"spec\":");
		json_write_string(out, faults->v[i].spec);
		buf_addf(out, ",\"hits\":%llu}", (unsigned long long)faults->v[i].hits);
	}
	buf_addc(out, ']');
}

static void put_requests(struct buf *out, const struct model *m)
{
	struct sim_counts c;

	model_counts(m, &c);
	buf_addf(out,
		 "{\"total\":%llu,\"broadcasts\":%llu,\"recipients\":%llu,\"orgs\":%llu,"
		 "\"limited\":%llu,\"faulted\":%llu,\"peak_per_minute\":%llu}",
		 (unsigned long long)c.requests, (unsigned long long)c.lists,
		 (unsigned long long)c.recipients, (unsigned long long)c.orgs,
		 (unsigned long long)c.limited, (unsigned long long)c.faulted,
		 (unsigned long long)c.peak);
}

void model_status(const struct model *m, struct buf *out)
{
	char now[DATE_TEXT];
	int64_t next = model_next_change(m);

	buf_addf(out,
		 "{\"now\":\"%s\",\"now_ms\":%lld,\"next_change_ms\":", date_format(now, m->now_ms),
		 (long long)m->now_ms);
	if (next == INT64_MAX)
		buf_adds(out, "null");
	else
		buf_addi(out, next);
	buf_adds(out, ",\"broadcasts\":[");
	for (size_t i = 0; i < m->nbroadcasts; i++) {
		if (i)
			buf_addc(out, ',');
		put_broadcast(out, &m->broadcasts[i]);
	}
	buf_adds(out, "],\"requests\":");
	put_requests(out, m);
	buf_adds(out, ",\"faults\":");
	put_faults(out, &m->faults);
	buf_addc(out, '}');
}

/* ---- endpoints */

struct call {
	struct sim *sim;
	const struct sim_request *rq;
	const char *body;
	size_t len;
	struct sim_reply *reply;
	int64_t real_ms;
};

static void status(struct call *c)
{
	const struct sim_clock *clock = &c->sim->clock;
	struct buf *out = &c->reply->body;

	buf_addf(out, "{\"clock\":\"%s\",\"speed\":%g,\"model\":",
		 clock->ended  ? "ended"
		 : clock->held ? "held"
			       : "running",
		 clock->speed);
	model_status(c->sim->model, out);
	buf_addc(out, '}');
}

static void start(struct call *c)
{
	if (!c->sim->clock.ended)
		sim_clock_start(&c->sim->clock, c->real_ms);
	status(c);
}

static void step(struct call *c)
{
	char text[QUERY_VALUE], *end = text;
	long long ms = -1;

	if (query_get(c->rq->query, "ms", text))
		ms = strtoll(text, &end, 10);
	if (ms < 0 || *end || ms > 1000LL * 86400000) {
		reply_error(c->reply, 400, "ms must be a number of milliseconds");
		return;
	}
	if (!c->sim->clock.ended)
		c->sim->clock.moved_ms += ms;
	model_advance(c->sim->model, sim_clock_now(&c->sim->clock, c->real_ms));
	status(c);
}

static void end(struct call *c)
{
	settle(&c->sim->clock, c->real_ms);
	c->sim->clock.ended = true;
	model_end(c->sim->model);
	status(c);
}

static void show_faults(struct call *c)
{
	put_faults(&c->reply->body, &c->sim->model->faults);
}

/* Specs from a JSON array into list; the strings live as long as the doc. */
static int read_specs(struct call *c, struct json_doc *doc, const char *list[FAULTS_MAX + 1],
		      size_t *ret_n, struct err *err)
{
	const struct json *root = json_parse(doc, c->body, c->len, 4, err);

	if (!root)
		return -1;
	if (json_type(root) != JSON_ARRAY)
		return err_set(err, ERR_FORMAT, "faults: a JSON array of specs expected");
	for (const struct json *v = json_first(root); v; v = json_next(v)) {
		const char *spec = json_string(v);
		if (!spec)
			return err_set(err, ERR_FORMAT, "faults: each spec is a string");
		if (*ret_n <= FAULTS_MAX)
			list[(*ret_n)++] = spec;
	}
	return 0;
}

static void set_faults(struct call *c)
{
	char texts[FAULTS_MAX + 1][QUERY_VALUE];
	const char *list[FAULTS_MAX + 1];
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	size_t n = 0;

	while (n <= FAULTS_MAX && query_nth(c->rq->query, "set", (unsigned)n, texts[n])) {
		list[n] = texts[n];
		n++;
	}
	if ((c->len && read_specs(c, doc, list, &n, &err)) ||
	    model_set_faults(c->sim->model, list, n, &err))
		reply_error(c->reply, 400, err.msg);
	else
		show_faults(c);
	json_doc_free(doc);
}

static void change(struct call *c)
{
	char broadcast[QUERY_VALUE], recipient[QUERY_VALUE], state[QUERY_VALUE];
	char value[QUERY_VALUE] = "true";

	query_get(c->rq->query, "value", value);
	if (!query_get(c->rq->query, "broadcast", broadcast) ||
	    !query_get(c->rq->query, "recipient", recipient) ||
	    !query_get(c->rq->query, "state", state) || sim_what_number(state) < 0) {
		reply_error(c->reply, 400, "broadcast, recipient and a known state are needed");
		return;
	}
	bool done = model_change(c->sim->model, broadcast, recipient,
				 (enum sim_what)sim_what_number(state), !strcmp(value, "true"));
	if (!done)
		reply_error(c->reply, 409, "there is no such row, or it is so already");
	else
		buf_adds(&c->reply->body, "{\"changed\":true}");
}

static const struct {
	const char *method, *path;
	void (*run)(struct call *c);
} endpoints[] = {
	{"GET", "/sim/status", status},	     {"POST", "/sim/start", start},
	{"POST", "/sim/step", step},	     {"POST", "/sim/end", end},
	{"GET", "/sim/faults", show_faults}, {"POST", "/sim/faults", set_faults},
	{"POST", "/sim/change", change},
};

static void answer(struct call *c)
{
	bool found = false;

	for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
		if (strcmp(endpoints[i].path, c->rq->path))
			continue;
		found = true;
		if (!strcmp(endpoints[i].method, c->rq->method)) {
			endpoints[i].run(c);
			return;
		}
	}
	reply_error(c->reply, found ? 405 : 404, found ? "another method is needed" : "not found");
}

bool control_ledger(const struct sim *s, const struct sim_request *rq)
{
	return s->model && !strcmp(rq->path, "/sim/ledger") && !strcmp(rq->method, "GET");
}

void control_request(struct sim *s, const struct sim_request *rq, const char *body, size_t len,
		     struct sim_reply *ret)
{
	int64_t now = sim_clock_now(&s->clock, rq->arrived_ms);

	if (s->replay) {
		replay_request(s->replay, rq, ret);
		return;
	}
	if (strncmp(rq->path, "/sim/", 5)) {
		model_request(s->model, now, rq, ret);
		return;
	}
	struct call c = {s, rq, body, len, ret, rq->arrived_ms};
	model_advance(s->model, now);
	*ret = (struct sim_reply){.status = 200, .at_ms = now, .body = BUF_INIT(16 << 20)};
	reply_header(ret, "Content-Type", "application/json; charset=utf-8");
	answer(&c);
}
