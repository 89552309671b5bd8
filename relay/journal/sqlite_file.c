/* sqlite_file — the file before the first statement: whose it is, of a version we know. Invariant:
 * a journal appears under its name only complete (made aside, then renamed), so an empty or partial
 * file is damage and is never taken for a new journal. */
#include "relay/journal/sqlite_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"

#define BUSY_MS 1000 /* readers elsewhere hold a lock for moments only, while they recover */

static const char settings[] = "PRAGMA synchronous=FULL;"
			       "PRAGMA wal_autocheckpoint=0;"
			       "PRAGMA cache_size=-8192;"
			       "PRAGMA mmap_size=0;"
			       "PRAGMA temp_store=MEMORY;"
			       "PRAGMA cell_size_check=ON;"
			       "PRAGMA trusted_schema=OFF;"
			       "PRAGMA journal_size_limit=16777216";
/* A new file is made aside and synced as a whole: on the way there nothing can be lost. */
static const char layout[] = "PRAGMA page_size=4096;"
			     "PRAGMA auto_vacuum=INCREMENTAL;"
			     "PRAGMA journal_mode=MEMORY;"
			     "PRAGMA synchronous=OFF";
/* The pid that the lock file names, 0: none. */
static long lock_holder(int fd)
{
	char text[24] = "";
	ssize_t got = pread(fd, text, sizeof text - 1, 0);

	return got > 0 ? strtol(text, NULL, 10) : 0;
}

