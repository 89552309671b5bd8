/*
 * The windows of all rules: events in, ticks in, alerts out. Invariant: what is decided depends on
 * the events, their order and the moments of ticks as little as window.h says, and on nothing that
 * was forgotten at a restart.
 */
#include "rules/window.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/window_match.h"
#include "rules/window_parts.h"

#define SCRATCH_MAX  (1 << 20)
#define STATE_DEPTH  8
#define LOOKS_A_TELL 20 /* a look at a record takes some 0.1 to 1 us, an alert some 5 */

static void init(struct window *w, struct windows *all, const struct alert_rule *rule)
{
	static size_t (*const sizes[])(void) = {[RULE_COUNT] = count_record_size,
						[RULE_RATIO] = ratio_record_size,
						[RULE_ABSENT] = absent_record_size};

	*w = (struct window){
		.all = all,
		.rule = rule,
		.place = (size_t)(w - all->v),
		.repeat_ms = INT64_MAX,
		.from_ms = INT64_MAX,
		.now.group = TABLE_NONE,
		.dirty = true,
	};
	table_init(&w->keys, sizes[rule->kind](), WINDOW_KEYS_MAX);
	table_init(&w->groups, sizeof(struct group), WINDOW_GROUPS_MAX);
	table_init(&w->alerts, sizeof(struct open_alert), WINDOW_ALERTS_MAX);
	table_init(&w->subjects, sizeof(struct name), WINDOW_KEYS_MAX);
	table_init(&w->classes, sizeof(struct name), WINDOW_CLASSES_MAX);
}

static void allow(struct windows *all)
{
	all->more = false;
	all->tells = all->env.tells ? all->env.tells : INT64_MAX;
	all->looks = all->env.tells ? all->env.tells * LOOKS_A_TELL : INT64_MAX;
}

struct windows *windows_new(const struct alert_rule *const *rules, size_t n, int64_t started_ms,
			    const struct windows_env *env)
{
	struct windows *all = xcalloc(1, sizeof *all);

	*all = (struct windows){.env = *env, .n = n, .resolve_ms = INT64_MAX};
	allow(all);
	all->v = xcalloc(n + 1, sizeof *all->v);
	for (size_t i = 0; i < n; i++) {
		init(&all->v[i], all, rules[i]);
		all->v[i].started_ms = started_ms;
		all->v[i].blind_ms = started_ms + rules[i]->within_ms;
	}
	buf_init(&all->text, SCRATCH_MAX);
	all->doc = json_doc_new();
	all->matcher = matcher_new(rules, n);
	return all;
}

static void release(struct window *w)
{
	static void (*const records[])(struct window *) = {[RULE_COUNT] = count_release,
							   [RULE_RATIO] = ratio_release,
							   [RULE_ABSENT] = absent_release};
	struct open_alert *a;
	struct group *g;

	records[w->rule->kind](w);
	for (uint32_t i = 0; (a = table_from(&w->alerts, i));) {
		i = a->head.slot + 1;
		a->kept = false; /* nobody asks for its row any more */
		alert_free(w, a);
	}
	for (uint32_t i = 0; (g = table_from(&w->groups, i));) {
		i = g->head.slot + 1;
		g->kept = false;
		group_free(w, g);
	}
	calendar_release(&w->expiry);
	calendar_release(&w->ends);
	free(w->expiring.v);
	free(w->ending.v);
	order_release(&w->now.bucket);
	free(w->changed);
	names_release(&w->subjects);
	names_release(&w->classes);
	free(w->touched);
}

void windows_free(struct windows *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < all->n; i++)
		release(&all->v[i]);
	for (size_t i = 0; i < all->nstale; i++) {
		free(all->stale[i].key);
		free(all->stale[i].state);
	}
	for (size_t i = 0; i < all->nfirst; i++) {
		free(all->first[i].key);
		free(all->first[i].state);
	}
	matcher_free(all->matcher);
	json_doc_free(all->doc);
	buf_release(&all->text);
	free(all->stale);
	free(all->first);
	free(all->v);
	free(all);
}

/* ---- how much in one call ---- */

bool windows_may_tell(struct windows *all)
{
	if (all->tells > 0)
		return true;
	all->more = true;
	return false;
}

bool windows_may_look(struct windows *all, int records)
{
	if (all->looks > 0) {
		all->looks -= records;
		return true;
	}
	all->more = true;
	return false;
}

/* ---- what could not be counted ---- */

void window_refuse(struct window *w)
{
	const struct windows_env *env = &w->all->env;

	w->refused++;
	if (w->full)
		return;
	w->full = true;
	env->full(env->arg, w->place, w->refused);
}

void window_lose(struct window *w, int64_t time_ms)
{
	int64_t until_ms = time_ms + w->rule->within_ms;

	if (until_ms <= w->blind_ms)
		return;
	w->blind_ms = until_ms;
	w->dirty = true;
}

static bool has_room(const struct window *w)
{
	return w->keys.n < WINDOW_KEYS_MAX / 20 * 19 && w->groups.n < WINDOW_GROUPS_MAX / 20 * 19 &&
	       w->alerts.n < WINDOW_ALERTS_MAX / 20 * 19 &&
	       w->entries < WINDOW_ENTRIES_MAX / 20 * 19;
}

/* ---- events ---- */

