/* sqlite_sql — every SQL statement of the back end, and running them. Invariant: a statement that
 * was handed out is reset and without bindings. */
#include "relay/journal/sqlite_store.h"

#include <assert.h>
#include <limits.h>

#include "relay/base/mem.h"

/* State 3 is DESTINATION_DROPPED. An event or route that an exception still needs outlives its
 * neighbours. */
#define NOT_EXCEPTED(table)                                                                        \
	" AND NOT EXISTS (SELECT 1 FROM destinations d JOIN exceptions x"                          \
	" ON x.dest = d.number AND x.seq = " table ".seq WHERE d.state <> 3)"
#define FIRST_ROWS(table)                                                                          \
	" AND seq <= (SELECT max(seq) FROM"                                                        \
	" (SELECT seq FROM " table " WHERE dest = ?1 ORDER BY seq LIMIT ?2))"
#define EXCEPTION_COLUMNS "SELECT dest, seq, key, state, attempts, due, why, held FROM exceptions "
#define EVENT_COLUMNS	  "SELECT seq, id, type, topic, key, time, body FROM events "
#define EVENT_FILTER                                                                               \
	"WHERE seq > ?1 AND seq < ?2"                                                              \
	" AND (?3 IS NULL OR type IN (SELECT number FROM words WHERE word >= ?3 AND word < ?4))"   \
	" AND (?5 IS NULL OR id = ?5) AND (?6 IS NULL OR instr(body, ?6) > 0) "
#define BROADCAST_COLUMNS                                                                          \
	"SELECT number, org, id, name, status, created, updated, counters, templates, recipients," \
	" baseline_page, baseline_done, gone FROM broadcasts "
#define RECIPIENT_COLUMNS                                                                          \
	"SELECT number, id, states, status, gone, processed, created, updated, times, contact,"    \
	" integration, identity_hash, error_hash, contact_hash, unreached FROM recipients "

