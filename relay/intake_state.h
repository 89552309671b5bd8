/*
 * What the parts of intake share: pages (intake.c), the contacts of their rows
 * (intake_contacts.c), rows that are in none of them (intake_missing.c) and list entries
 * (intake_listing.c).
 */
#ifndef RELAY_INTAKE_STATE_H
#define RELAY_INTAKE_STATE_H

#include "relay/intake.h"
#include "relay/source/summary.h"

#define MISSED_MAX 2 /* complete sweeps without a row until it counts as removed */
#define NOT_SHOWN  3 /* held_row.missed: not seen by the filter in force; cannot be missed by it */

/* A broadcast that is not followed now: it is gone, or it asks for no attention any more. When the
 * list brings it back, it goes on under its number with the rows it had. */
struct resting {
	uint64_t key; /* of its organization and id: there may be thousands */
	struct broadcast_record record;
};

/* When the round of an organization's list that is being read began. */
struct list_round {
	char *org;
	int64_t began_ms; /* mono */
	bool open;
};

struct intake {
	struct intake_env env;
	struct source *source;
	const struct source_options *options;
	char **arriving; /* "org/id" of broadcasts whose first commit is under way */
	size_t narriving, arriving_cap;
	struct resting *resting;
	size_t nresting, resting_cap;
	struct list_round *rounds;
	size_t nrounds, rounds_cap;
	bool halted;
	size_t busy; /* pages and list entries under way */
};

/* A page on its way through intake. */
struct passage {
	struct intake *in;
	struct source_page *page;
	int64_t recorded_ms;
	size_t *rows;	   /* changed or new, by their place on the page, in page order */
	uint32_t *numbers; /* of each of them; new ones get the next free */
	uint32_t *known;   /* numbers of the changed ones, ascending */
	size_t n, nknown;
	struct recipient_record *recalled; /* the journal's records of the known ones */
	struct batch *batch;
	size_t derived;	   /* rows that are in it */
	size_t *delivered; /* rows in it that were, by their place there */
	size_t ndelivered;
	struct recipient_records contacts_held; /* the journal's records of those rows' contacts */
	struct contact_rows contacts;		/* those, and what the page says of them */
	size_t contacts_told;
	struct causes failures;
	struct page_result result;
	uint32_t scanned; /* of the search for missing rows */
	uint32_t *missing;
	size_t nmissing;
	bool writes_record;
};

/* intake.c */
void passage_end(struct passage *x);
void passage_fail(struct passage *x, const struct err *err);
/* All is derived: commits the batch. */
void passage_commit(struct passage *x);
/* After a commit: memory takes over what was written; sweep: its stamp, 0 when it was not seen. */
void passage_keep(struct held *held, const struct recipient_write *w, uint16_t sweep);

/* intake_contacts.c: all rows are derived; adds what that says of their contacts, and commits. */
void passage_look_at_contacts(struct passage *x);

/* intake_missing.c: the last step of a passage; ends it. */
void passage_look_for_missing(void *arg);
/* What is held was seen by another filter, or by one before a restart: with a filter in force, what
 * it has not shown yet cannot be missed. */
void intake_use_filter(struct intake *in);
void intake_filter_rows(const struct source_options *o, struct held *held);

/* intake_listing.c */
void intake_listing_release(struct intake *in);

/* Adds what must go with it and commits; its events are routed already. */
void intake_commit(struct intake *in, struct batch *b, journal_done *done, void *arg);
/* In a done function, after success: names and rules are held, delivery may look. */
void intake_committed(struct intake *in, const struct batch *b);

#endif
