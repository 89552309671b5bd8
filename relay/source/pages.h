/*
 * pages — what is remembered of each page of a broadcast, so that a page which comes again with
 * the same bytes need not be parsed: its hash, and the numbers of its rows.
 *
 * The same bytes alone prove nothing: a row may have been seen elsewhere in another state since.
 * So a digest of what is held of its rows is kept too, and a page counts as known only while that
 * still holds. Rows of a page mostly have numbers one behind another, and are kept as runs of such:
 * some 90 bytes a page, and 4 a row where they have not.
 */
#ifndef RELAY_PAGES_H
#define RELAY_PAGES_H

#include "relay/source/held.h"

struct page_memo {
	struct hash128 hash; /* of the bytes */
	uint32_t *numbers;   /* of its rows; borrowed */
	uint32_t n;
	uint32_t rows; /* on the page, doubled and unreadable ones included */
	uint16_t skipped;
	uint16_t told; /* bit n: rows skipped for reason n were told of */
};

struct page_kept;

struct pages {
	struct page_kept *v; /* page n at n - 1 */
	size_t n;
	size_t known; /* of them remembered */
	size_t bytes;
	uint32_t *numbers; /* of the page looked at last */
	size_t room;
};

/* Is a page (1 …) remembered, and are its bytes and rows still the same? Then *ret is what was
 * kept; its numbers are valid until the next call. */
bool pages_same(struct pages *p, struct held *held, unsigned page, struct hash128 hash,
		struct page_memo *ret);
/* Remembers; copies memo and its numbers, works out the digest. */
void pages_keep(struct pages *p, struct held *held, unsigned page, const struct page_memo *memo);
uint16_t pages_told(const struct pages *p, unsigned page);
void pages_release(struct pages *p); /* {0} is a valid empty one */

#endif
