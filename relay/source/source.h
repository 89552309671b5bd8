/*
 * source — follows broadcasts: asks the API within the budget, decodes, and hands pages on.
 *
 *   planner decides what to ask → client asks → snapshot decodes → env.page gets the rows
 *                     ▲                                                    │
 *                     └──────────── source_page_done(what was new) ────────┘
 *
 * One request of a broadcast is under way at a time, from the question to source_page_done; those
 * of several broadcasts overlap. Loop thread only. Time comes in with source_tick.
 */
#ifndef RELAY_SOURCE_H
#define RELAY_SOURCE_H

#include "relay/base/clock.h"
#include "relay/source/client.h"
#include "relay/source/latency.h"
#include "relay/source/diff.h"
#include "relay/source/held.h"

#define ORGS_MAX 1000 /* each costs a list request a round */

/* source: */
enum source_since { SINCE_NOW, SINCE_ALL, SINCE_TIME };
struct source_options {
	char *base_url;		       /* https://api.useinvent.com */
	char *api_key;		       /* optional on loopback */
	struct strings orgs;	       /* [c] */
	bool sub_orgs;		       /* follow those the API lists beneath them as well */
	const struct node *broadcasts; /* {status: […]}, a list of ids, or `all` */
	const struct node *filter_map; /* parameters of the recipients endpoint, or NULL */
	char *since;		       /* now | all | RFC 3339 */
	double rate_limit;	       /* requests per second; preset 450/min; 0/s: none */
	int64_t poll_every_ms, poll_every_max_ms; /* 5s, 5m */
	int64_t follow_for_ms;			  /* 14d */
	int64_t full_sweep_every_ms;		  /* 6h */
	bool updates;
	struct strings collect; /* contact.channels, or nothing */
	char *ca_file, *proxy;
	int64_t timeout_ms; /* 30s */
	/* worked out of the above by source_options_check */
	enum source_since since_kind;
	int64_t since_ms;
	struct strings statuses, ids; /* of `broadcasts`; both empty: all */
	bool channels;
	struct strings filter; /* name, value, name, value …; goes with every recipients request */
	bool scope_filter;     /* it names people or channels: list counters count others as well */
	bool state_filter;     /* it names states: a row that is not shown is not gone */
};
extern const struct option source_option_table[];
void source_options_check(struct source_options *o, const struct node *at, struct problems *p);
void source_options_release(struct source_options *o);

/* A broadcast as it is followed. The source owns it; intake (relay/intake.c) reads it, adds to
 * `held`, and replaces `record` after a commit. */
struct followed {
	struct broadcast_record record;
	struct held *held;
	struct track *track; /* the planner's */
	bool writing;	     /* intake's: a commit of its record is under way */
	bool passing;	     /* intake's: a page of it is under way there */
	bool absent;	     /* intake's: the last complete list did not name it */
	bool caught_up; /* intake's: its rows were read once more after its status last changed */
	uint8_t sweeps; /* intake's: begun since then, … */
	uint16_t last_sweep;	/* … each of which is another one than this */
	struct latency latency; /* intake's */
	uint32_t passages;	/* intake's: pages of it so far */
	int64_t undecided_ms;	/* intake's and relay's: wall, what contacts are undecided since;
				   0: is to be asked; INT64_MAX: none is */
	int64_t audited_ms;	/* relay's: wall, when its audit was told; 0 */
	int64_t listed_ms;	/* intake's: mono, when the list named it last */
	int64_t moved_ms;	/* intake's: wall, when its list entry was last seen to change; 0 */
};

struct source;

/* Does the configuration ask for this broadcast? By its id whatever its age; else by its status,
 * and unless it is live only within follow_for of its newest time, or of when its entry was last
 * seen to change (0: not seen): counters move without a new updated_at. Pure. */
bool source_wants(const struct source_options *o, const struct listing_row *row, int64_t moved_ms,
		  int64_t now_wall_ms);

/* A broadcast's, to find it quickly among thousands. Pure. */
uint64_t source_key(const char *org, const char *id);

/* Is its organization one of the configuration's (with sub_orgs, any may be), and is it one of the
 * broadcasts, where these are named? What is followed may have been so under another configuration.
 * Pure. */
bool source_names(const struct source_options *o, const char *org, const char *broadcast);

/* Is there more to come by this status? Not by those that the API documents as ended or not begun;
 * one not seen before counts as live. */
bool source_is_live(const char *status);
/* Was it sent, or given up? Not what has not begun. */
bool source_is_over(const char *status);

/* A page of recipients; borrowed by intake until it calls source_page_done. */
struct source_page {
	struct followed *broadcast;
	struct snapshot *rows;
	const char *text; /* what rows' spans point into */
	unsigned page;
	int64_t count;	   /* pagination-count; -1 */
	uint16_t sweep;	   /* stamp for held_row.sweep of what is seen; 0: no sweep is under way */
	bool in_turn;	   /* it is that sweep's own next page */
	bool unchanged;	   /* the page's bytes are those of the last time: rows is empty */
	bool last;	   /* ends a complete sweep: unseen rows have missed it */
	int64_t asked_ms;  /* wall, when it was asked for */
	uint32_t *numbers; /* n of rows; intake fills in each row's number in `held` (new rows: the
			      one it will get), so that an unchanged page can be stamped unread; or
			      NULL */
	void *impl;
};

