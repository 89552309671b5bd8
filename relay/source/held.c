/* held — rows in chunks behind an open-addressing index. Invariants: every number given is found
 * by its key in `index` or, while that is being filled, in `older`; at least an eighth of the
 * index is empty, so that a search ends. */
#include "relay/source/held.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

static_assert(sizeof(struct held_row) == 48, "a million rows are to fit");

#define CHUNK	    1024 /* rows of a full chunk: 48 KiB */
#define CHUNK_FIRST 64	 /* a broadcast of few recipients takes 3 KiB */
#define SLOTS_FIRST 64
/* Slots of the older index taken over with each addition: it is empty long before the next
 * growth, and no addition pays for a million rows at once. */
#define MOVED_AT_ONCE 16

/* A slot is a row's number + 1, so that fresh zero pages are an empty index. */
struct slots {
	uint32_t *v;
	uint32_t size; /* a power of two, or 0 */
};

struct held {
	struct held_row **chunks;
	size_t nchunks, cap;
	uint32_t n;
	int64_t epoch_ms; /* what created is counted from; 0: no row had one yet */
	struct planes planes;
	struct slots index, older;
	uint32_t moved; /* slots of `older` already in `index` */
};

struct place {
	size_t chunk, offset;
};

/* The first 1,024 rows lie in chunks of 64, 64, 128, 256 and 512, the others in full ones. */
static struct place place_of(uint32_t number)
{
	if (number >= CHUNK)
		return (struct place){number / CHUNK + 4, number % CHUNK};
	if (number < CHUNK_FIRST)
		return (struct place){0, number};
	unsigned top = 31 - (unsigned)__builtin_clz(number);
	return (struct place){top - 5, number - (1u << top)};
}

static size_t chunk_rows(size_t chunk)
{
	if (chunk == 0)
		return CHUNK_FIRST;
	return chunk < 5 ? (size_t)CHUNK_FIRST << (chunk - 1) : CHUNK;
}

struct held *held_new(void)
{
	return xcalloc(1, sizeof(struct held));
}

void held_free(struct held *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->nchunks; i++)
		free(h->chunks[i]);
	free(h->chunks);
	free(h->index.v);
	free(h->older.v);
	planes_release(&h->planes);
	free(h);
}

static const struct held_row *row_at(const struct held *h, uint32_t number)
{
	struct place p = place_of(number);

	return &h->chunks[p.chunk][p.offset];
}

static uint32_t find_in(const struct held *h, const struct slots *s, struct hash128 key)
{
	if (s->size == 0)
		return HELD_NONE;
	uint32_t mask = s->size - 1;
	for (uint32_t i = (uint32_t)key.low & mask; s->v[i]; i = (i + 1) & mask) {
		if (hash128_equal(row_at(h, s->v[i] - 1)->key, key))
			return s->v[i] - 1;
	}
	return HELD_NONE;
}

uint32_t held_find(const struct held *h, struct hash128 key)
{
	uint32_t found = find_in(h, &h->index, key);

	return found == HELD_NONE ? find_in(h, &h->older, key) : found;
}

static void put(struct slots *s, struct hash128 key, uint32_t number)
{
	uint32_t mask = s->size - 1;
	uint32_t i = (uint32_t)key.low & mask;

	while (s->v[i])
		i = (i + 1) & mask;
	s->v[i] = number + 1;
}

static void move_some(struct held *h, uint32_t count)
{
	for (; count && h->moved < h->older.size; count--) {
		uint32_t slot = h->older.v[h->moved++];
		if (slot)
			put(&h->index, row_at(h, slot - 1)->key, slot - 1);
	}
	if (h->moved < h->older.size)
		return;
	free(h->older.v);
	h->older = (struct slots){0};
	h->moved = 0;
}

static void make_room(struct held *h)
{
	if (h->older.size)
		move_some(h, MOVED_AT_ONCE);
	if (h->n < h->index.size / 8 * 7)
		return;
	assert(h->older.size == 0);
	h->older = h->index;
	h->index.size = h->older.size ? h->older.size * 2 : SLOTS_FIRST;
	h->index.v = xcalloc(h->index.size, sizeof *h->index.v);
}

struct held_row *held_at(struct held *h, uint32_t number)
{
	assert(number < h->n);
	struct place p = place_of(number);

	return &h->chunks[p.chunk][p.offset];
}

/* What the API's list shows of a row: nothing once it is gone. */
static uint64_t flags_of(const struct held_row *row)
{
	return row->gone ? 0 : row->states | UINT64_C(1) << FLAG_PRESENT;
}

uint32_t held_add(struct held *h, const struct held_row *row)
{
	/* One below what the index can number: a billion rows are 48 GB. */
	assert(h->n < UINT32_C(1) << 30);
	struct place p = place_of(h->n);

	if (p.chunk == h->nchunks) {
		h->chunks = mem_grow(h->chunks, h->nchunks, &h->cap, sizeof *h->chunks);
		h->chunks[h->nchunks++] = xmalloc(chunk_rows(p.chunk) * sizeof **h->chunks);
	}
	h->chunks[p.chunk][p.offset] = *row;
	make_room(h);
	put(&h->index, row->key, h->n);
	planes_set(&h->planes, h->n, 0, flags_of(row));
	return h->n++;
}

uint32_t held_date(struct held *h, int64_t created_ms)
{
	if (created_ms == DATE_NONE)
		return 0;
	if (!h->epoch_ms)
		h->epoch_ms = created_ms - INT32_MAX;
	if (created_ms <= h->epoch_ms)
		return 1;
	int64_t since = created_ms - h->epoch_ms;
	return since > UINT32_MAX ? UINT32_MAX : (uint32_t)since;
}

void held_replace(struct held *h, uint32_t number, const struct held_row *row)
{
	struct held_row *old = held_at(h, number);
	struct hash128 key = old->key;

	planes_set(&h->planes, number, flags_of(old), flags_of(row));
	*old = *row;
	old->key = key;
}

const struct planes *held_planes(const struct held *h)
{
	return &h->planes;
}

uint32_t held_count(const struct held *h)
{
	return h->n;
}

uint32_t held_live(const struct held *h)
{
	return planes_total(&h->planes, FLAG_PRESENT);
}

void held_set_gone(struct held *h, uint32_t number, bool gone)
{
	struct held_row row = *held_at(h, number);

	row.gone = gone;
	held_replace(h, number, &row);
}

size_t held_bytes(const struct held *h)
{
	size_t bytes = sizeof *h + h->cap * sizeof *h->chunks;

	for (size_t i = 0; i < h->nchunks; i++)
		bytes += chunk_rows(i) * sizeof(struct held_row);
	bytes += planes_bytes(&h->planes);
	return bytes + ((size_t)h->index.size + h->older.size) * sizeof *h->index.v;
}

bool held_hold(struct held *h, const struct recipient_record *record)
{
	struct held_row row = {
		.key = hash128(record->id, strlen(record->id)),
		.identity = record->identity,
		.error = (uint32_t)record->error,
		.created = held_date(h, record->created_ms),
		.contact = record->contact,
		.states = record->states,
		.status = record->status & 0x7f,
	};

	if (record->number != held_count(h))
		return false;
	held_add(h, &row);
	if (record->gone)
		held_set_gone(h, record->number, true);
	return true;
}
