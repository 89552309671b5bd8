/*
 * What survives a restart, as rows: how far the fold came (one row; one for each rule, when it
 * began; one for each group, which step was decided last) and each open alert. Invariant: rows that
 * were taken together say the same moment.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "rules/window_parts.h"

#define STATE_MAX    (256 << 10)
#define ROW_KEY_SIZE 48

static const char *const kinds[] = {
	[ROW_CURSOR] = "cursor", [ROW_RULE] = "rule", [ROW_GROUP] = "group", [ROW_ALERT] = "alert"};

/* "alert:32 hex digits" of rule and subject. */
static void row_key(char ret[ROW_KEY_SIZE], enum row_kind kind, const struct window *w,
		    const char *subject)
{
	const char *name = w ? w->rule->name : "";
	char *text = xasprintf("%zu:%s%s%s", strlen(name), name, subject ? "=" : "",
			       subject ? subject : "");
	char hex[33];

	hash128_hex(hex, hash128(text, strlen(text)));
	if (kind == ROW_CURSOR)
		snprintf(ret, ROW_KEY_SIZE, "%s", kinds[kind]);
	else
		snprintf(ret, ROW_KEY_SIZE, "%s:%s", kinds[kind], hex);
	free(text);
}

static void add_first(struct windows *all, enum row_kind kind, const struct window *w,
		      const char *subject, const char *state)
{
	char key[ROW_KEY_SIZE];

	row_key(key, kind, w, subject);
	all->first = mem_grow(all->first, all->nfirst, &all->first_cap, sizeof *all->first);
	all->first[all->nfirst++] = (struct row){.key = xstrdup(key), .state = xstrdup(state)};
}

void row_gone(struct windows *all, enum row_kind kind, const struct window *w, const char *subject)
{
	add_first(all, kind, w, subject, NULL);
}

/* ---- states ---- */

static void begin(struct buf *out, const struct window *w)
{
	char hash[17];

	snprintf(hash, sizeof hash, "%016llx", (unsigned long long)w->rule->identity);
	buf_clear(out);
	buf_addc(out, '{');
	json_add_text(out, "rule", w->rule->name);
	json_add_text(out, "hash", hash);
}

static void write_cursor(struct buf *out, const struct windows *all)
{
	buf_clear(out);
	buf_addc(out, '{');
	json_add_int(out, "sequence", all->fed);
	json_add_int(out, "recorded_ms",
		     all->seen_ms > all->cursor_ms ? all->seen_ms : all->cursor_ms);
	buf_addc(out, '}');
}

static void write_rule(struct buf *out, const struct window *w)
{
	begin(out, w);
	json_add_int(out, "started_ms", w->started_ms);
	json_add_int(out, "blind_ms", w->blind_ms);
	buf_addc(out, '}');
}

/* While a step is decided its records go one by one; it is decided again after a restart. */
static void write_group(struct buf *out, const struct window *w, const struct group *g)
{
	int64_t decided_ms = g->decided * w->rule->step_ms, from_ms = decided_ms - group_back_ms(w);
	int64_t first_ms = g->first_ms;

	if (w->now.group == g->head.slot && w->now.first_ms < first_ms)
		first_ms = w->now.first_ms;
	if (from_ms < first_ms)
		from_ms = first_ms;
	begin(out, w);
	json_add_text(out, "broadcast", g->broadcast);
	json_add_int(out, "decided_ms", decided_ms);
	json_add_count(out, "from_ms", first_ms == INT64_MAX ? -1 : from_ms);
	buf_addc(out, '}');
}

