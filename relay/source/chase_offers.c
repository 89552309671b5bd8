/*
 * Offers: peeks, and the best of what they, jobs, the newest rows and cycles would bring now.
 */
#include "relay/source/chase_parts.h"

#include <math.h>

#define MISSED_MAX    3	   /* runs at the newest rows that missed something: it is cycled, too */
#define OFFER_KEPT_MS 1000 /* an offer ages; then it is made anew */

double offer_worth(const struct offer *o, int64_t now_mono_ms)
{
	double waited_s = (double)(now_mono_ms - o->since_ms) / 1000;

	return o->page ? o->finds * o->weight * pow(1 + waited_s, 0.75) : 0;
}

/* From one look at a filter's own count to the next, where nobody waits for it. */
static int64_t calm_pause(const struct chase *c, unsigned ask, const struct chase_pace *pace)
{
	int64_t pause = chase_look_pause(pace);

	if (chase_has_hints(c)) /* whether the counters stand still while rows change */
		return ask == ASK_FAILED && c->live ? pace->most_ms : INT64_MAX;
	if (!c->live)
		return pace->most_ms;
	if (sorting_of(&c->order) == SORT_UPDATED)
		return ask == ASK_FAILED ? pace->most_ms
					 : INT64_MAX;  /* newest rows are looked at */
	if (ask_is_failure(ask) && chase_is_cycled(c)) /* the rest needs its share, too */
		return ask == ASK_FAILED ? 2 * pause : CYCLED_WAIT_MS;
	if (ask_is_failure(ask))
		return ask == ASK_FAILED ? pause : 8 * pause;
	return c->peek_every_ms[ask] > 0 ? c->peek_every_ms[ask] : PEEK_OTHER_MS;
}

/* Who waits for what does not come must know that it did not: counters that stand still may be old,
 * a filter's own count is not. */
static int64_t peek_pause(const struct chase *c, unsigned ask, const struct chase_pace *pace)
{
	int64_t calm = calm_pause(c, ask, pace), awaited = c->peek_every_ms[ask];
	/* All of them together have half of the budget, as those for failures have. */
	int64_t least = (int64_t)pace->live * PEEK_EACH_MS * __builtin_popcount(c->awaited);

	if (!(c->awaited >> ask & 1))
		return calm;
	if (awaited < PEEK_OTHER_MS)
		awaited = PEEK_OTHER_MS;
	if (awaited < least)
		awaited = least;
	return awaited < calm ? awaited : calm;
}

/* What a peek should bring, by how fast the count rose lately, or else since the broadcast is
 * followed (by Laplace's rule of succession: what was not met yet may come); never looked at, it
 * may be anything. */
static double peek_finds(const struct chase *c, unsigned ask, const struct planes *held,
			 int64_t now)
{
	double per_ms = c->counts.v[ask].per_ms;

	if (chase_has_hints(c) || ask_is_failure(ask) || !c->live)
		return 1;
	if (c->asked_ms[ask] == INT64_MIN)
		return c->take / 2.0;
	if (per_ms <= 0 && c->asked_ms[ask] > c->since_ms)
		per_ms = ((double)planes_total(held, ask_flag(ask)) + 1) /
			 (double)(c->asked_ms[ask] - c->since_ms);
	double rose = per_ms * (double)(now - c->asked_ms[ask]);
	return 1 + (rose < c->take ? rose : c->take);
}

static void offer_peek(struct chase *c, const struct planes *held, const struct chase_pace *pace,
		       int64_t now)
{
	if (!c->counted || c->counts.listed_ms == INT64_MIN)
		return;
	for (unsigned ask = 0; ask < ASKS; ask++) {
		unsigned pages = chase_pages(c, ask, held);
		/* Whether that page had a count or not. */
		int64_t last = c->asked_ms[ask], pause = peek_pause(c, ask, pace);
		if (pause == INT64_MAX || c->counts.v[ask].due_since_ms <= now)
			continue;
		int64_t at = last == INT64_MIN ? c->since_ms + (chase_has_hints(c) ? pause : 0)
					       : last + pause;
		if (at < c->pause_until_ms[ask])
			at = c->pause_until_ms[ask];
		if (at > now) {
			chase_later(c, at);
			continue;
		}
		struct offer o = {FOR_PEEK,
				  ask,
				  prior_best(&c->priors[ask], pages ? pages : 1),
				  peek_finds(c, ask, held, now),
				  at,
				  chase_weight(c, ask)};
		if (chase_has_hints(c) || !ask_is_failure(ask))
			chase_take_better(c, &o, now);
		else if (!c->failure.page)
			c->failure = o;
	}
}

/* Rows that move when they change are at the end where the newest are, in the list of each filter,
 * wherever they were found before that was known. */
static void face_priors(struct chase *c, enum sort_kind kind)
{
	for (unsigned ask = 0; ask < ASKS && kind == SORT_UPDATED; ask++) {
		if (!c->moving)
			prior_init(&c->priors[ask]);
		prior_face(&c->priors[ask], sorting_newest_first(&c->order));
	}
	c->moving = kind == SORT_UPDATED;
}

void chase_offer(struct chase *c, const struct planes *held, const struct chase_pace *pace,
		 struct ranks *ranks, int64_t now_mono_ms)
{
	enum sort_kind kind = sorting_of(&c->order);

	if (c->offered_ms != INT64_MIN && now_mono_ms - c->offered_ms < OFFER_KEPT_MS &&
	    now_mono_ms < c->later_ms)
		return;
	c->offered_ms = now_mono_ms;
	c->offer = c->failure = (struct offer){0};
	c->later_ms = INT64_MAX;
	c->awaited = pace->awaited;
	if (chase_is_blind(c))
		return;
	face_priors(c, kind);
	if (chase_offer_suspect(c, held, ranks, now_mono_ms))
		return;
	chase_offer_failures(c, held, ranks, now_mono_ms);
	if (kind == SORT_UPDATED)
		chase_offer_newest(c, held, pace, now_mono_ms);
	else if (kind != SORT_NONE)
		chase_offer_search(c, held, ranks, now_mono_ms);
	if (kind != SORT_UPDATED || c->newest.missed >= MISSED_MAX)
		chase_offer_cycle(c, held, now_mono_ms);
	offer_peek(c, held, pace, now_mono_ms);
}
