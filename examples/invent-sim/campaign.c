/* campaign — a row's life from its seed. Invariant: every draw is made for every row in the same
 * order, so that a changed probability moves no other row's numbers. */
#include "examples/invent-sim/channels.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/random.h"

const struct campaign_kind campaign_kinds[] = {
	{.name = "mix",
	 .channels = "whatsapp_bot:50,gmail:25,twilio:15,telnyx:10",
	 .help = "a marketing broadcast over several channels"},
	{.name = "whatsapp", .channels = "whatsapp_bot:1", .help = "WhatsApp only"},
	{.name = "sms", .channels = "twilio:1", .help = "text messages only"},
	{.name = "email", .channels = "gmail:1", .help = "e-mail only: bounces and late opens"},
	{.name = "voice", .channels = "telnyx:1", .help = "calls: played instead of opened"},
	{.name = "chat",
	 .channels = "messenger_bot:35,instagram_dm:30,telegram_bot:20,slack_bot:10,internal:5",
	 .help = "the chat channels"},
	{.name = "both",
	 .channels = "twilio:50,gmail:50",
	 .help = "text messages and e-mail, two rows to a contact",
	 .doubled = true},
	{.name = "transactional",
	 .channels = "whatsapp_bot:50,gmail:50",
	 .help = "ACTIVE for ever, rows appear along the ramp, two to a contact",
	 .transactional = true,
	 .doubled = true},
	{.name = "draft", .channels = "gmail:1", .help = "is never sent", .draft = true},
	{.name = NULL},
};