const char *const sqlite_statements[STATEMENTS] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_BEGIN_READ] = "BEGIN",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_PUT_META] = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)",
	[SQL_ADD_META] = "INSERT OR IGNORE INTO meta VALUES (?1, ?2)",
	[SQL_GET_META] = "SELECT value FROM meta WHERE key = ?1",
	[SQL_PUT_NAME] = "INSERT OR REPLACE INTO names VALUES (?1, ?2, ?3)",
	[SQL_NAMES] = "SELECT number, name FROM names WHERE kind = ?1 ORDER BY number",
	[SQL_PUT_BROADCAST] = "INSERT OR REPLACE INTO broadcasts"
			      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	[SQL_BROADCASTS] = BROADCAST_COLUMNS "ORDER BY number",
	[SQL_BROADCASTS_OF_ID] = BROADCAST_COLUMNS
	"WHERE id = ?1 AND (?2 IS NULL OR org = ?2) ORDER BY number LIMIT 2",
	[SQL_PUT_RECIPIENT] =
		"INSERT INTO recipients"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 0)"
		" ON CONFLICT DO UPDATE SET id = ?3, states = ?4, status = ?5, gone = ?6,"
		" processed = ?7, created = ?8, updated = ?9, times = ?10, contact = ?11,"
		" integration = ?12,"
		" identity_hash = ?13, error_hash = ?14, contact_hash = ?15",
	/* A column that has an index: to set it costs its entry, also where nothing changes. */
	[SQL_PUT_UNREACHED] = "UPDATE recipients SET unreached = ?3 WHERE broadcast = ?1"
			      " AND number = ?2 AND unreached >= 0",
	[SQL_PUT_DECIDED] = "UPDATE recipients SET unreached = ?4 WHERE broadcast = ?1"
			    " AND number = ?2 AND unreached = ?3",
	[SQL_RECIPIENTS] = RECIPIENT_COLUMNS "WHERE broadcast = ?1 ORDER BY number",
	[SQL_RECIPIENT] = RECIPIENT_COLUMNS "WHERE broadcast = ?1 AND number = ?2",
	[SQL_ROWS_AFTER] =
		RECIPIENT_COLUMNS "WHERE broadcast = ?1 AND number >= ?2 ORDER BY number LIMIT ?3",
	[SQL_RECIPIENTS_END] = "SELECT max(number) + 1 FROM recipients WHERE broadcast = ?1",
	[SQL_CONTACT_OF] = "SELECT contact FROM recipients WHERE broadcast = ?1 AND number = ?2",
	[SQL_CONTACTS_FROM] = "SELECT number, contact FROM recipients"
			      " WHERE broadcast = ?1 AND number >= ?2 ORDER BY number LIMIT ?3",
	[SQL_ADD_ENTRY] = "INSERT OR IGNORE INTO entries VALUES (?1, ?2, ?3)",
	[SQL_DROP_ENTRY] = "DELETE FROM entries WHERE broadcast = ?1 AND hash = ?2 AND number = ?3",
	[SQL_ENTRIES] = "SELECT number FROM entries WHERE broadcast = ?1 AND hash = ?2"
			" AND number < ?3 ORDER BY number",
	[SQL_INDEXED_UNTIL] = "SELECT until FROM indexed WHERE broadcast = ?1",
	[SQL_PUT_INDEXED_UNTIL] = "INSERT OR REPLACE INTO indexed VALUES (?1, ?2)",
	[SQL_ROWS_UNDECIDED] = RECIPIENT_COLUMNS
	"INDEXED BY recipients_undecided WHERE broadcast = ?1 AND unreached > ?2"
	" AND unreached > 0 ORDER BY unreached LIMIT ?3",
	[SQL_PUT_DESTINATION] = "INSERT OR REPLACE INTO destinations VALUES (?1, ?2, ?3, ?4, ?5)",
	[SQL_ADD_CURSOR] = "INSERT OR IGNORE INTO cursors VALUES (?1, ?2, ?3)",
	[SQL_PUT_CURSOR] = "INSERT OR REPLACE INTO cursors VALUES (?1, ?2, ?3)",
	[SQL_DESTINATIONS] = "SELECT d.number, d.name, d.state, d.why, c.position, c.done, d.down"
			     " FROM destinations d LEFT JOIN cursors c ON c.dest = d.number"
			     " WHERE d.state <> 3 ORDER BY d.number",
	[SQL_DESTINATIONS_GIVEN] = "SELECT max(number) FROM destinations",
	[SQL_CURSORS] = "SELECT d.number, c.position, c.done"
			" FROM destinations d LEFT JOIN cursors c ON c.dest = d.number"
			" WHERE d.state <> 3 AND d.number BETWEEN ?1 AND ?2 ORDER BY d.number",
	[SQL_ANY_DROPPED] = "SELECT count(*) FROM destinations WHERE state = 3",
	[SQL_IS_DROPPED] = "SELECT 1 FROM destinations WHERE number = ?1 AND state = 3",
	/* The cursor goes last: whose is gone has nothing any more. */
	[SQL_TO_CLEAR] = "SELECT min(d.number) FROM destinations d"
			 " JOIN cursors c ON c.dest = d.number WHERE d.state = 3",
	[SQL_CLEAR_EXCEPTIONS] = "DELETE FROM exceptions WHERE dest = ?1" FIRST_ROWS("exceptions"),
	[SQL_CLEAR_ATTEMPTS] = "DELETE FROM attempts WHERE dest = ?1" FIRST_ROWS("attempts"),
	[SQL_CLEAR_ROUTES] = "DELETE FROM routes WHERE dest = ?1" FIRST_ROWS("routes"),
	[SQL_CLEAR_HEADS] = "DELETE FROM heads WHERE dest = ?1 AND topic <= (SELECT max(topic) FROM"
			    " (SELECT topic FROM heads WHERE dest = ?1 ORDER BY topic LIMIT ?2))",
	[SQL_CLEAR_CURSOR] = "DELETE FROM cursors WHERE dest = ?1",
	/* The number stays taken. */
	[SQL_CLEAR_NAME] = "UPDATE destinations SET name = '', why = NULL WHERE number = ?1",
	[SQL_PUT_RULE] = "INSERT OR REPLACE INTO rules VALUES (?1, ?2, ?3)",
	[SQL_RULES] = "SELECT number, name, version FROM rules ORDER BY number",
	[SQL_PUT_FOLD] = "INSERT OR REPLACE INTO folds VALUES (?1, ?2, ?3)",
	[SQL_DROP_FOLD] = "DELETE FROM folds WHERE fold = ?1 AND key = ?2",
	[SQL_FOLDS] = "SELECT fold, key, state FROM folds ORDER BY fold, key",
	[SQL_ADD_EVENT] = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_EVENT] = EVENT_COLUMNS "WHERE seq = ?1",
	[SQL_EVENTS_UP] = EVENT_COLUMNS EVENT_FILTER "ORDER BY seq LIMIT ?7",
	[SQL_EVENTS_DOWN] = EVENT_COLUMNS EVENT_FILTER "ORDER BY seq DESC LIMIT ?7",
	[SQL_EVENTS_BETWEEN] = "SELECT seq, type, time, body FROM events"
			       " WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq",
	[SQL_NEXT_BODY] = "SELECT seq, body FROM events WHERE seq >= ?1 ORDER BY seq LIMIT 1",
	[SQL_FIRST] = "SELECT min(seq) FROM events",
	/* Retention notes how far it went: what lies below, an exception has kept. */
	[SQL_OLDEST] = "SELECT max((SELECT min(seq) FROM events), coalesce("
		       "(SELECT CAST(value AS INT) FROM meta WHERE key = 'oldest'), 0))",
	[SQL_LATEST] = "SELECT max(seq) FROM events",
	[SQL_ADD_WORD] = "INSERT INTO words (word) VALUES (?1)",
	[SQL_FIND_WORD] = "SELECT number FROM words WHERE word = ?1",
	[SQL_WORD] = "SELECT word FROM words WHERE number = ?1",
	[SQL_ADD_ROUTE] = "INSERT INTO routes VALUES (?1, ?2, ?3, ?4, ?5)",
	/* What is there stays; what is gone does not come back. */
	[SQL_ADD_LATE] = "INSERT OR IGNORE INTO routes SELECT ?1, seq, NULL, NULL, ?3 FROM events"
			 " WHERE seq = ?2",
	[SQL_ROUTES] = "SELECT seq, topic, prev, rule FROM routes WHERE dest = ?1 AND seq > ?2"
		       " ORDER BY seq",
	[SQL_ROUTES_BETWEEN] = "SELECT seq FROM routes WHERE dest = ?1 AND seq > ?2 AND seq <= ?3"
			       " ORDER BY seq",
	[SQL_ROUTES_COUNT] =
		"SELECT count(*) FROM routes WHERE dest = ?1 AND seq > ?2 AND seq <= ?3",
	[SQL_ROUTE] = "SELECT seq, topic, prev, rule FROM routes WHERE dest = ?1 AND seq = ?2",
	[SQL_TOPIC_HEAD] = "SELECT last FROM heads WHERE dest = ?1 AND topic = ?2",
	[SQL_PUT_TOPIC_HEAD] = "INSERT OR REPLACE INTO heads VALUES (?1, ?2, ?3)",
	[SQL_PUT_EXCEPTION] =
		"INSERT OR REPLACE INTO exceptions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[SQL_DROP_EXCEPTION] = "DELETE FROM exceptions WHERE dest = ?1 AND seq = ?2",
	[SQL_EXCEPTIONS] = EXCEPTION_COLUMNS
	"WHERE dest NOT IN (SELECT number FROM destinations WHERE state = 3) ORDER BY dest, seq",
	[SQL_EXCEPTIONS_BETWEEN] =
		EXCEPTION_COLUMNS "WHERE dest = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq",
	[SQL_EXCEPTION] = EXCEPTION_COLUMNS "WHERE dest = ?1 AND seq = ?2",
	[SQL_ADD_ATTEMPT] = "INSERT INTO attempts VALUES (?1, ?2,"
			    " (SELECT coalesce(max(n), 0) + 1 FROM attempts"
			    " WHERE dest = ?1 AND seq = ?2), ?3, ?4, ?5, ?6)",
	[SQL_ATTEMPTS] = "SELECT at, took, verdict, why FROM attempts"
			 " WHERE dest = ?1 AND seq = ?2 ORDER BY at, n",
	[SQL_FATES] = "SELECT d.number, d.name, u.name, w.word, c.position, c.done"
		      " FROM destinations d JOIN routes r ON r.dest = d.number AND r.seq = ?1"
		      " LEFT JOIN rules u ON u.number = r.rule"
		      " LEFT JOIN words w ON w.number = r.topic"
		      " LEFT JOIN cursors c ON c.dest = d.number"
		      " WHERE d.state <> 3 ORDER BY d.number",
	/* One range of each destination's routes; those are few. */
	[SQL_DECISIONS] = "SELECT r.seq, r.dest, r.rule FROM destinations d CROSS JOIN routes r"
			  " ON r.dest = d.number AND r.seq BETWEEN ?1 AND ?2"
			  " WHERE d.state <> 3 ORDER BY d.number, r.seq",
	[SQL_ADD_MARK] = "INSERT OR IGNORE INTO marks VALUES (?1, ?2)",
	[SQL_LAST_MARK] = "SELECT max(seq) FROM marks",
	[SQL_MARK_BEFORE] = "SELECT max(seq) FROM marks WHERE at <= ?1",
	[SQL_MARK_BEHIND] = "SELECT min(seq) FROM marks WHERE at > ?1",
	[SQL_DROP_MARKS] =
		"DELETE FROM marks WHERE at < (SELECT max(at) FROM marks WHERE at <= ?1)",
	/* A destination that has had all its routes owes nothing, wherever its cursor stands. */
	[SQL_SETTLED] = "SELECT min((SELECT min(r.seq) FROM routes r WHERE r.dest = d.number"
			" AND r.seq > coalesce(c.position, 0))) - 1"
			" FROM destinations d LEFT JOIN cursors c ON c.dest = d.number"
			" WHERE d.state <> 3",
	[SQL_PRUNE_ROUTES] =
		"DELETE FROM routes WHERE dest = ?1 AND seq > ?2 AND seq <= ?3" NOT_EXCEPTED(
			"routes"),
	[SQL_PRUNE_ATTEMPTS] =
		"DELETE FROM attempts WHERE dest = ?1 AND seq > ?2 AND seq <= ?3" NOT_EXCEPTED(
			"attempts"),
	[SQL_PRUNE_EVENTS] =
		"DELETE FROM events WHERE seq > ?1 AND seq <= ?2" NOT_EXCEPTED("events"),
	[SQL_STEP_END] = "SELECT max(seq) FROM (SELECT seq FROM events WHERE seq > ?1 ORDER BY seq "
			 "LIMIT ?2)",
	[SQL_PAGES] = "PRAGMA page_count",
	[SQL_FREE_PAGES] = "PRAGMA freelist_count",
	/* A fifth of a second at worst on a slow disk. */
	[SQL_VACUUM] = "PRAGMA incremental_vacuum(256)",
};

