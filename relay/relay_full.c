/*
 * A journal that is full. Polling pauses at once; deliveries go on, and mostly make room. When that
 * did not help, and what stands in the way is owed to a destination that would rather lose its
 * oldest than hold up all (when_full: drop_oldest), a piece of that is given up; and so on until
 * there is room. Nothing is dropped of any other; but where nothing is owed, as to one that is
 * disabled, its cursor may go on.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/relay_state.h"

#define PAUSE_MS    5000   /* until a full journal is tried again */
#define CALM_MS	    120000 /* a journal at its ceiling turns full each few seconds: then it is over */
#define AGAIN_MS    600000 /* … and so often it is said that it is not */
#define TRY_MS	    1000   /* … after a piece was dropped */
#define PIECE_PART  10	   /* of the journal's span … */
#define PIECE_LEAST 1000   /* … or so many sequences */

struct making_room {
	struct relay *relay;
	uint32_t number;
	int64_t until, read_until;
	bool may_drop;
	struct dropped found;
};

/* Whose cursor stands behind all others'; false: nobody is owed anything. */
static bool find_holder(const struct relay *r, struct delivery_status *ret)
{
	struct delivery_status *s = xcalloc(r->ndestinations + 1, sizeof *s);
	size_t n = delivery_status(r->delivery, s, r->ndestinations);
	bool found = false;
	for (size_t i = 0; i < n; i++) {
		if (s[i].position >= journal_latest(r->journal) ||
		    (found && s[i].position >= ret->position))
			continue;
		*ret = s[i];
		found = true;
	}
	free(s);
	return found;
}

static bool may_drop(const struct relay *r, const struct delivery_status *s)
{
	const struct destination_settings *d = settings_destination(r->settings, s->name);
	return d && d->options.when_full == WHEN_FULL_DROP_OLDEST;
}

static int64_t piece_end(const struct relay *r, const struct delivery_status *s)
{
	int64_t latest = journal_latest(r->journal);
	int64_t piece = (latest - journal_oldest(r->journal)) / PIECE_PART;
	if (piece < PIECE_LEAST)
		piece = PIECE_LEAST;
	return s->position + piece < latest ? s->position + piece : latest;
}

static void end(struct making_room *m)
{
	m->relay->making_room = false;
	free(m);
}

static void drop_piece(struct making_room *m)
{
	struct relay *r = m->relay;
	m->found.count += (int64_t)delivery_skip(r->delivery, m->number, m->until);
	relay_note_dropped(r, m->number, DROP_FULL, &m->found);
	if (m->found.count)
		log_warn("the journal is full: the oldest that a destination is owed is dropped",
			 log_str("destination", relay_known_number(r, m->number)->record.name),
			 log_num("events", m->found.count), log_num("up_to", m->until));
	if (r->full_until_ms)
		r->full_until_ms = relay_now(r).mono_ms + TRY_MS;
	end(m);
}

/* Its own cursor has moved on meanwhile: what it did not read then is being read, and counted as
 * such. The next refusal tries again. */
static bool is_stale(const struct making_room *m)
{
	const struct relay *r = m->relay;
	return !r->full || relay_ending(r) || !relay_known_number(r, m->number) ||
	       delivery_read_until(r->delivery, m->number) != m->read_until;
}

static void rest_counted(void *arg, const struct owed *owed, const struct err *err)
{
	struct making_room *m = arg;
	m->found.count = owed->n;
	if (err || is_stale(m))
		end(m);
	else
		drop_piece(m);
}

static void oldest_found(void *arg, const struct owed *owed, const struct err *err)
{
	struct making_room *m = arg;
	if (err || is_stale(m) || (owed->n && !m->may_drop)) {
		end(m);
		return;
	}
	m->found.nids = owed->nids;
	memcpy(m->found.ids, owed->ids, sizeof owed->ids);
	if (m->until <= m->read_until)
		drop_piece(m);
	else
		journal_owed(m->relay->journal,
			     &(struct owed_query){.destination = m->number,
						  .after = m->read_until,
						  .until = m->until},
			     rest_counted, m);
}

static void make_room(struct relay *r)
{
	struct delivery_status s = {0};
	if (!find_holder(r, &s))
		return;
	struct making_room *m = xcalloc(1, sizeof *m);
	*m = (struct making_room){.relay = r,
				  .number = s.number,
				  .until = piece_end(r, &s),
				  .may_drop = may_drop(r, &s),
				  .read_until = delivery_read_until(r->delivery, s.number)};
	r->making_room = true;
	journal_owed(r->journal, &(struct owed_query){.destination = s.number, .until = m->until},
		     oldest_found, m);
}

static void log_full(struct relay *r, const char *why, int64_t now_ms)
{
	r->room_since_ms = 0;
	if (r->full_log_ms && now_ms < r->full_log_ms + AGAIN_MS)
		return;
	r->full_log_ms = now_ms;
	log_error("the journal takes no more: polling pauses, deliveries go on",
		  log_str("why", why));
}

void relay_note_full(struct relay *r, const char *why)
{
	int64_t now_ms = relay_now(r).mono_ms;
	log_full(r, why, now_ms);
	source_pause(r->source, true);
	r->full_until_ms = now_ms + PAUSE_MS;
	if (!r->full_since_ms)
		r->full_since_ms = now_ms;
	r->full = true;
	if (now_ms - r->full_since_ms >= PAUSE_MS && !r->making_room && !relay_ending(r))
		make_room(r);
}

bool relay_note_room(struct relay *r)
{
	bool was_full = r->full;
	r->full = false;
	r->full_since_ms = 0;
	if (r->full_log_ms)
		r->room_since_ms = relay_now(r).mono_ms;
	return was_full;
}

/* ms until the log may say that it is over. */
static int log_room(struct relay *r, int64_t now_ms)
{
	if (!r->room_since_ms)
		return INT_MAX;
	if (now_ms < r->room_since_ms + CALM_MS)
		return (int)(r->room_since_ms + CALM_MS - now_ms);
	r->full_log_ms = r->room_since_ms = 0;
	log_info("the journal has room again");
	return INT_MAX;
}

int relay_resume_polling(struct relay *r, struct instant now)
{
	int wait = log_room(r, now.mono_ms);
	if (!r->full_until_ms)
		return wait;
	if (now.mono_ms < r->full_until_ms) {
		int pause = (int)(r->full_until_ms - now.mono_ms);
		return pause < wait ? pause : wait;
	}
	r->full_until_ms = 0;
	if (!r->stopping && !r->next)
		source_pause(r->source, false);
	return wait;
}
