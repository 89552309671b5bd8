/*
 * Start and end: what the journal holds becomes the stages' memory, in the order of the arrows;
 * the end undoes it from both sides towards the journal, which answers last.
 */
#include "relay/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/relay_state.h"
#include "relay/seedfile.h"

#define WIRE_CONNECTIONS 256	 /* pooled over all http destinations */
#define LOOP_CONNECTIONS 16	 /* to the API */
#define PARKED_EVERY_MS	 60000	 /* a receiver that refuses everything is told of once a minute */
#define RECENT_MS	 3600000 /* a list entry that moved within it may have more to tell */
#define FULL_PAUSE_MS	 5000	 /* until a full journal is tried again */

/* ---- what the stages tell ---- */

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
	if (r->refusing) {
		r->refusing = r->full = false;
		forget_news(r);
		log_info("the journal takes commits again");
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
	if (err->code == ERR_LIMIT) {
		source_pause(r->source, true);
		r->full_until_ms = relay_now(r).mono_ms + FULL_PAUSE_MS;
	}
	r->refusing = true;
	r->full = err->code == ERR_LIMIT;
	if (is_news(r, err->msg))
		log_error(err->code == ERR_LIMIT
				  ? "the journal takes no more: polling pauses, deliveries go on"
				  : "the journal refused a commit; the work is repeated",
			  log_str("why", err->msg));
}

/* "422: invalid phone +1…": what a receiver writes may be somebody's data, so only its status is
 * logged; the journal keeps the text with the attempt. */
static const char *without_reply(const char *why, char status[16])
{
	if (!why || strspn(why, "0123456789") != 3)
		return why;
	snprintf(status, 16, "HTTP %.3s", why);
	return status;
}

static void on_delivery_notice(void *arg, enum delivery_notice what, const char *destination,
			       const char *event, const char *why)
{
	static const char *const texts[] = {
		[DELIVERY_FAILING] = "delivery fails; it is tried again by the schedule",
		[DELIVERY_RECOVERED] = "delivery works again",
		[DELIVERY_PARKED] = "event parked: it will not be tried again by itself",
		[DELIVERY_DISABLED] = "destination disabled; it keeps collecting",
	};
	struct relay *r = arg;
	char status[16];
	int64_t now_ms = relay_now(r).mono_ms;
	if (what == DELIVERY_PARKED) {
		r->parked++;
		if (r->parked_told_ms && now_ms < r->parked_told_ms + PARKED_EVERY_MS)
			return;
		r->parked_told_ms = now_ms;
	}
	log_write(what == DELIVERY_RECOVERED ? LOG_INFO : LOG_WARN, texts[what],
		  LOG_FIELDS(log_str("destination", destination), log_str("event", event),
			     log_str("why", without_reply(why, status)),
			     log_num("parked", r->parked)));
}

/* ---- start ---- */

/* A seed that cannot be used costs some requests, and no start. */
static void seed(struct source *source, const struct settings *s)
{
	char *path = seedfile_path(journal_file(&s->journal));
	struct seed found;
	struct err err = {0};
	int got = seedfile_load(path, s->source.base_url, &found, &err);

	if (got > 0) {
		source_seed(source, &found);
		log_info("starting from what the last probe learned", log_str("file", path));
	} else if (got < 0) {
		log_warn("what the last probe learned cannot be used", log_str("why", err.msg));
	}
	free(path);
}

struct source *relay_open_source(struct relay *r, struct settings *s, struct err *err)
{
	struct source_env env = {
		.fetch = relay_fetch,
		.fetch_arg = r,
		.states = &r->states,
		.statuses = &r->statuses,
		.seed = r->env.seed,
		.down = r->outage_ms != 0,
		.page = on_page,
		.listing = on_listing,
		.orgs = on_orgs,
		.notice = on_source_notice,
		.arg = r,
	};
	struct source *source = source_open(&s->source, &env, relay_now(r), err);
	if (source)
		seed(source, s);
	return source;
}

static int follow_again(struct relay *r, struct store_head *head, struct err *err)
{
	for (size_t i = 0; i < head->nbroadcasts; i++) {
		struct broadcast_record *b = &head->broadcasts[i];
		if (b->gone || !source_names(&r->settings->source, b->org, b->id)) {
			intake_remember(r->intake, b);
			continue;
		}
		struct held *held = intake_load_rows(r->journal, &r->settings->source, b, err);
		if (!held)
			return -1;
		struct broadcast_record taken = *b;
		*b = (struct broadcast_record){.gone = true};
		struct followed *f = source_follow(r->source, &taken, held);
		/* Else it may have ended while nobody looked. */
		f->caught_up = f->record.updated_ms < relay_now(r).wall_ms - RECENT_MS;
	}
	return 0;
}

