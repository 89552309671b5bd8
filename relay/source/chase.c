/*
 * Offers and what becomes of them. A job is a search of one filter: it begins when something is
 * due, goes on page by page, and ends when all that was counted at its first page is held.
 */
#include "relay/source/chase.h"

#include <math.h>
#include <string.h>

#include "relay/source/client.h"

#define NEWEST_DUE	300   /* changes that start reading the newest rows, */
#define NEWEST_WAIT_MS	10000 /* … or so long a wait of one */
#define BATCH_WAIT_MS	7000  /* for failures of a list in which each costs several requests */
#define PEEK_MIN_MS	7000  /* at failures, of each live broadcast … */
#define PEEK_EACH_MS	286   /* … times the live ones: half of the budget */
#define PEEK_OTHER_MS	15000 /* at other flags, when they move */
#define PAUSE_MS	30000 /* of a filter that cannot be read, */
#define LOST_PAUSE_MS	5000  /* … whose search went astray, */
#define CLOSED_PAUSE_MS 2000  /* … or ended without finding all */
#define SHARED_EVERY_MS 60000
#define TRUST_REGAINED	0.01f /* with each list */
#define OLD_PAGES	5 /* of a filter at first sight: more are left to the first sweep */
#define LIKELY_ENOUGH	0.35  /* finds a page: less is searched, not read */
#define NEWEST_EVERY_MS 8000  /* without counters, while rows change */
#define MISSED_MAX	3     /* runs at the newest rows that missed something: it is cycled, too */
#define OFFER_KEPT_MS	1000  /* an offer ages; then it is made anew */

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
			    .newest_ms = INT64_MIN,
			    .since_ms = now_mono_ms};
	counts_init(&c->counts);
	for (unsigned i = 0; i < ASKS; i++) {
		prior_init(&c->priors[i]);
		c->gain[i] = c->trust[0][i] = c->trust[1][i] = 1;
	}
}

void chase_release(struct chase *c)
{
	for (unsigned i = 0; i < ASKS; i++)
		search_release(&c->jobs[i]);
	sorting_release(&c->order);
}

/* The list's counters are there and right. */
static bool has_hints(const struct chase *c)
{
	return counts_are_listed(&c->counts) && !counts_lag(&c->counts);
}

bool chase_is_blind(const struct chase *c)
{
	return c->ignored || (!has_hints(c) && !c->counted);
}

void chase_listed(struct chase *c, const struct chase_entry *e, const struct planes *held,
		  int64_t now_mono_ms)
{
	counts_listed(&c->counts, e->counters, held, e->asked_ms, now_mono_ms);
	if (has_hints(c))
		counts_known(&c->counts, held, e->date_ms);
	for (unsigned i = 0; i < ASKS; i++) { /* what is never tried cannot prove itself */
		c->trust[0][i] += TRUST_REGAINED * (1 - c->trust[0][i]);
		c->trust[1][i] += TRUST_REGAINED * (1 - c->trust[1][i]);
	}
	c->live = e->live;
	c->offered_ms = INT64_MIN;
	if (counts_due(&c->counts, ASK_ALL, held) < 0)
		c->surprised = true;
}

/* ---- offers ---- */

/* What was there before the first sweep is found by it, not by as many requests again. */
static int64_t due_of(const struct chase *c, unsigned ask, const struct planes *held)
{
	bool old = c->counts.v[ask].first > OLD_PAGES * (int64_t)c->take || ask == ASK_ALL;

	if (c->baseline && old && !ask_is_failure(ask))
		return 0;
	return counts_due(&c->counts, ask, held);
}

double offer_worth(const struct offer *o, int64_t now_mono_ms)
{
	return o->page ? o->finds * sqrt(1 + (double)(now_mono_ms - o->since_ms) / 1000) : 0;
}

/* Expectations are corrected by what came of earlier ones. */
static float *trust_of(struct chase *c, enum purpose purpose, unsigned ask)
{
	return &c->trust[purpose == FOR_CYCLE][ask];
}

static void take_better(struct offer *best, const struct offer *o, int64_t now_mono_ms)
{
	if (offer_worth(o, now_mono_ms) > offer_worth(best, now_mono_ms))
		*best = *o;
}

/* Nothing is to be done until then. */
static void later(struct chase *c, int64_t at)
{
	if (at < c->later_ms)
		c->later_ms = at;
}

/* Until a sweep has met all rows, their places are known only where their dates tell. */
static enum search_way way_of(const struct chase *c)
{
	bool placed = c->order.settled || sorting_of(&c->order) == SORT_CREATED;

