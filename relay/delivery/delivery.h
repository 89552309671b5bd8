/*
 * delivery — gets what the journal owes to each destination there: at least once, in order per
 * key where asked for, again when it failed, parked when nothing helps, never dropped.
 *
 * Each destination has a cursor over its routes. On the happy path a batch of sends costs one
 * cursor move; only exceptions get rows of their own:
 *   retry    due at a time by the schedule; its key's later routes wait
 *   waiting  behind an earlier route of the same key that is in retry
 *   parked   for a person to decide; blocks nobody
 *
 * Invariants: (1) a route is settled only after its verdict SENT, or its exception row, is in the
 * batch that moves the cursor over it; (2) with order by key, first arrivals of one key are sent
 * in sequence order, each after its predecessor was settled; (3) at most in_flight routes are out
 * and SETTLES_MAX verdicts await their commit, so a kill repeats at most their sum.
 *
 * Pure of clock and I/O: time comes in, reads and commits go through the journal, sends through
 * the transport. Loop thread only.
 */
#ifndef RELAY_DELIVERY_H
#define RELAY_DELIVERY_H

#include "relay/base/random.h"
#include "relay/journal/journal.h"
#include "transports/transport.h"

#define SETTLES_MAX 512
#define EXCEPTIONS_MAX                                                                             \
	10000 /* retry and waiting rows of a destination; then its cursor stands still */

enum order { ORDER_RECIPIENT, ORDER_NONE };

/* Beside the transport's name in a destination. */
struct delivery_options {
	bool enabled;
	int order;	      /* enum order */
	int64_t in_flight;    /* 0: the transport's preset */
	double rate;	      /* sends per second; 0: no bound */
	struct numbers retry; /* delays before attempt 1, 2, 3 … in ms */
};
extern const struct option delivery_option_table[];

struct delivery;

/* What delivery tells its owner, for the log and for events about the relay itself. */
enum delivery_notice { DELIVERY_FAILING, DELIVERY_RECOVERED, DELIVERY_PARKED, DELIVERY_DISABLED };
struct delivery_env {
	struct journal *journal;
	struct mailbox *loop;
	struct wire *wire;
	const struct transport_history *history;
	struct prng random; /* jitter */
	/* Borrowed for the call: the destination's name, an event id or NULL, and why. */
	void (*notice)(void *arg, enum delivery_notice what, const char *destination,
		       const char *event, const char *why);
	/* The template of a callback's body, by the number of the rule that sent the event; NULL:
	 * none. Borrowed until the next reload. Optional. */
	const struct template *(*body)(void *arg, uint32_t rule);
	void *arg;
	const struct sockaddr_storage *own;
	size_t nown;
};

struct delivery *delivery_open(const struct delivery_env *env);
/* Closes the transports, so that no verdict comes any more; what is unsettled stays owed. The
 * memory goes when the journal has given the answers it owes. NULL is allowed. */
void delivery_close(struct delivery *d);

/*
 * Destinations are opened, and given new settings, in two steps, so that a change of several
 * happens as a whole or not at all: prepare opens each one's transport aside and may fail;
 * then either take makes all that was prepared current, or drop undoes it.
 *
 * record and exceptions (its own, ascending) are copied and looked at only for a destination not
 * known yet; one that is known keeps its cursor and exceptions. options are borrowed until replaced
 * or removed, settings until prepare returns. Attempts in flight end under the old transport; one
 * that listens stays open as it is.
 */
struct delivery_destination {
	const struct destination_record *record;
	const struct exception *exceptions;
	size_t nexceptions;
	const struct delivery_options *options;
	const struct transport_type *type;
	const void *settings;
	bool enable; /* one that was disabled (410) starts again */
};
int delivery_prepare(struct delivery *d, const struct delivery_destination *dest, struct err *err);
void delivery_take(struct delivery *d);
void delivery_drop(struct delivery *d);

/* Stops sending to it (detached); its routes stay owed. */
void delivery_remove(struct delivery *d, uint32_t number);

/* Something was committed up to `latest`. */
void delivery_committed(struct delivery *d, int64_t latest);

/* Does what is due; returns ms until the next work (INT_MAX: none but messages). */
int delivery_tick(struct delivery *d, struct instant now);

/* Graceful stop: no new sends; true once nothing is in flight and all verdicts are committed. */
void delivery_stop(struct delivery *d);
bool delivery_idle(const struct delivery *d);
/* All owed routes of enabled destinations are settled or parked, as of the last commit. */
bool delivery_drained(const struct delivery *d);

struct delivery_status {
	const char *name, *why;
	const char *transport; /* "": none, as it was removed */
	enum destination_state state;
	int64_t position;
	size_t in_flight, retrying, waiting, parked;
	uint64_t sent, tried_again, refused;
};
size_t delivery_status(const struct delivery *d, struct delivery_status *ret, size_t max);

/* The delay in ms before attempt n (from 1; n within the schedule), ±20 % jitter; -1: no more. */
int64_t retry_delay_ms(const struct numbers *schedule, unsigned attempt, double random);

#endif
