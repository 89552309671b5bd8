/* cursor — the settled routes of one destination as a position and a bitmap above it. Invariant:
 * bit i always means sequence position + 1 + i, also after the position moved. */
#include "relay/delivery/cursor.h"

#include <assert.h>

#define WORDS (SETTLE_WINDOW / 64)

bool cursor_has(const struct cursor *c, int64_t sequence)
{
	int64_t bit = sequence - c->position - 1;

	if (bit < 0)
		return true;
	return bit < SETTLE_WINDOW && c->done[bit / 64] >> (bit % 64) & 1;
}

void cursor_add(struct cursor *c, int64_t sequence)
{
	int64_t bit = sequence - c->position - 1;

	if (bit < 0)
		return;
	assert(bit < SETTLE_WINDOW);
	c->done[bit / 64] |= UINT64_C(1) << (bit % 64);
}

void cursor_move(struct cursor *c, int64_t position)
{
	int64_t by = position - c->position;
	int64_t words = by / 64;
	unsigned bits = (unsigned)(by % 64);

	if (by <= 0)
		return;
	for (int64_t i = 0; i < WORDS; i++) {
		uint64_t low = i + words < WORDS ? c->done[i + words] : 0;
		uint64_t high = i + words + 1 < WORDS ? c->done[i + words + 1] : 0;

		c->done[i] = bits ? low >> bits | high << (64 - bits) : low;
	}
	c->position = position;
}
