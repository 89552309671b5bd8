/*
 * sqlite_store — what the files of the SQLite back end share: the connection, its statements and
 * the small caches. Nobody else includes it.
 *
 *   sqlite.c         open, close, commit order, the store_type
 *   sqlite_file.c    lock file, creation, identity and integrity of the file, migrations
 *   sqlite_schema.c  the migrations;   sqlite_sql.c  every statement, running them
 *   sqlite_write.c, sqlite_settle.c   a batch → rows
 *   sqlite_read.c, sqlite_contacts.c, sqlite_events.c, sqlite_fates.c  rows → records
 *   sqlite_picks.c, sqlite_owed.c  routes that people look for, and what is owed
 *   sqlite_since.c   events by time;   sqlite_dropped.c  destinations that nobody wants
 *   sqlite_index.c   rows by contact;   sqlite_page.c  rows by the page
 *   sqlite_words.c   the dictionary of types and topics;   sqlite_heads.c  their last sequences
 *   sqlite_record.c  the two packed columns;   sqlite_tidy.c  checkpoint and retention
 */
#ifndef RELAY_SQLITE_STORE_H
#define RELAY_SQLITE_STORE_H

#include <sqlite3.h>

#include "relay/journal/sqlite.h"
#include "relay/journal/store.h"

#define SQLITE_APPLICATION_ID 0x524c4159 /* "RLAY" */
#define SQLITE_PAGE	      4096

/* The migrations; after the n-th, user_version is n. */
extern const char *const sqlite_migrations[];
extern const int sqlite_schema_version; /* how many there are */

/* Every statement has a number, its text in sqlite_sql.c, and is prepared at its first use. */
enum statement {
	SQL_BEGIN,
	SQL_BEGIN_READ,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_PUT_META,
	SQL_ADD_META,
	SQL_GET_META,
	SQL_PUT_NAME,
	SQL_NAMES,
	SQL_PUT_BROADCAST,
	SQL_BROADCASTS,
	SQL_PUT_RECIPIENT,
	SQL_PUT_UNREACHED,
	SQL_PUT_DECIDED,
	SQL_RECIPIENTS,
	SQL_RECIPIENT,
	SQL_ROWS_AFTER,
	SQL_ROWS_UNDECIDED,
	SQL_BROADCASTS_OF_ID,
	SQL_RECIPIENTS_END,
	SQL_CONTACT_OF,
	SQL_CONTACTS_FROM,
	SQL_ADD_ENTRY,
	SQL_DROP_ENTRY,
	SQL_ENTRIES,
	SQL_INDEXED_UNTIL,
	SQL_PUT_INDEXED_UNTIL,
	SQL_PUT_DESTINATION,
	SQL_ADD_CURSOR,
	SQL_PUT_CURSOR,
	SQL_DESTINATIONS,
	SQL_DESTINATIONS_GIVEN,
	SQL_CURSORS,
	SQL_ANY_DROPPED,
	SQL_IS_DROPPED,
	SQL_TO_CLEAR,
	SQL_CLEAR_EXCEPTIONS,
	SQL_CLEAR_ATTEMPTS,
	SQL_CLEAR_ROUTES,
	SQL_CLEAR_HEADS,
	SQL_CLEAR_CURSOR,
	SQL_CLEAR_NAME,
	SQL_PUT_RULE,
	SQL_RULES,
	SQL_PUT_FOLD,
	SQL_DROP_FOLD,
	SQL_FOLDS,
	SQL_ADD_EVENT,
	SQL_EVENT,
	SQL_EVENTS_UP,
	SQL_EVENTS_DOWN,
	SQL_EVENTS_BETWEEN,
	SQL_NEXT_BODY,
	SQL_FIRST,
	SQL_OLDEST,
	SQL_LATEST,
	SQL_ADD_WORD,
	SQL_FIND_WORD,
	SQL_WORD,
	SQL_ADD_ROUTE,
	SQL_ADD_LATE,
	SQL_ROUTES,
	SQL_ROUTES_BETWEEN,
	SQL_ROUTES_COUNT,
	SQL_ROUTE,
	SQL_TOPIC_HEAD,
	SQL_PUT_TOPIC_HEAD,
	SQL_PUT_EXCEPTION,
	SQL_DROP_EXCEPTION,
	SQL_EXCEPTIONS,
	SQL_EXCEPTIONS_BETWEEN,
	SQL_EXCEPTION,
	SQL_ADD_ATTEMPT,
	SQL_ATTEMPTS,
	SQL_FATES,
	SQL_DECISIONS,
	SQL_ADD_MARK,
	SQL_LAST_MARK,
	SQL_MARK_BEFORE,
	SQL_MARK_BEHIND,
	SQL_DROP_MARKS,
	SQL_SETTLED,
	SQL_PRUNE_ROUTES,
	SQL_PRUNE_ATTEMPTS,
	SQL_PRUNE_EVENTS,
	SQL_STEP_END,
	SQL_PAGES,
	SQL_FREE_PAGES,
	SQL_VACUUM,
	STATEMENTS
};
extern const char *const sqlite_statements[STATEMENTS];

