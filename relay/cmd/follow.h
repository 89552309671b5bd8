/*
 * follow — what `relay subscribe` does between its flags and its output: receives, notices what is
 * missing, asks for it, and gives each event once, in the order of its topic.
 */
#ifndef RELAY_FOLLOW_H
#define RELAY_FOLLOW_H

#include <signal.h>

#include "transports/nng_client.h"
#include "transports/nng_stream.h"

struct follow {
	struct bus_client *client;
	struct stream *stream;
	const char *const *subscriptions;
	size_t nsubscriptions;
	bool refills; /* there is an address to ask */
	const volatile sig_atomic_t *stop;

	/* Gives an event out. 0; 1: that was the last one wanted; -1 with err. It counts as held
	 * when the call returns 0 or 1. */
	int (*give)(void *arg, const struct bus_event *ev, struct err *err);
	/* Called whenever nothing more is waiting, and at least five times a second then. 0; 1:
	 * end; -1 with err. */
	int (*pause)(void *arg, int64_t now_ms, struct err *err);
	void (*say)(void *arg, const char *text); /* for a person: connected, filled a gap … */
	void *arg;

	/* its own */
	bool connected; /* a heartbeat came */
	bool silent;	/* that none comes has been said */
	int64_t heard_ms;
	bool missing; /* a refill is needed: set it to begin with one */
	bool begun;   /* nothing, or no longer anything, is asked for to begin with */
	int64_t retry_ms;
	char last_failure[512];
};

/* Until give or pause end it (1), *stop is set (0), or something fails for good (-1). */
int follow_run(struct follow *f, struct err *err);

#endif
