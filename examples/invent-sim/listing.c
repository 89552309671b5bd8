/* listing — what a query string asks of a list, and which rows that is. Invariant: total counts
 * all that match, whatever the page is. */
#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/query.h"
#include "examples/invent-sim/state.h"

/* ---- page, take, next */

#define NEXT_PREFIX "pg_"
#define PAGE_MAX    1000000000UL

static bool read_number(const char *text, unsigned long max, uint32_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	unsigned long n = strtoul(text, &end, 10);
	if (*end || n < 1 || n > max)
		return false;
	*ret = (uint32_t)n;
	return true;
}

int listing_paging(const char *query, struct listing *ret, const char **ret_why)
{
	char text[QUERY_VALUE];

	ret->page = 1;
	ret->take = SIM_TAKE;
	ret->n = 0;
	ret->overlap = 0;
	ret->endless = false;
	ret->total = 0;
	if (query_get(query, "page", text) && !read_number(text, PAGE_MAX, &ret->page)) {
		*ret_why = "page must be a number from 1";
		return 400;
	}
	if (query_get(query, "take", text) && !read_number(text, SIM_TAKE, &ret->take)) {
		*ret_why = "take must be a number from 1 to 100";
		return 400;
	}
	if (query_get(query, "next", text) &&
	    (strncmp(text, NEXT_PREFIX, strlen(NEXT_PREFIX)) ||
	     !read_number(text + strlen(NEXT_PREFIX), PAGE_MAX, &ret->page))) {
		*ret_why = "next is no token of ours";
		return 400;
	}
	ret->served = ret->page;
	return 200;
}

uint64_t listing_offset(const struct listing *l)
{
	uint32_t overlap = l->overlap < l->take ? l->overlap : l->take - 1;

	return (l->served - 1ULL) * (l->take - overlap);
}

static bool in_page(const struct listing *l, uint64_t nth)
{
	uint64_t first = listing_offset(l);

	return nth >= first && nth - first < l->take;
}

/* ---- recipients */

static const struct {
	const char *name;
	enum sim_what what;
} flag_filters[] = {
	{"is_skipped", SIM_SKIPPED},
	{"is_failed", SIM_FAILED},
	{"is_sent", SIM_SENT},
	{"is_delivered", SIM_DELIVERED},
	{"is_complained", SIM_COMPLAINED},
	{"is_unsubscribed", SIM_UNSUBSCRIBED},
	{"is_opened", SIM_OPENED},
	{"is_played", SIM_PLAYED},
};

static int read_flags(const char *query, struct roll_query *ret, const char **ret_why)
{
	char text[QUERY_VALUE];

	for (size_t i = 0; i < sizeof flag_filters / sizeof *flag_filters; i++) {
		uint32_t bit = FLAG(flag_filters[i].what);
		if (!query_get(query, flag_filters[i].name, text))
			continue;
		if (!strcmp(text, "true")) {
			ret->with |= bit;
		} else if (!strcmp(text, "false")) { /* null counts as false */
			ret->without |= bit;
		} else {
			*ret_why = "is_… filters are true or false";
			return 400;
		}
	}
	if (query_get(query, "status", text) && strcmp(text, "ALL")) {
		if (strcmp(text, "SENDING") && strcmp(text, "PROCESSED")) {
			*ret_why = "status must be ALL, SENDING or PROCESSED";
			return 400;
		}
		*(strcmp(text, "SENDING") ? &ret->with : &ret->without) |= FLAG(SIM_PROCESSED);
	}
	return 200;
}

/* False: no row of this broadcast can match. */
static bool read_channel(const struct broadcast *b, const char *query, struct roll_query *ret)
{
	char text[QUERY_VALUE];

	if (!query_get(query, "integration_id", text))
		return true;
	for (int i = 0; i < CHANNELS; i++) {
		if (strcmp(channel_names[i], text))
			continue;
		if (b->channel_plane[i] < 0)
			return false;
		ret->with |= 1u << b->channel_plane[i];
		return true;
	}
	return false;
}

static const char *const people_filters[] = {"contact_id", "user_id", "username", "email"};
#define PEOPLE_FILTERS 4

