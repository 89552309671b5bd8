/*
 * Contacts that may be unreached: one of their rows failed, and until when that can be decided the
 * journal holds it as such (recipient_record.unreached_ms). When all rows of a broadcast that
 * were there by then are known, what it holds of it is asked for, then the other rows of those
 * contacts; what is told and what is decided go into one commit.
 *
 * Invariant: nothing of the broadcast is read from the API between the first question and the
 * commit, else the answer is dropped and asked for again: a row that is delivered meanwhile would
 * make it wrong.
 */
#include <stdlib.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/relay_state.h"
#include "relay/source/report.h"
#include "relay/source/summary.h"

#define AT_ONCE	 50   /* rows decided in one go, which takes some 1 ms */
#define LOOK_MS	 250  /* between looks at who may be decided */
#define PAUSE_MS 5000 /* after the journal failed */

struct deciding {
	bool asked; /* one broadcast at a time */
	size_t turn;
	int64_t next_ms; /* mono */
	/* of the one that is asked for */
	uint32_t broadcast, passages;
	int64_t until_ms;
	struct recipient_records due;
};

struct deciding *deciding_new(void)
{
	return xcalloc(1, sizeof(struct deciding));
}

void deciding_free(struct deciding *d)
{
	if (!d)
		return;
	recipient_records_release(&d->due);
	free(d);
}

bool relay_deciding(const struct relay *r)
{
	return r->deciding->asked;
}

static void end(struct relay *r, int64_t pause_ms)
{
	struct deciding *d = r->deciding;
	recipient_records_release(&d->due);
	d->asked = false;
	d->next_ms = relay_now(r).mono_ms + pause_ms;
}

/* The broadcast that was asked for, if nothing of it was read since. */
static struct followed *as_it_was(const struct relay *r)
{
	const struct deciding *d = r->deciding;
	struct followed *f = NULL;
	for (size_t i = 0; (f = source_at(r->source, i)) != NULL; i++)
		if (f->record.number == d->broadcast)
			break;
	return f && f->passages == d->passages ? f : NULL;
}

static void decided(void *arg, const struct batch *b, const struct err *err)
{
	struct relay *r = arg;
	struct followed *f = as_it_was(r);
	if (err) {
		log_debug("contacts are decided later", log_str("why", err->msg));
	} else {
		router_committed(r->router, b);
		relay_committed(r, b);
		if (f)
			f->undecided_ms = 0; /* there may be more */
	}
	end(r, err ? PAUSE_MS : 0);
}

static void add_decision(struct batch *b, uint32_t broadcast, const struct recipient_record *row,
			 int64_t now)
{
	*batch_decided(b) = (struct decided_write){broadcast, row->number, row->unreached_ms, now};
}

/* A row that failed later than what is known decides for the contact. */
static void decide_contact(const struct deciding *d, const struct diff_place *at,
			   const struct contact *c, struct batch *b)
{
	bool later = false;
	for (size_t i = 0; i < c->n; i++)
		later = later || c->v[i].r->unreached_ms > d->until_ms;
	bool told = !later && summary_unreached(at, c, CONTACT_ROWS_MAX, &b->events);
	for (size_t i = 0; i < c->n; i++) {
		const struct recipient_record *row = c->v[i].r;
		if (row->unreached_ms > 0 && row->unreached_ms <= d->until_ms)
			add_decision(b, d->broadcast, row, told ? UNREACHED_TOLD : 0);
	}
}

static struct batch *decide_all(struct relay *r, const struct followed *f,
				const struct recipient_records *rows)
{
	const struct deciding *d = r->deciding;
	struct diff_place at = intake_place(r->intake, &f->record, relay_now(r).wall_ms);
	struct contact_rows contacts = {0};
	struct batch *b = batch_new();
	struct contact c;
	for (size_t i = 0; i < rows->n; i++)
		contact_rows_add(&contacts, &rows->v[i], ROW_HELD);
	contact_rows_sort(&contacts);
	for (size_t i = 0; i < contacts.n; i += c.n) {
		contact_rows_next(&contacts, i, &c);
		decide_contact(d, &at, &c, b);
	}
	contact_rows_release(&contacts);
	/* Those whose contact is not known any more, or has too many rows. The journal leaves what
	 * is decided by now as it is. */
	for (size_t i = 0; i < d->due.n; i++)
		add_decision(b, d->broadcast, &d->due.v[i], 0);
	return b;
}

