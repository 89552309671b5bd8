/*
 * Chooses the next request: a list round that is due, else the page of the broadcast that waited
 * longest. Whatever is named here is not named again until it was answered.
 */
#include "relay/source/planner_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define LIST_SHARE  0.25 /* of the budget, at most */
#define QUIET_EVERY 4	 /* of so many pages one goes to quiet broadcasts, if others compete */

struct planner {
	struct round *rounds;
	size_t nrounds;
	struct followed **v; /* borrowed; in no order */
	size_t n, cap;
	struct pace pace;
	double list_per_ms; /* list requests; 0: no limit */
	unsigned turn;
};

struct planner *planner_new(const struct source_options *o)
{
	struct planner *p = xcalloc(1, sizeof *p);

	p->pace = (struct pace){o->poll_every_ms, o->poll_every_max_ms};
	p->list_per_ms = o->rate_limit * LIST_SHARE / 1000;
	p->rounds = xcalloc(o->orgs.n, sizeof *p->rounds);
	for (; p->nrounds < o->orgs.n; p->nrounds++)
		round_init(&p->rounds[p->nrounds], o->orgs.v[p->nrounds], INT64_MIN);
	return p;
}

void planner_free(struct planner *p)
{
	if (!p)
		return;
	while (p->n > 0)
		planner_remove(p, p->v[p->n - 1]);
	for (size_t i = 0; i < p->nrounds; i++)
		free(p->rounds[i].org);
	free(p->rounds);
	free(p->v);
	free(p);
}

static void attach(struct planner *p, struct followed *b)
{
	p->v = mem_grow(p->v, p->n, &p->cap, sizeof(struct followed *));
	p->v[p->n++] = b;
}

static void detach(struct planner *p, const struct followed *b)
{
	size_t i = 0;

	while (i < p->n && p->v[i] != b)
		i++;
	assert(i < p->n);
	p->v[i] = p->v[--p->n];
}

void planner_add(struct planner *p, struct followed *b, int64_t now_mono_ms)
{
	b->sweep = xcalloc(1, sizeof *b->sweep);
	sweep_init(b->sweep, b, &p->pace, now_mono_ms);
	attach(p, b);
}

void planner_remove(struct planner *p, struct followed *b)
{
	detach(p, b);
	free(b->sweep);
	b->sweep = NULL;
}

void planner_move(struct planner *from, struct planner *to, struct followed *b)
{
	detach(from, b);
	attach(to, b);
}

void planner_listed(struct planner *p, struct followed *b, bool moved, bool live,
		    int64_t now_mono_ms)
{
	sweep_listed(b->sweep, moved, live, &p->pace, now_mono_ms);
}

void planner_recovered(struct planner *p)
{
	for (size_t i = 0; i < p->nrounds; i++)
		p->rounds[i].retry.not_before_ms = INT64_MIN;
	for (size_t i = 0; i < p->n; i++)
		p->v[i]->sweep->retry.not_before_ms = INT64_MIN;
}

void planner_refused(struct planner *p, const char *org, bool list, bool refused)
{
	for (size_t i = 0; i < p->nrounds; i++) {
		struct round *r = &p->rounds[i];
		if (strcmp(r->org, org) == 0)
			*(list ? &r->list_refused : &r->rows_refused) = refused;
	}
}

static bool is_refused(const struct planner *p, const struct followed *b)
{
	for (size_t i = 0; i < p->nrounds; i++) {
		const struct round *r = &p->rounds[i];
		if (r->list_refused && r->rows_refused && strcmp(r->org, b->record.org) == 0)
			return true;
	}
	return false;
}

static struct round *due_round(const struct planner *p, int64_t now_mono_ms)
{
	struct round *best = NULL;

	for (size_t i = 0; i < p->nrounds; i++) {
		struct round *r = &p->rounds[i];
		if (round_ready(r, now_mono_ms) && (!best || r->due_ms < best->due_ms))
			best = r;
	}
	return best;
}

/* The one of the moved (or quiet) broadcasts that was asked for longest ago. */
static struct followed *longest_unseen(const struct planner *p, bool moved, int64_t now_mono_ms)
{
	struct followed *best = NULL;

