/*
 * The choice of the next request: the list, failures, then the best of what is offered and the
 * sweeps by their shares.
 */
#include "relay/source/planner_parts.h"

#define QUIET_EVERY   4	   /* of so many pages one goes to quiet broadcasts, if others compete */
#define FIRST_SHARE   0.25 /* of requests that compete: first sweeps, … */
#define FIRST_CYCLED  0.75 /* … which go round as cycles would */
#define DEAR_FINDS    0.7  /* of a page: fewer, and failures are dear, … */
#define DEAR_SHARE    0.4  /* … and get this much, so that the rest does not starve */
#define PEEK_WAITS_MS 3000 /* while a run goes on at the newest rows */
#define CREDIT_MAX    10   /* requests that a share can save up, … */
#define DEAR_MAX      40   /* … and that of failures, for as many as come at once */

struct choice {
	struct followed *b;
	struct offer offer; /* page 0: the sweep's next page */
};

/* Nothing of it is under way, and it may be asked for. */
static bool is_free(const struct followed *b)
{
	return !b->track->retry.asked && !b->track->refused;
}

/* The first, unless it has ended once: what it missed is counted, and can be asked for. */
static bool is_baseline(const struct track *t)
{
	return t->sweep.baseline && t->sweep.incomplete == 0;
}

/* Offers of all that are free, renewed. Fills the best of each kind. */
static void look_at_offers(struct planner *p, int64_t now, struct choice *failure,
			   struct choice *best)
{
	*failure = *best = (struct choice){0};
	for (size_t i = 0; i < p->n; i++) {
		struct followed *b = p->v[i];
		struct chase *c = &b->track->chase;
		if (!is_free(b) || b->track->retry.not_before_ms > now)
			continue;
		c->baseline = is_baseline(b->track);
		chase_offer(c, planes_of(b), &p->chase_pace, &p->ranks, now);
		if (c->failure.page &&
		    (!failure->b || c->failure.since_ms < failure->offer.since_ms))
			*failure = (struct choice){b, c->failure};
		if (offer_worth(&c->offer, now) > offer_worth(&best->offer, now))
			*best = (struct choice){b, c->offer};
	}
}

/* A sweep that nothing else can stand for. */
static bool is_first(const struct followed *b)
{
	return is_baseline(b->track) || chase_is_blind(&b->track->chase);
}

static bool may_sweep(const struct followed *b, int64_t now)
{
	return is_free(b) && sweep_ready(&b->track->sweep, now);
}

/* The one of the moved (or quiet) broadcasts that was asked for longest ago. */
static struct followed *longest_unseen(const struct planner *p, bool moved, int64_t now)
{
	struct followed *best = NULL;

	for (size_t i = 0; i < p->n; i++) {
		const struct sweep *s = &p->v[i]->track->sweep;
		if (is_first(p->v[i]) && s->moved == moved && may_sweep(p->v[i], now) &&
		    (!best || s->asked_ms < best->track->sweep.asked_ms))
			best = p->v[i];
	}
	return best;
}

static struct followed *due_first(struct planner *p, int64_t now)
{
	struct followed *moved = longest_unseen(p, true, now);
	struct followed *quiet = longest_unseen(p, false, now);

	if (moved && quiet)
		return ++p->turn % QUIET_EVERY == 0 ? quiet : moved;
	return moved ? moved : quiet;
}

static struct followed *due_full(const struct planner *p, int64_t now)
{
	struct followed *best = NULL;

	for (size_t i = 0; i < p->n; i++) {
		const struct sweep *s = &p->v[i]->track->sweep;
		if (!is_first(p->v[i]) && may_sweep(p->v[i], now) &&
		    (!best || s->asked_ms < best->track->sweep.asked_ms))
			best = p->v[i];
	}
	return best;
}

/* Do its rows have states that the API neither counts nor filters by? */
static bool has_uncounted(const struct followed *b)
{
	for (unsigned state = ASK_ALL; state < STATES_MAX; state++)
		if (planes_total(planes_of(b), state) > 0)
			return true;
	return false;
}

/* When what nothing counts is looked for, once the rest has come to rest: by a sweep, which has a
 * fifth of the time at most. While it is live, only if there is any; what is over is looked at once
 * anyway. INT64_MAX: nothing changed since the last one. */
static int64_t look_round_at(const struct planner *p, const struct followed *b)
{
	const struct track *t = b->track;
	const struct sweep *s = &t->sweep;

	if (s->active || is_first(b) || t->changed_ms == INT64_MIN ||
	    t->changed_ms < s->started_ms || (s->live && !has_uncounted(b)))
		return INT64_MAX;
	double pages = 1 + held_live(b->held) / t->chase.take;
	int64_t took = p->per_ms > 0 ? (int64_t)(pages / p->per_ms) : 0;
	int64_t quiet = t->changed_ms + 2 * p->pace.every_ms, spaced = s->started_ms + 5 * took;
	return quiet > spaced ? quiet : spaced;
}

