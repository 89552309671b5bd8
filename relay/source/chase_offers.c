/*
 * Offers: the best of what jobs, the newest rows, cycles and peeks would bring now.
 */
#include "relay/source/chase_parts.h"

#include <math.h>

#define SHARED_EVERY_MS	 60000
#define OVERLAP		 0.5f /* of a list's rows are in another one */
#define MOST		 0.8  /* of the changes of a list are in another one, too, … */
#define SHORTER		 1.25 /* … which shows so many times as many on each page, … */
#define SHORTER_THAN_ALL 1.05 /* … or so many: what all rows show beside is in other lists, too */
#define MUCH_MORE	 4    /* times the changes on each page: the rest can wait */
#define FEW_PAGES	 20 /* in a list of so many times as many pages a round through it is lost */
#define BEHIND		 0.6 /* of what a round is worth, where rows come in at one end: that goes first */
#define MISSED_MAX	 3    /* runs at the newest rows that missed something: it is cycled, too */
#define OFFER_KEPT_MS	 1000 /* an offer ages; then it is made anew */

double offer_worth(const struct offer *o, int64_t now_mono_ms)
{
	return o->page ? o->finds * pow(1 + (double)(now_mono_ms - o->since_ms) / 1000, 0.75) : 0;
}

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

/* How many changes of a flag the pages of a list show. */
static double seen_in(const struct chase *c, unsigned ask, unsigned list, const struct planes *held,
		      int64_t now)
{
	double due = likely_due(c, ask, held, now), own = likely_due(c, list, held, now);

	if (due <= 0 || (ask_is_failure(ask) && ask != list))
		return 0;
	if (chase_is_searched(c, ask, held, now)) /* it would take the cycle's finds away */
		return 0;
	due *= c->shared[ask][list];
	/* A row of a rarer flag (opened) that was not seen with a commoner one (sent) is new there.
	 */
	if (likely_rows(c, list, held, now) < likely_rows(c, ask, held, now) && due > own)
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
static struct offer round_through(struct chase *c, unsigned list, const struct planes *held,
				  int64_t now)
{
	const struct cycle *cycle = &c->cycles[list];
	unsigned pages = chase_pages(c, list, held);
	double finds = 0, waits = 0;

	for (unsigned ask = 0; ask < ASKS && pages; ask++) {
		double seen = seen_in(c, ask, list, held, now) / pages;
		finds += seen;
		waits += seen * (double)counts_waited_ms(&c->counts, ask, held, now);
	}
	if (finds <= 0)
		return (struct offer){0};
	int64_t since = now - (int64_t)(waits / finds);
	if (cycled_ms(cycle) > since)
		since = cycled_ms(cycle);
	return (struct offer){FOR_CYCLE, list, next_of_round(c, list, held),
			      finds * *chase_trust(c, FOR_CYCLE, list), since};
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
	double all = more->finds * chase_pages(c, more->ask, held);
	if (fewer->finds * chase_pages(c, fewer->ask, held) >= MOST * all)
		return fewer->finds >=
		       (more->ask == ASK_ALL ? SHORTER_THAN_ALL : SHORTER) * more->finds;
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
		o->finds = largest->finds;
}

static void offer_cycle(struct chase *c, const struct planes *held, int64_t now)
{
	struct offer chosen[ASKS];
	size_t n = 0;
	unsigned done = 0;

	work_out_shared(c, held, now);
	for (unsigned i = 0; i < ASKS; i++) {
		unsigned most = ASKS;
		for (unsigned list = 0; list < ASKS; list++)
			if (!(done >> list & 1) &&
			    (most == ASKS ||
			     likely_rows(c, list, held, now) >= likely_rows(c, most, held, now)))
				most = list;
		done |= 1u << most;
		struct offer o = round_through(c, most, held, now);
		if (o.page)
			n = choose_round(c, chosen, n, &o, held, now);
	}
	for (size_t i = 0; i < n; i++) {
		goes_in_turn(c, &chosen[i], &chosen[0], held);
		if (sorting_of(&c->order) == SORT_CREATED)
			chosen[i].finds *= BEHIND;
		chase_take_better(c, &chosen[i], now);
	}
}

/* From one look at a filter's own count to the next. */
static int64_t peek_pause(const struct chase *c, unsigned ask, const struct chase_pace *pace)
{
	int64_t pause = chase_look_pause(pace);

	if (chase_has_hints(c)) /* whether the counters stand still while rows change */
		return ask == ASK_FAILED && c->live ? pace->most_ms : INT64_MAX;
	if (!c->live)
		return pace->most_ms;
	if (sorting_of(&c->order) == SORT_UPDATED)
		return ask == ASK_FAILED ? pace->most_ms
					 : INT64_MAX;  /* newest rows are looked at */
	if (ask_is_failure(ask) && chase_is_cycled(c)) /* the rest needs its share, too */
		return ask == ASK_FAILED ? 2 * pause : CYCLED_WAIT_MS;
	if (ask_is_failure(ask))
		return ask == ASK_FAILED ? pause : 8 * pause;
	return c->peek_every_ms[ask] > 0 ? c->peek_every_ms[ask] : PEEK_OTHER_MS;
}

/* What a peek should bring, by how fast the count rose lately, or else since the broadcast is
 * followed (by Laplace's rule of succession: what was not met yet may come); never looked at, it
 * may be anything. */
static double peek_finds(const struct chase *c, unsigned ask, const struct planes *held,
			 int64_t now)
{
	double per_ms = c->counts.v[ask].per_ms;

	if (chase_has_hints(c) || ask_is_failure(ask) || !c->live)
		return 1;
	if (c->asked_ms[ask] == INT64_MIN)
		return c->take / 2.0;
	if (per_ms <= 0 && c->asked_ms[ask] > c->since_ms)
		per_ms = ((double)planes_total(held, ask_flag(ask)) + 1) /
			 (double)(c->asked_ms[ask] - c->since_ms);
	double rose = per_ms * (double)(now - c->asked_ms[ask]);
	return 1 + (rose < c->take ? rose : c->take);
}

static void offer_peek(struct chase *c, const struct planes *held, const struct chase_pace *pace,
		       int64_t now)
{
	if (!c->counted || c->counts.listed_ms == INT64_MIN)
		return;
	for (unsigned ask = 0; ask < ASKS; ask++) {
		unsigned pages = chase_pages(c, ask, held);
		/* Whether that page had a count or not. */
		int64_t last = c->asked_ms[ask], pause = peek_pause(c, ask, pace);
		if (pause == INT64_MAX || c->counts.v[ask].due_since_ms <= now)
			continue;
		int64_t at = last == INT64_MIN ? c->since_ms + (chase_has_hints(c) ? pause : 0)
					       : last + pause;
		if (at < c->pause_until_ms[ask])
			at = c->pause_until_ms[ask];
		if (at > now) {
			chase_later(c, at);
			continue;
		}
		struct offer o = {FOR_PEEK, ask, prior_best(&c->priors[ask], pages ? pages : 1),
				  peek_finds(c, ask, held, now), at};
		if (chase_has_hints(c) || !ask_is_failure(ask))
			chase_take_better(c, &o, now);
		else if (!c->failure.page)
			c->failure = o;
	}
}

/* Rows that move when they change are at the end where the newest are, in the list of each filter,
 * wherever they were found before that was known. */
static void face_priors(struct chase *c, enum sort_kind kind)
{
	for (unsigned ask = 0; ask < ASKS && kind == SORT_UPDATED; ask++) {
		if (!c->moving)
			prior_init(&c->priors[ask]);
		prior_face(&c->priors[ask], sorting_newest_first(&c->order));
	}
	c->moving = kind == SORT_UPDATED;
}

void chase_offer(struct chase *c, const struct planes *held, const struct chase_pace *pace,
		 struct ranks *ranks, int64_t now_mono_ms)
{
	enum sort_kind kind = sorting_of(&c->order);

	if (c->offered_ms != INT64_MIN && now_mono_ms - c->offered_ms < OFFER_KEPT_MS &&
	    now_mono_ms < c->later_ms)
		return;
	c->offered_ms = now_mono_ms;
	c->offer = c->failure = (struct offer){0};
	c->later_ms = INT64_MAX;
	if (chase_is_blind(c))
		return;
	face_priors(c, kind);
	if (chase_offer_suspect(c, held, ranks, now_mono_ms))
		return;
	chase_offer_failures(c, held, ranks, now_mono_ms);
	if (kind == SORT_UPDATED)
		chase_offer_newest(c, held, pace, now_mono_ms);
	else if (kind != SORT_NONE)
		chase_offer_search(c, held, ranks, now_mono_ms);
	if (kind != SORT_UPDATED || c->newest.missed >= MISSED_MAX)
		offer_cycle(c, held, now_mono_ms);
	offer_peek(c, held, pace, now_mono_ms);
}
