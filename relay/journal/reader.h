/*
 * reader — the journal's reading thread: takes requests from the loop, reads, answers through the
 * loop's mailbox. Part of the journal; nobody else includes it.
 */
#ifndef RELAY_READER_H
#define RELAY_READER_H

#include "relay/journal/journal.h"

struct reader;

/* Takes the store, also on failure. */
struct reader *reader_open(struct store *store, struct mailbox *loop, struct err *err);
/* Reads what is queued, ends the thread, closes the store; later requests are answered with an
 * error. NULL is allowed, as for reader_free. */
void reader_close(struct reader *r);
void reader_free(struct reader *r); /* a closed one */

void reader_recipients(struct reader *r, uint32_t broadcast, const uint32_t *numbers, size_t n,
		       journal_recipients_done *done, void *arg);
void reader_rows(struct reader *r, const struct row_query *q, journal_rows_done *done, void *arg);
void reader_routes(struct reader *r, const struct route_query *q, journal_routes_done *done,
		   void *arg);
void reader_events(struct reader *r, const struct event_query *q, journal_events_done *done,
		   void *arg);
void reader_picks(struct reader *r, const struct pick_query *q, journal_picks_done *done,
		  void *arg);
void reader_owed(struct reader *r, const struct owed_query *q, journal_owed_done *done, void *arg);
void reader_recorded_before(struct reader *r, int64_t ms, journal_sequence_done *done, void *arg);

/* What stands behind all of these (reads.c): a request on its way to the thread and back. */
struct request {
	struct request *next;
	void (*read)(struct store *store, struct request *q);
	void (*answer)(void *q); /* on the loop; frees it */
	struct err err;
	bool failed;
};

void reader_post(struct reader *r, struct request *q);

/* On the caller's thread, which waits for its turn, behind one read of each other thread at most;
 * any thread. */
int reader_routes_now(struct reader *r, const struct route_query *q, struct delivery_routes *ret,
		      struct err *err);
int reader_page_now(struct reader *r, const struct page_query *q, struct page *ret,
		    struct err *err);
int reader_load_recipients(struct reader *r, uint32_t broadcast, store_recipient_fn *fn, void *arg,
			   struct err *err);

#endif