static void feed(struct window *w, struct sight *s, enum role role)
{
	if (s->ev->recorded_ms < w->started_ms)
		return;
	if (s->time_ms < w->all->seen_ms - WINDOW_LATE_MAX_MS) {
		w->late += !s->past;
		if (w->rule->kind != RULE_COUNT)
			window_lose(w, s->time_ms);
		return;
	}
	switch (w->rule->kind) {
	case RULE_COUNT: count_feed(w, s); break;
	case RULE_RATIO: ratio_feed(w, s, role); break;
	case RULE_ABSENT: absent_feed(w, s, role); break;
	}
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void resolve_counts(struct windows *all, int64_t clock_ms)
{
	if (clock_ms < all->resolve_ms)
		return;
	all->resolve_ms = INT64_MAX;
	for (size_t i = 0; i < all->n; i++) {
		alerts_resolve_clock(&all->v[i], clock_ms);
		all->resolve_ms = least(all->resolve_ms, alerts_next_end(&all->v[i]));
	}
}

/* The clock has come as far as the events have. */
static void advance(struct windows *all, const struct window_event *ev)
{
	if (ev->recorded_ms > all->seen_ms)
		all->seen_ms = ev->recorded_ms;
	if (ev->sequence <= all->cursor)
		return;
	all->fed = ev->sequence;
	if (ev->recorded_ms > all->now_ms)
		all->now_ms = ev->recorded_ms;
	resolve_counts(all, ev->recorded_ms);
}

void windows_feed(struct windows *all, const struct window_event *ev)
{
	struct sight s = {.ev = ev,
			  .past = ev->sequence <= all->cursor,
			  .time_ms = ev->time_ms < ev->recorded_ms ? ev->time_ms : ev->recorded_ms};
	const struct match *found;
	struct err unlikely = {0}; /* the body is Relay's own */

	if (strncmp(ev->type, "alert.", 6) == 0 || strncmp(ev->type, "relay.", 6) == 0)
		return;
	advance(all, ev);
	if (s.time_ms < 0)
		s.time_ms = 0;
	size_t n = matcher_match(all->matcher, ev->body, ev->len, &found);
	if (n)
		s.root = json_parse(all->doc, ev->body, ev->len, JSON_DEPTH + 4, &unlikely);
	for (size_t i = 0; s.root && i < n; i++)
		feed(&all->v[found[i].rule], &s, found[i].other ? ROLE_OTHER : ROLE_WHEN);
}

/* ---- time ---- */

/* An alert of a rule that means something else now. */
static void resolve_stale(struct windows *all, const struct row *row)
{
	struct window *w = &all->v[row->place];
	struct json_doc *doc = json_doc_new();
	struct err unlikely = {0};
	const struct json *state =
		json_parse(doc, row->state, strlen(row->state), STATE_DEPTH, &unlikely);
	const char *key = json_string(json_get(state, "key"));
	struct group *g = key ? group_of(w, json_string(json_get(state, "broadcast"))) : NULL;
	struct open_alert a = {0};

	if (g && alert_restore(&a, state)) {
		a.key = xstrdup(key);
		a.group = g->head.slot;
		alert_tell(w, &a,
			   &(struct telling){ALERT_RESOLVED, all->now_ms, all->now_ms,
					     "rule changed"});
	}
	if (g) {
		struct open_alert *now = table_get(&w->alerts, hash128(key, strlen(key)), 0);
		row_gone(all, ROW_ALERT, w, key);
		if (now)
			alert_changed(w, now);
	}
	alert_content_release(&a);
	json_doc_free(doc);
}

static void resolve_all_stale(struct windows *all)
{
	while (all->nstale && windows_may_tell(all)) {
		const struct row *row = &all->stale[--all->nstale];
		resolve_stale(all, row);
		free(row->key);
		free(row->state);
	}
}

int64_t windows_tick(struct windows *all, int64_t now_ms)
{
	int64_t next_ms = INT64_MAX;

	allow(all);
	if (now_ms > all->now_ms)
		all->now_ms = now_ms;
	resolve_all_stale(all);
	resolve_counts(all, now_ms);
	for (size_t i = 0; i < all->n; i++) {
		struct window *w = &all->v[i];
		if (w->rule->kind == RULE_COUNT && !count_expire(w, all->looks))
			all->more = true;
		next_ms = least(next_ms, groups_tick(w, now_ms));
		alerts_repeat(w, now_ms);
		next_ms = least(next_ms, least(w->repeat_ms, alerts_next_end(w)));
		if (w->full && has_room(w))
			w->full = false;
	}
	if (all->more)
		return 0;
	return next_ms == INT64_MAX ? next_ms : next_ms > now_ms ? next_ms - now_ms : 1;
}

void windows_ask(struct windows *all)
{
	for (size_t i = 0; i < all->n; i++)
		groups_ask(&all->v[i]);
}

/* ---- what it costs ---- */

void windows_status(const struct windows *all, size_t rule, struct windows_status *ret)
{
	const struct window *w = &all->v[rule];
	size_t bytes = w->loose + w->expiry.bytes + w->ends.bytes + table_bytes(&w->keys) +
		       table_bytes(&w->groups) + table_bytes(&w->alerts) +
		       table_bytes(&w->subjects) + table_bytes(&w->classes);
	const struct group *g;

	for (uint32_t i = 0; (g = table_from(&w->groups, i)); i = g->head.slot + 1)
		bytes += g->due.bytes;
	*ret = (struct windows_status){
		.keys = w->keys.n,
		.refused = w->refused,
		.firing = w->alerts.n,
		.late = w->late,
		.looks = w->looks,
		.bytes = bytes,
	};
}