	for (size_t i = 0; i < p->n; i++) {
		const struct sweep *s = p->v[i]->sweep;
		if (s->moved == moved && sweep_ready(s, now_mono_ms) &&
		    (!best || s->asked_ms < best->sweep->asked_ms) && !is_refused(p, p->v[i]))
			best = p->v[i];
	}
	return best;
}

static struct followed *due_broadcast(struct planner *p, int64_t now_mono_ms)
{
	struct followed *moved = longest_unseen(p, true, now_mono_ms);
	struct followed *quiet = longest_unseen(p, false, now_mono_ms);

	if (moved && quiet)
		return ++p->turn % QUIET_EVERY == 0 ? quiet : moved;
	return moved ? moved : quiet;
}

static int64_t next_moment(const struct planner *p)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < p->nrounds; i++) {
		int64_t at = round_ready_at(&p->rounds[i]);
		next = at < next ? at : next;
	}
	for (size_t i = 0; i < p->n; i++) {
		int64_t at = is_refused(p, p->v[i]) ? INT64_MAX : sweep_ready_at(p->v[i]->sweep);
		next = at < next ? at : next;
	}
	return next;
}

void planner_next(struct planner *p, int64_t now_mono_ms, struct plan *ret)
{
	struct round *round = due_round(p, now_mono_ms);
	if (round) {
		round_plan(round, ret, now_mono_ms);
		return;
	}
	struct followed *b = due_broadcast(p, now_mono_ms);
	if (b) {
		sweep_plan(b->sweep, b, ret, now_mono_ms);
		return;
	}
	int64_t at = next_moment(p);
	*ret = (struct plan){
		.kind = PLAN_NOTHING,
		.reason = "nothing is due",
		.wait_ms = at == INT64_MAX ? INT64_MAX : at - now_mono_ms,
	};
}

static struct round *round_of(const struct planner *p, const struct plan *plan)
{
	size_t i = 0;

	while (i < p->nrounds && strcmp(p->rounds[i].org, plan->org) != 0)
		i++;
	assert(i < p->nrounds);
	return &p->rounds[i];
}

/* From the start of a round to the next, so that all rounds keep to their share of the budget. */
static int64_t round_pause(const struct planner *p)
{
	unsigned pages = 0;

	for (size_t i = 0; i < p->nrounds; i++)
		pages += p->rounds[i].pages;
	int64_t least = p->list_per_ms > 0 ? (int64_t)(pages / p->list_per_ms) : 0;
	return least > p->pace.every_ms ? least : p->pace.every_ms;
}

bool planner_is_behind(const struct planner *p, const struct plan *plan)
{
	if (plan->kind == PLAN_LIST)
		return round_is_behind(round_of(p, plan));
	return plan->kind == PLAN_PAGE && sweep_is_behind(plan->broadcast->sweep);
}

bool planner_completes(const struct planner *p, const struct plan *plan,
		       const struct plan_answer *a)
{
	if (plan->kind == PLAN_LIST)
		return round_completes(round_of(p, plan), a);
	return sweep_completes(plan->broadcast->sweep, a);
}

bool planner_read(struct planner *p, const struct plan *plan, const struct plan_answer *a,
		  int64_t now_mono_ms)
{
	if (plan->kind == PLAN_LIST)
		return round_read(round_of(p, plan), a, round_pause(p));
	return sweep_read(plan->broadcast->sweep, a, &p->pace, now_mono_ms);
}

void planner_failed(struct planner *p, const struct plan *plan, double random, int64_t now_mono_ms)
{
	if (plan->kind == PLAN_LIST)
		round_failed(round_of(p, plan), random, round_pause(p), now_mono_ms);
	else
		sweep_failed(plan->broadcast->sweep, &p->pace, random, now_mono_ms);
}

void planner_unasked(struct planner *p, const struct plan *plan)
{
	if (plan->kind == PLAN_LIST)
		round_of(p, plan)->retry.asked = false;
	else
		plan->broadcast->sweep->retry.asked = false;
}
