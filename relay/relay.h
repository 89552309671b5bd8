/*
 * relay — the whole: owns one of each stage and is the only place where they meet.
 *
 *   source ──► diff ──► rules ──► journal ──► delivery ──► transports
 *
 * One thread runs relay_tick and relay_run and owns all state in memory; the journal, reader, wire
 * and bus threads answer through its mailbox.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "relay/settings.h"
#include "relay/source/source.h"

struct relay;

struct relay_env {
	/* NULL: libcurl on the loop's own CURLM, the system's clock. Simulations give their own. */
	client_fetch *fetch;
	void *fetch_arg;
	struct instant (*clock)(void *arg);
	void *clock_arg;
	uint64_t seed; /* jitter */
};

/* Opens the journal, reads what it holds, opens the destinations. Takes the settings, also on
 * failure. */
struct relay *relay_open(struct settings *settings, const struct relay_env *env, struct err *err);
void relay_close(struct relay *r); /* NULL is allowed */

/* Does what is due; returns ms until the next work, INT_MAX when only answers are awaited. */
int relay_tick(struct relay *r, struct instant now);

/* Waits until something happened that a tick should look at, or timeout_ms passed; then tick. For
 * owners without relay_run. */
void relay_wait(struct relay *r, int timeout_ms);

/*
 * The daemon: ticks and waits, commanded by bytes read from signal_fd: 'T' stops gracefully (no new
 * polls and sends, stop_timeout for what is in flight), a second one ends at once; 'H' loads the
 * settings' file anew. Returns the exit status: 0, or 1 when it was cut short or the wait failed.
 */
int relay_run(struct relay *r, int signal_fd);

/* Swaps in new settings, or says why not; then nothing has changed. Takes the settings. */
int relay_reload(struct relay *r, struct settings *settings, struct err *err);

/* Every route committed so far is settled or parked. For simulations and tests. */
bool relay_delivered(const struct relay *r);

/* A page or a commit is on its way through the journal's threads: a simulation lets no time pass
 * meanwhile. */
bool relay_settling(const struct relay *r);

/* How long single calls held the loop thread. */
void relay_loop(const struct relay *r, struct relay_loop *ret);
void relay_source_status(const struct relay *r, struct source_status *ret);
void relay_journal_stats(const struct relay *r, struct journal_stats *ret);

#endif
