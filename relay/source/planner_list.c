/*
 * The broadcast lists of the organizations: which is due, what of it is asked for, how often, and
 * to whom it is refused.
 */
#include "relay/source/planner_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

#define HURRY_MS 60000 /* so long after a counter moved the list is read twice as often */

#define WHOLE_TICKS 4	 /* of poll_every: from one whole list to the next, … */
#define WHOLE_SHARE 0.05 /* … of the budget at most, while entries move that are not live */

#define LIVE_WORDS 3 /* statuses of live broadcasts: of more, the whole list is read */

struct round *list_of(const struct planner *p, const char *org)
{
	for (size_t i = 0; i < p->nrounds; i++)
		if (strcmp(p->rounds[i].org, org) == 0)
			return &p->rounds[i];
	return NULL;
}

void planner_add_org(struct planner *p, const char *org, int64_t now_mono_ms)
{
	struct round *r = list_of(p, org);

	if (r) { /* it was leaving */
		r->leaves = false;
		return;
	}
	p->rounds = mem_grow(p->rounds, p->nrounds, &p->rounds_cap, sizeof *p->rounds);
	round_init(&p->rounds[p->nrounds++], org, now_mono_ms);
}

int64_t planner_listed_until(const struct planner *p)
{
	int64_t oldest = p->nrounds ? INT64_MAX : DATE_NONE;

	for (size_t i = 0; i < p->nrounds; i++)
		if (p->rounds[i].complete2_ms < oldest)
			oldest = p->rounds[i].complete2_ms;
	return oldest;
}

/* Both its list and its recipients are refused to the key. */
bool list_is_refused(const struct planner *p, const char *org)
{
	const struct round *r = list_of(p, org);

	return r && r->list_refused && r->rows_refused;
}

static void note_refusal(struct planner *p, const char *org)
{
	bool refused = list_is_refused(p, org);

	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i]->record.org, org) == 0)
			p->v[i]->track->refused = refused;
}

static void end_round(struct planner *p, struct round *r)
{
	char *org = r->org;

	if (!r->leaves || r->retry.asked)
		return;
	free(r->status);
	*r = p->rounds[--p->nrounds];
	note_refusal(p, org);
	free(org);
}

void planner_remove_org(struct planner *p, const char *org)
{
	struct round *r = list_of(p, org);

	r->leaves = true;
	end_round(p, r);
}

void planner_refused(struct planner *p, const char *org, bool list, bool refused)
{
	struct round *r = list_of(p, org);
	bool *which = !r ? NULL : list ? &r->list_refused : &r->rows_refused;

	if (!which || *which == refused)
		return;
	*which = refused;
	note_refusal(p, org);
}

/* ---- what is asked ---- */

struct round *list_due(const struct planner *p, int64_t now_mono_ms)
{
	struct round *best = NULL;

	for (size_t i = 0; i < p->nrounds; i++) {
		struct round *r = &p->rounds[i];
		if (round_ready(r, now_mono_ms) && (!best || r->due_ms < best->due_ms))
			best = r;
	}
	return best;
}

/* Is a broadcast among those that the round lists? */
static bool lists(const struct round *r, const struct followed *b)
{
	const char *status = b->record.status ? b->record.status : "";

	if (strcmp(b->record.org, r->org) != 0)
		return false;
	return !r->status || (b->track->sweep.live && strcmp(status, r->status) == 0);
}

static size_t add_word(const char **words, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], word) == 0)
			return n;
	if (n < LIVE_WORDS)
		words[n] = word;
	return n + 1;
}

/* Which broadcasts does the round list? Others than those being sent may be live, too: what the
 * API calls them is known from those that were listed. */
static void choose_status(const struct planner *p, struct round *r, int64_t now)
{
	const char *words[LIVE_WORDS];
	size_t n = add_word(words, 0, "SENDING");

	free(r->status);
	r->status = NULL;
	r->words = 1;
	if (r->whole_pages < 2 || now >= r->whole_ms || now < r->live_ms)
		return;
	for (size_t i = 0; i < p->n; i++) {
		const struct followed *b = p->v[i];
		if (b->track->sweep.live && b->record.status && strcmp(b->record.org, r->org) == 0)
			n = add_word(words, n, b->record.status);
	}
	if (n > LIVE_WORDS)
		return;
	r->words = (unsigned)n;
	r->status = xstrdup(words[r->word++ % n]);
}

void list_plan(struct planner *p, struct round *r, int64_t now, struct plan *ret)
{
	if (r->page == 1) {
		choose_status(p, r, now);
		for (size_t i = 0; i < p->n; i++)
			if (lists(r, p->v[i]))
				counts_ask(&p->v[i]->track->chase.counts, planes_of(p->v[i]));
	}
	round_plan(r, ret, now);
}

/* ---- answers ---- */

/* Of a plan that is not answered yet. */
static struct round *round_of(const struct planner *p, const struct plan *plan)
{
	struct round *r = list_of(p, plan->org);

	assert(r);
	return r;
}

/* From the start of a round to the next, so that all rounds keep to their share of the budget. */
static int64_t round_pause(const struct planner *p, int64_t now_mono_ms)
{
	bool hurry = p->moved_ms != INT64_MIN && now_mono_ms - p->moved_ms < HURRY_MS;
	int64_t pause = hurry ? p->pace.every_ms / 2 : p->pace.every_ms;
	unsigned pages = 0;

	for (size_t i = 0; i < p->nrounds; i++)
		pages += p->rounds[i].pages;
	int64_t least = p->per_ms > 0 ? (int64_t)(pages / (p->per_ms * LIST_SHARE)) : 0;
	return least > pause ? least : pause;
}

static struct round_pace pace_of(const struct planner *p, const struct round *r,
				 int64_t now_mono_ms)
{
	struct round_pace pace = {
		.pause_ms = round_pause(p, now_mono_ms),
		.least_ms = WHOLE_TICKS * p->pace.every_ms,
		.most_ms = p->pace.most_ms,
	};
	int64_t share = p->per_ms > 0 ? (int64_t)(r->page / (p->per_ms * WHOLE_SHARE)) : 0;

	if (share > pace.least_ms)
		pace.least_ms = share;
	return pace;
}

/* Was a broadcast of the round's status not listed? It has another one now. */
static bool lost_one(const struct planner *p, const struct round *r)
{
	for (size_t i = 0; i < p->n; i++)
		if (lists(r, p->v[i]) && p->v[i]->listed_ms < r->started_ms)
			return true;
	return false;
}

bool list_is_behind(const struct planner *p, const struct plan *plan)
{
	return round_is_behind(round_of(p, plan));
}

bool list_completes(const struct planner *p, const struct plan *plan, const struct plan_answer *a)
{
	return round_completes(round_of(p, plan), a);
}

bool list_read(struct planner *p, const struct plan *plan, const struct plan_answer *a,
	       int64_t now_mono_ms)
{
	struct round *r = round_of(p, plan);
	struct round_pace pace = pace_of(p, r, now_mono_ms);
	bool complete = round_read(r, a, &pace);

	if (r->page == 1 && r->status && lost_one(p, r))
		r->whole_ms = INT64_MIN;
	end_round(p, r);
	return complete;
}

void list_failed(struct planner *p, const struct plan *plan, double random, int64_t now_mono_ms)
{
	struct round *r = round_of(p, plan);
	struct round_pace pace = pace_of(p, r, now_mono_ms);

	round_failed(r, random, &pace, now_mono_ms);
	end_round(p, r);
}

void list_unasked(struct planner *p, const struct plan *plan)
{
	struct round *r = round_of(p, plan);

	r->retry.asked = false;
	end_round(p, r);
}
