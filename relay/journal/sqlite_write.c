/* sqlite_write — a batch as rows, inside the caller's transaction. Invariant: rows go in by key
 * order as far as they can, and a recipient's row once a commit: its last state. */
#include "relay/journal/sqlite_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"

static int write_name(struct sqlite_store *s, const struct name_write *n, struct err *err)
{
	char kind[2] = {n->kind, '\0'};
	sqlite3_stmt *st = sqlite_ready(s, SQL_PUT_NAME, err);

	if (!st)
		return -1;
	sqlite_bind_text(st, 1, kind);
	sqlite_bind_int(st, 2, n->number);
	sqlite_bind_text(st, 3, n->name);
	return sqlite_run(s, st, err);
}

static int write_rule(struct sqlite_store *s, const struct rule_record *r, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_PUT_RULE, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, r->number);
	sqlite_bind_text(st, 2, r->name);
	sqlite_bind_int(st, 3, (int64_t)r->version);
	return sqlite_run(s, st, err);
}

static int write_broadcast(struct sqlite_store *s, const struct broadcast_record *b,
			   struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_PUT_BROADCAST, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, b->number);
	sqlite_bind_text(st, 2, b->org);
	sqlite_bind_text(st, 3, b->id);
	sqlite_bind_text(st, 4, b->name);
	sqlite_bind_text(st, 5, b->status);
	sqlite_bind_date(st, 6, b->created_ms);
	sqlite_bind_date(st, 7, b->updated_ms);
	sqlite_bind_text(st, 8, b->counters);
	sqlite_bind_text(st, 9, b->templates);
	sqlite_bind_int(st, 10, b->recipients);
	sqlite_bind_int(st, 11, b->baseline_page);
	sqlite_bind_int(st, 12, b->baseline_done);
	sqlite_bind_int(st, 13, b->gone);
	return sqlite_run(s, st, err);
}

static int write_destination(struct sqlite_store *s, const struct destination_record *d,
			     struct err *err)
{
	int dropped = sqlite_is_dropped(s, d->number, err);
	sqlite3_stmt *st = dropped ? NULL : sqlite_ready(s, SQL_PUT_DESTINATION, err);

	if (dropped > 0)
		return 0;
	if (!st)
		return -1;
	if (d->state == DESTINATION_DROPPED)
		s->dropped = s->clearing = true;
	sqlite_bind_int(st, 1, d->number);
	sqlite_bind_text(st, 2, d->name);
	sqlite_bind_int(st, 3, d->state);
	sqlite_bind_text(st, 4, d->why);
	sqlite_bind_int(st, 5, d->down_ms);
	if (sqlite_run(s, st, err) != 0)
		return -1;
	return sqlite_write_cursor(s, SQL_ADD_CURSOR, d->number, &d->cursor, err);
}

/* The sixteen bytes of "evt_" and 32 hex digits; another form stays text. */
void sqlite_bind_event_id(sqlite3_stmt *st, int at, const char *id, uint8_t bytes[16])
{
	struct hash128 h;

	if (strncmp(id, "evt_", 4) != 0 || strlen(id) != EVENT_ID_SIZE - 1 ||
	    !hash128_unhex(id + 4, &h)) {
		sqlite_bind_text(st, at, id);
		return;
	}
	for (int i = 0; i < 8; i++) {
		bytes[i] = (uint8_t)(h.high >> (56 - 8 * i));
		bytes[8 + i] = (uint8_t)(h.low >> (56 - 8 * i));
	}
	sqlite_bind_bytes(st, at, bytes, 16);
}

static int write_event(struct sqlite_store *s, struct event *ev, int64_t sequence, struct err *err)
{
	uint8_t id[16];
	int64_t type, topic = 0;

	if (sqlite_word_number(s, ev->type, &type, err) != 0)
		return -1;
	if (ev->topic && sqlite_word_number(s, ev->topic, &topic, err) != 0)
		return -1;
	sqlite3_stmt *st = sqlite_ready(s, SQL_ADD_EVENT, err);
	if (!st)
		return -1;
	event_number(ev, sequence);
	sqlite_bind_int(st, 1, sequence);
	sqlite_bind_event_id(st, 2, ev->id, id);
	sqlite_bind_int(st, 3, type);
	if (topic)
		sqlite_bind_int(st, 4, topic);
	sqlite_bind_int(st, 5, (int64_t)ev->order_key);
	sqlite_bind_int(st, 6, ev->time_ms);
	sqlite_bind_bytes(st, 7, ev->body, ev->len);
	return sqlite_run(s, st, err);
}

