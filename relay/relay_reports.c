/*
 * broadcast.report: the commit that tells the end of a broadcast also keeps that a report is due.
 * It is made when all is known that happened until the end, and no receipt came for a while; all
 * its rows are read from the journal, in portions. Why rows failed only their events say, so that
 * is counted as they are made, in the same commits.
 *
 * A fold without a cursor: what it keeps goes with what it is about, and the report with the end of
 * it. Invariant: `rows` is what the journal holds; one report is made at a time.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/journal/fold_rows.h"
#include "relay/relay_state.h"
#include "relay/source/funnel.h"
#include "relay/source/report.h"

#define DUE	 "report.due"	   /* by the broadcast's number: updated_at of its end */
#define FAILURES "report.failures" /* by the broadcast's number: causes */
#define PAST	 "report.past"	   /* by organization: its last reports */

#define LOOK_MS	    1000
#define QUIET_MS    60000    /* without a receipt: those of a message come within seconds, mostly */
#define PATIENCE_MS 3600000  /* at most, for receipts and for what is not known yet … */
#define SWEEP_MS    30000    /* … by counters; then all rows are read once more */
#define GIVE_UP_MS  21600000 /* then what is known is told */
#define AGAIN_MS    60000    /* after the journal failed */
#define PORTION	    1000     /* rows: some 0.3 ms on the loop */
#define LOOKS_MAX   20	     /* at broadcasts in one go */

/* Of a broadcast that has ended. */
struct waiting {
	uint32_t number;
	int64_t updated_ms;
	int64_t began_ms, quiet_ms; /* mono: since when it is due; … nothing came */
	int64_t receipts;
	bool swept;
};

struct reports {
	struct fold_rows rows;
	struct waiting *waiting;
	size_t nwaiting, waiting_cap;
	int64_t next_ms; /* mono */
	size_t turn;	 /* of the next look */
	bool busy;	 /* one is made … */
	bool committing; /* … and being committed: */
	struct waiting now;
	struct funnel funnel;
};

/* ---- what the journal holds ---- */

static bool is_ours(const char *fold)
{
	return !strcmp(fold, DUE) || !strcmp(fold, FAILURES) || !strcmp(fold, PAST);
}

static char *key_of(uint32_t number)
{
	return xasprintf("%u", number);
}

/* state: taken; NULL: the row goes. */
static void put(struct batch *b, const char *fold, const char *key, char *state)
{
	*batch_fold(b) = (struct fold_record){xstrdup(fold), xstrdup(key), state};
}

static struct waiting *find_waiting(const struct reports *rp, uint32_t number)
{
	for (size_t i = 0; i < rp->nwaiting; i++)
		if (rp->waiting[i].number == number)
			return &rp->waiting[i];
	return NULL;
}

/* A row says that a report is due, or that it is no more. */
static void follow(struct reports *rp, const struct fold_record *row, int64_t now_ms)
{
	uint32_t number = (uint32_t)strtoul(row->key, NULL, 10);
	struct waiting *w = find_waiting(rp, number);
	if (!row->state) {
		if (w)
			*w = rp->waiting[--rp->nwaiting];
		return;
	}
	if (!w) {
		rp->waiting =
			mem_grow(rp->waiting, rp->nwaiting, &rp->waiting_cap, sizeof *rp->waiting);
		w = &rp->waiting[rp->nwaiting++];
	}
	*w = (struct waiting){.number = number,
			      .updated_ms = *row->state ? strtoll(row->state, NULL, 10) : DATE_NONE,
			      .began_ms = now_ms,
			      .quiet_ms = now_ms,
			      .receipts = -1};
}

struct reports *reports_new(const struct store_head *head, int64_t now_ms)
{
	struct reports *rp = xcalloc(1, sizeof *rp);
	fold_rows_init(&rp->rows);
	for (size_t i = 0; i < head->nfolds; i++) {
		if (!is_ours(head->folds[i].fold))
			continue;
		fold_rows_keep(&rp->rows, &head->folds[i]);
		if (!strcmp(head->folds[i].fold, DUE))
			follow(rp, &head->folds[i], now_ms);
	}
	return rp;
}

