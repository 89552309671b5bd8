/*
 * transport — the contract of whatever carries events out of Relay. Read this to write one;
 * stdout.c is the smallest, copy it to start.
 *
 * A transport is one const struct at the foot of its file and one line in registry.c. Delivery
 * calls it on the loop thread only, and never two calls at once:
 *
 *   open   reads nothing but its options and env; may fail. close follows either way, so it
 *          accepts a half-opened self. The settings may go away after it: it copies what it needs.
 *          env stays until close has returned.
 *   send   takes one parcel, which is borrowed until its verdict is answered or close returns. It
 *          answers env->done exactly once per id, later or before it returns, on the loop thread
 *          (a transport with threads of its own posts to env->loop). It never blocks.
 *   tick   optional; called at least every second and after each commit.
 *   close  ends what is in flight without a verdict (delivery repeats those after the next
 *          start), and returns within a second whatever its library does. env->done is not called
 *          any more once it was called.
 *
 * After a reload a destination is opened with its new settings before the old self is closed,
 * which happens when its last answer is in; but one that `listens` keeps its self as it is, since
 * addresses do not change without a restart.
 *
 * The caller gives `size` zeroed bytes as self and reads `options` into `settings` before open.
 * What each verdict means is in docs/delivery.md; SENT only after the other side acknowledged, or,
 * where the protocol has no acknowledgement (nng pub), after the message was handed over.
 */
#ifndef RELAY_TRANSPORT_H
#define RELAY_TRANSPORT_H

#include "relay/base/address.h"
#include "relay/base/clock.h"
#include "relay/base/event.h"
#include "relay/base/mailbox.h"
#include "relay/base/template.h"
#include "relay/config/option.h"

enum verdict {
	SENT,
	TRY_AGAIN,
	REFUSED, /* never again by itself: the event is parked */
};

struct outcome {
	enum verdict verdict;
	const char *why;    /* borrowed for the call; one line; NULL for a first-class success */
	int64_t wait_ms;    /* TRY_AGAIN: not before; -1: by delivery's own schedule */
	bool disable;	    /* the destination says it is gone for good (HTTP 410) */
	bool no_connection; /* nobody answered at all */
	bool throttled;	    /* it says that too much comes (HTTP 429) */
	int64_t took_ms;
	/* Not 0: the routes answered with this number went in one call. Those to be tried again are
	 * handed to send one behind the other, with this number in their parcels. */
	uint64_t group;
};

/* One event on its way to one destination. */
struct parcel {
	uint64_t id;		   /* of this attempt; the transport gives it back in done */
	const struct event *event; /* numbered; event->topic is the route's topic or NULL */
	int64_t prevsequence;	   /* of a topical transport */
	unsigned attempt;	   /* from 1 */
	uint64_t group;		   /* not 0: of the call that failed; see outcome */
	/* What the rule that sent it says of the body, in place of the destination's settings;
	 * NULL: nothing. Only for transports with bodies. Borrowed for the call of send. */
	const struct template *body;
};

struct wire;
struct transport_history;

struct transport_env {
	const char *destination; /* its name, for messages */
	uint32_t number;	 /* its number, for queries */
	struct mailbox *loop;
	struct wire *wire;		    /* the thread that makes HTTP calls */
	const struct sockaddr_storage *own; /* our own listening addresses; see network_policy */
	size_t nown;
	size_t calls; /* of many parcels each, that may be open at once; 0: no bound */
	void (*done)(void *arg, uint64_t id, const struct outcome *out);
	void *arg;
	const struct transport_history *history; /* for refills; NULL where there is no journal */
};

/* What a transport may ask about the past: routes already committed for its destination. */
struct history_query {
	uint32_t number;    /* of the destination */
	const char *prefix; /* of the topic; "": any */
	int64_t after;	    /* sequences above it */
	size_t limit, scan; /* routes given; routes looked at (0: no bound) */
	size_t max_bytes;   /* of bodies together; at least one is given */
};
struct history_event {
	int64_t sequence, prevsequence;
	const char *topic, *body; /* borrowed for the call of `each` */
	size_t len;
};
struct history_end {
	int64_t scanned;	/* up to this sequence everything was looked at */
	bool more;		/* it stopped at a limit, not at the end */
	int64_t oldest, latest; /* sequences the journal holds */
};
typedef void history_each(void *arg, const struct history_event *ev);

