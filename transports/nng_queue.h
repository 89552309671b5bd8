/*
 * nng_queue — what a subscriber's queue in nng's PUB socket holds, and what it has lost, told from
 * two counts: messages offered to it and messages that left it. Pure.
 *
 * nng tells neither (of our own connections, nng_hearers.h, both are known: queue_know). What it
 * does is known: each message goes to each subscriber; one that finds `cap` in the queue and one on
 * its way out takes the place of the oldest in the queue. So
 *
 *   offered - left = held + dropped,  0 <= held <= cap + 1
 *
 * and how the two share it depends only on the order of offers and leavings between two looks. Both
 * extremes are followed: as many leave as early as they can (fewest dropped), all are offered first
 * (most dropped); and since what is still to leave was not dropped, `most` falls with offered -
 * left.
 *
 * So it is exact as long as held and what was offered between two looks fit into the queue; for a
 * subscriber that takes nothing; and for one that has caught up (queue_settle). Else the bounds lie
 * apart by what left between two looks while the queue was full.
 */
#ifndef RELAY_NNG_QUEUE_H
#define RELAY_NNG_QUEUE_H

#include <stdint.h>

struct queue_guess {
	uint64_t cap;
	uint64_t offered, left;
	uint64_t least, most; /* dropped */
	uint64_t marked_offered, marked_left;
};

void queue_begin(struct queue_guess *q, uint64_t cap);
/* Both counts as they are now; neither goes back. Call it at least each cap offers for exactness.
 */
void queue_look(struct queue_guess *q, uint64_t offered, uint64_t left);

/* Behind a look, once a second. Who had next to nothing offered since the last call, and took as
 * many, is taken to have caught up, though it might take exactly one when one is offered: then the
 * bounds meet. */
void queue_settle(struct queue_guess *q);

struct queue_counts {
	uint64_t offered, left, dropped;
};
/* Instead of a look, where nothing is to be guessed. */
void queue_know(struct queue_guess *q, const struct queue_counts *counts);

uint64_t queue_held_least(const struct queue_guess *q);
uint64_t queue_held_most(const struct queue_guess *q);
uint64_t queue_dropped(const struct queue_guess *q); /* at least so many */

#endif
