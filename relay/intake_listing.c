/*
 * List entries: a broadcast seen for the first time is journaled and then followed; of a followed
 * one the differences become events. A broadcast has one commit of its record under way at a time:
 * an entry that comes meanwhile is left to the next list, seconds later.
 */
#include "relay/intake_state.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

struct entry {
	struct intake *in;
	struct followed *broadcast; /* NULL: it arrives */
	char *key;
	bool rests;	   /* it is not followed any more afterwards */
	bool known;	   /* it arrives again: the journal has rows of it */
	int64_t listed_ms; /* wall, when it arrived */
};

static char *key_of(const char *org, const char *id)
{
	return xasprintf("%s/%s", org, id);
}

static bool is_arriving(const struct intake *in, const char *key)
{
	for (size_t i = 0; i < in->narriving; i++)
		if (!strcmp(in->arriving[i], key))
			return true;
	return false;
}

static void arrived(struct intake *in, const char *key)
{
	for (size_t i = 0; i < in->narriving; i++)
		if (!strcmp(in->arriving[i], key)) {
			free(in->arriving[i]);
			in->arriving[i] = in->arriving[--in->narriving];
			return;
		}
}

/* ---- broadcasts that are not followed now ---- */

void intake_remember(struct intake *in, const struct broadcast_record *record)
{
	in->resting = mem_grow(in->resting, in->nresting, &in->resting_cap, sizeof *in->resting);
	struct resting *r = &in->resting[in->nresting++];
	*r = (struct resting){.key = source_key(record->org, record->id)};
	broadcast_record_copy(&r->record, record);
}

static struct resting *find_resting(const struct intake *in, const char *org, const char *id)
{
	uint64_t key = source_key(org, id);
	for (size_t i = 0; i < in->nresting; i++)
		if (in->resting[i].key == key && !strcmp(in->resting[i].record.id, id) &&
		    !strcmp(in->resting[i].record.org, org))
			return &in->resting[i];
	return NULL;
}

const struct broadcast_record *intake_resting(const struct intake *in, uint32_t number)
{
	for (size_t i = 0; i < in->nresting; i++)
		if (in->resting[i].record.number == number)
			return &in->resting[i].record;
	return NULL;
}

static void drop_resting(struct intake *in, struct resting *r)
{
	broadcast_record_release(&r->record);
	*r = in->resting[--in->nresting];
}

void intake_listing_release(struct intake *in)
{
	while (in->nresting)
		drop_resting(in, in->resting);
	free(in->resting);
	for (size_t i = 0; i < in->nrounds; i++)
		free(in->rounds[i].org);
	free(in->rounds);
}

/* Its rows stay in the journal, its record here. Not while a page of it is under way: that page
 * numbers new rows, and so would one that came after it is woken. Then the next list, or the next
 * answer that it is gone, lets it rest. */
static bool let_rest(struct intake *in, struct followed *f)
{
	if (f->passing)
		return false;
	intake_remember(in, &f->record);
	source_unfollow(in->source, f);
	return true;
}

/* No list will say of them that they are not asked for. */
void intake_let_rest_unnamed(struct intake *in)
{
	size_t i = 0;
	struct followed *f;
	while ((f = source_at(in->source, i)) != NULL) {
		/* where one is let rest, another one takes its place */
		bool named = source_polls(in->source, f->record.org) &&
			     source_names(in->options, f->record.org, f->record.id);
		if (named || !let_rest(in, f))
			i++;
	}
}

struct holding {
	struct held *held;
	bool whole;
};

static void hold_row(void *arg, const struct recipient_record *record)
{
	struct holding *h = arg;
	h->whole = h->whole && held_hold(h->held, record);
}

struct held *intake_load_rows(struct journal *j, const struct source_options *o,
			      const struct broadcast_record *b, struct err *err)
{
	struct holding h = {held_new(), true};
	int failed = journal_load_recipients(j, b->number, hold_row, &h, err);
	if (!failed && !h.whole)
		failed = err_set(err, ERR_STORE,
				 "the journal is damaged: recipients of broadcast %s are missing",
				 b->id);
	if (!failed) {
		intake_filter_rows(o, h.held);
		return h.held;
	}
	held_free(h.held);
	return NULL;
}

/* Follows it again as what the journal holds of it says. Rare, and the one read of the journal that
 * the loop waits for. */
