/*
 * bench_http — callbacks of 600 bytes to a receiver on loopback: as fast as they go beside wrk (the
 * limit), libcurl without a relay around it, syslog-ng and a Node script; what 200,000 waiting ones
 * take; how soon one is there; and what others notice of a hostile receiver. One receiver for all,
 * whose own counts are what counts.
 */
#include <stdio.h>

#include "tests/bench/bench.h"
#include "tests/bench/paced.h"
#include "tests/bench/receiver.h"
#include "tests/bench/senders.h"
#include "tests/bench/waiting.h"

#define ROUNDS 5

/* libcurl, a signature's room, and a durable journal between: a study's loop without the relay's
 * order and windows came to 0.44; journaling at full speed takes a core of two. */
#define BAR_WRK	    0.40
#define BAR_WRK_FED 0.35
/* Who forwards logs in C, eight threads at it, is the peer that users know. */
#define BAR_SYSLOG     1.0
#define BAR_SYSLOG_CPU 0.55

/* Bodies stay in the journal: windows and what is excepted lie in memory, and both have ceilings.
 */
#define BAR_WAITING_MB 16
/* Parse, diff, the threads' hops, a settle's commit before it in the queue, the call itself; and
 * behind a page's last event 99 others. */
#define BAR_TENS_MS  10
#define BAR_PAGES_MS 12
/* What one destination does is not another's trouble; that it costs CPU on two cores is seen. */
#define BAR_ISOLATION 2

static const char of_wrk[] = "wrk, 16 connections";
static const char of_memory[] = "syslog-ng, 8 workers, memory queue";
static const char of_disk[] = "syslog-ng, 8 workers, reliable disk buffer";

static struct sending sent[SENDERS][ROUNDS];

/* Each in turn, the next round the other way round. */
static void measure_senders(const struct receiver *receiver)
{
	struct senders *s = senders_open(receiver);

	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < SENDERS; i++) {
			int which = round % 2 ? SENDERS - 1 - i : i;
			sent[which][round] = senders_measure(s, (enum sender)which);
		}
	senders_close(s);
}

/* Over all rounds: of a number, or of what it is to a peer's (NULL: none) in the same round. They
 * are members of the first of ROUNDS structs of that size. */
static double median(const double *number, const double *peer, size_t size)
{
	double v[ROUNDS];

	for (size_t i = 0; i < ROUNDS; i++) {
		v[i] = *(const double *)((const char *)number + i * size);
		if (peer)
			v[i] /= *(const double *)((const char *)peer + i * size);
	}
	return bench_median(v, ROUNDS);
}

static double rate_of(enum sender which)
{
	return median(&sent[which]->rate, NULL, sizeof **sent);
}

static double cpu_of(enum sender which)
{
	return median(&sent[which]->cpu_s, NULL, sizeof **sent);
}

static double rate_ratio(enum sender ours, enum sender peer)
{
	return median(&sent[ours]->rate, &sent[peer]->rate, sizeof **sent);
}

static double cpu_ratio(enum sender ours, enum sender peer)
{
	return median(&sent[ours]->cpu_s, &sent[peer]->cpu_s, sizeof **sent);
}

static void rate_row(const char *what, enum sender ours, enum sender peer, const char *of,
		     double bar)
{
	bench_row(what, rate_of(ours), "events/s", rate_ratio(ours, peer), of, bar, true);
}

static void sender_rows(void)
{
	static const char filled[] = "POST, from a filled journal";
	static const char fed[] = "POST, while events are journaled at full speed";

	bench_row("POST, wrk, 16 connections: the limit", rate_of(SENDER_WRK), "events/s",
		  BENCH_NONE, NULL, BENCH_NONE, true);
	rate_row("POST, libcurl alone, 16 at once", SENDER_BARE, SENDER_WRK, of_wrk, BENCH_NONE);
	rate_row(filled, SENDER_RELAY, SENDER_WRK, of_wrk, BAR_WRK);
	rate_row(fed, SENDER_RELAY_FED, SENDER_WRK, of_wrk, BAR_WRK_FED);
	rate_row(filled, SENDER_RELAY, SENDER_SYSLOG_MEMORY, of_memory, BAR_SYSLOG);
	rate_row(filled, SENDER_RELAY, SENDER_SYSLOG_DISK, of_disk, BAR_SYSLOG);
	rate_row(filled, SENDER_RELAY, SENDER_NODE, "Node, 16 in flight", BENCH_NONE);
	bench_row("CPU of it", cpu_of(SENDER_RELAY), "CPU-s per 100k",
		  cpu_ratio(SENDER_RELAY, SENDER_SYSLOG_MEMORY), of_memory, BAR_SYSLOG_CPU, false);
	bench_row("CPU of it", cpu_of(SENDER_RELAY), "CPU-s per 100k",
		  cpu_ratio(SENDER_RELAY, SENDER_SYSLOG_DISK), of_disk, BAR_SYSLOG_CPU, false);
	bench_row("CPU of libcurl alone", cpu_of(SENDER_BARE), "CPU-s per 100k",
		  cpu_ratio(SENDER_BARE, SENDER_SYSLOG_MEMORY), of_memory, BENCH_NONE, false);
	bench_row("CPU of wrk", cpu_of(SENDER_WRK), "CPU-s per 100k", BENCH_NONE, NULL, BENCH_NONE,
		  false);
	bench_row("CPU of Node", cpu_of(SENDER_NODE), "CPU-s per 100k", BENCH_NONE, NULL,
		  BENCH_NONE, false);
}

