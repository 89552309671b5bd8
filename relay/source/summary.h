/*
 * summary — what many rows say together: was a person reached, and how did a broadcast go? Pure.
 *
 * A contact may have several rows in a broadcast, one for each channel. contact.reached is told
 * with the first of them that is delivered. contact.unreached is told when all of them failed,
 * bounced or were skipped, and no row that was there by then is unseen. Each is told once; both,
 * when a row is delivered after all. They are made from rises that were events: what lies before
 * `since` decides, and is not told.
 */
#ifndef RELAY_SUMMARY_H
#define RELAY_SUMMARY_H

#include "relay/source/diff.h"

/*
 * A row was looked at, and the events from `first` on tell what changed in it. Where it failed,
 * r->unreached_ms says so from then on. Returns whether it was delivered: its contact may be
 * reached.
 */
bool summary_note(struct recipient_record *r, const struct events *events, size_t first);

/* Did the row fail or bounce by that, and had not before (NULL: first sight)? */
bool summary_fails(const struct recipient_record *before, const struct events *events,
		   size_t first);

enum contact_row_kind {
	ROW_HELD, /* as the journal has it */
	ROW_READ, /* as it was read now, … */
	ROW_ROSE, /* … and it was delivered, which is an event */
};
struct contact_row {
	const struct recipient_record *r; /* borrowed */
	enum contact_row_kind kind;
};
struct contact_rows { /* {0} is valid */
	struct contact_row *v;
	size_t n, cap;
};
/* Rows without a contact are left out. */
void contact_rows_add(struct contact_rows *c, const struct recipient_record *r,
		      enum contact_row_kind kind);
void contact_rows_release(struct contact_rows *c);
/* Puts the rows of each contact side by side, in the order of their numbers. */
void contact_rows_sort(struct contact_rows *c);
/* The contact whose rows begin at `from`; ret->n 0: there are no more. */
struct contact {
	const char *id;
	const struct contact_row *v;
	size_t n;
};
void contact_rows_next(const struct contact_rows *c, size_t from, struct contact *ret);
bool contact_rose(const struct contact *c); /* is any of its rows ROW_ROSE? */

/* `most`: who has so many rows or more may have some that are not here, and nothing is told. Each
 * appends the event when there is one, and returns whether there is. */
bool summary_reached(const struct diff_place *at, const struct contact *c, size_t most,
		     struct events *out);
bool summary_unreached(const struct diff_place *at, const struct contact *c, size_t most,
		       struct events *out);

#endif
