/*
 * What was followed, listed and read becomes what the parts know. Whatever is named by planner_next
 * is not named again until it was answered, and of a broadcast one thing at a time.
 */
#include "relay/source/planner_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define SURPRISE_EVERY_MS 3600000 /* of one broadcast */
#define AWAITED_SWEEP_MS  600000  /* full sweeps, while what only they show is waited for */

/* The planner's filters go beside the configuration's, which wins where both have a name. */
static uint16_t left_out(const struct strings *filter)
{
	uint16_t asks = 0;

	for (size_t i = 0; i + 1 < filter->n; i += 2)
		for (unsigned ask = 0; ask < ASK_ALL; ask++)
			if (strcmp(filter->v[i], ask_filters[ask]) == 0 &&
			    strcmp(filter->v[i + 1], "false") == 0)
				asks |= (uint16_t)(1u << ask);
	return asks;
}

struct planner *planner_new(const struct source_options *o)
{
	struct planner *p = xcalloc(1, sizeof *p);

	p->pace = (struct pace){o->poll_every_ms, o->poll_every_max_ms, o->full_sweep_every_ms};
	p->full_ms = o->full_sweep_every_ms;
	p->chase_pace = (struct chase_pace){o->poll_every_ms, o->poll_every_max_ms, 0, 0};
	p->per_ms = o->rate_limit / 1000;
	p->moved_ms = INT64_MIN;
	p->left_out = left_out(&o->filter);
	for (size_t i = 0; i < o->orgs.n; i++)
		planner_add_org(p, o->orgs.v[i], INT64_MIN);
	return p;
}

void planner_free(struct planner *p)
{
	if (!p)
		return;
	while (p->n > 0)
		planner_remove(p, p->v[p->n - 1]);
	for (size_t i = 0; i < p->nrounds; i++)
		round_release(&p->rounds[i]);
	free(p->rounds);
	free(p->v);
	ranks_release(&p->ranks);
	free(p);
}

static void attach(struct planner *p, struct followed *b)
{
	p->v = mem_grow(p->v, p->n, &p->cap, sizeof(struct followed *));
	p->v[p->n++] = b;
	b->track->refused = list_is_refused(p, b->record.org);
	p->chase_pace.live += b->track->sweep.live;
}

static void detach(struct planner *p, const struct followed *b)
{
	size_t i = 0;

	while (i < p->n && p->v[i] != b)
		i++;
	assert(i < p->n);
	p->v[i] = p->v[--p->n];
	p->chase_pace.live -= b->track->sweep.live;
}

/* Nothing is known of its list. */
static void start(const struct planner *p, struct followed *b, int64_t now_mono_ms)
{
	struct track *t = b->track;

	chase_init(&t->chase, now_mono_ms);
	for (unsigned ask = 0; ask < ASKS; ask++)
		if (p->left_out >> ask & 1)
			chase_leave_out(&t->chase, ask);
	sorting_assume(&t->chase.order, held_count(b->held));
	sweep_init(&t->sweep, b, &p->pace, now_mono_ms);
	t->retry = (struct retry){.not_before_ms = INT64_MIN};
	t->surprised_ms = t->changed_ms = INT64_MIN;
}

void planner_add(struct planner *p, struct followed *b, int64_t now_mono_ms)
{
	b->track = xcalloc(1, sizeof *b->track);
	start(p, b, now_mono_ms);
	attach(p, b);
}

void planner_remove(struct planner *p, struct followed *b)
{
	detach(p, b);
	chase_release(&b->track->chase);
	free(b->track);
	b->track = NULL;
}

void planner_move(struct planner *from, struct planner *to, struct followed *b)
{
	detach(from, b);
	attach(to, b);
}

void planner_renew(struct planner *p, struct followed *b, int64_t now_mono_ms)
{
	uint16_t stamp = b->track->sweep.stamp; /* rows have it */

	detach(p, b);
	chase_release(&b->track->chase);
	start(p, b, now_mono_ms);
	b->track->sweep.stamp = stamp;
	attach(p, b);
}