int sqlite_fail(const struct sqlite_store *s, const char *what, struct err *err)
{
	const char *why = s->db ? sqlite3_errmsg(s->db) : "out of memory";

	switch (s->db ? sqlite3_errcode(s->db) & 0xff : SQLITE_NOMEM) {
	case SQLITE_NOTADB:
		return err_set(err, ERR_STORE,
			       "%s: is not a database, or its header is damaged; restore a backup "
			       "or move it away",
			       s->path);
	case SQLITE_CORRUPT:
		return err_set(err, ERR_STORE,
			       "%s: is damaged: %s: %s; restore a backup or move it away", s->path,
			       what, why);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, ERR_STORE, "%s: %s: locked by another program", s->path, what);
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
		return err_set(err, ERR_STORE,
			       "%s: %s: %s; the file and its folder must be "
			       "writable",
			       s->path, what, why);
	case SQLITE_FULL: return err_set(err, ERR_LIMIT, "%s: %s: the disk is full", s->path, what);
	case SQLITE_IOERR:
		return err_set(err, ERR_IO, "%s: %s: %s (code %d)", s->path, what, why,
			       sqlite3_extended_errcode(s->db));
	default: return err_set(err, ERR_STORE, "%s: %s: %s", s->path, what, why);
	}
}

sqlite3_stmt *sqlite_ready(struct sqlite_store *s, enum statement which, struct err *err)
{
	sqlite3_stmt **st = &s->prepared[which];

	if (*st) {
		sqlite3_reset(*st);
		sqlite3_clear_bindings(*st);
		return *st;
	}
	if (sqlite3_prepare_v3(s->db, sqlite_statements[which], -1, SQLITE_PREPARE_PERSISTENT, st,
			       NULL) != SQLITE_OK)
		sqlite_fail(s, "prepare", err);
	return *st;
}

