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
 * A destination in trouble: when its breaker (breaker.h) is open, nothing but probes is sent, its
 * cursor stands still, and what fails uses up no attempt of the schedule. When a probe is answered,
 * all that failed is due at once, but for what the receiver named a time for. How much is out at
 * once follows what it takes (pace.h). Where it finds that too much comes (429) and says for how
 * long, nothing at all is sent for that time, at most a minute.
 *
 * Invariants: (1) a route is settled only after its verdict SENT, or its exception row, is in the
 * batch that moves the cursor over it; (2) with order by key, first arrivals of one key are sent
 * in sequence order, each after its predecessor was settled; (3) at most in_flight routes are out
 * and SETTLES_MAX verdicts (or a transport's own number) await their commit, so a kill repeats at
 * most their sum.
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

/* Of a journal that is full: polling pauses until there is room, or what this destination is owed
 * is dropped, oldest first. */
enum when_full { WHEN_FULL_PAUSE, WHEN_FULL_DROP_OLDEST };

/* Beside the transport's name in a destination. */
struct delivery_options {
	bool enabled;
	int order;	       /* enum order */
	int64_t in_flight;     /* 0: the transport's preset, which adapts upwards, too */
	double rate;	       /* sends per second; 0: no bound */
	struct numbers retry;  /* delays before attempt 1, 2, 3 … in ms */
	int when_full;	       /* enum when_full */
	struct strings redact; /* members of `data` that it does not get */
};
extern const struct option delivery_option_table[];
/* Adds a problem for each thing that a table cannot tell; `at` is the destination's node. */
void delivery_options_check(const struct delivery_options *o, const struct node *at,
			    struct problems *p);

/* The event as such a destination gets it: itself, or a copy in *room with members of its data
 * null. The copy borrows the rest of the event. */
const struct event *delivery_redact(const struct delivery_options *o, const struct event *event,
				    struct event *room);
void delivery_redact_release(struct event *room); /* {0} is allowed */

struct delivery;

/* What delivery tells its owner, for the log and for events about the relay itself. */
enum delivery_what {
	DELIVERY_FAILING,   /* a first failure, or one of a new kind */
	DELIVERY_RECOVERED, /* nothing that failed is left */
	DELIVERY_DOWN,	    /* the breaker opened: nothing but probes is sent */
	DELIVERY_UP,	    /* it closed */
	DELIVERY_PARKED,
	DELIVERY_DISABLED, /* by the receiver, or at a start that finds it so */
	DELIVERY_GONE,	   /* what was taken up again is not in the journal any more */
};
#define DELIVERY_WHATS (DELIVERY_GONE + 1)
struct delivery_notice { /* all borrowed for the call */
	enum delivery_what what;
	uint32_t number; /* of the destination */
	const char *destination;
	const char *event; /* its id, or NULL */
	const char *why;   /* or NULL */
	int64_t since_ms;  /* wall; of DOWN and UP: when it went down */
};
struct delivery_env {
	struct journal *journal;
	struct mailbox *loop;
	struct wire *wire;
	const struct transport_history *history;
	struct prng random;					    /* jitter */
	void (*notice)(void *arg, const struct delivery_notice *n); /* optional */
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

/* A destination that the journal holds, attached or not, with its exceptions (ascending); copied.
 * Each is made known once, before it is prepared. */
void delivery_know(struct delivery *d, const struct destination_record *record,
		   const struct exception *exceptions, size_t n);

/*
 * Destinations are opened, and given new settings, in two steps, so that a change of several
 * happens as a whole or not at all: prepare opens each one's transport aside and may fail;
 * then either take makes all that was prepared current, or drop undoes it.
 *
 * record is copied. Of a destination that is known only its state counts, when that is not attached
 * yet: disabled, or else enabled; it keeps its cursor and exceptions. options are borrowed until
 * replaced or removed, settings until prepare returns. Attempts in flight end under the old
 * transport; one that listens stays open as it is.
 */
struct delivery_destination {
	const struct destination_record *record;
	const struct delivery_options *options;
	const struct transport_type *type;
	const void *settings;
	bool enable; /* one that was disabled, by a 410 or by hand, starts again */
};
int delivery_prepare(struct delivery *d, const struct delivery_destination *dest, struct err *err);
void delivery_take(struct delivery *d);
void delivery_drop(struct delivery *d);

/* Stops sending to it (detached); its routes stay owed. */
void delivery_remove(struct delivery *d, uint32_t number);

/*
 * What a person, or retention, does to a destination. Changes travel with the next settle batch.
 */
/* Disabled: nothing is sent, it keeps collecting; `why` is kept and shown; what is out ends as it
 * would. Enabled: it starts again, as long as its settings say so, too. A changed section enables
 * it as it does after a 410. False: there is none of that number, or it is detached. */
bool delivery_set_state(struct delivery *d, uint32_t number, enum destination_state state,
			const char *why);

/*
 * delivery_again and delivery_forget_parked believe what the caller picked from the journal, which
 * may be past: a parked route was taken up and sent since. So picks count only while the stamp is
 * what it was when they were asked for, and not 0. It is 0 while what such a call changed is not
 * committed, and another after each call that changed something; nothing else changes it, so that
 * traffic holds nobody up.
 *
 *   journal_hold …                         what is picked stays until it has a row
 *   stamp = delivery_stamp(d)              0: wait until something was committed
 *   journal_picks …
 *   in its answer: delivery_stamp(d) == stamp ? delivery_again(…) : pick once more
 *   when it is not 0 again: journal_release
 */
uint64_t delivery_stamp(const struct delivery *d);

/* Takes up again what was settled or parked, as the journal says, or was routed late: each is due
 * at once, as at a first attempt, behind what is owed to its key. v ascends by sequence. What is
 * owed anyway is left out. Works for disabled and detached ones, too. Returns how many were looked
 * at, fewer than n when there is no more room for exceptions (then once more, later); *ret_taken:
 * how many of these were taken up. */
struct again {
	int64_t sequence;
	uint64_t order_key;
	bool parked; /* it has a row that says so */
	/* It was owed, and may have been sent or parked since: then it is left out. */
	bool owed;
};
size_t delivery_again(struct delivery *d, uint32_t number, const struct again *v, size_t n,
		      size_t *ret_taken);
/* Parked ones that nobody wants any more: their rows go. Ascending. */
void delivery_forget_parked(struct delivery *d, uint32_t number, const int64_t *sequences,
			    size_t n);
/* What it is owed up to `until`, or to what is committed, will not be sent, but for what is out at
 * this moment, which ends as it would (it may fail, and be tried again); parked ones stay. Returns
 * how many routes that were in memory were given up; those above delivery_read_until are the
 * caller's to count, while that stands where it stood. */
size_t delivery_skip(struct delivery *d, uint32_t number, int64_t until);
/* Its routes up to here were read from the journal, or never will be. */
int64_t delivery_read_until(const struct delivery *d, uint32_t number);
/* Forgets a detached one wholly, and commits nothing more of it; the journal's part is the
 * caller's. False: it is not detached. */
bool delivery_forget(struct delivery *d, uint32_t number);

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
	uint32_t number;
	const char *name, *why;
	const char *transport; /* "": none, as it is detached */
	enum destination_state state;
	bool enabled;	  /* its settings say so, too */
	int64_t down_ms;  /* wall: since when its breaker is open; 0: it is not */
	int64_t position; /* of the cursor, as the journal has it or will */
	int64_t reached;  /* the same, and on over what was read and is nothing of its */
	size_t in_flight, in_flight_max, retrying, waiting, parked;
	uint64_t sent, tried_again, refused;
	uint64_t dropped; /* given up by delivery_skip while they were in memory, or not in the
			     journal any more */
	int64_t took_p50_ms, took_p99_ms; /* of recent answers; -1: none yet */
};
size_t delivery_status(const struct delivery *d, struct delivery_status *ret, size_t max);
/* What its transport counts; false: nothing, or it has none. */
bool delivery_figures(const struct delivery *d, uint32_t number, struct transport_figures *ret);

/* The delay in ms before attempt n (from 1; n within the schedule), ±20 % jitter; -1: no more. */
int64_t retry_delay_ms(const struct numbers *schedule, unsigned attempt, double random);

#endif
