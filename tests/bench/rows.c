/* rows — see the header; the one file of the benches that looks into a model. */
#include "tests/bench/rows.h"

#include <stdlib.h>

#include "examples/invent-sim/state.h"
#include "relay/base/mem.h"

uint64_t rows_count(const struct model *m, enum sim_what what)
{
	uint64_t n = 0;
	for (size_t i = 0; i < m->nbroadcasts; i++)
		n += m->broadcasts[i].counts[what];
	return n;
}

/* May the flag rise in a row like this? */
static bool is_candidate(const struct broadcast *b, uint32_t row, enum sim_what what)
{
	uint32_t needed = FLAG(what == SIM_FAILED ? SIM_SENT : SIM_DELIVERED);
	uint32_t without = FLAG(what) | FLAG(SIM_OPENED) | FLAG(SIM_FAILED) | FLAG(SIM_REMOVED);
	return (b->flags[row] & needed) && !(b->flags[row] & without);
}

char (*rows_pick(const struct model *m, const char *broadcast, enum sim_what what, uint32_t n,
		 struct prng *random))[ROWS_ID]
{
	const struct broadcast *b = model_broadcast(m, broadcast);
	uint32_t *rows = xcalloc(b->added + 1ULL, sizeof *rows), found = 0;
	char(*ids)[ROWS_ID] = xcalloc(n + 1ULL, sizeof *ids);
	for (uint32_t row = 0; row < b->added; row++)
		if (is_candidate(b, row, what))
			rows[found++] = row;
	for (uint32_t i = 0; i < n && found >= n; i++) {
		uint32_t other = i + (uint32_t)(prng_unit(random) * (found - i));
		row_id(ids[i], m, b, rows[other]);
		rows[other] = rows[i];
	}
	free(rows);
	if (found >= n)
		return ids;
	free(ids);
	return NULL;
}

/* ---- seen */

void seen_init(struct seen *s, const struct model *m, int64_t late_ms)
{
	*s = (struct seen){.model = m, .late_ms = late_ms};
	s->known = xcalloc(m->nbroadcasts + 1, sizeof *s->known);
	for (size_t i = 0; i < m->nbroadcasts; i++)
		s->known[i] =
			xcalloc(m->broadcasts[i].campaign.recipients + 1ULL, sizeof **s->known);
}

/* Each of the flags is seen now. */
static void take(struct seen *s, const struct broadcast *b, uint32_t row, uint32_t flags,
		 int64_t now_ms)
{
	struct life life;
	if (!flags)
		return;
	s->known[b->number][row] |= (uint16_t)flags;
	campaign_life(&b->campaign, row, &life);
	for (int i = 0; i < SIM_STATES; i++) {
		if (!(flags & FLAG(i)))
			continue;
		delays_add(&s->all[i], now_ms - life.at[i]);
		if (life.at[i] >= s->late_ms)
			delays_add(&s->late[i], now_ms - life.at[i]);
	}
}

static uint32_t unknown(const struct seen *s, const struct broadcast *b, uint32_t row)
{
	return b->flags[row] & STATE_FLAGS & ~(uint32_t)s->known[b->number][row];
}

bool seen_take(struct seen *s, const char *broadcast, const char *recipient, enum sim_what what,
	       int64_t now_ms)
{
	const struct broadcast *b = model_broadcast(s->model, broadcast);
	uint32_t row;
	if (!b || !row_of_id(s->model, b, recipient, &row) || !(unknown(s, b, row) & FLAG(what)))
		return false;
	take(s, b, row, FLAG(what), now_ms);
	return true;
}

void seen_end(struct seen *s)
{
	for (size_t i = 0; i < s->model->nbroadcasts; i++) {
		const struct broadcast *b = &s->model->broadcasts[i];
		for (uint32_t row = 0; row < b->added; row++) {
			uint32_t flags = unknown(s, b, row);
			for (int k = 0; k < SIM_STATES; k++)
				s->missing[k] += !!(flags & FLAG(k));
			take(s, b, row, flags, s->model->now_ms);
		}
	}
	for (size_t i = 0; i < s->model->nbroadcasts; i++)
		free(s->known[i]);
	free(s->known);
	s->known = NULL;
}

void seen_release(struct seen *s)
{
	for (int i = 0; i < SIM_STATES; i++) {
		delays_release(&s->all[i]);
		delays_release(&s->late[i]);
	}
}

/* ---- a naive poller */

struct poller {
	struct model *m;
	struct seen *seen;
	size_t broadcast;
	uint32_t page; /* from 0 */
};

static void read_page(struct poller *p)
{
	const struct broadcast *b = &p->m->broadcasts[p->broadcast];
	struct roll_query q = {
		.with = FLAG(SIM_ADDED), .offset = (uint64_t)p->page * SIM_TAKE, .take = SIM_TAKE};
	uint32_t rows[SIM_TAKE], n;
	uint64_t total = roll_select(&b->roll, &q, rows, &n);
	for (uint32_t i = 0; i < n; i++)
		take(p->seen, b, rows[i], unknown(p->seen, b, rows[i]), p->m->now_ms);
	if ((uint64_t)++p->page * SIM_TAKE < total)
		return;
	p->page = 0;
	p->broadcast = (p->broadcast + 1) % p->m->nbroadcasts;
}

uint64_t naive_poll(struct model *m, double pause_ms, int64_t latency_ms, int64_t end_ms,
		    struct seen *seen)
{
	struct poller p = {.m = m, .seen = seen};
	int64_t start_ms = m->now_ms, at;
	uint64_t requests = 0;
	while ((at = start_ms + (int64_t)((double)requests * pause_ms) + latency_ms) <= end_ms) {
		model_advance(m, at);
		read_page(&p);
		requests++;
	}
	return requests;
}
