/* facts — two open-addressing tables over one array. Invariant: tables are at most half full, and
 * the entries of one hash lie in one run, since nothing is ever taken out. */
#include "examples/invent-sim/facts.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define NONE UINT32_MAX

static uint64_t hash_of(const struct facts *f, const struct facts_table *t, uint32_t i)
{
	return t == &f->by_fact ? f->v[i].fact : f->v[i].id;
}

/* The next entry of that hash from *slot on; *slot is left behind it. */
static struct received *probe(const struct facts *f, const struct facts_table *t, uint64_t hash,
			      size_t *slot)
{
	while (t->slots && t->v[*slot] != NONE) {
		uint32_t i = t->v[*slot];
		*slot = (*slot + 1) & (t->slots - 1);
		if (hash_of(f, t, i) == hash)
			return &f->v[i];
	}
	return NULL;
}

static void insert(struct facts *f, struct facts_table *t, uint32_t i)
{
	size_t slot = hash_of(f, t, i) & (t->slots - 1);

	while (t->v[slot] != NONE)
		slot = (slot + 1) & (t->slots - 1);
	t->v[slot] = i;
}

static void make_room(struct facts *f, struct facts_table *t)
{
	if ((f->n + 1) * 2 <= t->slots)
		return;
	t->slots = t->slots ? t->slots * 2 : 1024;
	t->v = xrealloc(t->v, t->slots, sizeof *t->v);
	memset(t->v, 0xff, t->slots * sizeof *t->v);
	for (size_t i = 0; i < f->n; i++)
		insert(f, t, (uint32_t)i);
}

void facts_add(struct facts *f, const struct received *r)
{
	make_room(f, &f->by_fact);
	make_room(f, &f->by_id);
	f->v = mem_grow(f->v, f->n, &f->cap, sizeof *f->v);
	f->v[f->n] = *r;
	insert(f, &f->by_fact, (uint32_t)f->n);
	insert(f, &f->by_id, (uint32_t)f->n);
	f->n++;
}

struct received *facts_of_id(const struct facts *f, uint64_t id)
{
	size_t slot = f->by_id.slots ? id & (f->by_id.slots - 1) : 0;

	return probe(f, &f->by_id, id, &slot);
}

struct received *facts_first(const struct facts *f, uint64_t fact, size_t *ret_slot)
{
	*ret_slot = f->by_fact.slots ? fact & (f->by_fact.slots - 1) : 0;
	return facts_next(f, fact, ret_slot);
}

struct received *facts_next(const struct facts *f, uint64_t fact, size_t *slot)
{
	return probe(f, &f->by_fact, fact, slot);
}

void facts_release(struct facts *f)
{
	free(f->v);
	free(f->by_fact.v);
	free(f->by_id.v);
	*f = (struct facts){0};
}
