/*
 * store — the contract of a journal's back end: what is durable, as synchronous calls.
 *
 * A back end is one `struct store_type` at the foot of its file (sqlite.c; postgres.c). The
 * journal (journal.h) puts threads around it: one thread owns the store opened for writing, one
 * the store opened for reading; commands open a store themselves, for reading. A store is used by
 * one thread at a time.
 *
 * What every back end guarantees, and tests/suite/store_suite.c checks:
 *  - commit: all batches of a call, or none; after it returns 0 a power cut loses nothing of them.
 *    Events get sequences in the order of the batches and of their lists; sequence order is commit
 *    order and has no gaps. A topical route gets prevsequence: the last sequence committed to the
 *    same topic for that destination before it, 0 = none.
 *  - the same batch committed twice inserts its events twice: callers repeat only after a failure.
 *  - a reading store sees whole commits only.
 */
#ifndef RELAY_STORE_H
#define RELAY_STORE_H

#include "relay/base/err.h"
#include "relay/config/option.h"
#include "relay/journal/batch.h"

enum store_mode {
	STORE_WRITE, /* creates what is missing, migrates, takes the lock that all writers share */
	STORE_READ,  /* neither creates nor changes */
};

/* Where commits of anything but verdicts end: near max_size in use, or below min_free on its disk.
 */
struct store_room {
	int64_t used, max_size; /* bytes; max_size 0: no ceiling */
	int64_t free, min_free; /* … on its disk; free -1: it lies on no disk of this machine */
	bool full;		/* it is there */
};

struct store; /* a back end's own struct begins with its type */

/* Everything small, read once at the start. */
struct store_head {
	char uuid[37];		/* of the journal, made at its creation */
	int64_t created_ms;	/* by this machine's clock */
	int64_t since_ms;	/* what `since: now` stands for; DATE_NONE: not yet set */
	int64_t outage_ms;	/* as the last batch that tells it said; 0: none */
	int64_t oldest, latest; /* sequences held; oldest 0: none; latest 0: none ever */
	struct names states, statuses;
	struct broadcast_record *broadcasts;
	struct destination_record *destinations;
	uint32_t destinations_given; /* the highest number that a destination ever had */
	struct rule_record *rules;
	struct fold_record *folds;    /* ascending by fold, key */
	struct exception *exceptions; /* of all destinations, ascending by destination, sequence */
	size_t nbroadcasts, ndestinations, nrules, nexceptions, nfolds;
};
void store_head_release(struct store_head *h);

/* A route with its event, as a destination sends it. */
struct delivery_route {
	struct event event;   /* owned; topic is the route's */
	int64_t prevsequence; /* of a topical route */
	uint32_t rule;	      /* its number */
};
struct delivery_routes {
	struct delivery_route *v;
	size_t n, cap;
	int64_t scanned; /* the sequence up to which the query looked */
	bool more;	 /* it stopped at a limit, not at the end */
	int64_t latest;	 /* the last sequence held; 0: it stopped at a limit, or asked for certain
			    ones */
};
void delivery_routes_release(struct delivery_routes *r);

/* Routes of one destination, ascending by sequence; those whose event retention took are left
 * out. */
struct route_query {
	uint32_t destination;
	int64_t after;		  /* sequences above it */
	const int64_t *sequences; /* or exactly these (ascending) … */
	size_t nsequences;	  /* … when not 0 */
	const char *topic_prefix; /* NULL: any */
	size_t limit, scan_limit; /* routes returned; routes looked at (0: no bound) */
	size_t max_bytes;	  /* of bodies together; at least one route is returned */
};

/* Events whatever their routes, for `relay events`. */
struct event_query {
	int64_t after, before;	  /* sequences between them; before 0: no bound */
	int64_t recorded_from_ms; /* none that was recorded before it, but for a second or so;
				     0: no bound. Needs no scan of what is older */
	const char *type;	  /* exact, or a prefix when it ends in "."; NULL: any */
	const char *id;		  /* event id; NULL: any. Scans, newest first */
	const char *subject;	  /* recipient or broadcast id; NULL: any */
	size_t limit;
	bool newest_first;
};

