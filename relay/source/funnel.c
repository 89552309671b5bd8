/* funnel — counts rows. Invariant: the channels' rows add up to at most those of all. */
#include "relay/source/funnel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/source/fact.h"

#define PER_DOUBLING 16

void funnel_release(struct funnel *f)
{
	for (size_t i = 0; i < f->nchannels; i++)
		free(f->channels[i].name);
	free(f->channels);
	*f = (struct funnel){0};
}

static struct funnel_channel *channel_of(struct funnel *f, const char *name)
{
	name = name ? name : "";
	for (size_t i = 0; i < f->nchannels; i++)
		if (!strcmp(f->channels[i].name, name))
			return &f->channels[i];
	if (f->nchannels == CHANNELS_MAX)
		return NULL;
	f->channels = mem_grow(f->channels, f->nchannels, &f->cap, sizeof *f->channels);
	f->channels[f->nchannels] = (struct funnel_channel){.name = xstrdup(name)};
	return &f->channels[f->nchannels++];
}

static void count(struct funnel_counts *c, uint64_t states)
{
	c->rows++;
	for (unsigned i = 0; i < STATES_MAX; i++)
		c->states[i] += is_true(states, i);
}

/* 0 ms: the first. */
static unsigned bucket_of(int64_t ms)
{
	double place = ms > 0 ? 1 + log2((double)ms) * PER_DOUBLING : 0;

	return place < FUNNEL_BUCKETS - 1 ? (unsigned)place : FUNNEL_BUCKETS - 1;
}

static int64_t edge_of(unsigned bucket)
{
	return bucket ? (int64_t)exp2((double)bucket / PER_DOUBLING) : 0;
}

int64_t funnel_delay_ms(const struct funnel *f, double share)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < FUNNEL_BUCKETS; i++) {
		below += f->delays[i];
		if (f->ndelays && (double)below >= share * (double)f->ndelays)
			return edge_of(i);
	}
	return -1;
}

/* When the row is in that state since; below 0: it is not, or nobody knows. */
static int64_t time_of(const struct recipient_record *r, unsigned state)
{
	const struct state_time *t = recipient_record_time(r, state);

	return t && is_true(r->states, state) ? t->at : -1;
}

static void note_times(struct funnel *f, const struct recipient_record *r)
{
	int64_t sent = time_of(r, STATE_SENT), delivered = time_of(r, STATE_DELIVERED);

	if (sent < 0)
		return;
	if (!f->first_sent_ms || sent < f->first_sent_ms)
		f->first_sent_ms = sent;
	if (sent > f->last_sent_ms)
		f->last_sent_ms = sent;
	if (delivered < 0)
		return;
	f->delays[bucket_of(delivered - sent)]++;
	f->ndelays++;
}

void funnel_add(struct funnel *f, const struct recipient_record *r)
{
	if (r->gone)
		return;
	struct funnel_channel *channel = channel_of(f, r->integration_id);
	count(&f->all, r->states);
	if (channel)
		count(&channel->counts, r->states);
	note_times(f, r);
}
