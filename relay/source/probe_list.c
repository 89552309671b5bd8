/* The broadcast list: which there are, how it is sorted, and which one to look at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/source/client.h"
#include "relay/source/listing.h"
#include "relay/source/probe_parts.h"
#include "relay/source/source.h"

#define ORGS_TRIED  5	  /* until one has a broadcast */
#define ENOUGH_ROWS 300	  /* for pages to be compared */
#define BEYOND	    10000 /* a page that no list has, where no count says how many there are */

/* The more the better: live, then enough rows, then rows at all. */
static unsigned rank_of(const struct listing_row *row, int64_t rows)
{
	bool live = source_is_live(row->status);

	return (rows >= ENOUGH_ROWS ? 4u : 0) + (live ? 2u : 0) + (rows > 0 ? 1u : 0);
}

static int64_t counter(const char *counters, const char *name)
{
	char key[64];
	snprintf(key, sizeof key, "\"%s\":", name);
	const char *at = counters ? strstr(counters, key) : NULL;

	return at ? strtoll(at + strlen(key), NULL, 10) : -1;
}

struct choice {
	unsigned rank;
	int64_t rows;
};

static void choose(struct probe *p, const struct listing *l, struct choice *best)
{
	for (size_t i = 0; i < l->n; i++) {
		int64_t rows = counter(l->v[i].counters, "recipients_count");
		struct choice c = {rank_of(&l->v[i], rows), rows};
		bool better = c.rank > best->rank || (c.rank == best->rank && c.rows > best->rows);
		if (p->report->broadcast && !better)
			continue;
		*best = c;
		free(p->report->broadcast);
		free(p->report->status);
		p->report->broadcast = xstrdup(l->v[i].id);
		p->report->status = xstrdup(l->v[i].status);
	}
}

static void note_order(struct probe *p, const struct listing *l, struct sorting *order)
{
	struct row *v = xcalloc(l->n, sizeof *v);

	(void)p;
	for (size_t i = 0; i < l->n; i++) {
		v[i].id = l->v[i].id;
		v[i].created_ms = l->v[i].created_ms;
		v[i].updated_ms = l->v[i].updated_ms;
	}
	sorting_vote(order, v, l->n);
	free(v);
}

static bool read_list(struct probe *p, const struct probe_query *q, struct listing *l)
{
	struct buf path = probe_list_path(p, q);
	struct err err = {0};
	bool asked = probe_ask(p, &path);

	buf_release(&path);
	l->n = 0;
	if (!asked)
		return false;
	if (p->reply->status == 200 && listing_read(l, p->text, p->len, &err) == 0)
		return true;
	snprintf(p->why, sizeof p->why, "HTTP %d%s", p->reply->status,
		 p->reply->status == 200 ? ", no JSON array" : "");
	return false;
}

/* Words are few: names_number refuses what is none. */
static void note_words(struct names *words, const struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		names_number(words, l->v[i].status, STATUSES_MAX);
}

static void list_words(char *ret, size_t size, const struct names *words)
{
	size_t len = 0;

	*ret = '\0';
	for (unsigned i = 0; i < words->n && len < size; i++)
		len += (size_t)snprintf(ret + len, size - len, "%s%s", i ? ", " : "", words->v[i]);
}

/* Does status=ALL show active ones, and can they be asked for? */
static void ask_active(struct probe *p, const struct names *words, struct listing *l)
{
	struct names all = {0}, active = {0};
	bool seen = names_find(words, "ACTIVE") >= 0;

	if (!read_list(p, &(struct probe_query){1, TAKE, "status", "ALL", NULL}, l)) {
		probe_show(p, ASKS_ACTIVE, "status=ALL: %s", p->why);
		return;
	}
	note_words(&all, l);
	probe_show(p, ASKS_ACTIVE, "status=ALL: %zu broadcasts on the first page", l->n);
	if (names_find(&all, "ACTIVE") >= 0) {
		probe_say(p, ASKS_ACTIVE, "yes");
		return;
	}
	if (!read_list(p, &(struct probe_query){1, TAKE, "status", "ACTIVE", NULL}, l)) {
		probe_show(p, ASKS_ACTIVE, "status=ACTIVE: %s", p->why);
		probe_say(p, ASKS_ACTIVE,
			  seen ? "no" : "none seen, and ACTIVE cannot be asked for");
		return;
	}
	note_words(&active, l);
	bool asked = names_find(&active, "ACTIVE") >= 0;
	probe_show(p, ASKS_ACTIVE, "status=ACTIVE: %zu broadcasts", l->n);
	probe_say(p, ASKS_ACTIVE, seen || asked ? "no" : "none seen");
}

