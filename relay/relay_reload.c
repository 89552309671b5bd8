/*
 * Settings at work: which destinations are open, which rules are in force, which source asks; and
 * how all that is exchanged while events flow. A reload happens as a whole or not at all: what
 * could fail is checked before the first change.
 */
#include "relay/relay.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/relay_state.h"

struct known_destination *relay_known(const struct relay *r, const char *name)
{
	for (size_t i = 0; i < r->ndestinations; i++)
		if (!strcmp(r->destinations[i].record.name, name))
			return &r->destinations[i];
	return NULL;
}

void known_destination_release(struct known_destination *k)
{
	destination_record_release(&k->record);
	free(k->parked.why);
}

static struct known_destination *add_known(struct relay *r, const char *name)
{
	r->destinations = mem_grow(r->destinations, r->ndestinations, &r->destinations_cap,
				   sizeof *r->destinations);
	struct known_destination *k = &r->destinations[r->ndestinations++];
	*k = (struct known_destination){0};
	k->record.number = ++r->destinations_given;
	k->record.name = xstrdup(name);
	k->record.cursor.position = journal_latest(r->journal);
	return k;
}

void relay_add_destinations(const struct relay *r, struct batch *b)
{
	for (size_t i = 0; i < r->ndestinations; i++) {
		const struct destination_record *record = &r->destinations[i].record;
		if (r->destinations[i].written || !r->destinations[i].taken)
			continue;
		struct destination_record *w = batch_destination(b);
		*w = *record;
		w->name = xstrdup(record->name);
		w->why = xstrdup(record->why);
	}
}

void relay_destinations_committed(struct relay *r, const struct batch *b)
{
	for (size_t i = 0; i < b->ndestinations; i++)
		for (size_t k = 0; k < r->ndestinations; k++)
			if (r->destinations[k].record.number == b->destinations[i].number &&
			    r->destinations[k].record.state == b->destinations[i].state)
				r->destinations[k].written = true;
}

/* Two sections are the same when their texts are, wherever they stand. */
static bool same_node(const struct node *a, const struct node *b)
{
	if (!a || !b)
		return a == b;
	if (a->kind != b->kind || a->n != b->n)
		return false;
	if (a->kind == NODE_SCALAR)
		return a->len == b->len && a->quoted == b->quoted &&
		       !memcmp(a->text, b->text, a->len);
	for (size_t i = 0; i < a->n; i++)
		if ((a->kind == NODE_MAP && strcmp(a->items[i]->key, b->items[i]->key) != 0) ||
		    !same_node(a->items[i], b->items[i]))
			return false;
	return true;
}

/* The rest of a record is delivery's to write: what a start read of it is past. */
static void set_state(struct known_destination *k, enum destination_state state)
{
	k->record.state = state;
	k->record.down_ms = 0;
	free(k->record.why);
	k->record.why = NULL;
	k->written = false;
}

/* What is no longer in the file keeps its backlog, but gets and sends nothing. */
static void detach_others(struct relay *r, const struct settings *s)
{
	for (size_t i = 0; i < r->ndestinations; i++) {
		struct known_destination *k = &r->destinations[i];
		if (settings_destination(s, k->record.name))
			continue;
		if (k->open)
			delivery_remove(r->delivery, k->record.number);
		k->open = false;
		if (k->record.state == DESTINATION_DETACHED)
			continue;
		set_state(k, DESTINATION_DETACHED);
		log_info("destination detached: its backlog waits",
			 log_str("destination", k->record.name));
	}
}

static int prepare_destination(struct relay *r, const struct destination_settings *d,
			       struct err *err)
{
	struct known_destination *k = relay_known(r, d->name);
	if (!k)
		k = add_known(r, d->name);
	if (k->dropping)
		return err_set(err, ERR_DENIED, "%s is being dropped; load again", d->name);
	struct destination_record record = k->record;
	if (record.state == DESTINATION_DETACHED)
		record.state = DESTINATION_ENABLED;
	const struct destination_settings *old = settings_destination(r->settings, d->name);
	struct delivery_destination dest = {
		.record = &record,
		.options = &d->options,
		.type = d->type,
		.settings = d->settings,
		.enable = old && !same_node(old->node, d->node),
	};
	return delivery_prepare(r->delivery, &dest, err);
}

/* Destinations that were named for a change that does not happen. */
static void forget_untaken(struct relay *r)
{
	while (r->ndestinations && !r->destinations[r->ndestinations - 1].taken)
		known_destination_release(&r->destinations[--r->ndestinations]);
}

static void use_rules(struct relay *r, const struct settings *s)
{
	struct router_destination *v = xcalloc(s->ndestinations + 1, sizeof *v);
	for (size_t i = 0; i < s->ndestinations; i++) {
		v[i].number = relay_known(r, s->destinations[i].name)->record.number;
		v[i].topical = s->destinations[i].type->topical;
	}
	router_use(r->router, s->rules, v, s->ndestinations);
	free(v);
}

