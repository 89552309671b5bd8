/*
 * What is known of a broadcast's changes, and what each page that was read adds to it.
 */
#include "relay/source/chase_parts.h"
#include "relay/source/client.h"

#define PAUSE_MS       30000 /* of a filter that cannot be read, */
#define OTHERS_MIN     4     /* rows of a page, before it says that a filter is not obeyed */
#define OLD_PAGES      5     /* of a filter at first sight: more are left to the first sweep */
#define JUDGED	       20 /* changes expected of searches, before they are judged by those found */
#define TRUST_REGAINED 0.002f  /* with each list */
#define IGNORED_MS     3600000 /* filters that are not obeyed, before they are tried again */

const char *const purpose_names[PURPOSES] = {
	[FOR_LIST] = "list",	 [FOR_FAILURES] = "failures", [FOR_NEWEST] = "newest",
	[FOR_SEARCH] = "search", [FOR_CYCLE] = "cycle",	      [FOR_PEEK] = "peek",
	[FOR_SWEEP] = "sweep",	 [FOR_PROBE] = "probe",
};

void chase_init(struct chase *c, int64_t now_mono_ms)
{
	*c = (struct chase){.take = TAKE,
			    .shared_ms = INT64_MIN,
			    .offered_ms = INT64_MIN,
			    .newest.began_ms = INT64_MIN,
			    .newest.mark_ms = INT64_MIN,
			    .since_ms = now_mono_ms};
	counts_init(&c->counts);
	for (unsigned i = 0; i < ASKS; i++) {
		prior_init(&c->priors[i]);
		c->gain[i] = c->trust[0][i] = c->trust[1][i] = 1;
		c->asked_ms[i] = INT64_MIN;
	}
}

void chase_release(struct chase *c)
{
	for (unsigned i = 0; i < ASKS; i++)
		search_release(&c->jobs[i]);
	sorting_release(&c->order);
}

void chase_leave_out(struct chase *c, unsigned ask)
{
	c->counts.v[ask].left_out = true;
	c->pause_until_ms[ask] = INT64_MAX; /* nor is it peeked at */
}

/* The list's counters are there and right. */
bool chase_has_hints(const struct chase *c)
{
	return counts_are_listed(&c->counts) && !counts_lag(&c->counts);
}

bool chase_is_blind(const struct chase *c)
{
	return c->ignored || (!chase_has_hints(c) && !c->counted);
}

bool chase_is_cycled(const struct chase *c)
{
	enum sort_kind kind = sorting_of(&c->order);

	return kind != SORT_CREATED && kind != SORT_UPDATED;
}

/* What was there before the first sweep is found by it, not by as many requests again. */
int64_t chase_due(const struct chase *c, unsigned ask, const struct planes *held)
{
	bool old = c->counts.v[ask].first > OLD_PAGES * (int64_t)c->take || ask == ASK_ALL;

	if (c->baseline && old && !ask_is_failure(ask))
		return 0;
	return counts_due(&c->counts, ask, held);
}

unsigned chase_pages(const struct chase *c, unsigned ask, const struct planes *held)
{
	int64_t rows = c->counts.v[ask].left_out ? 0 : counts_total(&c->counts, ask, held);
	int64_t pages = rows > 0 ? (rows + c->take - 1) / c->take : 0;

	return pages < LIST_PAGES_MAX ? (unsigned)pages : LIST_PAGES_MAX;
}

int64_t chase_all_due(const struct chase *c, const struct planes *held, int64_t *ret_since)
{
	int64_t sum = 0;

	*ret_since = INT64_MAX;
	for (unsigned ask = 0; ask < ASKS; ask++) {
		int64_t due = chase_due(c, ask, held);
		if (due <= 0)
			continue;
		sum += due;
		if (c->counts.v[ask].due_since_ms < *ret_since)
			*ret_since = c->counts.v[ask].due_since_ms;
	}
	return sum;
}

/* Expectations are corrected by what came of earlier ones. */
float *chase_trust(struct chase *c, enum purpose purpose, unsigned ask)
{
	return &c->trust[purpose == FOR_CYCLE][ask];
}

