/*
 * polling — what the benches of the source's polling share: lists as they may be asked for, what
 * is counted and timed, and jobs in processes of their own.
 *
 * Time is virtual: the figures are the same on any machine, and only how long the bench takes
 * differs. One run is a `struct polling_job`; a job's process writes what it found with
 * polling_row and polling_line, and polling_run puts them into the bench in the order of the jobs.
 */
#ifndef RELAY_BENCH_POLLING_H
#define RELAY_BENCH_POLLING_H

#include <stdio.h>

#include "tests/bench/delays.h"
#include "tests/sim/drive.h"

#define POLLING_EPOCH_MS  1700000000000
#define POLLING_MINUTE_MS 60000
#define POLLING_RATE	  450 /* requests a minute: the source's preset */
#define POLLING_API_RATE  500

struct polling_job;

/* How the counters of a broadcast follow its rows. */
struct polling_counters {
	const char *name;
	const char *option; /* of invent-sim: --counters */
};
extern const struct polling_counters polling_counters[]; /* exact first; ends with a NULL name */
struct sim_counters polling_counters_of(const struct polling_job *job);

struct polling_order {
	const char *name;
	enum sim_order order;
};
extern const struct polling_order polling_orders[]; /* ends with a NULL name */

/* ---- counted and timed */

struct polling_asked {
	uint64_t lists, pages, filtered; /* of broadcasts; of recipients: all, or some of them */
};
/* For drive_options.asked; arg's first member. */
void polling_asked(void *arg, const char *path, const char *query);
uint64_t polling_asked_all(const struct polling_asked *a);

/* A state's name behind "recipient."; -1: another event. */
int polling_what(const struct event *ev);

/* ---- jobs */

struct polling_job {
	/* What it looks at; what does not concern it is zero. */
	uint32_t recipients;
	const struct polling_order *order;
	const struct polling_counters *counters;
	int64_t hours;
	uint32_t only; /* changes; 0: all numbers of them */
	void (*run)(const struct polling_job *job, FILE *out);
};
/* At most two side by side. Gives up when one of them does. Returns what the bench's rows borrow;
 * yours, to be freed after bench_write. */
char *polling_run(const struct polling_job *jobs, size_t n);

struct polling_row {
	const char *what, *unit, *of;
	double value, ratio, bar; /* as bench_row */
};
void polling_row(FILE *out, const struct polling_row *r);
/* A line of the table of that title, which the first one begins. No tabs. */
__attribute__((format(printf, 4, 5))) void polling_line(FILE *out, const char *title,
							const char *head, const char *fmt, ...);
/* Where standard error is a terminal. */
__attribute__((format(printf, 1, 2))) void polling_progress(const char *fmt, ...);

/* ---- the benches; each adds its jobs */

void polling_matrix(const struct polling_job *job, FILE *out);
void polling_day(const struct polling_job *job, FILE *out);
void polling_http(const struct polling_job *job, FILE *out);

#endif
