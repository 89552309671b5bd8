/*
 * destination — what delivery knows of one destination, shared by the files of this folder only.
 *
 *   journal ──► buffer ──► window ──► ready ──► flights ──► verdict ──► settle ──► journal
 *   (reading.c)        (window.c)           (flight.c)   (verdict.c)  (settle.c)
 *                           │                                │
 *                           └──────► excepted: dues, lanes ◄─┘
 *
 * How much flies at once is pace.c's to say; whether anything but probes does, outage.c's.
 *
 * Memory is bounded: READ_BYTES twice for bodies not yet in the window, SETTLE_WINDOW items in it,
 * EXCEPTIONS_MAX and a window of excepted ones without their bodies, LOADS_MAX due ones with.
 */
#ifndef RELAY_DESTINATION_H
#define RELAY_DESTINATION_H

#include "relay/delivery/breaker.h"
#include "relay/delivery/cursor.h"
#include "relay/delivery/delivery.h"
#include "relay/delivery/item.h"
#include "relay/delivery/pace.h"

#define READ_ROUTES 512	      /* routes of a read */
#define READ_BYTES  (1 << 20) /* and their bodies */
#define READ_BELOW  256 /* read on when fewer are buffered, so that a fast receiver never waits */
#define LOADS_MAX   256 /* due exceptions whose bodies are asked for at once */

#define SETTLE_EVERY_MS 5	 /* gathers verdicts into one commit */
#define FAILED_WAIT_MS	1000	 /* after a failed read or commit: a full disk needs no hurry */
#define PATIENCE_MS	100	 /* a call this old may cost a row to let the window move on */
#define NOTICE_EVERY_MS 10000	 /* of changing failure texts of one destination */
#define WAIT_MAX_MS	86400000 /* what a receiver may ask for, for one event */
#define PAUSE_MAX_MS	60000	 /* and, where it finds all too much, for all of them */
#define WHY_MAX		1024

/* The past as a destination gets it, for a transport's own thread. */
struct redaction {
	const struct transport_history *whole;
	struct transport_history history;
	char **names;	/* owned; fixed, whatever is reloaded */
	size_t n, nrow; /* nrow: with those of a recipient's row alone */
};

/* One transport at work. A replaced one ends when its last answer is in. */
struct outlet {
	struct outlet *older;
	struct redaction redaction;
	const struct transport_type *type;
	void *self; /* owned, of type->size bytes */
	struct transport_env env;
	size_t per_call; /* parcels that may go in one call */
	size_t flying;
};

struct flight {
	struct parcel parcel;
	struct event redacted; /* the parcel's event, if anything is left out of it */
	struct item *item;     /* NULL: free */
	struct outlet *outlet;
	struct outcome outcome; /* once answered */
	char *why;		/* owned; the outcome's */
	struct flight *next;	/* among the free or the answered ones */
	uint32_t place;		/* in flights; the low bits of parcel.id */
	bool answered;
	bool probe; /* it went while the breaker was open */
};

struct routes_buffer {
	struct delivery_route *v; /* ascending by sequence; the first `taken` are gone */
	size_t taken, n, cap;
};

struct destination {
	struct delivery *delivery;
	uint32_t number;
	char *name;
	enum destination_state state;
	char *why;	 /* why it is disabled, or what failed last; NULL: nothing */
	int64_t down_ms; /* wall: since when the breaker is open; 0: it is closed */
	bool changed;	 /* state, why or down_ms must be written */
	bool attached;	 /* has a transport and options */
	bool forgotten;	 /* its memory goes as soon as the journal owes it no answer */
	const struct delivery_options *options; /* NULL: not attached */
	struct outlet *outlet;			/* the newest first; NULL: the same */
	int order;				/* enum order that the lanes are built for */

	/* what delivery_prepare has opened aside */
	bool prepared, fresh;	    /* fresh: it is here only for that */
	struct outlet *next_outlet; /* NULL: the present one stays */
	const struct delivery_options *next_options;
	enum destination_state next_state;
	bool enable;

