/*
 * reading — routes from the journal: those the cursor has not come to, a bounded piece ahead, and
 * the bodies of exceptions that are due. Invariant: one read of each kind is outstanding, and what
 * it brings is copied, since the journal's answer ends with the call.
 */
#include "relay/delivery/destination.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

struct delivery_route *buffer_first(const struct destination *t)
{
	const struct routes_buffer *b = &t->buffer;

	return b->taken < b->n ? &b->v[b->taken] : NULL;
}

void buffer_drop(struct destination *t)
{
	struct delivery_route *r = buffer_first(t);

	t->body_bytes -= r->event.len;
	event_release(&r->event);
	t->buffer.taken++;
}

struct delivery_route *buffer_take(struct destination *t)
{
	struct delivery_route *r = xmalloc(sizeof *r);

	*r = *buffer_first(t);
	t->buffer.taken++;
	return r;
}

void buffer_release(struct destination *t)
{
	while (buffer_first(t))
		buffer_drop(t);
	free(t->buffer.v);
	t->buffer = (struct routes_buffer){0};
}

static void copy_route(struct destination *t, struct delivery_route *ret,
		       const struct delivery_route *r)
{
	*ret = *r;
	ret->event.body = xstrndup(r->event.body, r->event.len);
	ret->event.topic = xstrdup(r->event.topic);
	t->body_bytes += r->event.len;
}

static void buffer_add(struct destination *t, const struct delivery_route *r)
{
	struct routes_buffer *b = &t->buffer;

	if (b->taken && b->n == b->cap) {
		memmove(b->v, b->v + b->taken, (b->n - b->taken) * sizeof *b->v);
		b->n -= b->taken;
		b->taken = 0;
	}
	b->v = mem_grow(b->v, b->n, &b->cap, sizeof *b->v);
	copy_route(t, &b->v[b->n++], r);
}

static void note_failure(struct destination *t, const struct err *err)
{
	tell_failing(t, NULL, err->msg);
	t->read_again_ms = t->delivery->now.mono_ms + FAILED_WAIT_MS;
}

static void take_routes(void *arg, const struct delivery_routes *r, const struct err *err)
{
	struct destination *t = arg;
	int64_t until = t->reading_until;

	if (!delivery_answer_came(t->delivery))
		return;
	t->reading = false;
	if (t->read_is_stale || t->forgotten) {
		t->read_is_stale = false;
		return;
	}
	if (err) {
		note_failure(t, err);
		return;
	}
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].event.sequence > t->fetched)
			buffer_add(t, &r->v[i]);
	if (r->more)
		until = r->n ? r->v[r->n - 1].event.sequence : r->scanned;
	else if (until < r->scanned)
		until = r->scanned;
	if (t->fetched < until)
		t->fetched = until;
}

void read_anew(struct destination *t)
{
	buffer_release(t);
	t->fetched = t->entered > t->cursor.position ? t->entered : t->cursor.position;
	t->read_is_stale = t->reading;
}

void read_more(struct destination *t)
{
	struct delivery *d = t->delivery;
	struct route_query q = {
		.destination = t->number,
		.after = t->fetched,
		.limit = READ_ROUTES,
		.max_bytes = READ_BYTES,
	};

	if (t->reading || !destination_active(t) || t->fetched >= d->latest)
		return;
	if (t->buffer.n - t->buffer.taken >= READ_BELOW || t->body_bytes >= READ_BYTES ||
	    t->nexcepted >= EXCEPTIONS_MAX || d->now.mono_ms < t->read_again_ms)
		return;
	t->reading = true;
	t->reading_until = d->latest;
	d->answers_owed++;
	journal_routes(d->env.journal, &q, take_routes, t);
}

static int by_sequence(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* What became of one item that was asked for. `r` is its route, or NULL when it was not among the
 * routes; `beyond`: the answer did not come that far. */
static void take_load(struct destination *t, struct item *x, const struct delivery_route *r,
		      bool beyond)
{
	if (x->in_lane && lanes_head(&t->lanes, x->key) != x) {
		x->state = ITEM_WAITING; /* order by key came while it was read */
	} else if (r) {
		x->route = xmalloc(sizeof *x->route);
		copy_route(t, x->route, r);
		item_make_ready(t, x);
	} else if (beyond) {
		item_retry_at(t, x, t->delivery->now.mono_ms);
	} else { /* the row leads nowhere: who took it up did not hold retention */
		notice(t, DELIVERY_GONE, NULL, NULL);
		t->dropped++;
		item_end(t, x, ITEM_SENT);
	}
}

static void take_loads(void *arg, const struct delivery_routes *r, const struct err *err)
{
	struct destination *t = arg;
	size_t k = 0;

	if (!delivery_answer_came(t->delivery))
		return;
	t->loading = false;
	if (t->forgotten)
		return;
	if (err)
		note_failure(t, err);
	for (size_t i = 0; i < t->nloads; i++) {
		struct item *x = t->loads[i];

		while (k < r->n && r->v[k].event.sequence < x->sequence)
			k++;
		bool found = k < r->n && r->v[k].event.sequence == x->sequence;
		take_load(t, x, found ? &r->v[k] : NULL, err || (r->more && k == r->n));
	}
	t->nloads = 0;
}

static void ask_for(struct destination *t, struct item *x)
{
	x->state = ITEM_LOADING;
	t->loads[t->nloads++] = x;
}

static bool is_due(const struct destination *t, const struct item *x)
{
	return x && x->due_ms <= t->delivery->now.mono_ms;
}

/* Those of one call are asked for together, if they are not more than one load takes anyway. */
static void give_back_part(struct destination *t, uint64_t group)
{
	while (t->nloads > LOADS_MAX / 2 && t->loads[t->nloads - 1]->group == group) {
		struct item *x = t->loads[--t->nloads];

		item_retry_at(t, x, x->due_ms);
	}
}

static void choose_due(struct destination *t)
{
	struct item *x;

	while (t->nloads < LOADS_MAX && is_due(t, x = dues_first(&t->dues))) {
		dues_remove(&t->dues, x);
		ask_for(t, x);
	}
	if (is_due(t, x = dues_first(&t->dues)) && x->group)
		give_back_part(t, x->group);
}

/* One to probe with, and what went in one call with it. */
static void choose_probe(struct destination *t)
{
	struct item *probe = outage_load(t);

	if (!probe)
		return;
	ask_for(t, probe);
	for (size_t i = t->dues.n; probe->group && i-- > 0 && t->nloads < LOADS_MAX;) {
		struct item *x = t->dues.v[i];

		if (x->group != probe->group)
			continue;
		dues_remove(&t->dues, x);
		ask_for(t, x);
		i = t->dues.n; /* the heap has moved */
	}
}

void load_due(struct destination *t)
{
	struct delivery *d = t->delivery;
	int64_t sequences[LOADS_MAX];
	struct route_query q = {
		.destination = t->number,
		.sequences = sequences,
		.limit = LOADS_MAX,
		.max_bytes = READ_BYTES,
	};

	if (t->loading || !destination_active(t) || d->now.mono_ms < t->read_again_ms ||
	    t->nready >= LOADS_MAX / 2)
		return;
	if (t->breaker.open)
		choose_probe(t);
	else
		choose_due(t);
	if (!t->nloads)
		return;
	qsort(t->loads, t->nloads, sizeof *t->loads, by_sequence);
	for (size_t i = 0; i < t->nloads; i++)
		sequences[i] = t->loads[i]->sequence;
	q.nsequences = t->nloads;
	t->loading = true;
	d->answers_owed++;
	journal_routes(d->env.journal, &q, take_loads, t);
}
