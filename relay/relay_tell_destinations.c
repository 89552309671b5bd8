/*
 * relay.* events about destinations. Those of going down and up are told at once; what comes in
 * numbers is gathered and told once in a while, the first of it soon.
 *
 * Notices come from within delivery's calls. A commit only queues there and is answered from the
 * mailbox, so that telling at once does no harm.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/relay_state.h"

#define SOON_MS		 1000 /* what comes at the same time is told together */
#define PARKED_EVERY_MS	 60000
#define DROPPED_EVERY_MS 3600000

static const char *const reasons[DROP_REASONS] = {
	[DROP_UNSENT] = "keep_unsent",
	[DROP_FULL] = "when_full",
	[DROP_BY_HAND] = "by_hand",
	[DROP_GONE] = "keep",
};

const char *relay_without_reply(const char *why, char status[16])
{
	/* "127.0.0.1:4222: …", of a server that has an address, is no status. */
	if (!why || strspn(why, "0123456789") != 3 || (why[3] && !strchr(": ", why[3])))
		return why;
	snprintf(status, 16, "HTTP %.3s", why);
	return status;
}

struct known_destination *relay_known_number(const struct relay *r, uint32_t number)
{
	for (size_t i = 0; i < r->ndestinations; i++)
		if (r->destinations[i].record.number == number)
			return &r->destinations[i];
	return NULL;
}

static void begin(struct buf *data, const struct known_destination *k)
{
	buf_addc(data, '{');
	json_add_text(data, "destination", k->record.name);
}

static void tell(struct relay *r, const struct known_destination *k, const char *type,
		 struct buf *data)
{
	buf_addc(data, '}');
	relay_tell(r, &(struct relay_word){.type = type,
					   .subject = k->record.name,
					   .data = data,
					   .about = k->record.number});
	buf_release(data);
}

/* ---- at once ---- */

static void tell_down(struct relay *r, const struct known_destination *k,
		      const struct delivery_notice *n)
{
	struct buf data = BUF_INIT(EVENT_BODY_MAX);
	char status[16];
	begin(&data, k);
	json_add_text(&data, "why", relay_without_reply(n->why, status));
	json_add_date(&data, "since", n->since_ms);
	tell(r, k, "relay.destination.down", &data);
}

static void tell_up(struct relay *r, const struct known_destination *k,
		    const struct delivery_notice *n)
{
	struct buf data = BUF_INIT(EVENT_BODY_MAX);
	int64_t down_ms = relay_now(r).wall_ms - n->since_ms;
	begin(&data, k);
	json_add_int(&data, "down_ms", down_ms > 0 ? down_ms : 0);
	json_add_date(&data, "since", n->since_ms);
	tell(r, k, "relay.destination.up", &data);
}

void relay_note_disabled(struct relay *r, struct known_destination *k, const char *why)
{
	struct buf data = BUF_INIT(EVENT_BODY_MAX);
	char status[16];
	if (k->record.state == DESTINATION_DISABLED) /* a start finds it so */
		return;
	k->record.state = DESTINATION_DISABLED;
	begin(&data, k);
	json_add_text(&data, "why", relay_without_reply(why, status));
	tell(r, k, "relay.destination.disabled", &data);
}

/* ---- gathered ---- */

static void gather(struct relay *r, struct gathered *g, const struct dropped *d, int64_t every_ms)
{
	int64_t now_ms = relay_now(r).mono_ms, next_ms = g->told_ms + every_ms;
	if (!g->count) {
		g->nids = 0;
		g->due_ms = now_ms + SOON_MS;
		if (g->told && g->due_ms < next_ms)
			g->due_ms = next_ms;
		if (g->due_ms < r->gathered_ms)
			r->gathered_ms = g->due_ms;
	}
	g->count += d->count;
	for (size_t i = 0; i < d->nids && g->nids < GATHERED_IDS; i++)
		memcpy(g->ids[g->nids++], d->ids[i], EVENT_ID_SIZE);
}

static void note_parked(struct relay *r, struct known_destination *k,
			const struct delivery_notice *n)
{
	struct dropped d = {.count = 1};
	char status[16];
	if (!k->parked.count) {
		free(k->parked.why);
		k->parked.why = xstrdup(relay_without_reply(n->why, status));
	}
	if (n->event)
		snprintf(d.ids[d.nids++], EVENT_ID_SIZE, "%s", n->event);
	gather(r, &k->parked, &d, PARKED_EVERY_MS);
}

