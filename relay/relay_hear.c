/*
 * What the stages tell the relay, and what it makes of it: log lines, events about the relay
 * itself, and the next stage's turn.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/relay_state.h"

#define PARKED_EVERY_MS 60000 /* a receiver that refuses everything is told of once a minute */

static void on_page(void *arg, struct source_page *p)
{
	struct relay *r = arg;
	r->answered = true;
	intake_page(r->intake, p, relay_now(r).wall_ms);
}

static void on_listing(void *arg, const struct source_listing *l)
{
	struct relay *r = arg;
	r->answered = true;
	intake_listing(r->intake, l, relay_now(r));
}

/* A failure that repeats is told when its text changes. */
static bool is_news(struct relay *r, const char *text)
{
	if (r->last_trouble && !strcmp(r->last_trouble, text))
		return false;
	free(r->last_trouble);
	r->last_trouble = xstrdup(text);
	return true;
}

static void forget_news(struct relay *r)
{
	free(r->last_trouble);
	r->last_trouble = NULL;
}

static void on_source_notice(void *arg, enum source_notice what, const struct followed *b,
			     const char *why, int64_t number)
{
	struct relay *r = arg;
	const char *id = b ? b->record.id : "-";
	if (what == SOURCE_DOWN || what == SOURCE_UP) {
		free(r->down_why);
		r->down_why = what == SOURCE_DOWN ? xstrdup(why) : NULL;
	}
	if (what == SOURCE_DOWN)
		log_error("the API gives nothing usable; asking goes on", log_str("why", why));
	else if (what == SOURCE_UP)
		log_info("the API answers again");
	else if (what == SOURCE_SKIPPED)
		log_warn("rows left out", log_str("broadcast", id), log_str("why", why),
			 log_num("rows", number));
	else if (what == SOURCE_NEW_NAME)
		log_warn("the API has grown a name; it is taken in", log_str("name", why));
	else if (what == SOURCE_ODD_FLAG)
		log_warn("a flag has values that are no booleans; they change nothing",
			 log_str("broadcast", id), log_str("name", why));
	else if (what == SOURCE_ORG_FOUND)
		log_info("an organization was found; its broadcasts are followed",
			 log_str("org", why));
	else if (what == SOURCE_ORG_GONE)
		log_info("an organization is not listed any more; its broadcasts rest",
			 log_str("org", why));
	else if (what == SOURCE_TROUBLE && is_news(r, why))
		log_warn("a request failed and will be repeated", log_str("broadcast", id),
			 log_str("why", why));
	if (what == SOURCE_DOWN)
		relay_tell_down(r, why, (int)number);
	if (what == SOURCE_UP) {
		forget_news(r);
		relay_tell_up(r);
	}
	if (what == SOURCE_SWEPT)
		relay_tell_audit(r, (struct followed *)b, number);
	if (what == SOURCE_GONE)
		intake_broadcast_gone(r->intake, (struct followed *)b, relay_now(r).wall_ms);
}

static void on_orgs(void *arg)
{
	struct relay *r = arg;
	intake_let_rest_unnamed(r->intake);
}

static void on_failures(void *arg, const struct followed *b, const struct causes *c,
			struct batch *batch)
{
	relay_note_failures(arg, b, c, batch);
}

static void on_compose(void *arg, struct batch *b)
{
	relay_note_status(arg, b);
	relay_add_destinations(arg, b);
}

void relay_committed(struct relay *r, const struct batch *b)
{
	relay_destinations_committed(r, b);
	relay_reports_committed(r, b);
	for (size_t i = 0; i < b->events.n; i++)
		r->events[event_type_place(b->events.v[i].type)]++;
	if (r->refusing && !b->about_relay) { /* those are taken in any case */
		r->refusing = false;
		if (!relay_note_room(r)) {
			forget_news(r);
			log_info("the journal takes commits again");
		}
	}
	if (b->nroutes && r->delivery) /* else the relay is being closed */
		delivery_committed(r->delivery, journal_latest(r->journal));
	if (r->alerts)
		relay_feed_alerts(r->alerts, b);
	log_debug("committed", log_num("events", (int64_t)b->events.n),
		  log_num("rows", (int64_t)b->nrecipients), log_num("routes", (int64_t)b->nroutes));
}

static void on_committed(void *arg, const struct batch *b)
{
	relay_committed(arg, b);
}

/* A full journal takes no new rows, but still verdicts: deliveries go on and make room. */
static void on_commit_failed(void *arg, const struct err *err)
{
	struct relay *r = arg;
	r->refusing = true;
	r->full = false;
	if (err->code == ERR_LIMIT)
		relay_note_full(r, err->msg);
	else if (is_news(r, err->msg))
		log_error("the journal refused a commit; the work is repeated",
			  log_str("why", err->msg));
}

/* Of each destination now and then: it may refuse everything. */
static bool is_parked_news(struct known_destination *k, int64_t now_ms)
{
	if (k->nparked++ && now_ms < k->parked_log_ms + PARKED_EVERY_MS)
		return false;
	k->parked_log_ms = now_ms;
	return true;
}

static void on_delivery_notice(void *arg, const struct delivery_notice *n)
{
	static const char *const texts[DELIVERY_WHATS] = {
		[DELIVERY_FAILING] = "delivery fails; it is tried again by the schedule",
		[DELIVERY_RECOVERED] = "delivery works again",
		[DELIVERY_DOWN] = "destination down; it is probed until it answers",
		[DELIVERY_UP] = "destination up again",
		[DELIVERY_PARKED] = "event parked: it will not be tried again by itself",
		[DELIVERY_DISABLED] = "destination disabled; it keeps collecting",
		[DELIVERY_GONE] = "events taken up again are not in the journal any more",
	};
	struct relay *r = arg;
	struct known_destination *k = relay_known_number(r, n->number);
	struct log_field parked = log_opt("parked", NULL);
	char status[16];
	bool known = n->what == DELIVERY_GONE && k && k->dropped[DROP_GONE].count;
	bool good = n->what == DELIVERY_RECOVERED || n->what == DELIVERY_UP;
	relay_note_delivery(r, n);
	if (known)
		return;
	if (k && n->what == DELIVERY_PARKED) {
		if (!is_parked_news(k, relay_now(r).mono_ms))
			return;
		parked = log_num("parked", k->nparked);
	}
	log_write(good ? LOG_INFO : LOG_WARN, texts[n->what],
		  LOG_FIELDS(log_str("destination", n->destination), log_opt("event", n->event),
			     log_opt("why", relay_without_reply(n->why, status)), parked));
}

void relay_hear_source(struct relay *r, struct source_env *env)
{
	env->page = on_page;
	env->listing = on_listing;
	env->orgs = on_orgs;
	env->notice = on_source_notice;
	env->arg = r;
}

void relay_hear_intake(struct relay *r, struct intake_env *env)
{
	env->compose = on_compose;
	env->failures = on_failures;
	env->committed = on_committed;
	env->failed = on_commit_failed;
	env->arg = r;
}

void relay_hear_delivery(struct relay *r, struct delivery_env *env)
{
	env->notice = on_delivery_notice;
	env->arg = r;
}
