/* sqlite_check — is the file whole? A bounded check at the start of every writer. Invariant: what
 * passes has the schema that the migrations make, and a tree that SQLite can walk. */
#include "relay/journal/sqlite_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "relay/base/mem.h"

/* Above 256 MB a complete check would hold up the start for seconds; then the small tables are
 * checked, and the large ones as they are read. */
#define CHECK_PAGES 65536

static const char *const small_tables[] = {"meta",	   "names",   "words", "broadcasts",
					   "destinations", "cursors", "rules", "heads",
					   "exceptions",   "marks"};

/* Runs one check; its first row is "ok" or what is wrong. */
static int check_by(struct sqlite_store *s, const char *sql, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int failed = -1;

	if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		sqlite_fail(s, "check", err);
	else if (strcmp((const char *)sqlite3_column_text(st, 0), "ok") != 0)
		err_set(err, ERR_STORE, "%s: is damaged: %s; restore a backup or move it away",
			s->path, (const char *)sqlite3_column_text(st, 0));
	else
		failed = 0;
	sqlite3_finalize(st);
	return failed;
}

/* SQLite reads what is missing of the last page as zeros. Only while a log holds that page anew may
 * it be partial. */
static int check_size(struct sqlite_store *s, struct err *err)
{
	char *wal = xasprintf("%s-wal", s->path);
	struct stat file, log;
	bool is_partial = stat(s->path, &file) == 0 && file.st_size % SQLITE_PAGE != 0 &&
			  (stat(wal, &log) != 0 || log.st_size == 0);

	free(wal);
	if (is_partial)
		return err_set(err, ERR_STORE,
			       "%s: is damaged: its end is missing; restore a backup or move it "
			       "away",
			       s->path);
	return 0;
}

/* Every object of the schema, as text; the root pages are checked with the tree. */
static const char objects[] = "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || "
			      "coalesce(sql, '') FROM sqlite_schema ORDER BY type, name";

/* Do both list the same objects? */
static bool same_objects(sqlite3 *db, sqlite3 *intended)
{
	sqlite3_stmt *ours = NULL, *theirs = NULL;
	bool same = sqlite3_prepare_v2(intended, objects, -1, &theirs, NULL) == SQLITE_OK &&
		    sqlite3_prepare_v2(db, objects, -1, &ours, NULL) == SQLITE_OK;
	int row = SQLITE_ROW;

	while (same && row == SQLITE_ROW) {
		row = sqlite3_step(theirs);
		same = sqlite3_step(ours) == row &&
		       (row == SQLITE_DONE ||
			(row == SQLITE_ROW &&
			 strcmp((const char *)sqlite3_column_text(ours, 0),
				(const char *)sqlite3_column_text(theirs, 0)) == 0));
	}
	sqlite3_finalize(ours);
	sqlite3_finalize(theirs);
	return same;
}

/* A flipped bit can leave a schema that SQLite takes, with another meaning: "INTEGER PRHMARY KEY"
 * is a type, and the key is gone. So its text is compared with the one the migrations make. */
static int check_schema(struct sqlite_store *s, struct err *err)
{
	sqlite3 *intended = NULL;
	int64_t version = 0;
	bool ok;

	if (sqlite_pragma(s, "PRAGMA user_version", &version, err) != 0)
		return -1;
	ok = sqlite3_open(":memory:", &intended) == SQLITE_OK;
	for (int64_t i = 0; ok && i < version; i++)
		ok = sqlite3_exec(intended, sqlite_migrations[i], NULL, NULL, NULL) == SQLITE_OK;
	ok = ok && same_objects(s->db, intended);
	sqlite3_close(intended);
	return ok ? 0
		  : err_set(err, ERR_STORE,
			    "%s: is damaged: its schema is not the one of version %lld; restore a "
			    "backup or move it away",
			    s->path, (long long)version);
}

int sqlite_check(struct sqlite_store *s, struct err *err)
{
	int64_t pages = 0;
	char sql[64];

	if (check_size(s, err) != 0 || check_schema(s, err) != 0)
		return -1;
	if (sqlite_pragma(s, sqlite_statements[SQL_PAGES], &pages, err) != 0)
		return -1;
	if (pages <= CHECK_PAGES)
		return check_by(s, "PRAGMA quick_check(1)", err);
	for (size_t i = 0; i < sizeof small_tables / sizeof *small_tables; i++) {
		snprintf(sql, sizeof sql, "PRAGMA quick_check('%s')", small_tables[i]);
		if (check_by(s, sql, err) != 0)
			return -1;
	}
	return 0;
}
