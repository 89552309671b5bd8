/*
 * transport_suite — the contract of transports/transport.h as tests, the same for every transport.
 * A transport's test file describes its other side and hands it over:
 *
 *   int main(void) { return transport_suite_run(&mine); }
 */
#ifndef RELAY_TRANSPORT_SUITE_H
#define RELAY_TRANSPORT_SUITE_H

#include "transports/transport.h"

struct suite_transport {
	const char *name; /* of the group of tests; NULL: the type's */
	const struct transport_type *type;
	/* Starts the other side. *ret_config: yours to free; the transport's map in YAML (flow
	 * style, one line) with which it reaches this other side. `hangs`: it takes nothing;
	 * asked for only when can_hang. */
	void *(*far_open)(bool hangs, char **ret_config);
	/* Waits until n bodies have come, or 10 s; how many there are. Called after open, so a
	 * subscriber may have to wait for its connection in far_ready. */
	size_t (*far_count)(void *far, size_t n);
	void (*far_ready)(void *far); /* after open; NULL: nothing to wait for */
	/* The body that came as number i, NUL-terminated; borrowed. */
	const char *(*far_body)(void *far, size_t i);
	void (*far_close)(void *far);
	bool can_hang;
	bool adds_to_body; /* what arrives is longer than the event's own bytes (pub/sub) */
};

/* Runs all clauses; what main returns. */
int transport_suite_run(const struct suite_transport *under);

#endif
