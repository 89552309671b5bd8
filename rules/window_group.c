/*
 * Groups: records that wait for one watermark. Steps are decided in their order, each once, so that
 * what is decided depends on the events' times alone. A step that the watermark did not reach a day
 * after it ended is given up: nothing is decided of it, so that a broadcast of which nothing more
 * comes holds no memory.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/window_parts.h"

#define ASK_LEAST_MS 1000
#define ASKS_A_STEP  16

static int64_t floor_step(const struct window *w, int64_t ms)
{
	int64_t step = w->rule->step_ms;
	return ms >= 0 ? ms / step : -1;
}

int64_t group_back_ms(const struct window *w)
{
	return w->rule->kind == RULE_ABSENT ? 2 * w->rule->within_ms : w->rule->within_ms;
}

struct group *group_of(struct window *w, const char *broadcast)
{
	struct hash128 key = {0};
	int64_t seen_ms = w->all->seen_ms;

	if (broadcast)
		key = hash128(broadcast, strlen(broadcast));
	struct group *g = table_get(&w->groups, key, broadcast ? 1 : 0);
	if (g)
		return g;
	g = table_add(&w->groups, key, broadcast ? 1 : 0);
	if (!g)
		return NULL;
	if (seen_ms < w->all->cursor_ms)
		seen_ms = w->all->cursor_ms;
	g->broadcast = xstrdup(broadcast);
	g->decided = floor_step(w, seen_ms - WINDOW_LATE_MAX_MS);
	g->first_ms = INT64_MAX;
	g->resolve_at = INT64_MAX;
	g->alerts = TABLE_NONE;
	return g;
}

void group_hold(struct group *g, int64_t time_ms)
{
	g->held++;
	group_saw(g, time_ms);
}

void group_saw(struct group *g, int64_t time_ms)
{
	if (time_ms >= g->first_ms)
		return;
	g->first_ms = time_ms;
	g->dirty = true;
}

void group_let_go(struct window *w, uint32_t slot)
{
	struct group *g = table_at(&w->groups, slot);

	if (--g->held)
		return;
	g->first_ms = INT64_MAX;
	g->dirty = true;
}

void group_free(struct window *w, struct group *g)
{
	if (g->kept)
		row_gone(w->all, ROW_GROUP, w, g->broadcast);
	calendar_release(&g->due);
	free(g->broadcast);
	table_remove(&w->groups, g);
}

static int64_t next_step(const struct group *g)
{
	int64_t due = calendar_next(&g->due);
	return due < g->resolve_at ? due : g->resolve_at;
}

/* false: nothing is due any more. */
static bool take_bucket(struct window *w, struct group *g, struct deciding *d)
{
	if (calendar_next(&g->due) != d->step)
		return false;
	struct calendar_bucket b = calendar_take(&g->due);
	w->looks += b.n;
	order_begin(&d->bucket, b.v, b.n);
	return true;
}

/* false: there are more. */
static bool look_at_all(struct window *w, struct group *g, struct deciding *d)
{
	bool ratio = w->rule->kind == RULE_RATIO;
	order_fn *order = ratio ? ratio_order : absent_order;

	while (d->bucket.left || take_bucket(w, g, d)) {
		bool sorting = d->bucket.sorted < d->bucket.n;
		if (!windows_may_look(w->all, sorting ? ORDER_RUN : 1))
			return false;
		if (sorting) {
			order_sort(&d->bucket, order, w);
			continue;
		}
		uint32_t slot = order_take(&d->bucket, order, w);
		if (ratio)
			ratio_look(w, g, slot, d);
		else
			absent_look(w, g, slot, d);
	}
	return true;
}

/* Goes on with the step that was begun: looks at what is due, then tells, then ends alerts. false:
 * it is not done. */
static bool decide_step(struct window *w)
{
	struct deciding *d = &w->now;
	struct group *g = table_at(&w->groups, d->group);

	if (!look_at_all(w, g, d) || !alerts_flush(w, w->all->now_ms) ||
	    !alerts_resolve_group(w, g, d))
		return false;
	g->decided = d->step;
	g->dirty = true;
	order_release(&d->bucket);
	*d = (struct deciding){.group = TABLE_NONE};
	return true;
}

/* Up to `known` by what is known, up to `late` by giving up. */
static void decide(struct window *w, struct group *g, int64_t known, int64_t late)
{
	int64_t last = known > late ? known : late;

	for (int64_t step = next_step(g); step <= last; step = next_step(g)) {
		w->now = (struct deciding){
			.group = g->head.slot,
			.step = step,
			.known = step <= known,
			.first_ms = g->first_ms,
		};
		if (decide_step(w))
			continue;
		g->ask_ms = INT64_MIN; /* for what comes behind it */
		return;
	}
	if (last > g->decided)
		g->decided = last;
}

/* Nothing of it is open, and what is fed again after a restart would be too old to open anything.
 */
static bool is_over(const struct window *w, const struct group *g)
{
	return !g->held && g->alerts == TABLE_NONE &&
	       g->decided < floor_step(w, w->all->seen_ms - WINDOW_LATE_MAX_MS);
}

static int64_t known_until(const struct window *w, struct group *g, int64_t now_ms)
{
	const struct windows_env *env = &w->all->env;
	int64_t wait_ms = w->rule->step_ms / ASKS_A_STEP;
	int64_t until = env->known_until(env->arg, g->broadcast, w->rule->types);

	g->ask_ms = now_ms + (wait_ms > ASK_LEAST_MS ? wait_ms : ASK_LEAST_MS);
	return until < now_ms ? until : now_ms;
}

static int64_t tick(struct window *w, struct group *g, int64_t now_ms)
{
	int64_t step = next_step(g), end_ms;

	if (step == INT64_MAX)
		return INT64_MAX;
	end_ms = step * w->rule->step_ms;
	if (end_ms > now_ms)
		return end_ms;
	int64_t late = floor_step(w, now_ms - WINDOW_LATE_MAX_MS);
	if (now_ms < g->ask_ms && late < step)
		return g->ask_ms;
	decide(w, g, floor_step(w, known_until(w, g, now_ms)), late);
	step = next_step(g);
	end_ms = step == INT64_MAX ? INT64_MAX : step * w->rule->step_ms;
	return end_ms > g->ask_ms ? end_ms : g->ask_ms;
}

int64_t groups_tick(struct window *w, int64_t now_ms)
{
	int64_t next_ms = INT64_MAX;
	struct group *g;

	if (w->now.group != TABLE_NONE && !decide_step(w))
		return now_ms;
	for (uint32_t i = 0; (g = table_from(&w->groups, i));) {
		i = g->head.slot + 1;
		int64_t at_ms = w->rule->kind == RULE_COUNT ? INT64_MAX : tick(w, g, now_ms);
		if (w->now.group != TABLE_NONE)
			return now_ms;
		if (at_ms < next_ms)
			next_ms = at_ms;
		if (is_over(w, g))
			group_free(w, g);
	}
	return next_ms;
}

void groups_ask(struct window *w)
{
	struct group *g;

	for (uint32_t i = 0; (g = table_from(&w->groups, i)); i = g->head.slot + 1)
		g->ask_ms = INT64_MIN;
}
