/* roll — list order and filters as bit planes. Invariant: a plane's bit is set only at the slot
 * where a row stands now, so stale slots match no query that asks for a listed row. */
#include "examples/invent-sim/roll.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

struct keyed {
	uint64_t key;
	uint32_t row;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

static void place_sorted(struct roll *r, const uint64_t *sort)
{
	struct keyed *all = xmalloc((r->rows + 1ULL) * sizeof *all);

	for (uint32_t i = 0; i < r->rows; i++)
		all[i] = (struct keyed){sort[i], i};
	qsort(all, r->rows, sizeof *all, by_key);
	for (uint32_t i = 0; i < r->rows; i++) {
		r->row_at[i] = all[i].row;
		r->slot_of[all[i].row] = i;
	}
	free(all);
}

void roll_init(struct roll *r, uint32_t rows, unsigned planes, const uint64_t *sort)
{
	bool moving = r->moving, newest_first = r->newest_first;

	*r = (struct roll){.rows = rows, .planes = planes, .moving = moving};
	r->newest_first = newest_first;
	r->cap = moving ? 2 * rows + 64 : rows;
	r->slots = moving ? 0 : rows;
	r->slot_of = xmalloc((rows + 1ULL) * sizeof *r->slot_of);
	r->row_at = xmalloc((r->cap + 1ULL) * sizeof *r->row_at);
	for (unsigned p = 0; p < planes; p++)
		r->plane[p] = xcalloc(r->cap / 64 + 1, sizeof **r->plane);
	if (sort) {
		place_sorted(r, sort);
		return;
	}
	for (uint32_t i = 0; i < rows; i++) {
		r->slot_of[i] = moving ? NO_SLOT : i;
		r->row_at[i] = i;
	}
}

void roll_release(struct roll *r)
{
	for (unsigned p = 0; p < r->planes; p++)
		free(r->plane[p]);
	free(r->slot_of);
	free(r->row_at);
	*r = (struct roll){0};
}

static bool bit(const struct roll *r, unsigned plane, uint32_t slot)
{
	return r->plane[plane][slot / 64] >> (slot % 64) & 1;
}

static void put_bit(struct roll *r, unsigned plane, uint32_t slot, bool on)
{
	uint64_t mask = 1ULL << (slot % 64);

	if (on)
		r->plane[plane][slot / 64] |= mask;
	else
		r->plane[plane][slot / 64] &= ~mask;
}

void roll_set(struct roll *r, uint32_t row, unsigned plane, bool on)
{
	put_bit(r, plane, r->slot_of[row], on);
}

bool roll_get(const struct roll *r, uint32_t row, unsigned plane)
{
	return r->slot_of[row] != NO_SLOT && bit(r, plane, r->slot_of[row]);
}

static void move_bits(struct roll *r, uint32_t from, uint32_t to)
{
	for (unsigned p = 0; p < r->planes; p++) {
		if (!bit(r, p, from))
			continue;
		put_bit(r, p, from, false);
		put_bit(r, p, to, true);
	}
}

static void squeeze(struct roll *r)
{
	uint32_t to = 0;

	for (uint32_t from = 0; from < r->slots; from++) {
		uint32_t row = r->row_at[from];
		if (r->slot_of[row] != from)
			continue;
		if (from != to)
			move_bits(r, from, to);
		r->row_at[to] = row;
		r->slot_of[row] = to++;
	}
	r->slots = to;
}

void roll_touch(struct roll *r, uint32_t row)
{
	if (!r->moving)
		return;
	if (r->slots == r->cap)
		squeeze(r);
	uint32_t from = r->slot_of[row], to = r->slots++;
	if (from != NO_SLOT)
		move_bits(r, from, to);
	r->row_at[to] = row;
	r->slot_of[row] = to;
}

void roll_swap(struct roll *r, uint32_t a, uint32_t b)
{
	uint32_t at = r->slot_of[a], to = r->slot_of[b];

	for (unsigned p = 0; p < r->planes; p++) {
		bool was = bit(r, p, at);
		put_bit(r, p, at, bit(r, p, to));
		put_bit(r, p, to, was);
	}
	r->row_at[at] = b;
	r->row_at[to] = a;
	r->slot_of[a] = to;
	r->slot_of[b] = at;
}

bool roll_before(const struct roll *r, uint32_t a, uint32_t b)
{
	return r->newest_first ? r->slot_of[a] > r->slot_of[b] : r->slot_of[a] < r->slot_of[b];
}

/* The planes of a query, gathered once: a pass over a million rows is 15,000 words of each. */
struct sieve {
	const uint64_t *with[ROLL_PLANES], *without[ROLL_PLANES];
	unsigned nwith, nwithout;
};

static void gather(const struct roll *r, const struct roll_query *q, struct sieve *ret)
{
	ret->nwith = ret->nwithout = 0;
	for (unsigned p = 0; p < r->planes; p++) {
		if (q->with >> p & 1)
			ret->with[ret->nwith++] = r->plane[p];
		if (q->without >> p & 1)
			ret->without[ret->nwithout++] = r->plane[p];
	}
}

static uint64_t matching(const struct sieve *s, uint32_t word)
{
	uint64_t bits = ~0ULL;

	for (unsigned i = 0; i < s->nwith; i++)
		bits &= s->with[i][word];
	for (unsigned i = 0; i < s->nwithout; i++)
		bits &= ~s->without[i][word];
	return bits;
}

/* The next set bit in list order, taken out of *bits. */
static unsigned take_bit(const struct roll *r, uint64_t *bits)
{
	unsigned at = r->newest_first ? 63 - (unsigned)__builtin_clzll(*bits)
				      : (unsigned)__builtin_ctzll(*bits);

	*bits &= ~(1ULL << at);
	return at;
}

uint64_t roll_select(const struct roll *r, const struct roll_query *q, uint32_t *rows,
		     uint32_t *ret_n)
{
	uint32_t words = (r->slots + 63) / 64, n = 0;
	uint64_t total = 0;
	struct sieve sieve;

	gather(r, q, &sieve);
	for (uint32_t i = 0; i < words; i++) {
		uint32_t word = r->newest_first ? words - 1 - i : i;
		uint64_t bits = matching(&sieve, word), seen = total;
		if (!bits)
			continue;
		total += (uint64_t)__builtin_popcountll(bits);
		if (total <= q->offset || n == q->take)
			continue;
		for (; bits && n < q->take; seen++) {
			unsigned at = take_bit(r, &bits);
			if (seen >= q->offset)
				rows[n++] = r->row_at[word * 64 + at];
		}
	}
	*ret_n = n;
	return total;
}
