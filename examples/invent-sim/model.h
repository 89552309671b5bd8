/*
 * model — a make-believe Invent account: broadcasts whose recipients are sent to, fail, open …
 * as a real campaign's would, and the three endpoints that show them.
 *
 *   campaign (what will happen to a row, from the seed) → queue (what is due next) → state at `now`
 *        → roll (rows in list order, pages, filters) → render (JSON) → fault (what goes wrong)
 *        → ledger (what happened, and what of it a client was shown)
 *
 * The library does no I/O, reads no clock and starts no thread: time comes in with every call and
 * never goes back. The same options and the same calls give the same bytes. main.c and server.c
 * put it on a port; a test calls it directly, with a relay on the same virtual clock.
 *
 * What happens to a row is computed from the seed and the row's number whenever it is needed and
 * stored nowhere, so a million recipients cost some 50 MB; only a row that was changed otherwise
 * (model_change, unrest, some faults) has its history written down from then on.
 */
#ifndef INVENT_SIM_MODEL_H
#define INVENT_SIM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/buf.h"
#include "relay/base/err.h"

/* What can happen to a row, in the order of a message's life (ties in time keep it). */
enum sim_what {
	SIM_ADDED, /* it appears in the list */
	SIM_SKIPPED,
	SIM_SENT,
	SIM_PROCESSED, /* status SENDING → PROCESSED */
	SIM_FAILED,
	SIM_BOUNCED,
	SIM_DELIVERED,
	SIM_OPENED,
	SIM_PLAYED,
	SIM_COMPLAINED,
	SIM_UNSUBSCRIBED,
	SIM_REPLIED, /* an undocumented flag: only a fault or model_change sets it */
	SIM_STATES,
	SIM_CLICKED = SIM_STATES, /* counted for the broadcast, not shown in the row */
	SIM_REMOVED,		  /* the row is gone from the list */
	SIM_WHATS
};
extern const char *const sim_what_names[SIM_WHATS]; /* "added", "skipped" … */
int sim_what_number(const char *name);		    /* -1: none */

/* How the recipients list is sorted. */
enum sim_order {
	SIM_ORDER_NONE, /* a fixed shuffle */
	SIM_ORDER_ID,
	SIM_ORDER_CREATED, /* newest first, as all but the next two */
	SIM_ORDER_UPDATED,
	SIM_ORDER_CREATED_OLDEST,
	SIM_ORDER_UPDATED_OLDEST,
};
int sim_order_number(const char *name); /* none, id, created, …; -1: no such order */

/* What the counters in the broadcast list say. */
enum sim_counters_mood {
	SIM_COUNTERS_EXACT,
	SIM_COUNTERS_LAG,    /* what was true lag_ms ago, to a thirty-second of it */
	SIM_COUNTERS_STUCK,  /* what was true after the first minute of sending */
	SIM_COUNTERS_WRONG,  /* each is off by a number or a factor that follows from the seed */
	SIM_COUNTERS_ABSENT, /* nothing: there are no such members */
};
struct sim_counters {
	enum sim_counters_mood mood;
	int64_t lag_ms;
};
bool sim_counters_parse(struct sim_counters *ret, const char *text); /* exact, lag=30s, stuck … */

/* How many of a hundred flags have an _at that is null, earlier than what came before it, or some
 * hours in the future. */
struct sim_times {
	unsigned null, early, future;
};
bool sim_times_parse(struct sim_times *ret, const char *text); /* null=10,early=5 */

/* What befalls the rows of each broadcast while it is sent to and after: so many an hour. */
struct sim_unrest {
	uint32_t removals; /* rows that leave the list */
	uint32_t flips;	   /* flags that fall; half of them rise again within ten minutes */
	uint32_t swaps;	   /* pairs of rows that change places in the list */
};

struct sim_broadcast {
	const char *id;	  /* NULL: bc_1, bc_2 … */
	const char *org;  /* NULL: the main organization */
	const char *kind; /* of campaign_kinds; NULL: mix */
	uint32_t recipients;
	int64_t start_ms; /* from the epoch */
};

/* All strings are borrowed for model_new only. Zero is a good value for all but org. */
struct model_options {
	uint64_t seed;
	int64_t epoch_ms; /* when the virtual time begins, since 1970 */
	const char *org;
	const char *const *sub_orgs; /* NULL-terminated, or NULL */
	const char *key;	     /* the one accepted Bearer token; NULL: any request is good */
	const struct sim_broadcast *broadcasts;
	size_t nbroadcasts;   /* at most 65,535 */
	const char *channels; /* "whatsapp_bot:60,twilio:40" for all; NULL: as their kind says */
	int64_t ramp_ms;      /* from the first send to the last */
	int64_t until_ms;     /* from the epoch: nothing happens later; 0: no end */
	enum sim_order order;
	struct sim_counters counters;
	struct sim_times times;
	struct sim_unrest unrest;
	bool along_ramp;     /* rows are created as they are sent to, not all at the start */
	unsigned rate_limit; /* requests a client may make in any 60 s; 0: no limit */
	uint32_t stranger;   /* requests an hour of somebody else behind the same addresses */
	int64_t revoked_ms;  /* from the epoch on; then no key is good. 0: never */
	bool retry_after;    /* its 429 says how long to wait */
	bool next_tokens;    /* pages name their successor in a pagination-next header */
};