static bool person_matches(const struct model *m, const struct broadcast *b, uint32_t row,
			   const char *query)
{
	char text[QUERY_VALUE], user[ID_TEXT];
	struct person p;

	person_make(&p, m, row % b->contacts);
	const char *has[PEOPLE_FILTERS] = {
		p.contact_id,
		person_user_id(&p, campaign_channel(&b->campaign, row), user),
		p.contact % 4 ? p.username : "",
		p.email,
	};
	for (int i = 0; i < PEOPLE_FILTERS; i++)
		if (query_get(query, people_filters[i], text) && strcmp(text, has[i]))
			return false;
	return true;
}

static bool row_matches(const struct broadcast *b, uint32_t row, const struct roll_query *q)
{
	for (unsigned p = 0; p < b->roll.planes; p++) {
		bool on = roll_get(&b->roll, row, p);
		if ((!on && (q->with >> p & 1)) || (on && (q->without >> p & 1)))
			return false;
	}
	return true;
}

/* Rows of one contact: few, so they are looked at one by one, in list order. */
static void select_person(const struct model *m, const struct broadcast *b, const char *query,
			  const struct roll_query *q, struct listing *ret)
{
	char text[QUERY_VALUE];
	uint32_t contact = 0, found[SIM_TAKE], n = 0;
	bool some = true;

	for (int i = 0; i < PEOPLE_FILTERS && some; i++)
		if (query_get(query, people_filters[i], text))
			some = contact_of_text(m, text, &contact);
	for (uint64_t row = contact; some && row < b->added && n < SIM_TAKE; row += b->contacts) {
		uint32_t at = n;
		if (!row_matches(b, (uint32_t)row, q) ||
		    !person_matches(m, b, (uint32_t)row, query))
			continue;
		for (; at > 0 && roll_before(&b->roll, (uint32_t)row, found[at - 1]); at--)
			found[at] = found[at - 1];
		found[at] = (uint32_t)row;
		n++;
	}
	for (uint32_t i = 0; i < n; i++)
		if (in_page(ret, i))
			ret->rows[ret->n++] = found[i];
	ret->total = n;
}

static bool asks_for_person(const char *query)
{
	char text[QUERY_VALUE];

	for (int i = 0; i < PEOPLE_FILTERS; i++)
		if (query_get(query, people_filters[i], text))
			return true;
	return false;
}

/* The page; an endless one is filled up from the list's start, again and again. */
static void select_rows(const struct broadcast *b, struct roll_query *q, struct listing *ret)
{
	uint32_t n;

	q->offset = listing_offset(ret);
	q->take = ret->take;
	ret->total = roll_select(&b->roll, q, ret->rows, &ret->n);
	while (ret->endless && ret->total && ret->n < ret->take) {
		q->offset = (listing_offset(ret) + ret->n) % ret->total;
		q->take = ret->take - ret->n;
		roll_select(&b->roll, q, ret->rows + ret->n, &n);
		ret->n += n;
	}
}

int listing_recipients(const struct model *m, const struct broadcast *b, const char *query,
		       struct listing *ret, const char **ret_why)
{
	struct roll_query q = {.with = FLAG(SIM_ADDED)};
	int status = read_flags(query, &q, ret_why);

	if (status != 200 || !b->flags || !read_channel(b, query, &q))
		return status;
	if (asks_for_person(query)) {
		select_person(m, b, query, &q, ret);
		return 200;
	}
	select_rows(b, &q, ret);
	return 200;
}

/* ---- broadcasts */

static bool status_is_known(const char *status)
{
	static const char *const others[] = {"ALL", "CANCELLED", "FAILED"};

	for (int i = 0; i < STATUSES; i++)
		if (!strcmp(status_names[i], status))
			return true;
	for (int i = 0; i < 3; i++)
		if (!strcmp(others[i], status))
			return true;
	return false;
}

int listing_broadcasts(const struct model *m, const char *org, const char *query,
		       struct listing *ret, const char **ret_why)
{
	char wanted[QUERY_VALUE] = "ALL";

	query_get(query, "status", wanted);
	if (!status_is_known(wanted)) {
		*ret_why = "status is none of a broadcast's";
		return 400;
	}
	for (size_t i = 0; i < m->nbroadcasts; i++) {
		const struct broadcast *b = &m->broadcasts[i];
		const char *is = status_names[b->statuses[b->nstatuses - 1].status];
		if (strcmp(b->org, org) || (strcmp(wanted, "ALL") && strcmp(wanted, is)))
			continue;
		if (in_page(ret, ret->total++))
			ret->rows[ret->n++] = (uint32_t)i;
	}
	return 200;
}
