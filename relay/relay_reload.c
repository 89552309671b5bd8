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

static struct known_destination *find_known(struct relay *r, const char *name)
{
	for (size_t i = 0; i < r->ndestinations; i++)
		if (!strcmp(r->destinations[i].record.name, name))
			return &r->destinations[i];
	return NULL;
}

static struct known_destination *add_known(struct relay *r, const char *name)
{
	uint32_t highest = 0;
	for (size_t i = 0; i < r->ndestinations; i++)
		if (r->destinations[i].record.number > highest)
			highest = r->destinations[i].record.number;
	r->destinations = mem_grow(r->destinations, r->ndestinations, &r->destinations_cap,
				   sizeof *r->destinations);
	struct known_destination *k = &r->destinations[r->ndestinations++];
	*k = (struct known_destination){0};
	k->record.number = highest + 1;
	k->record.name = xstrdup(name);
	k->record.cursor.position = journal_latest(r->journal);
	return k;
}

static void write_record(struct batch *b, const struct destination_record *record)
{
	struct destination_record *w = batch_destination(b);
	*w = *record;
	w->name = xstrdup(record->name);
	w->why = record->why ? xstrdup(record->why) : NULL;
}

static const struct destination_settings *find_settings(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->ndestinations; i++)
		if (!strcmp(s->destinations[i].name, name))
			return &s->destinations[i];
	return NULL;
}

/* What is no longer in the file keeps its backlog, but gets and sends nothing. */
static void detach_others(struct relay *r, const struct settings *s, struct batch *b)
{
	for (size_t i = 0; i < r->ndestinations; i++) {
		struct known_destination *k = &r->destinations[i];
		if (find_settings(s, k->record.name))
			continue;
		if (k->open)
			delivery_remove(r->delivery, k->record.number);
		k->open = false;
		if (k->record.state == DESTINATION_DETACHED)
			continue;
		k->record.state = DESTINATION_DETACHED;
		write_record(b, &k->record);
		log_info("destination detached: its backlog waits",
			 log_str("destination", k->record.name));
	}
}

static int open_destination(struct relay *r, const struct destination_settings *d, struct batch *b,
			    struct err *err)
{
	struct known_destination *k = find_known(r, d->name);
	bool fresh = !k;
	if (!k)
		k = add_known(r, d->name);
	if (fresh || k->record.state == DESTINATION_DETACHED) {
		k->record.state = DESTINATION_ENABLED;
		write_record(b, &k->record);
	}
	size_t first = 0, n = 0;
	while (first < r->nexceptions && r->exceptions[first].destination != k->record.number)
		first++;
	while (first + n < r->nexceptions &&
	       r->exceptions[first + n].destination == k->record.number)
		n++;
	struct delivery_destination dest = {
		.record = &k->record,
		.exceptions = r->exceptions + first,
		.nexceptions = n,
		.options = &d->options,
		.type = d->type,
		.settings = d->settings,
	};
	int failed = k->open ? delivery_replace(r->delivery, &dest, err)
			     : delivery_add(r->delivery, &dest, err);
	if (failed)
		return err_wrap(err, "destination %s", d->name);
	k->open = true;
	return 0;
}

static void use_rules(struct relay *r, const struct settings *s)
{
	struct router_destination *v = xcalloc(s->ndestinations + 1, sizeof *v);
	for (size_t i = 0; i < s->ndestinations; i++) {
		v[i].number = find_known(r, s->destinations[i].name)->record.number;
		v[i].topical = s->destinations[i].type->topical;
	}
	router_use(r->router, s->rules, v, s->ndestinations);
	free(v);
}

static void destinations_written(void *arg, const struct batch *b, const struct err *err)
{
	(void)arg;
	(void)b;
	if (err)
		log_error("the destinations' records could not be written",
			  log_str("why", err->msg));
}

int relay_apply_destinations(struct relay *r, struct settings *s, struct err *err)
{
	struct batch *b = batch_new();
	for (size_t i = 0; i < s->ndestinations; i++)
		if (open_destination(r, &s->destinations[i], b, err) < 0) {
			batch_free(b);
			return -1;
		}
	detach_others(r, s, b);
	use_rules(r, s);
	if (batch_is_empty(b))
		batch_free(b);
	else
		journal_commit(r->journal, b, destinations_written, r);
	return 0;
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
		const struct destination_settings *b = find_settings(new, a->name);
		if (a->type->listens && (!b || b->type != a->type || !same_node(a->node, b->node)))
			return err_set(err, ERR_CONFIG, "destinations.%s: a change needs a restart",
				       a->name);
	}
	for (size_t i = 0; i < new->ndestinations; i++) {
		const struct destination_settings *b = &new->destinations[i];
		const struct destination_settings *a = find_settings(old, b->name);
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
	r->next = s;
	source_pause(r->source, true);
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
		source_pause(r->source, false);
	}
	intake_use(r->intake, r->source, &s->source);
}

void relay_finish_reload(struct relay *r)
{
	struct settings *s = r->next;
	struct err err = {0};
	r->next = NULL;
	exchange_source(r, s);
	if (relay_apply_destinations(r, s, &err) < 0)
		log_error("reload: not all destinations could be opened", log_str("why", err.msg));
	wire_renew(r->wire);
	settings_free(r->settings);
	r->settings = s;
	log_info("settings reloaded", log_num("rules", (int64_t)rules_count(s->rules)),
		 log_num("destinations", (int64_t)s->ndestinations));
}
