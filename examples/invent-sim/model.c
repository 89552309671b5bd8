/* model — broadcasts, and time passing for them. Invariant: a row's flags, its bits in the roll and
 * the broadcast's counts always say the same; they change together, in change_row alone. */
#include "examples/invent-sim/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/state.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"

const char *const status_names[STATUSES] = {"DRAFT", "SCHEDULED", "SENDING", "SENT", "ACTIVE"};

const char *const sim_what_names[SIM_WHATS] = {
	"added",  "skipped", "sent",	   "processed",	   "failed",  "bounced", "delivered",
	"opened", "played",  "complained", "unsubscribed", "replied", "clicked", "removed",
};

int sim_what_number(const char *name)
{
	for (int i = 0; i < SIM_WHATS; i++)
		if (!strcmp(sim_what_names[i], name))
			return i;
	return -1;
}

int sim_order_number(const char *name)
{
	static const char *const names[] = {
		"none", "id", "created", "updated", "created-oldest", "updated-oldest",
	};

	for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

/* ---- one row changes */

static uint64_t history_key(const struct broadcast *b, uint32_t row)
{
	return (uint64_t)b->number << 32 | row;
}

/* From now on the row's past is written down: first what the campaign has done to it so far. */
static void touch(struct model *m, struct broadcast *b, uint32_t row)
{
	struct life life;

	if (b->flags[row] & TOUCHED)
		return;
	campaign_life(&b->campaign, row, &life);

	int64_t at = INT64_MIN;
	enum sim_what what = SIM_ADDED;
	while ((what = life_next(&life, at, what)) != SIM_WHATS) {
		at = life.at[what];
		if (!(b->flags[row] & FLAG(what) & STATE_FLAGS))
			continue;
		history_add(&m->history, history_key(b, row),
			    (struct entry){.at = at,
					   .what = (uint8_t)what,
					   .rises = true,
					   .natural = true,
					   .shown = b->shown[row] & FLAG(what)});
	}
	b->flags[row] |= TOUCHED;
}

void broadcast_status(struct broadcast *b, enum status status, int64_t at)
{
	assert(b->nstatuses < sizeof b->statuses / sizeof *b->statuses);
	b->statuses[b->nstatuses++] = (struct status_change){status, at, false};
	if (at > b->updated_ms)
		b->updated_ms = at;
}

static void complete_if_done(struct broadcast *b, int64_t at)
{
	if (b->pending || b->statuses[b->nstatuses - 1].status != SENDING)
		return;
	b->completed_ms = at;
	broadcast_status(b, SENT, at);
}

/* The row leaves the list, and with it all its flags the counts. */
static void take_away(struct broadcast *b, uint32_t row)
{
	for (unsigned i = 0; i < SIM_STATES; i++) {
		if (!(b->flags[row] & FLAG(i)))
			continue;
		roll_set(&b->roll, row, i, false);
		b->counts[i]--;
	}
	if (!(b->flags[row] & FLAG(SIM_PROCESSED)))
		b->pending--;
	b->flags[row] = FLAG(SIM_REMOVED) | TOUCHED;
	b->counts[SIM_REMOVED]++;
}

static void set_flag(struct broadcast *b, uint32_t row, enum sim_what what, bool rises)
{
	roll_touch(&b->roll, row);
	roll_set(&b->roll, row, what, rises);
	b->flags[row] ^= FLAG(what);
	b->counts[what] += rises ? 1 : (uint64_t)-1;
	if (what == SIM_PROCESSED)
		b->pending -= rises ? 1 : (uint32_t)-1;
}

struct change {
	int64_t at;
	enum sim_what what;
	bool rises, natural;
};

/* False when the row is so already. */
static bool change_row(struct model *m, struct broadcast *b, uint32_t row, const struct change *c)
{
	bool is_so = !!(b->flags[row] & FLAG(c->what)) == c->rises;

	if (is_so || (b->flags[row] & FLAG(SIM_REMOVED)))
		return false;
	if (!c->natural)
		touch(m, b, row);
	counters_before(m, b, c->at);
	if (b->flags[row] & TOUCHED)
		history_add(&m->history, history_key(b, row),
			    (struct entry){.at = c->at,
					   .what = (uint8_t)c->what,
					   .rises = c->rises,
					   .natural = c->natural});
	if (c->what == SIM_REMOVED)
		take_away(b, row);
	else
		set_flag(b, row, c->what, c->rises);
	b->updated[row] = (uint32_t)(c->at - b->created_ms);
	complete_if_done(b, c->at);
	return true;
}

bool model_change_row(struct model *m, struct broadcast *b, uint32_t row, enum sim_what what,
		      bool rises)
{
	struct change c = {m->now_ms, what, rises, false};

	if (row >= b->added || what == SIM_ADDED || what == SIM_CLICKED ||
	    (what == SIM_REMOVED && !rises))
		return false;
	return change_row(m, b, row, &c);
}

struct broadcast *model_broadcast(const struct model *m, const char *id)
{
	for (size_t i = 0; i < m->nbroadcasts; i++)
		if (!strcmp(m->broadcasts[i].id, id))
			return &m->broadcasts[i];
	return NULL;
}

bool model_change(struct model *m, const char *broadcast, const char *recipient, enum sim_what what,
		  bool rises)
{
	struct broadcast *b = model_broadcast(m, broadcast);
	uint32_t row;

	return b && row_of_id(m, b, recipient, &row) && model_change_row(m, b, row, what, rises);
}

bool model_change_status(struct model *m, const char *broadcast, const char *status)
{
	struct broadcast *b = model_broadcast(m, broadcast);
	size_t room = b ? sizeof b->statuses / sizeof *b->statuses - b->nstatuses : 0;
	unsigned i = 0;

	while (i < STATUSES && strcmp(status_names[i], status) != 0)
		i++;
	if (!room || i == STATUSES || b->statuses[b->nstatuses - 1].status == (enum status)i)
		return false;
	broadcast_status(b, (enum status)i, m->now_ms);
	return true;
}

/* ---- time passes */

static uint64_t *sort_keys(const struct model *m, const struct broadcast *b)
{
	uint32_t n = b->campaign.recipients;

	if (m->order != SIM_ORDER_NONE && m->order != SIM_ORDER_ID)
		return NULL;
	uint64_t *keys = xmalloc((n + 1ULL) * sizeof *keys);
	for (uint32_t i = 0; i < n; i++) /* an id's text sorts as its number does */
		keys[i] = m->order == SIM_ORDER_ID ? row_id_key(m, b, i)
						   : sim_mix64(b->campaign.seed ^ (i + 1ULL) << 20);
	return keys;
}

static void start(struct model *m, struct broadcast *b, int64_t at)
{
	uint32_t n = b->campaign.recipients;
	uint64_t *keys = sort_keys(m, b);
	unsigned planes = SIM_STATES;

	for (int i = 0; i < CHANNELS; i++)
		b->channel_plane[i] = b->campaign.mix.share[i] ? (int8_t)planes++ : -1;
	b->roll.moving = m->order == SIM_ORDER_UPDATED || m->order == SIM_ORDER_UPDATED_OLDEST;
	b->roll.newest_first = m->order == SIM_ORDER_UPDATED || m->order == SIM_ORDER_CREATED;
	roll_init(&b->roll, n, planes, keys);
	free(keys);
	b->flags = xcalloc(n + 1ULL, sizeof *b->flags);
	b->shown = xcalloc(n + 1ULL, sizeof *b->shown);
	b->updated = xcalloc(n + 1ULL, sizeof *b->updated);
	b->old_counts = counters_new(&m->counters);
	b->started_ms = at;
	broadcast_status(b, b->campaign.kind->transactional ? ACTIVE : SENDING, at);
	b->pending = n;
	complete_if_done(b, at);
}

/* The row will appear, unless that is after the end of time. */
static void queue_row(struct model *m, struct broadcast *b, uint32_t row)
{
	int64_t at = campaign_added_at(&b->campaign, row);

	if (row < b->campaign.recipients && at <= b->campaign.until_ms)
		queue_push(&m->queue, (struct due){at, row, b->number, SIM_ADDED});
}

/* The row appears, and its successor is queued. */
static void add_row(struct model *m, struct broadcast *b, struct change *c)
{
	uint32_t row = b->added++;

	change_row(m, b, row, c);
	roll_set(&b->roll, row, (unsigned)b->channel_plane[campaign_channel(&b->campaign, row)],
		 true);
	queue_row(m, b, row + 1);
}

static void count_click(const struct model *m, struct broadcast *b, int64_t at)
{
	counters_before(m, b, at);
	b->counts[SIM_CLICKED]++;
}

/* Does what the first of the queue says, and puts the row's next change in its place. */
static void step(struct model *m, struct due d)
{
	struct broadcast *b = &m->broadcasts[d.broadcast];
	struct change c = {d.at, (enum sim_what)d.what, true, true};
	struct life life;

	if (unrest_due(&d)) {
		queue_pop(&m->queue);
		unrest_step(m, b, &d);
		return;
	}
	if (d.row == THE_BROADCAST) {
		queue_pop(&m->queue);
		start(m, b, d.at);
		queue_row(m, b, 0);
		unrest_start(m, b);
		return;
	}
	campaign_life(&b->campaign, d.row, &life);
	enum sim_what next = life_next(&life, d.at, c.what);
	if (next == SIM_WHATS)
		queue_pop(&m->queue);
	else
		queue_replace(&m->queue,
			      (struct due){life.at[next], d.row, b->number, (uint8_t)next});
	if (c.what == SIM_ADDED)
		add_row(m, b, &c);
	else if (c.what == SIM_CLICKED)
		count_click(m, b, d.at);
	else
		change_row(m, b, d.row, &c);
}

int64_t model_next_change(const struct model *m)
{
	const struct due *first = queue_first(&m->queue);

	return m->ended || !first ? INT64_MAX : first->at;
}

void model_advance(struct model *m, int64_t now_ms)
{
	if (m->ended)
		return;
	while (model_next_change(m) <= now_ms) {
		struct due d = *queue_first(&m->queue);
		m->now_ms = d.at > m->now_ms ? d.at : m->now_ms;
		step(m, d);
	}
	if (now_ms > m->now_ms)
		m->now_ms = now_ms;
}

int64_t model_now(const struct model *m)
{
	return m->now_ms;
}

void model_end(struct model *m)
{
	m->ended = true;
}
