/*
 * Events of a step go the way a commit goes in the daemon: numbered and routed together, then fed
 * to the windows; the alerts that come of it make the next such batch. Invariant: the clock moves
 * only here, a second at a time, as the daemon's loop would look at its alerts.
 */
#include "relay/cmd/test_run.h"

#include <stdlib.h>
#include <string.h>

#include "relay/alert_event.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "relay/cmd/test_api.h"
#include "relay/cmd/test_call.h"
#include "relay/cmd/test_event.h"

#define TICK_MS 1000 /* as in relay/relay_alerts.c */
/* So long the relay runs when a test begins: what happened a day ago is decided, too. */
#define RUNS_MS (2 * (int64_t)WINDOW_WITHIN_MAX_MS)

struct play {
	const struct settings *settings;
	const struct test_case *test;
	struct test_api *api;
	struct windows *windows; /* NULL: no rule counts */
	const size_t *places;	 /* of their rules in the list */
	struct rules_scratch *scratch;
	struct rule_hit *hits;
	struct call_maker *calls;
	int64_t now_ms, sequence;
	int64_t known_ms;     /* up to then the steps have shown all that happened */
	struct events alerts; /* that windows made and nobody has taken yet … */
	size_t *alert_rules;  /* … and the rule of each, by its place in the list */
	size_t alerts_cap;
	struct test_got *got;
	const struct test_step *step;
	struct problems *p;
	size_t entries, bytes; /* in got */
	bool full;	       /* there were too many */
};

/* ---- what came ---- */

static void keep(struct play *r, enum got_kind kind, char *json)
{
	struct got_list *list = &r->got->of[kind];
	r->entries++;
	r->bytes += strlen(json);
	if (r->entries > GOT_MAX || r->bytes > GOT_BYTES_MAX) {
		if (!r->full)
			problem_at(r->p, r->step->at,
				   "more than %d events, routes and callbacks, or %d MiB of them",
				   GOT_MAX, GOT_BYTES_MAX >> 20);
		r->full = true;
		free(json);
		return;
	}
	list->v = mem_grow(list->v, list->n, &list->cap, sizeof *list->v);
	list->v[list->n++] = json;
}

static void keep_call(struct play *r, const struct event *ev, const struct rule_hit *hit)
{
	struct err err = {0};
	char *json = NULL;
	const struct call call = {
		.event = ev,
		.rule = rules_name(r->settings->rules, hit->rule),
		.destination = &r->settings->destinations[hit->destination],
		.body = rules_body(r->settings->rules, rules_name(r->settings->rules, hit->rule)),
	};
	if (call_make(r->calls, &call, &json, &err) < 0)
		problem_at(r->p, r->step->at, "%s to %s: %s", ev->type, call.destination->name,
			   err.msg);
	if (json)
		keep(r, GOT_CALLBACKS, json);
}

static void keep_route(struct play *r, const struct event *ev, const struct rule_hit *hit)
{
	const struct destination_settings *d = &r->settings->destinations[hit->destination];
	struct buf json = BUF_INIT(EVENT_BODY_MAX);
	buf_addc(&json, '{');
	call_add_event(&json, ev);
	json_add_text(&json, "to", d->name);
	json_add_text(&json, "rule", rules_name(r->settings->rules, hit->rule));
	if (!d->type || d->type->topical)
		json_add_text(&json, "topic", hit->topic ? hit->topic : ev->topic);
	buf_addc(&json, '}');
	keep(r, GOT_ROUTES, buf_detach(&json));
	keep_call(r, ev, hit);
}

/* ---- the daemon's way ---- */

/* rules: for alerts, the rule of each; else NULL. */
static void route(struct play *r, const struct events *batch, const size_t *rules)
{
	for (size_t i = 0; i < batch->n; i++) {
		const struct event *ev = &batch->v[i];
		size_t n = rules ? rules_route_alert(r->scratch, ev, rules[i], r->hits)
				 : rules_route(r->scratch, ev, r->hits);
		for (size_t k = 0; k < n; k++)
			keep_route(r, ev, &r->hits[k]);
	}
}

static void feed(struct play *r, const struct events *batch)
{
	for (size_t i = 0; r->windows && i < batch->n; i++) {
		const struct window_event fed = alert_window_event(&batch->v[i]);
		windows_feed(r->windows, &fed);
	}
}

static void take(struct play *r, struct events *batch, const size_t *rules)
{
	for (size_t i = 0; i < batch->n; i++)
		event_number(&batch->v[i], ++r->sequence);
	route(r, batch, rules);
	feed(r, batch);
}

static void take_alerts(struct play *r)
{
	while (r->alerts.n) {
		struct events batch = r->alerts;
		size_t *rules = r->alert_rules;
		r->alerts = (struct events){0};
		r->alert_rules = NULL;
		r->alerts_cap = 0;
		take(r, &batch, rules);
		for (size_t i = 0; i < batch.n; i++)
			keep(r, GOT_ALERTS, xstrdup(batch.v[i].body));
		events_release(&batch);
		free(rules);
	}
}