static void note_list(struct probe *p, const struct listing *l, const struct names *words,
		      const struct sorting *order)
{
	char text[160];

	probe_order_text(order, text, sizeof text);
	probe_say(p, ASKS_LIST_ORDER, text);
	probe_show(p, ASKS_LIST_ORDER, "%zu broadcasts on the last page read", l->n);
	list_words(text, sizeof text, words);
	if (*text)
		probe_show(p, ASKS_STATUSES, "broadcasts: %s", text);
}

static void look_behind(struct probe *p, int64_t count, size_t rows, struct listing *l)
{
	unsigned page = count > 0 && rows > 0
				? (unsigned)((count + (int64_t)rows - 1) / (int64_t)rows) + 1
				: BEYOND;

	if (!read_list(p, &(struct probe_query){.page = page, .take = TAKE}, l))
		probe_show(p, ASKS_END, "list: %s", p->why);
	else
		probe_show(p, ASKS_END, "list: %s", l->n ? "rows again" : "an empty page");
}

static void read_second(struct probe *p, struct listing *l, struct choice *best,
			struct names *words, struct sorting *order)
{
	if (!read_list(p, &(struct probe_query){.page = 2, .take = TAKE}, l))
		return;
	choose(p, l, best);
	note_words(words, l);
	note_order(p, l, order);
}

static void study(struct probe *p, struct listing *l)
{
	struct names words = {0};
	struct sorting order = {0};
	struct choice best = {0};
	int64_t count = p->count;
	size_t rows = l->n;

	choose(p, l, &best);
	note_words(&words, l);
	note_order(p, l, &order);
	if (count > (int64_t)rows && rows > 0)
		read_second(p, l, &best, &words, &order);
	note_list(p, l, &words, &order);
	p->report->rows = best.rows > 0 ? best.rows : -1;
	ask_active(p, &words, l);
	look_behind(p, count, rows, l);
	if (rows > 5 && read_list(p, &(struct probe_query){.page = 1, .take = 5}, l))
		probe_show(p, ASKS_TAKE, "list: %zu of 5 asked for", l->n);
	sorting_release(&order);
}

int probe_list(struct probe *p, const struct strings *orgs, struct err *err)
{
	struct listing l = {0};
	int ret = -1;

	for (size_t i = 0; i < orgs->n && i < ORGS_TRIED && l.n == 0; i++) {
		free(p->report->org);
		p->report->org = xstrdup(orgs->v[i]);
		if (read_list(p, &(struct probe_query){.page = 1, .take = TAKE}, &l))
			ret = 0;
	}
	if (l.n > 0)
		study(p, &l);
	listing_release(&l);
	if (ret == 0)
		return 0;
	bool key = p->reply && (p->reply->status == 401 || p->reply->status == 403);
	return err_set(err, ERR_NET, "the API cannot be used: %s%s", p->why,
		       key ? ": it refuses the key" : "");
}

bool probe_counters(struct probe *p, struct probe_counters *ret)
{
	static const char *const names[ASKS] = {
		"skipped_count",   "failed_count",     "sent_count",
		"delivered_count", "complained_count", "unsubscribed_count",
		"opened_count",	   "played_count",     "recipients_count",
	};
	struct listing l = {0};
	bool found = false;

	for (unsigned page = 1; page <= 2 && !found && !p->ended; page++) {
		if (!read_list(p, &(struct probe_query){.page = page, .take = TAKE}, &l))
			break;
		for (size_t i = 0; i < l.n && !found; i++) {
			found = strcmp(l.v[i].id, p->report->broadcast) == 0;
			for (unsigned ask = 0; found && ask < ASKS; ask++)
				ret->v[ask] = counter(l.v[i].counters, names[ask]);
			ret->bounced = found && counter(l.v[i].counters, "bounced_count") >= 0;
		}
		if (l.n < TAKE)
			break;
	}
	listing_release(&l);
	return found;
}

void probe_single(struct probe *p)
{
	struct buf path = probe_list_path(p, &(struct probe_query){0});

	buf_addc(&path, '/');
	http_escape(&path, p->report->broadcast);
	bool asked = probe_ask(p, &path);
	bool object = asked && p->root && json_type(p->root) == JSON_OBJECT;
	if (!asked)
		probe_show(p, ASKS_SINGLE, "%s", p->why);
	else if (p->reply->status == 200)
		probe_say(p, ASKS_SINGLE, object ? "yes" : "yes, but it gives no JSON object");
	else
		probe_say(p, ASKS_SINGLE, "no");
	if (asked)
		probe_show(p, ASKS_SINGLE, "HTTP %d", p->reply->status);
	buf_release(&path);
}
