/* The list's counters against the filters' own counts, which are asked for in between two readings
 * of the list; and what else filters tell. */
#include <stdio.h>
#include <string.h>

#include "relay/source/client.h"
#include "relay/source/probe_parts.h"

#define BOUNCED 8 /* its number among states_init's */

struct comparison {
	struct probe_counters before, after;
	bool listed[2];
	int64_t counted[ASKS]; /* rows of each filter; -1: not known */
	unsigned asked, ignored,
		untrue;	 /* filters; of them: not obeyed, with a count that is not theirs */
	char names[100]; /* of those ignored */
};

/* Rows of the page just read that do not have the flag. */
static size_t others(const struct probe *p, unsigned state)
{
	size_t n = 0;

	for (size_t i = 0; i < p->rows.n; i++)
		n += !(p->rows.v[i].states >> state & 1);
	return n;
}

static int64_t rows_of(const struct probe_page *page, unsigned take)
{
	if (page->count >= 0)
		return page->count;
	return page->rows < take ? (int64_t)page->rows : -1;
}

static void note_ignored(struct comparison *c, const char *name)
{
	size_t len = strlen(c->names);

	c->ignored++;
	snprintf(c->names + len, sizeof c->names - len, "%s%s", len ? ", " : "", name);
}

static void ask_filters_of(struct probe *p, struct comparison *c, unsigned take)
{
	for (unsigned ask = 0; ask < ASK_ALL; ask++) {
		struct probe_page page;
		struct probe_query q = {1, TAKE, ask_filters[ask], "true", NULL};
		c->counted[ask] = -1;
		if (!probe_read(p, &q, &page)) {
			probe_show(p, ASKS_FILTERS, "%s: %s", ask_filters[ask], p->why);
			continue;
		}
		c->asked++;
		if (others(p, ask) > p->rows.n / 10)
			note_ignored(c, ask_filters[ask]);
		else if (page.count >= 0 && page.rows < take && page.count != (int64_t)page.rows)
			c->untrue++;
		if (others(p, ask) <= p->rows.n / 10)
			c->counted[ask] = rows_of(&page, take);
		probe_page_release(&page);
	}
}

static void ask_word(struct probe *p, struct comparison *c, const char *name, const char *value,
		     bool (*fits)(const struct probe *p, const struct row *row, const char *value))
{
	struct probe_query q = {1, TAKE, name, value, NULL};
	struct probe_page page;
	size_t strangers = 0;

	if (!probe_read(p, &q, &page)) {
		probe_show(p, ASKS_FILTERS, "%s: %s", name, p->why);
		return;
	}
	for (size_t i = 0; i < p->rows.n; i++)
		strangers += !fits(p, &p->rows.v[i], value);
	c->asked++;
	if (strangers > p->rows.n / 10)
		note_ignored(c, name);
	probe_page_release(&page);
}

static bool has_status(const struct probe *p, const struct row *row, const char *value)
{
	return row->status != STATUS_NONE && strcmp(p->statuses.v[row->status], value) == 0;
}

static bool has_integration(const struct probe *p, const struct row *row, const char *value)
{
	(void)p;
	return row->integration_id && strcmp(row->integration_id, value) == 0;
}

static void say_filters(struct probe *p, const struct comparison *c)
{
	char text[160];

	if (c->asked == 0)
		return;
	snprintf(text, sizeof text, c->ignored ? "ignored: %s" : "yes%s",
		 c->ignored ? c->names : "");
	probe_say(p, ASKS_FILTERS, text);
	probe_show(p, ASKS_FILTERS, "%u of %u obeyed", c->asked - c->ignored, c->asked);
	p->report->seed.filters = c->ignored == 0;
}

static void say_counts(struct probe *p, const struct comparison *c, const struct probe_page *first)
{
	p->report->seed.counts = first->count >= 0;
	probe_show(p, ASKS_COUNTS, "%lld rows counted on page 1 without a filter",
		   (long long)first->count);
	if (first->count < 0)
		probe_say(p, ASKS_COUNTS, "not given");
	else if (p->alone)
		probe_say(p, ASKS_COUNTS, "given, but of the page alone");
	else if (c->untrue)
		probe_say(p, ASKS_COUNTS, "given, but not of the filter");
	else
		probe_say(p, ASKS_COUNTS,
			  c->ignored || !c->asked ? "given" : "given, and of the filter");
	if (c->untrue)
		probe_show(p, ASKS_COUNTS, "%u of %u filters count what they do not show",
			   c->untrue, c->asked);
}

/* How far the list's counters are off: below 0 they have too few. Between the two readings a count
 * may have moved. */
static int64_t off_by(const struct comparison *c, unsigned ask, int64_t counted)
{
	int64_t low = c->before.v[ask], high = c->after.v[ask];

	if (low > high) {
		int64_t swap = low;
		low = high;
		high = swap;
	}
	return counted < low ? low - counted : counted > high ? high - counted : 0;
}

