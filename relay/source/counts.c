/* Counters against what is held. Invariant: due_since_ms is set exactly while something is due. */
#include "relay/source/counts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"

#define BEHIND_MIN 2	   /* lists in a row, before counters are said to lag */
#define LEVEL_MIN  10	   /* … that agree, before they are believed again */
#define PROMPT_MIN 2	   /* lists that prove that counters do not lag */
#define RATE_MS	   60000.0 /* over which a rate is averaged */

const char *const ask_filters[ASKS] = {
	"is_skipped",	 "is_failed",	    "is_sent",	 "is_delivered",
	"is_complained", "is_unsubscribed", "is_opened", "is_played",
};

static const char *const counters_named[ASKS] = {
	"\"skipped_count\":",	"\"failed_count\":",	 "\"sent_count\":",
	"\"delivered_count\":", "\"complained_count\":", "\"unsubscribed_count\":",
	"\"opened_count\":",	"\"played_count\":",	 "\"recipients_count\":",
};

unsigned ask_flag(unsigned ask)
{
	return ask == ASK_ALL ? FLAG_PRESENT : ask;
}

unsigned ask_of_state(const char *state)
{
	unsigned ask = 0;

	if (strcmp(state, "recipient") == 0)
		return ASK_ALL;
	while (ask < ASKS &&
	       (!ask_filters[ask] || strcmp(ask_filters[ask] + strlen("is_"), state) != 0))
		ask++;
	return ask;
}

bool ask_is_failure(unsigned ask)
{
	return ask == ASK_FAILED || ask == ASK_COMPLAINED || ask == ASK_UNSUBSCRIBED;
}

static int64_t held_of(const struct planes *held, unsigned ask)
{
	return planes_total(held, ask_flag(ask));
}

void counts_init(struct counts *c)
{
	*c = (struct counts){.listed_ms = INT64_MIN, .date_ms = DATE_NONE, .swept_ms = DATE_NONE};
	for (unsigned i = 0; i < ASKS; i++)
		c->v[i] = (struct count){.listed = -1,
					 .paged = -1,
					 .paged_ms = INT64_MIN,
					 .known_ms = DATE_NONE,
					 .told_ms = DATE_NONE,
					 .due_since_ms = INT64_MAX};
}

bool counts_are_listed(const struct counts *c)
{
	return c->v[ASK_SENT].listed >= 0 || c->v[ASK_FAILED].listed >= 0;
}

bool counts_lag(const struct counts *c)
{
	return c->behind >= BEHIND_MIN;
}

void counts_distrust(struct counts *c)
{
	c->behind = BEHIND_MIN;
}

static int64_t listed_due(const struct count *n, int64_t held)
{
	return n->listed < 0 ? 0 : n->listed - n->listed_offset - held;
}

static int64_t paged_due(const struct count *n, int64_t held)
{
	return n->paged < 0 ? 0 : n->paged - n->paged_offset - held;
}

/* More may be held than was counted because more was read since; what was too many already when it
 * was counted has left. */
static int64_t believe(int64_t now, int64_t then)
{
	if (now >= 0 || then >= 0)
		return now > 0 ? now : 0;
	return now > then ? now : then;
}

/* Rows that were thought never to be found were found after all. */
static void correct_offset(int64_t *offset, int64_t beyond)
{
	if (*offset > 0 && beyond < 0)
		*offset = *offset + beyond > 0 ? *offset + beyond : 0;
}

static int64_t due_by_list(const struct count *n, int64_t held)
{
	int64_t due = believe(listed_due(n, held), listed_due(n, n->held_before));

	return due < 0 && !n->fell ? 0 : due;
}

static int64_t due_by_page(const struct count *n, int64_t held)
{
	return believe(paged_due(n, held), paged_due(n, n->held_paged));
}

int64_t counts_due(const struct counts *c, unsigned ask, const struct planes *held)
{
	const struct count *n = &c->v[ask];
	int64_t have = held_of(held, ask);

	if (n->left_out)
		return 0;
	if (n->paged >= 0 && (n->paged_ms > c->listed_ms || n->listed < 0))
		return due_by_page(n, have);
	int64_t listed = due_by_list(n, have);
	if (!counts_lag(c))
		return listed;
	int64_t paged = due_by_page(n, have);
	listed = listed > paged ? listed : paged;
	return listed > 0 ? listed : 0;
}

int64_t counts_total(const struct counts *c, unsigned ask, const struct planes *held)
{
	return held_of(held, ask) + counts_due(c, ask, held);
}

int64_t counts_waited_ms(const struct counts *c, unsigned ask, const struct planes *held,
			 int64_t now_mono_ms)
{
	const struct count *n = &c->v[ask];
	double due = (double)counts_due(c, ask, held);

	if (n->due_since_ms > now_mono_ms)
		return 0;
	double most = (double)(now_mono_ms - n->due_since_ms);
	return (int64_t)(due > 0 && due < most * n->per_ms ? due / n->per_ms : most);
}

static void note_rise(struct count *n, int64_t rise, int64_t took_ms)
{
	if (took_ms <= 0)
		return;
	double weight = 1 - exp(-(double)took_ms / RATE_MS);
	n->per_ms += weight * ((double)(rise > 0 ? rise : 0) / (double)took_ms - n->per_ms);
}

static void note_due(struct counts *c, const struct planes *held, int64_t now_mono_ms)
{
	for (unsigned i = 0; i < ASKS; i++) {
		struct count *n = &c->v[i];
		if (counts_due(c, i, held) == 0)
			n->due_since_ms = INT64_MAX;
		else if (n->due_since_ms == INT64_MAX)
			n->due_since_ms = now_mono_ms;
	}
}

