/*
 * flight — attempts on their way through a transport. Invariant: an item in ITEM_FLYING has exactly
 * one flight, and an answer counts only for the attempt whose id it carries, once.
 */
#include "relay/delivery/destination.h"

#include <assert.h>
#include <stdlib.h>

#include "relay/base/mem.h"

#define PLACE_BITS 16 /* of an attempt's id; the rest is a serial number */
#define IN_FLIGHT  16 /* where the transport has no number of its own */
#define CALLS_MAX  5  /* of those that carry many parcels */

/* The transport's answer. Verdicts are taken in the next tick, which knows what time it is. */
static void answer(void *arg, uint64_t id, const struct outcome *outcome)
{
	struct destination *t = arg;
	size_t place = id & ((1U << PLACE_BITS) - 1);
	struct flight *f = place < t->nflights ? t->flights[place] : NULL;

	if (!f || !f->item || f->answered || f->parcel.id != id)
		return;
	f->answered = true;
	f->outcome = *outcome;
	f->why = why_copy(outcome->why);
	f->outcome.why = f->why;
	f->next = NULL;
	if (t->answered)
		t->answered_last->next = f;
	else
		t->answered = f;
	t->answered_last = f;
}

static void outlet_free(struct outlet *o)
{
	redaction_close(&o->redaction);
	free(o->self);
	free(o);
}

void outlet_close(struct outlet *o)
{
	o->type->close(o->self);
	outlet_free(o);
}

/* Of many parcels each: many calls of few are as much to the receiver as many of many. */
static size_t calls_max(const struct delivery_options *o)
{
	return o->in_flight && o->in_flight < CALLS_MAX ? (size_t)o->in_flight : CALLS_MAX;
}

struct outlet *outlet_open(struct destination *t, const struct delivery_destination *dest,
			   struct err *err)
{
	const struct delivery_env *env = &t->delivery->env;
	struct outlet *o = xcalloc(1, sizeof *o);

	redaction_open(&o->redaction, dest->options, env->history);
	o->type = dest->type;
	o->per_call = dest->type->per_call ? dest->type->per_call(dest->settings) : 1;
	o->self = xcalloc(1, dest->type->size);
	o->env = (struct transport_env){
		.destination = t->name,
		.number = t->number,
		.loop = env->loop,
		.wire = env->wire,
		.own = env->own,
		.nown = env->nown,
		.calls = o->per_call > 1 ? calls_max(dest->options) : 0,
		.done = answer,
		.arg = t,
		.history = env->history ? &o->redaction.history : NULL,
	};
	if (o->type->open(o->self, dest->settings, &o->env, err) < 0) {
		outlet_close(o);
		err_wrap(err, "destination %s", t->name);
		return NULL;
	}
	return o;
}

void outlet_use(struct destination *t, struct outlet *o)
{
	o->older = t->outlet;
	t->outlet = o;
}

static void free_flight(struct destination *t, struct flight *f)
{
	free(f->why);
	delivery_redact_release(&f->redacted);
	f->why = NULL;
	f->item = NULL;
	f->answered = false;
	f->outlet->flying--;
	t->flying--;
	t->probing -= f->probe;
	f->probe = false;
	f->next = t->free_flights;
	t->free_flights = f;
}

void outlets_close(struct destination *t)
{
	struct outlet *older;

	for (struct outlet *o = t->outlet; o; o = older) {
		older = o->older;
		o->type->close(o->self);
	}
	t->answered = NULL;
	for (size_t i = 0; i < t->nflights; i++) {
		struct item *x = t->flights[i]->item;

		if (!x)
			continue;
		free_flight(t, t->flights[i]);
		if (x->excepted)
			item_retry_at(t, x, t->delivery->now.mono_ms);
		else
			item_make_ready(t, x);
	}
	for (struct outlet *o = t->outlet; o; o = older) {
		older = o->older;
		outlet_free(o);
	}
	t->outlet = NULL;
}

void outlets_tick(struct destination *t)
{
	struct outlet **at = t->outlet ? &t->outlet->older : NULL;

	for (struct outlet *o = t->outlet; o; o = o->older)
		if (o->type->tick)
			o->type->tick(o->self, t->delivery->now);
	while (at && *at) {
		struct outlet *o = *at;

		if (o->flying) {
			at = &o->older;
			continue;
		}
		*at = o->older;
		outlet_close(o);
	}
}

static struct flight *take_flight(struct destination *t)
{
	struct flight *f = t->free_flights;

	if (f) {
		t->free_flights = f->next;
		return f;
	}
	assert(t->nflights < 1U << PLACE_BITS);
	f = xcalloc(1, sizeof *f);
	t->flights = mem_grow(t->flights, t->nflights, &t->flights_cap, sizeof *t->flights);
	f->place = (uint32_t)t->nflights;
	t->flights[t->nflights++] = f;
	return f;
}

static const struct template *body_of(const struct destination *t, const struct delivery_route *r)
{
	const struct delivery_env *env = &t->delivery->env;

	return env->body ? env->body(env->arg, r->rule) : NULL;
}