int sqlite_row(struct sqlite_store *s, sqlite3_stmt *st, struct err *err)
{
	int code = sqlite3_step(st);

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE) {
		sqlite3_reset(st);
		return 0;
	}
	sqlite_fail(s, sqlite3_stmt_readonly(st) ? "read" : "write", err);
	sqlite3_reset(st);
	return -1;
}

int sqlite_run(struct sqlite_store *s, sqlite3_stmt *st, struct err *err)
{
	int got;

	do
		got = sqlite_row(s, st, err);
	while (got > 0);
	return got;
}

int sqlite_run_plain(struct sqlite_store *s, enum statement which, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, which, err);

	return st ? sqlite_run(s, st, err) : -1;
}

int sqlite_number(struct sqlite_store *s, sqlite3_stmt *st, int64_t *ret, struct err *err)
{
	int got = sqlite_row(s, st, err);

	if (got > 0 && sqlite3_column_type(st, 0) != SQLITE_NULL)
		*ret = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return got < 0 ? -1 : 0;
}

int sqlite_end(struct sqlite_store *s, enum statement which, int64_t *ret, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, which, err);

	return st ? sqlite_number(s, st, ret, err) : -1;
}

int sqlite_begin_read(struct sqlite_store *s, struct err *err)
{
	return sqlite_run_plain(s, SQL_BEGIN_READ, err);
}

