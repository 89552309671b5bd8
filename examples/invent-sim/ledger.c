/* ledger — the truth, a line a change. Invariant: a row's lines come from one place only: the
 * campaign, or, once it was changed by hand, its history. */
#include <ctype.h>
#include <stdlib.h>

#include "examples/invent-sim/state.h"
#include "relay/base/clock.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"

struct line {
	const char *type, *state; /* recipient.<type>; state: of a reverted one, else NULL */
	const struct broadcast *b;
	const char *recipient; /* NULL: about the broadcast */
	int64_t at;
	bool timed, shown, owed;
};

static void put_line(struct buf *out, const struct line *l)
{
	char at[DATE_TEXT];

	buf_adds(out, l->recipient ? "{\"type\":\"recipient." : "{\"type\":\"broadcast.");
	buf_adds(out, l->type);
	buf_adds(out, "\",\"broadcast\":");
	json_write_string(out, l->b->id);
	if (l->recipient) {
		buf_adds(out, ",\"recipient\":");
		json_write_string(out, l->recipient);
	}
	if (l->state) {
		buf_adds(out, ",\"state\":");
		json_write_string(out, l->state);
	}
	buf_adds(out, ",\"at\":\"");
	buf_adds(out, date_format(at, l->at));
	buf_adds(out, l->timed ? "\",\"timed\":true" : "\",\"timed\":false");
	buf_adds(out, l->shown ? ",\"shown\":true" : ",\"shown\":false");
	buf_adds(out, l->owed ? ",\"owed\":true}\n" : ",\"owed\":false}\n");
}

/* The line of a flag that rose, or of a row that came or went: at what time, and is it one the API
 * gives? */
static struct line row_line(const struct ledger *l, const struct broadcast *b, const char *id,
			    enum sim_what what, int64_t at)
{
	bool flag = what != SIM_ADDED && what != SIM_PROCESSED && what != SIM_REMOVED;
	int64_t told = flag ? time_shown(l->model, b, l->row, what, at) : DATE_NONE;

	return (struct line){.type = sim_what_names[what],
			     .b = b,
			     .recipient = id,
			     .at = told == DATE_NONE ? at : told,
			     .timed = told != DATE_NONE};
}

/* ---- a broadcast's own changes */

static void put_status(struct buf *out, const struct broadcast *b, unsigned i, unsigned last)
{
	char type[16] = "";
	const struct status_change *c = &b->statuses[i];
	const char *name = status_names[c->status];

	for (int k = 0; name[k]; k++)
		type[k] = (char)tolower((unsigned char)name[k]);
	put_line(out, &(struct line){.type = type,
				     .b = b,
				     .at = c->at,
				     .shown = c->shown,
				     .owed = c->shown || i == last});
}

static void put_statuses(struct buf *out, const struct broadcast *b, int64_t until_ms)
{
	unsigned n = 0;
	bool shown = false;

	while (n < b->nstatuses && b->statuses[n].at <= until_ms)
		shown |= b->statuses[n++].shown;
	put_line(out, &(struct line){.type = "added",
				     .b = b,
				     .at = b->created_ms,
				     .shown = shown,
				     .owed = true});
	for (unsigned i = 0; i < n; i++)
		put_status(out, b, i, n - 1);
}

/* ---- a row nobody touched: nothing it became ever ended, so all is owed */

static void put_campaign_row(struct buf *out, const struct ledger *l, const struct broadcast *b,
			     const char *id)
{
	struct life life;
	int64_t at = INT64_MIN;
	enum sim_what what = SIM_ADDED;

	campaign_life(&b->campaign, l->row, &life);
	while ((what = life_next(&life, at, what)) != SIM_WHATS && life.at[what] <= l->until_ms) {
		at = life.at[what];
		if (what >= SIM_STATES)
			continue;
		struct line line = row_line(l, b, id, what, at);
		line.shown = b->shown[l->row] & FLAG(what);
		line.owed = true;
		put_line(out, &line);
	}
}

/* ---- a row with a history */

/* What one who reads all that was shown, and the end, knows of the row while its history is
 * walked through. */
struct reader {
	uint32_t knows; /* states he takes for true */
	const struct entry *last[SIM_WHATS];
	bool removed;
};

static bool notices(struct reader *r, const struct entry *e)
{
	uint32_t bit = FLAG(e->what);
	bool stands = r->last[e->what] == e && (!r->removed || e->what == SIM_REMOVED);

	if (e->what == SIM_REMOVED)
		return r->knows & FLAG(SIM_ADDED);
	if (!(e->shown || stands) || !!(r->knows & bit) == e->rises)
		return false;
	r->knows ^= bit;
	return true;
}

static void put_entry(struct buf *out, const struct ledger *l, const struct broadcast *b,
		      const char *id, const struct entry *e, bool owed)
{
	struct line line = row_line(l, b, id, (enum sim_what)e->what, e->at);

	line.shown = e->shown;
	line.owed = owed;
	if (!e->rises) {
		if (e->what == SIM_PROCESSED) /* no event says that work began again */
			return;
		line.state = line.type;
		line.type = "reverted";
		line.timed = false;
		line.at = e->at;
	}
	put_line(out, &line);
}

static void put_history_row(struct buf *out, const struct ledger *l, const struct broadcast *b,
			    const char *id)
{
	const struct history *h = &l->model->history;
	uint32_t first = history_last(h, (uint64_t)b->number << 32 | l->row), n = 0, at;
	struct reader r = {0};

	for (uint32_t i = first; i != NO_ENTRY; i = h->v[i].earlier)
		n++;
	const struct entry **chain = xmalloc((n + 1ULL) * sizeof *chain);
	at = n;
	for (uint32_t i = first; i != NO_ENTRY; i = h->v[i].earlier)
		chain[--at] = &h->v[i];
	while (n > 0 && chain[n - 1]->at > l->until_ms)
		n--;
	for (uint32_t i = 0; i < n; i++) {
		r.last[chain[i]->what] = chain[i];
		r.removed |= chain[i]->what == SIM_REMOVED;
	}
	for (uint32_t i = 0; i < n; i++)
		put_entry(out, l, b, id, chain[i], notices(&r, chain[i]));
	free(chain);
}

/* ---- */

void ledger_start(struct ledger *l, const struct model *m)
{
	*l = (struct ledger){.model = m, .until_ms = model_now(m)};
}

bool ledger_read(struct ledger *l, struct buf *out, size_t about)
{
	char id[ID_TEXT];

	while (out->len < about) {
		if (l->broadcast == l->model->nbroadcasts)
			return false;
		const struct broadcast *b = &l->model->broadcasts[l->broadcast];
		if (!l->statuses_done) {
			put_statuses(out, b, l->until_ms);
			l->statuses_done = true;
		} else if (l->row == b->added) {
			l->broadcast++;
			l->row = 0;
			l->statuses_done = false;
		} else {
			row_id(id, l->model, b, l->row);
			if (b->flags[l->row] & TOUCHED)
				put_history_row(out, l, b, id);
			else
				put_campaign_row(out, l, b, id);
			l->row++;
		}
	}
	return true;
}
