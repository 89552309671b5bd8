/* sqlite_tidy — room: checkpoints, retention, and the ceilings under which no new events are taken.
 * Invariants: retention takes an event only when every destination's cursor has passed it, no
 * exception needs it and a mark says it is old enough; the last event always stays, for the next
 * sequence follows from it. */
#include "relay/journal/sqlite_store.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

/* At 4 to 11 ms a checkpoint of this many pages is short; four times as many took up to 17. */
#define CHECKPOINT_PAGES 1000

/* Retention is no more exact than this, and costs one small write each time. */
#define MARK_EVERY_MS (10 * 60 * 1000)

/* Sequences a call goes over: some 10 ms; at ten commits a second still 5,000 events/s. */
#define PRUNE_STEP 500

/* The file is full at this part of max_size, so that verdicts still have room. Before that what is
 * settled goes, whatever its age, until there is some distance again. */
#define FULL_PERCENT	95
#define PRESSED_PERCENT 90
#define EASED_PERCENT	85

/* Under pressure there may be more to take whenever something was settled. */
#define LOOK_PRESSED_MS 1000

static int measure(struct sqlite_store *s, struct err *err)
{
	int64_t pages = 0, unused = 0;

	if (sqlite_end(s, SQL_PAGES, &pages, err) != 0 ||
	    sqlite_end(s, SQL_FREE_PAGES, &unused, err) != 0)
		return -1;
	s->used = (pages - unused) * SQLITE_PAGE;
	return 0;
}

static bool is_above(const struct sqlite_store *s, int percent)
{
	return s->max_size && s->used > s->max_size / 100 * percent;
}

static int free_on_disk(const struct sqlite_store *s, int64_t *ret, struct err *err)
{
	struct statvfs fs;

	if (statvfs(s->path, &fs) != 0)
		return err_set(err, ERR_IO, "%s: %s", s->path, strerror(errno));
	*ret = fs.f_bavail > (uint64_t)INT64_MAX / fs.f_frsize
		       ? INT64_MAX
		       : (int64_t)(fs.f_bavail * fs.f_frsize);
	return 0;
}

int sqlite_has_room(struct sqlite_store *s, struct err *err)
{
	int64_t left = 0;

	if (is_above(s, FULL_PERCENT))
		return err_set(err, ERR_LIMIT, "%s: journal full: %d%% of max_size is in use",
			       s->path, FULL_PERCENT);
	if (!s->min_free)
		return 0;
	if (free_on_disk(s, &left, err) != 0)
		return -1;
	if (left < s->min_free)
		return err_set(err, ERR_LIMIT,
			       "%s: journal full: less than min_free is left on its disk", s->path);
	return 0;
}

int sqlite_room(struct store *store, struct store_room *ret, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct store_room room = {
		.used = s->used, .max_size = s->max_size, .min_free = s->min_free};

	if (free_on_disk(s, &room.free, err) != 0)
		return -1;
	room.full = is_above(s, FULL_PERCENT) || room.free < room.min_free;
	*ret = room;
	return 0;
}

int sqlite_tidy_start(struct sqlite_store *s, struct err *err)
{
	if (sqlite_end(s, SQL_LAST_MARK, &s->marked, err) != 0)
		return -1;
	return measure(s, err);
}

static int add_mark(struct sqlite_store *s, int64_t now_ms, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_ADD_MARK, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, now_ms);
	sqlite_bind_int(st, 2, s->latest);
	if (sqlite_run(s, st, err) != 0)
		return -1;
	s->marked = s->latest;
	return 0;
}

/* Up to where may retention go now? */
static int find_prunable(struct sqlite_store *s, int64_t now_ms, struct err *err)
{
	int64_t old = 0, settled = INT64_MAX; /* without destinations nothing is owed */
	sqlite3_stmt *st = sqlite_ready(s, SQL_MARK_BEFORE, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, now_ms - s->keep_ms);
	if (sqlite_number(s, st, &old, err) != 0 || sqlite_end(s, SQL_SETTLED, &settled, err) != 0)
		return -1;
	if (s->pressed)
		old = s->latest;
	s->prunable = old < settled ? old : settled;
	if (s->prunable >= s->latest)
		s->prunable = s->latest - 1;
	/* Also over what an exception held back, but not before the last pass came to its end. */
	if (s->pruned >= s->pass_end) {
		s->pruned = s->first ? s->first - 1 : 0;
		s->pass_end = s->prunable;
	}
	st = sqlite_ready(s, SQL_DROP_MARKS, err);
	if (!st)
		return -1;
	sqlite_bind_int(st, 1, now_ms - s->keep_ms);
	return sqlite_run(s, st, err);
}

static int prune_destination(struct sqlite_store *s, enum statement which, int64_t destination,
			     int64_t to, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, which, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, destination);
	sqlite_bind_int(st, 2, s->pruned);
	sqlite_bind_int(st, 3, to);
	return sqlite_run(s, st, err);
}

