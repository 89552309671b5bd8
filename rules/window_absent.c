/*
 * absent: an event, and no other of the same key within some time of it. Time is cut into stretches
 * as long as the window; of a key in a stretch one record keeps when the first event was, and the
 * first and the last awaited one: more than that makes no difference. A record is looked at at the
 * end of its wait, and leaves when nothing that is still to come could ask for it.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/window_parts.h"

#define NEVER	   UINT32_MAX
#define CLASS_NONE UINT16_MAX /* WINDOW_CLASSES_MAX is less */

struct wait {
	struct table_head head; /* part: the stretch */
	uint32_t at;	      /* ms into the stretch: the first event that matches `when`; NEVER */
	uint32_t first, last; /* the same: events that match `absent` */
	uint32_t subject, group;
	uint32_t due;		     /* the next step at which it is looked at; NEVER */
	uint16_t items;		     /* how often it stands in the calendar: at `due`, and later */
	uint16_t integration, error; /* names: CLASS_NONE */
	bool open;		     /* nothing awaited came, and it is not decided */
	bool again;		     /* a later event of the stretch matched `when`, too */
	struct sample *sample;	     /* while it is open */
};

_Static_assert(WINDOW_CLASSES_MAX < CLASS_NONE, "a name of a class has 16 bits");

size_t absent_record_size(void)
{
	return sizeof(struct wait);
}

static int64_t start_of(const struct window *w, const struct wait *r)
{
	return r->head.part * w->rule->within_ms;
}

static int64_t at_of(const struct window *w, const struct wait *r)
{
	return start_of(w, r) + r->at;
}

/* The step at whose end its wait is over. */
static int64_t deadline(const struct window *w, const struct wait *r)
{
	return step_at_or_after(w, at_of(w, r) + w->rule->within_ms);
}

/* The step from which on nobody asks for it: its stretch is over, and what it has can answer no
 * event that may still be seen. */
static int64_t last_use(const struct window *w, const struct wait *r)
{
	int64_t end_ms = start_of(w, r) + w->rule->within_ms, until_ms = end_ms;

	if (r->last != NEVER)
		until_ms = end_ms + r->last;
	if (r->again) /* fed again without the first, it would be waited for */
		until_ms = end_ms + w->rule->within_ms;
	int64_t step = step_at_or_after(w, until_ms);
	return r->at != NEVER && deadline(w, r) > step ? deadline(w, r) : step;
}

static uint32_t name_of(uint16_t class)
{
	return class == CLASS_NONE ? NAME_NONE : class;
}

static void close_wait(struct window *w, struct wait *r)
{
	r->open = false;
	name_drop(w, &w->subjects, r->subject);
	name_drop(w, &w->classes, name_of(r->integration));
	name_drop(w, &w->classes, name_of(r->error));
	window_sample_free(w, r->sample);
	r->subject = NAME_NONE;
	r->integration = r->error = CLASS_NONE;
	r->sample = NULL;
}

static void free_wait(struct window *w, struct wait *r)
{
	close_wait(w, r);
	group_let_go(w, r->group);
	table_remove(&w->keys, r);
}

/* It will be looked at when its wait is over, or, when nothing waits, when it is of no more use. */
static void queue(const struct window *w, struct group *g, struct wait *r)
{
	int64_t step = r->open ? deadline(w, r) : last_use(w, r);

	if (step <= g->decided)
		step = g->decided + 1;
	if (step >= r->due)
		return;
	calendar_add(&g->due, step, r->head.slot);
	r->due = (uint32_t)step;
	r->items++;
}

static struct wait *record_of(struct window *w, struct sight *s)
{
	uint32_t stretch = (uint32_t)(s->time_ms / w->rule->within_ms);
	struct wait *r = table_get(&w->keys, s->key, stretch);

	if (r)
		return r;
	r = table_add(&w->keys, s->key, stretch);
	if (!r)
		return NULL;
	r->at = r->first = r->last = r->due = NEVER;
	r->subject = NAME_NONE;
	r->integration = r->error = CLASS_NONE;
	r->group = s->group->head.slot;
	group_hold(s->group, s->time_ms);
	return r;
}

/* Did an awaited event come within the window before or after the record's? */
static bool answered(const struct window *w, const struct wait *r)
{
	int64_t within_ms = w->rule->within_ms;

	for (int64_t part = (int64_t)r->head.part - 1; part <= (int64_t)r->head.part + 1; part++) {
		const struct wait *o =
			part < 0 ? NULL : table_get(&w->keys, r->head.key, (uint32_t)part);
		if (!o || o->first == NEVER)
			continue;
		/* Nothing that lies between the two is nearer than both. */
		int64_t first = start_of(w, o) + o->first, last = start_of(w, o) + o->last;
		int64_t at = at_of(w, r);
		if ((first >= at - within_ms && first <= at + within_ms) ||
		    (last >= at - within_ms && last <= at + within_ms))
			return true;
	}
	return false;
}

