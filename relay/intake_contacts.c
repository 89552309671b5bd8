/*
 * A row that was delivered may be the first of its contact. Whether it is, its contact's other rows
 * say: those on this page, and those that the journal has. What is told of it goes into the same
 * commit as the delivery, so that neither is ever there alone.
 */
#include "relay/intake_state.h"

#include <stdlib.h>

#include "relay/base/mem.h"

#define TOLD_MAX 20 /* contacts looked at and routed in one go */

static void add_page_rows(struct passage *x)
{
	size_t next = 0;
	for (size_t i = 0; i < x->batch->nrecipients; i++) {
		bool rose = next < x->ndelivered && x->delivered[next] == i;
		contact_rows_add(&x->contacts, &x->batch->recipients[i].r,
				 rose ? ROW_ROSE : ROW_READ);
		next += rose;
	}
	contact_rows_sort(&x->contacts);
}

/* In slices, as the rows were. */
static void tell(void *arg)
{
	struct passage *x = arg;
	struct diff_place at = intake_place(x->in, &x->page->broadcast->record, x->recorded_ms);
	size_t first = x->batch->events.n;
	struct contact c = {0};
	if (x->in->halted) {
		passage_fail(x, &(struct err){ERR_STORE, "the relay stops"});
		return;
	}
	for (int n = 0; n < TOLD_MAX; n++) {
		contact_rows_next(&x->contacts, x->contacts_told, &c);
		x->contacts_told += c.n;
		if (contact_rose(&c))
			summary_reached(&at, &c, CONTACT_ROWS_MAX, &x->batch->events);
	}
	router_route(x->in->env.router, x->batch, first);
	if (x->contacts_told < x->contacts.n)
		mailbox_post(x->in->env.loop, tell, x);
	else
		passage_commit(x);
}

static void take_contacts(void *arg, struct recipient_records *rows, const struct err *err)
{
	struct passage *x = arg;
	if (err || x->in->halted) {
		passage_fail(x, err ? err : &(struct err){ERR_STORE, "the relay stops"});
		return;
	}
	x->contacts_held = *rows;
	*rows = (struct recipient_records){0};
	for (size_t i = 0; i < x->contacts_held.n; i++)
		contact_rows_add(&x->contacts, &x->contacts_held.v[i], ROW_HELD);
	contact_rows_sort(&x->contacts);
	tell(x);
}

void passage_look_at_contacts(struct passage *x)
{
	if (!x->ndelivered) {
		passage_commit(x);
		return;
	}
	add_page_rows(x);
	const char **asked = xcalloc(x->ndelivered, sizeof *asked);
	size_t n = 0;
	struct contact c;
	for (size_t i = 0; i < x->contacts.n; i += c.n) {
		contact_rows_next(&x->contacts, i, &c);
		if (contact_rose(&c))
			asked[n++] = c.id;
	}
	journal_rows(x->in->env.journal,
		     &(struct row_query){.kind = ROWS_OF_CONTACTS,
					 .broadcast = x->page->broadcast->record.number,
					 .contacts = asked,
					 .ncontacts = n},
		     take_contacts, x);
	free(asked);
}