static void take_events(struct play *r, struct events *batch, bool from_api)
{
	take(r, batch, NULL);
	for (size_t i = 0; from_api && i < batch->n; i++)
		keep(r, GOT_EVENTS, xstrdup(batch->v[i].body));
	take_alerts(r);
}

/* ---- alerts ---- */

static void on_alert(void *arg, const struct alert *alert)
{
	struct play *r = arg;
	size_t rule = r->places[alert->rule], n = r->alerts.n;
	r->alert_rules = mem_grow(r->alert_rules, n, &r->alerts_cap, sizeof *r->alert_rules);
	r->alert_rules[n] = rule;
	r->alerts.v = mem_grow(r->alerts.v, n, &r->alerts.cap, sizeof *r->alerts.v);
	alert_event(&r->alerts.v[r->alerts.n++], alert, rules_name(r->settings->rules, rule),
		    TEST_UUID, r->now_ms);
}

/* No test comes so far: WINDOW_KEYS_MAX is above GOT_MAX. */
_Static_assert(GOT_MAX < WINDOW_KEYS_MAX, "else relay.window.full would have to be told");
static void on_full(void *arg, size_t rule, uint64_t refused)
{
	(void)arg;
	(void)rule;
	(void)refused;
}

static int64_t on_known_until(void *arg, const char *broadcast, const char *const *types)
{
	const struct play *r = arg;
	(void)broadcast;
	(void)types;
	return r->known_ms;
}

static void tick(struct play *r)
{
	if (r->windows)
		windows_tick(r->windows, r->now_ms);
	take_alerts(r);
}

/* While nothing is shown, nothing happens. But where a step shows something at its end, it may have
 * happened at any time since the last one: until it is shown, nobody knows. */
static void wait(struct play *r, const struct test_step *step)
{
	bool shows = step->broadcast || step->recipients || step->removed || step->event;
	int64_t end_ms = r->now_ms + step->wait_ms;
	while (r->now_ms < end_ms && !r->full) {
		int64_t left_ms = end_ms - r->now_ms;
		r->now_ms += r->windows && left_ms > TICK_MS ? TICK_MS : left_ms;
		r->known_ms = shows ? r->known_ms : r->now_ms;
		tick(r);
	}
}

/* ---- steps ---- */

static void run_step(struct play *r)
{
	const struct test_step *step = r->step;
	struct events batch = {0};
	wait(r, step);
	test_api_step(r->api, step, r->now_ms, &batch, r->p);
	if (!step->known)
		take_events(r, &batch, true);
	events_release(&batch);
	if (step->event && test_event_make(step->event, r->now_ms, r->sequence + 1, &batch, r->p))
		take_events(r, &batch, false);
	events_release(&batch);
	r->known_ms = r->now_ms;
	if (r->windows)
		windows_ask(r->windows);
	tick(r);
}

static void begin_step(struct play *r, size_t step)
{
	for (int kind = 0; kind < GOT_KINDS; kind++)
		r->got->begins[step][kind] = r->got->of[kind].n;
}

static void begin(struct play *r)
{
	const struct alert_rule *const *rules;
	const struct windows_env env = {
		.alert = on_alert, .full = on_full, .known_until = on_known_until, .arg = r};
	size_t n = rules_alerts(r->settings->rules, &rules, &r->places);
	if (n)
		r->windows = windows_new(rules, n, r->now_ms - RUNS_MS, &env);
	r->api = test_api_new(&r->settings->source, r->test->since_ms);
	r->scratch = rules_scratch_new(r->settings->rules);
	r->hits = xcalloc(r->settings->ndestinations + 1, sizeof *r->hits);
	r->calls = call_maker_new();
	r->got->begins = xcalloc(r->test->nsteps + 1, sizeof *r->got->begins);
}

static void end(struct play *r)
{
	windows_free(r->windows);
	test_api_free(r->api);
	rules_scratch_free(r->scratch);
	call_maker_free(r->calls);
	events_release(&r->alerts);
	free(r->alert_rules);
	free(r->hits);
}

void test_run(const struct settings *s, const struct test_case *t, struct test_got *ret,
	      struct problems *p)
{
	struct play r = {.settings = s,
			 .test = t,
			 .now_ms = t->clock_ms,
			 .known_ms = t->clock_ms,
			 .got = ret,
			 .p = p};
	*ret = (struct test_got){0};
	begin(&r);
	for (size_t i = 0; i < t->nsteps && !r.full; i++) {
		r.step = &t->step[i];
		begin_step(&r, i);
		run_step(&r);
	}
	begin_step(&r, t->nsteps);
	end(&r);
}

void test_got_release(struct test_got *got)
{
	for (int kind = 0; kind < GOT_KINDS; kind++) {
		for (size_t i = 0; i < got->of[kind].n; i++)
			free(got->of[kind].v[i]);
		free(got->of[kind].v);
	}
	free(got->begins);
	*got = (struct test_got){0};
}