	/* what is where; the items are owned here */
	struct item **items;
	size_t nitems, items_cap;
	struct lanes lanes;
	struct dues dues;
	bool dues_are_wall; /* until the first tick tells what time it is */
	size_t nexcepted;   /* in retry or waiting */
	size_t nparked;
	struct item *ready, *ready_last;
	size_t nready;

	/* the window: unsettled routes above the cursor's position */
	struct cursor cursor;
	struct item *window[SETTLE_WINDOW]; /* a ring; NULL: settled */
	uint64_t window_first, window_end;
	int64_t entered;	/* the last sequence that came into it */
	int64_t window_wake_ms; /* when its oldest call will be old enough; 0: not asked */

	/* reading */
	struct routes_buffer buffer;
	size_t body_bytes;     /* of all bodies held */
	int64_t fetched;       /* the journal's routes were read up to here */
	int64_t reading_until; /* what the journal held when the read was asked for */
	bool reading, loading;
	bool read_is_stale; /* what the read under way brings is no good */
	int64_t read_again_ms;
	struct item *loads[LOADS_MAX]; /* ascending by sequence */
	size_t nloads;

	/* sending */
	struct flight **flights; /* all there ever were at once */
	size_t nflights, flights_cap;
	struct flight *free_flights, *answered, *answered_last;
	size_t flying;
	uint64_t serial; /* of the next attempt */
	struct pace pace;
	int64_t paused_ms; /* nothing is sent before: it asked for that */
	uint64_t group;	   /* of the call that failed last, and when its events are due again */
	int64_t group_due_ms;

	/* trouble */
	struct breaker breaker;
	int64_t heard_ms;	/* mono: when somebody answered last; 0: not since the start */
	uint64_t counted;	/* the group of the call that the breaker was told of last */
	size_t probing;		/* flights that are the probe */
	uint32_t probes;	/* of all its outages */
	int64_t probe_noted_ms; /* when a probe's attempt got a row last; 0: not in this outage */

	/* settling */
	struct item **dirty;
	size_t ndirty, dirty_cap;
	struct settle next; /* gone and attempts so far; what a failed commit gave back */
	size_t changed_cap, gone_cap, attempts_cap;
	size_t ngone_back; /* of gone: the first, which a failed commit gave back */
	size_t unsettled;  /* verdicts and exceptions not committed */
	size_t committing; /* of these, in the commit under way */
	bool turned;	   /* rows were taken up or forgotten by hand; not committed */
	bool turning;	   /* the same, in the commit under way */

	bool failing; /* its last failure is not yet made good */
	int64_t noticed_ms;
	uint64_t sent, tried_again, refused, dropped;
};

struct delivery {
	struct delivery_env env;
	struct destination **v;
	size_t n, cap;
	int64_t latest; /* committed sequence */
	struct instant now;
	size_t answers_owed; /* by the journal: it holds pointers to us until then */
	bool closed, stopping;
	bool committing, commit_failed;
	int64_t settled_ms, settle_again_ms;
	uint64_t turns; /* how often rows were taken up or forgotten by hand */
};

/* delivery.c */
struct destination *destination_find(const struct delivery *d, uint32_t number); /* NULL: none */
bool destination_active(const struct destination *t); /* may read and send */
/* Called when an answer of the journal has come. False: all is closed, touch nothing more. */
bool delivery_answer_came(struct delivery *d);
void notice(struct destination *t, enum delivery_what what, const char *event, const char *why);

/* window.c */
struct item *item_add(struct destination *t, int64_t sequence, uint64_t key);
void item_free(struct destination *t, struct item *x);
void item_drop_route(struct destination *t, struct item *x);
void item_mark_dirty(struct destination *t, struct item *x);
/* It goes to the end of those that may be sent now. */
void item_make_ready(struct destination *t, struct item *x);
/* The cursor passes it, and a row stands for it from the next settle on; so for all behind it. */
void item_except(struct destination *t, struct item *x);
/* Those behind it get rows, too; x has one. */
void item_except_followers(struct destination *t, struct item *x);
/* It is due at due_ms; its body is dropped. It must be excepted. */
void item_retry_at(struct destination *t, struct item *x, int64_t due_ms);
/* It is SENT or PARKED: leaves window and lane, which releases the next of its key. */
void item_end(struct destination *t, struct item *x, enum item_state end);
/* The next route that may be sent now; NULL: none, or the window has no room, or the next `look`
 * all stand behind others. */
