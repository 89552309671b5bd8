/*
 * journal — Relay's memory that survives: an append-only log of events with a cursor for each
 * destination, and the last known row of each recipient. One commit carries all durability.
 *
 * Two threads stand behind it, and the loop talks to them only through messages: the `journal`
 * thread owns the one writing connection (commits and checkpoints); the `reader` thread a
 * read-only one. Answers come through the mailbox given at the start, on the loop thread.
 *
 * Group commit: while one commit runs, batches queue; the next commit takes them all.
 */
#ifndef RELAY_JOURNAL_H
#define RELAY_JOURNAL_H

#include "relay/base/mailbox.h"
#include "relay/journal/store.h"

struct journal;

/* The `journal:` section: one key, a store's name, with its options. Presets when map is NULL. */
struct journal_options {
	const struct store_type *type;
	void *options; /* owned */
};
extern const struct option journal_option_table[]; /* for reference and schema */
void journal_options_read(struct journal_options *ret, const struct node *map, struct problems *p);
void journal_options_release(struct journal_options *o);
/* Its file, borrowed; NULL: it keeps none on this machine. */
const char *journal_file(const struct journal_options *o);
int64_t journal_keep_unsent_ms(const struct journal_options *o);

/*
 * Opens the store twice and starts the threads. *ret_head is everything small that it holds, for
 * the caller to release; recipients are read by journal_load_recipients before the loop starts.
 */
struct journal *journal_open(const struct journal_options *options, struct mailbox *loop,
			     struct store_head *ret_head, struct err *err);
/* Commits what is queued, posts the answers, ends the threads, closes. The caller runs the mailbox
 * once more afterwards. NULL is allowed. */
void journal_close(struct journal *j);

/* Before the loop runs; synchronous. */
int journal_load_recipients(struct journal *j, uint32_t broadcast, store_recipient_fn *fn,
			    void *arg, struct err *err);
int journal_set_since(struct journal *j, int64_t since_ms, struct err *err);

/*
 * Commits a batch, which the journal takes and frees after done. In done the batch is borrowed and
 * its events are numbered; err is NULL, or says why nothing of it was committed.
 */
typedef void journal_done(void *arg, const struct batch *b, const struct err *err);
void journal_commit(struct journal *j, struct batch *b, journal_done *done, void *arg);
size_t journal_commits_pending(const struct journal *j); /* batches whose done is outstanding */

/*
 * Retention takes no event from the call of `held`, on the loop thread, until journal_release. For
 * who reads what nobody is owed any more and commits what keeps it: what retention took in between
 * would leave rows that lead nowhere. One hold at a time, and not for long: the rest of
 * housekeeping goes on, and retention has its turn before the next one. What is asked for when the
 * journal closes is given; after that there is nothing to release.
 */
typedef void journal_held(void *arg);
void journal_hold(struct journal *j, journal_held *held, void *arg);
void journal_release(struct journal *j);

/* Reads; on the loop thread, answered through the mailbox. Queries are copied. In done the result
 * is borrowed, and err is NULL or says what failed (then the result is empty). */
typedef void journal_recipients_done(void *arg, const struct recipient_record *v, size_t n,
				     const struct err *err);
void journal_recipients(struct journal *j, uint32_t broadcast, const uint32_t *numbers, size_t n,
			journal_recipients_done *done, void *arg);

/* May be taken over by zeroing the struct. */
typedef void journal_rows_done(void *arg, struct recipient_records *rows, const struct err *err);
void journal_rows(struct journal *j, const struct row_query *q, journal_rows_done *done, void *arg);

typedef void journal_routes_done(void *arg, const struct delivery_routes *r, const struct err *err);
void journal_routes(struct journal *j, const struct route_query *q, journal_routes_done *done,
		    void *arg);

/* The same read, and a page of rows, asked for by any other thread, which waits for it: a
 * transport's refill. */
int journal_routes_wait(struct journal *j, const struct route_query *q, struct delivery_routes *ret,
			struct err *err);

int journal_page_wait(struct journal *j, const struct page_query *q, struct page *ret,
		      struct err *err);

/* Events whatever their routes. The texts in q are copied. */
typedef void journal_events_done(void *arg, const struct events *v, const struct err *err);
void journal_events(struct journal *j, const struct event_query *q, journal_events_done *done,
		    void *arg);

/* See store.h. In done the result is borrowed; that of picks may be taken over by zeroing the
 * struct. Texts and sequences of the query are copied. */
typedef void journal_picks_done(void *arg, struct picks *p, const struct err *err);
void journal_picks(struct journal *j, const struct pick_query *q, journal_picks_done *done,
		   void *arg);
typedef void journal_owed_done(void *arg, const struct owed *owed, const struct err *err);
void journal_owed(struct journal *j, const struct owed_query *q, journal_owed_done *done,
		  void *arg);
typedef void journal_sequence_done(void *arg, int64_t sequence, const struct err *err);
void journal_recorded_before(struct journal *j, int64_t ms, journal_sequence_done *done, void *arg);

/* Sequences held, as of the last commit reported to the loop. Any thread. */
int64_t journal_latest(const struct journal *j);
int64_t journal_oldest(const struct journal *j);

/* How full the store is, as of its last housekeeping, which follows each commit and comes every
 * half minute. Any thread. */
void journal_room(const struct journal *j, struct store_room *ret);

/* How long commits took, in µs: counts per power of two from 64 µs, for logs and benches. */
#define JOURNAL_BUCKETS 20
struct journal_stats {
	uint64_t commits, batches, events;
	uint64_t took[JOURNAL_BUCKETS], took_us; /* … and all together */
};
void journal_stats(const struct journal *j, struct journal_stats *ret);

#endif