static void destinations_written(void *arg, const struct batch *b, const struct err *err)
{
	if (!err)
		relay_destinations_committed(arg, b);
	else
		log_error("the destinations' records go with the next commit",
			  log_str("why", err->msg));
}

int relay_prepare_destinations(struct relay *r, struct settings *s, struct err *err)
{
	for (size_t i = 0; i < s->ndestinations; i++)
		if (prepare_destination(r, &s->destinations[i], err) < 0) {
			delivery_drop(r->delivery);
			forget_untaken(r);
			return -1;
		}
	return 0;
}

/* A changed section enables what was disabled. */
static void note_states(struct relay *r)
{
	struct delivery_status *v = xcalloc(r->ndestinations + 1, sizeof *v);
	size_t n = delivery_status(r->delivery, v, r->ndestinations);
	for (size_t i = 0; i < n; i++) {
		struct known_destination *k = relay_known_number(r, v[i].number);
		if (k && k->record.state == DESTINATION_DISABLED)
			k->record.state = v[i].state;
	}
	free(v);
}

void relay_take_destinations(struct relay *r, struct settings *s)
{
	delivery_take(r->delivery);
	note_states(r);
	for (size_t i = 0; i < s->ndestinations; i++) {
		struct known_destination *k = relay_known(r, s->destinations[i].name);
		k->open = k->taken = true;
		if (k->record.state != DESTINATION_DETACHED)
			continue;
		set_state(k, DESTINATION_ENABLED);
	}
	detach_others(r, s);
	use_rules(r, s);
	struct batch *b = batch_new();
	relay_add_destinations(r, b);
	if (batch_is_empty(b))
		batch_free(b);
	else
		journal_commit(r->journal, b, destinations_written, r);
}

/* Journal, admin and listening addresses are opened once, at the start. */
static int check_unchangeable(const struct settings *old, const struct settings *new,
			      struct err *err)
{
	if (!same_node(old->config.journal, new->config.journal))
		return err_set(err, ERR_CONFIG, "journal: a change needs a restart");
	if (!same_node(old->config.admin, new->config.admin))
		return err_set(err, ERR_CONFIG, "admin: a change needs a restart");
	if (old->source.since_kind != new->source.since_kind ||
	    old->source.since_ms != new->source.since_ms)
		return err_set(err, ERR_CONFIG, "source.since: a change needs a restart");
	for (size_t i = 0; i < old->ndestinations; i++) {
		const struct destination_settings *a = &old->destinations[i];
		const struct destination_settings *b = settings_destination(new, a->name);
		if (a->type->listens && (!b || b->type != a->type || !same_node(a->node, b->node)))
			return err_set(err, ERR_CONFIG, "destinations.%s: a change needs a restart",
				       a->name);
	}
	for (size_t i = 0; i < new->ndestinations; i++) {
		const struct destination_settings *b = &new->destinations[i];
		const struct destination_settings *a = settings_destination(old, b->name);
		if (b->type->listens && (!a || a->type != b->type))
			return err_set(
				err, ERR_CONFIG,
				"destinations.%s: to listen on a new address needs a restart",
				b->name);
	}
	return 0;
}

/* A key file may hold another key though its name is the same. */
static bool same_source(const struct settings *a, const struct settings *b)
{
	const char *x = a->source.api_key, *y = b->source.api_key;
	return same_node(a->config.source, b->config.source) && (x && y ? !strcmp(x, y) : x == y);
}

int relay_reload(struct relay *r, struct settings *s, struct err *err)
{
	if (r->next || r->stopping) {
		settings_free(s);
		return err_set(err, ERR_USAGE, "another change is still under way");
	}
	if (check_unchangeable(r->settings, s, err) < 0) {
		settings_free(s);
		return -1;
	}
	if (!same_source(r->settings, s)) {
		r->next_source = relay_open_source(r, s, err);
		if (!r->next_source) {
			settings_free(s);
			return -1;
		}
	}
	if (relay_prepare_destinations(r, s, err) < 0) {
		source_close(r->next_source);
		r->next_source = NULL;
		settings_free(s);
		return -1;
	}
	r->next = s;
	source_pause(r->source, true);
	if (source_busy(r->source))
		log_info("settings loaded; they are taken over when the API's replies are in");
	return 0;
}

/* The followed broadcasts move over to a source with the new options. */
static void exchange_source(struct relay *r, struct settings *s)
{
	if (r->next_source) {
		source_hand_over(r->source, r->next_source);
		source_close(r->source);
		r->source = r->next_source;
		r->next_source = NULL;
	} else {
		source_use(r->source, &s->source);
	}
	source_pause(r->source, r->full_until_ms != 0);
	intake_use(r->intake, r->source, &s->source);
}

void relay_finish_reload(struct relay *r)
{
	struct settings *s = r->next;
	r->next = NULL;
	exchange_source(r, s);
	relay_renew_alerts(r->alerts);
	relay_take_destinations(r, s);
	wire_renew(r->wire);
	settings_free(r->settings);
	r->settings = s;
	log_info("settings reloaded", log_num("rules", (int64_t)rules_count(s->rules)),
		 log_num("destinations", (int64_t)s->ndestinations));
}