static void write_alert(struct buf *out, const struct window *w, const struct open_alert *a)
{
	const struct group *g = table_at(&w->groups, a->group);

	begin(out, w);
	json_add_text(out, "key", a->key);
	json_add_text(out, "broadcast", g->broadcast);
	json_add_int(out, "opened", a->opened);
	json_add_int(out, "starts_ms", a->starts_ms);
	json_add_int(out, "true_ms", a->true_ms);
	json_add_int(out, "told_ms", a->told_ms);
	json_add_int(out, "told_count", (int64_t)a->told_count);
	json_add_int(out, "count", (int64_t)a->count);
	json_add_int(out, "keys", (int64_t)a->keys);
	json_add_int(out, "of", a->of);
	json_add_int(out, "updates", a->updates);
	json_add_int(out, "round", a->round);
	json_add_name(out, "integrations");
	tally_write(out, &a->integrations, TALLY_MAX);
	json_add_name(out, "errors");
	tally_write(out, &a->errors, TALLY_MAX);
	json_add_name(out, "samples");
	buf_addc(out, '[');
	for (size_t i = 0; i < a->nsamples; i++)
		sample_write(out, a->samples[i]);
	buf_addc(out, ']');
	json_add_text(out, "labels", a->labels);
	buf_addc(out, '}');
}

void row_freeze(struct window *w, struct open_alert *a)
{
	struct buf state = BUF_INIT(STATE_MAX);

	write_alert(&state, w, a);
	add_first(w->all, ROW_ALERT, w, a->key, state.data);
	buf_release(&state);
	a->kept = true;
}

/* ---- giving them ---- */

struct giving {
	windows_row_fn *fn;
	void *arg;
	struct buf state;
};

static void give(struct giving *to, enum row_kind kind, const struct window *w, const char *subject)
{
	char key[ROW_KEY_SIZE];

	row_key(key, kind, w, subject);
	to->fn(to->arg, key, to->state.data);
}

static void give_groups(struct giving *to, struct window *w)
{
	struct group *g;

	for (uint32_t i = 0; (g = table_from(&w->groups, i)); i = g->head.slot + 1) {
		if (w->rule->kind == RULE_COUNT || !g->dirty)
			continue;
		write_group(&to->state, w, g);
		give(to, ROW_GROUP, w, g->broadcast);
		g->kept = true;
		g->dirty = false;
	}
}

/* One that is to be told yet says more than what is committed with it, and what that was is
 * frozen. */
static void give_alerts(struct giving *to, struct window *w)
{
	size_t left = 0;

	if (w->nchanged == w->ntouched)
		return;
	for (size_t i = 0; i < w->nchanged; i++) {
		struct open_alert *a = table_held(&w->alerts, w->changed[i]);
		if (!a || !a->dirty)
			continue;
		if (a->touched) {
			w->changed[left++] = w->changed[i];
			continue;
		}
		write_alert(&to->state, w, a);
		give(to, ROW_ALERT, w, a->key);
		a->kept = true;
		a->dirty = false;
	}
	w->nchanged = left;
}

static void give_window(struct giving *to, struct window *w)
{
	if (w->dirty) {
		write_rule(&to->state, w);
		give(to, ROW_RULE, w, NULL);
	}
	w->dirty = false;
	give_groups(to, w);
	give_alerts(to, w);
}

static void give_first(struct windows *all, windows_row_fn *fn, void *arg)
{
	for (size_t i = 0; i < all->nfirst; i++) {
		fn(arg, all->first[i].key, all->first[i].state);
		free(all->first[i].key);
		free(all->first[i].state);
	}
	all->nfirst = 0;
}

size_t windows_changes(const struct windows *all)
{
	size_t n = all->nfirst;

	for (size_t i = 0; i < all->n; i++)
		n += all->v[i].nchanged - all->v[i].ntouched;
	return n;
}

void windows_take_changes(struct windows *all, windows_row_fn *fn, void *arg)
{
	struct giving to = {fn, arg, BUF_INIT(STATE_MAX)};

	give_first(all, fn, arg);
	if (all->n && (!all->cursor_kept || all->fed != all->told)) {
		write_cursor(&to.state, all);
		give(&to, ROW_CURSOR, NULL, NULL);
		all->cursor_kept = true;
		all->told = all->fed;
	}
	for (size_t i = 0; i < all->n; i++)
		give_window(&to, &all->v[i]);
	buf_release(&to.state);
}