void reports_free(struct reports *rp)
{
	if (!rp)
		return;
	fold_rows_release(&rp->rows);
	free(rp->waiting);
	funnel_release(&rp->funnel);
	free(rp);
}

void relay_reports_committed(struct relay *r, const struct batch *b)
{
	for (size_t i = 0; i < b->nfolds; i++) {
		if (!is_ours(b->folds[i].fold))
			continue;
		fold_rows_keep(&r->reports->rows, &b->folds[i]);
		if (!strcmp(b->folds[i].fold, DUE))
			follow(r->reports, &b->folds[i], relay_now(r).mono_ms);
	}
}

/* ---- what is noted ---- */

static bool tells_status(const struct batch *b, const char *status)
{
	char type[EVENT_TYPE_SIZE];
	diff_status_type(type, status);
	for (size_t i = 0; i < b->events.n; i++)
		if (!strcmp(b->events.v[i].type, type))
			return true;
	return false;
}

void relay_note_status(struct relay *r, struct batch *b)
{
	/* Rows that a filter by states shows are no funnel. */
	for (size_t i = 0; i < b->nbroadcasts && !r->settings->source.state_filter; i++) {
		const struct broadcast_record *w = &b->broadcasts[i];
		if (!tells_status(b, w->status))
			continue;
		char *key = key_of(w->number);
		if (source_is_over(w->status))
			put(b, DUE, key,
			    w->updated_ms == DATE_NONE
				    ? xstrdup("")
				    : xasprintf("%lld", (long long)w->updated_ms));
		else if (fold_rows_state(&r->reports->rows, DUE, key))
			put(b, DUE, key, NULL);
		free(key);
	}
}

/* What fails after the report is in none, so it is not counted. */
void relay_note_failures(struct relay *r, const struct followed *b, const struct causes *c,
			 struct batch *batch)
{
	struct reports *rp = r->reports;
	uint32_t number = b->record.number;
	struct causes all = {0};
	struct buf text = BUF_INIT(SIZE_MAX / 2);
	bool told = rp->committing && rp->now.number == number;
	if (!source_is_live(b->record.status) && (told || !find_waiting(rp, number)))
		return;
	char *key = key_of(number);
	if (!told && !causes_read(&all, fold_rows_state(&rp->rows, FAILURES, key)))
		log_warn("the reasons of failures kept so far cannot be read",
			 log_str("broadcast", b->record.id));
	causes_add_all(&all, c);
	causes_write(&all, &text);
	put(batch, FAILURES, key, buf_detach(&text));
	causes_release(&all);
	free(key);
}

/* ---- the report ---- */

bool relay_reporting(const struct relay *r)
{
	return r->reports->busy;
}

static const struct followed *followed_of(const struct relay *r, uint32_t number)
{
	const struct followed *f;
	for (size_t i = 0; (f = source_at(r->source, i)) != NULL; i++)
		if (f->record.number == number)
			return f;
	return NULL;
}

static const struct broadcast_record *record_of(const struct relay *r, uint32_t number)
{
	const struct followed *f = followed_of(r, number);
	return f ? &f->record : intake_resting(r->intake, number);
}

static void end(struct relay *r, const struct err *err)
{
	struct reports *rp = r->reports;
	if (err)
		log_debug("a report is made later", log_str("why", err->msg));
	rp->busy = rp->committing = false;
	rp->next_ms = relay_now(r).mono_ms + (err ? AGAIN_MS : 0);
	funnel_release(&rp->funnel);
}

static void told(void *arg, const struct batch *b, const struct err *err)
{
	struct relay *r = arg;
	if (!err) {
		router_committed(r->router, b);
		relay_committed(r, b);
	}
	end(r, err);
}

