/*
 * Sweeps: all pages of one broadcast, and when to begin again. A sweep may claim to be complete
 * only when every row that the API counts was seen in it, since what it did not see may be taken
 * for removed.
 */
#include "relay/source/planner_parts.h"

#include <string.h>

#define BARREN_MAX	3  /* pages without a new row: a list that goes in circles, … */
#define AGAIN_MAX	20 /* … or one of which no more is found the second time through */
#define REPEATS_AT_ONCE 2  /* of incomplete sweeps; then the set moves faster than it is read */

void sweep_init(struct sweep *s, const struct followed *b, const struct pace *pace,
		int64_t now_mono_ms)
{
	*s = (struct sweep){
		.due_ms = now_mono_ms,
		.interval_ms = pace->every_ms,
		.asked_ms = INT64_MIN,
		.moved = !b->record.baseline_done,
		.baseline = !b->record.baseline_done,
		.first = 1,
		.last = NO_ROW,
		.completed_ms = INT64_MIN,
	};
	if (!b->record.baseline_done && b->held && held_count(b->held) > 0)
		s->first = b->record.baseline_page + 1;
}

int64_t sweep_ready_at(const struct sweep *s)
{
	int64_t due = s->active ? INT64_MIN : s->due_ms;

	if (s->retry.asked)
		return INT64_MAX;
	return due > s->retry.not_before_ms ? due : s->retry.not_before_ms;
}

bool sweep_ready(const struct sweep *s, int64_t now_mono_ms)
{
	return sweep_ready_at(s) <= now_mono_ms;
}

/* The list says so. Its counters are our own text: no blanks, no leading zeros. */
static bool has_no_recipients(const struct broadcast_record *r)
{
	return r->counters && strstr(r->counters, "\"recipients_count\":0");
}

static void begin(struct sweep *s, const struct followed *b, int64_t now_mono_ms)
{
	bool resumes = s->first > 1;

	s->active = true;
	s->resumed = resumes;
	s->pending = s->spoiled = s->again = false;
	s->stamp = s->stamp == SWEEPS_MAX ? 1 : (uint16_t)(s->stamp + 1);
	s->page = s->first;
	s->held = has_no_recipients(&b->record) ? 0 : held_live(b->held);
	s->rows = resumes ? (size_t)(s->first - 1) * TAKE : 0;
	s->seen = resumes ? held_live(b->held) : 0;
	s->skipped = s->doubled = s->changes = s->largest = 0;
	s->barren = s->repeated = 0;
	s->count = -1;
	s->hash = 0;
	s->last = NO_ROW;
	s->started_ms = now_mono_ms;
	for (unsigned i = 0; i < ASKS; i++)
		s->listed[i] = b->track->chase.counts.v[i].listed;
}

static const char *reason(const struct sweep *s)
{
	if (s->baseline)
		return s->first > 1 ? "first sweep, resumed" : "first sweep";
	if (s->incomplete > 0)
		return "sweep after an incomplete one";
	if (s->confirms)
		return "sweep: rows were missing in the last one";
	return s->moved ? "sweep: it moves" : "full sweep";
}

void sweep_plan(struct sweep *s, const struct followed *b, struct plan *ret, int64_t now_mono_ms)
{
	bool starts = !s->active;

	if (starts)
		begin(s, b, now_mono_ms);
	s->retry.asked = true;
	s->asked_ms = now_mono_ms;
	*ret = (struct plan){
		.kind = PLAN_PAGE,
		.broadcast = (struct followed *)b,
		.offer = {.purpose = FOR_SWEEP, .ask = ASK_ALL, .page = s->page},
		.page = s->page,
		.asked_ms = now_mono_ms,
		.sweep = s->stamp,
		.in_turn = true,
		.starts = starts,
		.resumes = starts && s->first > 1,
		.reason = reason(s),
	};
}

/* Where the count says that there is more, rows may have slid by just a page since the last one. */
static bool repeats(const struct sweep *s, const struct plan_answer *a)
{
	bool same = s->page > s->first && a->rows > 0 && a->hash == s->hash;

	return same && (a->count < 0 || s->repeated + 1 >= BARREN_MAX);
}

static size_t largest_page(const struct sweep *s, const struct plan_answer *a)
{
	return a->rows > s->largest ? a->rows : s->largest;
}

/* An empty page behind others may say anything. */
static int64_t count_of(const struct sweep *s, const struct plan_answer *a)
{
	return a->rows || s->page == s->first ? a->count : s->count;
}

/* A count may lag, or be of the page alone: behind a full page there may be more than it says. */
static bool ends(const struct sweep *s, const struct plan_answer *a)
{
	size_t rows = s->rows + a->rows;

	if (a->rows == 0 || repeats(s, a) || s->page >= PAGES_MAX)
		return true;
	if (a->count >= 0 && rows >= (size_t)a->count && a->rows < TAKE)
		return true;
	if (a->count >= 0 && rows <= (size_t)a->count) /* two more, for rows that came meanwhile */
		return s->page >= (size_t)a->count / largest_page(s, a) + 2;
	/* A short page may have others behind it: an empty one is the end. */
	return a->fresh == 0 && s->barren + 1 >= BARREN_MAX;
}

bool sweep_is_behind(const struct sweep *s)
{
	return s->page > s->first && s->count >= 0 && s->rows >= (size_t)s->count;
}

