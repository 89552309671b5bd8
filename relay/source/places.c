/* places — blocks of rows. Invariant: no block is empty, home_of(row) is the block that has it, and
 * order[blocks[id]->nth] is id. */
#include "relay/source/places.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define BLOCK	    256
#define NOT_COUNTED UINT16_MAX
#define LOW_IDS	    (UINT32_C(1) << 16) /* one more than home alone can name */

struct block {
	uint32_t id, nth; /* nth: its place in the order */
	uint32_t n;
	uint32_t rows[BLOCK];
};

void places_release(struct places *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		free(p->blocks[i]);
	for (unsigned flag = 0; flag < FLAGS; flag++)
		free(p->counted[flag]);
	free(p->blocks);
	free(p->order);
	free(p->home);
	free(p->home_high);
	*p = (struct places){0};
}

static uint32_t home_of(const struct places *p, uint32_t row)
{
	return p->home_high ? (uint32_t)p->home_high[row] << 16 | p->home[row] : p->home[row];
}

static void set_home(struct places *p, uint32_t row, uint32_t id)
{
	p->home[row] = id & (LOW_IDS - 1);
	if (p->home_high)
		p->home_high[row] = (uint16_t)(id >> 16);
}

static struct block *block_of(const struct places *p, uint32_t row)
{
	return p->blocks[home_of(p, row)];
}

static struct block *block_at(const struct places *p, uint32_t nth)
{
	return p->blocks[p->order[nth]];
}

static uint32_t place_in(const struct block *b, uint32_t row)
{
	uint32_t i = 0;

	while (b->rows[i] != row)
		i++;
	return i;
}

static void forget_count(struct places *p, const struct block *b)
{
	for (uint64_t left = p->asked; left; left &= left - 1)
		p->counted[__builtin_ctzll(left)][b->id] = NOT_COUNTED;
}

void places_touch(struct places *p, uint32_t row)
{
	if (row < p->room && p->rows)
		forget_count(p, block_of(p, row));
}

/* ---- blocks ---- */

static void number_from(struct places *p, uint32_t nth)
{
	for (; nth < p->n; nth++)
		block_at(p, nth)->nth = nth;
}

static struct block *add_block(struct places *p, uint32_t nth)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 2;
		p->blocks = xrealloc(p->blocks, p->cap, sizeof(struct block *));
		p->order = xrealloc(p->order, p->cap, sizeof *p->order);
		for (unsigned flag = 0; flag < FLAGS; flag++)
			if (p->counted[flag])
				p->counted[flag] =
					xrealloc(p->counted[flag], p->cap, sizeof(uint16_t));
	}
	if (p->n == LOW_IDS && !p->home_high)
		p->home_high = xcalloc(p->room, sizeof *p->home_high);
	struct block *b = xmalloc(sizeof *b);
	b->id = p->n;
	b->n = 0;
	p->blocks[b->id] = b;
	memmove(p->order + nth + 1, p->order + nth, (p->n - nth) * sizeof *p->order);
	p->order[nth] = b->id;
	p->n++;
	number_from(p, nth);
	forget_count(p, b);
	return b;
}

/* The last id is given to the block that has it, so that ids have no gaps. */
static void remove_block(struct places *p, struct block *b)
{
	struct block *last = p->blocks[p->n - 1];
	uint32_t nth = b->nth;

	for (uint32_t i = 0; i < last->n; i++)
		set_home(p, last->rows[i], b->id);
	p->order[last->nth] = b->id;
	p->blocks[b->id] = last;
	last->id = b->id;
	forget_count(p, last);
	p->n--;
	memmove(p->order + nth, p->order + nth + 1, (p->n - nth) * sizeof *p->order);
	number_from(p, nth);
	free(b);
}

/* The upper half of a full one becomes one of its own. */
static struct block *split(struct places *p, struct block *b)
{
	struct block *rest = add_block(p, b->nth + 1);

	rest->n = b->n / 2;
	b->n -= rest->n;
	memcpy(rest->rows, b->rows + b->n, rest->n * sizeof *rest->rows);
	for (uint32_t i = 0; i < rest->n; i++)
		set_home(p, rest->rows[i], rest->id);
	forget_count(p, b);
	return rest;
}

static void make_home(struct places *p, uint32_t row)
{
	uint32_t room = p->room;

	if (row < room)
		return;
	while (room <= row)
		room += room / 8 + 64;
	p->home = xrealloc(p->home, room, sizeof *p->home);
	if (p->home_high)
		p->home_high = xrealloc(p->home_high, room, sizeof *p->home_high);
	p->room = room;
}

static void put(struct places *p, struct block *b, uint32_t at, uint32_t row)
{
	if (b->n == BLOCK && at == BLOCK && b->nth + 1 == p->n) { /* a list that grows at its end */
		b = add_block(p, p->n);
		at = 0;
	} else if (b->n == BLOCK) {
		struct block *rest = split(p, b);
		if (at > b->n) {
			at -= b->n;
			b = rest;
		}
	}
	memmove(b->rows + at + 1, b->rows + at, (b->n - at) * sizeof *b->rows);
	b->rows[at] = row;
	b->n++;
	set_home(p, row, b->id);
	forget_count(p, b);
	p->rows++;
}

