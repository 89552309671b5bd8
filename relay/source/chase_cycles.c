/*
 * Cycles: which list is read page by page and round again, where changes come anywhere or many are
 * due, and how far its round came. Lists that have the same rows would take each other's finds
 * away: one of them goes on to its end.
 */
#include "relay/source/chase_parts.h"

#define SHARED_EVERY_MS	 60000
#define OVERLAP		 0.5f /* of a list's rows are in another one */
#define MOST		 0.8  /* of the changes of a list are in another one, too, … */
#define SHORTER		 1.25 /* … which shows so many times as many on each page, … */
#define SHORTER_THAN_ALL 1.05 /* … or so many: what all rows show beside is in other lists, too */
#define MUCH_MORE	 4    /* times what a page of the other is worth: the rest can wait */
#define FEW_PAGES	 20 /* in a list of so many times as many pages a round through it is lost */
#define BEHIND		 0.6 /* of what a round is worth, where rows come in at one end: that goes first */

/* How the flags overlap: a page of those sent shows what was delivered and opened, too. */
static void work_out_shared(struct chase *c, const struct planes *held, int64_t now)
{
	if (c->shared_ms != INT64_MIN && now - c->shared_ms < SHARED_EVERY_MS)
		return;
	c->shared_ms = now;
	for (unsigned a = 0; a < ASKS; a++) {
		uint32_t n = planes_total(held, ask_flag(a));
		for (unsigned b = 0; b < ASKS; b++) {
			float likely = a == b || b == ASK_ALL		   ? 1
				       : b == ASK_SENT && a != ASK_SKIPPED ? 0.8f
									   : 0;
			if (a != b && b != ASK_ALL && a != ASK_ALL)
				likely = ((float)planes_both(held, ask_flag(a), ask_flag(b)) +
					  5 * likely) /
					 ((float)n + 5);
			c->shared[a][b] = likely;
		}
	}
}

/* Rows that came into a list since they were counted, if no other list tells. */
static double came_since(const struct chase *c, unsigned ask, int64_t now)
{
	const struct count *n = &c->counts.v[ask];

	if (n->listed >= 0 || n->paged < 0 || !c->live || n->paged_ms > now)
		return 0;
	return n->per_ms * (double)(now - n->paged_ms);
}

static double likely_due(const struct chase *c, unsigned ask, const struct planes *held,
			 int64_t now)
{
	return (double)chase_due(c, ask, held) + came_since(c, ask, now);
}

static double likely_rows(const struct chase *c, unsigned ask, const struct planes *held,
			  int64_t now)
{
	return (double)counts_total(&c->counts, ask, held) + came_since(c, ask, now);
}

/* What cycles are to find. */
struct demand {
	double due[ASKS], rows[ASKS]; /* as is likely */
	bool searched[ASKS];	      /* a search would take the cycle's finds away */
};

/* False: nothing. */
static bool work_out_demand(const struct chase *c, const struct planes *held, int64_t now,
			    struct demand *ret)
{
	bool any = false;

	for (unsigned ask = 0; ask < ASKS; ask++) {
		ret->due[ask] = likely_due(c, ask, held, now);
		ret->rows[ask] = likely_rows(c, ask, held, now);
		ret->searched[ask] = chase_is_searched(c, ask, held, now);
		any = any || (ret->due[ask] > 0 && !ret->searched[ask]);
	}
	return any;
}

/* How many changes of a flag the pages of a list show. */
static double seen_in(const struct chase *c, const struct demand *d, unsigned ask, unsigned list)
{
	if (d->due[ask] <= 0 || d->searched[ask] || (ask_is_failure(ask) && ask != list))
		return 0;
	double due = d->due[ask] * c->shared[ask][list], own = d->due[list];
	/* A row of a rarer flag (opened) that was not seen with a commoner one (sent) is new there.
	 */
	if (d->rows[list] < d->rows[ask] && due > own)
		return own > 0 ? own : 0;
	return due;
}

/* When the next page of a cycle was read last. */
static int64_t cycled_ms(const struct cycle *cycle)
{
	if (cycle->part >= 1) /* the first one */
		return cycle->began_ms;
	if (cycle->took_ms == 0)
		return INT64_MIN;
	return cycle->before_ms + (int64_t)((double)cycle->took_ms * cycle->part);
}

/* A list that grows takes what was read of it along. */
static unsigned next_of_round(const struct chase *c, unsigned list, const struct planes *held)
{
	double part = c->cycles[list].part, rows = (double)counts_total(&c->counts, list, held);
	unsigned page = part < 1 ? (unsigned)(part * rows / c->take + 1e-6) + 1 : 1;

	return page <= chase_pages(c, list, held) ? page : 1;
}

