/* forecast — see the header. */
#include "relay/source/forecast.h"

#include <math.h>

#include "relay/source/budget.h"
#include "relay/source/planner_parts.h"

uint64_t forecast_pages(uint64_t rows, uint64_t page_rows)
{
	return 1 + rows / (page_rows ? page_rows : TAKE);
}

static int64_t at_rate(const struct forecast *f, uint64_t pages, double share)
{
	return f->per_minute > 0 ? (int64_t)ceil((double)pages * 60000 / (f->per_minute * share))
				 : 0;
}

int64_t forecast_sweep_ms(const struct forecast *f, uint64_t pages)
{
	return at_rate(f, pages, 1);
}

int64_t forecast_shared_ms(const struct forecast *f, uint64_t pages)
{
	return at_rate(f, pages, f->share);
}

int64_t forecast_removed_ms(const struct forecast *f, uint64_t pages)
{
	return f->every_ms + 2 * forecast_shared_ms(f, pages);
}

static int64_t longer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void forecast_make(struct forecast *ret, const struct source_options *o,
		   const struct forecast_size *v, size_t n, size_t orgs)
{
	struct forecast f = {.pages = 0, .share = FULL_SHARE_MIN};
	struct budget b;
	int64_t lists = (int64_t)(orgs + n / TAKE), live = 0, least;
	bool dear = false;

	budget_init(&b, o->rate_limit, 0);
	f.per_minute = b.burst > 0 ? b.rate_per_ms * 60000 : 0;
	for (size_t i = 0; i < n; i++) {
		f.pages += v[i].pages;
		live += v[i].live;
		dear = dear || v[i].dear;
	}
	double needed = (double)at_rate(&f, f.pages, 1) / (double)o->full_sweep_every_ms;
	f.share = needed < FULL_SHARE_MIN   ? FULL_SHARE_MIN
		  : needed > FULL_SHARE_MAX ? FULL_SHARE_MAX
					    : needed;
	f.stretched = needed > FULL_SHARE_MAX;
	f.every_ms = f.stretched ? at_rate(&f, f.pages, FULL_SHARE_MAX) : o->full_sweep_every_ms;
	least = at_rate(&f, (uint64_t)lists, LIST_SHARE);
	f.list_ms = longer(o->poll_every_ms, least);
	f.list_moving_ms = longer(o->poll_every_ms / 2, least);
	f.failure_ms = f.list_ms + (dear ? BATCH_WAIT_MS : 0);
	f.failure_blind_ms = longer(PEEK_MIN_MS, live * PEEK_EACH_MS) * (dear ? 2 : 1);
	*ret = f;
}
