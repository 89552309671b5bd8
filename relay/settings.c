/*
 * Puts the parts' tables together. Everything about one section alone is checked by its owner;
 * here only what crosses sections: rules name destinations, no two destinations listen on one
 * address.
 */
#include "relay/settings.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/address.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/settings_parts.h"

#define NAME_MAX_LEN 64 /* of a destination: it stands in logs, metrics and URLs */

static bool good_name(const char *name)
{
	size_t len =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
	return len && len <= NAME_MAX_LEN && !name[len];
}

static size_t count_transports(void)
{
	size_t n = 0;
	while (transport_types[n])
		n++;
	return n;
}

/* Beside delivery's own keys, one key names the transport. */
static const struct node *find_transport(struct destination_settings *d, struct problems *p)
{
	const struct node *found = NULL;
	for (size_t i = 0; i < d->node->n; i++) {
		const struct node *n = d->node->items[i];
		const struct transport_type *t = transport_find(n->key);
		if (!t)
			continue;
		if (found)
			problem_at(p, n, "a destination has one transport; %s is named already",
				   d->type->name);
		d->type = t;
		found = n;
	}
	if (!found) {
		struct buf known = BUF_INIT(256);
		for (size_t i = 0; transport_types[i]; i++)
			buf_addf(&known, "%s%s", i ? ", " : "", transport_types[i]->name);
		problem_at(p, d->node, "a transport is missing; one of %s is expected", known.data);
		buf_release(&known);
	}
	return found;
}

struct option *settings_destination_table(void)
{
	size_t n = 0, transports = count_transports();
	while (delivery_option_table[n].name)
		n++;
	struct option *table = xcalloc(n + transports + 1, sizeof *table);
	memcpy(table, delivery_option_table, n * sizeof *table);
	for (size_t i = 0; i < transports; i++)
		table[n + i] = (struct option){
			.name = transport_types[i]->name,
			.type = OPT_NODE,
			.offset = sizeof(struct delivery_options),
			.help = "transport and its settings",
			.section = transport_types[i]->options,
		};
	return table;
}

struct destination_read { /* delivery's options with room for the transport's node behind them */
	struct delivery_options options;
	const struct node *transport;
};
_Static_assert(offsetof(struct destination_read, transport) == sizeof(struct delivery_options),
	       "settings_destination_table relies on it");

const struct node *settings_read_destination(struct destination_settings *d, struct problems *p)
{
	if (!good_name(d->name))
		problem_at(p, d->node, "a name is 1 to %d of A-Z a-z 0-9 _ -", NAME_MAX_LEN);
	if (d->node->kind != NODE_MAP) {
		problem_at(p, d->node, "a map with a transport is expected");
		return NULL;
	}
	struct destination_read read = {0};
	struct option *table = settings_destination_table();
	options_read(table, d->node, &read, p);
	d->options = read.options;
	free(table);
	delivery_options_check(&d->options, d->node, p);
	return find_transport(d, p);
}

void settings_read_whole(struct destination_settings *d, struct problems *p)
{
	const struct node *n = settings_read_destination(d, p);
	if (!n)
		return;
	if (d->type->unordered && !node_get(d->node, "order"))
		d->options.order = ORDER_NONE;
	d->settings = xcalloc(1, d->type->settings_size ? d->type->settings_size : 1);
	size_t before = problems_count(p);
	options_read(d->type->options, n, d->settings, p);
	if (d->type->check && problems_count(p) == before)
		d->type->check(d->settings, n, p);
}

/* The first of all addresses. */
static void read_admin(struct settings *s, struct problems *p)
{
	admin_options_read(&s->admin, s->config.admin, p);
	if (s->admin.on)
		s->own[s->nown++] = s->admin.address;
}

