/* unrest — rows removed, flags fallen and risen again, places swapped. Invariant: when something
 * happens, and to which row, follows from the broadcast's seed, the kind and a count. */
#include "examples/invent-sim/state.h"

#define HOUR_MS 3600000LL
#define TRIES	64 /* rows that are looked at for one that fits */

/* In due.what, behind all of enum sim_what; RISE plus the flag. */
enum { REMOVE = 32, FLIP, SWAP, KINDS_END, RISE = 64 };

static uint32_t rate_of(const struct model *m, unsigned kind)
{
	switch (kind) {
	case REMOVE: return m->unrest.removals;
	case FLIP: return m->unrest.flips;
	default: return m->unrest.swaps;
	}
}

static void queue_at(struct model *m, struct broadcast *b, struct due d)
{
	if (d.at <= b->campaign.until_ms)
		queue_push(&m->queue, d);
}

/* The n-th of its kind comes somewhere in the n-th interval of its rate. */
static void queue_nth(struct model *m, struct broadcast *b, unsigned kind, uint32_t n)
{
	uint32_t rate = rate_of(m, kind);
	uint64_t draw = sim_mix64(b->campaign.seed ^ ((uint64_t)kind << 40 | n));
	int64_t within = (int64_t)(draw >> 32) % (HOUR_MS / rate + 1);

	queue_at(m, b,
		 (struct due){b->started_ms + n * HOUR_MS / rate + within, n, b->number,
			      (uint8_t)kind});
}

void unrest_start(struct model *m, struct broadcast *b)
{
	for (unsigned kind = REMOVE; kind < KINDS_END; kind++)
		if (rate_of(m, kind))
			queue_nth(m, b, kind, 0);
}

bool unrest_due(const struct due *d)
{
	return d->what >= REMOVE;
}

/* ---- */

static bool is_listed(const struct broadcast *b, uint32_t row)
{
	return b->flags[row] & FLAG(SIM_ADDED);
}

/* Flags that Invent takes back; work that is done stays so. */
static uint32_t fallible(const struct broadcast *b, uint32_t row)
{
	uint32_t never = FLAG(SIM_ADDED) | FLAG(SIM_PROCESSED);

	return is_listed(b, row) ? b->flags[row] & STATE_FLAGS & ~never : 0;
}

/* A listed row, with a flag that can fall where that is asked for. False: none was found. */
static bool pick(const struct broadcast *b, struct prng *dice, bool flagged, uint32_t *ret)
{
	for (int i = 0; b->added && i < TRIES; i++) {
		uint32_t row = (uint32_t)(prng_next(dice) % b->added);
		if (flagged ? !fallible(b, row) : !is_listed(b, row))
			continue;
		*ret = row;
		return true;
	}
	return false;
}

static void flip(struct model *m, struct broadcast *b, uint32_t row, struct prng *dice)
{
	uint32_t flags = fallible(b, row);

	for (uint64_t skip = prng_next(dice) % (uint64_t)__builtin_popcount(flags); skip; skip--)
		flags &= flags - 1;
	unsigned what = (unsigned)__builtin_ctz(flags);
	int64_t back_ms = 1000 + (int64_t)(prng_next(dice) >> 32) % 600000;
	bool rises_again = prng_next(dice) & 1;
	model_change_row(m, b, row, (enum sim_what)what, false);
	if (rises_again)
		queue_at(m, b,
			 (struct due){m->now_ms + back_ms, row, b->number, (uint8_t)(RISE + what)});
}

void unrest_step(struct model *m, struct broadcast *b, const struct due *d)
{
	struct prng dice = {b->campaign.seed ^ ((uint64_t)d->what << 48 | d->row)};
	uint32_t row, other;

	if (d->what >= RISE) {
		model_change_row(m, b, d->row, (enum sim_what)(d->what - RISE), true);
		return;
	}
	if (pick(b, &dice, d->what == FLIP, &row)) {
		if (d->what == REMOVE)
			model_change_row(m, b, row, SIM_REMOVED, true);
		else if (d->what == FLIP)
			flip(m, b, row, &dice);
		else if (pick(b, &dice, false, &other))
			roll_swap(&b->roll, row, other);
	}
	queue_nth(m, b, d->what, d->row + 1);
}
