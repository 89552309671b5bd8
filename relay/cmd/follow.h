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
	bool missing;	 /* a refill is needed: set it to begin with one */
	bool begun;	 /* nothing, or no longer anything, is asked for to begin with */
	bool unsure;	 /* it may be another journal than before: set it to begin with one that was
			    held of */
	char source[80]; /* of the last heartbeat */
	int64_t late; /* the newest event from the bus since then, of which it is not known whose */
	char late_id[STREAM_ID];
	int64_t retry_ms, again_ms;
	int64_t paused_ms;
	char last_failure[512], last_oddity[512];
	struct {
		size_t n;     /* events, not yet told */
		int64_t last; /* the newest */
		char topic[200];
		bool several;
		int64_t told_ms;
	} filled;
};

/* Until give or pause end it (1), *stop is set (0), or something fails for good (-1). */
int follow_run(struct follow *f, struct err *err);

/* Was any publisher connected? If none was, it says of each address why. */
bool follow_was_connected(struct follow *f);
/* Is something missing that could not be asked for when it was tried last? */
bool follow_is_owed(const struct follow *f);

/* For catchup.h: calls pause when it is time; an event that was missing was given; events of those
 * sequences are no longer in the journal. */
int follow_breathe(struct follow *f, struct err *err);
void follow_filled(struct follow *f, const struct bus_event *ev);
void follow_lost(struct follow *f, int64_t from, int64_t to);

#endif
