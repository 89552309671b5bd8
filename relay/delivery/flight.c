/*
 * flight — attempts on their way through a transport. Invariant: an item in ITEM_FLYING has exactly
 * one flight, and an answer counts only for the attempt whose id it carries, once.
 */
#include "relay/delivery/destination.h"

#include <assert.h>
#include <stdlib.h>

#include "relay/base/mem.h"

#define PLACE_BITS 16 /* of an attempt's id; the rest is a serial number */

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

struct outlet *outlet_open(struct destination *t, const struct delivery_destination *dest,
			   struct err *err)
{
	const struct delivery_env *env = &t->delivery->env;
	struct outlet *o = xcalloc(1, sizeof *o);

	o->type = dest->type;
	o->self = xcalloc(1, dest->type->size);
	o->env = (struct transport_env){
		.destination = t->name,
		.number = t->number,
		.loop = env->loop,
		.wire = env->wire,
		.own = env->own,
		.nown = env->nown,
		.done = answer,
		.arg = t,
		.history = env->history,
	};
	if (o->type->open(o->self, dest->settings, &o->env, err) < 0) {
		o->type->close(o->self);
		free(o->self);
		free(o);
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

void outlet_close(struct outlet *o)
{
	o->type->close(o->self);
	free(o->self);
	free(o);
}

static void free_flight(struct destination *t, struct flight *f)
{
	free(f->why);
	f->why = NULL;
	f->item = NULL;
	f->answered = false;
	f->outlet->flying--;
	t->flying--;
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
		free(o->self);
		free(o);
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
	f->item = x;
	f->outlet = t->outlet;
	f->parcel = (struct parcel){
		.id = ++t->serial << PLACE_BITS | f->place,
		.event = &x->route->event,
		.prevsequence = x->route->prevsequence,
		.attempt = x->attempts + 1,
		.body = body_of(t, x->route),
	};
	f->outlet->flying++;
	t->flying++;
	f->outlet->type->send(f->outlet->self, &f->parcel);
}

static size_t in_flight_max(const struct destination *t)
{
	if (t->options->in_flight > 0)
		return (size_t)t->options->in_flight;
	return t->outlet->type->in_flight ? t->outlet->type->in_flight : 16;
}

/* A twentieth of a second's sends may come at once: as even as a loop of milliseconds can be. */
static void fill_tokens(struct destination *t)
{
	double most = t->options->rate / 20 > 1 ? t->options->rate / 20 : 1;
	int64_t now_ms = t->delivery->now.mono_ms;

	t->tokens += t->options->rate * (double)(now_ms - t->tokens_ms) / 1000;
	t->tokens_ms = now_ms;
	if (t->tokens > most)
		t->tokens = most;
}

int64_t rate_wait_ms(const struct destination *t)
{
	if (t->options->rate <= 0 || t->tokens >= 1)
		return 0;
	return (int64_t)((1 - t->tokens) * 1000 / t->options->rate) + 1;
}

static struct item *take_ready(struct destination *t)
{
	struct item *x = t->ready;

	if (x) {
		t->ready = x->follows;
		t->nready--;
	}
	return x;
}

bool flights_start(struct destination *t)
{
	bool any = false;

	if (!destination_active(t))
		return false;
	if (t->options->rate > 0)
		fill_tokens(t);
	while (t->flying < in_flight_max(t) && t->unsettled < SETTLES_MAX && !rate_wait_ms(t)) {
		struct item *x = take_ready(t);

		if (!x)
			x = window_admit(t);
		if (!x)
			break;
		if (t->options->rate > 0)
			t->tokens -= 1;
		start(t, x);
		any = true;
	}
	return any;
}

bool flights_answer(struct destination *t)
{
	bool any = false;

	while (t->answered) {
		struct flight *f = t->answered;
		struct item *x = f->item;
		struct outcome outcome = f->outcome;
		char *why = f->why;

		/* Who is gone is the old address; the present one is asked first. */
		outcome.disable = outcome.disable && f->outlet == t->outlet;
		t->answered = f->next;
		f->why = NULL;
		free_flight(t, f);
		verdict_take(t, x, &outcome);
		free(why);
		any = true;
	}
	return any;
}

void flights_release(struct destination *t)
{
	for (size_t i = 0; i < t->nflights; i++) {
		free(t->flights[i]->why);
		free(t->flights[i]);
	}
	free(t->flights);
	t->flights = NULL;
	t->nflights = t->flights_cap = 0;
	t->free_flights = t->answered = NULL;
}