static void say_counters(struct probe *p, const struct comparison *c)
{
	int64_t below = 0, above = 0;
	unsigned compared = 0, worst = 0;
	char text[100];

	if (!c->listed[0] || !c->listed[1])
		return;
	for (unsigned ask = 0; ask < ASKS; ask++) {
		if (c->before.v[ask] < 0 || c->after.v[ask] < 0 || c->counted[ask] < 0)
			continue;
		int64_t off = off_by(c, ask, c->counted[ask]);
		compared++;
		if (off < below || off > above)
			worst = ask;
		below = off < below ? off : below;
		above = off > above ? off : above;
	}
	enum seed_counters kind = compared == 0 ? COUNTERS_ABSENT
				  : above > 0	? COUNTERS_WRONG
				  : below < 0	? COUNTERS_BEHIND
						: COUNTERS_EXACT;
	bool given = c->after.v[ASK_SENT] >= 0 || c->after.v[ASK_FAILED] >= 0;
	if (kind == COUNTERS_ABSENT && given) {
		probe_show(p, ASKS_COUNTERS, "nothing to compare them with");
		return;
	}
	p->report->seed.counters = kind;
	int64_t most = above > -below ? above : -below;
	snprintf(text, sizeof text,
		 kind == COUNTERS_WRONG	   ? "wrong by up to %lld"
		 : kind == COUNTERS_BEHIND ? "behind by up to %lld"
					   : "%.0lld",
		 (long long)most);
	probe_say(p, ASKS_COUNTERS,
		  kind == COUNTERS_WRONG || kind == COUNTERS_BEHIND ? text
								    : seed_counters_names[kind]);
	if (compared)
		probe_show(p, ASKS_COUNTERS, "%u counters compared", compared);
	if (most)
		probe_show(p, ASKS_COUNTERS, "%s: %lld listed, %lld counted",
			   worst == ASK_ALL ? "recipients" : ask_filters[worst],
			   (long long)c->after.v[worst], (long long)c->counted[worst]);
}

/* A flag that is null in some rows and false in others tells best. */
static unsigned most_telling(const struct probe *p)
{
	unsigned best = ASK_FAILED;

	for (unsigned ask = 0; ask < ASK_ALL; ask++) {
		bool both = p->nulls[ask] && p->falses[ask];
		bool best_both = p->nulls[best] && p->falses[best];
		if (both != best_both ? both : p->nulls[ask] > p->nulls[best])
			best = ask;
	}
	return best;
}

static void ask_false(struct probe *p, const struct comparison *c, int64_t all)
{
	unsigned ask = most_telling(p);
	size_t nulls = p->nulls[ask];
	struct probe_page page;

	if (nulls == 0) {
		probe_show(p, ASKS_FALSE, "no row has null in a flag that can be asked for");
		return;
	}
	if (!probe_read(p, &(struct probe_query){1, TAKE, ask_filters[ask], "false", NULL},
			&page)) {
		probe_show(p, ASKS_FALSE, "%s=false: %s", ask_filters[ask], p->why);
		return;
	}
	bool shown = p->nulls[ask] > nulls;
	bool counted =
		page.count >= 0 && c->counted[ask] >= 0 && page.count == all - c->counted[ask];
	bool trues = p->rows.n > 0 && others(p, ask) < p->rows.n;
	probe_say(p, ASKS_FALSE,
		  trues		     ? "the filter is not obeyed"
		  : shown || counted ? "yes"
				     : "no");
	probe_show(p, ASKS_FALSE, "%s=false: %lld counted, null in %zu of %zu rows",
		   ask_filters[ask], (long long)page.count, p->nulls[ask] - nulls, page.rows);
	probe_page_release(&page);
}

static void ask_bounced(struct probe *p, const struct comparison *c, int64_t all)
{
	const char *rows = p->bounced ? "yes" : "no", *filter;
	struct probe_page page;
	char text[160];

	if (!probe_read(p, &(struct probe_query){1, TAKE, "is_bounced", "true", NULL}, &page))
		filter = page.status == 400 || page.status == 422 ? "refused" : "not known";
	else if (others(p, BOUNCED) > p->rows.n / 10 || (page.rows > 0 && page.count == all))
		filter = "ignored";
	else
		filter = page.rows == 0 && p->bounces == 0 ? "yes, as it seems" : "yes";
	snprintf(text, sizeof text, "in rows: %s; as a filter: %s; as a counter: %s", rows, filter,
		 !c->listed[1]	    ? "not known"
		 : c->after.bounced ? "yes"
				    : "no");
	probe_say(p, ASKS_BOUNCED, text);
	probe_show(p, ASKS_BOUNCED, "is_bounced=true: HTTP %d, %lld counted", page.status,
		   (long long)page.count);
	probe_page_release(&page);
}

void probe_counts(struct probe *p, const struct probe_page *first)
{
	unsigned take = first->rows >= 1 && first->count > (int64_t)first->rows
				? (unsigned)first->rows
				: TAKE;
	char integration[ID_MAX + 1] = "";
	struct comparison c = {.asked = 0};

	if (p->rows.n && p->rows.v[0].integration_id)
		snprintf(integration, sizeof integration, "%s", p->rows.v[0].integration_id);
	c.listed[0] = probe_counters(p, &c.before);
	ask_filters_of(p, &c, take);
	c.listed[1] = probe_counters(p, &c.after);
	c.counted[ASK_ALL] = first->count;
	if (p->ended)
		probe_show(p, ASKS_COUNTERS, "%s", p->why);
	ask_word(p, &c, "status", "PROCESSED", has_status);
	if (*integration)
		ask_word(p, &c, "integration_id", integration, has_integration);
	say_filters(p, &c);
	say_counts(p, &c, first);
	say_counters(p, &c);
	ask_false(p, &c, first->count);
	ask_bounced(p, &c, first->count);
}