void planner_recovered(struct planner *p)
{
	for (size_t i = 0; i < p->nrounds; i++)
		p->rounds[i].retry.not_before_ms = INT64_MIN;
	for (size_t i = 0; i < p->n; i++) {
		p->v[i]->track->retry.not_before_ms = INT64_MIN;
		p->v[i]->track->sweep.retry.not_before_ms = INT64_MIN;
	}
}

void planner_await(struct planner *p, uint16_t asks)
{
	int64_t full_ms = p->full_ms;

	p->chase_pace.awaited = asks;
	if (asks >> ASKS & 1 && full_ms > AWAITED_SWEEP_MS)
		full_ms = AWAITED_SWEEP_MS;
	p->pace.full_ms = full_ms;
	for (size_t i = 0; i < p->n; i++) {
		struct sweep *s = &p->v[i]->track->sweep;
		if (!s->active && s->completed_ms != INT64_MIN &&
		    s->due_ms > s->started_ms + full_ms)
			s->due_ms = s->started_ms + full_ms;
	}
}

void planner_sweep(struct planner *p, struct followed *b, int64_t now_mono_ms)
{
	struct sweep *s = &b->track->sweep;

	(void)p;
	if (!s->active && s->due_ms > now_mono_ms)
		s->due_ms = now_mono_ms;
}

/* More or less is there than can be. */
static void heed_surprise(struct planner *p, struct followed *b, int64_t now_mono_ms)
{
	struct track *t = b->track;

	if (!t->chase.surprised)
		return;
	t->chase.surprised = false;
	if (t->surprised_ms != INT64_MIN && now_mono_ms - t->surprised_ms < SURPRISE_EVERY_MS)
		return;
	t->surprised_ms = now_mono_ms;
	planner_sweep(p, b, now_mono_ms);
}

void planner_listed(struct planner *p, struct followed *b, const struct planner_entry *entry,
		    int64_t now_mono_ms)
{
	struct round *r = list_of(p, b->record.org);
	struct track *t = b->track;
	struct chase_entry listed = {
		.counters = entry->counters,
		.live = entry->live,
		.asked_ms = r ? r->asked_ms : now_mono_ms,
		.date_ms = entry->date_ms,
	};

	chase_listed(&t->chase, &listed, planes_of(b), now_mono_ms);
	heed_surprise(p, b, now_mono_ms);
	if (entry->moved)
		t->changed_ms = now_mono_ms;
	if (entry->moved && entry->live)
		p->moved_ms = now_mono_ms;
	if (r && entry->moved && !entry->live)
		r->moved = true;
	p->chase_pace.live -= t->sweep.live;
	sweep_listed(&t->sweep, entry->moved && chase_is_blind(&t->chase), entry->live, &p->pace,
		     now_mono_ms);
	p->chase_pace.live += t->sweep.live;
}

/* ---- answers ---- */

void planner_saw(struct planner *p, struct followed *b, const struct row *v, size_t n)
{
	(void)p;
	sorting_vote(&b->track->chase.order, v, n);
}

bool planner_is_behind(const struct planner *p, const struct plan *plan)
{
	if (plan->kind == PLAN_LIST)
		return list_is_behind(p, plan);
	if (plan->kind == PLAN_PAGE && !plan->in_turn)
		return plan->page > 1;
	return plan->kind == PLAN_PAGE && sweep_is_behind(&plan->broadcast->track->sweep);
}

bool planner_completes(const struct planner *p, const struct plan *plan,
		       const struct plan_answer *a)
{
	if (plan->kind == PLAN_LIST)
		return list_completes(p, plan, a);
	return plan->in_turn && sweep_completes(&plan->broadcast->track->sweep, a);
}

