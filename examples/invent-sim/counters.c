/* counters — old counts are kept as samples: what was true until a change at some time. Invariant:
 * samples are so far apart that the ring reaches back further than the lag. */
#include "examples/invent-sim/counters.h"

#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/state.h"
#include "examples/invent-sim/values.h"
#include "relay/base/mem.h"

#define PER_LAG	    32 /* samples within the lag; it is met to one such part */
#define SAMPLES	    (PER_LAG + 2)
#define STUCK_AFTER 60000 /* ms of sending */

struct sample {
	int64_t until;
	uint64_t n[SIM_WHATS];
};

struct old_counts {
	struct sample v[SAMPLES];
	size_t taken; /* so far; the last SAMPLES of them are kept */
	int64_t next; /* no sample before that time */
};

bool sim_counters_parse(struct sim_counters *ret, const char *text)
{
	static const char *const names[] = {"exact", "lag", "stuck", "wrong", "absent"};
	struct sim_counters made = {.lag_ms = 0};

	if (!strncmp(text, "lag=", 4)) {
		made.mood = SIM_COUNTERS_LAG;
		if (!value_duration(text + 4, &made.lag_ms))
			return false;
		*ret = made;
		return true;
	}
	for (int i = 0; i < (int)(sizeof names / sizeof *names); i++) {
		made.mood = (enum sim_counters_mood)i;
		if (strcmp(names[i], text) || made.mood == SIM_COUNTERS_LAG)
			continue;
		*ret = made;
		return true;
	}
	return false;
}

struct old_counts *counters_new(const struct sim_counters *mood)
{
	bool needed = mood->mood == SIM_COUNTERS_LAG || mood->mood == SIM_COUNTERS_STUCK;

	return needed ? xcalloc(1, sizeof(struct old_counts)) : NULL;
}

void counters_before(const struct model *m, struct broadcast *b, int64_t at)
{
	struct old_counts *old = b->old_counts;

	if (!old || at < old->next)
		return;
	if (m->counters.mood == SIM_COUNTERS_STUCK && at < b->started_ms + STUCK_AFTER)
		return;
	struct sample *s = &old->v[old->taken++ % SAMPLES];
	s->until = at;
	memcpy(s->n, b->counts, sizeof s->n);
	old->next = m->counters.mood == SIM_COUNTERS_STUCK ? NEVER
							   : at + m->counters.lag_ms / PER_LAG + 1;
}

/* What was true at that time; the oldest sample that ends behind it says so. */
static const uint64_t *counts_at(const struct broadcast *b, int64_t at)
{
	const struct old_counts *old = b->old_counts;
	size_t n = old ? old->taken : 0;

	for (size_t i = n > SAMPLES ? n - SAMPLES : 0; i < n; i++)
		if (old->v[i % SAMPLES].until > at)
			return old->v[i % SAMPLES].n;
	return b->counts;
}

/* Half of the counters are off by a number, the others by a factor; for good. */
static uint64_t falsify(const struct broadcast *b, unsigned what, uint64_t n)
{
	uint64_t draw = sim_mix64(b->campaign.seed ^ (what + 1) * 0x9E3779B97F4A7C15ULL);
	uint64_t by = (draw >> 8) % 9 + 1;

	switch (draw % 4) {
	case 0: return n + by;
	case 1: return n > by ? n - by : 0;
	case 2: return n + n * by / 20;
	default: return n - n * by / 20;
	}
}

bool counters_shown(const struct model *m, const struct broadcast *b, uint64_t ret[SIM_WHATS])
{
	const uint64_t *now = b->counts;

	switch (m->counters.mood) {
	case SIM_COUNTERS_ABSENT: return false;
	case SIM_COUNTERS_LAG: now = counts_at(b, m->now_ms - m->counters.lag_ms); break;
	case SIM_COUNTERS_STUCK: now = counts_at(b, INT64_MIN); break;
	case SIM_COUNTERS_EXACT:
	case SIM_COUNTERS_WRONG: break;
	}
	for (unsigned i = 0; i < SIM_WHATS; i++)
		ret[i] = m->counters.mood == SIM_COUNTERS_WRONG ? falsify(b, i, now[i]) : now[i];
	return true;
}
