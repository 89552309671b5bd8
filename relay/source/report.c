/* Reads what the other files of the source keep. Invariant: no list is walked but the one of
 * followed broadcasts, so that a report of one costs the same whatever it holds. */
#include "relay/source/report.h"

#include <stdio.h>
#include <string.h>

#include "relay/source/planner_parts.h"
#include "relay/source/source_state.h"

#define PAST_MS 86400000

const char *const request_names[REQUEST_KINDS] = {
	[REQUEST_BROADCASTS] = "broadcasts",
	[REQUEST_RECIPIENTS] = "recipients",
	[REQUEST_ORGS] = "orgs",
};

const char *const answer_names[ANSWER_KINDS] = {
	[ANSWER_PAGE] = "page",	      [ANSWER_LATER] = "later",	    [ANSWER_BROKEN] = "broken",
	[ANSWER_NO_KEY] = "no_key",   [ANSWER_MISSING] = "missing", [ANSWER_REFUSED] = "refused",
	[ANSWER_ABORTED] = "aborted",
};

/* Of one that a restart cut short the first pages are older than it knows. */
void report_swept(const struct source *s, struct watch *w)
{
	struct track *t = w->followed.track;
	int64_t took_ms = s->now.mono_ms - t->sweep.completed_ms;

	w->log.swept_ms = s->now.wall_ms;
	if (!t->sweep.resumed)
		counts_all_known(&t->chase.counts, s->now.wall_ms - took_ms - s->behind_ms);
}

static int64_t date_or_none(int64_t ms)
{
	return ms ? ms : DATE_NONE;
}

static int64_t until_next(const struct source *s, const struct watch *w)
{
	const struct track *t = w->followed.track;
	int64_t at = sweep_ready_at(&t->sweep);

	if (t->chase.offer.page || t->chase.failure.page)
		return 0;
	at = t->chase.later_ms < at ? t->chase.later_ms : at;

	return w->busy || at <= s->now.mono_ms ? 0 : at - s->now.mono_ms;
}

static void write_order(char *ret, size_t size, const struct sorting *o)
{
	enum sort_kind kind = sorting_of(o);
	bool directed = kind == SORT_UPDATED || kind == SORT_CREATED;

	snprintf(ret, size, "%s%s", sort_names[kind],
		 !directed		   ? ""
		 : sorting_newest_first(o) ? ", newest first"
					   : ", oldest first");
}

static void write_due(struct broadcast_report *ret, const struct followed *b)
{
	const struct counts *c = &b->track->chase.counts;

	for (unsigned ask = 0; ask < ASKS; ask++)
		ret->due[ret->ndue++] = (struct due){
			.state = ask == ASK_ALL ? "recipient" : ask_filters[ask] + strlen("is_"),
			.rows = counts_due(c, ask, planes_of(b)),
			.known_until_ms = c->v[ask].told_ms,
		};
}

/* The oldest of what each state is known until. */
static int64_t known_until(const struct broadcast_report *r)
{
	int64_t oldest = r->due[0].known_until_ms;

	for (size_t i = 1; i < r->ndue; i++)
		if (r->due[i].known_until_ms < oldest)
			oldest = r->due[i].known_until_ms;
	return oldest;
}

/* The oldest of what can be asked for. */
static int64_t told_of_all(const struct counts *c)
{
	int64_t oldest = INT64_MAX;

	for (unsigned i = 0; i < ASKS; i++)
		if (c->v[i].told_ms < oldest)
			oldest = c->v[i].told_ms;
	return oldest;
}

/* The list told that nothing is due after the broadcast had ended. */
static bool is_known_to_end(const struct followed *b)
{
	const struct counts *c = &b->track->chase.counts;

	return counts_are_listed(c) && !counts_lag(c) && b->record.updated_ms != DATE_NONE &&
	       told_of_all(c) >= b->record.updated_ms;
}

bool source_finished(const struct followed *b)
{
	const struct counts *c = &b->track->chase.counts;
	bool looked = false;

	if (source_is_live(b->record.status) || !b->record.baseline_done)
		return false;
	for (unsigned ask = 0; ask < ASKS; ask++) {
		if (counts_due(c, ask, planes_of(b)) > 0)
			return false;
		looked = looked || c->v[ask].told_ms != DATE_NONE;
	}
	return looked && (b->caught_up || is_known_to_end(b));
}

/* What cannot be asked for is seen in rows that are read for other reasons, and in sweeps. */
static int64_t known_state(const struct followed *b, const char *state)
{
	const struct counts *c = &b->track->chase.counts;
	unsigned ask = state ? ask_of_state(state) : ASKS;

	return ask < ASKS ? c->v[ask].known_ms : c->swept_ms;
}