const struct campaign_kind *campaign_kind(const char *name)
{
	for (const struct campaign_kind *k = campaign_kinds; k->name; k++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}

uint64_t sim_mix64(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
	return x ^ (x >> 31);
}

uint64_t sim_unmix64(uint64_t x)
{
	x = (x ^ (x >> 31) ^ (x >> 62)) * 0x319642B2D24D8EC3; /* inverses modulo 2^64 */
	x = (x ^ (x >> 27) ^ (x >> 54)) * 0x96DE1B173F119089;
	return x ^ (x >> 30) ^ (x >> 60);
}

static int channel_number(const char *name, size_t len)
{
	for (int i = 0; i < CHANNELS; i++)
		if (strlen(channel_names[i]) == len && !memcmp(channel_names[i], name, len))
			return i;
	return -1;
}

/* Weights to shares of 1,000; what rounding leaves goes to the last channel that has any. */
static void share_out(struct mix *ret, const unsigned *weights, unsigned sum)
{
	unsigned left = 1000;
	int last = 0;

	for (int i = 0; i < CHANNELS; i++) {
		ret->share[i] = (uint16_t)(weights[i] * 1000ULL / sum);
		left -= ret->share[i];
		if (weights[i])
			last = i;
	}
	ret->share[last] = (uint16_t)(ret->share[last] + left);
}

int mix_parse(struct mix *ret, const char *text, struct err *err)
{
	unsigned weights[CHANNELS] = {0}, sum = 0;

	for (const char *at = text; *at; at += *at == ',') {
		size_t len = strcspn(at, ":,");
		int channel = channel_number(at, len);
		if (channel < 0)
			return err_set(err, ERR_USAGE, "channels: %.*s is no integration_id",
				       (int)len, at);
		unsigned long weight = 1;
		if (at[len] == ':') {
			char *end;
			weight = strtoul(at + len + 1, &end, 10);
			len = (size_t)(end - at);
		}
		if (weight > 100000 || (at[len] && at[len] != ','))
			return err_set(err, ERR_USAGE, "channels: NAME:WEIGHT expected at %s", at);
		weights[channel] += (unsigned)weight;
		sum += (unsigned)weight;
		at += len;
	}
	if (!sum)
		return err_set(err, ERR_USAGE, "channels: no channel has any weight");
	share_out(ret, weights, sum);
	return 0;
}

static struct prng row_prng(const struct campaign *c, uint32_t row)
{
	return (struct prng){sim_mix64(c->seed + 0x9E3779B97F4A7C15ULL * (row + 1ULL))};
}

static unsigned pick_channel(const struct campaign *c, uint64_t draw)
{
	unsigned of_1000 = (unsigned)(draw >> 32) % 1000, channel = 0;

	while (of_1000 >= c->mix.share[channel])
		of_1000 -= c->mix.share[channel++];
	return channel;
}

unsigned campaign_channel(const struct campaign *c, uint32_t row)
{
	struct prng p = row_prng(c, row);

	return pick_channel(c, prng_next(&p));
}

int64_t campaign_added_at(const struct campaign *c, uint32_t row)
{
	if (c->along_ramp)
		return c->start_ms + (int64_t)((__int128)c->ramp_ms * row / c->recipients);
	return c->start_ms + row / 50; /* inserted in bulk, 50,000 a second */
}

static int64_t along(const struct curve *curve, uint64_t draw)
{
	int64_t of_million = (int64_t)((draw >> 32) % 1000000);

	while (of_million >= curve[1].of_1000 * 1000LL)
		curve++;
	int64_t from = curve[0].of_1000 * 1000LL, width = curve[1].of_1000 * 1000LL - from;
	return curve[0].ms + (curve[1].ms - curve[0].ms) * (of_million - from) / width;
}

static bool falls(uint64_t draw, uint32_t of_100000)
{
	return (draw >> 32) % 100000 < of_100000;
}

static const char *one_of(const char *const *list, uint64_t draw)
{
	size_t n = 0;

	while (list[n])
		n++;
	return list[(draw >> 32) % n];
}

/* One draw for each question, asked or not. */
enum question {
	ON_CHANNEL,
	ON_JITTER,
	ON_PROCESSED,
	ON_OUTCOME,
	ON_WHY,
	ON_DELIVERY,
	ON_DELIVERED,
	ON_OPEN,
	ON_OPENING,
	ON_PLAY,
	ON_COMPLAIN,
	ON_UNSUBSCRIBE,
	ON_CLICK,
	ON_LATE,
	ON_LATER,
	QUESTIONS
};

static int64_t sent_at(const struct campaign *c, uint32_t row, uint64_t jitter)
{
	int64_t added = campaign_added_at(c, row);

	if (c->along_ramp)
		return added + 20 + (int64_t)((jitter >> 32) % 400);
	int64_t turn = c->start_ms + (int64_t)((__int128)c->ramp_ms * row / c->recipients);
	return (turn > added + 50 ? turn : added + 50) + (int64_t)((jitter >> 32) % 1500);
}

/* What the recipient does with a message that reached him. */
static void answer(const struct profile *p, const uint64_t *d, struct life *l)
{
	int64_t read = l->at[SIM_DELIVERED];

	if (falls(d[ON_OPEN], p->open)) {
		read += along(p->opening, d[ON_OPENING]);
		l->at[SIM_OPENED] = read;
		if (falls(d[ON_CLICK], p->click))
			l->at[SIM_CLICKED] = read + along(after_opening, d[ON_LATE]);
	}
	if (falls(d[ON_PLAY], p->play))
		l->at[SIM_PLAYED] = read + along(after_opening, d[ON_LATER]) / 2;
	if (falls(d[ON_COMPLAIN], p->complain))
		l->at[SIM_COMPLAINED] = read + along(after_opening, d[ON_LATER]);
	if (falls(d[ON_UNSUBSCRIBE], p->unsubscribe))
		l->at[SIM_UNSUBSCRIBED] = read + along(after_opening, d[ON_LATE]);
}

/* What becomes of a message whose turn has come at `turn`. */
static void send(const struct profile *p, const uint64_t *d, int64_t turn, struct life *l)
{
	uint32_t outcome = (uint32_t)((d[ON_OUTCOME] >> 32) % 100000);

	if (outcome < p->skip) {
		l->at[SIM_SKIPPED] = turn;
		l->why = one_of(skip_reasons, d[ON_WHY]);
		return;
	}
	outcome -= p->skip;
	if (outcome < p->refuse) {
		l->at[SIM_FAILED] = turn + 80 + (int64_t)((d[ON_DELIVERY] >> 32) % 900);
		l->why = one_of(p->refused, d[ON_WHY]);
		return;
	}
	outcome -= p->refuse;
	l->at[SIM_SENT] = turn;
	if (outcome < p->fail + p->bounce) {
		enum sim_what how = outcome < p->fail ? SIM_FAILED : SIM_BOUNCED;
		l->at[how] = turn + along(after_failure, d[ON_DELIVERY]);
		l->why = one_of(p->failed, d[ON_WHY]);
		return;
	}
	if (!falls(d[ON_DELIVERED], p->deliver))
		return;
	l->at[SIM_DELIVERED] = turn + along(p->delivery, d[ON_DELIVERY]);
	answer(p, d, l);
}

void campaign_life(const struct campaign *c, uint32_t row, struct life *ret)
{
	struct prng p = row_prng(c, row);
	uint64_t d[QUESTIONS];

	for (int i = 0; i < QUESTIONS; i++)
		d[i] = prng_next(&p);
	for (int i = 0; i < SIM_WHATS; i++)
		ret->at[i] = NEVER;
	ret->why = NULL;
	ret->channel = (uint8_t)pick_channel(c, d[ON_CHANNEL]);
	ret->at[SIM_ADDED] = campaign_added_at(c, row);

	int64_t turn = sent_at(c, row, d[ON_JITTER]);
	send(&channel_profiles[ret->channel], d, turn, ret);
	/* Invent's own work ends with the hand-over: in the same millisecond or soon after. */
	ret->at[SIM_PROCESSED] = ret->at[SIM_FAILED] != NEVER && ret->at[SIM_SENT] == NEVER
					 ? ret->at[SIM_FAILED]
					 : turn + (int64_t)((d[ON_PROCESSED] >> 32) % 4 ? 0 : 35);
	for (int i = 0; i < SIM_WHATS; i++)
		if (ret->at[i] > c->until_ms)
			ret->at[i] = NEVER;
}

enum sim_what life_next(const struct life *l, int64_t at, enum sim_what what)
{
	enum sim_what next = SIM_WHATS;

	for (int i = 0; i < SIM_WHATS; i++) {
		bool behind = l->at[i] > at || (l->at[i] == at && i > (int)what);
		if (l->at[i] != NEVER && behind && (next == SIM_WHATS || l->at[i] < l->at[next]))
			next = (enum sim_what)i;
	}
	return next;
}