static int write_route(struct sqlite_store *s, const struct route *r, const struct event *ev,
		       struct err *err)
{
	const char *text = r->topic ? r->topic : ev->topic;
	int64_t topic = 0, previous = 0;
	int dropped = sqlite_is_dropped(s, r->destination, err);

	if (dropped)
		return dropped > 0 ? 0 : -1;
	if (r->topical) {
		assert(text); /* a bus has no message without a topic */
		if (sqlite_word_number(s, text, &topic, err) != 0 ||
		    sqlite_head_move(s, r->destination, topic, ev->sequence, &previous, err) != 0)
			return -1;
	}
	sqlite3_stmt *st = sqlite_ready(s, SQL_ADD_ROUTE, err);
	if (!st)
		return -1;
	sqlite_bind_int(st, 1, r->destination);
	sqlite_bind_int(st, 2, ev->sequence);
	if (r->topical) {
		sqlite_bind_int(st, 3, topic);
		sqlite_bind_int(st, 4, previous);
	}
	sqlite_bind_int(st, 5, r->rule);
	return sqlite_run(s, st, err);
}

static int write_fold(struct sqlite_store *s, const struct fold_record *f, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, f->state ? SQL_PUT_FOLD : SQL_DROP_FOLD, err);

	if (!st)
		return -1;
	sqlite_bind_text(st, 1, f->fold);
	sqlite_bind_text(st, 2, f->key);
	if (f->state)
		sqlite_bind_text(st, 3, f->state);
	return sqlite_run(s, st, err);
}

static int write_outage(struct sqlite_store *s, int64_t outage_ms, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_PUT_META, err);

	if (!st)
		return -1;
	sqlite_bind_text(st, 1, "outage");
	sqlite_bind_int(st, 2, outage_ms);
	return sqlite_run(s, st, err);
}

static int write_small(struct sqlite_store *s, const struct batch *b, struct err *err)
{
	for (size_t i = 0; i < b->nnames; i++) {
		if (write_name(s, &b->names[i], err) != 0)
			return -1;
	}
	for (size_t i = 0; i < b->nrules; i++) {
		if (write_rule(s, &b->rules[i], err) != 0)
			return -1;
	}
	for (size_t i = 0; i < b->nbroadcasts; i++) {
		if (write_broadcast(s, &b->broadcasts[i], err) != 0)
			return -1;
	}
	for (size_t i = 0; i < b->ndestinations; i++) {
		if (write_destination(s, &b->destinations[i], err) != 0)
			return -1;
	}
	for (size_t i = 0; i < b->nfolds; i++) {
		if (write_fold(s, &b->folds[i], err) != 0)
			return -1;
	}
	return b->tells_outage ? write_outage(s, b->outage_ms, err) : 0;
}

int sqlite_write_batch(struct sqlite_store *s, struct batch *b, int64_t *next, struct err *err)
{
	if (write_small(s, b, err) != 0)
		return -1;
	for (size_t i = 0; i < b->events.n; i++) {
		if (write_event(s, &b->events.v[i], (*next)++, err) != 0)
			return -1;
	}
	for (size_t i = 0; i < b->nroutes; i++) {
		const struct route *r = &b->routes[i];

		assert(r->event < b->events.n);
		if (write_route(s, r, &b->events.v[r->event], err) != 0)
			return -1;
	}
	for (size_t i = 0; i < b->nlate; i++) {
		if (sqlite_write_late(s, &b->late[i], err) != 0)
			return -1;
	}
	for (size_t i = 0; i < b->nsettles; i++) {
		if (sqlite_write_settle(s, &b->settles[i], err) != 0)
			return -1;
	}
	return 0;
}

