/*
 * polling_http — one cell a size once more, over real HTTP: what is spent must be the same, or the
 * simulated figures are of another program than the one that is used.
 */
#include <math.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/polling_list.h"

#define CHANGES	  100
#define BAR_APART 0

/* INFINITY: not all of them were found. */
static double requests_for(const struct polling_job *job, bool over_http)
{
	struct list *l = list_open(job, over_http);
	list_rest(l);
	struct list_change change = list_change(l, SIM_OPENED, CHANGES);
	list_close(l);
	return change.found ? (double)change.requests : INFINITY;
}

void polling_http(const struct polling_job *job, FILE *out)
{
	double started = bench_wall_s();
	double real = requests_for(job, true), simulated = requests_for(job, false);
	double apart = isinf(real) || isinf(simulated) ? INFINITY : fabs(real - simulated);
	char *what = xasprintf("over HTTP, for %d opened of %u, by %s: more or fewer", CHANGES,
			       job->recipients, job->order->name);
	polling_row(out,
		    &(struct polling_row){what, "requests", NULL, apart, BENCH_NONE, BAR_APART});
	polling_line(out, "Over HTTP", "recipients|order|changes|requests|simulated",
		     "%u|%s|%d|%.0f|%.0f", job->recipients, job->order->name, CHANGES, real,
		     simulated);
	polling_progress("%s: %.0f, %.0f without sockets; %.1f s", what, real, simulated,
			 bench_wall_s() - started);
	free(what);
}
