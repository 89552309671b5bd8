/*
 * Rounds: all pages of an organization's broadcast list, one after another, then a pause. A round
 * is complete only when its count stood still: else an entry may have slid between two pages.
 */
#include "relay/source/planner_parts.h"

#include <stdlib.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000 /* so that a minute after it works again it is asked again */

void retry_failed(struct retry *r, double random, int64_t now_mono_ms)
{
	int64_t wait = BACKOFF_MAX_MS;

	if (r->failures < 6) /* 1 s << 6 is past the maximum */
		wait = (int64_t)BACKOFF_MIN_MS << r->failures;
	if (wait > BACKOFF_MAX_MS)
		wait = BACKOFF_MAX_MS;
	wait -= (int64_t)((double)wait * random / 2);
	r->failures++;
	r->asked = false;
	r->not_before_ms = now_mono_ms + wait;
}

void round_init(struct round *r, const char *org, int64_t now_mono_ms)
{
	*r = (struct round){
		.org = xstrdup(org),
		.words = 1,
		.moved = true,
		.whole_ms = INT64_MIN,
		.live_ms = INT64_MIN,
		.due_ms = now_mono_ms,
		.page = 1,
		.pages = 1,
		.count = -1,
		.complete_ms = DATE_NONE,
		.complete2_ms = DATE_NONE,
	};
}

void round_release(struct round *r)
{
	free(r->org);
	free(r->status);
}

int64_t round_ready_at(const struct round *r)
{
	int64_t due = r->page > 1 ? INT64_MIN : r->due_ms;

	if (r->retry.asked || r->leaves)
		return INT64_MAX;
	return due > r->retry.not_before_ms ? due : r->retry.not_before_ms;
}

bool round_ready(const struct round *r, int64_t now_mono_ms)
{
	return round_ready_at(r) <= now_mono_ms;
}

void round_plan(struct round *r, struct plan *ret, int64_t now_mono_ms)
{
	if (r->page == 1) {
		r->started_ms = now_mono_ms;
		r->rows = r->skipped = 0;
		r->count = -1;
		r->hash = 0;
		r->steady = true;
	}
	r->retry.asked = true;
	r->asked_ms = now_mono_ms;
	*ret = (struct plan){
		.kind = PLAN_LIST,
		.offer = {.purpose = FOR_LIST, .page = r->page},
		.asked_ms = now_mono_ms,
		.org = r->org,
		.status = r->status,
		.page = r->page,
		.starts = r->page == 1,
		.reason = r->page > 1 ? "list goes on"
			  : r->status ? "live ones"
				      : "list",
	};
}

static bool repeats(const struct round *r, const struct plan_answer *a)
{
	return r->page > 1 && a->rows > 0 && a->hash == r->hash;
}

static bool ends(const struct round *r, const struct plan_answer *a)
{
	if (a->rows == 0 || repeats(r, a) || r->page >= PAGES_MAX)
		return true;
	/* Behind a full page there may be more than the count says. */
	return a->rows < TAKE && (a->count < 0 || r->rows + a->rows >= (size_t)a->count);
}

/* Of a page behind others that is empty, the count says nothing. */
static bool is_steady(const struct round *r, const struct plan_answer *a)
{
	return r->page == 1 || (r->steady && (a->count == r->count || a->rows == 0));
}

bool round_completes(const struct round *r, const struct plan_answer *a)
{
	int64_t count = a->rows || r->page == 1 ? a->count : r->count;
	bool all = count < 0 || r->rows + a->rows == (size_t)count;

	return ends(r, a) && is_steady(r, a) && all && !repeats(r, a) &&
	       r->skipped + a->skipped == 0;
}

bool round_is_behind(const struct round *r)
{
	return r->page > 1 && r->count >= 0 && r->rows >= (size_t)r->count;
}

static void go_on(struct round *r, bool end, const struct round_pace *pace)
{
	if (!end) {
		r->page++;
		return;
	}
	if (!r->status) {
		r->whole_pages = r->page;
		r->pause_ms = r->moved ? pace->least_ms : r->pause_ms * 2;
		r->pause_ms = r->pause_ms < pace->most_ms ? r->pause_ms : pace->most_ms;
		r->whole_ms = r->started_ms + r->pause_ms;
		r->moved = false;
	}
	r->pages = r->page;
	r->page = 1;
	r->due_ms = r->started_ms + pace->pause_ms / r->words;
}

bool round_read(struct round *r, const struct plan_answer *a, const struct round_pace *pace)
{
	bool complete = round_completes(r, a), end = ends(r, a);

	if (r->page == 1)
		r->began_ms = a->date_ms;
	if (complete && !r->status) {
		r->complete2_ms = r->complete_ms;
		r->complete_ms = r->began_ms;
	}
	r->retry = (struct retry){0};
	r->steady = is_steady(r, a);
	r->count = a->count;
	r->rows += a->rows;
	r->skipped += a->skipped;
	r->hash = a->hash;
	go_on(r, end, pace);
	return complete;
}

void round_failed(struct round *r, double random, const struct round_pace *pace,
		  int64_t now_mono_ms)
{
	retry_failed(&r->retry, random, now_mono_ms);
	if (r->status) { /* the API may not know the word */
		r->live_ms = now_mono_ms + pace->most_ms;
		r->page = 1;
		return;
	}
	if (r->page == 1 || r->retry.failures < PASS_OVER_AFTER)
		return;
	r->steady = false;
	r->rows += TAKE;
	go_on(r, r->count < 0 || r->rows >= (size_t)r->count, pace);
}