struct words;
struct heads;
struct contact_index;

struct sqlite_store {
	struct store store; /* first: what the others see */
	sqlite3 *db;
	char *path; /* as the options give it, for messages */
	int64_t keep_ms, max_size, min_free;
	bool writes;
	int lock_fd; /* of PATH.lock; -1: not held */
	sqlite3_stmt *prepared[STATEMENTS];

	struct words *words;	     /* numbers and texts of the dictionary */
	struct heads *heads;	     /* topics touched by the running commit */
	struct contact_index *index; /* writing: rows that wait for their entries */
	int64_t latest;		     /* writing: last committed sequence */
	int64_t oldest;		     /* writing: from here on everything is held, 0: nothing is */
	int64_t first; /* … and the first held at all: exceptions keep single events longer */
	int64_t used;  /* writing: bytes of the file that are in use, at the last look */
	int wal_pages; /* writing: in the write-ahead log after the last commit */

	int64_t looked_ms;	  /* tidy: when it last looked what is old enough */
	int64_t pressed_ms;	  /* … and what is settled, under pressure */
	bool pressed;		  /* tidy: so full that age does not count */
	int64_t marked;		  /* tidy: the newest mark's sequence */
	int64_t pruned, prunable; /* tidy: retention went up to, may go up to */
	int64_t pass_end;	  /* … and begins anew at `first` once it got here */
	bool dropped;		  /* writing: some destination was, at any time */
	bool clearing;		  /* … and may have rows left */
};

/* sqlite_sql.c. Messages begin with the path; SQLite's codes end here. */
int sqlite_fail(const struct sqlite_store *s, const char *what, struct err *err);
/* The statement, ready to be bound; NULL with err. */
sqlite3_stmt *sqlite_ready(struct sqlite_store *s, enum statement which, struct err *err);
int sqlite_row(struct sqlite_store *s, sqlite3_stmt *st, struct err *err); /* 1 row, 0 end, -1 */
int sqlite_run(struct sqlite_store *s, sqlite3_stmt *st, struct err *err); /* no rows; resets */
/* Is there a row for them (SQL_ROUTE, SQL_EXCEPTION)? 1, 0, -1 with err. */
int sqlite_has(struct sqlite_store *s, enum statement which, uint32_t destination, int64_t sequence,
	       struct err *err);
int sqlite_run_plain(struct sqlite_store *s, enum statement which, struct err *err);
/* The first column of the first row; *ret stays when there is none or it is NULL. */
int sqlite_number(struct sqlite_store *s, sqlite3_stmt *st, int64_t *ret, struct err *err);
int sqlite_end(struct sqlite_store *s, enum statement which, int64_t *ret, struct err *err);
/* Around a call that reads with several statements: they see one state. */
int sqlite_begin_read(struct sqlite_store *s, struct err *err);
void sqlite_end_read(struct sqlite_store *s);
int sqlite_damaged(const struct sqlite_store *s, const char *what, int64_t number, struct err *err);
/* Binding and reading. Texts and blobs are borrowed until the statement is reset; NULL is null,
 * DATE_NONE is null. */
