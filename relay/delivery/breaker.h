/*
 * breaker — whether a destination that fails is left in peace, and when it is asked again. Pure:
 * time (monotonic) comes in.
 *
 * Closed: all is sent. It opens after 5 calls in a row that nobody answered, or 2 when they are
 * lonely: else who has little to send would find out minutes late that the receiver is back. Or
 * when at least half of the calls of the last 30 s, and of at least 20, are to be tried again. A
 * call that was throttled counts neither way.
 *
 * Open: one probe at a time. The first goes 5 s after it opened, each next one a twelfth of the
 * outage so far behind the start of the one that failed, at least 5 s and at most 60 s. So who was
 * away for a minute is found within 5 s of its return, as doubling would not do, and who is away
 * for a day is asked once a minute.
 */
#ifndef RELAY_BREAKER_H
#define RELAY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_LEAST_MS 5000
#define BREAKER_MOST_MS	 60000

/* How a call ended. */
enum call_end {
	CALL_ANSWERED,	 /* taken or refused: somebody is there */
	CALL_FAILED,	 /* somebody answered, but try again */
	CALL_UNANSWERED, /* nobody answered at all */
	CALL_THROTTLED,	 /* somebody is there who finds it too much */
};

#define BREAKER_SLOTS 10

/* {0} is closed. */
struct breaker {
	bool open;
	unsigned in_a_row;	     /* calls that nobody answered */
	int64_t opened_ms, probe_ms; /* while open: since when; no probe before */
	int64_t slot;		     /* the newest, by number since time 0 */
	struct {
		uint32_t calls, failed;
	} slots[BREAKER_SLOTS]; /* of the last 30 s */
};

/* Counts a call while it is closed. lonely: nobody has answered anything since that event was tried
 * before, and the schedule would have it wait longer than a probe does. True: that opened it. */
bool breaker_count(struct breaker *b, enum call_end end, bool lonely, int64_t now_ms);

/* Open since a time before now, as a restart finds it: the probe may go at once. */
void breaker_reopen(struct breaker *b, int64_t opened_ms, int64_t now_ms);

/* The probe that started then has failed. */
void breaker_probe_failed(struct breaker *b, int64_t started_ms, int64_t now_ms);
/* There is nothing that may be a probe now. */
void breaker_look_later(struct breaker *b, int64_t now_ms);
bool breaker_wants_probe(const struct breaker *b, int64_t now_ms);

/* What was before is forgotten. */
void breaker_close(struct breaker *b);

#endif