	return placed && sorting_is_stable(&c->order) ? SEARCH_RANKS : SEARCH_PAGES;
}

static bool runs(const struct chase *c, unsigned ask)
{
	return c->active >> ask & 1;
}

static void end_job(struct chase *c, unsigned ask)
{
	c->active &= (uint16_t) ~(1u << ask);
}

/* What cannot be found of a list that stands still is settled at the second time. One that moves
 * while it is read may show it then. */
static void job_closed(struct chase *c, unsigned ask, const struct planes *held, int64_t now)
{
	const struct search *job = &c->jobs[ask];

	end_job(c, ask);
	c->pause_until_ms[ask] = now + CLOSED_PAUSE_MS;
	if (job->moved) {
		c->closed &= (uint16_t) ~(1u << ask);
	} else if (c->closed >> ask & 1) {
		c->surprised = true;
		counts_settle(&c->counts, ask, held, now);
		c->closed &= (uint16_t) ~(1u << ask);
	} else {
		c->closed |= (uint16_t)(1u << ask);
	}
}

static void job_lost(struct chase *c, unsigned ask, int64_t now)
{
	end_job(c, ask);
	if (c->lost >> ask & 1)
		c->surprised = true;
	c->lost |= (uint16_t)(1u << ask);
	c->pause_until_ms[ask] = now + (ask_is_failure(ask) ? CLOSED_PAUSE_MS : LOST_PAUSE_MS);
}

/* The next step of a filter's job, which begins when there is none. */
static bool step_of(struct chase *c, unsigned ask, const struct planes *held, struct ranks *ranks,
		    int64_t now, struct search_step *ret)
{
	struct search *job = &c->jobs[ask];

	for (int attempt = 0; attempt < 3; attempt++) {
		int64_t due = due_of(c, ask, held);
		enum search_way way = way_of(c);
		/* Changes come at the other end than was thought: all places shift. */
		bool turned = job->from_end != prior_is_front(&c->priors[ask]);
		if (!runs(c, ask) || job->way != way || job->read == 0 || turned) {
			c->surprised = c->surprised || (due < 0 && way != SEARCH_RANKS);
			if (due == 0 || (due < 0 && way != SEARCH_RANKS))
				return false;
			search_begin(job, way, ask_flag(ask), planes_total(held, ask_flag(ask)) + due,
				     c->take, &c->priors[ask], c->counts.v[ask].due_since_ms);
			c->active |= (uint16_t)(1u << ask);
		}
		/* The list may have counted more since the job's last page was read. */
		int64_t counted = planes_total(held, ask_flag(ask)) + due;
		if (due > 0 && counted > job->count)
			job->count = counted;
		if (way == SEARCH_RANKS)
			ranks_make(ranks, &c->order, held, job->flag);
		ranks->planes = held;
		enum search_state state = search_next(job, ranks, &c->priors[ask], now, ret);
		if (state == SEARCH_GOES_ON)
			return true;
		if (state == SEARCH_LOST) {
			job_lost(c, ask, now);
			return false;
		}
		if (state == SEARCH_DONE) {
			end_job(c, ask);
			c->lost &= (uint16_t) ~(1u << ask);
			c->closed &= (uint16_t) ~(1u << ask);
		} else {
			job_closed(c, ask, held, now);
			later(c, c->pause_until_ms[ask]);
			return false;
		}
	}
	return false;
}

/* Is anything due of the flag, and may it be asked for now? */
static bool is_open(struct chase *c, unsigned ask, int64_t now)
{
	if (c->counts.v[ask].due_since_ms > now)
		return false;
	if (c->pause_until_ms[ask] > now) {
		later(c, c->pause_until_ms[ask]);
		return false;
	}
	return true;
}

static void offer_failures(struct chase *c, const struct planes *held, struct ranks *ranks,
			   int64_t now)
{
	enum sort_kind kind = sorting_of(&c->order);
	bool each_is_dear = kind == SORT_ID || kind == SORT_STABLE;

	for (unsigned ask = 0; ask < ASKS; ask++) {
		struct search_step step;
		int64_t since = c->counts.v[ask].due_since_ms;
		if (!ask_is_failure(ask) || !is_open(c, ask, now))
			continue;
		if (c->failure.page && c->failure.since_ms <= since)
			continue;
		if (!step_of(c, ask, held, ranks, now, &step))
			continue;
		if (each_is_dear && step.finds < LIKELY_ENOUGH && c->jobs[ask].read == 0 &&
		    now - since < BATCH_WAIT_MS)
			later(c, since + BATCH_WAIT_MS);
		else
			c->failure = (struct offer){FOR_FAILURES, ask, step.page, step.finds,
						    step.since_ms};
	}
}