void chase_listed(struct chase *c, const struct chase_entry *e, const struct planes *held,
		  int64_t now_mono_ms)
{
	chase_newest_found(c, held);
	counts_listed(&c->counts, e->counters, held, e->asked_ms, now_mono_ms);
	counts_known(&c->counts, e->date_ms);
	for (unsigned i = 0; i < ASKS; i++) { /* what is never tried cannot prove itself */
		c->trust[0][i] += TRUST_REGAINED * (1 - c->trust[0][i]);
		c->trust[1][i] += TRUST_REGAINED * (1 - c->trust[1][i]);
	}
	c->live = e->live;
	c->offered_ms = INT64_MIN;
	if (counts_due(&c->counts, ASK_ALL, held) < 0)
		c->surprised = true;
}

static int64_t all_flags(const struct planes *held)
{
	int64_t sum = 0;

	for (unsigned ask = 0; ask < ASK_ALL; ask++)
		sum += planes_total(held, ask_flag(ask));
	return sum;
}

void chase_plan(struct chase *c, const struct offer *o, const struct planes *held,
		int64_t now_mono_ms)
{
	c->held_at_plan = planes_total(held, ask_flag(o->ask));
	c->flags_at_plan = all_flags(held);
	c->asked_ms[o->ask] = now_mono_ms;
	int64_t since;
	if (o->purpose == FOR_NEWEST && !c->newest.page) {
		c->newest.page = 1;
		c->newest.began_ms = now_mono_ms;
		c->newest.due = chase_newest_due(c, held, &since);
	}
}

void chase_neighbours(const struct chase *c, const struct offer *o, struct edges *ret)
{
	if (chase_runs(c, o->ask))
		search_neighbours(&c->jobs[o->ask], o->page, &ret->behind, &ret->ahead);
}

/* The API gives pages of a size of its own, whatever it is asked for. */
static void learn_take(struct chase *c, const struct offer *o, const struct chase_page *page)
{
	int64_t behind = page->count - (int64_t)(o->page - 1) * c->take - (int64_t)page->rows;

	if (page->rows <= c->take && (page->rows == 0 || page->rows == c->take || behind <= 0))
		return;
	if (page->rows < c->take && o->page > 1) /* the first page says */
		return;
	c->take = (unsigned)page->rows;
	c->active = 0;
}

static bool has_flag(const struct planes *held, unsigned flag, uint32_t number)
{
	return planes_next(held, flag, number, number + 1) == number;
}

/* Does the API give what it is asked for? */
static void check_filter(struct chase *c, unsigned ask, const uint32_t *numbers, size_t n,
			 const struct planes *held, int64_t now)
{
	size_t others = 0;

	for (size_t i = 0; i < n; i++)
		others += !has_flag(held, ask_flag(ask), numbers[i]);
	if (n >= OTHERS_MIN && others > n / 2) {
		c->ignored = c->surprised = true;
		c->ignored_ms = now;
		c->active = 0;
	}
}

/* Rows that are held with the flag, between two neighbours that the page shows. */
static void note_suspects(struct chase *c, const struct search *job, const uint32_t *numbers,
			  size_t n, const struct planes *held)
{
	for (size_t i = 1; i < n && c->nsuspects < SUSPECTS; i++) {
		uint32_t from = numbers[i - 1] + 1, row;
		if (numbers[i] <= from) /* another run */
			continue;
		row = planes_next(held, job->flag, from, numbers[i]);
		if (row < numbers[i])
			c->suspects[c->nsuspects++] = row;
	}
}

static void slow_peeks(struct chase *c, unsigned ask, size_t changes, const struct chase_pace *pace)
{
	int64_t pause = c->peek_every_ms[ask] > 0 ? c->peek_every_ms[ask] * 2 : PEEK_OTHER_MS;

	c->peek_every_ms[ask] = changes ? PEEK_OTHER_MS : pause;
	if (c->peek_every_ms[ask] > pace->most_ms)
		c->peek_every_ms[ask] = pace->most_ms;
}

void chase_learn_trust(float *trust, double expected, double changes, float weight)
{
	if (expected <= 0)
		return;
	double ratio = changes / expected;
	*trust += weight * ((float)(ratio > 2 ? 2 : ratio) - *trust);
	if (*trust < 0.02f)
		*trust = 0.02f;
}

