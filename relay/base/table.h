/*
 * table — records found by a 128-bit hash and a small number, as many as a ceiling allows.
 * For a million of them and more: a record costs its size and eight bytes of index; adding, finding
 * and removing take a constant number of steps. Records stay where they are until they are removed.
 */
#ifndef RELAY_TABLE_H
#define RELAY_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "relay/base/hash.h"

/* The first member of every record. */
struct table_head {
	struct hash128 key;
	uint32_t part;
	uint32_t slot; /* its number while it is held; numbers are used again */
};

struct table_cell;

struct table {
	size_t size; /* of a record */
	uint32_t max;
	uint32_t n;    /* held */
	uint32_t top;  /* slots in use or in the free chain */
	uint32_t idle; /* the free chain */
	char **chunks;
	size_t nchunks, chunks_cap;
	struct table_cell *cells;
	uint32_t ncells; /* a power of two, or 0 */
};

#define TABLE_NONE UINT32_MAX

/* size: of a record; more than max are refused. */
void table_init(struct table *t, size_t size, uint32_t max);
/* Frees the memory, not what records own. */
void table_release(struct table *t);

void *table_get(const struct table *t, struct hash128 key, uint32_t part); /* NULL: not there */
/* Zeroed behind its head. It must not be there. NULL: there is no room. */
void *table_add(struct table *t, struct hash128 key, uint32_t part);
void table_remove(struct table *t, void *record);

void *table_at(const struct table *t, uint32_t slot);	/* a slot that is held */
void *table_held(const struct table *t, uint32_t slot); /* NULL: it is not, or never was */
/* The record of the least slot from `slot` on; NULL: none. For all: start with 0, go on behind its
 * slot; removing the one that was given is allowed. */
void *table_from(const struct table *t, uint32_t slot);
size_t table_bytes(const struct table *t);

#endif