/* ---- memory ---- */

static void waiting_rows(const struct receiver *receiver)
{
	struct receiver refused;
	char silent[80];

	receiver_refuse(&refused);
	snprintf(silent, sizeof silent, "%s/hang", receiver->url);
	struct waiting w = waiting_measure(refused.url, silent);
	bench_row("idle relay: RSS", w.idle_kb / 1000, "MB", BENCH_NONE, NULL, BENCH_NONE, false);
	bench_row("200,000 wait for one that refuses: RSS above it",
		  (w.refused_kb - w.idle_kb) / 1000, "MB", BENCH_NONE, NULL, BAR_WAITING_MB, false);
	bench_row("200,000 wait for one that is silent: RSS above it",
		  (w.silent_kb - w.idle_kb) / 1000, "MB", BENCH_NONE, NULL, BAR_WAITING_MB, false);
}

/* ---- delay, at 1,000 events a second ---- */

enum pacing { TENS, PAGES, BESIDE_SILENT, BESIDE_FLOOD, PACINGS };
static const char *const pacing_names[] = {
	"in tens",
	"in pages of 100",
	"in tens, beside one that never answers",
	"in tens, beside one whose answers never end",
};
static struct paced_delays delays[PACINGS][ROUNDS];

static struct paced_delays measure_delay(const struct receiver *r, unsigned per_page,
					 const char *hostile)
{
	char destinations[400];
	_Atomic int64_t *at_us = r->seen->at_us;
	int n = snprintf(destinations, sizeof destinations,
			 "  sink: { http: { url: \"%s/timed\" } }\n", r->url);

	if (hostile)
		snprintf(destinations + n, sizeof destinations - (size_t)n,
			 "  hostile: { http: { url: \"%s\" } }\n", hostile);
	for (size_t i = 0; i < RECEIVER_NOTES; i++)
		at_us[i] = 0;
	return paced_measure(&(struct paced){
		.per_page = per_page,
		.destinations = destinations,
		.to = hostile ? "sink, hostile" : "sink",
		.at_us = &at_us,
		.n = 1,
	});
}

static void measure_delays(const struct receiver *receiver, const struct receiver *hostile)
{
	char silent[80], flood[80];

	snprintf(silent, sizeof silent, "%s/hang", hostile->url);
	snprintf(flood, sizeof flood, "%s/flood", hostile->url);
	const struct {
		unsigned per_page;
		const char *hostile;
	} kinds[] = {{10, NULL}, {100, NULL}, {10, silent}, {10, flood}};
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < PACINGS; i++) {
			int which = round % 2 ? PACINGS - 1 - i : i;
			delays[which][round] = measure_delay(receiver, kinds[which].per_page,
							     kinds[which].hostile);
		}
}

static double beyond_p99(enum pacing which)
{
	return median(&delays[which]->beyond_p99, NULL, sizeof **delays);
}

static double whole_p99(enum pacing which)
{
	return median(&delays[which]->p99, NULL, sizeof **delays);
}

static double times_alone(enum pacing which)
{
	return median(&delays[which]->p99, &delays[TENS]->p99, sizeof **delays);
}

static void delay_table(void)
{
	static char lines[PACINGS * ROUNDS][160];
	int n = 0;

	bench_table("From the API's answer to the receiver, each run, in ms",
		    "events|p50|p99|p99 beyond|commit p50|commit p99|events/s");
	for (int i = 0; i < PACINGS; i++)
		for (int round = 0; round < ROUNDS; round++, n++) {
			const struct paced_delays *d = &delays[i][round];

			snprintf(lines[n], sizeof lines[n], "%s|%.2f|%.2f|%.2f|%.2f|%.2f|%.0f",
				 pacing_names[i], d->p50, d->p99, d->beyond_p99, d->commit_p50,
				 d->commit_p99, d->per_s);
			bench_table_line(lines[n]);
		}
}

static void delay_rows(void)
{
	static const char alone[] = "the same without it";

	bench_row("API's answer read to receiver, 1,000/s in tens: p99 beyond the commit",
		  beyond_p99(TENS), "ms", BENCH_NONE, NULL, BAR_TENS_MS, false);
	bench_row("the same, in pages of 100", beyond_p99(PAGES), "ms", BENCH_NONE, NULL,
		  BAR_PAGES_MS, false);
	bench_row("in tens, beside one that never answers: p99", whole_p99(BESIDE_SILENT), "ms",
		  times_alone(BESIDE_SILENT), alone, BAR_ISOLATION, false);
	bench_row("in tens, beside one whose answers never end: p99", whole_p99(BESIDE_FLOOD), "ms",
		  times_alone(BESIDE_FLOOD), alone, BAR_ISOLATION, false);
	delay_table();
}

int main(void)
{
	struct receiver receiver, hostile;

	receiver_start(&receiver);
	receiver_start(&hostile);
	measure_senders(&receiver);
	sender_rows();
	waiting_rows(&hostile);
	measure_delays(&receiver, &hostile);
	delay_rows();
	receiver_end(&receiver);
	receiver_end(&hostile);
	return bench_write("http");
}
