/*
 * nng_figures — the bus's metrics, each by its name. Pure; docs/admin.md lists them.
 */
#ifndef RELAY_NNG_FIGURES_H
#define RELAY_NNG_FIGURES_H

#include "transports/nng_pipes.h"
#include "transports/nng_refill.h"

struct bus_counts {
	uint64_t published, heartbeats;
	struct pipes_totals pipes;
	bool refills; /* it has an address for them */
	struct refill_counts refill;
	int64_t now_ms; /* mono */
	uint64_t files; /* that the process may open */
};

/* Appends them. For a minute after files lacked, that is the trouble. */
void figures_fill(struct transport_figures *ret, const struct bus_counts *c);

#endif