static void open_wait(struct window *w, struct wait *r, const struct sight *s)
{
	uint32_t integration, error;

	sight_class(w, s, &integration, &error);
	r->open = true;
	r->subject = sight_subject(w, s);
	r->integration = (uint16_t)integration;
	r->error = (uint16_t)error;
	r->sample = window_sample(w, s);
}

/* false: there is no room for it. */
static bool take_when(struct window *w, struct sight *s)
{
	int64_t decided = s->group->decided;
	int64_t over = step_at_or_after(w, s->time_ms + w->rule->within_ms);
	uint32_t at = (uint32_t)(s->time_ms % w->rule->within_ms);

	if (over <= decided && !s->past)
		w->late++;
	if (over <= decided - step_at_or_after(w, w->rule->within_ms))
		return true; /* its stretch is past */
	struct wait *r = record_of(w, s);
	if (!r)
		return false;
	group_saw(s->group, s->time_ms);
	r->again = r->again || r->at != NEVER;
	if (r->at <= at)
		return true;
	r->at = at;
	if (r->open)
		close_wait(w, r);
	if (over > decided && !answered(w, r))
		open_wait(w, r, s);
	queue(w, s->group, r);
	return true;
}

/* Did it answer one that waits? */
static bool answer(struct window *w, const struct sight *s)
{
	int64_t within_ms = w->rule->within_ms, stretch = s->time_ms / within_ms;
	bool found = false;

	for (int64_t part = stretch - 1; part <= stretch + 1; part++) {
		struct wait *r = part < 0 ? NULL : table_get(&w->keys, s->key, (uint32_t)part);
		if (!r || !r->open || at_of(w, r) < s->time_ms - within_ms ||
		    at_of(w, r) > s->time_ms + within_ms)
			continue;
		close_wait(w, r);
		found = true;
	}
	return found;
}

/* false: there is no room for it, and nothing waited for it so far. */
static bool take_awaited(struct window *w, struct sight *s)
{
	int64_t last = step_at_or_after(w, s->time_ms + w->rule->within_ms);
	uint32_t at = (uint32_t)(s->time_ms % w->rule->within_ms);

	if (last <= s->group->decided - step_at_or_after(w, w->rule->within_ms))
		return true; /* what it could answer is decided */
	bool found = answer(w, s);
	struct wait *r = record_of(w, s);
	if (!r)
		return found;
	group_saw(s->group, s->time_ms);
	if (r->first == NEVER || at < r->first)
		r->first = at;
	if (r->last == NEVER || at > r->last)
		r->last = at;
	queue(w, s->group, r);
	return true;
}

void absent_feed(struct window *w, struct sight *s, enum role role)
{
	bool room = sight_key(w, s);

	if (room)
		room = role == ROLE_WHEN ? take_when(w, s) : take_awaited(w, s);
	if (room)
		return;
	if (role == ROLE_OTHER)
		window_lose(w, s->time_ms);
	window_refuse(w);
}

static void tell(struct window *w, struct group *g, struct wait *r, int64_t step)
{
	int64_t end_ms = step * w->rule->step_ms;
	struct open_alert *a;

	if (alert_has(w, r->subject, step))
		return;
	a = alert_hold(w, &(struct holding){r->subject, g, end_ms, end_ms});
	if (!a) {
		window_refuse(w);
		return;
	}
	a->round = step;
	a->keys++;
	a->count++;
	alert_add_class(a, name_text(&w->classes, name_of(r->integration)),
			name_text(&w->classes, name_of(r->error)), 1);
	alert_add_sample(a, r->sample);
}

int absent_order(const void *a, const void *b, void *arg)
{
	const struct window *w = arg;
	const struct wait *x = table_at(&w->keys, *(const uint32_t *)a);
	const struct wait *y = table_at(&w->keys, *(const uint32_t *)b);

	if (at_of(w, x) != at_of(w, y))
		return at_of(w, x) < at_of(w, y) ? -1 : 1;
	if (x->head.key.high != y->head.key.high)
		return x->head.key.high < y->head.key.high ? -1 : 1;
	return (x->head.key.low > y->head.key.low) - (x->head.key.low < y->head.key.low);
}

static void look(struct window *w, struct group *g, struct wait *r, bool known)
{
	int64_t step = r->due;

	r->due = NEVER;
	if (r->open && deadline(w, r) <= step) {
		if (known && at_of(w, r) > w->blind_ms)
			tell(w, g, r, step);
		close_wait(w, r);
	}
	if (r->open || last_use(w, r) > step)
		queue(w, g, r);
}

void absent_look(struct window *w, struct group *g, uint32_t slot, const struct deciding *d)
{
	struct wait *r = table_at(&w->keys, slot);

	r->items--;
	if (r->due == d->step)
		look(w, g, r, d->known);
	if (!r->items)
		free_wait(w, r);
}

void absent_release(struct window *w)
{
	struct wait *r;

	for (uint32_t i = 0; (r = table_from(&w->keys, i));) {
		i = r->head.slot + 1;
		free_wait(w, r);
	}
}