void sqlite_end_read(struct sqlite_store *s)
{
	struct err ignored = {0}; /* nothing was written that could be lost */

	if (!sqlite3_get_autocommit(s->db))
		sqlite_run_plain(s, SQL_ROLLBACK, &ignored);
}

int sqlite_damaged(const struct sqlite_store *s, const char *what, int64_t number, struct err *err)
{
	return err_set(err, ERR_STORE,
		       "%s: is damaged: %s %lld makes no sense; restore a backup or move it away",
		       s->path, what, (long long)number);
}

/* A parameter that does not exist, or a statement that runs, is a mistake of this program. */
static void bound(int code)
{
	assert(code == SQLITE_OK);
	(void)code;
}

void sqlite_bind_int(sqlite3_stmt *st, int at, int64_t value)
{
	bound(sqlite3_bind_int64(st, at, value));
}

void sqlite_bind_date(sqlite3_stmt *st, int at, int64_t ms)
{
	bound(ms == DATE_NONE ? sqlite3_bind_null(st, at) : sqlite3_bind_int64(st, at, ms));
}

void sqlite_bind_text(sqlite3_stmt *st, int at, const char *text)
{
	bound(text ? sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC)
		   : sqlite3_bind_null(st, at));
}

void sqlite_bind_bytes(sqlite3_stmt *st, int at, const void *bytes, size_t len)
{
	assert(len <= INT_MAX);
	/* A zero-length blob needs a pointer, or it would be null. */
	bound(sqlite3_bind_blob(st, at, len ? bytes : "", (int)len, SQLITE_STATIC));
}

int64_t sqlite_get_date(sqlite3_stmt *st, int at)
{
	return sqlite3_column_type(st, at) == SQLITE_NULL ? DATE_NONE
							  : sqlite3_column_int64(st, at);
}

char *sqlite_get_text(sqlite3_stmt *st, int at)
{
	const char *text = (const char *)sqlite3_column_text(st, at);

	return text ? xstrndup(text, (size_t)sqlite3_column_bytes(st, at)) : NULL;
}

int sqlite_has(struct sqlite_store *s, enum statement which, uint32_t destination, int64_t sequence,
	       struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, which, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, destination);
	sqlite_bind_int(st, 2, sequence);
	int got = sqlite_row(s, st, err);
	sqlite3_reset(st);
	return got;
}
