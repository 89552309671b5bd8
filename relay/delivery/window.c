/*
 * window — routes between the cursor's position and what was read: who may be sent now, who stands
 * behind another of its key, who becomes an exception so that the rest can move on.
 * Invariants: an item that is neither excepted nor ended stands in the window, and the position is
 * below the oldest of them; in a lane, all behind an excepted one are excepted, so that who is
 * oldest in the window stands behind nobody.
 */
#include "relay/delivery/destination.h"

#include <assert.h>
#include <stdlib.h>

#include "relay/base/mem.h"

struct item *item_add(struct destination *t, int64_t sequence, uint64_t key)
{
	struct item *x = xcalloc(1, sizeof *x);

	x->sequence = sequence;
	x->key = key;
	t->items = mem_grow(t->items, t->nitems, &t->items_cap, sizeof *t->items);
	x->place = t->nitems;
	t->items[t->nitems++] = x;
	return x;
}

void item_free(struct destination *t, struct item *x)
{
	struct item *last = t->items[--t->nitems];

	t->items[x->place] = last;
	last->place = x->place;
	item_drop_route(t, x);
	free(x->why);
	free(x);
}

void item_drop_route(struct destination *t, struct item *x)
{
	if (!x->route)
		return;
	t->body_bytes -= x->route->event.len;
	event_release(&x->route->event);
	free(x->route);
	x->route = NULL;
}

void item_mark_dirty(struct destination *t, struct item *x)
{
	if (x->dirty)
		return;
	x->dirty = true;
	t->dirty = mem_grow(t->dirty, t->ndirty, &t->dirty_cap, sizeof *t->dirty);
	t->dirty[t->ndirty++] = x;
}

void item_make_ready(struct destination *t, struct item *x)
{
	x->state = ITEM_READY;
	x->follows = NULL;
	if (t->ready)
		t->ready_last->follows = x;
	else
		t->ready = x;
	t->ready_last = x;
	t->nready++;
}

static void leave_window(struct destination *t, struct item *x)
{
	t->window[x->window_place % SETTLE_WINDOW] = NULL;
	cursor_add(&t->cursor, x->sequence);
}

static void except_one(struct destination *t, struct item *x)
{
	assert(!x->excepted);
	leave_window(t, x);
	x->excepted = true;
	t->nexcepted++;
	t->unsettled++;
	item_mark_dirty(t, x);
}

/* It stands behind an excepted one. Out already it may be when order by key came only now. */
static void except_behind(struct destination *t, struct item *x)
{
	if (x->state == ITEM_BEHIND) {
		x->state = ITEM_WAITING;
		item_drop_route(t, x);
	}
	except_one(t, x);
}

void item_except_followers(struct destination *t, struct item *x)
{
	for (struct item *y = x->in_lane ? x->next : NULL; y; y = y->next) {
		if (!y->excepted)
			except_behind(t, y);
	}
}

void item_except(struct destination *t, struct item *x)
{
	except_one(t, x);
	item_except_followers(t, x);
}

void item_retry_at(struct destination *t, struct item *x, int64_t due_ms)
{
	assert(x->excepted);
	x->state = ITEM_RETRY;
	x->due_ms = due_ms;
	item_drop_route(t, x);
	dues_put(&t->dues, x);
}

static void leave_lane(struct destination *t, struct item *x)
{
	struct item *next = x->in_lane ? lanes_remove(&t->lanes, x) : NULL;

	if (!next)
		return;
	if (next->state == ITEM_BEHIND)
		item_make_ready(t, next);
	else if (next->state == ITEM_WAITING) /* its row says so after its first failure; a
						 restart sees that nobody is before it */
		item_retry_at(t, next, t->delivery->now.mono_ms);
}

void item_end(struct destination *t, struct item *x, enum item_state end)
{
	if (x->excepted)
		t->nexcepted--;
	else
		leave_window(t, x);
	leave_lane(t, x);
	item_drop_route(t, x);
	x->state = (uint8_t)end;
	t->unsettled++;
	if (end == ITEM_PARKED)
		t->nparked++;
	if (end == ITEM_PARKED || x->stored)
		item_mark_dirty(t, x);
	if (!x->dirty)
		item_free(t, x);
}

