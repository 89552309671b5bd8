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
	bool gone;
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
	if (err) {
		in->env.failed(in->env.arg, err);
	} else {
		if (!e->broadcast) {
			struct broadcast_record record = {0};
			broadcast_record_copy(&record, &b->broadcasts[0]);
			source_follow(in->source, &record, NULL);
		} else {
			replace_record(e->broadcast, &b->broadcasts[0]);
			if (e->gone)
				source_unfollow(in->source, e->broadcast);
		}
		intake_committed(in, b);
	}
	free(e->key);
	free(e);
}

static void submit(struct intake *in, struct followed *f, char *key, struct batch *b, bool gone)
{
	struct entry *e = xcalloc(1, sizeof *e);
	*e = (struct entry){in, f, key, gone};
	in->busy++;
	if (f) {
		f->writing = true;
	} else {
		in->arriving = mem_grow(in->arriving, in->narriving, &in->arriving_cap,
					sizeof *in->arriving);
		in->arriving[in->narriving++] = xstrdup(key);
	}
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
	struct broadcast_record fresh = {.org = (char *)org, .id = (char *)row->id};
	struct diff_place at = intake_place(in, &fresh, now_ms);
	at.broadcast_name = row->name;
	at.broadcast_created_ms = row->created_ms;
	struct batch *b = batch_new();
	struct broadcast_record *w = batch_broadcast(b);
	diff_broadcast(&at, NULL, row, text, &b->events, w);
	w->number = ++in->env.broadcasts;
	submit(in, NULL, key, b, false);
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
		   const char *text, struct instant now)
{
	bool change = moved(&f->record, row);
	if (change && f->writing)
		return;
	source_listed(in->source, f, row, change, now);
	if (!change)
		return;
	struct diff_place at = intake_place(in, &f->record, now.wall_ms);
	struct batch *b = batch_new();
	struct broadcast_record *w = batch_broadcast(b);
	diff_broadcast(&at, &f->record, row, text, &b->events, w);
	submit(in, f, key_of(f->record.org, f->record.id), b, false);
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

void intake_listing(struct intake *in, const struct source_listing *l, struct instant now)
{
	if (!in->env.since_known)
		take_since(in, l->date_ms, now.wall_ms);
	if (!in->env.since_known)
		return;
	for (size_t i = 0; i < l->n; i++) {
		struct followed *f = source_find(in->source, l->org, l->v[i].id);
		if (f)
			update(in, f, &l->v[i], l->text, now);
		else if (source_wants(in->options, &l->v[i], now.wall_ms))
			arrive(in, l->org, &l->v[i], l->text, now.wall_ms);
	}
}

void intake_broadcast_gone(struct intake *in, struct followed *f, int64_t now_wall_ms)
{
	if (f->writing || f->record.gone)
		return;
	struct diff_place at = intake_place(in, &f->record, now_wall_ms);
	struct batch *b = batch_new();
	struct broadcast_record *w = batch_broadcast(b);
	broadcast_record_copy(w, &f->record);
	w->gone = true;
	diff_broadcast_removed(&at, &f->record, &b->events);
	submit(in, f, key_of(f->record.org, f->record.id), b, true);
}