void sqlite_bind_int(sqlite3_stmt *st, int at, int64_t value);
void sqlite_bind_date(sqlite3_stmt *st, int at, int64_t ms);
void sqlite_bind_text(sqlite3_stmt *st, int at, const char *text);
void sqlite_bind_bytes(sqlite3_stmt *st, int at, const void *bytes, size_t len);
int64_t sqlite_get_date(sqlite3_stmt *st, int at);
char *sqlite_get_text(sqlite3_stmt *st, int at); /* a copy, yours; NULL for null */

/* sqlite_file.c */
int sqlite_lock(struct sqlite_store *s, struct err *err);
int sqlite_create_missing(struct sqlite_store *s, struct err *err);
int sqlite_connect(struct sqlite_store *s, struct err *err);
int sqlite_identify(struct sqlite_store *s, struct err *err); /* ours, of a version we know */
int sqlite_enter_wal(struct sqlite_store *s, struct err *err);
int sqlite_migrate(struct sqlite_store *s, struct err *err);
int sqlite_pragma(struct sqlite_store *s, const char *sql, int64_t *ret, struct err *err);
void sqlite_disconnect(struct sqlite_store *s);

/* sqlite_check.c: before the file is written to; its cost is bounded. */
int sqlite_check(struct sqlite_store *s, struct err *err);

/* sqlite_write.c: inside a transaction; events are numbered from *next on. */
int sqlite_write_batch(struct sqlite_store *s, struct batch *b, int64_t *next, struct err *err);
int sqlite_write_recipients(struct sqlite_store *s, struct batch *const *batches, size_t n,
			    struct err *err);
int sqlite_write_decided(struct sqlite_store *s, const struct batch *b, struct err *err);

/* sqlite_settle.c */
int sqlite_write_settle(struct sqlite_store *s, const struct settle *settle, struct err *err);
int sqlite_write_cursor(struct sqlite_store *s, enum statement how, uint32_t destination,
			const struct cursor *c, struct err *err);
int sqlite_write_late(struct sqlite_store *s, const struct late_route *late, struct err *err);

/* sqlite_dropped.c: 1: nothing is kept for it; 0; -1 with err */
int sqlite_is_dropped(struct sqlite_store *s, uint32_t destination, struct err *err);
int sqlite_find_dropped(struct sqlite_store *s, struct err *err); /* at the start */
/* Takes some rows of dropped destinations away. Returns 1: there is more; 0; -1 with err. */
int sqlite_clear_dropped(struct sqlite_store *s, struct err *err);

/* sqlite_words.c */
struct words *words_new(void);
void words_free(struct words *w);
void words_clear(struct words *w); /* after a rollback, which may have taken numbers back */
/* The number of a text, given it when new. */
int sqlite_word_number(struct sqlite_store *s, const char *text, int64_t *ret, struct err *err);
/* The text of a number, valid until the next call; NULL with err when it is not there. */
const char *sqlite_word(struct sqlite_store *s, int64_t number, struct err *err);

/* sqlite_heads.c: the last sequence of each (destination, topic) that the commit touches. */
struct heads *heads_new(void);
void heads_free(struct heads *h);
void heads_clear(struct heads *h);
/* *ret: the last sequence before this one, 0: none; this one is now the last. */
int sqlite_head_move(struct sqlite_store *s, uint32_t destination, int64_t topic, int64_t sequence,
		     int64_t *ret, struct err *err);
int sqlite_heads_write(struct sqlite_store *s, struct err *err);

/* sqlite_index.c: which rows a contact has. */
struct contact_index *contact_index_new(void);
void contact_index_free(struct contact_index *x);
int sqlite_index_start(struct sqlite_store *s, struct err *err);
/* Before the row is written. */
int sqlite_index_row(struct sqlite_store *s, const struct recipient_write *w, struct err *err);
/* Gives some rows their entries, when it is time. Returns 1: there is more; 0; -1 with err. */
int sqlite_index_step(struct sqlite_store *s, int64_t now_ms, struct err *err);
/* Rows of smaller numbers have their entries. */
int sqlite_indexed_until(struct sqlite_store *s, uint32_t broadcast, int64_t *ret, struct err *err);
int64_t sqlite_contact_hash(const char *contact);