struct model;
#define SIM_TAKE 100 /* the most rows a page may have, and what it has unasked */

/* Fails on an unknown kind or channel and on two broadcasts of one id. */
struct model *model_new(const struct model_options *o, struct err *err);
void model_free(struct model *m);

/* Lets happen all that is due at now_ms (virtual, since 1970). Earlier times change nothing. */
void model_advance(struct model *m, int64_t now_ms);
int64_t model_now(const struct model *m);	  /* the latest time it was given */
int64_t model_next_change(const struct model *m); /* when; INT64_MAX: nothing will happen */
void model_end(struct model *m);		  /* nothing happens any more; replies go on */

/*
 * Changes a row by hand: a flag rises or falls (SIM_SKIPPED … SIM_REPLIED, SIM_PROCESSED), or the
 * row is removed (rises is then true). False when there is no such row now or it is so already.
 */
bool model_change(struct model *m, const char *broadcast, const char *recipient, enum sim_what what,
		  bool rises);

/* Changes a broadcast's status by hand: one that was sent is sent again, say. False when there is
 * no such broadcast or status, when it is so already, or after eight changes. */
bool model_change_status(struct model *m, const char *broadcast, const char *status);

/* ---- requests */

struct sim_request {
	const char *method, *path; /* path without the query, still percent-encoded */
	const char *query;	   /* behind the "?", percent-encoded; NULL: none */
	const char *authorization; /* that header; NULL: none */
	const char *client;	   /* the address, for the rate limit */
	int64_t arrived_ms; /* the client's clock, for the rate limit: it is not accelerated */
};

struct sim_header {
	char name[32], value[96];
};

enum sim_ending {
	SIM_WHOLE,
	SIM_CUT,   /* the connection ends after `sent` bytes of the body */
	SIM_RESET, /* … before anything was said */
	SIM_HANG,  /* nothing is said, and the connection stays open until the client gives up */
	SIM_FLOOD, /* the body comes again and again, chunked, for `sent` bytes; then as SIM_CUT */
};

/* Which rows a reply shows, and which flags of them; kept until the reply has gone out. */
struct sim_mark {
	uint32_t broadcast, row;
	uint32_t flags;
};

#define SIM_HEADERS   16
#define SIM_FLOOD_MAX (64 << 20)
struct sim_reply {
	int status;
	struct sim_header headers[SIM_HEADERS]; /* Date, Content-Type, pagination-count … */
	size_t nheaders;
	struct buf body;
	int64_t delay_ms; /* to wait before it is sent */
	enum sim_ending ending;
	size_t sent; /* SIM_CUT, SIM_FLOOD */
	struct sim_mark *marks;
	size_t nmarks, marks_cap;
	int64_t at_ms;	  /* the time it shows */
	uint32_t changes; /* … and how many changes by hand there were then */
};

/* Advances to now_ms and answers. *ret is made anew (release an old one before). */
void model_request(struct model *m, int64_t now_ms, const struct sim_request *rq,
		   struct sim_reply *ret);
/* The client has got the whole reply: what it shows counts as shown. Without this call (the
 * connection broke, say) it does not. */
void model_served(struct model *m, const struct sim_reply *reply);
const char *sim_reply_header(const struct sim_reply *reply, const char *name); /* or NULL */
void sim_reply_release(struct sim_reply *reply);

struct sim_counts {
	uint64_t requests, lists, recipients, orgs; /* taken in, by endpoint */
	uint64_t limited;			    /* answered 429 for the rate limit */
	uint64_t faulted;			    /* spoilt by a fault */
	uint64_t peak; /* most requests of one client in any 60 s, those refused left out */
};
void model_counts(const struct model *m, struct sim_counts *ret);
/* Appends a JSON object: time, next change, broadcasts with their counters, requests, faults. */
void model_status(const struct model *m, struct buf *out);

/* Replaces all faults by those of a comma-free list of specs (see fault.h), one a string. */
int model_set_faults(struct model *m, const char *const *specs, size_t n, struct err *err);

/* ---- ledger */

/*
 * Every change ever made, one JSON object a line:
 *
 *   {"type":"recipient.failed","broadcast":"bc_1","recipient":"rcp_…","at":"2026-…Z",
 *    "timed":true,"shown":true,"owed":true}
 *
 * shown: it stood in a row of at least one reply that was served whole and readable.
 * owed: who read all those replies, and those at the end, had to notice it. A change that came and
 * went between two replies is not owed; nor is a second rise when the fall between was not shown.
 * timed: an event about it must carry `at` as its time; where the API gives no time for such a
 * change (processed, reverted, removed, added, a broadcast's status, a null _at) it is false.
 * at: when it happened; of what is timed, what the API says of that.
 */
struct ledger {
	const struct model *model;
	int64_t until_ms;
	uint32_t broadcast, row;
	bool statuses_done;
};
void ledger_start(struct ledger *l, const struct model *m); /* as of model_now */
/* Appends lines until `out` holds at least `about` bytes. False: that was the end. */
bool ledger_read(struct ledger *l, struct buf *out, size_t about);

#endif
