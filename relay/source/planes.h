/*
 * planes — which rows have which flag, one bit a row and flag.
 *
 * A flag is a state's number, or FLAG_PRESENT: the row is in the list at all. A plane is made when
 * a row first has its flag. Pure; one thread.
 */
#ifndef RELAY_PLANES_H
#define RELAY_PLANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/record.h"

#define FLAG_PRESENT STATES_MAX
#define FLAGS	     (STATES_MAX + 1)

struct plane {
	uint64_t *bits;
	uint32_t total;
};

struct planes {
	struct plane v[FLAGS]; /* bits NULL: no row ever had it */
	uint32_t blocks;       /* of 512 rows: room of each that is made */
};

/* Row `number` has exactly these flags (bit n: flag n) in place of `old`. */
void planes_set(struct planes *p, uint32_t number, uint64_t old, uint64_t flags);
uint32_t planes_total(const struct planes *p, unsigned flag);
/* The first row from `from` and before `to` that has it; `to`: none. */
uint32_t planes_next(const struct planes *p, unsigned flag, uint32_t from, uint32_t to);
/* Rows that have both. A pass over all words. */
uint32_t planes_both(const struct planes *p, unsigned a, unsigned b);
size_t planes_bytes(const struct planes *p);
void planes_release(struct planes *p); /* {0} is a valid empty one */

#endif
