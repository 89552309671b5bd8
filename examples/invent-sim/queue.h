/* queue — what is due next: a heap of (time, broadcast, row, change), each row in it once, unrest
 * (unrest.h) besides. */
#ifndef INVENT_SIM_QUEUE_H
#define INVENT_SIM_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct due {
	int64_t at;
	uint32_t row;
	uint16_t broadcast;
	uint8_t what;
};

struct queue {
	struct due *v;
	size_t n, cap;
};

void queue_push(struct queue *q, struct due d);
const struct due *queue_first(const struct queue *q); /* NULL: empty */
void queue_pop(struct queue *q);
void queue_replace(struct queue *q, struct due d); /* a pop and a push in one */
void queue_release(struct queue *q);

#endif