static void offer_search(struct chase *c, const struct planes *held, struct ranks *ranks,
			 int64_t now)
{
	for (unsigned ask = 0; ask < ASKS; ask++) {
		struct search_step step;
		if (ask_is_failure(ask) || !is_open(c, ask, now))
			continue;
		if (ask == ASK_ALL && due_of(c, ask, held) < 0)
			continue;
		if (!step_of(c, ask, held, ranks, now, &step))
			continue;
		int64_t since = now - counts_waited_ms(&c->counts, ask, held, now);
		struct offer o = {FOR_SEARCH, ask, step.page,
				  step.finds * c->gain[ask] * *trust_of(c, FOR_SEARCH, ask),
				  step.since_ms > since ? step.since_ms : since};
		take_better(&c->offer, &o, now);
	}
}

static unsigned pages_of(const struct chase *c, unsigned ask, const struct planes *held)
{
	int64_t rows = counts_total(&c->counts, ask, held);

	return rows > 0 ? (unsigned)((rows + c->take - 1) / c->take) : 0;
}

static int64_t all_due(const struct chase *c, const struct planes *held, int64_t *ret_since)
{
	int64_t sum = 0;

	*ret_since = INT64_MAX;
	for (unsigned ask = 0; ask < ASKS; ask++) {
		int64_t due = due_of(c, ask, held);
		if (due <= 0)
			continue;
		sum += due;
		if (c->counts.v[ask].due_since_ms < *ret_since)
			*ret_since = c->counts.v[ask].due_since_ms;
	}
	return sum;
}

/* When is the end of the list with the newest rows to be read? */
static int64_t newest_at(const struct chase *c, int64_t due, int64_t since)
{
	int64_t at = INT64_MAX;

	if (c->newest)
		return INT64_MIN;
	if (due > 0)
		at = due >= NEWEST_DUE ? since : since + NEWEST_WAIT_MS;
	if (!has_hints(c) && c->newest_ms + c->newest_every_ms < at)
		at = c->newest_ms == INT64_MIN ? c->since_ms : c->newest_ms + c->newest_every_ms;
	return at > c->pause_until_ms[ASK_ALL] ? at : c->pause_until_ms[ASK_ALL];
}

static void offer_newest(struct chase *c, const struct planes *held, int64_t now)
{
	int64_t since, due = all_due(c, held, &since), at = newest_at(c, due, since);
	unsigned pages = pages_of(c, ASK_ALL, held), nth = c->newest ? c->newest : 1;

	if (pages == 0)
		return;
	if (at > now) {
		later(c, at);
		return;
	}
	if (nth > pages)
		nth = pages;
	if (due < 1)
		due = 1;
	if (c->newest_ms > since) /* it was read from the end then */
		since = c->newest_ms;
	struct offer o = {FOR_NEWEST, ASK_ALL, sorting_newest_first(&c->order) ? nth : pages - nth + 1,
			  due > c->take ? c->take : (double)due, since < now ? since : now};
	take_better(&c->offer, &o, now);
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
			float likely = a == b || b == ASK_ALL ? 1 : b == ASK_SENT ? 0.8f : 0;
			if (a != b && b != ASK_ALL && a != ASK_ALL)
				likely = ((float)planes_both(held, ask_flag(a), ask_flag(b)) +
					  5 * likely) /
					 ((float)n + 5);
			c->shared[a][b] = likely;
		}
	}
}

/* How many changes of a flag the pages of a list show. */
static double seen_in(const struct chase *c, unsigned ask, unsigned list, const struct planes *held)
{
	double due = (double)due_of(c, ask, held), own = (double)due_of(c, list, held);

	if (due <= 0 || (ask_is_failure(ask) && ask != list))
		return 0;
	due *= c->shared[ask][list];
	/* A row of a rarer flag (opened) that was not seen with a commoner one (sent) is new there. */
	if (counts_total(&c->counts, list, held) < counts_total(&c->counts, ask, held) && due > own)
		return own > 0 ? own : 0;
	return due;
}

/* When the next page of a cycle was read last. */
static int64_t cycled_ms(const struct cycle *cycle, unsigned pages)
{
	double part = cycle->page < pages ? (double)cycle->page / pages : 0;

	if (cycle->took_ms == 0)
		return INT64_MIN;
	return cycle->began_ms - (int64_t)((double)cycle->took_ms * (1 - part));
}

