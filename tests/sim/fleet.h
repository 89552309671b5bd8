/*
 * fleet — four receivers with moods, and a ledger of what they must get and what they got: what the
 * journal committed (events, routes, destinations) beside each request as it came. A slow and
 * obvious model, which knows nothing of cursors and rows. What it sees that must not be it keeps
 * as the first fault.
 *
 *   plain    the event as it is, in order          batch   arrays, in order
 *   headers  as headers and body, in no order      blank   without phone and email, in order
 */
#ifndef RELAY_TEST_FLEET_H
#define RELAY_TEST_FLEET_H

#include <pthread.h>

#include "relay/base/random.h"
#include "relay/journal/batch.h"
#include "tests/suite/http_receiver.h"

#define FLEET	   4
#define NUMBERS	   256 /* of destinations that there ever are in a run */
#define ATTEMPTS   6   /* delays in each schedule of fleet_config */
#define FAULT_SIZE 1024

enum mood { WELL, BUSY, AWAY, THROTTLES, LATER, GONE, MOODY, PICKY, MOODS };

/* One route: of an event to a destination. */
struct owing {
	bool routed, late;
	bool turned;	   /* a job, or retention, may have had to do with it */
	unsigned attempts; /* calls that had it */
	unsigned accepted, refused;
	unsigned life; /* of the relay, when it was accepted last */
};

struct track {
	char name[16];
	bool known, dropped;
	enum destination_state state; /* as committed */
	struct owing *v;	      /* by sequence */
	size_t cap;
	int64_t told; /* by relay.dropped */
};

struct known_event {
	char id[EVENT_ID_SIZE], type[EVENT_TYPE_SIZE], *body, *blank;
	uint64_t key;
};

struct receiver {
	struct fleet *fleet;
	struct http_receiver *http;
	const char *name;
	enum mood mood;
	int wait_s;
	bool closed; /* nothing may come */
	char reply[128];
};

struct fleet {
	pthread_mutex_t lock; /* all of it */
	struct prng random;
	struct receiver v[FLEET];
	struct track tracks[NUMBERS];
	struct known_event *events; /* by sequence, from 1 */
	size_t nevents, events_cap;
	unsigned life;
	bool turning; /* jobs are at work: what is routed now they may find */
	size_t calls, repeats;
	char fault[FAULT_SIZE]; /* the first; "": none */
};

void fleet_open(struct fleet *f, uint64_t seed);
void fleet_close(struct fleet *f);

/* For drive_options.committed; arg is the fleet. */
void fleet_committed(void *arg, const struct batch *b);

void fleet_mood(struct fleet *f, size_t i, enum mood mood, int wait_s);
void fleet_shut(struct fleet *f, size_t i, bool closed);
/* The relay ended: what it did not commit may come once more. */
void fleet_new_life(struct fleet *f);
/* A job, or retention, may be at work on all there is. */
void fleet_turn(struct fleet *f, bool goes_on);
size_t fleet_calls(struct fleet *f);

__attribute__((format(printf, 2, 3))) void fleet_fault(struct fleet *f, const char *fmt, ...);

#endif