static int prune_routes(struct sqlite_store *s, int64_t to, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_DESTINATIONS, err);
	int got;

	if (!st)
		return -1;
	while ((got = sqlite_row(s, st, err)) > 0) {
		int64_t destination = sqlite3_column_int64(st, 0);

		if (prune_destination(s, SQL_PRUNE_ROUTES, destination, to, err) != 0 ||
		    prune_destination(s, SQL_PRUNE_ATTEMPTS, destination, to, err) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return got;
}

/* Goes with the step, for the next start. */
static int note_oldest(struct sqlite_store *s, int64_t oldest, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_PUT_META, err);

	if (!st)
		return -1;
	sqlite_bind_text(st, 1, "oldest");
	sqlite_bind_int(st, 2, oldest);
	return sqlite_run(s, st, err);
}

static int prune_step(struct sqlite_store *s, int64_t to, struct err *err)
{
	int64_t oldest = to >= s->oldest ? to + 1 : s->oldest;
	sqlite3_stmt *st;

	if (prune_routes(s, to, err) != 0)
		return -1;
	st = sqlite_ready(s, SQL_PRUNE_EVENTS, err);
	if (!st)
		return -1;
	sqlite_bind_int(st, 1, s->pruned);
	sqlite_bind_int(st, 2, to);
	if (sqlite_run(s, st, err) != 0)
		return -1;
	if (oldest > s->oldest && note_oldest(s, oldest, err) != 0)
		return -1;
	if (sqlite_run_plain(s, SQL_COMMIT, err) != 0)
		return -1;
	s->pruned = to;
	s->oldest = oldest;
	return sqlite_end(s, SQL_FIRST, &s->first, err);
}

/* The sequence that PRUNE_STEP events behind `pruned` reach: holes cost nothing. A late route may
 * lie before what was found settled, and be owed. */
static int step_end(struct sqlite_store *s, int64_t *ret, struct err *err)
{
	int64_t settled = INT64_MAX;
	sqlite3_stmt *st = sqlite_ready(s, SQL_STEP_END, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, s->pruned);
	sqlite_bind_int(st, 2, PRUNE_STEP);
	*ret = s->prunable;
	if (sqlite_number(s, st, ret, err) != 0 || sqlite_end(s, SQL_SETTLED, &settled, err) != 0)
		return -1;
	if (*ret > s->prunable)
		*ret = s->prunable;
	if (*ret > settled)
		*ret = settled;
	return 0;
}

static int prune(struct sqlite_store *s, struct err *err)
{
	int64_t to;

	if (step_end(s, &to, err) != 0)
		return -1;
	if (to <= s->pruned) { /* until it is looked anew */
		s->prunable = s->pruned;
		return 0;
	}
	if (sqlite_run_plain(s, SQL_BEGIN, err) != 0)
		return -1;
	if (prune_step(s, to, err) != 0) {
		sqlite_end_read(s);
		return -1;
	}
	return 0;
}

/* Most free pages are used again soon; only a surplus goes back to the disk. */
static int give_back(struct sqlite_store *s, struct err *err)
{
	int64_t unused = 0;

	if (sqlite_end(s, SQL_FREE_PAGES, &unused, err) != 0)
		return -1;
	return unused > 4 * CHECKPOINT_PAGES ? sqlite_run_plain(s, SQL_VACUUM, err) : 0;
}

/* What age allows is looked for now and then, what pressure allows more often. */
static int look(struct sqlite_store *s, int64_t now_ms, struct err *err)
{
	bool due = now_ms - s->looked_ms >= MARK_EVERY_MS || now_ms < s->looked_ms;
	bool pressing = s->pressed && s->pruned >= s->prunable &&
			(now_ms - s->pressed_ms >= LOOK_PRESSED_MS || now_ms < s->pressed_ms);

	if (due && s->latest > s->marked && add_mark(s, now_ms, err) != 0)
		return -1;
	if ((due || pressing) && find_prunable(s, now_ms, err) != 0)
		return -1;
	if (due)
		s->looked_ms = now_ms;
	if (pressing)
		s->pressed_ms = now_ms;
	return 0;
}

static void feel_pressure(struct sqlite_store *s)
{
	if (is_above(s, PRESSED_PERCENT)) {
		s->pressed = true;
	} else if (s->pressed && !is_above(s, EASED_PERCENT)) {
		s->pressed = false;
		s->prunable = s->pass_end = s->pruned; /* age counts again */
	}
}

/* 1: there is more to let go; 0; -1 with err */
static int retain(struct sqlite_store *s, int64_t now_ms, bool may_take, struct err *err)
{
	feel_pressure(s);
	if (look(s, now_ms, err) != 0)
		return -1;
	if (s->pruned >= s->prunable)
		return 0;
	if (may_take && prune(s, err) != 0)
		return -1;
	return s->pruned < s->prunable;
}

/* A log that stays long is tried again after the next commit. */
static void checkpoint(struct sqlite_store *s)
{
	if (s->wal_pages < CHECKPOINT_PAGES)
		return;
	if (sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) ==
	    SQLITE_OK)
		s->wal_pages = 0;
}

int64_t sqlite_tidy(struct store *store, int64_t now_wall_ms, bool may_take, bool *ret_more)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct err ignored = {0};
	int retaining = retain(s, now_wall_ms, may_take, &ignored);
	int clearing = sqlite_clear_dropped(s, &ignored);
	int indexing = sqlite_index_step(s, now_wall_ms, &ignored);

	if (retaining || clearing)
		give_back(s, &ignored);
	checkpoint(s);
	measure(s, &ignored);
	*ret_more = retaining > 0 || clearing > 0 || indexing > 0;
	return s->oldest;
}