/* The next page of a round through a list. */
static struct offer round_through(struct chase *c, const struct demand *d, unsigned list,
				  const struct planes *held, int64_t now)
{
	const struct cycle *cycle = &c->cycles[list];
	unsigned pages = chase_pages(c, list, held);
	double finds = 0, waits = 0, weighed = 0;

	for (unsigned ask = 0; ask < ASKS && pages; ask++) {
		double seen = seen_in(c, d, ask, list) / pages;
		finds += seen;
		weighed += seen * chase_weight(c, ask);
		waits += seen * (double)counts_waited_ms(&c->counts, ask, held, now);
	}
	if (finds <= 0)
		return (struct offer){0};
	int64_t since = now - (int64_t)(waits / finds);
	if (cycled_ms(cycle) > since)
		since = cycled_ms(cycle);
	return (struct offer){.purpose = FOR_CYCLE,
			      .ask = list,
			      .page = next_of_round(c, list, held),
			      .finds = finds * *chase_trust(c, FOR_CYCLE, list),
			      .since_ms = since,
			      .weight = weighed / finds};
}

/* Are rows of the one, for the most part, in the other, too? */
static bool overlap(const struct chase *c, unsigned a, unsigned b)
{
	return c->shared[a][b] > OVERLAP || c->shared[b][a] > OVERLAP;
}

static bool is_under_way(const struct cycle *cycle)
{
	return cycle->part > 0 && cycle->part < 1;
}

/* Of two lists with the same rows, one with more of them and one with fewer: is the latter read?
 * One that shows most of what the other does is shorter, and no more; else it has to be worth a
 * delay of the rest, which is worth more the longer it waits. */
static bool is_better(const struct chase *c, const struct offer *fewer, const struct offer *more,
		      const struct planes *held, int64_t now)
{
	if (is_under_way(&c->cycles[more->ask]))
		return false;
	if (is_under_way(&c->cycles[fewer->ask]))
		return true;
	double few = fewer->finds * fewer->weight, many = more->finds * more->weight;
	if (few * chase_pages(c, fewer->ask, held) >= MOST * many * chase_pages(c, more->ask, held))
		return few >= (more->ask == ASK_ALL ? SHORTER_THAN_ALL : SHORTER) * many;
	return offer_worth(fewer, now) >= MUCH_MORE * offer_worth(more, now);
}

/* Rounds through lists that have the same rows would take each other's finds away: one of them
 * goes on to its end, then the next is chosen. Adds one to those chosen, which have more rows. */
static size_t choose_round(const struct chase *c, struct offer *chosen, size_t n,
			   const struct offer *o, const struct planes *held, int64_t now)
{
	for (size_t i = 0; i < n; i++) {
		if (!overlap(c, o->ask, chosen[i].ask))
			continue;
		if (is_better(c, o, &chosen[i], held, now))
			chosen[i] = *o;
		return n;
	}
	chosen[n] = *o;
	return n + 1;
}

/* Rows of another list, as those skipped are beside those sent, would wait until as much of them is
 * due on a page. If they are on few pages they go in turn. */
static void goes_in_turn(const struct chase *c, struct offer *o, const struct offer *largest,
			 const struct planes *held)
{
	if (!ask_is_failure(o->ask) && o->finds < largest->finds &&
	    chase_pages(c, o->ask, held) * FEW_PAGES <= chase_pages(c, largest->ask, held))
		o->weight = largest->finds / o->finds;
}

void chase_offer_cycle(struct chase *c, const struct planes *held, int64_t now)
{
	struct offer chosen[ASKS];
	struct demand d;
	size_t n = 0;
	unsigned done = 0;

	work_out_shared(c, held, now);
	if (!work_out_demand(c, held, now, &d))
		return;
	for (unsigned i = 0; i < ASKS; i++) {
		unsigned most = ASKS;
		for (unsigned list = 0; list < ASKS; list++)
			if (!(done >> list & 1) && (most == ASKS || d.rows[list] >= d.rows[most]))
				most = list;
		done |= 1u << most;
		struct offer o = round_through(c, &d, most, held, now);
		if (o.page)
			n = choose_round(c, chosen, n, &o, held, now);
	}
	for (size_t i = 0; i < n; i++) {
		goes_in_turn(c, &chosen[i], &chosen[0], held);
		if (sorting_of(&c->order) == SORT_CREATED)
			chosen[i].weight *= BEHIND;
		chase_take_better(c, &chosen[i], now);
	}
}

void chase_cycle_read(struct chase *c, const struct offer *o, double rose,
		      const struct planes *held, int64_t read_ms)
{
	struct cycle *cycle = &c->cycles[o->ask];
	float *trust = chase_trust(c, FOR_CYCLE, o->ask);
	double pages = (double)counts_total(&c->counts, o->ask, held) / c->take;

	if (o->page == 1) {
		if (cycle->part > 0) {
			cycle->before_ms = cycle->began_ms;
			cycle->took_ms = cycle->read_ms - cycle->began_ms + 1;
			chase_learn_trust(trust, cycle->expected, cycle->rose, 0.3f);
		}
		cycle->began_ms = read_ms;
		cycle->expected = cycle->rose = 0;
	}
	cycle->read_ms = read_ms;
	cycle->part = o->page < pages ? o->page / pages : 1;
	cycle->expected += o->finds / *trust;
	cycle->rose += rose;
}
