/*
 * Jobs: a search of one filter each. It begins when something is due, goes on page by page, and
 * ends when all that was counted is held.
 */
#include "relay/source/chase_parts.h"

#include <stdlib.h>

#define CLOSED_PAUSE_MS 2000  /* of a filter whose job ended without finding all, */
#define LOST_PAUSE_MS	5000  /* … or whose search went astray */
#define RIPENS_MS	10000 /* most of what becomes of a message does so within this time */
#define LIKELY_ENOUGH	0.35  /* finds a page: less is searched, not read */
#define FEW		0.5   /* due for each page: of more a cycle finds as many */
#define SEARCH_TRUST	0.25  /* at least: below, a cycle does better */
#define CYCLED_PAGES	10.0  /* in a list of so many each has one; in others more or fewer */

/* Until a sweep has met all rows, their places are known only where their dates tell. */
static enum search_way way_of(const struct chase *c)
{
	bool placed = c->order.settled || sorting_of(&c->order) == SORT_CREATED;

	return placed && sorting_is_stable(&c->order) ? SEARCH_RANKS : SEARCH_PAGES;
}

bool chase_runs(const struct chase *c, unsigned ask)
{
	return c->active >> ask & 1;
}

void chase_end_job(struct chase *c, unsigned ask)
{
	c->active &= (uint16_t) ~(1u << ask);
}

/* What cannot be found of a list that stands still is settled at the second time. One that moves
 * while it is read may show it then. */
static void job_closed(struct chase *c, unsigned ask, const struct planes *held, int64_t now)
{
	const struct search *job = &c->jobs[ask];

	chase_end_job(c, ask);
	c->batched_ms[ask] = now;
	c->pause_until_ms[ask] = now + CLOSED_PAUSE_MS;
	if (job->moved) {
		c->closed &= (uint16_t) ~(1u << ask);
	} else if (c->closed >> ask & 1) {
		c->surprised = true;
		counts_settle(&c->counts, ask, held, now);
		c->closed &= (uint16_t) ~(1u << ask);
	} else {
		c->closed |= (uint16_t)(1u << ask);
	}
}

static void job_lost(struct chase *c, unsigned ask, int64_t now)
{
	chase_end_job(c, ask);
	if (c->lost >> ask & 1)
		c->surprised = true;
	c->lost |= (uint16_t)(1u << ask);
	c->pause_until_ms[ask] = now + (ask_is_failure(ask) ? CLOSED_PAUSE_MS : LOST_PAUSE_MS);
}

/* Is what a job has seen worth nothing any more? */
static bool is_stale(const struct chase *c, unsigned ask)
{
	const struct search *job = &c->jobs[ask];
	const struct prior *p = &c->priors[ask];
	bool again = c->counts.v[ask].due_since_ms > job->counted_ms; /* all was found once */

	/* Changes come at the other end than was thought: all places shift. */
	if (job->from_end != prior_is_front(p))
		return true;
	/* Where they come anywhere, they may stand before and behind what was seen. */
	return again && !prior_is_sharp(p, search_pages(job));
}

/* The next step of a filter's job, which begins when there is none. */
static bool step_of(struct chase *c, unsigned ask, const struct planes *held, struct ranks *ranks,
		    int64_t now, struct search_step *ret)
{
	struct search *job = &c->jobs[ask];

	for (int attempt = 0; attempt < 3; attempt++) {
		int64_t due = chase_due(c, ask, held);
		enum search_way way = way_of(c);
		if (!chase_runs(c, ask) || job->way != way || job->read == 0 || is_stale(c, ask)) {
			c->surprised = c->surprised || (due < 0 && way != SEARCH_RANKS);
			if (due == 0 || (due < 0 && way != SEARCH_RANKS))
				return false;
			search_begin(job, way, ask_flag(ask),
				     planes_total(held, ask_flag(ask)) + due, c->take,
				     &c->priors[ask], c->counts.v[ask].due_since_ms);
			job->wanted = (double)due;
			c->active |= (uint16_t)(1u << ask);
		}
		job->anywhere = chase_is_cycled(c);
		job->moving = sorting_of(&c->order) == SORT_UPDATED;
		job->per_ms = c->counts.v[ask].per_ms;
		job->ripens_ms = ask_is_failure(ask) ? 0 : RIPENS_MS;
		/* The list may have counted more since the job's last page was read. */
		int64_t counted = planes_total(held, ask_flag(ask)) + due;
		if (due > 0 && counted >= job->count) {
			if (job->read > 0 && counted > job->count) {
				job->moved = true;
				job->wanted += MET_BY_CHANCE * (double)(counted - job->count);
			}
			job->count = counted;
			if (c->counts.listed_ms > job->counted_ms)
				job->counted_ms = c->counts.listed_ms;
		}
		if (way == SEARCH_RANKS)
			ranks_make(ranks, &c->order.places, held, job->flag);
		ranks->planes = held;
		enum search_state state = search_next(job, ranks, &c->priors[ask], now, ret);
		if (state == SEARCH_GOES_ON)
			return true;
		if (state == SEARCH_LOST) {
			job_lost(c, ask, now);
			return false;
		}
		if (state == SEARCH_DONE) {
			chase_end_job(c, ask);
			c->lost &= (uint16_t) ~(1u << ask);
			c->closed &= (uint16_t) ~(1u << ask);
		} else {
			job_closed(c, ask, held, now);
			chase_later(c, c->pause_until_ms[ask]);
			return false;
		}
	}
	return false;
}