static void tell(struct relay *r, const struct broadcast_record *record)
{
	struct reports *rp = r->reports;
	struct diff_place at = intake_place(r->intake, record, relay_now(r).wall_ms);
	struct batch *b = batch_new();
	struct buf past = BUF_INIT(SIZE_MAX / 2);
	struct causes failures = {0};
	char *key = key_of(rp->now.number);
	causes_read(&failures, fold_rows_state(&rp->rows, FAILURES, key));
	const struct report report = {
		.funnel = &rp->funnel,
		.failures = &failures,
		.status = record->status,
		.updated_ms = rp->now.updated_ms,
		.past = fold_rows_state(&rp->rows, PAST, record->org),
	};
	report_add(&b->events, &at, &report);
	report_remember(&past, &at, &report);
	put(b, DUE, key, NULL);
	put(b, FAILURES, key, NULL);
	put(b, PAST, record->org, buf_detach(&past));
	causes_release(&failures);
	free(key);
	router_route(r->router, b, 0);
	relay_add_destinations(r, b);
	rp->committing = true;
	journal_commit(r->journal, b, told, r);
}

static void ask(struct relay *r, uint32_t from);

static void take_rows(void *arg, struct recipient_records *rows, const struct err *err)
{
	struct relay *r = arg;
	struct reports *rp = r->reports;
	const struct waiting *w = find_waiting(rp, rp->now.number);
	const struct broadcast_record *record = record_of(r, rp->now.number);
	/* It was begun again meanwhile, or ended once more. */
	bool stale = !w || w->updated_ms != rp->now.updated_ms || !record;
	if (err || stale || relay_ending(r)) {
		end(r, err);
		return;
	}
	for (size_t i = 0; i < rows->n; i++)
		funnel_add(&rp->funnel, &rows->v[i]);
	if (rows->n == PORTION)
		ask(r, rows->v[rows->n - 1].number + 1);
	else
		tell(r, record);
}

static void ask(struct relay *r, uint32_t from)
{
	journal_rows(r->journal,
		     &(struct row_query){.kind = ROWS_AFTER,
					 .broadcast = r->reports->now.number,
					 .from = from,
					 .limit = PORTION},
		     take_rows, r);
}

/* What says that a message came, or will not. */
static int64_t receipts(const struct followed *f)
{
	static const unsigned states[] = {STATE_SENT, STATE_DELIVERED, STATE_FAILED, STATE_BOUNCED,
					  STATE_SKIPPED};
	const struct planes *p = held_planes(f->held);
	int64_t n = 0;
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		n += planes_total(p, states[i]);
	return n;
}

static bool is_ready(struct relay *r, struct waiting *w, int64_t now_ms)
{
	const struct followed *f = followed_of(r, w->number);
	if (!f) /* it rests: no more is seen of it */
		return record_of(r, w->number) != NULL;
	int64_t n = receipts(f), since_ms = now_ms - w->began_ms;
	if (n != w->receipts)
		w->quiet_ms = now_ms;
	w->receipts = n;
	bool known = source_finished(f);
	if (!known && !f->caught_up && !w->swept && since_ms >= SWEEP_MS) {
		source_sweep(r->source, (struct followed *)f);
		w->swept = true;
	}
	bool quiet = now_ms - w->quiet_ms >= QUIET_MS || since_ms >= PATIENCE_MS;
	return (known && quiet) || since_ms >= GIVE_UP_MS;
}

int relay_report(struct relay *r, struct instant now)
{
	struct reports *rp = r->reports;
	if (!rp->nwaiting || rp->busy || relay_ending(r))
		return INT_MAX;
	if (now.mono_ms < rp->next_ms)
		return (int)(rp->next_ms - now.mono_ms);
	rp->next_ms = now.mono_ms + LOOK_MS;
	for (size_t i = 0; i < rp->nwaiting && i < LOOKS_MAX; i++) {
		struct waiting *w = &rp->waiting[rp->turn++ % rp->nwaiting];
		if (!is_ready(r, w, now.mono_ms))
			continue;
		rp->busy = true;
		rp->now = *w;
		ask(r, 0);
		return INT_MAX;
	}
	return LOOK_MS;
}