static void wake(struct intake *in, struct resting *r, const struct broadcast_record *now_known,
		 int64_t now_wall_ms)
{
	struct broadcast_record record = {0};
	struct err err = {0};
	struct held *held = intake_load_rows(in->env.journal, in->options, &r->record, &err);
	if (!held) {
		in->env.failed(in->env.arg, &err);
		return;
	}
	broadcast_record_copy(&record, now_known);
	record.gone = false;
	record.recipients = held_count(held);
	drop_resting(in, r);
	source_follow(in->source, &record, held)->moved_ms = now_wall_ms;
}

static void replace_record(struct followed *f, const struct broadcast_record *w)
{
	struct broadcast_record fresh = {0};
	broadcast_record_copy(&fresh, w);
	fresh.recipients = f->record.recipients;
	fresh.baseline_page = f->record.baseline_page;
	fresh.baseline_done = f->record.baseline_done;
	broadcast_record_release(&f->record);
	f->record = fresh;
}

static void entry_done(void *arg, const struct batch *b, const struct err *err)
{
	struct entry *e = arg;
	struct intake *in = e->in;
	in->busy--;
	if (e->broadcast)
		e->broadcast->writing = false;
	else
		arrived(in, e->key);
	if (in->halted) {
		/* The journal is closed: what was committed is for the next start. */
	} else if (err) {
		in->env.failed(in->env.arg, err);
	} else {
		struct resting *r =
			e->known ? find_resting(in, b->broadcasts[0].org, b->broadcasts[0].id)
				 : NULL;
		if (r) {
			wake(in, r, &b->broadcasts[0], e->listed_ms);
		} else if (!e->broadcast) {
			struct broadcast_record record = {0};
			broadcast_record_copy(&record, &b->broadcasts[0]);
			source_follow(in->source, &record, NULL);
		} else {
			replace_record(e->broadcast, &b->broadcasts[0]);
			if (e->rests)
				let_rest(in, e->broadcast);
		}
		intake_committed(in, b);
	}
	free(e->key);
	free(e);
}

static void submit(struct intake *in, struct followed *f, struct entry how, struct batch *b)
{
	struct entry *e = xcalloc(1, sizeof *e);
	*e = how;
	e->in = in;
	e->broadcast = f;
	in->busy++;
	if (f) {
		f->writing = true;
	} else {
		in->arriving = mem_grow(in->arriving, in->narriving, &in->arriving_cap,
					sizeof *in->arriving);
		in->arriving[in->narriving++] = xstrdup(e->key);
	}
	router_route(in->env.router, b, 0);
	intake_commit(in, b, entry_done, e);
}

static void arrive(struct intake *in, const char *org, const struct listing_row *row,
		   const char *text, int64_t now_ms)
{
	char *key = key_of(org, row->id);
	if (is_arriving(in, key)) {
		free(key);
		return;
	}
	const struct resting *r = find_resting(in, org, row->id);
	struct broadcast_record fresh = {.org = (char *)org, .id = (char *)row->id};
	struct diff_place at = intake_place(in, &fresh, now_ms);
	at.broadcast_name = row->name;
	at.broadcast_created_ms = row->created_ms;
	struct batch *b = batch_new();
	struct broadcast_record *w = batch_broadcast(b);
	diff_broadcast(&at, r ? &r->record : NULL, row, text, &b->events, w);
	w->gone = false;
	if (!r)
		w->number = ++in->env.broadcasts;
	submit(in, NULL, (struct entry){.key = key, .known = r, .listed_ms = now_ms}, b);
}

static bool text_differs(const char *a, const char *b)
{
	return (a || b) && (!a || !b || strcmp(a, b) != 0);
}

static bool moved(const struct broadcast_record *r, const struct listing_row *row)
{
	return r->updated_ms != row->updated_ms || text_differs(r->counters, row->counters) ||
	       text_differs(r->status, row->status) || text_differs(r->name, row->name) ||
	       text_differs(r->templates, row->templates) || r->gone;
}