/* sqlite_record.c: a recipient as columns */
size_t sqlite_times_pack(const struct recipient_record *r, uint8_t *ret);
#define SQLITE_TIMES_MAX (STATES_MAX * 11)
int sqlite_times_unpack(const uint8_t *bytes, size_t len, struct recipient_record *r);
size_t sqlite_cursor_pack(const struct cursor *c, uint8_t ret[SETTLE_WINDOW / 8]);
int sqlite_cursor_unpack(const uint8_t *bytes, size_t len, struct cursor *ret);
/* A row that begins with a destination's number, position and bitmap. */
int sqlite_get_cursor(struct sqlite_store *s, sqlite3_stmt *st, uint32_t *ret_destination,
		      struct cursor *ret, struct err *err);
bool sqlite_is_settled(const struct cursor *c, int64_t sequence);

/* A row of a recipients' statement; the strings are SQLite's, valid until the next row. */
int sqlite_get_recipient(struct sqlite_store *s, sqlite3_stmt *st, struct recipient_record *r,
			 struct err *err);
/* A row of SQL_BROADCASTS or SQL_BROADCASTS_OF_ID, yours. */
void sqlite_get_broadcast(sqlite3_stmt *st, struct broadcast_record *ret);
int sqlite_read_names(struct sqlite_store *s, const char *kind, struct names *ret, struct err *err);
void sqlite_get_exception(sqlite3_stmt *st, struct exception *ret);
void sqlite_bind_event_id(sqlite3_stmt *st, int at, const char *id, uint8_t bytes[16]);
void sqlite_get_event_id(sqlite3_stmt *st, int at, char ret[EVENT_ID_SIZE]);
/* Is this what a query's `type` asks for? */
bool sqlite_type_fits(const char *type, const char *asked);

/* sqlite_read.c, sqlite_contacts.c, sqlite_events.c: the store's reading calls */
int sqlite_head(struct store *store, struct store_head *ret, struct err *err);
int sqlite_recipients(struct store *store, uint32_t broadcast, store_recipient_fn *fn, void *arg,
		      struct err *err);
int sqlite_recipients_at(struct store *store, uint32_t broadcast, const uint32_t *numbers, size_t n,
			 struct recipient_record *ret, struct err *err);
int sqlite_rows(struct store *store, const struct row_query *q, struct recipient_records *ret,
		struct err *err);
int sqlite_page(struct store *store, const struct page_query *q, struct page *ret, struct err *err);
int sqlite_routes(struct store *store, const struct route_query *q, struct delivery_routes *ret,
		  struct err *err);
int sqlite_events(struct store *store, const struct event_query *q, struct events *ret,
		  struct err *err);
int sqlite_scan(struct store *store, int64_t first, int64_t last, store_event_fn *fn, void *arg,
		struct err *err);
int sqlite_fates(struct store *store, int64_t sequence, struct event_fates *ret, struct err *err);
int sqlite_decisions(struct store *store, int64_t first, int64_t last, struct decisions *ret,
		     struct err *err);

int sqlite_picks(struct store *store, const struct pick_query *q, struct picks *ret,
		 struct err *err);
int sqlite_owed(struct store *store, const struct owed_query *q, struct owed *ret, struct err *err);

/* sqlite_since.c: the sequence up to which everything was recorded before that time; 0: nothing. */
int sqlite_recorded_before(struct sqlite_store *s, int64_t ms, int64_t *ret, struct err *err);
/* … behind which everything was recorded at that time or later */
int sqlite_recorded_until(struct sqlite_store *s, int64_t ms, int64_t *ret, struct err *err);

/* sqlite_tidy.c */
int64_t sqlite_tidy(struct store *store, int64_t now_wall_ms, bool may_take, bool *ret_more);
int sqlite_room(struct store *store, struct store_room *ret, struct err *err);
/* Is there room for more than verdicts? */
int sqlite_has_room(struct sqlite_store *s, struct err *err);
int sqlite_tidy_start(struct sqlite_store *s, struct err *err);

#endif
