/*
 * count: so many events within a window, told at once. Events come late and out of order, so those
 * of a day are kept: each by itself while `count` is small (ALERT_EXACT_MAX), else by sixtieths of
 * the window; sixty of these are never more than `within`, so the rule never fires below its count.
 *
 * What an event does depends on those of the day and the window before it, and on which keys held
 * in the last `resolve_after`: feeding that much of the past again brings a key to where it was.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/window_parts.h"

#define KEPT		 4 /* times `count` events of a key are kept; so late ones find theirs */
#define KEPT_LEAST	 64
#define KEPT_MOST	 4096
#define EXPIRY_STEPS	 16 /* of what a key lives: how exactly it ends */
#define EXPIRED_AN_EVENT 16 /* looked at with each event; the rest with the ticks */

struct count_key {
	struct table_head head;
	struct entries events;
	uint32_t subject, group;
	int64_t held_ms; /* recorded time of the event at which the condition held last; 0: none */
};

/* The events that reach the count: places among the key's. */
struct reach {
	uint32_t first, last;
	uint64_t n;
};

size_t count_record_size(void)
{
	return sizeof(struct count_key);
}

static uint32_t kept_of(const struct window *w)
{
	int64_t n = w->rule->count <= ALERT_EXACT_MAX ? w->rule->count * KEPT : KEPT_MOST;
	return (uint32_t)(n < KEPT_LEAST ? KEPT_LEAST : n);
}

static int64_t life_ms(const struct window *w)
{
	return WINDOW_LATE_MAX_MS + w->rule->within_ms;
}

/* The step of its expiry at which nothing of the key matters any more; 0: it has no events. */
static int64_t expiry_of(const struct window *w, const struct count_key *key)
{
	if (!key->events.n)
		return 0;
	int64_t newest_ms = key->events.v[key->events.n - 1].cell * w->rule->cell_ms;
	return (newest_ms + life_ms(w)) / (life_ms(w) / EXPIRY_STEPS) + 1;
}

static int64_t expiry_now(const struct window *w)
{
	return w->all->seen_ms / (life_ms(w) / EXPIRY_STEPS);
}

static struct count_key *add_key(struct window *w, const struct sight *s)
{
	struct count_key *key = table_add(&w->keys, s->key, 0);

	if (!key)
		return NULL;
	key->subject = sight_subject(w, s);
	key->group = s->group->head.slot;
	group_hold(s->group, s->time_ms);
	return key;
}

static void free_key(struct window *w, struct count_key *key)
{
	entries_release(w, &key->events);
	name_drop(w, &w->subjects, key->subject);
	group_let_go(w, key->group);
	table_remove(&w->keys, key);
}

/* Of all its events a key keeps the newest few to show. */
static void thin_samples(struct window *w, struct entries *e)
{
	unsigned kept = 0;

	for (uint32_t i = e->n; i && kept <= WINDOW_SAMPLES; i--) {
		struct entry *one = &e->v[i - 1];
		if (!one->sample || kept++ < WINDOW_SAMPLES)
			continue;
		window_sample_free(w, one->sample);
		one->sample = NULL;
	}
}

/* Is there a window with the entry at `place` in it that reaches the count? From the one that ends
 * with it on, each window that begins with an entry. */
static bool reaches(const struct window *w, const struct entries *e, uint32_t place,
		    struct reach *ret)
{
	struct reach r = {place, place, e->v[place].n};
	uint64_t count = (uint64_t)w->rule->count;

	while (r.n < count && r.first && e->v[r.first - 1].cell > e->v[place].cell - w->rule->cells)
		r.n += e->v[--r.first].n;
	while (r.n < count && ++r.last < e->n) {
		while (e->v[r.first].cell <= e->v[r.last].cell - w->rule->cells)
			r.n -= e->v[r.first++].n;
		if (r.first > place)
			return false;
		r.n += e->v[r.last].n;
	}
	if (r.n < count)
		return false;
	*ret = r;
	return true;
}

