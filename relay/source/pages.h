/*
 * pages — what is remembered of each page of a broadcast, so that a page which comes again with
 * the same bytes need not be parsed: its hash, and the numbers of its rows.
 *
 * The same bytes alone prove nothing: a row may have been seen elsewhere in another state since.
 * So a digest of what is held of its rows is kept too, and a page counts as known only while that
 * still holds. 4 bytes a row and 56 a page.
 */
#ifndef RELAY_PAGES_H
#define RELAY_PAGES_H

#include "relay/source/held.h"

struct page_memo {
	struct hash128 hash; /* of the bytes */
	uint64_t digest;     /* of what is held of the rows */
	uint32_t *numbers;   /* owned; NULL: nothing is remembered */
	uint32_t n;
	uint32_t rows; /* on the page, doubled and unreadable ones included */
	uint16_t skipped;
	uint16_t told; /* bit n: rows skipped for reason n were told of */
};

struct pages {
	struct page_memo *v; /* page n at n - 1 */
	size_t n;
	size_t known; /* of them remembered */
	size_t bytes;
};

/* What is remembered of a page (1 …) if its bytes and rows are still the same; else NULL. */
const struct page_memo *pages_same(const struct pages *p, struct held *held, unsigned page,
				   struct hash128 hash);
/* Remembers; copies memo and its numbers, works out the digest. */
void pages_keep(struct pages *p, struct held *held, unsigned page, const struct page_memo *memo);
uint16_t pages_told(const struct pages *p, unsigned page);
void pages_release(struct pages *p); /* {0} is a valid empty one */

#endif
