/*
 * bench_bus — events to subscribers on loopback: as fast as they go from a filled journal, beside
 * a bare loop over nng at the highest rate at which it loses nothing (the peer); while events are
 * journaled; and how soon an event is there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/bus_rates.h"
#include "tests/bench/listeners.h"
#include "tests/bench/paced.h"

#define ROUNDS 5
/* More than both buffers and the sockets' hold by far. */
#define EVENTS_ONE   200000
#define EVENTS_EIGHT 100000

/* The relay reads a journal and settles what it sent, on the cores that nng's threads and the
 * subscribers want, too. One message lost in any run counts as a rate of 0. */
#define BAR_BARE 0.8
/* Parse, diff, the threads' hops, a commit before it in the queue; behind a page's last event 99
 * others. */
#define BAR_TENS_MS  5
#define BAR_PAGES_MS 8

static const char of_bare[] = "a bare nng loop, at the most that loses nothing";

/* ---- rates ---- */

struct rates {
	double ours[ROUNDS], bare[ROUNDS], ratio[ROUNDS], cpu[ROUNDS], lost;
	double fed[ROUNDS], fed_lost;
};

static void measure_round(struct bus_scene *s, struct rates *r, int round)
{
	if (round % 2)
		r->bare[round] = bus_rate_bare(s);
	struct bus_rate ours = bus_rate_relay(s), fed = bus_rate_fed(s);
	if (round % 2 == 0)
		r->bare[round] = bus_rate_bare(s);
	r->ours[round] = ours.rate;
	r->ratio[round] = ours.rate / r->bare[round];
	r->cpu[round] = ours.cpu_s;
	r->lost += ours.lost;
	r->fed[round] = fed.rate;
	r->fed_lost += fed.lost;
}

static const char *title(const char *what, const struct bus_scene *s)
{
	return xasprintf("%s, %zu B, %u subscriber%s", what, s->what.body, s->subscribers,
			 s->subscribers > 1 ? "s" : "");
}

static void measure_rates(size_t body, unsigned subscribers)
{
	struct filled what = {subscribers > 1 ? EVENTS_EIGHT : EVENTS_ONE, body, true};
	struct rates r = {0};
	struct bus_scene s;

	bus_scene_open(&s, &what, subscribers);
	for (int round = 0; round < ROUNDS; round++)
		measure_round(&s, &r, round);
	bench_row(title("a bare nng loop", &s), bench_median(r.bare, ROUNDS), "events/s",
		  BENCH_NONE, NULL, BENCH_NONE, true);
	bench_row(title("from a filled journal", &s), bench_median(r.ours, ROUNDS), "events/s",
		  bench_median(r.ratio, ROUNDS), of_bare, BAR_BARE, true);
	bench_row("lost of it, in all runs", r.lost, "messages", BENCH_NONE, NULL, BENCH_NONE,
		  false);
	bench_row("CPU of it", bench_median(r.cpu, ROUNDS), "CPU-s per 100k", BENCH_NONE, NULL,
		  BENCH_NONE, false);
	bench_row(title("while events are journaled at full speed", &s),
		  bench_median(r.fed, ROUNDS), "events/s", BENCH_NONE, NULL, BENCH_NONE, true);
	bench_row("lost of it, in all runs", r.fed_lost, "messages", BENCH_NONE, NULL, BENCH_NONE,
		  false);
	bus_scene_close(&s);
}

/* ---- delay, at 1,000 events a second ---- */

static void connect_all(void *arg)
{
	listeners_connect(arg);
}

static struct paced_delays measure_delay(const struct bus_scene *s, unsigned per_page)
{
	_Atomic int64_t *at_us[LISTENERS_MAX];
	char *destinations = xasprintf("  bus: { nng: { listen: \"%s\" } }\n", s->url);
	struct listeners l;

	listeners_start(&l, s->url, s->subscribers);
	for (unsigned i = 0; i < l.n; i++)
		at_us[i] = l.seen[i].at_us;
	struct paced_delays delays = paced_measure(&(struct paced){
		.per_page = per_page,
		.destinations = destinations,
		.to = "bus",
		.at_us = at_us,
		.n = l.n,
		.connect = connect_all,
		.arg = &l,
	});
	listeners_end(&l);
	free(destinations);
	return delays;
}

enum pacing { TENS, PAGES, PACINGS };
static const unsigned per_page[PACINGS] = {10, 100};
static const char *const pacing_names[PACINGS] = {"in tens", "in pages of 100"};

static double median(const double *number)
{
	double v[ROUNDS];

	for (size_t i = 0; i < ROUNDS; i++)
		v[i] = *(const double *)((const char *)number + i * sizeof(struct paced_delays));
	return bench_median(v, ROUNDS);
}

static void delay_table(struct paced_delays (*delays)[ROUNDS])
{
	bench_table("From the API's answer to the subscriber, each run, in ms",
		    "events|p50|p99|p99 beyond|commit p50|commit p99|behind p50|behind p99|"
		    "events/s");
	for (int i = 0; i < PACINGS; i++)
		for (int round = 0; round < ROUNDS; round++) {
			const struct paced_delays *d = &delays[i][round];

			bench_table_line(xasprintf("%s|%.2f|%.2f|%.2f|%.2f|%.2f|%.2f|%.2f|%.0f",
						   pacing_names[i], d->p50, d->p99, d->beyond_p99,
						   d->commit_p50, d->commit_p99, d->behind_p50,
						   d->behind_p99, d->per_s));
		}
}

static void measure_delays(void)
{
	static struct paced_delays delays[PACINGS][ROUNDS];
	struct bus_scene s;

	bus_scene_open(&s, &(struct filled){0, FILLED_LEAST, true}, 1);
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < PACINGS; i++) {
			int which = round % 2 ? PACINGS - 1 - i : i;
			delays[which][round] = measure_delay(&s, per_page[which]);
		}
	bus_scene_close(&s);
	bench_row("API's answer read to subscriber, 1,000/s in tens: p99 beyond the commit",
		  median(&delays[TENS]->beyond_p99), "ms", BENCH_NONE, NULL, BAR_TENS_MS, false);
	bench_row("the same, in pages of 100", median(&delays[PAGES]->beyond_p99), "ms", BENCH_NONE,
		  NULL, BAR_PAGES_MS, false);
	bench_row("commit to subscriber, in tens: p50", median(&delays[TENS]->behind_p50), "ms",
		  BENCH_NONE, NULL, BENCH_NONE, false);
	bench_row("the same: p99", median(&delays[TENS]->behind_p99), "ms", BENCH_NONE, NULL,
		  BENCH_NONE, false);
	delay_table(delays);
}

int main(void)
{
	measure_delays();
	measure_rates(FILLED_LEAST, 1);
	measure_rates(FILLED_LEAST, 8);
	measure_rates(FILLED_MOST, 1);
	measure_rates(FILLED_MOST, 8);
	return bench_write("bus");
}
