/*
 * budget — how many requests may be made: one token bucket for the whole process.
 *
 * rate × 60 + burst ≤ the configured requests a minute, and the bucket starts empty, so that no
 * 60 s hold more than that, restarts included. A 429 or Retry-After closes it for a while. Pure.
 */
#ifndef RELAY_BUDGET_H
#define RELAY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct budget {
	double rate_per_ms, burst, tokens; /* burst 0: no limit */
	int64_t at_mono_ms;		   /* of `tokens` */
	int64_t closed_until_ms;	   /* mono */
	unsigned refusals;		   /* 429 in a row, for the backoff */
	uint32_t taken[60];		   /* in each second of the last minute, a ring … */
	int64_t taken_s;		   /* … up to this second, mono */
};

void budget_init(struct budget *b, double per_s, int64_t now_mono_ms); /* per_s 0: no limit */
bool budget_take(struct budget *b, int64_t now_mono_ms);
int64_t budget_wait_ms(const struct budget *b, int64_t now_mono_ms); /* until a take succeeds */
/* A 429. retry_after_ms -1: exponential from 1 s to 60 s; else obeyed, from 1 s to 1 h. Refusals
 * while it is closed count as one. random: 0 <= x < 1, for jitter. */
void budget_refused(struct budget *b, int64_t now_mono_ms, int64_t retry_after_ms, double random);
void budget_accepted(struct budget *b);

/* For who watches it: tokens in the bucket now, and requests in the 60 s up to now. */
double budget_left(const struct budget *b, int64_t now_mono_ms);
uint32_t budget_last_minute(const struct budget *b, int64_t now_mono_ms);

#endif