struct item *window_admit(struct destination *t, size_t look);
void window_advance(struct destination *t);
/* After the order was changed, or exceptions were added, in a lane or out of it. */
void lanes_rebuild(struct destination *t);

/* reading.c */
struct delivery_route *buffer_first(const struct destination *t); /* NULL: empty */
void buffer_drop(struct destination *t);
/* Moves it out of the buffer; you own it. */
struct delivery_route *buffer_take(struct destination *t);
void buffer_release(struct destination *t);
/* Reads once more what did not come into the window yet. */
void read_anew(struct destination *t);
void read_more(struct destination *t);
void load_due(struct destination *t);

/* flight.c */
/* Opens one aside; outlet_use makes it the one that sends. */
struct outlet *outlet_open(struct destination *t, const struct delivery_destination *dest,
			   struct err *err);
void outlet_use(struct destination *t, struct outlet *o);
void outlet_close(struct outlet *o); /* nothing of it is flying */
/* Ends all outlets at once, without verdicts: what was out is ready again. */
void outlets_close(struct destination *t);
void outlets_tick(struct destination *t); /* and closes the replaced ones that are done */
/* The first that is ready, or the first of a group; NULL: none. */
struct item *ready_take(struct destination *t, uint64_t group);
/* Sends what may be sent; false: nothing. */
bool flights_start(struct destination *t);
/* Takes the verdicts that have come; false: none had. */
bool flights_answer(struct destination *t);
void flights_release(struct destination *t);
size_t flights_max(const struct destination *t); /* that may be out at once */
/* ms until the rate, and the receiver, allow the next send; 0: now. */
int64_t flights_wait_ms(const struct destination *t);

/* outage.c */
/* The breaker is open since t->down_ms, as the journal knew it; on the first tick. */
void outage_resume(struct destination *t);
/* Tells the breaker how a call for x ended, which may open or close it. */
void outage_count(struct destination *t, const struct item *x, const struct outcome *o, bool probe);
/* The breaker closes, whatever was before; nothing if it is closed. */
void outage_end(struct destination *t);
/* The item to be sent as the probe; NULL: none now. */
struct item *outage_probe(struct destination *t);
/* Takes the one whose body must be read to probe with it out of the dues; NULL: none now. */
struct item *outage_load(struct destination *t);
bool outage_notes(struct destination *t); /* a failed probe's attempt gets a row */

/* attach.c */
void destination_free(struct destination *t);
void destination_discard(struct destination *t); /* the same, and it is none of them any more */

/* state.c */
void destination_clear_why(struct destination *t);
void destination_enable(struct destination *t); /* it was disabled */
void discard_forgotten(struct delivery *d);	/* as soon as nobody knows of them any more */

/* redact.c */
void redaction_open(struct redaction *r, const struct delivery_options *o,
		    const struct transport_history *whole);
void redaction_close(struct redaction *r);

/* verdict.c */
void verdict_take(struct destination *t, struct item *x, const struct outcome *o, bool probe);
char *why_copy(const char *why); /* at most WHY_MAX bytes of it, yours; NULL stays NULL */
void park(struct destination *t, struct item *x, const char *why);
/* Of a destination, or of the journal for it; x may be NULL. */
void tell_failing(struct destination *t, const struct item *x, const char *why);

/* settle.c */
void settle_start(struct delivery *d);		  /* when it is time and none is under way */
size_t settles_max(const struct destination *t);  /* verdicts that may await their commit */
int64_t settle_wait_ms(const struct delivery *d); /* INT64_MAX: nothing to settle, or under way */
void settle_gone(struct destination *t, int64_t sequence); /* its row goes with the next settle */
void settle_next_release(struct destination *t);

#endif
