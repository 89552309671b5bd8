/*
 * turn — a lock that threads get in the order in which they ask for it.
 *
 * A mutex may go to who has just given it back, again and again, while others wait. Here who comes
 * back stands behind all who wait, so that each waits for one hold of every other thread at most.
 * It costs a switch of threads where somebody waits: for holds of some 50 µs and more.
 */
#ifndef RELAY_TURN_H
#define RELAY_TURN_H

#include <pthread.h>
#include <stdint.h>

struct turn {
	pthread_mutex_t lock; /* held for moments only */
	pthread_cond_t moved;
	uint64_t asked;	 /* numbers given out */
	uint64_t served; /* whose number this is has the turn, or nobody has */
};

void turn_init(struct turn *ret);
void turn_destroy(struct turn *t); /* which nobody has or waits for */
void turn_take(struct turn *t);
void turn_leave(struct turn *t);

#endif
