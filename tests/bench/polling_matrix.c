/*
 * polling_matrix — a list that stands still but for a few changes: what it costs to find them, and
 * how long it takes, beside a full sweep and beside the fewest requests that could show them.
 */
#include <math.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/polling_list.h"

#define SAMPLES 3 /* of a few changes: where they lie decides */
#define FEW	10

/* Counts that do not lag lead to where something changed; of a list that keeps its order half a
 * dozen pages a change are enough, of one by time the newest pages are. */
#define BAR_ONE	    20
#define BAR_TEN	    120
#define BAR_HUNDRED 600
#define BAR_NEWEST  3 /* requests beside the pages with the changes */

static const uint32_t numbers[] = {1, 10, 100, 1000, 10000};
#define NUMBERS (sizeof numbers / sizeof *numbers)

static unsigned pages(uint32_t rows)
{
	return (rows + 99) / 100;
}

struct cell {
	const struct polling_job *job;
	enum sim_what what;
	uint32_t changes;
	double requests, beyond, most; /* requests NAN: not all were found */
	double p50, p99;
};

static void measure(struct list *l, struct cell *c)
{
	double requests[SAMPLES], beyond[SAMPLES];
	size_t samples = c->changes <= FEW ? SAMPLES : 1;
	bool found = true;
	l->delays.n = 0;
	for (size_t i = 0; i < samples; i++) {
		list_rest(l);
		struct list_change change = list_change(l, c->what, c->changes);
		requests[i] = (double)change.requests;
		beyond[i] = (double)change.beyond_list;
		found = found && change.found;
	}
	c->requests = found ? bench_median(requests, samples) : NAN;
	c->most = requests[samples - 1];
	c->beyond = bench_median(beyond, samples);
	c->p50 = delays_percentile(&l->delays, 50);
	c->p99 = delays_percentile(&l->delays, 99);
}

/* Polling page after page, round and round: a change is seen when its page's turn comes. */
static double sweep_s(uint32_t recipients)
{
	return pages(recipients) * 60.0 / POLLING_RATE;
}

static double bar_of(const struct cell *c)
{
	const struct polling_job *job = c->job;
	if (job->recipients < 1000000 || c->what != SIM_OPENED || job->counters != polling_counters)
		return BENCH_NONE;
	if (job->order->order == SIM_ORDER_UPDATED)
		return pages(c->changes) + BAR_NEWEST;
	switch (c->changes) {
	case 1: return BAR_ONE;
	case 10: return BAR_TEN;
	case 100: return BAR_HUNDRED;
	default: return BENCH_NONE;
	}
}

static void tell(const struct cell *c, FILE *out)
{
	static const char head[] = "recipients|order|event|changes|requests|not of lists|most|"
				   "naive|fewest|p50 s|p99 s|naive p99 s";
	const struct polling_job *job = c->job;
	char *title =
		xasprintf("Changes in a list that stands still, %s counters", job->counters->name);
	double naive = pages(job->recipients);
	polling_line(out, title, head, "%u|%s|%s|%u|%.0f|%.0f|%.0f|%.0f|%u|%.1f|%.1f|%.0f",
		     job->recipients, job->order->name, sim_what_names[c->what], c->changes,
		     c->requests, c->beyond, c->most, naive, pages(c->changes) + 1, c->p50, c->p99,
		     sweep_s(job->recipients) * 0.99);
	double bar = bar_of(c);
	if (!isnan(bar)) {
		char *what = xasprintf("requests for %u opened of %u, by %s", c->changes,
				       job->recipients, job->order->name);
		/* What was not found is told as more than any bar. */
		double requests = isnan(c->requests) ? INFINITY : c->requests;
		polling_row(out, &(struct polling_row){what, "requests", NULL, requests, BENCH_NONE,
						       bar});
		free(what);
	}
	polling_progress("%u %s %s: %u %s cost %.0f requests, p99 %.1f s", job->recipients,
			 job->order->name, job->counters->name, c->changes, sim_what_names[c->what],
			 c->requests, c->p99);
	free(title);
}

static void run_cell(struct list *l, const struct polling_job *job, enum sim_what what,
		     uint32_t changes, FILE *out)
{
	struct cell c = {.job = job, .what = what, .changes = changes};
	if (changes > job->recipients / 4 || (job->only && changes != job->only))
		return;
	measure(l, &c);
	tell(&c, out);
}

void polling_matrix(const struct polling_job *job, FILE *out)
{
	double started = bench_wall_s();
	struct list *l = list_open(job, false);
	polling_progress("%u %s %s: held after %.1f s; %.0f %% are opened", job->recipients,
			 job->order->name, job->counters->name, bench_wall_s() - started,
			 100 * list_opened(l));
	for (size_t i = 0; i < NUMBERS; i++)
		run_cell(l, job, SIM_OPENED, numbers[i], out);
	for (size_t i = 0; i < NUMBERS; i += 2)
		run_cell(l, job, SIM_FAILED, numbers[i], out);
	list_close(l);
}