static void offer_cycle(struct chase *c, const struct planes *held, int64_t now)
{
	work_out_shared(c, held, now);
	for (unsigned list = 0; list < ASKS; list++) {
		const struct cycle *cycle = &c->cycles[list];
		unsigned pages = pages_of(c, list, held);
		double finds = 0, waits = 0;
		for (unsigned ask = 0; ask < ASKS && pages; ask++) {
			double seen = seen_in(c, ask, list, held) / pages;
			finds += seen;
			waits += seen * (double)counts_waited_ms(&c->counts, ask, held, now);
		}
		if (finds <= 0)
			continue;
		int64_t since = now - (int64_t)(waits / finds);
		if (cycled_ms(cycle, pages) > since)
			since = cycled_ms(cycle, pages);
		struct offer o = {FOR_CYCLE, list, cycle->page % pages + 1,
				  finds * *trust_of(c, FOR_CYCLE, list), since};
		take_better(&c->offer, &o, now);
	}
}

/* A row that seems to have lost a flag is looked at where it stands in the whole list. */
static bool offer_suspect(struct chase *c, const struct planes *held, struct ranks *ranks,
			  int64_t now)
{
	if (!c->nsuspects || !sorting_is_stable(&c->order))
		return false;
	uint32_t row = c->suspects[c->nsuspects - 1];
	ranks_make(ranks, &c->order, held, FLAG_PRESENT);
	c->failure = (struct offer){FOR_SEARCH, ASK_ALL, ranks_of(ranks, row) / c->take + 1, 1, now};
	return true;
}

/* From one look at a filter's own count to the next. */
static int64_t peek_pause(const struct chase *c, unsigned ask, const struct chase_pace *pace)
{
	int64_t each = PEEK_EACH_MS * (int64_t)pace->live;

	if (has_hints(c)) /* whether the counters stand still while rows change */
		return ask == ASK_FAILED && c->live ? pace->most_ms : INT64_MAX;
	if (!c->live)
		return pace->most_ms;
	if (ask_is_failure(ask)) {
		int64_t pause = each > PEEK_MIN_MS ? each : PEEK_MIN_MS;
		return ask == ASK_FAILED ? pause : 4 * pause;
	}
	if (sorting_of(&c->order) == SORT_UPDATED)
		return INT64_MAX; /* the newest rows are read */
	return c->peek_every_ms[ask] > 0 ? c->peek_every_ms[ask] : PEEK_OTHER_MS;
}

static void offer_peek(struct chase *c, const struct planes *held, const struct chase_pace *pace,
		       int64_t now)
{
	if (!c->counted || c->counts.listed_ms == INT64_MIN)
		return;
	for (unsigned ask = 0; ask < ASKS; ask++) {
		unsigned pages = pages_of(c, ask, held);
		int64_t last = c->counts.v[ask].paged_ms, pause = peek_pause(c, ask, pace);
		if (pause == INT64_MAX || c->counts.v[ask].due_since_ms <= now)
			continue;
		int64_t at = last == INT64_MIN ? c->since_ms + (has_hints(c) ? pause : 0) : last + pause;
		if (at > now) {
			later(c, at);
			continue;
		}
		struct offer o = {FOR_PEEK, ask, prior_best(&c->priors[ask], pages ? pages : 1), 1, at};
		if (has_hints(c) || !ask_is_failure(ask))
			take_better(&c->offer, &o, now);
		else if (!c->failure.page)
			c->failure = o;
	}
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
	if (offer_suspect(c, held, ranks, now_mono_ms))
		return;
	offer_failures(c, held, ranks, now_mono_ms);
	if (kind == SORT_UPDATED)
		offer_newest(c, held, now_mono_ms);
	else if (kind != SORT_NONE)
		offer_search(c, held, ranks, now_mono_ms);
	if (kind == SORT_UPDATED ? c->newest_missed >= MISSED_MAX : kind != SORT_CREATED)
		offer_cycle(c, held, now_mono_ms);
	offer_peek(c, held, pace, now_mono_ms);
}

/* ---- what becomes of them ---- */

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
	if (o->purpose == FOR_NEWEST && !c->newest) {
		c->newest = 1;
		c->newest_ms = now_mono_ms;
	}
}

