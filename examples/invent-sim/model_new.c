/* model_new — a model made from its options, and freed. Invariant: model_free takes what a failed
 * model_new leaves. */
#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/state.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"

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
	b->contacts = b->campaign.kind->doubled ? n / 2 + 1 : n + 1;
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
	m->counters = o->counters;
	m->times = o->times;
	m->unrest = o->unrest;
	m->retry_after = o->retry_after;
	m->next_tokens = o->next_tokens;
	m->limit.max = o->rate_limit;
	m->limit.stranger = o->stranger;
	m->revoked_ms = o->revoked_ms ? o->epoch_ms + o->revoked_ms : 0;
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
	free(b->old_counts);
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
