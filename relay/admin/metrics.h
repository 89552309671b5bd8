/*
 * metrics — the Prometheus text format (0.0.4): families with HELP and TYPE, each once, then their
 * series. Names start with relay_, units are base units, and every label's values are bounded by
 * the program or by the configuration.
 */
#ifndef RELAY_METRICS_H
#define RELAY_METRICS_H

#include <stdint.h>

#include "relay/base/buf.h"

struct admin_view;

/* A part of the page; a new one is a file and a row of the table in metrics.c. */
typedef void metrics_part(const struct admin_view *v, struct buf *out);
metrics_part metrics_relay, metrics_source, metrics_rules, metrics_journal, metrics_jobs,
	metrics_destinations, metrics_figures;

/* "counter", "gauge" or "histogram". */
void metrics_family(struct buf *out, const char *name, const char *type, const char *help);

struct metrics_label {
	const char *name, *value;
};
#define METRICS_LABELS(...) ((const struct metrics_label[]){__VA_ARGS__ __VA_OPT__(, ){0}})
/* One series; labels end with name NULL, as METRICS_LABELS makes them. */
void metrics_count(struct buf *out, const char *name, const struct metrics_label *labels,
		   uint64_t value);
void metrics_value(struct buf *out, const char *name, const struct metrics_label *labels,
		   double value);

/* A histogram whose i-th of n counts is of what took less than first_us << i; the last has no
 * bound. */
struct metrics_histogram {
	const uint64_t *counts;
	unsigned n;
	uint64_t first_us, total_us;
};
void metrics_histogram(struct buf *out, const char *name, const char *help,
		       const struct metrics_histogram *h);

/* A family of one series without labels. */
void metrics_single(struct buf *out, const char *name, const char *type, const char *help,
		    double value);

#endif
