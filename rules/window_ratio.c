/*
 * ratio: the share of other events that match. Both are counted by steps; the window that ends with
 * a step is looked at when everything up to there is known. A key is looked at at the steps whose
 * windows have events of it, and at no others.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/window_parts.h"

struct ratio_key {
	struct table_head head;
	struct entries events; /* cells are steps */
	uint32_t subject, group;
	uint32_t items;	   /* how often it stands in the calendar */
	int64_t queued_at; /* the earliest of these; INT64_MAX: none */
};

struct share {
	uint64_t of, n;
};

size_t ratio_record_size(void)
{
	return sizeof(struct ratio_key);
}

static int64_t steps_of(const struct window *w)
{
	return w->rule->within_ms / w->rule->step_ms;
}

static struct ratio_key *add_key(struct window *w, const struct sight *s)
{
	struct ratio_key *key = table_add(&w->keys, s->key, 0);

	if (!key)
		return NULL;
	key->subject = sight_subject(w, s);
	key->group = s->group->head.slot;
	key->queued_at = INT64_MAX;
	group_hold(s->group, s->time_ms);
	return key;
}

static void free_key(struct window *w, struct ratio_key *key)
{
	entries_release(w, &key->events);
	name_drop(w, &w->subjects, key->subject);
	group_let_go(w, key->group);
	table_remove(&w->keys, key);
}

static void queue(struct group *g, struct ratio_key *key, int64_t step)
{
	if (step >= key->queued_at)
		return;
	calendar_add(&g->due, step, key->head.slot);
	key->queued_at = step;
	key->items++;
}

static bool add_event(struct window *w, struct ratio_key *key, const struct sight *s,
		      enum role role)
{
	struct entry one = {.cell = step_at_or_after(w, s->time_ms),
			    .n = 1,
			    .integration = ENTRY_OF,
			    .error = NAME_NONE};

	if (role == ROLE_WHEN) {
		sight_class(w, s, &one.integration, &one.error);
		one.sample = window_sample(w, s);
	}
	return entries_add(w, &key->events, &one) >= 0;
}

/* false: there is no room for it. */
static bool take(struct window *w, struct sight *s, enum role role)
{
	int64_t cell = step_at_or_after(w, s->time_ms);

	if (!sight_key(w, s))
		return false;
	int64_t decided = s->group->decided;
	if (cell <= decided && !s->past)
		w->late++;
	if (cell <= decided - steps_of(w))
		return true;
	struct ratio_key *key = table_get(&w->keys, s->key, 0);
	if (!key)
		key = add_key(w, s);
	if (!key)
		return false;
	group_saw(s->group, s->time_ms);
	bool added = add_event(w, key, s, role);
	queue(s->group, key, cell > decided ? cell : decided + 1);
	return added;
}

void ratio_feed(struct window *w, struct sight *s, enum role role)
{
	if (take(w, s, role))
		return;
	window_lose(w, s->time_ms);
	window_refuse(w);
}

static struct share share_at(const struct window *w, const struct ratio_key *key, int64_t step)
{
	struct share ret = {0};

	for (uint32_t i = 0; i < key->events.n && key->events.v[i].cell <= step; i++) {
		const struct entry *e = &key->events.v[i];
		if (e->cell <= step - steps_of(w))
			continue;
		if (e->integration == ENTRY_OF)
			ret.of += e->n;
		else
			ret.n += e->n;
	}
	return ret;
}

static bool holds(const struct window *w, const struct share *share, int64_t step)
{
	const struct alert_rule *r = w->rule;

	return step * r->step_ms >= w->blind_ms && share->of >= (uint64_t)r->min && share->of &&
	       (double)share->n / (double)share->of > r->above;
}

static void tell(struct window *w, struct group *g, const struct ratio_key *key, int64_t step)
{
	struct share share = share_at(w, key, step);
	int64_t end_ms = step * w->rule->step_ms;

	if (!holds(w, &share, step) || alert_has(w, key->subject, step))
		return;
	struct open_alert *a = alert_hold(w, &(struct holding){key->subject, g, end_ms, end_ms});
	if (!a) {
		window_refuse(w);
		return;
	}
	if (a->round != step)
		alert_clear_counts(a);
	a->round = step;
	a->keys++;
	a->count += share.n;
	a->of += (int64_t)share.of;
	for (uint32_t i = 0; i < key->events.n && key->events.v[i].cell <= step; i++) {
		const struct entry *e = &key->events.v[i];
		if (e->cell <= step - steps_of(w) || e->integration == ENTRY_OF)
			continue;
		alert_add_class(a, name_text(&w->classes, e->integration),
				name_text(&w->classes, e->error), e->n);
		if (e->sample)
			alert_add_sample(a, e->sample);
	}
}

/* One that stands in the calendar twice is looked at once. */
static void decide_key(struct window *w, struct group *g, struct ratio_key *key, bool known)
{
	int64_t step = key->queued_at;

	if (known)
		tell(w, g, key, step);
	key->queued_at = INT64_MAX;
	entries_drop(w, &key->events, step + 1 - steps_of(w));
	if (!key->events.n)
		return;
	int64_t next = key->events.v[0].cell;
	queue(g, key, next > step + 1 ? next : step + 1);
}

int ratio_order(const void *a, const void *b, void *arg)
{
	const struct window *w = arg;
	const struct ratio_key *x = table_at(&w->keys, *(const uint32_t *)a);
	const struct ratio_key *y = table_at(&w->keys, *(const uint32_t *)b);

	if (x->head.key.high != y->head.key.high)
		return x->head.key.high < y->head.key.high ? -1 : 1;
	return (x->head.key.low > y->head.key.low) - (x->head.key.low < y->head.key.low);
}

void ratio_look(struct window *w, struct group *g, uint32_t slot, const struct deciding *d)
{
	struct ratio_key *key = table_at(&w->keys, slot);

	key->items--;
	if (key->queued_at == d->step)
		decide_key(w, g, key, d->known);
	if (!key->items && !key->events.n)
		free_key(w, key);
}

void ratio_release(struct window *w)
{
	struct ratio_key *key;

	for (uint32_t i = 0; (key = table_from(&w->keys, i));) {
		i = key->head.slot + 1;
		free_key(w, key);
	}
}
