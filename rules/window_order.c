/* Runs, then a heap of them by their first numbers. Invariant: each run in the heap has a number.
 */
#include "rules/window_order.h"

#include <stdlib.h>

#include "relay/base/mem.h"

struct ordering {
	order_fn *compare;
	void *arg;
};

void order_release(struct order *o)
{
	free(o->v);
	free(o->runs);
	*o = (struct order){0};
}

void order_begin(struct order *o, uint32_t *v, size_t n)
{
	order_release(o);
	o->v = v;
	o->n = o->left = n;
}

static bool before(const struct order *o, size_t a, size_t b, const struct ordering *by)
{
	const uint32_t *x = &o->v[o->runs[a].at], *y = &o->v[o->runs[b].at];

	return by->compare(x, y, by->arg) < 0;
}

static void swap(struct order *o, size_t a, size_t b)
{
	struct order_run run = o->runs[a];

	o->runs[a] = o->runs[b];
	o->runs[b] = run;
}

static void rise(struct order *o, size_t i, const struct ordering *by)
{
	for (; i && before(o, i, (i - 1) / 2, by); i = (i - 1) / 2)
		swap(o, i, (i - 1) / 2);
}

static void sink(struct order *o, const struct ordering *by)
{
	size_t i = 0;

	for (;;) {
		size_t least = i;
		for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
			if (child < o->nruns && before(o, child, least, by))
				least = child;
		if (least == i)
			return;
		swap(o, i, least);
		i = least;
	}
}

bool order_sort(struct order *o, order_fn *compare, void *arg)
{
	const struct ordering by = {compare, arg};
	size_t n = o->n - o->sorted < ORDER_RUN ? o->n - o->sorted : ORDER_RUN;

	if (!n)
		return false;
	qsort_r(&o->v[o->sorted], n, sizeof *o->v, compare, arg);
	o->runs = mem_grow(o->runs, o->nruns, &o->runs_cap, sizeof *o->runs);
	o->runs[o->nruns++] = (struct order_run){o->sorted, o->sorted + n};
	o->sorted += n;
	rise(o, o->nruns - 1, &by);
	return true;
}

uint32_t order_take(struct order *o, order_fn *compare, void *arg)
{
	const struct ordering by = {compare, arg};
	uint32_t taken = o->v[o->runs[0].at++];

	o->left--;
	if (o->runs[0].at == o->runs[0].end)
		o->runs[0] = o->runs[--o->nruns];
	sink(o, &by);
	return taken;
}
