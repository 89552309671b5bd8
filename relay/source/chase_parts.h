/*
 * What the parts of chase share: what is known (chase.c), runs at the newest rows (chase_newest.c),
 * jobs and their searches (chase_jobs.c), cycles (chase_cycles.c), and the other offers
 * (chase_offers.c).
 */
#ifndef RELAY_CHASE_PARTS_H
#define RELAY_CHASE_PARTS_H

#include "relay/source/chase.h"

#define PEEK_OTHER_MS  15000 /* between peeks at flags that are no failure, when they move */
#define AWAITED_WEIGHT 4
#define CYCLED_WAIT_MS 300000 /* complaints and the like, where cycles show them, too */

/* chase.c */
bool chase_has_hints(const struct chase *c); /* the list's counters are there and right */
/* What is to be asked for: what was there before the first sweep is found by it, not by as many
 * requests again. */
int64_t chase_due(const struct chase *c, unsigned ask, const struct planes *held);
int64_t chase_all_due(const struct chase *c, const struct planes *held, int64_t *ret_since);
unsigned chase_pages(const struct chase *c, unsigned ask, const struct planes *held);
/* Expectations are corrected by what came of earlier ones. */
float *chase_trust(struct chase *c, enum purpose purpose, unsigned ask);
/* The trust follows what comes of them, but never falls to nothing. */
void chase_learn_trust(float *trust, double expected, double changes, float weight);

/* chase_newest.c */
void chase_offer_newest(struct chase *c, const struct planes *held, const struct chase_pace *pace,
			int64_t now_mono_ms);
/* changes: rows of the page that have a flag which they were not held with. */
void chase_newest_read(struct chase *c, const struct chase_page *page, size_t changes,
		       const struct planes *held, const struct chase_pace *pace,
		       int64_t now_mono_ms);
/* What runs left was found otherwise, as far as no more is due. To be called before more is. */
void chase_newest_found(struct chase *c, const struct planes *held);
/* What is due and came since the newest rows were read. */
int64_t chase_newest_due(const struct chase *c, const struct planes *held, int64_t *ret_since);

/* chase_jobs.c */
bool chase_runs(const struct chase *c, unsigned ask);
void chase_end_job(struct chase *c, unsigned ask);
void chase_offer_failures(struct chase *c, const struct planes *held, struct ranks *ranks,
			  int64_t now_mono_ms);
void chase_offer_search(struct chase *c, const struct planes *held, struct ranks *ranks,
			int64_t now_mono_ms);
/* What is due of the flag is looked for by a search; else by a cycle, or not at all. */
bool chase_is_searched(const struct chase *c, unsigned ask, const struct planes *held,
		       int64_t now_mono_ms);
/* A row that seems to have lost a flag is looked at where it stands in the whole list. */
bool chase_offer_suspect(struct chase *c, const struct planes *held, struct ranks *ranks,
			 int64_t now_mono_ms);

/* chase_cycles.c */
void chase_offer_cycle(struct chase *c, const struct planes *held, int64_t now_mono_ms);
/* A page of a round was read, or cannot be. A whole round is judged: the finds of one page depend
 * on where it lies. */
void chase_cycle_read(struct chase *c, const struct offer *o, double rose,
		      const struct planes *held, int64_t read_ms);

/* Without counters, from one look for failures of a live broadcast to the next. */
static inline int64_t chase_look_pause(const struct chase_pace *pace)
{
	int64_t each = PEEK_EACH_MS * (int64_t)pace->live;

	return each > PEEK_MIN_MS ? each : PEEK_MIN_MS;
}

/* Nothing is to be done until then. */
static inline void chase_later(struct chase *c, int64_t at)
{
	if (at < c->later_ms)
		c->later_ms = at;
}

/* What somebody waits for counts for more, but age still brings the others their turn. */
static inline double chase_weight(const struct chase *c, unsigned ask)
{
	return c->awaited >> ask & 1 ? AWAITED_WEIGHT : 1;
}

static inline void chase_take_better(struct chase *c, const struct offer *o, int64_t now_mono_ms)
{
	if (offer_worth(o, now_mono_ms) > offer_worth(&c->offer, now_mono_ms))
		c->offer = *o;
}

#endif
