/* An open-addressed index (linear probing, no tombstones) over records in chunks. Invariants: a
 * record's slot is its own number exactly while it is held; at most three of four cells are used.
 */
#include "relay/base/table.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define CHUNK	    16 /* records: thousands of tables hold but a few */
#define CELLS_LEAST 16

struct table_cell {
	uint32_t tag; /* the lower bits of the hash, enough to find its home */
	uint32_t slot;
};

void table_init(struct table *t, size_t size, uint32_t max)
{
	*t = (struct table){.size = size, .max = max, .idle = TABLE_NONE};
}

void table_release(struct table *t)
{
	for (size_t i = 0; i < t->nchunks; i++)
		free(t->chunks[i]);
	free(t->chunks);
	free(t->cells);
	table_init(t, t->size, t->max);
}

static struct table_head *record_at(const struct table *t, uint32_t slot)
{
	return (struct table_head *)(t->chunks[slot / CHUNK] + slot % CHUNK * t->size);
}

static uint32_t tag_of(struct hash128 key, uint32_t part)
{
	return (uint32_t)((key.low ^ (part * 0x9e3779b97f4a7c15u)) >> 20);
}

/* The cell of the record, or the empty one where its search ends. */
static uint32_t find(const struct table *t, struct hash128 key, uint32_t part)
{
	uint32_t tag = tag_of(key, part), i = tag & (t->ncells - 1);

	while (t->cells[i].slot != TABLE_NONE) {
		if (t->cells[i].tag == tag) {
			const struct table_head *r = record_at(t, t->cells[i].slot);
			if (hash128_equal(r->key, key) && r->part == part)
				break;
		}
		i = (i + 1) & (t->ncells - 1);
	}
	return i;
}

void *table_get(const struct table *t, struct hash128 key, uint32_t part)
{
	if (!t->n)
		return NULL;
	uint32_t slot = t->cells[find(t, key, part)].slot;
	return slot == TABLE_NONE ? NULL : record_at(t, slot);
}

static void grow(struct table *t)
{
	struct table_cell *old = t->cells;
	uint32_t n = t->ncells;

	t->ncells = n ? 2 * n : CELLS_LEAST;
	t->cells = xmalloc(t->ncells * sizeof *t->cells);
	for (uint32_t i = 0; i < t->ncells; i++)
		t->cells[i].slot = TABLE_NONE;
	for (uint32_t i = 0; i < n; i++) {
		if (old[i].slot == TABLE_NONE)
			continue;
		uint32_t home = old[i].tag & (t->ncells - 1);
		while (t->cells[home].slot != TABLE_NONE)
			home = (home + 1) & (t->ncells - 1);
		t->cells[home] = old[i];
	}
	free(old);
}

static uint32_t take_slot(struct table *t)
{
	uint32_t slot = t->idle;

	if (slot != TABLE_NONE) {
		t->idle = record_at(t, slot)->part;
		return slot;
	}
	if (t->top == t->nchunks * CHUNK) {
		t->chunks = mem_grow(t->chunks, t->nchunks, &t->chunks_cap, sizeof *t->chunks);
		t->chunks[t->nchunks++] = xmalloc(CHUNK * t->size);
	}
	return t->top++;
}

void *table_add(struct table *t, struct hash128 key, uint32_t part)
{
	if (t->n == t->max)
		return NULL;
	if (t->n >= t->ncells / 4 * 3)
		grow(t);
	uint32_t slot = take_slot(t);
	struct table_head *r = record_at(t, slot);
	memset(r, 0, t->size);
	*r = (struct table_head){key, part, slot};
	t->cells[find(t, key, part)] = (struct table_cell){tag_of(key, part), slot};
	t->n++;
	return r;
}

/* Closes the gap: what was pushed past it moves up. */
static void close_gap(struct table *t, uint32_t gap)
{
	uint32_t mask = t->ncells - 1;

	for (uint32_t i = (gap + 1) & mask; t->cells[i].slot != TABLE_NONE; i = (i + 1) & mask) {
		uint32_t home = t->cells[i].tag & mask;
		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		t->cells[gap] = t->cells[i];
		gap = i;
	}
	t->cells[gap].slot = TABLE_NONE;
}

void table_remove(struct table *t, void *record)
{
	struct table_head *r = record;

	close_gap(t, find(t, r->key, r->part));
	r->part = t->idle;
	t->idle = r->slot;
	r->slot = TABLE_NONE;
	if (--t->n == 0)
		table_release(t);
}

void *table_at(const struct table *t, uint32_t slot)
{
	return record_at(t, slot);
}

void *table_held(const struct table *t, uint32_t slot)
{
	return slot < t->top && record_at(t, slot)->slot == slot ? record_at(t, slot) : NULL;
}

void *table_from(const struct table *t, uint32_t slot)
{
	while (slot < t->top && !table_held(t, slot))
		slot++;
	return table_held(t, slot);
}

size_t table_bytes(const struct table *t)
{
	return t->nchunks * CHUNK * t->size + t->ncells * sizeof *t->cells +
	       t->chunks_cap * sizeof *t->chunks;
}
