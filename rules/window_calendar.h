/*
 * window_calendar — numbers by the moment when they fall due. A bucket for each moment in use, in
 * order: moments are ends of steps, so a day has few of them however many numbers fall due, and
 * taking the next is a look at the front. What is due later is never looked at.
 */
#ifndef RELAY_WINDOW_CALENDAR_H
#define RELAY_WINDOW_CALENDAR_H

#include <stddef.h>
#include <stdint.h>

struct calendar_bucket {
	int64_t at;
	uint32_t *v; /* owned */
	size_t n, cap;
};

struct calendar {
	struct calendar_bucket *v; /* ascending; the first `past` are taken */
	size_t past, n, cap;
	size_t bytes;
};

void calendar_release(struct calendar *c);
void calendar_add(struct calendar *c, int64_t at, uint32_t item);
int64_t calendar_next(const struct calendar *c); /* INT64_MAX: nothing is due ever */
/* Takes the first bucket out, which must be there; its `v` is yours. */
struct calendar_bucket calendar_take(struct calendar *c);

#endif
