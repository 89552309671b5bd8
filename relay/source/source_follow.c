/*
 * What is followed: broadcasts come and go, and move over to another source with a reload. What one
 * holds is its own; what was learned of its list goes when it is another list.
 */
#include "relay/source/source_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/source/planner_parts.h"

uint64_t source_key(const char *org, const char *id)
{
	uint64_t parts[] = {hash64(org, strlen(org)), hash64(id, strlen(id))};

	return hash64(parts, sizeof parts);
}

static struct watch *find(const struct source *s, const char *org, const char *id)
{
	uint64_t key = source_key(org, id);

	for (size_t i = 0; i < s->n; i++) {
		const struct broadcast_record *r = &s->v[i]->followed.record;
		if (s->v[i]->key == key && !strcmp(r->org, org) && !strcmp(r->id, id))
			return s->v[i];
	}
	return NULL;
}

struct followed *source_find(const struct source *s, const char *org, const char *id)
{
	struct watch *w = find(s, org, id);

	return w ? &w->followed : NULL;
}

struct followed *source_at(const struct source *s, size_t i)
{
	return i < s->n ? &s->v[i]->followed : NULL;
}

static void attach(struct source *s, struct watch *w)
{
	s->v = mem_grow(s->v, s->n, &s->cap, sizeof(struct watch *));
	s->v[s->n++] = w;
}

static void detach(struct source *s, const struct watch *w)
{
	size_t i = 0;

	while (i < s->n && s->v[i] != w)
		i++;
	assert(i < s->n);
	s->v[i] = s->v[--s->n];
}

struct followed *source_follow(struct source *s, struct broadcast_record *record, struct held *held)
{
	struct watch *w = find(s, record->org, record->id);

	if (w) { /* what it has is newer than anything that could be given */
		broadcast_record_release(record);
		if (held != w->followed.held)
			held_free(held);
		return &w->followed;
	}
	w = xcalloc(1, sizeof *w);
	w->key = source_key(record->org, record->id);
	w->followed.record = *record;
	w->followed.held = held ? held : held_new();
	*record = (struct broadcast_record){0};
	attach(s, w);
	if (s->options->sub_orgs)
		source_orgs_add(s, w->followed.record.org);
	planner_add(s->planner, &w->followed, s->now.mono_ms);
	seed_apply(&w->followed.track->chase, &s->seed);
	return &w->followed;
}

void source_seed(struct source *s, const struct seed *seed)
{
	s->seed = *seed;
}

void source_unfollow(struct source *s, struct followed *b)
{
	struct watch *w = (struct watch *)b;

	detach(s, w);
	planner_remove(s->planner, b);
	if (w->busy)
		w->dropped = true;
	else
		watch_free(w);
}

void source_use(struct source *s, const struct source_options *o)
{
	s->options = o;
}

static bool is_same_api(const struct source_options *a, const struct source_options *b)
{
	return strcmp(a->base_url, b->base_url) == 0;
}

/* Do both ask for the same lists of recipients? */
static bool is_same_list(const struct source_options *a, const struct source_options *b)
{
	bool same = is_same_api(a, b) && a->filter.n == b->filter.n;

	for (size_t i = 0; same && i < a->filter.n; i++)
		same = strcmp(a->filter.v[i], b->filter.v[i]) == 0;
	return same;
}

/* Whatever was learned of its list and its pages is of another one. What is held stays. */
static void renew(struct source *s, struct watch *w)
{
	pages_release(&w->pages);
	w->missing = 0;
	w->followed.record.baseline_page = 0;
	planner_renew(s->planner, &w->followed, s->now.mono_ms);
	seed_apply(&w->followed.track->chase, &s->seed);
}

void source_hand_over(struct source *from, struct source *to)
{
	bool renews = !is_same_list(from->options, to->options);

	assert(!source_busy(from));
	for (size_t i = 0; to->options->sub_orgs && i < from->orgs.n; i++)
		source_orgs_add(to, from->orgs.v[i].id);
	while (from->n > 0) {
		struct watch *w = from->v[--from->n];
		planner_move(from->planner, to->planner, &w->followed);
		attach(to, w);
		if (renews)
			renew(to, w);
	}
	to->health.down = from->health.down; /* the new options are tried at once */
	if (is_same_api(from->options, to->options)) {
		to->budget.closed_until_ms = from->budget.closed_until_ms;
		to->budget.refusals = from->budget.refusals;
	}
}

void source_listed(struct source *s, struct followed *b, const struct listing_row *row, bool moved,
		   int64_t asked_ms, struct instant now)
{
	struct planner_entry entry = {
		.moved = moved,
		.live = source_is_live(row->status),
		.counters = row->counters,
		.date_ms = asked_ms,
	};

	planner_listed(s->planner, b, &entry, now.mono_ms);
}

void source_await(struct source *s, const char *const *states, size_t n)
{
	uint16_t asks = 0;

	for (size_t i = 0; i < n; i++)
		asks |= (uint16_t)(1U << ask_of_state(states[i]));
	planner_await(s->planner, asks);
}

void source_sweep(struct source *s, struct followed *b)
{
	planner_sweep(s->planner, b, s->now.mono_ms);
}