void counts_ask(struct counts *c, const struct planes *held)
{
	for (unsigned i = 0; i < ASKS; i++)
		c->v[i].held_before = held_of(held, i);
}

static int64_t counter(const char *counters, const char *name)
{
	const char *at = counters ? strstr(counters, name) : NULL;

	return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

static void note_lag(struct counts *c, bool behind, bool found)
{
	c->proved = found && !behind;
	if (behind) {
		c->behind++;
		c->level = c->prompt = 0;
		return;
	}
	c->level += found;
	c->prompt += found;
	if (!counts_lag(c) || c->level >= LEVEL_MIN)
		c->behind = 0;
}

void counts_listed(struct counts *c, const char *counters, const struct planes *held,
		   int64_t asked_mono_ms, int64_t now_mono_ms)
{
	bool behind = false, found = false;

	for (unsigned i = 0; i < ASKS; i++) {
		struct count *n = &c->v[i];
		int64_t listed = counter(counters, counters_named[i]);
		int64_t known = n->listed - n->listed_offset;
		if (listed >= 0 && n->listed >= 0 && listed < n->listed)
			n->fell = true;
		if (listed >= 0 && n->listed >= 0 && c->listed_ms != INT64_MIN)
			note_rise(n, listed - n->listed, asked_mono_ms - c->listed_ms);
		n->listed = listed;
		if (c->listed_ms == INT64_MIN)
			n->first = listed;
		if (listed < 0)
			continue;
		correct_offset(&n->listed_offset, listed_due(n, n->held_before));
		if (listed_due(n, n->held_before) >= 0)
			n->fell = false;
		else if (!n->fell && i != ASK_ALL)
			behind = true;
		found = found || n->held_before > known;
	}
	c->listed_ms = asked_mono_ms;
	note_lag(c, behind, found);
	note_due(c, held, now_mono_ms);
}

static void tell(struct count *n, int64_t date_ms)
{
	if (date_ms > n->told_ms)
		n->told_ms = date_ms;
}

static void know(struct count *n, int64_t date_ms)
{
	if (date_ms > n->known_ms)
		n->known_ms = date_ms;
	tell(n, date_ms);
}

void counts_known(struct counts *c, int64_t date_ms)
{
	int64_t before_ms = c->date_ms;
	bool proves = c->proved && c->prompt >= PROMPT_MIN && !counts_lag(c);

	c->date_ms = date_ms;
	for (unsigned i = 0; i < ASKS; i++) {
		struct count *n = &c->v[i];
		if (n->left_out)
			know(n, date_ms);
		else if (proves && n->listed >= 0 && !n->settled &&
			 listed_due(n, n->held_before) == 0)
			tell(n, before_ms);
	}
}

void counts_all_known(struct counts *c, int64_t date_ms)
{
	for (unsigned i = 0; i < ASKS; i++)
		know(&c->v[i], date_ms);
	if (date_ms > c->swept_ms)
		c->swept_ms = date_ms;
}

void counts_page_known(struct counts *c, unsigned ask, int64_t count, const struct planes *held,
		       int64_t date_ms)
{
	struct count *n = &c->v[ask];

	if (count == held_of(held, ask))
		know(n, date_ms);
}

void counts_paged(struct counts *c, unsigned ask, int64_t count, const struct planes *held,
		  int64_t asked_mono_ms, int64_t now_mono_ms)
{
	struct count *n = &c->v[ask];
	bool none_due = n->due_since_ms == INT64_MAX, alone = n->listed < 0 && n->paged >= 0;
	int64_t before_ms = n->paged_ms;

	if (count >= 0) {
		if (alone)
			note_rise(n, count - n->paged, asked_mono_ms - n->paged_ms);
		n->paged = count;
		n->paged_ms = asked_mono_ms;
		n->held_paged = held_of(held, ask);
		correct_offset(&n->paged_offset, paged_due(n, n->held_paged));
		/* Counted by the list, but not there: it is wrong by so much. */
		int64_t beyond = n->listed - n->listed_offset - (count - n->paged_offset);
		if (n->listed >= 0 && beyond > 0 && c->listed_ms <= asked_mono_ms)
			n->listed_offset += beyond;
	}
	note_due(c, held, now_mono_ms);
	/* No list would have told of it before: it came at some time since the last look. Failures
	 * go first anyway. */
	if (alone && none_due && !ask_is_failure(ask) && n->due_since_ms != INT64_MAX &&
	    before_ms < asked_mono_ms)
		n->due_since_ms = before_ms + (asked_mono_ms - before_ms) / 2;
}

void counts_settle(struct counts *c, unsigned ask, const struct planes *held, int64_t now_mono_ms)
{
	struct count *n = &c->v[ask];
	int64_t have = held_of(held, ask);

	n->settled = n->settled || due_by_list(n, have) != 0 || due_by_page(n, have) != 0;
	if (due_by_list(n, have) != 0)
		n->listed_offset = n->listed - have;
	if (due_by_page(n, have) != 0)
		n->paged_offset = n->paged - have;
	note_due(c, held, now_mono_ms);
}

void counts_swept(struct counts *c, bool steady, const struct planes *held, int64_t now_mono_ms)
{
	for (unsigned i = 0; i < ASKS; i++) {
		struct count *n = &c->v[i];
		int64_t have = held_of(held, i);
		n->paged = -1;
		n->paged_offset = 0;
		n->paged_ms = INT64_MIN;
		n->settled = n->settled && !steady;
		if (steady && n->listed >= 0)
			n->listed_offset = n->listed - have;
	}
	note_due(c, held, now_mono_ms);
}