static void collect_listens(struct settings *s, const struct destination_settings *d,
			    struct problems *p)
{
	if (!d->type || !d->type->listens || !d->settings)
		return;
	size_t room = sizeof s->own / sizeof *s->own - s->nown;
	size_t n = d->type->listens(d->settings, s->own + s->nown, room);
	bool taken = false; /* by others: of its own its transport says it */
	for (size_t i = s->nown; i < s->nown + n; i++)
		for (size_t k = 0; k < s->nown; k++)
			taken = taken || address_clashes(&s->own[i], &s->own[k]);
	if (taken)
		problem_at(p, d->node, "listens on an address that is taken already");
	s->nown += n;
	if (n && s->nown > LISTENS_MAX)
		problem_at(p, d->node, "there are more than %d addresses to listen on",
			   LISTENS_MAX);
}

size_t settings_count_destinations(const struct settings *s, struct problems *p)
{
	const struct node *map = s->config.destinations;
	size_t n = map && map->kind == NODE_MAP ? map->n : 0;
	if (map && map->kind != NODE_MAP && !node_is_null(map))
		problem_at(p, map, "a map of destinations by name is expected");
	if (n <= DESTINATIONS_MAX)
		return n;
	problem_at(p, map, "%zu destinations; at most %d are allowed", n, DESTINATIONS_MAX);
	return 0;
}

static void read_destinations(struct settings *s, struct problems *p)
{
	const struct node *map = s->config.destinations;
	size_t n = settings_count_destinations(s, p);
	s->destinations = xcalloc(n + 1, sizeof *s->destinations);
	for (size_t i = 0; i < n; i++) {
		struct destination_settings *d = &s->destinations[s->ndestinations++];
		d->node = map->items[i];
		d->name = d->node->key;
		settings_read_whole(d, p);
		collect_listens(s, d, p);
	}
}

static void read_journal(struct settings *s, struct problems *p)
{
	/* an absent section stands in the file all the same: its presets are seen from there */
	struct node absent = {.kind = NODE_MAP, .source = yaml_root(s->yaml)->source};
	const struct node *written = s->config.journal;
	journal_options_read(&s->journal, written && !node_is_null(written) ? written : &absent, p);
}

/* What is not read at all cannot be matched or shown. */
struct uncollected {
	const struct node *at;
	struct problems *p;
	bool told;
};

static void check_collected(void *arg, const char *path)
{
	static const char channels[] = "data.recipient.contact.channels";
	struct uncollected *u = arg;
	size_t len = sizeof channels - 1;
	if (u->told || strncmp(path, channels, len) != 0 || (path[len] && path[len] != '.'))
		return;
	u->told = true;
	problem_at(u->p, u->at, "names %s, which is not read; see source.collect", path);
}

void settings_check_paths(const struct settings *s, struct problems *p)
{
	if (s->source.channels)
		return;
	for (size_t i = 0; i < s->ndestinations; i++) {
		const struct destination_settings *d = &s->destinations[i];
		struct uncollected u = {d->node, p, false};
		if (d->settings && d->type->paths)
			d->type->paths(d->settings, check_collected, &u);
	}
	for (size_t i = 0; s->rules && i < rules_count(s->rules); i++) {
		struct uncollected u = {rules_node(s->rules, i), p, false};
		rules_paths(s->rules, i, check_collected, &u);
	}
}

void settings_read_rules(struct settings *s, const struct settings *of, struct problems *p)
{
	struct rules_destination *v = xcalloc(of->ndestinations + 1, sizeof *v);
	for (size_t i = 0; i < of->ndestinations; i++) {
		const struct destination_settings *d = &of->destinations[i];
		v[i].name = d->name;
		v[i].topical = !d->type || d->type->topical;
		if (d->type && d->type->repeat_ms && d->settings)
			v[i].repeat_ms = d->type->repeat_ms(d->settings);
	}
	s->rules = rules_load(s->config.rules, v, of->ndestinations, p);
	free(v);
}

static void warn_of_gaps(const struct settings *s, struct problems *p)
{
	if (!s->ndestinations)
		problem_warn(p, yaml_root(s->yaml), "no destinations: events go nowhere");
	else if (s->rules && !rules_count(s->rules))
		problem_warn(p, yaml_root(s->yaml), "no rules: events are kept but sent nowhere");
}