/* Routes that a person looks for: to see, to send again, to forget. */
struct pick_query {
	uint32_t destination; /* its number; 0: any */
	/* Behind this place, in the order of destination and sequence. 0: `destination` is meant.
	 */
	uint32_t after_destination;
	int64_t after;
	bool parked;		    /* only those that are parked; else those of any fate */
	int64_t since_ms, until_ms; /* recorded at or after, before; 0: no bound */
	int64_t last;		    /* sequences up to it; 0: no bound */
	const char *type;	    /* as in event_query */
	const char *why;	    /* of a parked one: how its reason begins ("404"); NULL: any */
	const char *id;		    /* event id; NULL: any */
	const int64_t *sequences;   /* exactly these (ascending) … */
	size_t nsequences;	    /* … when not 0 */
	size_t limit, scan_limit;   /* routes returned; looked at (0: no bound) */
};
struct pick {
	uint32_t destination;
	int64_t sequence, recorded_ms;
	uint64_t order_key;
	bool settled;  /* below the cursor or in its bitmap; parked ones are, too */
	bool excepted; /* then: */
	enum exception_state state;
	unsigned attempts;
	char *why; /* owned; or NULL */
	/* of the event; owned */
	char id[EVENT_ID_SIZE], type[EVENT_TYPE_SIZE];
	char *subject; /* or NULL */
};
struct picks {
	struct pick *v;
	size_t n, cap;
	uint32_t scanned_destination; /* where the query looked last, to go on behind */
	int64_t scanned;
	bool more; /* it stopped at a limit, not at the end */
};
void picks_release(struct picks *p); /* {0} is allowed */

/* What a destination is owed between two sequences. */
struct owed_query {
	uint32_t destination;
	int64_t after, until; /* sequences above and up to */
};
#define OWED_SHOWN 5
struct owed {
	int64_t n;			     /* routes neither settled nor parked */
	char ids[OWED_SHOWN][EVENT_ID_SIZE]; /* of the first of them */
	size_t nids;
};

/* One route as it was decided. */
struct decision {
	int64_t sequence;
	uint32_t destination, rule; /* numbers, as in store_head */
};
struct decisions {
	struct decision *v; /* ascending by sequence, destination */
	size_t n;
};
void decisions_release(struct decisions *d);

/* What became of one event at one destination. */
struct event_fate {
	char *destination, *rule, *topic; /* owned; topic NULL: none */
	bool settled;			  /* at or below the cursor, or in its bitmap */
	bool excepted;			  /* has an exception: then state … why count */
	struct exception exception;
	struct attempt *attempts; /* ascending by time */
	size_t nattempts;
};
struct event_fates {
	struct event_fate *v;
	size_t n;
};
void event_fates_release(struct event_fates *f);

/* Some recipients of a broadcast. */
enum rows_kind {
	ROWS_AFTER,	  /* numbers from `from` on, ascending, at most `limit` */
	ROWS_OF_CONTACTS, /* the contacts in the order given; of each the first CONTACT_ROWS_MAX */
	ROWS_UNDECIDED,	  /* unreached_ms above 0, the oldest first, at most `limit` */
};
struct row_query {
	enum rows_kind kind;
	uint32_t broadcast, from;
	size_t limit;
	const char *const *contacts;
	size_t ncontacts;
};
/* Of one contact in one broadcast; who has so many rows may have more. */
#define CONTACT_ROWS_MAX 100

/* A broadcast's recipients in the order of their numbers, which is that in which they came to be
 * known: a row keeps its place, and what is new comes behind all others. */
struct page_place { /* of a row */
	uint32_t number;
	uint64_t id; /* its hash, so that the place of another broadcast's row is told from it */
};
struct page_query {
	const char *broadcast, *org;	/* ids; org NULL: whichever has it */
	const struct page_place *after; /* rows behind it; NULL: from the first on */
	size_t limit;
};
/* All of it is of one state of the store, which holds every event up to `sequence` and none behind
 * it. */
struct page {
	int64_t sequence; /* 0: there is no event yet */
	struct names states, statuses;
	struct broadcast_record broadcast; /* id NULL: there is none of that id */
	bool ambiguous; /* several organizations have one of that id, and none is named: no rows */
	bool astray;	/* `after` is no row of this broadcast: no rows */
	struct recipient_records rows;
	bool more; /* rows behind the last */
};
void page_release(struct page *p); /* {0} is allowed */
struct page_place page_place_of(const struct recipient_record *r);
/* As text, for who goes on from outside: NUMBER-HASH. */
#define PAGE_PLACE_TEXT 28
void page_place_write(char ret[PAGE_PLACE_TEXT], struct page_place p);
bool page_place_read(struct page_place *ret, const char *text); /* what was so written */

