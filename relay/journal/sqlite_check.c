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
					   "exceptions",   "marks",   "folds", "indexed"};

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

/* The whole schema as one text, but for what ANALYZE adds; root pages are checked with the tree. */
static const char schema[] =
	"SELECT coalesce(group_concat(line, char(10)), '') FROM"
	" (SELECT printf('%s %s %s %s', type, name, tbl_name, sql) AS line FROM sqlite_schema"
	" WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' ORDER BY type, name)";

/* A copy, yours; NULL when the database cannot tell. */
static char *schema_of(sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	char *ret = NULL;

	if (sqlite3_prepare_v2(db, schema, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		ret = sqlite_get_text(st, 0);
	sqlite3_finalize(st);
	return ret;
}

/* What the migrations up to a version make; as schema_of. */
static char *intended_schema(int64_t version)
{
	sqlite3 *db = NULL;
	bool ok = sqlite3_open(":memory:", &db) == SQLITE_OK;
	char *ret;

	for (int64_t i = 0; ok && i < version; i++)
		ok = sqlite3_exec(db, sqlite_migrations[i], NULL, NULL, NULL) == SQLITE_OK;
	ret = ok ? schema_of(db) : NULL;
	sqlite3_close(db);
	return ret;
}

/* A flipped bit can leave a schema that SQLite takes, with another meaning: "INTEGER PRHMARY KEY"
 * is a type, and the key is gone. So its text is compared with the one the migrations make. */
static int check_schema(struct sqlite_store *s, struct err *err)
{
	int64_t version = 0;
	char *ours, *intended;
	int failed = 0;

	if (sqlite_pragma(s, "PRAGMA user_version", &version, err) != 0)
		return -1;
	ours = schema_of(s->db);
	intended = intended_schema(version);
	if (!ours)
		failed = sqlite_fail(s, "check", err);
	else if (!intended || strcmp(ours, intended) != 0)
		failed = err_set(err, ERR_STORE,
				 "%s: is damaged: its schema is not the one of version %lld, or "
				 "was changed by hand; restore a backup or move it away",
				 s->path, (long long)version);
	free(ours);
	free(intended);
	return failed;
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