struct settings *settings_load(const char *path, struct problems *p)
{
	struct yaml *yaml = yaml_load_on(path, p);
	if (!yaml)
		return NULL;
	struct settings *s = xcalloc(1, sizeof *s);
	s->path = xstrdup(path);
	s->yaml = yaml;
	config_read(yaml, &s->config, p);
	size_t before = problems_count(p);
	options_read(source_option_table, s->config.source, &s->source, p);
	if (problems_count(p) == before)
		source_options_check(&s->source,
				     s->config.source ? s->config.source : yaml_root(yaml), p);
	read_journal(s, p);
	read_admin(s, p);
	read_destinations(s, p);
	settings_read_rules(s, s, p);
	settings_check_paths(s, p);
	if (p->n) {
		settings_free(s);
		return NULL;
	}
	warn_of_gaps(s, p);
	return s;
}

/* With the outermost map; what is wrong there is in *found, behind *ret_before problems with what
 * the file does not have: variables. NULL: it cannot be read. */
static struct settings *open_part(const char *path, struct problems *found, size_t *ret_before)
{
	struct yaml *yaml = yaml_load_on(path, found);
	if (!yaml)
		return NULL;
	struct settings *s = xcalloc(1, sizeof *s);
	s->path = xstrdup(path);
	s->yaml = yaml;
	*ret_before = problems_count(found);
	config_read(yaml, &s->config, found);
	return s;
}

/* Has what was read since then no problem? Else they are all told. */
static struct settings *end_part(struct settings *s, size_t before, struct problems *found,
				 struct problems *p)
{
	if (s && problems_count(found) == before) {
		problems_release(found);
		return s;
	}
	*p = *found;
	settings_free(s);
	return NULL;
}

/* A secret that is not in this environment is no reason not to know the names, nor the addresses
 * that are Relay's own. */
static void read_destination_names(struct settings *s)
{
	struct problems ignored = {0};
	read_admin(s, &ignored);
	read_destinations(s, &ignored);
	problems_release(&ignored);
}

struct settings *settings_load_part(const char *path, enum settings_part part, struct problems *p)
{
	struct problems found = {0};
	size_t before = 0;
	struct settings *s = open_part(path, &found, &before);
	if (part != SETTINGS_RULES) /* for which a slip in "rules" is not just something else */
		before = problems_count(&found);
	if (s)
		read_journal(s, &found);
	if (s && part == SETTINGS_ADMIN)
		read_admin(s, &found);
	if (s && part >= SETTINGS_DESTINATIONS)
		read_destination_names(s);
	if (s && part == SETTINGS_RULES)
		settings_read_rules(s, s, &found);
	return end_part(s, before, &found, p);
}

struct settings *settings_load_rules(const char *path, const struct settings *base,
				     struct problems *p)
{
	struct problems found = {0};
	size_t before = 0;
	struct settings *s = open_part(path, &found, &before);
	if (s && !s->config.rules)
		problem_at(&found, yaml_root(s->yaml), "rules is missing");
	if (s && s->config.destinations) {
		read_destination_names(s);
		base = s;
	}
	if (s)
		settings_read_rules(s, base, &found);
	return end_part(s, before, &found, p);
}

void settings_release_destination(struct destination_settings *d)
{
	options_release(delivery_option_table, &d->options);
	if (d->settings)
		options_release(d->type->options, d->settings);
	free(d->settings);
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	rules_free(s->rules);
	for (size_t i = 0; i < s->ndestinations; i++)
		settings_release_destination(&s->destinations[i]);
	free(s->destinations);
	settings_offline_release(s);
	admin_options_release(&s->admin);
	journal_options_release(&s->journal);
	source_options_release(&s->source);
	config_release(&s->config);
	yaml_free(s->yaml);
	free(s->path);
	free(s);
}

const struct destination_settings *settings_destination(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->ndestinations; i++)
		if (!strcmp(s->destinations[i].name, name))
			return &s->destinations[i];
	return NULL;
}