static struct followed *due_look_round(const struct planner *p, int64_t now)
{
	for (size_t i = 0; i < p->n; i++)
		if (is_free(p->v[i]) && look_round_at(p, p->v[i]) <= now)
			return p->v[i];
	return NULL;
}

/* Of the budget, so that each broadcast is swept every full_sweep_every. */
static double full_share(const struct planner *p)
{
	double pages = 0;

	for (size_t i = 0; i < p->n; i++)
		pages += 1 + held_live(p->v[i]->held) / p->v[i]->track->chase.take;
	double share = p->per_ms > 0 ? pages / ((double)p->pace.full_ms * p->per_ms) : 0;
	return share < FULL_SHARE_MIN	? FULL_SHARE_MIN
	       : share > FULL_SHARE_MAX ? FULL_SHARE_MAX
					: share;
}

static void save(double *credit, double share, double most)
{
	*credit = *credit + share > most ? most : *credit + share;
}

static bool spend(double *credit)
{
	if (*credit < 1)
		return false;
	*credit -= 1;
	return true;
}

/* Does a failure cost several requests, or each look for some where the rest needs them, too? */
static bool is_dear(const struct choice *failure)
{
	if (failure->offer.purpose == FOR_PEEK)
		return chase_is_cycled(&failure->b->track->chase);
	return failure->offer.finds < DEAR_FINDS;
}

static struct choice choose(struct planner *p, int64_t now)
{
	struct choice failure, best;
	struct followed *full = due_full(p, now), *first = due_first(p, now);

	look_at_offers(p, now, &failure, &best);
	bool cycled = first && chase_is_cycled(&first->track->chase);
	save(&p->first_credit, cycled ? FIRST_CYCLED : FIRST_SHARE, CREDIT_MAX);
	save(&p->full_credit, full_share(p), CREDIT_MAX);
	save(&p->dear_credit, DEAR_SHARE, DEAR_MAX);
	/* Whatever goes wrong elsewhere, sweeps go on. */
	if ((full || first) && spend(&p->full_credit))
		return (struct choice){.b = full ? full : first};
	/* A run goes on before its pages slide away; a look for failures can wait so long. */
	bool runs =
		best.b && best.offer.purpose == FOR_NEWEST && best.b->track->chase.newest.page > 1;
	if (runs && failure.b && failure.offer.purpose != FOR_FAILURES &&
	    failure.offer.since_ms > now - PEEK_WAITS_MS)
		return best;
	bool dear = failure.b && is_dear(&failure);
	if (failure.b && (!dear || spend(&p->dear_credit)))
		return failure;
	if (first && ((!best.b && !failure.b) || spend(&p->first_credit)))
		return (struct choice){.b = first};
	if (best.b)
		return best;
	if (failure.b)
		return failure;
	return (struct choice){.b = full ? full : due_look_round(p, now)};
}

static int64_t next_moment(const struct planner *p)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < p->nrounds; i++) {
		int64_t at = round_ready_at(&p->rounds[i]);
		next = at < next ? at : next;
	}
	for (size_t i = 0; i < p->n; i++) {
		const struct track *t = p->v[i]->track;
		if (!is_free(p->v[i]))
			continue;
		int64_t at = sweep_ready_at(&t->sweep), chase = t->chase.later_ms;
		if (chase < t->retry.not_before_ms)
			chase = t->retry.not_before_ms;
		int64_t round = look_round_at(p, p->v[i]);
		next = at < next ? at : next;
		next = round < next ? round : next;
		next = chase < next ? chase : next;
	}
	return next;
}

static void plan_page(const struct choice *c, int64_t now, struct plan *ret)
{
	struct track *t = c->b->track;

	if (!c->offer.page)
		sweep_plan(&t->sweep, c->b, ret, now);
	else
		*ret = (struct plan){
			.kind = PLAN_PAGE,
			.broadcast = c->b,
			.offer = c->offer,
			.page = c->offer.page,
			.asked_ms = now,
			.sweep = t->sweep.active ? t->sweep.stamp : 0,
			.reason = purpose_names[c->offer.purpose],
		};
	chase_plan(&t->chase, &ret->offer, planes_of(c->b), now);
	t->retry.asked = true;
	t->reason = ret->reason;
	t->last = ret->offer;
	t->spent[ret->offer.purpose]++;
}

void planner_next(struct planner *p, int64_t now_mono_ms, struct plan *ret)
{
	struct round *round = list_due(p, now_mono_ms);
	if (round) {
		list_plan(p, round, now_mono_ms, ret);
		return;
	}
	struct choice choice = choose(p, now_mono_ms);
	if (choice.b) {
		plan_page(&choice, now_mono_ms, ret);
		return;
	}
	int64_t at = next_moment(p);
	*ret = (struct plan){
		.kind = PLAN_NOTHING,
		.reason = "nothing is due",
		.wait_ms = at == INT64_MAX     ? INT64_MAX
			   : at <= now_mono_ms ? 1
					       : at - now_mono_ms,
	};
}
