/*
 * Rows taken back in. Rows of a rule that means something else now are of no use, but its open
 * alerts were told: they are kept until the first tick, which resolves them.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/window_parts.h"

#define STATE_DEPTH    8
#define FEED_MARGIN_MS 60000 /* sequences and recorded times run in step, but not to the ms */

static bool get_int(const struct json *state, const char *name, int64_t *ret)
{
	return json_int(json_get(state, name), ret);
}

static bool get_count(const struct json *state, const char *name, uint64_t *ret)
{
	int64_t value;

	if (!get_int(state, name, &value) || value < 0)
		return false;
	*ret = (uint64_t)value;
	return true;
}

bool alert_restore(struct open_alert *a, const struct json *state)
{
	const char *labels = json_string(json_get(state, "labels"));
	int64_t updates;

	if (!labels || !get_int(state, "opened", &a->opened) ||
	    !get_int(state, "starts_ms", &a->starts_ms) ||
	    !get_int(state, "true_ms", &a->true_ms) || !get_int(state, "told_ms", &a->told_ms) ||
	    !get_count(state, "told_count", &a->told_count) ||
	    !get_count(state, "count", &a->count) || !get_count(state, "keys", &a->keys) ||
	    !get_int(state, "of", &a->of) || !get_int(state, "updates", &updates) ||
	    !get_int(state, "round", &a->round))
		return false;
	a->updates = (unsigned)updates;
	a->labels = xstrdup(labels);
	tally_read(&a->integrations, json_get(state, "integrations"));
	tally_read(&a->errors, json_get(state, "errors"));
	for (const struct json *v = json_first(json_get(state, "samples")); v; v = json_next(v)) {
		struct sample *s = a->nsamples < WINDOW_SAMPLES ? sample_read(v) : NULL;
		if (s)
			alert_add_sample(a, s);
		free(s);
	}
	return true;
}

static struct window *window_named(const struct windows *all, const struct json *state)
{
	const char *name = json_string(json_get(state, "rule"));

	for (size_t i = 0; name && i < all->n; i++)
		if (strcmp(all->v[i].rule->name, name) == 0)
			return &all->v[i];
	return NULL;
}

static bool means_the_same(const struct window *w, const struct json *state)
{
	const char *hash = json_string(json_get(state, "hash"));

	return hash && strtoull(hash, NULL, 16) == w->rule->identity;
}

static bool restore_cursor(struct windows *all, const struct json *state)
{
	if (!get_int(state, "sequence", &all->cursor) ||
	    !get_int(state, "recorded_ms", &all->cursor_ms))
		return false;
	all->fed = all->told = all->cursor;
	all->cursor_kept = true;
	return true;
}

static bool restore_rule(struct window *w, const struct json *state)
{
	if (!means_the_same(w, state) || !get_int(state, "started_ms", &w->started_ms) ||
	    !get_int(state, "blind_ms", &w->blind_ms))
		return false;
	w->dirty = false;
	w->restored = true;
	return true;
}

static bool restore_group(struct window *w, const struct json *state)
{
	int64_t decided_ms, from_ms;

	if (!means_the_same(w, state) || !get_int(state, "decided_ms", &decided_ms))
		return false;
	struct group *g = group_of(w, json_string(json_get(state, "broadcast")));
	if (!g)
		return false;
	g->decided = decided_ms / w->rule->step_ms;
	g->kept = true;
	if (get_int(state, "from_ms", &from_ms) && from_ms < w->from_ms)
		w->from_ms = from_ms;
	return true;
}

static void keep_stale(struct windows *all, const struct window *w, const char *key,
		       const char *state)
{
	all->stale = mem_grow(all->stale, all->nstale, &all->stale_cap, sizeof *all->stale);
	all->stale[all->nstale++] = (struct row){xstrdup(key), xstrdup(state), w->place};
}

static bool restore_alert(struct window *w, const struct json *state)
{
	const char *key = json_string(json_get(state, "key"));
	struct group *g = key ? group_of(w, json_string(json_get(state, "broadcast"))) : NULL;
	struct open_alert *a = g ? alert_add(w, key, g) : NULL;

	if (!a)
		return false;
	if (!alert_restore(a, state)) {
		alert_free(w, a);
		return false;
	}
	a->kept = true;
	a->dirty = false;
	alert_weigh(w, a);
	w->nchanged--; /* alert_add put it there, the last */
	alert_expect(w, a);
	if (w->rule->kind == RULE_COUNT)
		alert_await_end(w, a);
	return true;
}

bool windows_restore(struct windows *all, const char *key, const char *text)
{
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	const struct json *state = json_parse(doc, text, strlen(text), STATE_DEPTH, &err);
	struct window *w = window_named(all, state);
	bool good = false;

	if (state && strcmp(key, "cursor") == 0) {
		good = restore_cursor(all, state);
	} else if (w && strncmp(key, "rule:", 5) == 0) {
		good = restore_rule(w, state);
	} else if (w && strncmp(key, "group:", 6) == 0) {
		good = restore_group(w, state);
	} else if (w && strncmp(key, "alert:", 6) == 0) {
		good = !means_the_same(w, state) || restore_alert(w, state);
		if (!means_the_same(w, state))
			keep_stale(all, w, key, text);
	}
	json_doc_free(doc);
	return good;
}

/* ---- how much of the past ---- */

static int64_t feed_from(const struct windows *all, const struct window *w)
{
	int64_t from_ms = all->cursor_ms;

	if (!w->restored || !all->cursor_kept)
		return w->started_ms;
	if (w->rule->kind == RULE_COUNT)
		from_ms -= WINDOW_LATE_MAX_MS + w->rule->within_ms + w->rule->resolve_after_ms;
	else if (w->from_ms < from_ms)
		from_ms = w->from_ms;
	return from_ms > w->started_ms ? from_ms : w->started_ms;
}

int64_t windows_feed_from_ms(const struct windows *all)
{
	int64_t from_ms = INT64_MAX;

	for (size_t i = 0; i < all->n; i++) {
		int64_t ms = feed_from(all, &all->v[i]);
		from_ms = ms < from_ms ? ms : from_ms;
	}
	return from_ms == INT64_MAX ? from_ms : from_ms - FEED_MARGIN_MS;
}