/* Is anything due of the flag, and may it be asked for now? */
static bool is_open(struct chase *c, unsigned ask, int64_t now)
{
	if (c->counts.v[ask].due_since_ms > now)
		return false;
	if (c->pause_until_ms[ask] > now) {
		chase_later(c, c->pause_until_ms[ask]);
		return false;
	}
	return true;
}

/* Where each costs several requests, they wait for others to come, and as many as were due then are
 * found together: what comes meanwhile waits for the next time. */
static bool waits_for_others(struct chase *c, unsigned ask, double finds, int64_t now)
{
	const struct search *job = &c->jobs[ask];
	int64_t wait = ask == ASK_FAILED ? BATCH_WAIT_MS : CYCLED_WAIT_MS;
	double enough = ask == ASK_FAILED ? LIKELY_ENOUGH : search_pages(job) / CYCLED_PAGES;
	int64_t since = c->counts.v[ask].due_since_ms;

	if (job->read > 0 && job->wanted > 0)
		return false;
	if (job->read > 0) {
		chase_end_job(c, ask);
		c->batched_ms[ask] = now;
	}
	if (c->batched_ms[ask] > since)
		since = c->batched_ms[ask];
	if (finds >= enough || now - since >= wait)
		return false;
	chase_later(c, since + wait);
	return true;
}

void chase_offer_failures(struct chase *c, const struct planes *held, struct ranks *ranks,
			  int64_t now)
{
	bool cycled = chase_is_cycled(c);

	for (unsigned ask = 0; ask < ASKS; ask++) {
		struct search_step step;
		int64_t since = c->counts.v[ask].due_since_ms;
		if (!ask_is_failure(ask) || !is_open(c, ask, now))
			continue;
		if (c->failure.page && (cycled || c->failure.since_ms <= since))
			continue;
		if (cycled && way_of(c) != SEARCH_RANKS && ask != ASK_FAILED)
			continue; /* seen in cycles */
		if (!step_of(c, ask, held, ranks, now, &step))
			continue;
		if (cycled && waits_for_others(c, ask, step.finds, now))
			continue;
		double finds = step.finds * *chase_trust(c, FOR_FAILURES, ask);
		c->failure = (struct offer){FOR_FAILURES, ask, step.page, finds, step.since_ms, 1};
	}
}

bool chase_is_searched(const struct chase *c, unsigned ask, const struct planes *held, int64_t now)
{
	if (ask_is_failure(ask) || way_of(c) != SEARCH_RANKS)
		return false;
	if (!chase_is_cycled(c) && (ask == ASK_ALL || ask == ASK_SENT || ask == ASK_SKIPPED))
		return true; /* rows come in where messages are being sent */
	/* Most of it is in what a round has still to read. */
	double part = c->cycles[ask].part;
	double pages = chase_pages(c, ask, held) * (part < 1 ? 1 - part : 1);
	return (double)llabs(chase_due(c, ask, held)) <= FEW * pages &&
	       c->trust[0][ask] >= SEARCH_TRUST && !(c->lost >> ask & 1) &&
	       c->pause_until_ms[ask] <= now;
}

void chase_offer_search(struct chase *c, const struct planes *held, struct ranks *ranks,
			int64_t now)
{
	for (unsigned ask = 0; ask < ASKS; ask++) {
		struct search_step step;
		if (!is_open(c, ask, now) || !chase_is_searched(c, ask, held, now))
			continue;
		if (ask == ASK_ALL && chase_due(c, ask, held) < 0)
			continue;
		if (!step_of(c, ask, held, ranks, now, &step))
			continue;
		double finds = step.finds * c->gain[ask] * *chase_trust(c, FOR_SEARCH, ask);
		struct offer o = {FOR_SEARCH, ask,	     step.page,
				  finds,      step.since_ms, chase_weight(c, ask)};
		chase_take_better(c, &o, now);
	}
}

/* A row that seems to have lost a flag is looked at where it stands in the whole list. */
bool chase_offer_suspect(struct chase *c, const struct planes *held, struct ranks *ranks,
			 int64_t now)
{
	if (!c->nsuspects || !sorting_is_stable(&c->order))
		return false;
	uint32_t row = c->suspects[c->nsuspects - 1];
	ranks_make(ranks, &c->order.places, held, FLAG_PRESENT);
	c->failure =
		(struct offer){FOR_SEARCH, ASK_ALL, ranks_of(ranks, row) / c->take + 1, 1, now, 1};
	return true;
}
