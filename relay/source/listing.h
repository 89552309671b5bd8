/*
 * listing — one page of the broadcast list as the API sent it, decoded: JSON text → listing rows.
 *
 * As tolerant as snapshot: only the id is required, any field may be null, absent or of another
 * kind; an entry that cannot be used is skipped and counted, the others are kept. Every member
 * whose name ends in _count and holds an integer is a counter, whatever it counts.
 */
#ifndef RELAY_LISTING_H
#define RELAY_LISTING_H

#include "relay/source/diff.h"
#include "relay/source/snapshot.h"

struct listing {
	struct json_doc *doc;  /* owned */
	struct listing_row *v; /* in page order; status is "" when the API gave none */
	size_t n, cap;
	size_t doubled; /* a second row of the same id is left out and counted here */
	size_t skipped[SKIP_KINDS];
	struct buf texts; /* the rows' counters and templates */
};

/* Strings of the rows are borrowed from l and end with the next read. {0} is a valid empty one. */
int listing_read(struct listing *l, const char *text, size_t len, struct err *err);
void listing_release(struct listing *l);

#endif