static void open_intake(struct relay *r, const struct store_head *head)
{
	const struct source_options *o = &r->settings->source;
	struct intake_env env = {
		.journal = r->journal,
		.loop = r->mailbox,
		.router = r->router,
		.states = &r->states,
		.statuses = &r->statuses,
		.states_kept = head->states.n,
		.statuses_kept = head->statuses.n,
		.since_ms = DATE_NONE,
		.since_known = true,
		.compose = on_compose,
		.failures = on_failures,
		.committed = on_committed,
		.failed = on_commit_failed,
		.arg = r,
	};
	for (size_t i = 0; i < head->nbroadcasts; i++)
		if (head->broadcasts[i].number > env.broadcasts)
			env.broadcasts = head->broadcasts[i].number;
	if (o->since_kind == SINCE_TIME) {
		env.since_ms = o->since_ms;
	} else if (o->since_kind == SINCE_NOW) {
		env.since_ms = head->since_ms;
		env.since_known = head->since_ms != DATE_NONE;
	}
	r->intake = intake_new(&env);
}

static const struct template *body_of_rule(void *arg, uint32_t rule)
{
	const struct relay *r = arg;
	return router_body(r->router, rule);
}

static int open_delivery(struct relay *r, struct store_head *head, struct err *err)
{
	r->wire = wire_open(r->mailbox, WIRE_CONNECTIONS, err);
	if (!r->wire)
		return -1;
	memcpy(r->own, r->settings->own, sizeof r->own);
	r->nown = r->settings->nown;
	r->history = (struct transport_history){.arg = r, .routes = relay_history};
	struct delivery_env env = {
		.journal = r->journal,
		.loop = r->mailbox,
		.wire = r->wire,
		.history = &r->history,
		.random = {r->env.seed},
		.notice = on_delivery_notice,
		.body = body_of_rule,
		.arg = r,
		.own = r->own,
		.nown = r->nown,
	};
	r->delivery = delivery_open(&env);
	for (size_t i = 0; i < head->ndestinations; i++) {
		r->destinations = mem_grow(r->destinations, r->ndestinations, &r->destinations_cap,
					   sizeof *r->destinations);
		r->destinations[r->ndestinations++] = (struct known_destination){
			.record = head->destinations[i], .taken = true, .written = true};
		head->destinations[i] = (struct destination_record){0};
	}
	r->exceptions = head->exceptions;
	r->nexceptions = head->nexceptions;
	head->exceptions = NULL;
	head->nexceptions = 0;
	if (relay_prepare_destinations(r, r->settings, err) < 0)
		return -1;
	relay_take_destinations(r, r->settings);
	return 0;
}

static int open_stages(struct relay *r, struct store_head *head, struct err *err)
{
	if (!r->env.fetch) {
		r->http = http_open(LOOP_CONNECTIONS, err);
		if (!r->http)
			return -1;
	}
	r->mailbox = mailbox_open(r->http ? http_wake : NULL, r->http);
	r->journal = journal_open(&r->settings->journal, r->mailbox, head, err);
	if (!r->journal)
		return -1;
	memcpy(r->uuid, head->uuid, sizeof r->uuid);
	r->outage_ms = head->outage_ms;
	r->states = head->states;
	r->statuses = head->statuses;
	if (!r->states.n)
		states_init(&r->states);
	r->router = router_new(head->rules, head->nrules);
	r->deciding = deciding_new();
	r->reports = reports_new(head, r->started_ms);
	open_intake(r, head);
	r->source = relay_open_source(r, r->settings, err);
	if (!r->source)
		return -1;
	intake_use(r->intake, r->source, &r->settings->source);
	if (follow_again(r, head, err) < 0)
		return -1;
	if (open_delivery(r, head, err) < 0)
		return -1;
	r->alerts = relay_open_alerts(r, head);
	return relay_open_admin(r, err);
}

struct relay *relay_open(struct settings *settings, const struct relay_env *env, struct err *err)
{
	struct relay *r = xcalloc(1, sizeof *r);
	struct store_head head = {0};
	r->settings = settings;
	r->env = *env;
	r->started_ms = relay_now(r).mono_ms;
	int failed = open_stages(r, &head, err);
	store_head_release(&head);
	if (!failed)
		return r;
	relay_close(r);
	return NULL;
}

/* ---- end ---- */

void relay_close(struct relay *r)
{
	if (!r)
		return;
	admin_close(r->admin);
	if (r->source)
		source_pause(r->source, true);
	if (r->http)
		http_end_calls(r->http); /* the pages are asked for again after the next start */
	delivery_close(r->delivery); /* verdicts that come later are lost: sent again next time */
	r->delivery = NULL;
	if (r->intake)
		intake_halt(r->intake);
	if (r->alerts)
		relay_halt_alerts(r->alerts);
	journal_close(r->journal);
	if (r->mailbox)
		mailbox_run(r->mailbox);
	wire_close(r->wire);
	source_close(r->source);
	source_close(r->next_source);
	intake_free(r->intake);
	relay_close_alerts(r->alerts);
	router_free(r->router);
	mailbox_close(r->mailbox);
	http_close(r->http);
	for (size_t i = 0; i < r->ndestinations; i++)
		destination_record_release(&r->destinations[i].record);
	free(r->destinations);
	for (size_t i = 0; i < r->nexceptions; i++)
		exception_release(&r->exceptions[i]);
	free(r->exceptions);
	deciding_free(r->deciding);
	reports_free(r->reports);
	free(r->last_trouble);
	free(r->down_why);
	settings_free(r->settings);
	settings_free(r->next);
	free(r);
}
