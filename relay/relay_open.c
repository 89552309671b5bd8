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
#define RECENT_MS	 3600000 /* a list entry that moved within it may have more to tell */

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
	};
	relay_hear_source(r, &env);
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
	};
	relay_hear_intake(r, &env);
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

/* The head's exceptions ascend by destination, as its destinations do. */
static void know_destinations(struct relay *r, struct store_head *head)
{
	const struct exception *x = head->exceptions, *end = x + head->nexceptions;
	r->destinations_given = head->destinations_given;
	for (size_t i = 0; i < head->ndestinations; i++) {
		const struct exception *first;
		r->destinations = mem_grow(r->destinations, r->ndestinations, &r->destinations_cap,
					   sizeof *r->destinations);
		r->destinations[r->ndestinations++] = (struct known_destination){
			.record = head->destinations[i], .taken = true, .written = true};
		while (x < end && x->destination < head->destinations[i].number)
			x++;
		for (first = x; x < end && x->destination == head->destinations[i].number;)
			x++;
		delivery_know(r->delivery, &head->destinations[i], first, (size_t)(x - first));
		head->destinations[i] = (struct destination_record){0};
	}
}

static int open_delivery(struct relay *r, struct store_head *head, struct err *err)
{
	r->wire = wire_open(r->mailbox, WIRE_CONNECTIONS, err);
	if (!r->wire)
		return -1;
	memcpy(r->own, r->settings->own, sizeof r->own);
	r->nown = r->settings->nown;
	r->history = (struct transport_history){
		.arg = r, .routes = relay_history, .rows = relay_history_rows};
	struct delivery_env env = {
		.journal = r->journal,
		.loop = r->mailbox,
		.wire = r->wire,
		.history = &r->history,
		.random = {r->env.seed},
		.body = body_of_rule,
		.own = r->own,
		.nown = r->nown,
	};
	relay_hear_delivery(r, &env);
	r->delivery = delivery_open(&env);
	know_destinations(r, head);
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
	r->jobs = relay_open_jobs(head);
	r->expiry = relay_open_expiry(r->started_ms);
	r->gathered_ms = INT64_MAX;
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
	relay_forget_kept(r);
	router_free(r->router);
	mailbox_close(r->mailbox);
	http_close(r->http);
	for (size_t i = 0; i < r->ndestinations; i++)
		known_destination_release(&r->destinations[i]);
	free(r->destinations);
	deciding_free(r->deciding);
	reports_free(r->reports);
	relay_close_jobs(r->jobs);
	free(r->expiry);
	free(r->last_trouble);
	free(r->down_why);
	settings_free(r->settings);
	settings_free(r->next);
	free(r);
}