int64_t source_knows(const struct source *s, const struct followed *b, const char *state)
{
	unsigned ask = ask_of_state(state);
	const struct counts *c = &b->track->chase.counts;

	if (source_finished(b))
		return s->now.wall_ms;
	return ask < ASKS ? c->v[ask].told_ms : told_of_all(c);
}

/* Receipts of it still come, perhaps, but nobody waits for them. */
static bool is_past(const struct source *s, const struct followed *b)
{
	return source_finished(b) && b->record.updated_ms < s->now.wall_ms - PAST_MS;
}

int64_t source_known_until(const struct source *s, const char *broadcast, const char *state)
{
	int64_t oldest = broadcast ? INT64_MAX : planner_listed_until(s->planner);

	for (size_t i = 0; i < s->n; i++) {
		const struct followed *b = &s->v[i]->followed;
		if (broadcast ? strcmp(b->record.id, broadcast) != 0 : is_past(s, b))
			continue;
		int64_t known = known_state(b, state);
		oldest = known < oldest ? known : oldest;
	}
	return oldest == INT64_MAX ? DATE_NONE : oldest;
}

static const char *worth_of(const struct counts *c)
{
	return !counts_are_listed(c) ? "absent" : counts_lag(c) ? "lagging" : "exact";
}

static void write_plan(char *ret, size_t size, unsigned ask, unsigned page)
{
	const char *filter = ask_filters[ask];

	snprintf(ret, size, "%s%spage %u", filter ? filter : "", filter ? ", " : "", page);
}

/* The failure that is due, the first sweep, the offer, or the sweep whose time has come. */
static void write_next(struct broadcast_report *ret, const struct followed *b, int64_t now)
{
	const struct track *t = b->track;
	const struct sweep *s = &t->sweep;
	const struct chase *c = &t->chase;
	const struct offer *o = c->failure.page ? &c->failure : &c->offer;
	unsigned page = s->active ? s->page : s->first;
	uint64_t pages = 1 + held_live(b->held) / c->take;
	int64_t rows = counts_total(&c->counts, ASK_ALL, planes_of(b));

	if (rows > 0 && (uint64_t)rows / c->take >= pages)
		pages = 1 + (uint64_t)rows / c->take;
	if (s->baseline || !o->page)
		o = c->failure.page ? &c->failure : NULL;
	ret->next_why = "";
	if (o) {
		int64_t due = counts_due(&c->counts, o->ask, planes_of(b));
		write_plan(ret->next, sizeof ret->next, o->ask, o->page);
		ret->next_why = purpose_names[o->purpose];
		ret->next_requests = 1 + (uint64_t)(due > 0 ? due - 1 : 0) / c->take;
	} else if (sweep_ready_at(s) <= now || s->active) {
		write_plan(ret->next, sizeof ret->next, ASK_ALL, page);
		ret->next_why = s->baseline ? "first sweep" : "full sweep";
		ret->next_requests = pages >= page ? pages - page + 1 : 1;
	}
}

bool source_report(const struct source *s, size_t i, struct broadcast_report *ret)
{
	if (i >= s->n)
		return false;
	const struct watch *w = s->v[i];
	const struct broadcast_record *r = &w->followed.record;
	const struct track *t = w->followed.track;
	*ret = (struct broadcast_report){
		.org = r->org,
		.id = r->id,
		.name = r->name,
		.status = r->status,
		.rows_held = held_live(w->followed.held),
		.page_rows = t->chase.take,
		.baseline_done = r->baseline_done,
		.why = t->reason ? t->reason : "",
		.live = t->sweep.live,
		.counters = worth_of(&t->chase.counts),
		.next_ms = until_next(s, w),
		.swept_ms = date_or_none(w->log.swept_ms),
		.delay_p50_ms = latency_percentile(&w->followed.latency, 0.5),
		.delay_p99_ms = latency_percentile(&w->followed.latency, 0.99),
	};
	if (t->reason)
		write_plan(ret->plan, sizeof ret->plan, t->last.ask, t->last.page);
	write_next(ret, &w->followed, s->now.mono_ms);
	write_order(ret->order, sizeof ret->order, &t->chase.order);
	write_due(ret, &w->followed);
	ret->known_until_ms = known_until(ret);
	for (int why = 0; why < PURPOSES; why++)
		ret->requests[why] = t->spent[why];
	return true;
}

void source_totals(const struct source *s, struct source_totals *ret)
{
	int64_t now = s->now.mono_ms, closed = s->budget.closed_until_ms - now;

	memcpy(ret->answers, s->answers, sizeof ret->answers);
	ret->rate_limit = s->options->rate_limit * 60;
	ret->left = budget_left(&s->budget, now);
	ret->last_minute = budget_last_minute(&s->budget, now);
	ret->closed_ms = closed > 0 ? closed : 0;
}
