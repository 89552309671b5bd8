/* pace — see the header. Invariant: the limit changes at most once in a round trip, since answers
 * of calls that were out at a change tell nothing of the new limit. */
#include "relay/delivery/pace.h"

#include <stdlib.h>
#include <string.h>

#define FAST_MS	     5	 /* answers within that show no queue worth looking at */
#define SLOWER	     1.5 /* twice as many out take 1 to 2 times as long: half way between */
#define ROUND_MIN    16	 /* calls: the mean of fewer says little */
#define SLOW_ROUNDS  3	 /* in a row: the calls that one stall holds up end in two */
#define TEST_EVERY   64	 /* rounds: two at half the limit cost a hundredth or two */
#define PLATEAU	     8	 /* rounds for one more, near where it failed last */
#define MARGIN	     0.1 /* of the answers may fail more than usual */
#define EVIDENCE     5	 /* failures beyond that which are no chance if few are usual … */
#define VARIANCE     16	 /* … and so much more, times the usual share */
#define MOSTLY	     0.5 /* a share of failures that is never usual */
#define GROW_SHARE   8
#define SECOND_SHARE 20 /* of a second's sends may come at once */

static void begin_round(struct pace *p, size_t flying)
{
	p->round = flying > ROUND_MIN * p->each ? flying : ROUND_MIN * p->each;
	p->n = p->failed = 0;
	p->sum_ms = 0;
	p->full = false;
}

/* The next answers are of calls made under another limit. */
static void change(struct pace *p, size_t limit, size_t flying)
{
	p->limit = limit ? limit : 1;
	p->stale = flying;
	p->surplus = 0;
	p->slow = 0;
	begin_round(p, flying);
}

void pace_bound(struct pace *p, size_t start, size_t most, size_t each)
{
	if (p->start == start && p->most == most && p->each == each)
		return;
	p->start = start;
	p->most = most;
	p->each = each;
	p->failed_at = 0;
	p->little_ms = p->usual = 0;
	p->hurry = p->testing = false;
	change(p, start, 0);
}

void pace_restart(struct pace *p, size_t flying)
{
	p->hurry = p->start > 1;
	p->testing = false;
	p->usual = 0;
	change(p, 1, flying);
}

size_t pace_limit(const struct pace *p)
{
	size_t limit = (p->testing ? p->limit / 2 : p->limit) * p->each;

	if (!p->hurry)
		return limit;
	limit += p->stale; /* what still hangs from before the outage is not waited for */
	return limit < p->most * p->each ? limit : p->most * p->each;
}

void pace_sent(struct pace *p, size_t flying)
{
	if (flying >= pace_limit(p))
		p->full = true;
}

static void halve(struct pace *p, size_t flying)
{
	p->failed_at = p->limit;
	p->hurry = p->testing = false;
	change(p, p->limit / 2, flying);
}

static void test(struct pace *p, bool suspect, size_t flying)
{
	p->rounds = 0;
	p->suspect = suspect;
	if (p->limit < 2)
		return;
	p->testing = true;
	change(p, p->limit, flying);
}

static void grow(struct pace *p)
{
	size_t more = p->limit / GROW_SHARE ? p->limit / GROW_SHARE : 1;
	size_t below = p->failed_at > p->limit ? p->failed_at - p->limit : 0;
	bool near = p->limit <= p->failed_at && p->limit + more >= p->failed_at;

	if (near && p->rounds % PLATEAU)
		more = below > 1 ? below - 1 : 0;
	else if (near)
		more = 1;
	else if (below / 2 > more)
		more = below / 2;
	if (p->limit < p->most)
		p->limit = p->limit + more < p->most ? p->limit + more : p->most;
}

/* What the time of an answer allows, with one in reserve so that the receiver never waits for the
 * way; but not less than half. */
static size_t fitting(const struct pace *p, double mean_ms)
{
	size_t fit = (size_t)((double)p->limit * SLOWER * p->little_ms / mean_ms) + 1;

	return fit > p->limit / 2 ? fit : p->limit / 2;
}