static void place_rows(struct followed *b, const struct plan *plan, const struct plan_answer *a)
{
	struct track *t = b->track;
	struct sorting *order = &t->chase.order;
	struct sweep *s = &t->sweep;

	struct edges edges = {
		.behind = plan->in_turn ? s->last : NO_ROW,
		.ahead = NO_ROW,
		.first = plan->page == 1,
		.last = a->count >= 0 && (int64_t)plan->page * t->chase.take >= a->count,
		.newest_last = !plan->in_turn && !prior_is_front(&t->chase.priors[plan->offer.ask]),
	};

	if (!plan->in_turn)
		chase_neighbours(&t->chase, &plan->offer, &edges);
	sorting_place(order, b->held, a->numbers, a->n, &edges);
	sorting_assume(order, held_count(b->held));
	if (!plan->in_turn)
		return;
	if (plan->starts)
		sorting_sweep_begins(order);
	if (!s->again)
		sorting_sweep_page(order, a->numbers, a->n);
	s->last = a->n ? a->numbers[a->n - 1] : NO_ROW;
}

static bool is_steady(const struct track *t)
{
	for (unsigned i = 0; i < ASKS; i++)
		if (t->sweep.listed[i] != t->chase.counts.v[i].listed)
			return false;
	return true;
}

static bool read_page(struct planner *p, const struct plan *plan, const struct plan_answer *a,
		      int64_t now_mono_ms)
{
	struct followed *b = plan->broadcast;
	struct track *t = b->track;
	struct sweep *s = &t->sweep;
	struct chase_page page = {a->numbers, a->v,	a->n,		a->rows,
				  a->changes, a->count, plan->asked_ms, a->date_ms};
	bool obeyed = !t->chase.ignored;

	t->retry = (struct retry){.not_before_ms = INT64_MIN};
	if (a->changes > 0)
		t->changed_ms = now_mono_ms;
	place_rows(b, plan, a);
	chase_read(&t->chase, &plan->offer, &page, planes_of(b), &p->chase_pace, now_mono_ms);
	heed_surprise(p, b, now_mono_ms);
	if (obeyed && t->chase.ignored) /* what is due is left to sweeps, from now on */
		sweep_listed(s, true, s->live, &p->pace, now_mono_ms);
	if (!plan->in_turn) {
		if (plan->sweep && s->active)
			s->seen += a->fresh;
		return false;
	}
	bool resumed = s->first > 1, again = s->again, blind = chase_is_blind(&t->chase);
	bool complete = sweep_read(s, a, &p->pace, blind, held_live(b->held), now_mono_ms);
	if (!again && (s->again || !s->active))
		sorting_sweep_ends(&t->chase.order, !resumed, held_count(b->held));
	if (complete)
		chase_swept(&t->chase, is_steady(t), planes_of(b), now_mono_ms);
	return complete;
}

bool planner_read(struct planner *p, const struct plan *plan, const struct plan_answer *a,
		  int64_t now_mono_ms)
{
	if (plan->kind == PLAN_LIST)
		return list_read(p, plan, a, now_mono_ms);
	return read_page(p, plan, a, now_mono_ms);
}

static void fail_page(struct planner *p, const struct plan *plan, double random,
		      int64_t now_mono_ms)
{
	struct track *t = plan->broadcast->track;

	if (plan->in_turn) {
		t->retry.asked = false;
		t->sweep.last = NO_ROW;
		sweep_failed(&t->sweep, &p->pace, chase_is_blind(&t->chase), random, now_mono_ms);
		return;
	}
	retry_failed(&t->retry, random, now_mono_ms);
	if (t->retry.failures < PASS_OVER_AFTER)
		return;
	t->retry.failures = 0;
	chase_give_up(&t->chase, &plan->offer, planes_of(plan->broadcast), now_mono_ms);
}

void planner_failed(struct planner *p, const struct plan *plan, double random, int64_t now_mono_ms)
{
	if (plan->kind == PLAN_LIST)
		list_failed(p, plan, random, now_mono_ms);
	else
		fail_page(p, plan, random, now_mono_ms);
}

void planner_unasked(struct planner *p, const struct plan *plan)
{
	if (plan->kind == PLAN_LIST) {
		list_unasked(p, plan);
		return;
	}
	plan->broadcast->track->retry.asked = false;
	if (plan->in_turn)
		plan->broadcast->track->sweep.retry.asked = false;
}
