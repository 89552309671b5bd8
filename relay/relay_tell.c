/*
 * relay.* events: what the relay has to say about itself, as events like any other. They are facts
 * of the moment and not worth repeating work for: what the journal refuses is dropped and counted.
 * But for words that account for something (relay.dropped): they are told again until they are in.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/relay_state.h"

#define KEPT_AGAIN_MS 5000
#define AUDIT_EVERY_MS                                                                             \
	600000 /* of one broadcast: where only sweeps find changes they never end                  \
		*/

/* "relay.source" of relay.source.down: down and up come in order. */
static char *family(const char *type)
{
	const char *end = strrchr(type, '.');
	return xstrndup(type, (size_t)(end - type));
}

/* The sequence is not known yet; no two of one type, subject and fact are told in one millisecond.
 */
static void make_id(char ret[EVENT_ID_SIZE], const struct relay *r, const struct relay_word *w,
		    int64_t now_ms)
{
	char *now = xasprintf("%lld", (long long)now_ms);
	const struct id_part parts[] = {ID_PART(r->uuid), ID_PART(w->type),
					ID_PART(w->subject ? w->subject : ""), ID_PART(now),
					ID_PART(w->fact ? w->fact : "")};
	event_id(ret, parts, sizeof parts / sizeof *parts - (w->fact ? 0 : 1));
	free(now);
}

static void make(struct event *ret, const struct relay *r, const struct relay_word *w)
{
	int64_t now_ms = relay_now(r).wall_ms;
	char *source = xasprintf("urn:uuid:%s", r->uuid), *key = family(w->type);
	char id[EVENT_ID_SIZE];
	make_id(id, r, w, now_ms);
	const struct event_head head = {
		.id = id,
		.type = w->type,
		.source = source,
		.subject = w->subject,
		.partitionkey = w->subject ? w->subject : key,
		.time_ms = DATE_NONE,
		.recorded_ms = now_ms,
	};
	event_make(ret, &head, w->data->data, w->data->len);
	free(source);
	free(key);
}

static void free_kept(struct kept_word *k)
{
	free(k->subject);
	buf_release(&k->data);
	free(k);
}

void relay_forget_kept(struct relay *r)
{
	while (r->nkept)
		free_kept(r->kept[--r->nkept]);
}

/* Of a word that is kept, k; else NULL. */
static void came_in(struct relay *r, struct kept_word *k, const struct batch *b,
		    const struct err *err)
{
	if (!err) {
		router_committed(r->router, b);
		relay_committed(r, b);
		if (k)
			free_kept(k);
		return;
	}
	if (k && r->nkept < KEPT_WORDS) {
		r->kept[r->nkept++] = k;
		r->kept_ms = relay_now(r).mono_ms + KEPT_AGAIN_MS;
		return;
	}
	if (k)
		free_kept(k);
	r->untold++;
	log_warn("an event about the relay itself is lost: the journal refused it",
		 log_str("type", b->events.v[0].type), log_str("why", err->msg),
		 log_num("lost", (int64_t)r->untold));
}

static void told(void *arg, const struct batch *b, const struct err *err)
{
	came_in(arg, NULL, b, err);
}

static void kept_told(void *arg, const struct batch *b, const struct err *err)
{
	struct kept_word *k = arg;
	came_in(k->relay, k, b, err);
}

/* Takes nothing but k, if it is to be kept; the batch may carry what belongs with the event. */
static void tell(struct relay *r, const struct relay_word *w, struct batch *b, struct kept_word *k)
{
	b->about_relay = true;
	make(batch_event(b), r, w);
	router_route_but(r->router, b, 0, w->about);
	relay_add_destinations(r, b);
	journal_commit(r->journal, b, k ? kept_told : told, k ? (void *)k : r);
}

void relay_tell(struct relay *r, const struct relay_word *w)
{
	tell(r, w, batch_new(), NULL);
}

static void tell_kept(struct kept_word *k)
{
	const struct relay_word w = {k->type, k->subject, k->fact, &k->data, k->about};
	tell(k->relay, &w, batch_new(), k);
}

void relay_tell_surely(struct relay *r, const struct relay_word *w)
{
	struct kept_word *k = xcalloc(1, sizeof *k);
	*k = (struct kept_word){
		r, w->type, xstrdup(w->subject), w->fact, BUF_INIT(EVENT_BODY_MAX), w->about};
	buf_add(&k->data, w->data->data, w->data->len);
	tell_kept(k);
}

int relay_tell_kept(struct relay *r, struct instant now)
{
	if (!r->nkept)
		return INT_MAX;
	if (now.mono_ms < r->kept_ms)
		return (int)(r->kept_ms - now.mono_ms);
	struct kept_word *again[KEPT_WORDS];
	size_t n = r->nkept;
	memcpy(again, r->kept, n * sizeof *again);
	r->nkept = 0;
	for (size_t i = 0; i < n; i++)
		tell_kept(again[i]);
	return INT_MAX;
}

/* ---- outages of the API ---- */

static void tell_outage(struct relay *r, const char *type, const struct buf *data)
{
	struct batch *b = batch_new();
	b->tells_outage = true;
	b->outage_ms = r->outage_ms;
	tell(r, &(struct relay_word){.type = type, .data = data}, b, NULL);
}

void relay_tell_down(struct relay *r, const char *why, int status)
{
	struct source_status s;
	struct buf data = BUF_INIT(EVENT_BODY_MAX);
	if (r->outage_ms) /* it goes on: a restart or a reload looked at it anew */
		return;
	source_status(r->source, &s);
	r->outage_ms = s.failing_since_ms ? s.failing_since_ms : relay_now(r).wall_ms;
	buf_addc(&data, '{');
	json_add_text(&data, "why", why);
	json_add_count(&data, "status", status ? status : -1);
	json_add_date(&data, "since", r->outage_ms);
	buf_addc(&data, '}');
	tell_outage(r, "relay.source.down", &data);
	buf_release(&data);
}

void relay_tell_up(struct relay *r)
{
	struct buf data = BUF_INIT(EVENT_BODY_MAX);
	if (!r->outage_ms)
		return;
	int64_t down_ms = relay_now(r).wall_ms - r->outage_ms;
	buf_addc(&data, '{');
	json_add_int(&data, "down_ms", down_ms > 0 ? down_ms : 0);
	json_add_date(&data, "since", r->outage_ms);
	buf_addc(&data, '}');
	r->outage_ms = 0;
	tell_outage(r, "relay.source.up", &data);
	buf_release(&data);
}

/* ---- audits ---- */

void relay_tell_audit(struct relay *r, struct followed *b, int64_t count)
{
	struct buf data = BUF_INIT(EVENT_BODY_MAX);
	int64_t now_ms = relay_now(r).wall_ms, held = held_live(b->held);
	/* Of a filtered list rows come and go with their states. */
	if (r->settings->source.state_filter || now_ms - b->audited_ms < AUDIT_EVERY_MS)
		return;
	b->audited_ms = now_ms;
	buf_addc(&data, '{');
	json_add_text(&data, "org_id", b->record.org);
	json_add_text(&data, "broadcast_id", b->record.id);
	json_add_int(&data, "held", held);
	json_add_count(&data, "count", count);
	if (count < 0)
		json_add_text(&data, "difference", NULL);
	else
		json_add_int(&data, "difference", held - count);
	json_add_name(&data, "counters");
	buf_adds(&data, b->record.counters ? b->record.counters : "null");
	buf_addc(&data, '}');
	relay_tell(r, &(struct relay_word){
			      .type = "relay.audit", .subject = b->record.id, .data = &data});
	buf_release(&data);
}
