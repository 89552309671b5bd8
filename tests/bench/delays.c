/* delays — a plain array, sorted when it is asked. */
#include "tests/bench/delays.h"

#include <math.h>
#include <stdlib.h>

#include "relay/base/mem.h"

void delays_add(struct delays *d, int64_t ms)
{
	d->v = mem_grow(d->v, d->n, &d->cap, sizeof *d->v);
	d->v[d->n++] = (int32_t)ms;
}

static int by_value(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
	return (x > y) - (x < y);
}

double delays_percentile(struct delays *d, unsigned percent)
{
	if (!d->n)
		return NAN;
	qsort(d->v, d->n, sizeof *d->v, by_value);
	return d->v[(d->n - 1) * percent / 100] / 1000.0;
}

void delays_release(struct delays *d)
{
	free(d->v);
	*d = (struct delays){0};
}
