/*
 * pace — how much goes to a destination at once: the limit of calls in flight, which follows what
 * the receiver can take, and the rate. Pure: time comes in.
 *
 * The limit begins at `start` and lies between 1 and `most`. It is judged by rounds, a round being
 * as many answers as there were calls out when it began:
 *   - An answer that says "too much" (throttled) halves it, once a round trip. It grows back by an
 *     eighth or half of what is missing, but slowly near where it was halved last: this is TCP's
 *     AIMD as BIC and CUBIC have it.
 *   - Other failures (to be tried again) halve it only if they come from load, that is, if there
 *     are fewer at half the limit. Some receivers fail now and then whatever they are sent; the
 *     share that fails at half the limit is the usual one. Failures beyond that and a tenth of the
 *     answers are added up (a CUSUM), and a handful makes a round go at half the limit. If more
 *     than half fail there, too, or no more than usual, it was load. Else that is usual now.
 *   - Answers that take more than 1.5 times as long as at half the limit lower it to what that
 *     time allows and one more, so that the receiver never waits for the way: more in flight only
 *     makes them wait in its queue. So it ends at one and a half times as many as the receiver
 *     works on at a time, or at 4. Half the limit is tried now and then, so that a queue is never
 *     taken for the receiver's own time. A round's mean is compared with a mean, not with the
 *     least, since a receiver whose answers vary is not overloaded. Failures are left out, since a
 *     timeout says nothing of the others. The idea is that of TCP Vegas, in the form of Netflix's
 *     "gradient" limit.
 *   - Answers within 5 ms are never slow: the limit grows until they take longer. What is out
 *     beyond what the receiver works on hides our own way from an answer to the next call.
 * After an outage it begins at 1 and doubles with each round trip up to `start` (slow start), or
 * until too many fail.
 */
#ifndef RELAY_PACE_H
#define RELAY_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACE_MOST  64
#define PACE_TOOKS 256 /* recent answers of which the times are known */

struct pace {
	/* the limit; in calls, of which each carries up to `each` parcels */
	size_t start, most, each;
	size_t limit;
	size_t failed_at; /* the limit at which load halved it last; 0: never */
	bool hurry;	  /* slow start */

	/* the round: answers still to come of calls older than the last change of the limit, which
	 * tell nothing; answers that make a round; those that have come, of these failed, and how
	 * long the others took */
	size_t stale, round, n, failed;
	int64_t sum_ms;
	bool full;	  /* the limit was reached in it */
	unsigned slow;	  /* rounds in a row that were slow */
	bool testing;	  /* it goes at half the limit */
	bool suspect;	  /* and this because many fail */
	unsigned rounds;  /* since the last test */
	double little_ms; /* an answer's mean time at half the limit; 0: unknown */
	double usual;	  /* share that fails at half the limit */
	double surplus;	  /* calls that failed beyond that, lately */

	double tokens; /* of the rate */
	int64_t tokens_ms;

	uint32_t tooks[PACE_TOOKS]; /* a ring */
	size_t ntooks;		    /* of all time */
};

enum pace_end {
	PACE_ANSWERED,
	PACE_FAILED,	/* to be tried again, for whatever reason */
	PACE_THROTTLED, /* it says that too much comes */
};

/* Sets the bounds; when they are new ones all begins anew. 0 < start <= most, each > 0. */
void pace_bound(struct pace *p, size_t start, size_t most, size_t each);
/* Begins at 1, as behind an outage; so many parcels are out. */
void pace_restart(struct pace *p, size_t flying);

size_t pace_limit(const struct pace *p); /* parcels that may be out */
/* One more is sent; now so many parcels are out. */
void pace_sent(struct pace *p, size_t flying);
/* A parcel's answer has come; so many are still out. */
void pace_answer(struct pace *p, int64_t took_ms, enum pace_end end, size_t flying);

/* Sends a second; 0: no bound. Call fill before wait and spend in a turn. */
void pace_fill(struct pace *p, double rate, int64_t now_ms);
int64_t pace_wait_ms(const struct pace *p, double rate); /* until the next; 0: now */
void pace_spend(struct pace *p, double rate);

/* How long answers took, for who wants to know: the time that `share` of the recent ones did not
 * exceed; -1: none came. */
void pace_took(struct pace *p, int64_t took_ms);
int64_t pace_took_share(const struct pace *p, double share);

#endif