static int take_lock(struct sqlite_store *s, int fd, const char *name, struct err *err)
{
	char text[24];
	int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			return err_set(err, ERR_STORE, "%s: locked by another relay (pid %ld)",
				       s->path, lock_holder(fd));
		return err_set(err, ERR_IO, "%s: cannot lock: %s", name, strerror(errno));
	}
	/* Only for the message above: a full disk must not keep a relay from draining. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) < 0)
		errno = 0;
	s->lock_fd = fd;
	return 0;
}

int sqlite_lock(struct sqlite_store *s, struct err *err)
{
	char *name = xasprintf("%s.lock", s->path);
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int failed;

	if (fd < 0)
		failed = err_set(err, ERR_STORE,
				 "%s: %s; the journal's folder must exist and be "
				 "writable",
				 name, strerror(errno));
	else
		failed = take_lock(s, fd, name, err);
	if (failed && fd >= 0)
		close(fd);
	free(name);
	return failed;
}

static int execute(struct sqlite_store *s, const char *sql, const char *what, struct err *err)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
								       : sqlite_fail(s, what, err);
}

static int open_file(struct sqlite_store *s, int flags, struct err *err)
{
	int code = sqlite3_open_v2(s->path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (code != SQLITE_OK)
		return sqlite_fail(s, "open", err);
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, BUSY_MS);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return 0;
}

/* Some file systems cannot hold a write-ahead log; SQLite then stays in another mode. */
int sqlite_enter_wal(struct sqlite_store *s, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int failed = -1;

	if (sqlite3_prepare_v2(s->db, "PRAGMA journal_mode=WAL", -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		sqlite_fail(s, "open", err);
	else if (strcmp((const char *)sqlite3_column_text(st, 0), "wal") != 0)
		err_set(err, ERR_STORE,
			"%s: its file system cannot hold a write-ahead log; "
			"put the journal on a local disk",
			s->path);
	else
		failed = 0;
	sqlite3_finalize(st);
	return failed;
}

int sqlite_connect(struct sqlite_store *s, struct err *err)
{
	int flags = s->writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
	struct stat st;

	if (stat(s->path, &st) != 0)
		return err_set(err, ERR_STORE, "%s: no journal there: %s", s->path,
			       strerror(errno));
	if (st.st_size == 0)
		return err_set(err, ERR_STORE,
			       "%s: is damaged: it is empty; restore a backup or move it away",
			       s->path);
	if (open_file(s, flags, err) != 0)
		return -1;
	return execute(s, settings, "open", err);
}

void sqlite_disconnect(struct sqlite_store *s)
{
	for (int i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(s->prepared[i]);
		s->prepared[i] = NULL;
	}
	sqlite3_close(s->db); /* the last writer to leave writes the log back into the file */
	s->db = NULL;
}

int sqlite_pragma(struct sqlite_store *s, const char *sql, int64_t *ret, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int failed;

	if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
		return sqlite_fail(s, "open", err);
	failed = sqlite_number(s, st, ret, err);
	sqlite3_finalize(st);
	return failed;
}

int sqlite_identify(struct sqlite_store *s, struct err *err)
{
	int64_t id = 0, version = 0;

	if (sqlite_pragma(s, "PRAGMA application_id", &id, err) != 0 ||
	    sqlite_pragma(s, "PRAGMA user_version", &version, err) != 0)
		return -1;
	if (id != SQLITE_APPLICATION_ID)
		return err_set(err, ERR_STORE,
			       "%s: is a database of another program (application id %#llx); "
			       "give the journal another path",
			       s->path, (unsigned long long)id & 0xffffffffULL);
	if (version < 1)
		return err_set(err, ERR_STORE,
			       "%s: is damaged: schema version %lld; restore a backup or move it "
			       "away",
			       s->path, (long long)version);
	if (version > sqlite_schema_version)
		return err_set(err, ERR_STORE,
			       "%s: was written by a newer Relay (schema %lld, this one knows %d); "
			       "run that one, or restore a backup",
			       s->path, (long long)version, sqlite_schema_version);
	if (version < sqlite_schema_version && !s->writes)
		return err_set(err, ERR_STORE,
			       "%s: was written by an older Relay (schema %lld, this one reads "
			       "%d); start the relay once, it migrates",
			       s->path, (long long)version, sqlite_schema_version);
	return 0;
}

static int migrate_once(struct sqlite_store *s, int version, struct err *err)
{
	char number[48];

	snprintf(number, sizeof number, "PRAGMA user_version=%d", version);
	if (execute(s, "BEGIN IMMEDIATE", "migrate", err) == 0 &&
	    execute(s, sqlite_migrations[version - 1], "migrate", err) == 0 &&
	    execute(s, number, "migrate", err) == 0 && execute(s, "COMMIT", "migrate", err) == 0)
		return 0;
	sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

int sqlite_migrate(struct sqlite_store *s, struct err *err)
{
	int64_t version = 0;

	if (sqlite_pragma(s, "PRAGMA user_version", &version, err) != 0)
		return -1;
	while (version < sqlite_schema_version) {
		if (migrate_once(s, (int)++version, err) != 0)
			return -1;
	}
	return 0;
}

static void uuid_text(char ret[37])
{
	uint8_t b[16];

	random_bytes(b, sizeof b);
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4, RFC 9562 */
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		 b[13], b[14], b[15]);
}

static int write_birth(struct sqlite_store *s, struct err *err)
{
	char uuid[37], identity[48];
	sqlite3_stmt *st = sqlite_ready(s, SQL_PUT_META, err);

	if (!st)
		return -1;
	uuid_text(uuid);
	sqlite_bind_text(st, 1, "uuid");
	sqlite_bind_text(st, 2, uuid);
	if (sqlite_run(s, st, err) != 0)
		return -1;
	st = sqlite_ready(s, SQL_PUT_META, err);
	sqlite_bind_text(st, 1, "created");
	sqlite_bind_int(st, 2, clock_now().wall_ms);
	if (sqlite_run(s, st, err) != 0)
		return -1;
	snprintf(identity, sizeof identity, "PRAGMA application_id=%d", SQLITE_APPLICATION_ID);
	return execute(s, identity, "create", err);
}

static int sync_path(const char *path, int flags, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	int failed = 0;

	if (fd < 0 || fsync(fd) != 0)
		failed = err_set(err, ERR_IO, "%s: cannot sync: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return failed;
}

/* Gives the complete file its name, to last. */
static int give_name(const char *from, const char *to, struct err *err)
{
	const char *slash = strrchr(to, '/');
	char *folder = slash ? xstrndup(to, (size_t)(slash - to) + 1) : xstrdup(".");
	int failed = sync_path(from, 0, err);

	if (!failed && rename(from, to) != 0)
		failed = err_set(err, ERR_IO, "%s: cannot rename to it: %s", to, strerror(errno));
	if (!failed)
		failed = sync_path(folder, O_DIRECTORY, err);
	free(folder);
	return failed;
}

static void remove_beside(const char *path, const char *ending)
{
	char *name = xasprintf("%s%s", path, ending);

	unlink(name);
	free(name);
}

/* A complete journal under the name made->path. */
static int create_aside(struct sqlite_store *made, struct err *err)
{
	int fd;

	remove_beside(made->path, ""); /* what a killed attempt left; nobody's, we hold the lock */
	remove_beside(made->path, "-journal");
	remove_beside(made->path, "-wal");
	remove_beside(made->path, "-shm");
	/* SQLite gives its own mode to new files; the journal holds people's ids. */
	fd = open(made->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, ERR_STORE, "%s: cannot create: %s", made->path,
			       strerror(errno));
	close(fd);
	if (open_file(made, SQLITE_OPEN_READWRITE, err) != 0 ||
	    execute(made, layout, "create", err) != 0)
		return -1;
	if (sqlite_migrate(made, err) != 0 || write_birth(made, err) != 0)
		return -1;
	return sqlite_enter_wal(made, err);
}

int sqlite_create_missing(struct sqlite_store *s, struct err *err)
{
	struct sqlite_store made = {.writes = true};
	char *wal = xasprintf("%s-wal", s->path);
	int failed = 0;

	if (access(s->path, F_OK) == 0)
		goto out;
	if (access(wal, F_OK) == 0) {
		failed = err_set(err, ERR_STORE,
				 "%s: is gone, but its write-ahead log %s is "
				 "there; restore both or move the log away",
				 s->path, wal);
		goto out;
	}
	made.path = xasprintf("%s.new", s->path);
	failed = create_aside(&made, err);
	sqlite_disconnect(&made);
	if (!failed)
		failed = give_name(made.path, s->path, err);
	free(made.path);
out:
	free(wal);
	return failed;
}