bool sweep_completes(const struct sweep *s, const struct plan_answer *a)
{
	bool all = s->again && a->count >= 0 && s->seen + a->fresh == (size_t)a->count;

	if ((!all && !ends(s, a)) || s->spoiled || s->skipped + a->skipped > 0)
		return false;
	/* A row removed in the part already read pulls the next page's first row into it, unseen;
	 * the sum would still be right, since the removed one was seen. */
	int64_t count = count_of(s, a);
	if (count < s->count)
		return false;
	/* An API that fails may show nothing at all. */
	if (s->held > 0 && s->seen + a->fresh == 0)
		return false;
	if (count >= 0 && s->seen + a->fresh <= (size_t)count)
		return s->seen + a->fresh == (size_t)count;
	return !repeats(s, a) && s->doubled == 0 && a->rows == a->fresh;
}

/* Where the counts tell what changed: the next one proves that nothing was missed. */
static void rest(struct sweep *s, bool complete, const struct pace *pace, size_t held,
		 int64_t now_mono_ms)
{
	/* What is held but was not seen is believed to be gone when another one does not see it. */
	s->confirms = complete && !s->confirms && held > s->seen;
	s->moved = false;
	if (s->confirms)
		s->due_ms = now_mono_ms;
	else if (complete)
		s->due_ms = s->started_ms + pace->full_ms;
	else
		s->due_ms = now_mono_ms + pace->most_ms;
}

/* The sweep is over: when is the next? */
static void finish(struct sweep *s, bool complete, const struct pace *pace, bool blind, size_t held,
		   int64_t now_mono_ms)
{
	bool moves = s->pending || s->changes > 0;

	s->active = s->pending = false;
	s->first = 1;
	s->baseline = s->baseline && !complete;
	s->incomplete = complete ? 0 : s->incomplete + 1;
	if (complete)
		s->completed_ms = s->started_ms;
	bool backs_off = s->retry.failures > 0; /* which sets the pace */
	if (s->incomplete > 0 && (s->incomplete <= REPEATS_AT_ONCE || backs_off)) {
		s->moved = s->moved || moves;
		s->due_ms = now_mono_ms;
		return;
	}
	if (!blind) {
		rest(s, complete, pace, held, now_mono_ms);
		return;
	}
	s->moved = moves;
	if (moves) {
		s->interval_ms = pace->every_ms;
		s->due_ms = s->started_ms + pace->every_ms;
		return;
	}
	s->interval_ms = s->live ? s->interval_ms * 2 : pace->most_ms;
	if (s->interval_ms > pace->most_ms)
		s->interval_ms = pace->most_ms;
	s->due_ms = now_mono_ms + s->interval_ms;
}

/* Rows came into pages that had been read: they are where those are. What is met a second time does
 * not count, so the sweep goes on from the front until it has seen as many as there are. */
static bool goes_again(struct sweep *s, const struct plan_answer *a, bool repeated)
{
	if (s->again || repeated || s->spoiled || s->skipped || a->count < 0 ||
	    s->seen >= (size_t)a->count)
		return false;
	s->again = true;
	s->page = 1;
	s->rows = s->barren = s->repeated = 0;
	s->hash = 0;
	return true;
}

bool sweep_read(struct sweep *s, const struct plan_answer *a, const struct pace *pace, bool blind,
		size_t held, int64_t now_mono_ms)
{
	bool complete = sweep_completes(s, a), end = complete || ends(s, a);
	bool repeated = repeats(s, a);

	s->retry = (struct retry){0};
	s->largest = largest_page(s, a);
	s->rows += a->rows;
	s->skipped += a->skipped;
	s->seen += a->fresh;
	s->doubled += a->rows - a->skipped - a->fresh;
	s->changes += a->changes;
	s->barren = a->fresh ? 0 : s->barren + 1;
	s->spoiled = s->spoiled || count_of(s, a) < s->count;
	s->count = count_of(s, a);
	s->repeated = a->rows > 0 && a->hash == s->hash ? s->repeated + 1 : 0;
	s->hash = a->hash;
	end = end || (s->again && s->barren >= AGAIN_MAX);
	if (end && !complete && goes_again(s, a, repeated))
		return false;
	if (end)
		finish(s, complete, pace, blind, held, now_mono_ms);
	else
		s->page++;
	return complete;
}

/* Is there anything to be read behind the page that failed? Without a count one more is tried. */
static bool goes_on(const struct sweep *s)
{
	if (s->count >= 0 && s->largest > 0)
		return s->page <= (size_t)s->count / s->largest;
	return s->retry.failures == PASS_OVER_AFTER;
}

void sweep_failed(struct sweep *s, const struct pace *pace, bool blind, double random,
		  int64_t now_mono_ms)
{
	retry_failed(&s->retry, random, now_mono_ms);
	if (s->retry.failures < PASS_OVER_AFTER)
		return;
	s->spoiled = true;
	s->rows += s->largest;
	if (goes_on(s))
		s->page++;
	else
		finish(s, false, pace, blind, 0, now_mono_ms);
}

void sweep_listed(struct sweep *s, bool moved, bool live, const struct pace *pace,
		  int64_t now_mono_ms)
{
	s->live = live;
	if (!moved)
		return;
	s->interval_ms = pace->every_ms;
	s->moved = true;
	if (s->active) {
		s->pending = true;
		return;
	}
	int64_t due = s->asked_ms == INT64_MIN ? now_mono_ms : s->started_ms + pace->every_ms;
	if (due < s->due_ms)
		s->due_ms = due;
}