/* What is known of a broadcast's recipients now. */
struct history_rows_query {
	const char *broadcast, *org; /* ids; org NULL: whichever has it */
	const char *after;	     /* the place of a row; "": from the first on */
	size_t limit;
};
struct history_row {
	const char *place, *body; /* borrowed for the call of `each`; the body is a JSON object */
	size_t len;
};
#define HISTORY_PLACE_MAX 64 /* bytes of a place */
struct history_rows_end {
	int64_t sequence; /* every event up to it is contained, and none behind it */
	bool more;	  /* there are rows behind the last one given */
	bool ambiguous;	  /* several organizations have one of that id: nothing was given */
	char *broadcast;  /* owned; a JSON object. NULL: none of that id is known */
};
typedef void history_row_each(void *arg, const struct history_row *row);
struct transport_history {
	void *arg;
	/* Blocks; any thread but the loop's. */
	int (*routes)(void *arg, const struct history_query *q, history_each *each, void *each_arg,
		      struct history_end *ret, struct err *err);
	/* In an order in which each row keeps its place and new ones come last. An `after` that is
	 * no row's place fails with ERR_FORMAT. Blocks; as above. NULL: that is not to be told. */
	int (*rows)(void *arg, const struct history_rows_query *q, history_row_each *each,
		    void *each_arg, struct history_rows_end *ret, struct err *err);
};

/* A call as it would be made, for who tries rules. */
struct transport_preview {
	const char *method; /* static */
	struct buf url;	    /* or what else is called by the method */
	struct buf headers; /* a header a line: "Name: value\n" */
	struct buf body;
};
void transport_preview_release(struct transport_preview *v); /* {0} is allowed */

/* What a transport counts beside delivery, for who watches it. A figure is a metric of the
 * destination: its name begins with relay_, in base units; those of one name are the same in all.
 */
#define TRANSPORT_FIGURES 24
#define TRANSPORT_PEERS	  64
struct transport_figure {
	const char *name, *help; /* static */
	bool counter;		 /* it only grows, from 0 at open; else it is what it is now */
	double value;
};
struct transport_peer { /* who is connected to it */
	char address[72];
	int64_t since_ms; /* wall */
	uint64_t sent, queued, dropped;
};
struct transport_figures {
	struct transport_figure v[TRANSPORT_FIGURES];
	size_t n;
	struct transport_peer peers[TRANSPORT_PEERS]; /* those with the most trouble first */
	size_t npeers, peers_left_out;
	char trouble[200];   /* what is wrong at present, as a line; "": nothing */
	bool short_of_files; /* that is it; the log says so behind another trouble, too */
};

struct transport_type {
	const char *name; /* the key in a destination */
	size_t size;
	const struct option *options;
	size_t settings_size;
	bool topical;	  /* its routes keep a topic and prevsequence */
	bool unordered;	  /* the default of `order` is none */
	size_t in_flight; /* preset of the destination's in_flight */
	/* Verdicts that may await their commit, of which a kill repeats the sends; 0: few. Many let
	 * sending go on beside a slow disk, where repeats do no harm. */
	size_t unsettled;
	/* Settings that only together make sense are checked here; optional. */
	void (*check)(const void *settings, const struct node *at, struct problems *p);
	/* The addresses it will listen on, IP and AF_UNIX, appended to ret; optional. */
	size_t (*listens)(const void *settings, struct sockaddr_storage *ret, size_t max);
	/* How many parcels go in one call, where that is not one: in_flight counts calls. Such a
	 * transport gathers what send gives it until tick, which also comes right behind the last
	 * send of a turn. Optional. */
	size_t (*per_call)(const void *settings);
	/* How often an open alert should be told to such a destination, which else takes it for
	 * over (ms; 0: as it is); optional. */
	int64_t (*repeat_ms)(const void *settings);
	/* What send would make of the parcel, from the settings alone: nothing is open and nothing
	 * is sent. Headers with secrets and what holds for one attempt (signatures) are left out.
	 * Only for transports that call somebody; those that are not topical make callbacks, which
	 * tests of rules expect. Optional. */
	int (*preview)(const void *settings, const struct parcel *parcel,
		       struct transport_preview *ret, struct err *err);
	/* Each path of an event that the settings' templates look at, once or more; optional. */
	void (*paths)(const void *settings, template_path_fn *fn, void *arg);
	int (*open)(void *self, const void *settings, const struct transport_env *env,
		    struct err *err);
	void (*send)(void *self, const struct parcel *parcel);
	void (*tick)(void *self, struct instant now);
	/* Fills in ret, which is zeroed; never blocks; optional. */
	void (*figures)(void *self, struct transport_figures *ret);
	void (*close)(void *self);
};

extern const struct transport_type transport_http, transport_nats, transport_nng, transport_stdout;
/* Those built in, ending in NULL. */
extern const struct transport_type *const transport_types[];
const struct transport_type *transport_find(const char *name); /* NULL: none of that name */

#endif