void places_insert(struct places *p, uint32_t row, uint32_t behind)
{
	struct block *b = behind != NO_ROW ? block_of(p, behind)
			  : p->n	   ? block_at(p, 0)
					   : add_block(p, 0);

	make_home(p, row);
	put(p, b, behind == NO_ROW ? 0 : place_in(b, behind) + 1, row);
}

void places_append(struct places *p, uint32_t row)
{
	struct block *b = p->n ? block_at(p, p->n - 1) : add_block(p, 0);

	make_home(p, row);
	put(p, b, b->n, row);
}

void places_move(struct places *p, uint32_t row, uint32_t behind)
{
	struct block *b = block_of(p, row);
	uint32_t at = place_in(b, row);

	b->n--;
	p->rows--;
	memmove(b->rows + at, b->rows + at + 1, (b->n - at) * sizeof *b->rows);
	forget_count(p, b);
	if (b->n == 0)
		remove_block(p, b);
	places_insert(p, row, behind);
}

/* ---- the order ---- */

bool places_is_before(const struct places *p, uint32_t a, uint32_t b)
{
	const struct block *x = block_of(p, a), *y = block_of(p, b);

	return x == y ? place_in(x, a) < place_in(y, b) : x->nth < y->nth;
}

uint32_t places_first(const struct places *p)
{
	return p->n ? block_at(p, 0)->rows[0] : NO_ROW;
}

uint32_t places_last(const struct places *p)
{
	const struct block *b = p->n ? block_at(p, p->n - 1) : NULL;

	return b ? b->rows[b->n - 1] : NO_ROW;
}

uint32_t places_prev(const struct places *p, uint32_t row)
{
	const struct block *b = block_of(p, row);
	uint32_t at = place_in(b, row);

	if (at > 0)
		return b->rows[at - 1];
	if (b->nth == 0)
		return NO_ROW;
	b = block_at(p, b->nth - 1);
	return b->rows[b->n - 1];
}

uint32_t places_next(const struct places *p, uint32_t row)
{
	const struct block *b = block_of(p, row);
	uint32_t at = place_in(b, row) + 1;

	if (at < b->n)
		return b->rows[at];
	return b->nth + 1 < p->n ? block_at(p, b->nth + 1)->rows[0] : NO_ROW;
}

uint32_t places_bisect(const struct places *p, bool (*is)(void *arg, uint32_t row), void *arg)
{
	uint32_t low = 0, high = p->n;

	while (low < high) { /* blocks whose first row is one */
		uint32_t mid = low + (high - low) / 2;
		if (is(arg, block_at(p, mid)->rows[0]))
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return NO_ROW;
	const struct block *b = block_at(p, low - 1);
	for (low = 1, high = b->n; low < high;) {
		uint32_t mid = low + (high - low) / 2;
		if (is(arg, b->rows[mid]))
			low = mid + 1;
		else
			high = mid;
	}
	return b->rows[low - 1];
}

/* ---- ranks ---- */

static bool has(const struct planes *planes, unsigned flag, uint32_t row)
{
	return planes_next(planes, flag, row, row + 1) == row;
}

static uint32_t count_in(const struct ranks *r, const struct block *b, uint32_t end)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < end; i++)
		n += has(r->planes, r->flag, b->rows[i]);
	return n;
}

static uint16_t *make_counts(struct places *p, unsigned flag)
{
	if (!p->counted[flag]) {
		p->asked |= UINT64_C(1) << flag;
		p->counted[flag] = xmalloc((p->cap + 1) * sizeof(uint16_t));
		memset(p->counted[flag], 0xff, p->cap * sizeof(uint16_t));
	}
	return p->counted[flag];
}

static uint32_t sum_up(struct ranks *r, uint16_t *counts)
{
	uint32_t sum = 0;

	for (uint32_t nth = 0; nth < r->places->n; nth++) {
		uint32_t id = r->places->order[nth];
		const struct block *b = r->places->blocks[id];
		if (counts[id] == NOT_COUNTED)
			counts[id] = (uint16_t)count_in(r, b, b->n);
		r->before[nth] = sum;
		sum += counts[id];
	}
	return sum;
}

void ranks_make(struct ranks *r, struct places *p, const struct planes *planes, unsigned flag)
{
	uint16_t *counts = make_counts(p, flag);

	r->places = p;
	r->planes = planes;
	r->flag = flag;
	if (r->cap < p->n) {
		r->cap = p->n;
		r->before = xrealloc(r->before, r->cap, sizeof *r->before);
	}
	if (sum_up(r, counts) == planes_total(planes, flag))
		return;
	/* Rows that left the list were not touched. */
	memset(counts, 0xff, p->n * sizeof *counts);
	sum_up(r, counts);
}

uint32_t ranks_of(const struct ranks *r, uint32_t row)
{
	const struct block *b = block_of(r->places, row);

	return r->before[b->nth] + count_in(r, b, place_in(b, row));
}

void ranks_release(struct ranks *r)
{
	free(r->before);
	*r = (struct ranks){0};
}