static void start(struct destination *t, struct item *x)
{
	struct flight *f = take_flight(t);

	x->state = ITEM_FLYING;
	x->due_ms = t->delivery->now.mono_ms;
	if (x->group && x->group == t->group) /* its next answer is of another call */
		t->group = 0;
	if (x->group && x->group == t->counted)
		t->counted = 0;
	f->item = x;
	f->outlet = t->outlet;
	f->probe = t->breaker.open;
	if (f->probe)
		x->probed = t->probes;
	f->parcel = (struct parcel){
		.id = ++t->serial << PLACE_BITS | f->place,
		.event = delivery_redact(t->options, &x->route->event, &f->redacted),
		.prevsequence = x->route->prevsequence,
		.attempt = x->attempts + 1,
		.group = x->group,
		.body = body_of(t, x->route),
	};
	f->outlet->flying++;
	t->flying++;
	t->probing += f->probe;
	pace_spend(&t->pace, t->options->rate);
	pace_sent(&t->pace, t->flying);
	f->outlet->type->send(f->outlet->self, &f->parcel);
}

/* What went in one call goes in one again, whatever the limit says of its last ones. */
static void start_call(struct destination *t, struct item *x)
{
	uint64_t group = x->group;

	start(t, x);
	while (group && (x = ready_take(t, group)))
		start(t, x);
}

static void bound_pace(struct destination *t)
{
	size_t asked = (size_t)t->options->in_flight, each = t->outlet->per_call;
	size_t preset = t->outlet->type->in_flight ? t->outlet->type->in_flight : IN_FLIGHT;
	size_t start = asked ? asked : preset, most = start;

	if (!asked && most < PACE_MOST)
		most = PACE_MOST;
	if (each > 1 && most > CALLS_MAX)
		most = CALLS_MAX;
	pace_bound(&t->pace, start < most ? start : most, most, each);
}

size_t flights_max(const struct destination *t)
{
	return t->attached ? pace_limit(&t->pace) : 0;
}

int64_t flights_wait_ms(const struct destination *t)
{
	int64_t now_ms = t->delivery->now.mono_ms;

	if (now_ms < t->paused_ms)
		return t->paused_ms - now_ms;
	return pace_wait_ms(&t->pace, t->options->rate);
}

struct item *ready_take(struct destination *t, uint64_t group)
{
	struct item *before = NULL, *x = t->ready;

	while (x && group && x->group != group) {
		before = x;
		x = x->follows;
	}
	if (!x)
		return NULL;
	*(before ? &before->follows : &t->ready) = x->follows;
	if (t->ready_last == x)
		t->ready_last = before;
	t->nready--;
	return x;
}

/* A probe goes whatever is still out from before the outage. */
static struct item *next_item(struct destination *t)
{
	struct item *x;

	if (t->unsettled >= settles_max(t) || flights_wait_ms(t))
		return NULL;
	if (t->breaker.open)
		return outage_probe(t);
	if (t->flying >= flights_max(t))
		return NULL;
	x = ready_take(t, 0);
	return x ? x : window_admit(t, SIZE_MAX);
}

bool flights_start(struct destination *t)
{
	bool any = false;
	struct item *x;

	if (!destination_active(t))
		return false;
	bound_pace(t);
	pace_fill(&t->pace, t->options->rate, t->delivery->now.mono_ms);
	while ((x = next_item(t))) {
		start_call(t, x);
		any = true;
	}
	if (any && t->outlet->per_call > 1 && t->outlet->type->tick)
		t->outlet->type->tick(t->outlet->self, t->delivery->now);
	return any;
}

static void tell_pace(struct destination *t, const struct outcome *o)
{
	enum pace_end end = PACE_ANSWERED;

	if (o->verdict == TRY_AGAIN && !o->disable)
		end = o->throttled ? PACE_THROTTLED : PACE_FAILED;
	if (!o->no_connection)
		pace_took(&t->pace, o->took_ms);
	pace_answer(&t->pace, o->took_ms, end, t->flying);
}

bool flights_answer(struct destination *t)
{
	bool any = false;

	while (t->answered) {
		struct flight *f = t->answered;
		struct item *x = f->item;
		struct outcome outcome = f->outcome;
		bool probe = f->probe;
		char *why = f->why;

		/* Who is gone is the old address; the present one is asked first. */
		outcome.disable = outcome.disable && f->outlet == t->outlet;
		t->answered = f->next;
		f->why = NULL;
		free_flight(t, f);
		tell_pace(t, &outcome);
		verdict_take(t, x, &outcome, probe);
		free(why);
		any = true;
	}
	return any;
}

void flights_release(struct destination *t)
{
	for (size_t i = 0; i < t->nflights; i++) {
		free(t->flights[i]->why);
		delivery_redact_release(&t->flights[i]->redacted);
		free(t->flights[i]);
	}
	free(t->flights);
	t->flights = NULL;
	t->nflights = t->flights_cap = 0;
	t->free_flights = t->answered = NULL;
}
