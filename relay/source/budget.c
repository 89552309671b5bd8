/*
 * One token bucket. What keeps the limit: in any span of T a bucket of `burst` filled at `rate`
 * gives at most burst + rate × T tokens, and starting empty makes that true across a restart too.
 */
#include "relay/source/budget.h"

#include <string.h>

#define RING		60	/* seconds of `taken` */
#define BURST_MAX	20	/* requests; more would only let a burst meet the API's own limit */
#define BURST_SHARE	0.05	/* of the limit, so that small limits keep most of it as rate */
#define BACKOFF_MIN_MS	1000	/* after a 429 without a usable Retry-After */
#define BACKOFF_MAX_MS	60000	/* the API counts by the minute */
#define RETRY_AFTER_MAX 3600000 /* ms; a longer one is a mistake: ask again and be told again */

static double burst_of(double per_minute)
{
	double burst = (double)(int64_t)(per_minute * BURST_SHARE);

	if (burst > BURST_MAX)
		return BURST_MAX;
	return burst < 1 ? 1 : burst;
}

void budget_init(struct budget *b, double per_s, int64_t now_mono_ms)
{
	double per_minute = per_s * 60;

	*b = (struct budget){.at_mono_ms = now_mono_ms, .closed_until_ms = now_mono_ms};
	if (!(per_minute > 0))
		return;
	b->burst = burst_of(per_minute);
	/* Below 2 a minute no rate is left beside the one token: then one request per span. */
	double left =
		per_minute >= 2 ? per_minute - b->burst : 0.99 * (per_minute < 1 ? per_minute : 1);
	b->rate_per_ms = left / 60000;
}

static bool unlimited(const struct budget *b)
{
	return b->burst <= 0;
}

static double tokens_at(const struct budget *b, int64_t now_mono_ms)
{
	double tokens = b->tokens;

	if (now_mono_ms > b->at_mono_ms)
		tokens += (double)(now_mono_ms - b->at_mono_ms) * b->rate_per_ms;
	return tokens < b->burst ? tokens : b->burst;
}

/* The ring's place of a second. */
static uint32_t *second(struct budget *b, int64_t s)
{
	int64_t place = s % RING;

	return &b->taken[place < 0 ? place + RING : place];
}

static void note_taken(struct budget *b, int64_t now_mono_ms)
{
	int64_t now_s = now_mono_ms / 1000;

	if (now_s - b->taken_s >= RING)
		memset(b->taken, 0, sizeof b->taken);
	else
		for (int64_t s = b->taken_s + 1; s <= now_s; s++)
			*second(b, s) = 0;
	if (now_s > b->taken_s)
		b->taken_s = now_s;
	(*second(b, b->taken_s))++;
}

uint32_t budget_last_minute(const struct budget *b, int64_t now_mono_ms)
{
	uint32_t sum = 0;

	for (int64_t s = now_mono_ms / 1000 - RING + 1; s <= b->taken_s; s++)
		sum += *second((struct budget *)b, s);
	return sum;
}

double budget_left(const struct budget *b, int64_t now_mono_ms)
{
	return tokens_at(b, now_mono_ms);
}

bool budget_take(struct budget *b, int64_t now_mono_ms)
{
	if (budget_wait_ms(b, now_mono_ms) > 0)
		return false;
	note_taken(b, now_mono_ms);
	if (unlimited(b))
		return true;
	b->tokens = tokens_at(b, now_mono_ms) - 1;
	if (now_mono_ms > b->at_mono_ms)
		b->at_mono_ms = now_mono_ms;
	return true;
}

int64_t budget_wait_ms(const struct budget *b, int64_t now_mono_ms)
{
	int64_t closed = b->closed_until_ms - now_mono_ms;
	int64_t wait = 0;

	if (!unlimited(b)) {
		double missing = 1 - tokens_at(b, now_mono_ms);
		/* One ms more than the quotient, so that after the wait no rounding says no. */
		if (missing > 0)
			wait = (int64_t)(missing / b->rate_per_ms) + 1;
	}
	return closed > wait ? closed : wait;
}

void budget_refused(struct budget *b, int64_t now_mono_ms, int64_t retry_after_ms, double random)
{
	int64_t wait = retry_after_ms;

	/* Requests that were under way together are refused together: that is one refusal. */
	if (now_mono_ms >= b->closed_until_ms)
		b->refusals++;
	if (wait < 0) {
		unsigned doublings = b->refusals > 7 ? 6 : b->refusals - (b->refusals > 0);
		wait = (int64_t)(BACKOFF_MIN_MS << doublings);
		wait += (int64_t)((double)wait * random / 2);
		if (wait > BACKOFF_MAX_MS)
			wait = BACKOFF_MAX_MS;
	}
	if (wait < BACKOFF_MIN_MS)
		wait = BACKOFF_MIN_MS;
	if (wait > RETRY_AFTER_MAX)
		wait = RETRY_AFTER_MAX;
	if (now_mono_ms + wait > b->closed_until_ms)
		b->closed_until_ms = now_mono_ms + wait;
	b->tokens = 0;
	b->at_mono_ms = now_mono_ms > b->at_mono_ms ? now_mono_ms : b->at_mono_ms;
}

void budget_accepted(struct budget *b)
{
	b->refusals = 0;
}
