/*
 * processes — the relay and a Node script as real processes beside a real simulator, and what they
 * take. Binaries come from the folder $O (preset: build).
 */
#ifndef RELAY_BENCH_PROCESSES_H
#define RELAY_BENCH_PROCESSES_H

#include <stdint.h>

struct process_cost {
	double cpu_s, peak_kb;
};

/* RSS in KB of a fresh relay that took in so many rows and has fallen quiet. */
double processes_rss_kb(uint32_t recipients);

/* Two full sweeps, a minute of the campaign between them, each change posted to a receiver: by the
 * relay with its durable journal; by tests/bench/poll.mjs with a number a row. */
struct process_cost processes_relay(uint32_t recipients);
struct process_cost processes_node(uint32_t recipients);

#endif
