/*
 * Open alerts: one for each subject whose condition holds, or held within `resolve_after`.
 * Invariant: an alert is in its group's chain and in the table exactly while it is open; a change
 * of what its row says marks it dirty.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/window_parts.h"

#define A_CHANGE 10 /* of an alert: takes as long as so many looks */

static struct open_alert *alert_at(const struct window *w, uint32_t slot)
{
	return table_at(&w->alerts, slot);
}

static struct open_alert *find(const struct window *w, uint32_t subject)
{
	const char *key = name_text(&w->subjects, subject);

	return key ? table_get(&w->alerts, hash128(key, strlen(key)), 0) : NULL;
}

static void chain(struct window *w, struct open_alert *a, struct group *g)
{
	a->group = g->head.slot;
	a->prev = TABLE_NONE;
	a->next = g->alerts;
	if (a->next != TABLE_NONE)
		alert_at(w, a->next)->prev = a->head.slot;
	g->alerts = a->head.slot;
}

static void unchain(struct window *w, struct open_alert *a)
{
	struct group *g = table_at(&w->groups, a->group);

	if (a->prev != TABLE_NONE)
		alert_at(w, a->prev)->next = a->next;
	else
		g->alerts = a->next;
	if (a->next != TABLE_NONE)
		alert_at(w, a->next)->prev = a->prev;
}

void alert_changed(struct window *w, struct open_alert *a)
{
	if (a->dirty)
		return;
	a->dirty = true;
	w->changed = mem_grow(w->changed, w->nchanged, &w->changed_cap, sizeof *w->changed);
	w->changed[w->nchanged++] = a->head.slot;
}

struct open_alert *alert_add(struct window *w, const char *key, struct group *g)
{
	struct open_alert *a = table_add(&w->alerts, hash128(key, strlen(key)), 0);

	if (!a)
		return NULL;
	a->key = xstrdup(key);
	a->round = -1;
	chain(w, a, g);
	alert_changed(w, a);
	return a;
}

void alert_content_release(struct open_alert *a)
{
	alert_clear_counts(a);
	free(a->key);
	free(a->labels);
	a->key = a->labels = NULL;
}

void alert_free(struct window *w, struct open_alert *a)
{
	unchain(w, a);
	if (a->kept)
		row_gone(w->all, ROW_ALERT, w, a->key);
	w->loose -= a->bytes;
	alert_content_release(a);
	table_remove(&w->alerts, a);
}

static size_t bytes_of(const struct open_alert *a)
{
	size_t bytes = strlen(a->key) + (a->labels ? strlen(a->labels) : 0) + 2;

	for (size_t i = 0; i < a->nsamples; i++)
		bytes += sample_bytes(a->samples[i]);
	return bytes + tally_bytes(&a->integrations) + tally_bytes(&a->errors);
}

void alert_weigh(struct window *w, struct open_alert *a)
{
	w->loose -= a->bytes;
	a->bytes = bytes_of(a);
	w->loose += a->bytes;
}

static void touch(struct window *w, struct open_alert *a)
{
	if (a->touched)
		return;
	a->touched = true;
	w->touched = mem_grow(w->touched, w->ntouched, &w->touched_cap, sizeof *w->touched);
	w->touched[w->ntouched++] = a->head.slot;
}

static int64_t end_of(const struct window *w, const struct open_alert *a)
{
	return a->true_ms + w->rule->resolve_after_ms;
}

void alert_expect(struct window *w, const struct open_alert *a)
{
	struct group *g = table_at(&w->groups, a->group);
	int64_t step = step_at_or_after(w, end_of(w, a));

	if (w->rule->kind != RULE_COUNT && step < g->resolve_at)
		g->resolve_at = step;
	if (w->rule->repeat_ms && a->told_ms + w->rule->repeat_ms < w->repeat_ms)
		w->repeat_ms = a->told_ms + w->rule->repeat_ms;
}

void alert_await_end(struct window *w, const struct open_alert *a)
{
	int64_t end_ms = end_of(w, a);

	calendar_add(&w->ends, end_ms, a->head.slot);
	if (end_ms < w->all->resolve_ms)
		w->all->resolve_ms = end_ms;
}

bool alert_has(const struct window *w, uint32_t subject, int64_t step)
{
	const struct open_alert *a = find(w, subject);

	return a && a->round == step && !a->touched;
}

static void tell_end(struct window *w, struct open_alert *a, int64_t time_ms, const char *reason)
{
	alert_tell(w, a, &(struct telling){ALERT_RESOLVED, time_ms, w->all->now_ms, reason});
}

/* Of count: its end is past, and was not told yet since many others end. The calendar knows it by
 * its slot, so that the next one of its key takes that over. */
static void begin_again(struct window *w, struct open_alert *a, struct group *g)
{
	tell_end(w, a, end_of(w, a), "quiet");
	alert_clear_counts(a);
	free(a->labels);
	a->labels = NULL;
	a->told_count = 0;
	a->updates = 0;
	unchain(w, a);
	chain(w, a, g);
}

static void open_alert(struct open_alert *a, const struct holding *h)
{
	a->opened = h->opened;
	a->starts_ms = a->true_ms = h->time_ms;
}

struct open_alert *alert_hold(struct window *w, const struct holding *h)
{
	const char *key = name_text(&w->subjects, h->subject);
	struct open_alert *a = find(w, h->subject);
	bool count = w->rule->kind == RULE_COUNT;

