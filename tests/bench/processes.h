/*
 * processes — the relay and a Node script as real processes beside a real simulator, and what they
 * take. Binaries come from the folder $O (preset: build).
 */
#ifndef RELAY_BENCH_PROCESSES_H
#define RELAY_BENCH_PROCESSES_H

#include <stdint.h>

struct process_cost {
	double cpu_s, peak_kb;
	double posts; /* that the receiver had at the end */
};

/* RSS in KB of a fresh relay that took in so many rows and has fallen quiet. */
double processes_rss_kb(uint32_t recipients);

/* Two full sweeps, step_ms of the campaign between them, each change posted to a receiver: by
 * tests/bench/poll.mjs with a number a row; by the relay with its durable journal, until the
 * receiver has at least `posts`. */
struct process_cost processes_node(uint32_t recipients, unsigned step_ms);
struct process_cost processes_relay(uint32_t recipients, unsigned step_ms, double posts);

#endif
