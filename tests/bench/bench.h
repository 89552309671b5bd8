/*
 * bench — rows of measurements: printed as a table, written as build/bench/NAME.json.
 *
 * Machines are noisy: a figure counts as a ratio to a limit or a peer measured in the same run, in
 * alternating rounds, as the median of at least five.
 *
 *   bench_row("commit, groups of 100", rate, "events/s", pair.ratio, "append + fdatasync", 0.35,
 *             true);
 *   return bench_write("journal");
 */
#ifndef RELAY_BENCH_H
#define RELAY_BENCH_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_NONE NAN

/*
 * One row. ratio BENCH_NONE: the value itself is what the bar judges. of: what the ratio is to;
 * NULL with no ratio. bar BENCH_NONE: no bar. higher_is_better: ok means at least the bar, else at
 * most. The strings are borrowed until bench_write.
 */
void bench_row(const char *what, double value, const char *unit, double ratio, const char *of,
	       double bar, bool higher_is_better);

/*
 * A table of further figures, which nothing judges; its lines follow. Cells are separated by "|".
 * The strings are borrowed until bench_write.
 */
void bench_table(const char *title, const char *head);
void bench_table_line(const char *cells);

/* Writes the file, prints the rows that miss their bar; 1 if there is one, else 0: main's result.
 */
int bench_write(const char *name);

double bench_median(double *v, size_t n); /* sorts v */

/* Measures `rounds` times ours and the peer in turn, swapping who begins. The medians of both
 * and of the rounds' ratios ours / peer. */
struct bench_pair {
	double ours, peer, ratio;
};
struct bench_pair bench_pairs(size_t rounds, double (*ours)(void *), double (*peer)(void *),
			      void *arg);

double bench_wall_s(void); /* monotonic */
double bench_cpu_s(void);  /* of all threads of this process */

#endif