	if (!key)
		return NULL;
	if (!a) {
		a = alert_add(w, key, h->group);
		if (!a)
			return NULL;
		open_alert(a, h);
		if (count)
			alert_await_end(w, a);
	} else if (count && end_of(w, a) <= h->time_ms) {
		begin_again(w, a, h->group);
		open_alert(a, h);
	} else if (!count && a->dirty && !a->touched && w->all->env.tells) {
		row_freeze(w, a);
	}
	if (h->time_ms > a->true_ms)
		a->true_ms = h->time_ms;
	w->all->looks -= A_CHANGE;
	alert_changed(w, a);
	touch(w, a);
	return a;
}

void alert_add_class(struct open_alert *a, const char *integration, const char *error, uint64_t n)
{
	tally_add(&a->integrations, integration, n);
	tally_add(&a->errors, error, n);
}

void alert_add_sample(struct open_alert *a, const struct sample *s)
{
	size_t place = a->nsamples;

	while (place && sample_newer(s, a->samples[place - 1]))
		place--;
	if (place == WINDOW_SAMPLES)
		return;
	if (a->nsamples == WINDOW_SAMPLES)
		free(a->samples[--a->nsamples]);
	memmove(&a->samples[place + 1], &a->samples[place],
		(a->nsamples - place) * sizeof *a->samples);
	a->samples[place] = sample_copy(s);
	a->nsamples++;
}

void alert_clear_counts(struct open_alert *a)
{
	a->count = a->keys = 0;
	a->of = 0;
	tally_release(&a->integrations);
	tally_release(&a->errors);
	while (a->nsamples)
		free(a->samples[--a->nsamples]);
}

static void tell(struct window *w, struct open_alert *a, const struct telling *t)
{
	alert_tell(w, a, t);
	alert_weigh(w, a);
	a->told_ms = t->now_ms;
	a->told_count = a->count;
	alert_changed(w, a);
	if (t->kind == ALERT_UPDATED)
		a->updates++;
	alert_expect(w, a);
}

static void flush(struct window *w, struct open_alert *a, int64_t now_ms)
{
	struct telling t = {ALERT_FIRING, a->true_ms, now_ms, NULL};

	a->touched = false;
	if (a->labels && a->count < 2 * a->told_count)
		return;
	if (a->labels)
		t.kind = ALERT_UPDATED;
	tell(w, a, &t);
}

bool alerts_flush(struct window *w, int64_t now_ms)
{
	bool at_once = w->rule->kind == RULE_COUNT;
	size_t done = 0;

	while (done < w->ntouched &&
	       (at_once || (windows_may_tell(w->all) && windows_may_look(w->all, A_CHANGE))))
		flush(w, alert_at(w, w->touched[done++]), now_ms);
	w->ntouched -= done;
	if (w->ntouched)
		memmove(w->touched, &w->touched[done], w->ntouched * sizeof *w->touched);
	return !w->ntouched;
}

static void resolve(struct window *w, struct open_alert *a, int64_t time_ms, const char *reason)
{
	tell_end(w, a, time_ms, reason);
	alert_free(w, a);
}

bool alerts_resolve_group(struct window *w, struct group *g, struct deciding *d)
{
	int64_t end_ms = d->step * w->rule->step_ms;

	if (!d->ending) {
		if (g->resolve_at > d->step)
			return true;
		g->resolve_at = INT64_MAX;
		d->ending = true;
		d->ending_at = g->alerts;
	}
	while (d->ending_at != TABLE_NONE) {
		struct open_alert *a = alert_at(w, d->ending_at);
		if (!windows_may_tell(w->all) || !windows_may_look(w->all, 1))
			return false;
		d->ending_at = a->next;
		if (end_of(w, a) <= end_ms)
			resolve(w, a, end_ms, d->known ? "quiet" : "not known");
		else
			alert_expect(w, a);
	}
	return true;
}

int64_t alerts_next_end(const struct window *w)
{
	return w->ended < w->ending.n ? w->ending.at : calendar_next(&w->ends);
}

void alerts_resolve_clock(struct window *w, int64_t clock_ms)
{
	while (alerts_next_end(w) <= clock_ms) {
		if (w->ended == w->ending.n) {
			free(w->ending.v);
			w->ending = calendar_take(&w->ends);
			w->ended = 0;
		}
		if (!windows_may_tell(w->all) || !windows_may_look(w->all, 1))
			return;
		struct open_alert *a = alert_at(w, w->ending.v[w->ended++]);
		if (end_of(w, a) <= clock_ms)
			resolve(w, a, end_of(w, a), "quiet");
		else
			alert_await_end(w, a);
	}
}

void alerts_repeat(struct window *w, int64_t now_ms)
{
	struct open_alert *a;

	if (!w->repeating) {
		if (now_ms < w->repeat_ms)
			return;
		w->repeating = true;
		w->repeat_at = 0;
		w->repeat_ms = INT64_MAX;
	}
	while ((a = table_from(&w->alerts, w->repeat_at))) {
		if (!windows_may_tell(w->all) || !windows_may_look(w->all, 1))
			return;
		w->repeat_at = a->head.slot + 1;
		if (a->told_ms + w->rule->repeat_ms <= now_ms)
			tell(w, a, &(struct telling){ALERT_UPDATED, now_ms, now_ms, NULL});
		else
			alert_expect(w, a);
	}
	w->repeating = false;
}