static void judge_round(struct pace *p, double mean_ms, size_t flying)
{
	bool full = p->full;

	p->rounds++;
	begin_round(p, flying);
	if (mean_ms <= FAST_MS) {
		p->slow = 0;
		if (full)
			grow(p);
		if (full && p->usual > 0 && p->rounds >= TEST_EVERY)
			test(p, false, flying);
		return;
	}
	if (p->little_ms == 0 && full && p->limit > 1) {
		test(p, false, flying);
		return;
	}
	if (p->limit == 1 || p->little_ms == 0)
		p->little_ms = mean_ms;
	if (mean_ms < p->little_ms) /* it became faster, or it only varies */
		p->little_ms -= (p->little_ms - mean_ms) / 4;
	if (mean_ms <= SLOWER * (p->little_ms > FAST_MS ? p->little_ms : FAST_MS)) {
		p->slow = 0;
		if (full)
			grow(p);
	} else if (++p->slow >= SLOW_ROUNDS && fitting(p, mean_ms) < p->limit) {
		p->limit = fitting(p, mean_ms);
		test(p, false, flying);
		return;
	}
	if (full && p->rounds >= TEST_EVERY)
		test(p, false, flying);
}

/* True: more fail than chance makes likely. */
static bool exceeds(struct pace *p, bool failed)
{
	p->surplus += (failed - p->usual - MARGIN) / (double)p->each;
	if (p->surplus < 0)
		p->surplus = 0;
	return p->surplus > EVIDENCE + VARIANCE * p->usual;
}

/* What doubled a round trip ago need not be tested, and one call cannot. */
static void too_many_fail(struct pace *p, size_t flying)
{
	if (p->hurry || p->limit < 2)
		halve(p, flying);
	else
		test(p, true, flying);
}

/* A share that is taken too low brings vain tests, so it rises at once and falls slowly. */
static void judge_test(struct pace *p, size_t flying)
{
	double share = (double)p->failed / (double)p->n;
	bool load = share > MOSTLY || (p->suspect && share <= p->usual + MARGIN);

	p->testing = false;
	if (p->n > p->failed)
		p->little_ms = (double)p->sum_ms / (double)(p->n - p->failed);
	if (share < p->usual)
		p->usual -= (p->usual - share) / 4;
	else if (share <= MOSTLY)
		p->usual = share;
	if (load)
		halve(p, flying);
	else
		change(p, p->limit, flying);
}

void pace_answer(struct pace *p, int64_t took_ms, enum pace_end end, size_t flying)
{
	bool failed = end == PACE_FAILED;

	if (p->stale) {
		p->stale--;
		return;
	}
	if (end == PACE_THROTTLED) {
		halve(p, flying);
		return;
	}
	if (!p->testing && exceeds(p, failed)) {
		too_many_fail(p, flying);
		return;
	}
	if (p->hurry) {
		p->limit += !failed;
		p->hurry = p->limit < p->start;
		begin_round(p, flying);
		return;
	}
	p->failed += failed;
	p->sum_ms += failed ? 0 : took_ms;
	if (++p->n < p->round)
		return;
	if (p->testing)
		judge_test(p, flying);
	else if (p->n > p->failed)
		judge_round(p, (double)p->sum_ms / (double)(p->n - p->failed), flying);
	else
		begin_round(p, flying);
}

void pace_fill(struct pace *p, double rate, int64_t now_ms)
{
	double most = rate / SECOND_SHARE > 1 ? rate / SECOND_SHARE : 1;

	if (rate <= 0)
		return;
	p->tokens += rate * (double)(now_ms - p->tokens_ms) / 1000;
	p->tokens_ms = now_ms;
	if (p->tokens > most)
		p->tokens = most;
}

int64_t pace_wait_ms(const struct pace *p, double rate)
{
	if (rate <= 0 || p->tokens >= 1)
		return 0;
	return (int64_t)((1 - p->tokens) * 1000 / rate) + 1;
}

void pace_spend(struct pace *p, double rate)
{
	if (rate > 0)
		p->tokens -= 1;
}

void pace_took(struct pace *p, int64_t took_ms)
{
	p->tooks[p->ntooks++ % PACE_TOOKS] = took_ms < UINT32_MAX ? (uint32_t)took_ms : UINT32_MAX;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int64_t pace_took_share(const struct pace *p, double share)
{
	uint32_t sorted[PACE_TOOKS];
	size_t n = p->ntooks < PACE_TOOKS ? p->ntooks : PACE_TOOKS;

	if (!n)
		return -1;
	memcpy(sorted, p->tooks, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_size);
	return sorted[(size_t)(share * (double)(n - 1) + 0.5)];
}
