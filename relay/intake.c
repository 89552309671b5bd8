/*
 * A page goes through five steps, the second, fourth and fifth answered by the journal's threads:
 *
 *   compare  rows with what memory holds → new, changed; stamp the others as seen
 *   recall   the changed rows' records from the journal
 *   derive   diff → events, records → routes → one batch
 *   contacts of what was delivered: was its contact reached by that? (intake_contacts.c)
 *   settle   after the commit: memory takes over what the batch said
 *
 * The last page of a complete sweep is followed by a search for rows that missed it
 * (intake_missing.c).
 */
#include "relay/intake_state.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define DERIVE_MAX   20 /* rows diffed and routed in one go: some 80 events at first sight */
#define READINGS_MAX 3	/* of one that leaves, when none is complete: three come at once */

struct intake *intake_new(const struct intake_env *env)
{
	struct intake *in = xcalloc(1, sizeof *in);
	in->env = *env;
	return in;
}

void intake_free(struct intake *in)
{
	if (!in)
		return;
	for (size_t i = 0; i < in->narriving; i++)
		free(in->arriving[i]);
	free(in->arriving);
	intake_listing_release(in);
	free(in);
}

void intake_use(struct intake *in, struct source *s, const struct source_options *o)
{
	in->source = s;
	in->options = o;
	intake_use_filter(in);
	intake_let_rest_unnamed(in);
}

void intake_halt(struct intake *in)
{
	in->halted = true;
}

bool intake_busy(const struct intake *in)
{
	return in->busy > 0;
}

struct diff_place intake_place(const struct intake *in, const struct broadcast_record *b,
			       int64_t recorded_ms)
{
	return (struct diff_place){
		.base_url = in->options->base_url,
		.org = b->org,
		.broadcast = b->id,
		.broadcast_name = b->name,
		.broadcast_created_ms = b->created_ms,
		.states = in->env.states,
		.statuses = in->env.statuses,
		.since_ms = in->env.since_ms,
		.recorded_ms = recorded_ms,
		.updates = in->options->updates,
		.channels = in->options->channels,
		.partial = in->options->state_filter,
	};
}

/* Names first seen since the last commit go along; harmless when they go twice. */
static void add_names(const struct intake *in, struct batch *b)
{
	const struct names *lists[] = {in->env.states, in->env.statuses};
	const unsigned kept[] = {in->env.states_kept, in->env.statuses_kept};
	for (int k = 0; k < 2; k++)
		for (unsigned i = kept[k]; i < lists[k]->n; i++) {
			struct name_write *w = batch_name(b);
			w->kind = k ? 't' : 's';
			w->number = (uint8_t)i;
			memcpy(w->name, lists[k]->v[i], sizeof w->name);
		}
}

void intake_committed(struct intake *in, const struct batch *b)
{
	for (size_t i = 0; i < b->nnames; i++) {
		unsigned *kept =
			b->names[i].kind == 's' ? &in->env.states_kept : &in->env.statuses_kept;
		if (b->names[i].number + 1u > *kept)
			*kept = b->names[i].number + 1u;
	}
	router_committed(in->env.router, b);
	in->env.committed(in->env.arg, b);
}

void intake_commit(struct intake *in, struct batch *b, journal_done *done, void *arg)
{
	add_names(in, b);
	in->env.compose(in->env.arg, b);
	journal_commit(in->env.journal, b, done, arg);
}

void passage_end(struct passage *x)
{
	struct intake *in = x->in;
	struct followed *f = x->page->broadcast;
	if (!x->result.failed && x->page->last && f->sweeps)
		f->caught_up = true;
	if (x->writes_record)
		f->writing = false;
	f->passing = false;
	in->busy--;
	source_page_done(in->source, x->page, &x->result);
	free(x->rows);
	free(x->numbers);
	free(x->delivered);
	causes_release(&x->failures);
	contact_rows_release(&x->contacts);
	recipient_records_release(&x->contacts_held);
	for (size_t i = 0; x->recalled && i < x->nknown; i++)
		recipient_record_release(&x->recalled[i]);
	free(x->recalled);
	batch_free(x->batch);
	free(x->known);
	free(x->missing);
	free(x);
}

void passage_fail(struct passage *x, const struct err *err)
{
	if (!x->in->halted)
		x->in->env.failed(x->in->env.arg, err);
	x->result.failed = true;
	passage_end(x);
}