static void take_contacts(void *arg, struct recipient_records *rows, const struct err *err)
{
	struct relay *r = arg;
	struct followed *f = as_it_was(r);
	if (err || !f || relay_ending(r)) {
		end(r, err ? PAUSE_MS : 0);
		return;
	}
	struct batch *b = decide_all(r, f, rows);
	router_route(r->router, b, 0);
	relay_add_destinations(r, b);
	journal_commit(r->journal, b, decided, r);
}

static void ask_contacts(struct relay *r)
{
	const struct deciding *d = r->deciding;
	struct contact_rows contacts = {0};
	const char *asked[AT_ONCE];
	struct contact c;
	size_t n = 0;
	for (size_t i = 0; i < d->due.n; i++)
		contact_rows_add(&contacts, &d->due.v[i], ROW_HELD);
	contact_rows_sort(&contacts);
	for (size_t i = 0; i < contacts.n; i += c.n) {
		contact_rows_next(&contacts, i, &c);
		asked[n++] = c.id;
	}
	journal_rows(r->journal,
		     &(struct row_query){.kind = ROWS_OF_CONTACTS,
					 .broadcast = d->broadcast,
					 .contacts = asked,
					 .ncontacts = n},
		     take_contacts, r);
	contact_rows_release(&contacts);
}

static void take_undecided(void *arg, struct recipient_records *rows, const struct err *err)
{
	struct relay *r = arg;
	struct deciding *d = r->deciding;
	struct followed *f = as_it_was(r);
	size_t n = 0;
	if (err || !f || relay_ending(r)) {
		end(r, err ? PAUSE_MS : 0);
		return;
	}
	while (n < rows->n && rows->v[n].unreached_ms <= d->until_ms)
		n++;
	if (!n) {
		f->undecided_ms = rows->n ? rows->v[0].unreached_ms : INT64_MAX;
		end(r, 0);
		return;
	}
	while (rows->n > n)
		recipient_record_release(&rows->v[--rows->n]);
	d->due = *rows;
	*rows = (struct recipient_records){0};
	ask_contacts(r);
}

static bool ask(struct relay *r, const struct followed *f)
{
	struct deciding *d = r->deciding;
	if (f->undecided_ms == INT64_MAX || f->passing)
		return false;
	/* Until when all its rows are known. A row that was read says all of itself; while many are
	 * sent to, deliveries are always on their way. */
	int64_t until = source_knows(r->source, f, "recipient");
	if (until == DATE_NONE || until < f->undecided_ms)
		return false;
	d->asked = true;
	d->broadcast = f->record.number;
	d->passages = f->passages;
	d->until_ms = until;
	journal_rows(r->journal,
		     &(struct row_query){
			     .kind = ROWS_UNDECIDED, .broadcast = d->broadcast, .limit = AT_ONCE},
		     take_undecided, r);
	return true;
}

/* What is known moves with the API's answers, so nothing needs a turn of its own. */
void relay_decide(struct relay *r, struct instant now)
{
	struct deciding *d = r->deciding;
	size_t n = 0;
	/* Of a list filtered by states not all rows of a contact are known. */
	bool partial = r->settings->source.state_filter;
	if (d->asked || partial || relay_ending(r) || now.mono_ms < d->next_ms)
		return;
	while (source_at(r->source, n))
		n++;
	for (size_t i = 0; i < n; i++)
		if (ask(r, source_at(r->source, (d->turn + i) % n))) {
			d->turn = (d->turn + i + 1) % n;
			return;
		}
	d->next_ms = now.mono_ms + LOOK_MS;
}