void window_advance(struct destination *t)
{
	struct delivery_route *next = buffer_first(t);
	int64_t position;

	while (t->window_first < t->window_end && !t->window[t->window_first % SETTLE_WINDOW])
		t->window_first++;
	if (t->window_first < t->window_end)
		position = t->window[t->window_first % SETTLE_WINDOW]->sequence - 1;
	else
		position = next ? next->event.sequence - 1 : t->fetched;
	cursor_move(&t->cursor, position);
}

/* Moves the window until `sequence` fits in. Calls that are out for long cost a row each; a young
 * one is given time, since its answer will most likely be here before a commit would. */
static bool make_room(struct destination *t, int64_t sequence)
{
	int64_t now_ms = t->delivery->now.mono_ms;

	for (;;) {
		struct item *oldest;

		window_advance(t);
		if (sequence <= t->cursor.position + SETTLE_WINDOW)
			return true;
		oldest = t->window[t->window_first % SETTLE_WINDOW];
		assert(oldest->state == ITEM_FLYING);
		if (now_ms < oldest->due_ms + PATIENCE_MS) {
			t->window_wake_ms = oldest->due_ms + PATIENCE_MS;
			return false;
		}
		item_except(t, oldest);
	}
}

/* Gives a new route its place; true: it may be sent now. */
static bool enter(struct destination *t, struct item *x)
{
	struct item *before = NULL;

	t->entered = x->sequence;
	x->window_place = t->window_end++;
	t->window[x->window_place % SETTLE_WINDOW] = x;
	if (t->options->order == ORDER_RECIPIENT) {
		before = lanes_tail(&t->lanes, x->key);
		lanes_append(&t->lanes, x);
	}
	if (!before)
		return true;
	x->state = ITEM_BEHIND;
	if (before->excepted)
		except_behind(t, x);
	return false;
}

struct item *window_admit(struct destination *t, size_t look)
{
	struct delivery_route *next;

	t->window_wake_ms = 0;
	while ((next = buffer_first(t)) && look--) {
		struct item *x;

		if (cursor_has(&t->cursor, next->event.sequence)) { /* settled before a restart */
			buffer_drop(t);
			continue;
		}
		if (t->nexcepted >= EXCEPTIONS_MAX || t->unsettled >= settles_max(t) ||
		    !make_room(t, next->event.sequence))
			return NULL;
		x = item_add(t, next->event.sequence, next->event.order_key);
		x->route = buffer_take(t);
		if (enter(t, x))
			return x;
	}
	return NULL;
}

static int by_sequence(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* Who is out, or is being read, ends that first. */
static void wait_behind(struct destination *t, struct item *x, const struct item *before)
{
	if (x->state == ITEM_RETRY)
		dues_remove(&t->dues, x);
	if (x->excepted && (x->state == ITEM_RETRY || x->state == ITEM_READY)) {
		x->state = ITEM_WAITING;
		item_drop_route(t, x);
	} else if (x->state == ITEM_READY) {
		x->state = ITEM_BEHIND;
	}
	if (before->excepted && !x->excepted)
		except_behind(t, x);
}

/* Whoever waits for nobody any more goes on; who found others before it waits. */
static void settle_in(struct destination *t, struct item *x, const struct item *before)
{
	if (before)
		wait_behind(t, x, before);
	else if (x->state == ITEM_BEHIND || x->state == ITEM_READY)
		item_make_ready(t, x);
	else if (x->state == ITEM_WAITING)
		item_retry_at(t, x, t->delivery->now.mono_ms);
}

void lanes_rebuild(struct destination *t)
{
	struct item **all = xmalloc((t->nitems + 1) * sizeof(struct item *));
	size_t n = 0;

	if (t->options) /* until it has some, order by key does no harm */
		t->order = t->options->order;
	for (size_t i = 0; i < t->nitems; i++)
		if (t->items[i]->state < ITEM_PARKED)
			all[n++] = t->items[i];
	qsort(all, n, sizeof(struct item *), by_sequence);
	lanes_release(&t->lanes);
	t->ready = NULL; /* they come again one by one */
	t->nready = 0;
	for (size_t i = 0; i < n; i++) {
		bool by_key = t->order == ORDER_RECIPIENT;
		struct item *before = by_key ? lanes_tail(&t->lanes, all[i]->key) : NULL;

		all[i]->in_lane = false;
		if (by_key)
			lanes_append(&t->lanes, all[i]);
		settle_in(t, all[i], before);
	}
	free(all);
}