/* What the list shows of an organization: one page of it. Borrowed for the call. */
struct source_listing {
	const char *org;
	const struct listing_row *v;
	size_t n;
	const char *text;
	int64_t date_ms;  /* the API's clock in this reply; DATE_NONE: not given */
	int64_t asked_ms; /* wall, when it was asked for, at the earliest */
	bool part;	  /* only those of a status were asked for */
	bool complete;	  /* all pages of the organization were read in this round; v is the last */
};

enum source_notice {
	SOURCE_DOWN, /* nothing usable comes any more; why */
	SOURCE_UP,
	SOURCE_SKIPPED,	  /* rows of a page left out; why says the kind, number how many */
	SOURCE_NEW_NAME,  /* an unknown state or status; why names it */
	SOURCE_ODD_FLAG,  /* a state that the API grew has a value that is no boolean; why names it
			   */
	SOURCE_TROUBLE,	  /* one request failed and will be repeated */
	SOURCE_ORG_FOUND, /* a sub-organization; why names it; its list is polled from now on … */
	SOURCE_ORG_GONE,  /* … or not any more */
	SOURCE_GONE,	  /* a broadcast was 404 twice; the followed one */
	SOURCE_SWEPT,	  /* a complete sweep of it ended; number: pagination-count, -1: none */
};

struct source_env {
	client_fetch *fetch;
	void *fetch_arg;
	struct names *states, *statuses; /* borrowed; grow as pages are read */
	uint64_t seed;			 /* for jitter */
	bool down; /* as last told: the first answers say whether it still is */
	void (*page)(void *arg, struct source_page *p);
	/* Called for each list page. For each broadcast the owner calls source_follow or not. */
	void (*listing)(void *arg, const struct source_listing *l);
	/* Which organizations are polled was looked at anew; NULL: nobody wants to know. */
	void (*orgs)(void *arg);
	void (*notice)(void *arg, enum source_notice what, const struct followed *b,
		       const char *why, int64_t number);
	void *arg;
};

struct source *source_open(const struct source_options *o, const struct source_env *env,
			   struct instant now, struct err *err);
void source_close(struct source *s); /* when no call of it is under way. NULL is allowed */

/* What a probe learned, for broadcasts followed from now on (seed.h). Copied. */
struct seed;
void source_seed(struct source *s, const struct seed *seed);

/* A reload, while nothing is under way: other options of the same meaning for the API (borrowed
 * like the first), or another source that goes on with all that this one follows. With another
 * filter or API it keeps what is held, and learns the lists anew. */
void source_use(struct source *s, const struct source_options *o);
void source_hand_over(struct source *from, struct source *to);

/* Starts (or goes on) following; takes the record's strings and `held` (NULL: none yet). Returns
 * what is followed under (org, id). */
struct followed *source_follow(struct source *s, struct broadcast_record *record,
			       struct held *held);
/* Stops following; what is under way of it ends first, then it is freed. */
void source_unfollow(struct source *s, struct followed *b);
struct followed *source_find(const struct source *s, const char *org, const char *id);
/* Is the list of this organization asked for? */
bool source_polls(const struct source *s, const char *org);
/* All of them, for status: the i-th, or NULL. */
struct followed *source_at(const struct source *s, size_t i);

/* The list shows this broadcast; moved: its counters or times did. asked_ms: as of the listing. */
void source_listed(struct source *s, struct followed *b, const struct listing_row *row, bool moved,
		   int64_t asked_ms, struct instant now);

/* Of these states ("delivered"; n of them, which take the place of earlier ones) alerts wait to see
 * changes or none: what is due of them counts for more than of others. */
void source_await(struct source *s, const char *const *states, size_t n);

/* All its rows are read once more, soon. */
void source_sweep(struct source *s, struct followed *b);

struct page_result {
	bool failed; /* the commit failed: the page is asked for again */
	size_t added, changed;
};
/* Intake is through with a page (committed, or nothing to commit). May be called from env.page. */
void source_page_done(struct source *s, struct source_page *p, const struct page_result *r);

/* Asks what is due; returns ms until the next work (INT_MAX: only answers). */
int source_tick(struct source *s, struct instant now);
void source_pause(struct source *s,
		  bool pause);		  /* no new requests (stopping; the journal is full) */
bool source_busy(const struct source *s); /* requests or pages are under way */

struct source_status {
	uint64_t requests, failures, refusals, pages, unchanged_pages, rows, sweeps;
	size_t followed, in_flight;
	uint64_t rows_held, held_bytes;
	bool down;
	int64_t failing_since_ms; /* wall: the first of the failures in a row was asked; 0: none */
};
void source_status(const struct source *s, struct source_status *ret);

#endif