/* ---- compare ---- */

/* Where recipient.updated is not asked for, an edited segment does not rewrite thousands of rows.
 */
static bool differs(const struct held_row *h, const struct row *r, bool updates)
{
	if (h->gone || h->states != r->states || h->status != r->status)
		return true;
	return updates && (h->identity != r->identity || h->error != (uint32_t)r->error ||
			   h->contact != r->contact);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static void compare(struct passage *x)
{
	struct source_page *p = x->page;
	struct held *held = p->broadcast->held;
	uint32_t next = held_count(held);
	for (size_t i = 0; i < p->rows->n; i++) {
		struct row *r = &p->rows->v[i];
		uint32_t number = held_find(held, r->key);
		if (number != HELD_NONE) {
			struct held_row *h = held_at(held, number);
			r->states |= h->states & r->odd;
			if (p->sweep)
				h->sweep = p->sweep & 0x1fff;
			h->missed = 0;
			if (p->numbers)
				p->numbers[i] = number;
			if (!differs(h, r, x->in->options->updates))
				continue;
			x->known[x->nknown++] = number;
		} else {
			number = next++;
			if (p->numbers)
				p->numbers[i] = number;
		}
		x->rows[x->n] = i;
		x->numbers[x->n++] = number;
	}
	qsort(x->known, x->nknown, sizeof *x->known, by_number);
}

/* ---- derive ---- */

static const struct recipient_record *recalled(const struct recipient_record *v, size_t n,
					       uint32_t number)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (v[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && v[low].number == number ? &v[low] : NULL;
}

/* While the first sweep runs, how far it came is kept, so that a restart goes on from there. */
static void add_progress(struct passage *x, struct batch *b)
{
	struct followed *f = x->page->broadcast;
	bool done = f->record.baseline_done || x->page->last;
	if (!x->page->in_turn || f->record.baseline_done || f->writing)
		return;
	struct broadcast_record *w = batch_broadcast(b);
	broadcast_record_copy(w, &f->record);
	w->baseline_page = x->page->page;
	w->baseline_done = done;
	w->recipients = held_count(f->held) + (uint32_t)(x->n - x->nknown);
	f->writing = x->writes_record = true;
}

static void derived(void *arg, const struct batch *b, const struct err *err);

/* Of the events from the n-th on that the API gives a time for. */
static void note_delays(struct passage *x, size_t n)
{
	for (; n < x->batch->events.n; n++) {
		int64_t delay = x->recorded_ms - x->batch->events.v[n].time_ms;
		if (delay > 0)
			latency_note(&x->page->broadcast->latency, delay);
	}
}

/* A slice of the page's rows; the next one follows by the mailbox, so that others get their turn.
 */
static void derive(void *arg)
{
	struct passage *x = arg;
	const struct broadcast_record *record = &x->page->broadcast->record;
	struct diff_place at = intake_place(x->in, record, x->recorded_ms);
	size_t end = x->n - x->derived > DERIVE_MAX ? x->derived + DERIVE_MAX : x->n;
	if (x->in->halted) {
		passage_fail(x, &(struct err){ERR_STORE, "the relay stops"});
		return;
	}
	if (!x->batch)
		x->batch = batch_new();
	size_t first = x->batch->events.n;
	for (; x->derived < end; x->derived++) {
		struct recipient_write *w = batch_recipient(x->batch);
		const struct row *row = &x->page->rows->v[x->rows[x->derived]];
		uint32_t number = x->numbers[x->derived];
		const struct recipient_record *before = recalled(x->recalled, x->nknown, number);
		size_t made = x->batch->events.n;
		w->broadcast = record->number;
		diff_recipient(&at, before, row, x->page->text, &x->batch->events, &w->r);
		w->r.number = number;
		if (summary_fails(before, &x->batch->events, made))
			causes_add(&x->failures, row->integration_id, row->error_message);
		if (summary_note(&w->r, &x->batch->events, made))
			x->delivered[x->ndelivered++] = x->derived;
		/* At first sight an old change is no late one. */
		if (before)
			note_delays(x, made);
	}
	router_route(x->in->env.router, x->batch, first);
	if (x->derived < x->n) {
		mailbox_post(x->in->env.loop, derive, x);
		return;
	}
	passage_look_at_contacts(x);
}

void passage_commit(struct passage *x)
{
	struct batch *b = x->batch;
	x->batch = NULL;
	add_progress(x, b);
	if (causes_total(&x->failures))
		x->in->env.failures(x->in->env.arg, x->page->broadcast, &x->failures, b);
	intake_commit(x->in, b, derived, x);
}

/* ---- settle ---- */

void passage_keep(struct held *held, const struct recipient_write *w, uint16_t sweep)
{
	struct held_row row = {
		.identity = w->r.identity,
		.error = (uint32_t)w->r.error,
		.created = held_date(held, w->r.created_ms),
		.contact = w->r.contact,
		.states = w->r.states,
		.status = w->r.status & 0x7f,
		.sweep = sweep & 0x1fff,
	};
	if (w->r.number < held_count(held)) {
		row.missed = w->r.gone ? MISSED_MAX : 0;
		row.gone = w->r.gone;
		row.sweep = sweep ? sweep & 0x1fff : held_at(held, w->r.number)->sweep;
		held_replace(held, w->r.number, &row);
	} else {
		row.key = hash128(w->r.id, strlen(w->r.id));
		held_add(held, &row);
	}
}

static void derived(void *arg, const struct batch *b, const struct err *err)
{
	struct passage *x = arg;
	struct followed *f = x->page->broadcast;
	if (err) {
		passage_fail(x, err);
		return;
	}
	for (size_t i = 0; i < b->nrecipients; i++) {
		int64_t undecided = b->recipients[i].r.unreached_ms;
		passage_keep(f->held, &b->recipients[i], x->page->sweep);
		if (undecided > 0 && undecided < f->undecided_ms)
			f->undecided_ms = undecided;
	}
	for (size_t i = 0; i < b->nbroadcasts; i++) {
		f->record.baseline_page = b->broadcasts[i].baseline_page;
		f->record.baseline_done = b->broadcasts[i].baseline_done;
	}
	f->record.recipients = held_count(f->held);
	x->result.added = x->n - x->nknown;
	x->result.changed = x->nknown;
	intake_committed(x->in, b);
	passage_look_for_missing(x);
}

/* ---- pages ---- */

/* The answer ends with its call; the slices come later. */
static void begin_derive(struct passage *x, const struct recipient_record *v, size_t n)
{
	x->recalled = xcalloc(n, sizeof *x->recalled);
	for (size_t i = 0; i < n; i++)
		recipient_record_copy(&x->recalled[i], &v[i]);
	derive(x);
}

static void recall_done(void *arg, const struct recipient_record *v, size_t n,
			const struct err *err)
{
	struct passage *x = arg;
	if (x->in->halted)
		passage_fail(x, &(struct err){ERR_STORE, "the relay stops"});
	else if (err || n != x->nknown)
		passage_fail(x, err ? err : &(struct err){ERR_STORE, "rows are missing"});
	else
		begin_derive(x, v, n);
}

/* One that was asked for before the entry moved may have read what was before. Where none of
 * several is complete, a further one has no more to tell. */
static void note_sweep(const struct source_page *p)
{
	struct followed *f = p->broadcast;
	if (!p->in_turn || p->sweep == f->last_sweep)
		return;
	f->last_sweep = p->sweep;
	if (p->asked_ms >= f->moved_ms && ++f->sweeps > READINGS_MAX)
		f->caught_up = true;
}

void intake_page(struct intake *in, struct source_page *p, int64_t now_wall_ms)
{
	struct passage *x = xcalloc(1, sizeof *x);
	*x = (struct passage){.in = in, .page = p, .recorded_ms = now_wall_ms};
	in->busy++;
	p->broadcast->passing = true;
	p->broadcast->passages++;
	note_sweep(p);
	x->rows = xcalloc(p->rows->n + 1, sizeof *x->rows);
	x->numbers = xcalloc(p->rows->n + 1, sizeof *x->numbers);
	x->known = xcalloc(p->rows->n + 1, sizeof *x->known);
	x->delivered = xcalloc(p->rows->n + 1, sizeof *x->delivered);
	compare(x);
	bool progress = p->in_turn && !p->broadcast->record.baseline_done;
	if (x->nknown)
		journal_recipients(in->env.journal, p->broadcast->record.number, x->known,
				   x->nknown, recall_done, x);
	else if (x->n || progress)
		derive(x);
	else
		passage_look_for_missing(x);
}
