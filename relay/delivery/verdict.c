/*
 * verdict — what an answer means for its route: done, again later, or parked for a person.
 * Invariant: every verdict leaves the route ended, excepted or (destination disabled) still owed.
 */
#include "relay/delivery/destination.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

static void note_attempt(struct destination *t, const struct item *x, const struct outcome *o)
{
	struct settle *s = &t->next;
	struct attempt *a;

	s->attempts = mem_grow(s->attempts, s->nattempts, &t->attempts_cap, sizeof *s->attempts);
	a = &s->attempts[s->nattempts++];
	*a = (struct attempt){
		.destination = t->number,
		.sequence = x->sequence,
		.at_ms = t->delivery->now.wall_ms,
		.took_ms = o->took_ms,
		.verdict = o->verdict,
		.why = xstrdup(o->why),
	};
}

static const char *id_of(const struct item *x)
{
	return x && x->route ? x->route->event.id : NULL;
}

char *why_copy(const char *why)
{
	size_t len = why ? strnlen(why, WHY_MAX) : 0;

	if (!why)
		return NULL;
	if (why[len]) /* longer: cut before a character, not within it */
		while (len && ((unsigned char)why[len] & 0xc0) == 0x80)
			len--;
	return xstrndup(why, len);
}

static void set_why(char **at, const char *why)
{
	char *copy = why_copy(why);

	free(*at);
	*at = copy;
}

/* Why it is disabled stays, whatever fails or goes well behind that. */
static void set_trouble(struct destination *t, const char *why)
{
	if (t->state != DESTINATION_DISABLED)
		set_why(&t->why, why);
}

/* A failure is told when its text is new, but not with every new text of a noisy receiver. */
void tell_failing(struct destination *t, const struct item *x, const char *why)
{
	int64_t now_ms = t->delivery->now.mono_ms;
	bool same = t->why && why && strcmp(t->why, why) == 0;

	if (t->failing && (same || now_ms < t->noticed_ms + NOTICE_EVERY_MS))
		return;
	t->failing = true;
	t->noticed_ms = now_ms;
	set_trouble(t, why);
	notice(t, DELIVERY_FAILING, id_of(x), why);
}

/* It is well again when nothing that failed is left, not at each success between failures. */
static void tell_recovered(struct destination *t)
{
	if (!t->failing || t->nexcepted)
		return;
	t->failing = false;
	set_trouble(t, NULL);
	notice(t, DELIVERY_RECOVERED, NULL, NULL);
}

void park(struct destination *t, struct item *x, const char *why)
{
	set_why(&x->why, why);
	notice(t, DELIVERY_PARKED, id_of(x), why);
	item_end(t, x, ITEM_PARKED);
}

/* Who finds that too much comes means all of it. */
static void pause(struct destination *t, const struct outcome *o)
{
	int64_t wait_ms = o->wait_ms < PAUSE_MAX_MS ? o->wait_ms : PAUSE_MAX_MS;

	if (o->throttled && t->paused_ms < t->delivery->now.mono_ms + wait_ms)
		t->paused_ms = t->delivery->now.mono_ms + wait_ms;
}

/* When it is to be tried again; -1: never. Those of one call have the same time, so that they can
 * go in one call again. */
static int64_t due_of(struct destination *t, struct item *x, const struct outcome *o, bool counts)
{
	struct delivery *d = t->delivery;
	int64_t asked_ms = o->wait_ms < WAIT_MAX_MS ? o->wait_ms : WAIT_MAX_MS;
	int64_t delay_ms =
		retry_delay_ms(&t->options->retry, x->attempts + 1, prng_unit(&d->env.random));

	if (delay_ms < 0 && counts)
		return -1;
	if (o->wait_ms >= 0)
		x->not_before_ms = d->now.mono_ms + asked_ms;
	if (delay_ms < asked_ms)
		delay_ms = asked_ms;
	if (delay_ms < 0) /* the schedule was made shorter */
		delay_ms = 0;
	x->group = o->group;
	if (!o->group || o->group != t->group)
		t->group_due_ms = d->now.mono_ms + delay_ms;
	t->group = o->group;
	if (o->throttled)
		x->not_before_ms = t->group_due_ms;
	return t->group_due_ms;
}

static void try_again(struct destination *t, struct item *x, const struct outcome *o, bool counts)
{
	int64_t due_ms = due_of(t, x, o, counts);

	tell_failing(t, x, o->why);
	pause(t, o);
	if (due_ms < 0) {
		park(t, x, o->why);
		return;
	}
	set_why(&x->why, o->why);
	if (x->excepted) {
		t->unsettled++;
		item_mark_dirty(t, x);
		item_except_followers(t, x); /* after a change of order some may have none yet */
	} else {
		item_except(t, x);
	}
	item_retry_at(t, x, due_ms);
}

/* The receiver says that it is gone for good. The event stays owed, as all that follow. */
static void disable(struct destination *t, struct item *x, const char *why)
{
	t->unsettled++; /* of the attempt's row */
	if (x->excepted)
		item_retry_at(t, x, t->delivery->now.mono_ms);
	else
		item_make_ready(t, x);
	if (t->state != DESTINATION_ENABLED)
		return;
	set_trouble(t, why);
	t->state = DESTINATION_DISABLED;
	t->changed = true;
	notice(t, DELIVERY_DISABLED, id_of(x), why);
}

/* What fails while nothing but a probe is sent, or before it was due again, uses up none of the
 * attempts that the schedule allows: an outage parks nothing, nor does a receiver that comes and
 * goes. */
static bool is_free(const struct item *x, const struct outcome *o, bool probe)
{
	return o->verdict == TRY_AGAIN && !o->disable && !o->throttled && (probe || x->early);
}

void verdict_take(struct destination *t, struct item *x, const struct outcome *o, bool probe)
{
	bool counts = !is_free(x, o, probe);

	x->vain = counts ? 0 : x->vain + x->early;
	x->early = false;
	x->not_before_ms = 0;
	x->group = 0;
	x->attempts += counts;
	if (counts ? o->verdict != SENT || x->attempts > 1 || x->excepted
		   : !probe || outage_notes(t))
		note_attempt(t, x, o);
	outage_count(t, x, o, probe);
	if (o->disable) {
		disable(t, x, o->why);
		return;
	}
	switch (o->verdict) {
	case SENT:
		t->sent++;
		item_end(t, x, ITEM_SENT);
		tell_recovered(t);
		break;
	case TRY_AGAIN:
		t->tried_again++;
		try_again(t, x, o, counts);
		break;
	case REFUSED:
		t->refused++;
		park(t, x, o->why);
		break;
	}
}
