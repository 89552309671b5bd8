/*
 * facts — the events that arrived, as hashes: each once by its id, found by id or by the fact it
 * states. Some 70 bytes an event.
 */
#ifndef INVENT_SIM_FACTS_H
#define INVENT_SIM_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct received {
	uint64_t fact, id, content; /* hashes */
	int64_t at;
	uint64_t where; /* in its file */
	uint8_t file, type;
	bool matched;  /* a line of the ledger claimed it … */
	bool timeless; /* … that gives no time */
};

struct facts_table {
	uint32_t *v; /* numbers of entries */
	size_t slots;
};

struct facts {
	struct received *v; /* moves when one is added */
	size_t n, cap;
	struct facts_table by_fact, by_id;
};

void facts_add(struct facts *f, const struct received *r); /* its id must be new */
struct received *facts_of_id(const struct facts *f, uint64_t id);

/* The events that state a fact, one after the other; NULL: no more. */
struct received *facts_first(const struct facts *f, uint64_t fact, size_t *ret_slot);
struct received *facts_next(const struct facts *f, uint64_t fact, size_t *slot);

void facts_release(struct facts *f); /* {0} is allowed */

#endif
