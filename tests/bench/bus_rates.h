/*
 * bus_rates — messages a second to subscribers: those of a bare loop over nng's PUB socket, and
 * those of a relay that has them in its journal. A rate is messages / (the moment the slowest
 * subscriber has its last − the moment the first went out), and counts only when every subscriber
 * got each; so what waits in buffers at the end is paid for.
 */
#ifndef RELAY_BENCH_BUS_RATES_H
#define RELAY_BENCH_BUS_RATES_H

#include <stdbool.h>

#include "tests/bench/filled.h"

struct bus_scene {
	struct filled what;
	unsigned subscribers;
	char *folder, *url;
	double asked; /* messages a second that the bare loop was paced at and lost none, so far */
};

void bus_scene_open(struct bus_scene *s, const struct filled *what, unsigned subscribers);
void bus_scene_close(struct bus_scene *s);

/* The same messages, byte for byte but for their numbers, paced by the millisecond. The first call
 * searches for the highest rate at which nothing is lost; later ones look whether it is still that,
 * or what else. */
double bus_rate_bare(void *scene);

struct bus_rate {
	double rate;  /* 0: some got not all */
	double lost;  /* messages, of all subscribers */
	double cpu_s; /* of the publisher's process, for 100,000 messages */
};
struct bus_rate bus_rate_relay(const struct bus_scene *s);
/* While events are journaled at full speed; what arrives within two seconds. */
struct bus_rate bus_rate_fed(const struct bus_scene *s);

#endif