/* The first pages of a search show little: they tell where the rest is. */
static void judge_search(struct chase *c, const struct offer *o, double rose)
{
	struct tried *tried = &c->tried[o->ask];
	float *trust = chase_trust(c, o->purpose, o->ask);

	tried->expected += o->finds / *trust;
	tried->rose += rose;
	if (tried->expected < JUDGED)
		return;
	chase_learn_trust(trust, tried->expected, tried->rose, 0.5f);
	*tried = (struct tried){0};
}

static void learn_finds(struct chase *c, const struct offer *o, double found, double changes,
			const struct planes *held)
{
	prior_learn(&c->priors[o->ask], o->page, chase_pages(c, o->ask, held), found);
	/* What is seen of other flags depends on where it is looked for; sending goes along the
	 * list. */
	for (unsigned ask = 0; ask < ASKS; ask++)
		prior_follow(&c->priors[ask], &c->priors[ASK_SENT]);
	if (found <= 0)
		return;
	float gain = (float)(changes / found);
	c->gain[o->ask] += 0.1f * ((gain < 1 ? 1 : gain > 4 ? 4 : gain) - c->gain[o->ask]);
}

void chase_read(struct chase *c, const struct offer *o, const struct chase_page *page,
		const struct planes *held, const struct chase_pace *pace, int64_t now_mono_ms)
{
	uint32_t numbers[ROWS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < page->n && n < ROWS_MAX; i++)
		if (page->numbers[i] != NO_ROW)
			numbers[n++] = page->numbers[i];
	c->offered_ms = INT64_MIN;
	c->counted = c->counted || page->count >= 0;
	counts_paged(&c->counts, o->ask, page->count, held, page->asked_mono_ms, now_mono_ms);
	counts_page_known(&c->counts, o->ask, page->count, held, page->date_ms);
	learn_take(c, o, page);
	if (o->ask != ASK_ALL)
		check_filter(c, o->ask, numbers, n, held, now_mono_ms);
	double rose = (double)(all_flags(held) - c->flags_at_plan);
	if (rose < 0)
		rose = 0;
	double found = (double)(planes_total(held, ask_flag(o->ask)) - c->held_at_plan);
	if (found < 0)
		found = 0;
	learn_finds(c, o, found, o->ask == ASK_ALL ? (double)page->changes : rose, held);
	if (o->purpose == FOR_SEARCH || o->purpose == FOR_FAILURES)
		judge_search(c, o, o->purpose == FOR_SEARCH ? rose : found);
	if (chase_runs(c, o->ask)) {
		struct search *job = &c->jobs[o->ask];
		if (o->ask != ASK_ALL && counts_due(&c->counts, o->ask, held) < 0)
			note_suspects(c, job, numbers, n, held);
		search_read(job, &(struct search_page){.page = o->page,
						       .numbers = numbers,
						       .n = n,
						       .rows = page->rows,
						       .found = (size_t)found,
						       .count = page->count,
						       .read_ms = page->asked_mono_ms});
	}
	if (o->purpose == FOR_CYCLE)
		chase_cycle_read(c, o, rose, held, page->asked_mono_ms);
	else if (o->purpose == FOR_NEWEST)
		chase_newest_read(c, page,
				  rose < (double)page->changes ? (size_t)rose : page->changes, held,
				  pace, now_mono_ms);
	else if (o->purpose == FOR_SEARCH && o->ask == ASK_ALL && c->nsuspects)
		c->nsuspects--;
	slow_peeks(c, o->ask, page->changes, pace);
}

void chase_give_up(struct chase *c, const struct offer *o, const struct planes *held,
		   int64_t now_mono_ms)
{
	chase_end_job(c, o->ask);
	c->newest.page = 0;
	c->nsuspects = 0;
	if (o->purpose == FOR_CYCLE) /* the round goes on behind it */
		chase_cycle_read(c, o, 0, held, now_mono_ms);
	c->pause_until_ms[o->ask] = now_mono_ms + PAUSE_MS;
	c->offered_ms = INT64_MIN;
}

void chase_swept(struct chase *c, bool steady, const struct planes *held, int64_t now_mono_ms)
{
	counts_swept(&c->counts, steady && !counts_lag(&c->counts), held, now_mono_ms);
	chase_newest_found(c, held);
	c->active = c->lost = c->closed = 0;
	c->ignored = c->ignored && now_mono_ms - c->ignored_ms < IGNORED_MS;
	c->nsuspects = 0;
	c->offered_ms = INT64_MIN;
}
