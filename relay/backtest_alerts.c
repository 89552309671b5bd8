/* backtest_alerts — the windows of the new rules, filled with the past at the pace of its
 * `recordedtime`. Invariant: the watermark stays a day behind what was fed, so that no event that
 * windows would take comes behind it, and what they decide is what events say and not when they
 * were seen. */
#include <stdlib.h>
#include <string.h>

#include "relay/alert_event.h"
#include "relay/backtest_parts.h"
#include "relay/base/mem.h"

#define TICK_MS 1000

struct refill {
	const struct backtest_options *o;
	const char *uuid;
	struct score score;
	struct windows *windows;
	const size_t *places; /* of the windows' rules in the list */
	uint64_t *fired;      /* per rule of the list */
	struct rules_scratch *scratch;
	struct rule_hit *hits;
	int64_t now_ms, due_ms; /* recorded time: fed up to, next tick */
	bool ended;
};

/* Where the alert would go: it passes the plain rules like any event. */
static void on_alert(void *arg, const struct alert *alert)
{
	struct refill *r = arg;
	size_t rule = r->places[alert->rule];
	struct event ev;

	if (alert->kind == ALERT_FIRING)
		r->fired[rule]++;
	alert_event(&ev, alert, rules_name(r->o->rules, rule), r->uuid, r->now_ms);
	size_t n = rules_route_alert(r->scratch, &ev, rule, r->hits);
	for (size_t i = 0; i < n; i++)
		score_at(&r->score, r->hits[i].rule, r->hits[i].destination)->alerts_would++;
	event_release(&ev);
}

/* The relay itself would tell; there is nobody to tell here. */
static void on_full(void *arg, size_t rule, uint64_t refused)
{
	(void)arg;
	(void)rule;
	(void)refused;
}

static int64_t on_known_until(void *arg, const char *broadcast, const char *const *awaited)
{
	const struct refill *r = arg;

	(void)broadcast;
	(void)awaited;
	return r->ended ? r->now_ms : r->now_ms - WINDOW_LATE_MAX_MS;
}

struct refill *refill_new(const struct backtest_options *o, const char *uuid, int64_t started_ms)
{
	const struct alert_rule *const *rules;
	const size_t *places;
	size_t n = rules_alerts(o->rules, &rules, &places);
	struct refill *r;

	if (!n)
		return NULL;
	r = xcalloc(1, sizeof *r);
	const struct windows_env env = {
		.alert = on_alert, .full = on_full, .known_until = on_known_until, .arg = r};
	*r = (struct refill){.o = o, .uuid = uuid, .places = places};
	score_init(&r->score);
	r->windows = windows_new(rules, n, started_ms, &env);
	r->fired = xcalloc(rules_count(o->rules) + 1, sizeof *r->fired);
	r->scratch = rules_scratch_new(o->rules);
	r->hits = xcalloc(o->ndestinations + 1, sizeof *r->hits);
	r->now_ms = r->due_ms = started_ms;
	return r;
}

void refill_free(struct refill *r)
{
	if (!r)
		return;
	windows_free(r->windows);
	score_release(&r->score);
	rules_scratch_free(r->scratch);
	free(r->hits);
	free(r->fired);
	free(r);
}

/* Ticks that were due before; in a pause, only those for which there is something to do. */
static void pass(struct refill *r, int64_t to_ms)
{
	while (r->due_ms <= to_ms) {
		r->now_ms = r->due_ms > r->now_ms ? r->due_ms : r->now_ms;
		int64_t wait_ms = windows_tick(r->windows, r->now_ms);

		if (wait_ms > to_ms - r->now_ms)
			wait_ms = to_ms - r->now_ms + 1;
		r->due_ms = r->now_ms + (wait_ms > TICK_MS ? wait_ms : TICK_MS);
	}
	r->now_ms = to_ms > r->now_ms ? to_ms : r->now_ms;
}

void refill_feed(struct refill *r, const struct event *ev)
{
	const struct window_event we = alert_window_event(ev);

	pass(r, we.recorded_ms - 1);
	r->now_ms = we.recorded_ms > r->now_ms ? we.recorded_ms : r->now_ms;
	windows_feed(r->windows, &we);
}

void refill_end(struct refill *r, struct score *t)
{
	r->ended = true;
	windows_tick(r->windows, r->now_ms);
	score_add(t, &r->score);
}

uint64_t refill_fired(const struct refill *r, size_t rule)
{
	return r->fired[rule];
}
