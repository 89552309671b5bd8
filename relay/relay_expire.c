/*
 * Retention of what nobody takes: parked events, and what is owed to destinations that are disabled
 * or detached, are kept for keep_unsent, then given up, counted and told. Every ten minutes, in
 * steps. A kill on the way costs nothing: what is left is found the next time.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/relay_state.h"

#define EVERY_MS  600000
#define FIRST_MS  10000 /* after the start */
#define AGAIN_MS  60000 /* after the journal failed */
#define STAMP_MS  5	/* until it is looked again whether delivery's changes are committed */
#define PICK_MOST 500
#define PICK_SCAN 2000

enum stage { LOOK, PARKED, OWED };

struct expiry {
	enum stage stage;
	bool asked;
	int64_t next_ms; /* mono */
	int64_t until;	 /* sequences up to it are old enough */
	uint64_t stamp;
	uint32_t after_destination; /* PARKED: where to go on; OWED: behind which number */
	int64_t after;
};

struct expiry *relay_open_expiry(int64_t now_ms)
{
	struct expiry *x = xcalloc(1, sizeof *x);
	x->next_ms = now_ms + FIRST_MS;
	return x;
}

bool relay_expiring(const struct relay *r)
{
	return r->expiry->asked;
}

static void pause_for(struct relay *r, int64_t ms)
{
	r->expiry->next_ms = relay_now(r).mono_ms + ms;
}

static void end(struct relay *r, int64_t pause_ms)
{
	r->expiry->stage = LOOK;
	pause_for(r, pause_ms);
}

/* False: the answer is of no use. */
static bool came(struct relay *r, const struct err *err)
{
	r->expiry->asked = false;
	if (err) {
		log_warn("what is old is given up later: the journal failed",
			 log_str("why", err->msg));
		end(r, AGAIN_MS);
	}
	return !err && !relay_ending(r);
}

/* ---- what is parked ---- */

static void forget_run(struct relay *r, const struct pick *v, size_t n)
{
	struct dropped d = {.count = (int64_t)n};
	int64_t sequences[PICK_MOST];
	for (size_t i = 0; i < n; i++) {
		sequences[i] = v[i].sequence;
		if (d.nids < GATHERED_IDS)
			memcpy(d.ids[d.nids++], v[i].id, EVENT_ID_SIZE);
	}
	delivery_forget_parked(r->delivery, v->destination, sequences, n);
	relay_note_dropped(r, v->destination, DROP_UNSENT, &d);
}

static void parked_found(void *arg, struct picks *p, const struct err *err)
{
	struct relay *r = arg;
	struct expiry *x = r->expiry;
	if (!came(r, err) || delivery_stamp(r->delivery) != x->stamp)
		return;
	for (size_t i = 0, n; i < p->n; i += n) {
		for (n = 1; i + n < p->n && p->v[i + n].destination == p->v[i].destination;)
			n++;
		forget_run(r, &p->v[i], n);
	}
	x->after_destination = p->scanned_destination;
	x->after = p->scanned;
	if (p->more)
		return;
	x->stage = OWED;
	x->after_destination = 0;
}

static void look_for_parked(struct relay *r)
{
	struct expiry *x = r->expiry;
	x->stamp = delivery_stamp(r->delivery);
	if (!x->stamp) {
		pause_for(r, STAMP_MS);
		return;
	}
	x->asked = true;
	journal_picks(r->journal,
		      &(struct pick_query){.after_destination = x->after_destination,
					   .after = x->after,
					   .parked = true,
					   .last = x->until,
					   .limit = PICK_MOST,
					   .scan_limit = PICK_SCAN},
		      parked_found, r);
}

/* ---- what is owed ---- */

static bool takes_nothing(const struct delivery_status *s)
{
	return s->state != DESTINATION_ENABLED || !s->enabled;
}

/* The next number of one that takes nothing and may be owed something so old; 0: none is left. */
static uint32_t next_idle(const struct relay *r, uint32_t after, int64_t until)
{
	struct delivery_status *s = xcalloc(r->ndestinations + 1, sizeof *s);
	size_t n = delivery_status(r->delivery, s, r->ndestinations);
	uint32_t best = 0;
	for (size_t i = 0; i < n; i++)
		if (takes_nothing(&s[i]) && s[i].number > after && (!best || s[i].number < best) &&
		    (s[i].position < until || s[i].retrying + s[i].waiting))
			best = s[i].number;
	free(s);
	return best;
}

static void owed_found(void *arg, const struct owed *owed, const struct err *err)
{
	struct relay *r = arg;
	struct expiry *x = r->expiry;
	uint32_t number = x->after_destination;
	struct dropped d = {.count = owed->n, .nids = owed->nids};
	if (!came(r, err) || next_idle(r, number - 1, x->until) != number)
		return; /* it was enabled meanwhile */
	memcpy(d.ids, owed->ids, sizeof owed->ids);
	/* Also where nothing was owed: the journal keeps all that a cursor has not passed. */
	delivery_skip(r->delivery, number, x->until);
	relay_note_dropped(r, number, DROP_UNSENT, &d);
}

static void look_for_owed(struct relay *r)
{
	struct expiry *x = r->expiry;
	uint32_t number = next_idle(r, x->after_destination, x->until);
	if (!number) {
		end(r, EVERY_MS);
		return;
	}
	x->after_destination = number;
	x->asked = true;
	journal_owed(r->journal, &(struct owed_query){.destination = number, .until = x->until},
		     owed_found, r);
}

/* ---- what is old ---- */

static void age_known(void *arg, int64_t sequence, const struct err *err)
{
	struct relay *r = arg;
	struct expiry *x = r->expiry;
	if (!came(r, err))
		return;
	if (!sequence) {
		end(r, EVERY_MS);
		return;
	}
	x->until = sequence;
	x->after_destination = 0;
	x->after = 0;
	x->stage = PARKED;
}

int relay_expire(struct relay *r, struct instant now)
{
	struct expiry *x = r->expiry;
	if (x->asked || relay_ending(r))
		return INT_MAX;
	if (now.mono_ms < x->next_ms)
		return (int)(x->next_ms - now.mono_ms);
	if (x->stage == PARKED) {
		look_for_parked(r);
	} else if (x->stage == OWED) {
		look_for_owed(r);
	} else {
		x->asked = true;
		journal_recorded_before(r->journal,
					now.wall_ms - journal_keep_unsent_ms(&r->settings->journal),
					age_known, r);
	}
	return x->asked ? INT_MAX : 1;
}