void relay_note_dropped(struct relay *r, uint32_t number, enum drop_reason why,
			const struct dropped *d)
{
	struct known_destination *k = relay_known_number(r, number);
	if (!k || d->count <= 0)
		return;
	k->ndropped += (uint64_t)d->count;
	gather(r, &k->dropped[why], d, DROPPED_EVERY_MS);
}

void relay_note_delivery(struct relay *r, const struct delivery_notice *n)
{
	struct known_destination *k = relay_known_number(r, n->number);
	if (!k)
		return;
	if (n->what == DELIVERY_DOWN)
		tell_down(r, k, n);
	else if (n->what == DELIVERY_UP)
		tell_up(r, k, n);
	else if (n->what == DELIVERY_DISABLED)
		relay_note_disabled(r, k, n->why);
	else if (n->what == DELIVERY_PARKED)
		note_parked(r, k, n);
	else if (n->what == DELIVERY_GONE)
		relay_note_dropped(r, n->number, DROP_GONE, &(struct dropped){.count = 1});
}

static void add_gathered(struct buf *data, const struct gathered *g)
{
	json_add_int(data, "count", g->count);
	json_add_name(data, "ids");
	for (size_t i = 0; i < g->nids; i++) {
		buf_addc(data, i ? ',' : '[');
		json_write_string(data, g->ids[i]);
	}
	buf_adds(data, g->nids ? "]" : "[]");
}

void relay_dropped_data(struct buf *out, const char *destination, enum drop_reason why,
			const struct gathered *g)
{
	buf_addc(out, '{');
	json_add_text(out, "destination", destination);
	json_add_text(out, "reason", reasons[why]);
	add_gathered(out, g);
	buf_addc(out, '}');
}

static void told(struct gathered *g, int64_t now_ms)
{
	g->count = 0;
	g->told = true;
	g->told_ms = now_ms;
}

static void tell_parked(struct relay *r, struct known_destination *k, int64_t now_ms)
{
	struct buf data = BUF_INIT(EVENT_BODY_MAX);
	begin(&data, k);
	json_add_text(&data, "why", k->parked.why);
	add_gathered(&data, &k->parked);
	tell(r, k, "relay.parked", &data);
	told(&k->parked, now_ms);
}

static void tell_dropped(struct relay *r, struct known_destination *k, enum drop_reason why,
			 int64_t now_ms)
{
	struct buf data = BUF_INIT(EVENT_BODY_MAX);
	relay_dropped_data(&data, k->record.name, why, &k->dropped[why]);
	relay_tell_surely(r, &(struct relay_word){.type = "relay.dropped",
						  .subject = k->record.name,
						  .fact = reasons[why],
						  .data = &data,
						  .about = k->record.number});
	buf_release(&data);
	told(&k->dropped[why], now_ms);
}

void relay_tell_last(struct relay *r, struct known_destination *k)
{
	for (int why = 0; why < DROP_REASONS; why++)
		if (k->dropped[why].count)
			tell_dropped(r, k, (enum drop_reason)why, relay_now(r).mono_ms);
}

static bool is_due(struct relay *r, const struct gathered *g, int64_t now_ms)
{
	if (!g->count)
		return false;
	if (g->due_ms <= now_ms || r->stopping)
		return true;
	if (g->due_ms < r->gathered_ms)
		r->gathered_ms = g->due_ms;
	return false;
}

static void tell_due(struct relay *r, int64_t now_ms)
{
	for (size_t i = 0; i < r->ndestinations; i++) {
		struct known_destination *k = &r->destinations[i];
		if (is_due(r, &k->parked, now_ms))
			tell_parked(r, k, now_ms);
		for (int why = 0; why < DROP_REASONS; why++)
			if (is_due(r, &k->dropped[why], now_ms))
				tell_dropped(r, k, (enum drop_reason)why, now_ms);
	}
}

int relay_tell_gathered(struct relay *r, struct instant now)
{
	int64_t now_ms = now.mono_ms;
	if (r->gathered_ms == INT64_MAX)
		return INT_MAX;
	if (now_ms >= r->gathered_ms || r->stopping) {
		r->gathered_ms = INT64_MAX;
		tell_due(r, now_ms);
	}
	return r->gathered_ms == INT64_MAX ? INT_MAX : (int)(r->gathered_ms - now_ms);
}