static int write_unreached(struct sqlite_store *s, const struct recipient_write *w, struct err *err)
{
	sqlite3_stmt *st = w->r.unreached_ms ? sqlite_ready(s, SQL_PUT_UNREACHED, err) : NULL;

	if (!st)
		return w->r.unreached_ms ? -1 : 0;
	sqlite_bind_int(st, 1, w->broadcast);
	sqlite_bind_int(st, 2, w->r.number);
	sqlite_bind_int(st, 3, w->r.unreached_ms);
	return sqlite_run(s, st, err);
}

static int write_decided(struct sqlite_store *s, const struct decided_write *d, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_PUT_DECIDED, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, d->broadcast);
	sqlite_bind_int(st, 2, d->number);
	sqlite_bind_int(st, 3, d->was);
	sqlite_bind_int(st, 4, d->now);
	return sqlite_run(s, st, err);
}

static int write_recipient(struct sqlite_store *s, const struct recipient_write *w, struct err *err)
{
	const struct recipient_record *r = &w->r;
	uint8_t times[SQLITE_TIMES_MAX];
	size_t len = sqlite_times_pack(r, times);
	sqlite3_stmt *st;

	if (sqlite_index_row(s, w, err) != 0)
		return -1;
	st = sqlite_ready(s, SQL_PUT_RECIPIENT, err);
	if (!st)
		return -1;
	sqlite_bind_int(st, 1, w->broadcast);
	sqlite_bind_int(st, 2, r->number);
	sqlite_bind_text(st, 3, r->id);
	sqlite_bind_int(st, 4, (int64_t)r->states);
	sqlite_bind_int(st, 5, r->status);
	sqlite_bind_int(st, 6, r->gone);
	sqlite_bind_int(st, 7, r->processed);
	sqlite_bind_date(st, 8, r->created_ms);
	sqlite_bind_date(st, 9, r->updated_ms);
	sqlite_bind_bytes(st, 10, times, len);
	sqlite_bind_text(st, 11, r->contact_id);
	sqlite_bind_text(st, 12, r->integration_id);
	sqlite_bind_int(st, 13, (int64_t)r->identity);
	sqlite_bind_int(st, 14, (int64_t)r->error);
	sqlite_bind_int(st, 15, (int64_t)r->contact);
	return sqlite_run(s, st, err);
}

struct queued {
	const struct recipient_write *w;
	size_t order; /* of arrival */
};

static int by_key(const void *a, const void *b)
{
	const struct queued *x = a, *y = b;

	if (x->w->broadcast != y->w->broadcast)
		return x->w->broadcast < y->w->broadcast ? -1 : 1;
	if (x->w->r.number != y->w->r.number)
		return x->w->r.number < y->w->r.number ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static bool same_row(const struct recipient_write *a, const struct recipient_write *b)
{
	return a->broadcast == b->broadcast && a->r.number == b->r.number;
}

int sqlite_write_recipients(struct sqlite_store *s, struct batch *const *batches, size_t n,
			    struct err *err)
{
	struct queued *v = NULL;
	size_t count = 0, cap = 0;
	int failed = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < batches[i]->nrecipients; k++) {
			v = mem_grow(v, count, &cap, sizeof *v);
			v[count] = (struct queued){&batches[i]->recipients[k], count};
			count++;
		}
	}
	if (count)
		qsort(v, count, sizeof *v, by_key);
	for (size_t i = 0; i < count && !failed; i++) {
		if (i + 1 == count || !same_row(v[i].w, v[i + 1].w))
			failed = write_recipient(s, v[i].w, err);
	}
	for (size_t i = 0; i < count && !failed; i++)
		failed = write_unreached(s, v[i].w, err);
	free(v);
	return failed;
}

int sqlite_write_decided(struct sqlite_store *s, const struct batch *b, struct err *err)
{
	for (size_t i = 0; i < b->ndecided; i++) {
		if (write_decided(s, &b->decided[i], err) != 0)
			return -1;
	}
	return 0;
}