static void add_one(struct window *w, struct open_alert *a, const struct sight *s)
{
	struct sample *sample = sight_sample(s);
	uint32_t integration, error;

	sight_class(w, s, &integration, &error);
	alert_add_class(a, name_text(&w->classes, integration), name_text(&w->classes, error), 1);
	alert_add_sample(a, sample);
	name_drop(w, &w->classes, integration);
	name_drop(w, &w->classes, error);
	free(sample);
	a->count++;
}

static void add_all(struct window *w, struct open_alert *a, const struct entries *e,
		    const struct reach *r)
{
	for (uint32_t i = r->first; i <= r->last; i++) {
		const struct entry *one = &e->v[i];
		alert_add_class(a, name_text(&w->classes, one->integration),
				name_text(&w->classes, one->error), one->n);
		if (one->sample)
			alert_add_sample(a, one->sample);
	}
	a->count += r->n;
	a->keys++;
}

/* When a key comes to hold in this alert all events that made it do so count, then each. */
static void tell(struct window *w, struct count_key *key, const struct sight *s,
		 const struct reach *r)
{
	int64_t now_ms = s->ev->recorded_ms;
	struct open_alert *a =
		alert_hold(w, &(struct holding){key->subject, s->group, s->ev->sequence, now_ms});

	if (!a) {
		window_refuse(w);
		return;
	}
	if (a->opened != s->ev->sequence && now_ms - key->held_ms < w->rule->resolve_after_ms)
		add_one(w, a, s);
	else
		add_all(w, a, &key->events, r);
	alerts_flush(w, now_ms);
}

static void add_event(struct window *w, struct count_key *key, const struct sight *s)
{
	struct entry one = {.cell = s->time_ms / w->rule->cell_ms, .n = 1};
	struct reach r;

	sight_class(w, s, &one.integration, &one.error);
	one.sample = window_sample(w, s);
	int64_t place = entries_add(w, &key->events, &one);
	if (place < 0) {
		window_refuse(w);
		return;
	}
	thin_samples(w, &key->events);
	if (!reaches(w, &key->events, (uint32_t)place, &r))
		return;
	if (!s->past)
		tell(w, key, s, &r);
	key->held_ms = s->ev->recorded_ms;
}

/* Room for one more: what is too old to matter goes, then the oldest. */
static void drop_old(struct window *w, struct count_key *key)
{
	entries_drop(w, &key->events, (w->all->seen_ms - life_ms(w)) / w->rule->cell_ms - 1);
	if (key->events.n >= kept_of(w) || (w->entries == WINDOW_ENTRIES_MAX && key->events.n))
		entries_drop_first(w, &key->events);
}

void count_feed(struct window *w, struct sight *s)
{
	struct count_key *key = NULL;
	bool fresh = false;

	count_expire(w, EXPIRED_AN_EVENT);
	if (sight_key(w, s)) {
		key = table_get(&w->keys, s->key, 0);
		fresh = !key;
		if (fresh)
			key = add_key(w, s);
	}
	if (!key) {
		window_refuse(w);
		return;
	}
	group_saw(s->group, s->time_ms);
	if (expiry_of(w, key) <= expiry_now(w)) /* it was not its turn yet */
		key->held_ms = 0;
	drop_old(w, key);
	add_event(w, key, s);
	if (fresh)
		calendar_add(&w->expiry, expiry_of(w, key), key->head.slot);
}

/* Keys all of whose events are too old to matter. */
bool count_expire(struct window *w, int64_t most)
{
	int64_t now = expiry_now(w);

	while (w->expired < w->expiring.n || calendar_next(&w->expiry) <= now) {
		if (w->expired == w->expiring.n) {
			free(w->expiring.v);
			w->expiring = calendar_take(&w->expiry);
			w->expired = 0;
		}
		if (most-- <= 0)
			return false;
		uint32_t slot = w->expiring.v[w->expired++];
		struct count_key *key = table_at(&w->keys, slot);
		int64_t at = expiry_of(w, key);
		w->looks++;
		if (at <= now)
			free_key(w, key);
		else
			calendar_add(&w->expiry, at, slot);
	}
	return true;
}

void count_release(struct window *w)
{
	struct count_key *key;

	for (uint32_t i = 0; (key = table_from(&w->keys, i));) {
		i = key->head.slot + 1;
		free_key(w, key);
	}
}
