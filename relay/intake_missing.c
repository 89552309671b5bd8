/*
 * Rows that missed two complete sweeps are removed. They are searched for behind the last page of
 * such a sweep, in slices, so that a million rows do not hold the loop.
 */
#include "relay/intake_state.h"

#include "relay/base/mem.h"

#define SLICE	   20000 /* held rows looked at in one go: about 1 ms */
#define REMOVE_MAX 200	 /* removals in one commit, which take some 2 ms */

void intake_filter_rows(const struct source_options *o, struct held *held)
{
	for (uint32_t i = 0, n = held_count(held); i < n; i++) {
		struct held_row *row = held_at(held, i);
		if (o->filter.n)
			row->missed = NOT_SHOWN;
		else if (row->missed == NOT_SHOWN)
			row->missed = 0;
	}
}

void intake_use_filter(struct intake *in)
{
	struct followed *f;
	for (size_t i = 0; (f = source_at(in->source, i)) != NULL; i++)
		intake_filter_rows(in->options, f->held);
}

static void removed(void *arg, const struct batch *b, const struct err *err)
{
	struct passage *x = arg;
	if (err) {
		passage_fail(x, err);
		return;
	}
	for (size_t i = 0; i < b->nrecipients; i++)
		passage_keep(x->page->broadcast->held, &b->recipients[i], 0);
	intake_committed(x->in, b);
	x->nmissing = 0;
	passage_look_for_missing(x);
}

static void remove_missing(void *arg, const struct recipient_record *v, size_t n,
			   const struct err *err)
{
	struct passage *x = arg;
	if (err || x->in->halted) {
		passage_fail(x, err ? err : &(struct err){ERR_STORE, "the relay stops"});
		return;
	}
	const struct broadcast_record *record = &x->page->broadcast->record;
	struct diff_place at = intake_place(x->in, record, x->recorded_ms);
	struct batch *b = batch_new();
	for (size_t i = 0; i < n; i++) {
		struct recipient_write *w = batch_recipient(b);
		w->broadcast = record->number;
		diff_removed(&at, &v[i], &b->events);
		recipient_record_copy(&w->r, &v[i]);
		w->r.gone = true;
		w->r.unreached_ms = 0;
	}
	router_route(x->in->env.router, b, 0);
	intake_commit(x->in, b, removed, x);
}

void passage_look_for_missing(void *arg)
{
	struct passage *x = arg;
	struct held *held = x->page->broadcast->held;
	uint32_t count = held_count(held);
	bool looks = x->page->last && !x->in->options->state_filter;
	if (x->in->halted) { /* the end of a sweep would be told, and nobody listens any more */
		passage_fail(x, &(struct err){ERR_STORE, "the relay stops"});
		return;
	}
	if (!looks || x->scanned >= count) {
		passage_end(x);
		return;
	}
	uint32_t end = count - x->scanned > SLICE ? x->scanned + SLICE : count;
	if (!x->missing)
		x->missing = xcalloc(REMOVE_MAX, sizeof *x->missing);
	for (; x->scanned < end && x->nmissing < REMOVE_MAX; x->scanned++) {
		struct held_row *h = held_at(held, x->scanned);
		if (h->gone || h->missed == NOT_SHOWN || h->sweep == (x->page->sweep & 0x1fff))
			continue;
		h->sweep =
			x->page->sweep & 0x1fff; /* a sweep counts once, also when it is repeated */
		if (h->missed < MISSED_MAX)
			h->missed++;
		if (h->missed == MISSED_MAX)
			x->missing[x->nmissing++] = x->scanned;
	}
	if (x->nmissing)
		journal_recipients(x->in->env.journal, x->page->broadcast->record.number,
				   x->missing, x->nmissing, remove_missing, x);
	else
		mailbox_post(x->in->env.loop, passage_look_for_missing, x);
}
