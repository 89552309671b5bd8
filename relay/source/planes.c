/* planes — bits. Invariant: total is the number of them that are set. */
#include "relay/source/planes.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define WORDS 8 /* of a block */
#define BLOCK (WORDS * 64)

static unsigned ones(uint64_t word)
{
	return (unsigned)__builtin_popcountll(word);
}

static void widen(struct plane *p, uint32_t from, uint32_t to)
{
	p->bits = xrealloc(p->bits, (size_t)to * WORDS, sizeof *p->bits);
	memset(p->bits + (size_t)from * WORDS, 0, (size_t)(to - from) * WORDS * sizeof *p->bits);
}

static void make_room(struct planes *p, uint32_t number)
{
	uint32_t blocks = p->blocks;

	if (number / BLOCK < blocks)
		return;
	while (blocks <= number / BLOCK)
		blocks += blocks / 4 + 1;
	for (unsigned flag = 0; flag < FLAGS; flag++)
		if (p->v[flag].bits)
			widen(&p->v[flag], p->blocks, blocks);
	p->blocks = blocks;
}

static void flip(struct planes *p, unsigned flag, uint32_t number, bool on)
{
	struct plane *plane = &p->v[flag];

	if (!plane->bits)
		widen(plane, 0, p->blocks);
	plane->bits[number / 64] ^= UINT64_C(1) << number % 64;
	plane->total += on ? 1 : UINT32_MAX;
}

void planes_set(struct planes *p, uint32_t number, uint64_t old, uint64_t flags)
{
	make_room(p, number);
	for (uint64_t left = old ^ flags; left; left &= left - 1) {
		unsigned flag = (unsigned)__builtin_ctzll(left);
		flip(p, flag, number, flags >> flag & 1);
	}
}

uint32_t planes_total(const struct planes *p, unsigned flag)
{
	return p->v[flag].total;
}

uint32_t planes_next(const struct planes *p, unsigned flag, uint32_t from, uint32_t to)
{
	const struct plane *plane = &p->v[flag];
	uint32_t end = p->blocks * BLOCK;

	if (!plane->bits || from >= end)
		return to;
	uint64_t word = plane->bits[from / 64] >> from % 64;
	while (!word) {
		from = (from / 64 + 1) * 64;
		if (from >= to || from >= end)
			return to;
		word = plane->bits[from / 64];
	}
	from += (uint32_t)__builtin_ctzll(word);
	return from < to ? from : to;
}

uint32_t planes_both(const struct planes *p, unsigned a, unsigned b)
{
	const uint64_t *x = p->v[a].bits, *y = p->v[b].bits;
	uint32_t n = 0;

	for (size_t w = 0; x && y && w < (size_t)p->blocks * WORDS; w++)
		n += ones(x[w] & y[w]);
	return n;
}

size_t planes_bytes(const struct planes *p)
{
	size_t bytes = 0;

	for (unsigned flag = 0; flag < FLAGS; flag++)
		if (p->v[flag].bits)
			bytes += p->blocks * WORDS * sizeof(uint64_t);
	return bytes;
}

void planes_release(struct planes *p)
{
	for (unsigned flag = 0; flag < FLAGS; flag++)
		free(p->v[flag].bits);
	*p = (struct planes){0};
}