static void update(struct intake *in, struct followed *f, const struct listing_row *row,
		   const struct source_listing *l, struct instant now)
{
	bool change = moved(&f->record, row);
	f->listed_ms = now.mono_ms;
	f->absent = false;
	if (change)
		f->moved_ms = now.wall_ms;
	if (f->writing)
		return;
	if (text_differs(f->record.status, row->status)) {
		f->caught_up = false;
		f->sweeps = 0;
	}
	/* By a status that is not asked for it leaves, but not before its rows were read once more:
	 * one that failed has most to tell at the end. */
	bool leaves = !source_wants(in->options, row, f->moved_ms, now.wall_ms);
	bool wanted = !leaves || !f->caught_up;
	if (wanted)
		source_listed(in->source, f, row, change, l->asked_ms, now);
	else if (!change)
		let_rest(in, f);
	if (wanted && leaves)
		source_sweep(in->source, f);
	if (!change)
		return;
	struct diff_place at = intake_place(in, &f->record, now.wall_ms);
	struct batch *b = batch_new();
	struct broadcast_record *w = batch_broadcast(b);
	diff_broadcast(&at, &f->record, row, l->text, &b->events, w);
	submit(in, f, (struct entry){.rests = !wanted}, b);
}

/* Is one that is not followed asked for? It may be old, but not when its entry moved since it was
 * let rest. */
static bool arrives(const struct intake *in, const char *org, const struct listing_row *row,
		    int64_t now_wall_ms)
{
	if (source_wants(in->options, row, 0, now_wall_ms))
		return true;
	if (!source_wants(in->options, row, now_wall_ms, now_wall_ms))
		return false;
	const struct resting *r = find_resting(in, org, row->id);
	return r && moved(&r->record, row);
}

static void take_since(struct intake *in, int64_t date_ms, int64_t now_ms)
{
	struct err err = {0};
	int64_t since = date_ms != DATE_NONE ? date_ms : now_ms;
	if (journal_set_since(in->env.journal, since, &err) < 0) {
		in->env.failed(in->env.arg, &err);
		return;
	}
	in->env.since_ms = since;
	in->env.since_known = true;
}

static struct list_round *round_of(struct intake *in, const char *org)
{
	for (size_t i = 0; i < in->nrounds; i++)
		if (!strcmp(in->rounds[i].org, org))
			return &in->rounds[i];
	in->rounds = mem_grow(in->rounds, in->nrounds, &in->rounds_cap, sizeof *in->rounds);
	in->rounds[in->nrounds] = (struct list_round){.org = xstrdup(org)};
	return &in->rounds[in->nrounds++];
}

/* Who was not named since the round began is absent. */
static void note_round(struct intake *in, const struct source_listing *l, bool before_rows,
		       int64_t now_ms)
{
	struct list_round *round = round_of(in, l->org);
	if (l->part)
		return;
	if (before_rows && !round->open) {
		round->open = true;
		round->began_ms = now_ms;
	}
	if (before_rows || !l->complete)
		return;
	round->open = false;
	struct followed *f;
	for (size_t i = 0; (f = source_at(in->source, i)) != NULL; i++)
		if (!strcmp(f->record.org, l->org) && f->listed_ms < round->began_ms) {
			f->absent = true;
			source_sweep(in->source, f); /* is it gone? */
		}
}

void intake_listing(struct intake *in, const struct source_listing *l, struct instant now)
{
	if (!in->env.since_known)
		take_since(in, l->date_ms, now.wall_ms);
	if (!in->env.since_known)
		return;
	note_round(in, l, true, now.mono_ms);
	for (size_t i = 0; i < l->n; i++) {
		struct followed *f = source_find(in->source, l->org, l->v[i].id);
		if (f)
			update(in, f, &l->v[i], l, now);
		else if (arrives(in, l->org, &l->v[i], now.wall_ms))
			arrive(in, l->org, &l->v[i], l->text, now.wall_ms);
	}
	note_round(in, l, false, now.mono_ms);
}

void intake_broadcast_gone(struct intake *in, struct followed *f, int64_t now_wall_ms)
{
	if (f->writing || !f->absent)
		return;
	if (f->record.gone) {
		let_rest(in, f);
		return;
	}
	struct diff_place at = intake_place(in, &f->record, now_wall_ms);
	struct batch *b = batch_new();
	struct broadcast_record *w = batch_broadcast(b);
	broadcast_record_copy(w, &f->record);
	w->gone = true;
	diff_broadcast_removed(&at, &f->record, &b->events);
	submit(in, f, (struct entry){.rests = true}, b);
}
