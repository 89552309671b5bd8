/*
 * window_order — numbers in an order, in portions: a million records fall due at one step, and to
 * sort them at once takes half a second. Runs are sorted one at a time, then merged as they are
 * taken.
 */
#ifndef RELAY_WINDOW_ORDER_H
#define RELAY_WINDOW_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORDER_RUN 2048 /* numbers sorted by one call: some 0.5 ms */

typedef int order_fn(const void *a, const void *b, void *arg); /* as of qsort_r, of uint32_t */

struct order {
	uint32_t *v; /* owned */
	size_t n, sorted, left;
	struct order_run {
		size_t at, end;
	} * runs; /* a heap, the least first number on top; owned */
	size_t nruns, runs_cap;
};

/* v is taken over. The order starts zeroed, or with nothing left. */
void order_begin(struct order *o, uint32_t *v, size_t n);
void order_release(struct order *o); /* zeroed again */
/* One run more; false: none is left. Until then nothing may be taken. */
bool order_sort(struct order *o, order_fn *compare, void *arg);
/* The least that is left, which there must be. */
uint32_t order_take(struct order *o, order_fn *compare, void *arg);

#endif
