/* sqlite_schema — the schema as numbered migrations. Invariant: what was released is never edited;
 * a change is one more entry at the end.
 *
 * Key order is the point: a destination's routes lie side by side, so that its backlog is one
 * range; recipients lie by broadcast and number, so that a page of them is one range. There is no
 * index on event ids: random keys halve the commit rate. */
#include "relay/journal/sqlite_store.h"

static const char first[] =
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	/* What the API calls states ('s') and statuses ('t'). */
	"CREATE TABLE names (kind TEXT, number INT, name TEXT NOT NULL,"
	" PRIMARY KEY (kind, number)) WITHOUT ROWID;"
	/* Event types and topics, each text once. */
	"CREATE TABLE words (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);"
	"CREATE TABLE broadcasts (number INTEGER PRIMARY KEY, org TEXT NOT NULL, id TEXT NOT NULL,"
	" name TEXT, status TEXT NOT NULL, created INT, updated INT, counters TEXT, templates TEXT,"
	" recipients INT NOT NULL, baseline_page INT NOT NULL, baseline_done INT NOT NULL,"
	" gone INT NOT NULL);"
	"CREATE TABLE recipients (broadcast INT, number INT, id TEXT NOT NULL, states INT NOT NULL,"
	" status INT NOT NULL, gone INT NOT NULL, processed INT NOT NULL, created INT, updated INT,"
	" times BLOB NOT NULL, contact TEXT, integration TEXT, identity_hash INT NOT NULL,"
	" error_hash INT NOT NULL, contact_hash INT NOT NULL,"
	" PRIMARY KEY (broadcast, number)) WITHOUT ROWID;"
	"CREATE TABLE events (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, type INT NOT NULL,"
	" topic INT, key INT NOT NULL, time INT NOT NULL, body BLOB NOT NULL);"
	"CREATE TABLE destinations (number INTEGER PRIMARY KEY, name TEXT NOT NULL,"
	" state INT NOT NULL, why TEXT);"
	"CREATE TABLE cursors (dest INTEGER PRIMARY KEY, position INT NOT NULL,"
	" done BLOB NOT NULL);"
	"CREATE TABLE rules (number INTEGER PRIMARY KEY, name TEXT NOT NULL, version INT NOT NULL);"
	"CREATE TABLE routes (dest INT, seq INT, topic INT, prev INT, rule INT NOT NULL,"
	" PRIMARY KEY (dest, seq)) WITHOUT ROWID;"
	/* The last sequence routed to a destination under a topic. */
	"CREATE TABLE heads (dest INT, topic INT, last INT NOT NULL,"
	" PRIMARY KEY (dest, topic)) WITHOUT ROWID;"
	"CREATE TABLE exceptions (dest INT, seq INT, key INT NOT NULL, state INT NOT NULL,"
	" attempts INT NOT NULL, due INT NOT NULL, why TEXT,"
	" PRIMARY KEY (dest, seq)) WITHOUT ROWID;"
	"CREATE TABLE attempts (dest INT, seq INT, n INT, at INT NOT NULL, took INT NOT NULL,"
	" verdict INT NOT NULL, why TEXT, PRIMARY KEY (dest, seq, n)) WITHOUT ROWID;"
	/* Every event up to seq was committed at or before `at`: what retention goes by, since an
	 * event's own time may lie years back. */
	"CREATE TABLE marks (at INTEGER PRIMARY KEY, seq INT NOT NULL);";

/* What folds over the log keep: alerts that are open, reports that were told. */
static const char folds[] = "CREATE TABLE folds (fold TEXT, key TEXT, state TEXT NOT NULL,"
			    " PRIMARY KEY (fold, key)) WITHOUT ROWID;";

/* A contact has a row for each channel it is reached by. Random keys, but rows are inserted once,
 * and at the API's pace: some 1.5 ms more for a page of 100 new ones. unreached: of few rows, and
 * for seconds. */
static const char contacts[] =
	"ALTER TABLE recipients ADD COLUMN unreached INT NOT NULL DEFAULT 0;"
	"CREATE INDEX recipients_contact ON recipients (broadcast, contact)"
	" WHERE contact IS NOT NULL;"
	"CREATE INDEX recipients_undecided ON recipients (broadcast, unreached)"
	" WHERE unreached > 0;";

/* The random keys cost more than the rows themselves after all: see sqlite_index.c. */
static const char entries[] =
	"DROP INDEX recipients_contact;"
	"CREATE TABLE entries (broadcast INT, hash INT, number INT,"
	" PRIMARY KEY (broadcast, hash, number)) WITHOUT ROWID;"
	"CREATE TABLE indexed (broadcast INTEGER PRIMARY KEY, until INT NOT NULL);";

/* A time that a receiver named holds against anything that would make it due sooner; and since when
 * a destination is down. */
static const char outages[] = "ALTER TABLE exceptions ADD COLUMN held INT NOT NULL DEFAULT 0;"
			      "ALTER TABLE destinations ADD COLUMN down INT NOT NULL DEFAULT 0;";

const char *const sqlite_migrations[] = {first, folds, contacts, outages, entries};
const int sqlite_schema_version = sizeof sqlite_migrations / sizeof *sqlite_migrations;
