/* index_keys — the table of keys. Invariant: at least half of the slots are free. */
#include "rules/index_keys.h"

#include <stdlib.h>

#include "relay/base/mem.h"

#define BITS_FIRST 6

void keys_init(struct keys *k)
{
	*k = (struct keys){.bits = BITS_FIRST};
	k->slots = xcalloc((size_t)1 << k->bits, sizeof *k->slots);
}

void keys_release(struct keys *k)
{
	free(k->v);
	free(k->slots);
	*k = (struct keys){0};
}

static void put_slot(struct keys *k, size_t place)
{
	const struct key *key = &k->v[place];
	uint64_t hash = key_hash(key->text, key->len, key->field, key->kind);
	size_t mask = ((size_t)1 << k->bits) - 1, i = hash;

	while (k->slots[i & mask])
		i++;
	k->slots[i & mask] = (hash >> 32) << 32 | (place + 1);
}

static void grow_slots(struct keys *k)
{
	k->bits++;
	free(k->slots);
	k->slots = xcalloc((size_t)1 << k->bits, sizeof *k->slots);
	for (size_t i = 0; i < k->n; i++)
		put_slot(k, i);
}

uint32_t keys_add(struct keys *k, const struct key *wanted)
{
	const struct key *known =
		keys_find(k, wanted->text, wanted->len, wanted->field, wanted->kind);

	if (known)
		return (uint32_t)(known - k->v);
	k->v = mem_grow(k->v, k->n, &k->cap, sizeof *k->v);
	k->v[k->n] = *wanted;
	k->v[k->n].list = k->v[k->n].uses = 0;
	k->v[k->n].bit = KEY_BITS;
	k->n++;
	if (k->n * 2 > (size_t)1 << k->bits)
		grow_slots(k);
	else
		put_slot(k, k->n - 1);
	return (uint32_t)k->n - 1;
}
