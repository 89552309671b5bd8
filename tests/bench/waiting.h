/*
 * waiting — what 200,000 events cost a relay in memory that wait for a receiver which does not
 * take them.
 */
#ifndef RELAY_BENCH_WAITING_H
#define RELAY_BENCH_WAITING_H

struct waiting {
	double idle_kb; /* RSS of a relay without events */
	double refused_kb, silent_kb;
};

/* Three relays at a time, as processes; the most RSS that each is seen to have. refused: the URL of
 * a port where nobody listens; silent: one that never answers. */
struct waiting waiting_measure(const char *refused, const char *silent);

#endif