void chase_neighbours(const struct chase *c, const struct offer *o, struct edges *ret)
{
	if (runs(c, o->ask))
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
			 const struct planes *held)
{
	size_t others = 0;

	for (size_t i = 0; i < n; i++)
		others += !has_flag(held, ask_flag(ask), numbers[i]);
	if (others > n / 2) {
		c->ignored = c->surprised = true;
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

static void newest_read(struct chase *c, const struct chase_page *page, const struct planes *held,
			const struct chase_pace *pace, int64_t now)
{
	int64_t since, due = all_due(c, held, &since);
	bool hinted = has_hints(c);

	if (page->changes > 0 && (due > 0 || !hinted) && c->newest < pages_of(c, ASK_ALL, held)) {
		c->newest++;
		return;
	}
	bool first = c->newest == 1;
	c->newest = 0;
	if (page->changes > 0 || due <= 0) {
		c->newest_missed = 0;
	} else {
		unsigned doublings = c->newest_missed < 5 ? c->newest_missed : 5;
		c->newest_missed++;
		c->pause_until_ms[ASK_ALL] = now + ((int64_t)NEWEST_WAIT_MS << doublings);
	}
	bool quiet = first && page->changes == 0;
	c->newest_every_ms = quiet ? c->newest_every_ms * 2 : NEWEST_EVERY_MS;
	if (c->newest_every_ms > pace->most_ms)
		c->newest_every_ms = pace->most_ms;
}

static void go_round(struct cycle *cycle, unsigned page, int64_t now)
{
	if (page <= cycle->page)
		cycle->took_ms = now - cycle->began_ms;
	if (page <= cycle->page || cycle->page == 0)
		cycle->began_ms = now;
	cycle->page = page;
}

static void slow_peeks(struct chase *c, unsigned ask, size_t changes, const struct chase_pace *pace)
{
	int64_t pause = c->peek_every_ms[ask] > 0 ? c->peek_every_ms[ask] * 2 : PEEK_OTHER_MS;

	c->peek_every_ms[ask] = changes ? PEEK_OTHER_MS : pause;
	if (c->peek_every_ms[ask] > pace->most_ms)
		c->peek_every_ms[ask] = pace->most_ms;
}

/* The trust in expectations follows what comes of them, but never falls to nothing. */
static void learn_trust(struct chase *c, const struct offer *o, double changes)
{
	float *trust = trust_of(c, o->purpose, o->ask);
	double expected = o->finds / *trust;

	if (expected <= 0)
		return;
	double ratio = changes / expected;
	*trust += 0.05f * (float)((ratio > 2 ? 2 : ratio) - *trust);
	if (*trust < 0.02f)
		*trust = 0.02f;
}

static void learn_finds(struct chase *c, const struct offer *o, double changes,
			const struct planes *held)
{
	double found = (double)(planes_total(held, ask_flag(o->ask)) - c->held_at_plan);

	prior_learn(&c->priors[o->ask], o->page, pages_of(c, o->ask, held), found > 0 ? found : 0);
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
	learn_take(c, o, page);
	if (o->ask != ASK_ALL)
		check_filter(c, o->ask, numbers, n, held);
	double rose = (double)(all_flags(held) - c->flags_at_plan);
	if (rose < 0)
		rose = 0;
	learn_finds(c, o, o->ask == ASK_ALL ? (double)page->changes : rose, held);
	if (o->purpose == FOR_SEARCH || o->purpose == FOR_CYCLE)
		learn_trust(c, o, rose);
	if (runs(c, o->ask)) {
		struct search *job = &c->jobs[o->ask];
		if (o->ask != ASK_ALL && counts_due(&c->counts, o->ask, held) < 0)
			note_suspects(c, job, numbers, n, held);
		int64_t found = planes_total(held, job->flag) - c->held_at_plan;
		search_read(job, &(struct search_page){.page = o->page,
						       .numbers = numbers,
						       .n = n,
						       .rows = page->rows,
						       .found = found > 0 ? (size_t)found : 0,
						       .count = page->count,
						       .read_ms = page->asked_mono_ms});
	}
	if (o->purpose == FOR_CYCLE)
		go_round(&c->cycles[o->ask], o->page, page->asked_mono_ms);
	else if (o->purpose == FOR_NEWEST)
		newest_read(c, page, held, pace, now_mono_ms);
	else if (o->purpose == FOR_SEARCH && o->ask == ASK_ALL && c->nsuspects)
		c->nsuspects--;
	slow_peeks(c, o->ask, page->changes, pace);
}

void chase_give_up(struct chase *c, const struct offer *o, int64_t now_mono_ms)
{
	end_job(c, o->ask);
	c->newest = 0;
	c->nsuspects = 0;
	c->cycles[o->ask].page++;
	c->pause_until_ms[o->ask] = now_mono_ms + PAUSE_MS;
	c->offered_ms = INT64_MIN;
}

void chase_swept(struct chase *c, bool steady, const struct planes *held, int64_t now_mono_ms)
{
	counts_swept(&c->counts, steady && !counts_lag(&c->counts), held, now_mono_ms);
	c->active = c->lost = c->closed = 0;
	c->nsuspects = 0;
	c->offered_ms = INT64_MIN;
}
