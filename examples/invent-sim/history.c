/* history — chains of entries, one a row, found through a small table. Invariant: a chain runs
 * from the newest entry to the oldest. */
#include "examples/invent-sim/history.h"

#include <stdlib.h>

#include "examples/invent-sim/campaign.h"
#include "relay/base/mem.h"

static struct history_row *slot_of(const struct history *h, uint64_t key)
{
	size_t at = sim_mix64(key) & (h->slots - 1);

	while (h->rows[at].last != NO_ENTRY && h->rows[at].key != key)
		at = (at + 1) & (h->slots - 1);
	return &h->rows[at];
}

static void make_room(struct history *h)
{
	struct history old = *h;

	if (h->nrows * 2 < h->slots)
		return;
	h->slots = h->slots ? h->slots * 2 : 64;
	h->rows = xmalloc(h->slots * sizeof *h->rows);
	for (size_t i = 0; i < h->slots; i++)
		h->rows[i] = (struct history_row){.last = NO_ENTRY};
	for (size_t i = 0; i < old.slots; i++)
		if (old.rows[i].last != NO_ENTRY)
			*slot_of(h, old.rows[i].key) = old.rows[i];
	free(old.rows);
}

void history_add(struct history *h, uint64_t key, struct entry e)
{
	make_room(h);

	struct history_row *row = slot_of(h, key);
	if (row->last == NO_ENTRY) {
		row->key = key;
		h->nrows++;
	}
	e.earlier = row->last;
	row->last = (uint32_t)h->n;
	h->v = mem_grow(h->v, h->n, &h->cap, sizeof *h->v);
	h->v[h->n++] = e;
}

uint32_t history_last(const struct history *h, uint64_t key)
{
	return h->slots ? slot_of(h, key)->last : NO_ENTRY;
}

const struct entry *history_find(const struct history *h, uint64_t key, unsigned what)
{
	for (uint32_t i = history_last(h, key); i != NO_ENTRY; i = h->v[i].earlier)
		if (h->v[i].what == what)
			return &h->v[i];
	return NULL;
}

/* Was the entry there when the reply was made? What the campaign did is written down late. */
static bool visible(const struct history *h, uint32_t i, const struct sighting *s)
{
	return i < s->n || (h->v[i].natural && h->v[i].at <= s->at);
}

void history_shown(struct history *h, const struct sighting *s)
{
	uint32_t settled = 0; /* whats whose newest visible entry has been met */

	for (uint32_t i = history_last(h, s->key); i != NO_ENTRY; i = h->v[i].earlier) {
		struct entry *e = &h->v[i];
		uint32_t bit = 1u << e->what;
		if ((settled & bit) || !visible(h, i, s))
			continue;
		settled |= bit;
		if (e->rises == !!(s->flags & bit))
			e->shown = true;
	}
}

void history_release(struct history *h)
{
	free(h->v);
	free(h->rows);
	*h = (struct history){0};
}
