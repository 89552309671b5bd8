/* model — broadcasts, and time passing for them. Invariant: a row's flags, its bits in the roll and
 * the broadcast's counts always say the same; they change together, in change_row alone. */
#include "examples/invent-sim/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/state.h"
#include "relay/base/clock.h"
#include "relay/base/hash.h"
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

static void broadcast_status(struct broadcast *b, enum status status, int64_t at)
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

bool model_change(struct model *m, const char *broadcast, const char *recipient, enum sim_what what,
		  bool rises)
{
	struct broadcast *b = model_broadcast(m, broadcast);
	uint32_t row;

	return b && row_of_id(m, b, recipient, &row) && model_change_row(m, b, row, what, rises);
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

/* Does what the first of the queue says, and puts the row's next change in its place. */
static void step(struct model *m, struct due d)
{
	struct broadcast *b = &m->broadcasts[d.broadcast];
	struct change c = {d.at, (enum sim_what)d.what, true, true};
	struct life life;

	if (d.row == THE_BROADCAST) {
		queue_pop(&m->queue);
		start(m, b, d.at);
		queue_row(m, b, 0);
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
		b->counts[SIM_CLICKED]++;
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
	while (model_next_change(m) <= now_ms)
		step(m, *queue_first(&m->queue));
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

/* ---- made and freed */

struct broadcast *model_broadcast(const struct model *m, const char *id)
{
	for (size_t i = 0; i < m->nbroadcasts; i++)
		if (!strcmp(m->broadcasts[i].id, id))
			return &m->broadcasts[i];
	return NULL;
}

static int make_campaign(struct broadcast *b, const struct model_options *o,
			 const struct sim_broadcast *s, struct err *err)
{
	const struct campaign_kind *kind = campaign_kind(s->kind ? s->kind : "mix");

	if (!kind)
		return err_set(err, ERR_USAGE, "broadcast %s: no kind %s", b->id, s->kind);
	b->campaign = (struct campaign){
		.seed = sim_mix64(o->seed * 0x9E3779B97F4A7C15ULL + b->number + 1ULL),
		.kind = kind,
		.recipients = kind->draft ? 0 : s->recipients,
		.start_ms = o->epoch_ms + s->start_ms,
		.ramp_ms = o->ramp_ms,
		.until_ms = o->until_ms ? o->epoch_ms + o->until_ms : NEVER,
		.along_ramp = o->along_ramp || kind->transactional,
	};
	return mix_parse(&b->campaign.mix, o->channels ? o->channels : kind->channels, err);
}

static int make_broadcast(struct model *m, const struct model_options *o, size_t i, struct err *err)
{
	static const char *const names[] = {"Autumn offer", "Delivery update", "Loyalty news",
					    "Appointment reminder", "Last chance"};
	const struct sim_broadcast *s = &o->broadcasts[i];
	struct broadcast *b = &m->broadcasts[i];
	char *id = s->id ? xstrdup(s->id) : xasprintf("bc_%zu", i + 1);

	if (model_broadcast(m, id)) {
		err_set(err, ERR_USAGE, "broadcast %s: there are two of it", id);
		free(id);
		return -1;
	}
	b->id = id;
	b->number = (uint16_t)i;
	m->nbroadcasts++;
	b->org = xstrdup(s->org ? s->org : o->org);
	b->name = xasprintf("%s %zu", names[i % 5], i + 1);
	if (make_campaign(b, o, s, err))
		return -1;

	uint32_t n = b->campaign.recipients;
	b->contacts = b->campaign.kind->transactional ? n / 2 + 1 : n + 1;
	b->created_ms = o->epoch_ms - 60000 * (int64_t)(5 + b->campaign.seed % 55);
	b->started_ms = b->completed_ms = DATE_NONE;
	broadcast_status(b, DRAFT, b->created_ms);
	if (b->campaign.kind->draft)
		return 0;
	broadcast_status(b, SCHEDULED, b->created_ms + 240000);
	if (b->campaign.start_ms <= b->campaign.until_ms)
		queue_push(&m->queue,
			   (struct due){b->campaign.start_ms, THE_BROADCAST, b->number, SIM_ADDED});
	return 0;
}

static void copy_sub_orgs(struct model *m, const char *const *from)
{
	size_t n = 0;

	while (from && from[n])
		n++;
	m->sub_orgs = xcalloc(n + 1, sizeof *m->sub_orgs);
	for (size_t i = 0; i < n; i++)
		m->sub_orgs[i] = xstrdup(from[i]);
}

struct model *model_new(const struct model_options *o, struct err *err)
{
	struct model *m = xcalloc(1, sizeof *m);

	m->seed = o->seed;
	m->id_key = sim_mix64(o->seed ^ 0x5851F42D4C957F2DULL);
	m->chance.state = sim_mix64(o->seed + 1);
	m->epoch_ms = m->now_ms = o->epoch_ms;
	m->org = xstrdup(o->org);
	m->key = xstrdup(o->key);
	copy_sub_orgs(m, o->sub_orgs);
	m->order = o->order;
	m->retry_after = o->retry_after;
	m->next_tokens = o->next_tokens;
	m->limit.max = o->rate_limit;
	m->broadcasts = xcalloc(o->nbroadcasts + 1, sizeof *m->broadcasts);
	for (size_t i = 0; i < o->nbroadcasts; i++) {
		if (make_broadcast(m, o, i, err)) {
			model_free(m);
			return NULL;
		}
	}
	return m;
}

static void release_broadcast(struct broadcast *b)
{
	free(b->id);
	free(b->org);
	free(b->name);
	free(b->flags);
	free(b->shown);
	free(b->updated);
	roll_release(&b->roll);
}

void model_free(struct model *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->nbroadcasts; i++)
		release_broadcast(&m->broadcasts[i]);
	for (char **org = m->sub_orgs; *org; org++)
		free(*org);
	free(m->sub_orgs);
	free(m->broadcasts);
	queue_release(&m->queue);
	history_release(&m->history);
	limit_release(&m->limit);
	faults_release(&m->faults);
	free(m->org);
	free(m->key);
	free(m);
}