typedef void store_event_fn(void *arg, const struct event *ev);
typedef void store_recipient_fn(void *arg, const struct recipient_record *r);

struct store_type {
	const char *name; /* the key in `journal:` */
	const struct option *options;
	size_t options_size;
	/* Where its data lie on this machine; borrowed from the options. Optional. */
	const char *(*file)(const void *options);
	/* How long what nobody takes is kept (ms): parked, or owed to who is disabled or detached.
	 */
	int64_t (*keep_unsent_ms)(const void *options);

	/* Errors name the file or server and say what to do: "relay.db: locked by another relay
	 * (pid 4711)", "is damaged: …; restore a backup or move it away". Never starts from empty
	 * over something damaged. */
	struct store *(*open)(const void *options, enum store_mode mode, struct err *err);
	void (*close)(struct store *s); /* NULL is allowed */

	int (*head)(struct store *s, struct store_head *ret, struct err *err);
	int (*set_since)(struct store *s, int64_t since_ms,
			 struct err *err); /* once; later calls change nothing */
	int (*commit)(struct store *s, struct batch *const *batches, size_t n, struct err *err);
	/* Bounded housekeeping after a commit is reported: checkpoint, retention (what is settled
	 * everywhere and older than `keep`; when its ceiling of size is near, whatever its age,
	 * oldest first), dropped destinations. Without may_take retention takes nothing. Returns
	 * the oldest sequence held, 0: none. *ret_more: a next call that may take would find work.
	 * A failure costs nothing but space; a later call goes on. */
	int64_t (*tidy)(struct store *s, int64_t now_wall_ms, bool may_take, bool *ret_more);
	/* How full it is; of a store for writing. */
	int (*room)(struct store *s, struct store_room *ret, struct err *err);
	/* Nothing was asked of it for a moment: gives back memory that it only keeps for speed.
	 * Optional. */
	void (*rest)(struct store *s);

	/* All recipients of a broadcast, ascending by number; the record is borrowed. `times`,
	 * contact and id texts are filled as stored. */
	int (*recipients)(struct store *s, uint32_t broadcast, store_recipient_fn *fn, void *arg,
			  struct err *err);
	/* Those with these numbers (ascending), in that order, into ret[0…n); an unknown number is
	 * an error. The caller releases each. */
	int (*recipients_at)(struct store *s, uint32_t broadcast, const uint32_t *numbers, size_t n,
			     struct recipient_record *ret, struct err *err);
	int (*rows)(struct store *s, const struct row_query *q, struct recipient_records *ret,
		    struct err *err);
	/* Who goes through a broadcast asks again, behind the last row, until there are no more. A
	 * call costs what its rows do, wherever it begins and whoever else goes through. */
	int (*page)(struct store *s, const struct page_query *q, struct page *ret, struct err *err);
	int (*routes)(struct store *s, const struct route_query *q, struct delivery_routes *ret,
		      struct err *err);
	int (*events)(struct store *s, const struct event_query *q, struct events *ret,
		      struct err *err);
	/* All events with sequences first … last, ascending; each is borrowed for the call, and has
	 * only sequence, type, time and body. For who looks at many and keeps none. */
	int (*scan)(struct store *s, int64_t first, int64_t last, store_event_fn *fn, void *arg,
		    struct err *err);
	/* All routes of the events with sequences first … last. */
	int (*decisions)(struct store *s, int64_t first, int64_t last, struct decisions *ret,
			 struct err *err);
	int (*picks)(struct store *s, const struct pick_query *q, struct picks *ret,
		     struct err *err);
	int (*owed)(struct store *s, const struct owed_query *q, struct owed *ret, struct err *err);
	/* Everything up to *ret was recorded before that time; 0: nothing was. */
	int (*recorded_before)(struct store *s, int64_t ms, int64_t *ret, struct err *err);
	int (*fates)(struct store *s, int64_t sequence, struct event_fates *ret, struct err *err);
};

struct store {
	const struct store_type *type;
};

extern const struct store_type store_sqlite;
extern const struct store_type *const store_types[]; /* those built in, ending in NULL */

#endif
