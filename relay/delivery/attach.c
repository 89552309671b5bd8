/*
 * attach — destinations come, change and go: known from the journal, prepared aside, taken or
 * dropped, removed. Invariant: what is owed to one stays with it, whether it is attached or not.
 */
#include "relay/delivery/destination.h"

#include <stdlib.h>

#include "relay/base/mem.h"

void destination_free(struct destination *t)
{
	while (t->nitems)
		item_free(t, t->items[t->nitems - 1]);
	buffer_release(t);
	flights_release(t);
	settle_next_release(t);
	lanes_release(&t->lanes);
	dues_release(&t->dues);
	free(t->items);
	free(t->dirty);
	free(t->name);
	free(t->why);
	free(t);
}

/* An exception as the journal keeps it; its due is told in wall time until the first tick. */
static void take_exception(struct destination *t, const struct exception *row)
{
	struct item *x;

	if (row->state == EXCEPTION_PARKED) {
		t->nparked++;
		return;
	}
	x = item_add(t, row->sequence, row->order_key);
	x->attempts = row->attempts;
	x->excepted = x->stored = true;
	x->state = ITEM_WAITING;
	t->nexcepted++;
	if (row->held)
		x->not_before_ms = row->due_ms;
	if (row->state == EXCEPTION_RETRY)
		item_retry_at(t, x, row->due_ms);
}

static struct destination *destination_new(struct delivery *d,
					   const struct destination_record *record)
{
	struct destination *t = xcalloc(1, sizeof *t);

	t->delivery = d;
	t->number = record->number;
	t->name = xstrdup(record->name);
	t->state = record->state;
	t->why = xstrdup(record->why);
	t->down_ms = record->down_ms;
	t->cursor = record->cursor;
	t->fetched = t->entered = t->cursor.position;
	t->dues_are_wall = true;
	d->v = mem_grow(d->v, d->n, &d->cap, sizeof(struct destination *));
	d->v[d->n++] = t;
	return t;
}

void delivery_know(struct delivery *d, const struct destination_record *record,
		   const struct exception *exceptions, size_t n)
{
	struct destination *t = destination_new(d, record);

	t->state = DESTINATION_DETACHED; /* until it is taken */
	for (size_t i = 0; i < n; i++)
		take_exception(t, &exceptions[i]);
	lanes_rebuild(t);
}

void destination_discard(struct destination *t)
{
	struct delivery *d = t->delivery;

	for (size_t i = 0; i < d->n; i++)
		if (d->v[i] == t)
			d->v[i] = d->v[--d->n];
	destination_free(t);
}

int delivery_prepare(struct delivery *d, const struct delivery_destination *dest, struct err *err)
{
	struct destination *t = destination_find(d, dest->record->number);

	if (!t) {
		t = destination_new(d, dest->record);
		t->fresh = true;
	}
	/* Who listens keeps its sockets: its addresses do not change without a restart. */
	if (!dest->type->listens || !t->outlet || t->outlet->type != dest->type) {
		t->next_outlet = outlet_open(t, dest, err);
		if (!t->next_outlet) {
			if (t->fresh)
				destination_discard(t);
			return -1;
		}
	}
	t->prepared = true;
	t->next_options = dest->options;
	t->next_state = dest->record->state == DESTINATION_DISABLED ? DESTINATION_DISABLED
								    : DESTINATION_ENABLED;
	t->enable = dest->enable;
	return 0;
}

static void take_state(struct destination *t)
{
	if (!t->attached) {
		t->state = t->next_state;
		if (t->state != DESTINATION_DISABLED)
			destination_clear_why(t);
		else /* a start does not enable it: it is said */
			notice(t, DELIVERY_DISABLED, NULL, t->why);
	} else if (t->enable && t->state == DESTINATION_DISABLED) {
		destination_enable(t);
	} else if (t->enable) {
		outage_end(t); /* what failed is not what there is now */
	}
}

static void take_one(struct destination *t)
{
	if (t->next_outlet)
		outlet_use(t, t->next_outlet);
	take_state(t);
	t->attached = true;
	t->options = t->next_options;
	if (t->order != t->options->order)
		lanes_rebuild(t);
	t->next_outlet = NULL;
	t->prepared = t->fresh = false;
}

void delivery_take(struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i]->prepared)
			take_one(d->v[i]);
}

void delivery_drop(struct delivery *d)
{
	for (size_t i = d->n; i-- > 0;) {
		struct destination *t = d->v[i];

		if (t->next_outlet)
			outlet_close(t->next_outlet);
		t->next_outlet = NULL;
		t->prepared = false;
		if (t->fresh)
			destination_discard(t);
	}
}

void delivery_remove(struct delivery *d, uint32_t number)
{
	struct destination *t = destination_find(d, number);

	if (!t || !t->attached)
		return;
	flights_answer(t);
	outlets_close(t);
	outage_end(t);
	t->attached = false;
	t->options = NULL;
	t->state = DESTINATION_DETACHED;
}
